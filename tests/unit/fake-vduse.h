/* SPDX-License-Identifier: GPL-2.0-or-later
 * The kernel's side of VDUSE for tests without a kernel that has it: devices, their rules (each
 * refusal with the kernel's errno), an IOTLB, and a driver with one split ring. Nodes are real
 * descriptors: a device's is a socket of records, memory is memfds.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/hostdev.h"
#include "linux/vduse.h"

enum {
    FAKE_BOUNCE_SIZE = 1 << 20, /* the region at 0 */
    FAKE_SECOND_SIZE = 0x1800,  /* the one behind it, which ends inside a page */
    FAKE_RING_IOVA = 0x47ffe000,
    FAKE_RING_SIZE = 0x1406, /* bytes, not whole pages */
    FAKE_QUEUE_SIZE = 16,
    FAKE_MAX_QUEUES = 4,
};

typedef struct {
    uint64_t addr;
    uint32_t len;
    bool write;
} FakeBuf;

const HostDevOps *fake_vduse_ops(void);
/* Takes the kernel's place from now on, without devices. */
void fake_vduse_start(void);
/* Takes its place away and forgets devices. */
void fake_vduse_stop(void);

/* The next call of that request fails so. 0: of open(). */
void fake_vduse_fail(unsigned long request, int err);
uint64_t fake_vduse_version(void); /* as set last */
void fake_vduse_set_newest(uint64_t version);
bool fake_vduse_is_ready(const char *name); /* a driver has set up its queues */
bool fake_vduse_exists(const char *name);
bool fake_vduse_is_open(const char *name);
const struct vduse_dev_config *fake_vduse_config(const char *name);
const uint8_t *fake_vduse_config_bytes(const char *name);

/* What the vDPA core does: sends a message and waits for its answer, or for the node's end: FALSE.
 */
bool fake_vduse_ask(const char *name, struct vduse_dev_request *request,
                    struct vduse_dev_response *response);
bool fake_vduse_set_status(const char *name, uint8_t status); /* FALSE: refused */
bool fake_vduse_update_iotlb(const char *name, uint64_t start, uint64_t last);
/* The queue's index, or -1: refused. */
int fake_vduse_queue_state(const char *name, unsigned n);
/* The driver from reset up to DRIVER_OK. */
bool fake_vduse_attach(const char *name, uint64_t features);
/* Gives the device up: its node is at its end. */
void fake_vduse_break(const char *name);

/* ---- memory ---- */
uint8_t *fake_vduse_memory(const char *name, uint64_t iova); /* of the region that is there now */
/* Makes a region shorter, or as long as it was. */
void fake_vduse_resize(const char *name, uint64_t iova, uint64_t size);
/* Other, zeroed memory in place of the bounce buffer. */
void fake_vduse_replace_bounce(const char *name);
unsigned fake_vduse_get_fd_calls(const char *name);
/* Sleeps until there were n. */
void fake_vduse_wait_get_fd(const char *name, unsigned n);
/* A region that tells lies; NULL: the truth. */
void fake_vduse_set_lie(const char *name, const struct vduse_iotlb_entry *lie);

/* ---- the driver ---- */
void fake_vduse_submit(const char *name, unsigned n, const FakeBuf *bufs, unsigned count);
/* Sleeps for interrupts until the used index is that. */
void fake_vduse_wait_used(const char *name, unsigned n, uint16_t idx);
/* Sleeps until that many interrupts (of a queue; -1: of the configuration) have come. */
void fake_vduse_wait_irqs(const char *name, int n, unsigned count);
/* Interrupts are refused, as while a status is not taken note of. */
void fake_vduse_refuse_irqs(const char *name, bool refuse);
void fake_vduse_wait_refused(const char *name); /* until one was */
