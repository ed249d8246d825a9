/* SPDX-License-Identifier: GPL-2.0-or-later
 * A client of the qtest protocol and of QMP: starts the program under test ($HUMPY) with both on
 * sockets, asks and expects. What goes wrong in the conversation itself ends the test program with
 * a message; nothing waits longer than CLIENT_PATIENCE_S.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { CLIENT_PATIENCE_S = 60 };

typedef struct QTest QTest;

/* Options as a shell would take them apart; "-accel qtest -display none" is added. */
QTest *qtest_start(const char *options) G_GNUC_WARN_UNUSED_RESULT;
QTest *qtest_startf(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_WARN_UNUSED_RESULT;
/* The virt machine with mib MiB of RAM that the test shares: accesses to it (below, and those of
 * virtio.h) are made directly, not by a line of the protocol, as a CPU beside the devices would. */
QTest *qtest_start_shared(unsigned mib, const char *options) G_GNUC_WARN_UNUSED_RESULT;
/* Ends it with SIGTERM, which must give exit status 0. */
void qtest_end(QTest *q);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QTest, qtest_end)
GPid qtest_pid(QTest *q);
const char *qtest_dir(QTest *q); /* for files of the test; removed at the end if empty */

/* ---- the protocol ---- */
/* One line and the reply to it, without its end; IRQ lines before it are noted. Free with g_free().
 */
char *qtest_ask(QTest *q, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same, where the reply must be "OK" or "OK text"; returns the text. */
char *qtest_ok(QTest *q, const char *format, ...) G_GNUC_PRINTF(2, 3);
#define qtest_assert_reply(q, reply, ...)                                                          \
    do {                                                                                           \
        g_autofree char *got_ = qtest_ask(q, __VA_ARGS__);                                         \
        g_assert_cmpstr(got_, ==, reply);                                                          \
    } while (0)
void qtest_send_raw(QTest *q, const void *bytes, size_t len);
char *qtest_next_line(QTest *q); /* the next reply, for what was sent raw */

/* What a test of devices must know about the machine to find them: the virt machine's places, or
 * the microvm machine's where $HUMPY is the x86 program. */
typedef struct {
    const char *machine;
    uint64_t memory; /* RAM from here on is the test's: 32 MiB at least */
    uint64_t mmio_last;
    uint64_t ecam, pci_memory, pci_ports;
} QTestBoard;
const QTestBoard *qtest_board(void);

/* Where addresses mean ports, in a board's pci_ports and in the next two. */
#define QTEST_PORTS (UINT64_C(1) << 63)
uint64_t qtest_read_value(QTest *q, uint64_t addr, unsigned size); /* size 1, 2, 4 or 8 */
void qtest_write_value(QTest *q, uint64_t addr, unsigned size, uint64_t value);
static inline uint32_t qtest_readl(QTest *q, uint64_t addr)
{
    return qtest_read_value(q, addr, 4);
}
static inline void qtest_writel(QTest *q, uint64_t addr, uint32_t value)
{
    qtest_write_value(q, addr, 4, value);
}
void qtest_read_bytes(QTest *q, uint64_t addr, void *buf, size_t len);
void qtest_write_bytes(QTest *q, uint64_t addr, const void *buf, size_t len);
int64_t qtest_clock_step(QTest *q, int64_t ns);        /* the new time */
void qtest_clear(QTest *q, uint64_t addr, size_t len); /* zeroes */
/* Level of wire n of what is intercepted, as far as it has been heard of. */
bool qtest_irq(QTest *q, unsigned n);

/* ---- QMP; capabilities are negotiated at the start ---- */
/* Sends a command, given as JSON in printf's way; the whole reply ("return" or "error"). */
JsonObject *qtest_qmp(QTest *q, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same, where it must succeed. */
void qtest_qmp_ok(QTest *q, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The class of the error it must give, for g_free(). */
char *qtest_qmp_error(QTest *q, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Waits for an event of that name; those before it are forgotten. Its data, or an empty object. */
JsonObject *qtest_event(QTest *q, const char *name);

/* ---- PCI through ECAM ---- */
uint32_t qpci_config_read(QTest *q, unsigned devfn, unsigned offset, unsigned size);
void qpci_config_write(QTest *q, unsigned devfn, unsigned offset, unsigned size, uint32_t value);
/* Offset of the first capability with that id from start on (0: from the first), or 0. */
unsigned qpci_find_capability(QTest *q, unsigned devfn, uint8_t id, unsigned start);
/* Places BAR n, of memory or ports, and returns where a CPU reaches it. */
uint64_t qpci_map_bar(QTest *q, unsigned devfn, unsigned n);
void qpci_enable(QTest *q, unsigned devfn);
/* Makes what is behind the root port at devfn bus 1, whose device 0 is QPCI_BEHIND from then on. */
enum { QPCI_BEHIND = 1 << 8 };
void qpci_open_port(QTest *q, unsigned devfn);
/* Switches the power of the port's slot, as a driver does when a button was pressed. */
void qpci_slot_power(QTest *q, unsigned devfn, bool on); /* I/O, memory and bus mastering */
