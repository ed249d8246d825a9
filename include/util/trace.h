/* SPDX-License-Identifier: GPL-2.0-or-later
 * Trace events: lines about what goes on inside, each kind switched on by name (-trace, QMP's
 * trace-event-set-state, HMP's trace-event). One that is off costs the load of a byte. Names that
 * QEMU has, too, mean the same.
 *
 *     TRACE(virtio_set_status, "%s 0x%02x", device_type(dev), status);
 *
 * A new kind is a row in TRACE_EVENTS.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define TRACE_EVENTS(row)                                                                          \
    row(handle_qmp_command, "a QMP request, as it is run")                                         \
        row(ioreq_trouble, "an access of a vCPU that nothing took, or that was refused")           \
            row(xen_foreign_fault,                                                                 \
                "a page of a Xen domain that a device wanted and that is not there")               \
                row(memory_region_ops_read, "a read of a device's registers")                      \
                    row(memory_region_ops_write, "a write to a device's registers")                \
                        row(monitor_protocol_event_emit, "a QMP event, as it is sent")             \
                            row(monitor_qmp_respond, "the reply to a QMP request")                 \
                                row(runstate_set, "a change of the run state") row(                \
                                    vduse_map, "a region of a driver's memory, as it is mapped")   \
                                    row(vduse_message, "a message of the kernel's VDUSE driver")   \
                                        row(virtio_set_status,                                     \
                                            "a driver's write of a virtio device's status")

#define TRACE_ID(name, help) TRACE_##name,
typedef enum { TRACE_EVENTS(TRACE_ID) TRACE_N_EVENTS } TraceId;
#undef TRACE_ID

extern uint8_t trace_state[TRACE_N_EVENTS]; /* atomic */

#define TRACE(name, ...)                                                                           \
    do {                                                                                           \
        if (G_UNLIKELY(__atomic_load_n(&trace_state[TRACE_##name], __ATOMIC_RELAXED))) {           \
            trace_print(TRACE_##name, __VA_ARGS__);                                                \
        }                                                                                          \
    } while (0)

/* [any] One line, whatever is in the text. */
void trace_print(TraceId id, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

const char *trace_name(TraceId id);
const char *trace_help(TraceId id);
/* Switches all whose name matches pattern ('*' and '?') on or off; returns how many those are.
 * [any]
 */
unsigned trace_set(const char *pattern, bool on);
bool trace_is_known(const char *pattern); /* TRUE if one matches */
/* Lines go to path, appended to, instead of stderr. FALSE: HOST error. [main] */
bool trace_open(const char *path, GError **error);
