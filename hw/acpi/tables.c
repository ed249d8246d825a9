/* SPDX-License-Identifier: GPL-2.0-or-later
 * ACPI tables of fixed layout and how they hang together: RSDP, XSDT, FADT, FACS, MADT, MCFG.
 * Section numbers are of ACPI 6.4; layouts are written field by field, so that each line can be
 * held against the specification's table. The DSDT's contents are dsdt.c's.
 */
#include "hw/acpi/tables.h"

#include <string.h>

#include "acpi-priv.h"
#include "hw/acpi/pm.h"
#include "util/error.h"

enum {
    RSDP_SIZE = 36,
    RSDP_V1_SIZE = 20,
    RSDP_XSDT = 24,
    HEADER_SIZE = 36,
    HEADER_LENGTH = 4,
    HEADER_CHECKSUM = 9,
    FADT_SIZE = 276,
    FACS_SIZE = 64,
    MAX_TABLES = 4, /* in the XSDT */

    SPACE_PORTS = 1, /* generic address structure, 5.2.3.2 */
    ACCESS_BYTE = 1,
    ACCESS_WORD = 2,
    ACCESS_DWORD = 3,

    /* FADT, 5.2.9 */
    BOOT_LEGACY_DEVICES = 1 << 0,
    BOOT_8042 = 1 << 1,
    BOOT_NO_VGA = 1 << 2,
    BOOT_NO_RTC = 1 << 5,
    FADT_WBINVD = 1 << 0,
    FADT_PROC_C1 = 1 << 2,
    FADT_NO_SLEEP_BUTTON = 1 << 5,
    FADT_NO_FIXED_RTC = 1 << 6,
    FADT_TIMER_32BIT = 1 << 8,
    FADT_RESET_REGISTER = 1 << 10,
    NO_C2 = 101, /* latencies above which there is no such state */
    NO_C3 = 1001,
    RTC_CENTURY = 0x32,

    /* MADT, 5.2.12 */
    MADT_PCAT = 1 << 0,
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_NMI = 4,
    MADT_X2APIC = 9,
    CPU_ENABLED = 1,
    ACTIVE_HIGH = 1,
    EDGE = 1 << 2,
    LEVEL = 3 << 2,
    ALL_CPUS = 0xff,
    LINT_NMI = 1,
};

typedef struct {
    GByteArray *bytes;
    uint32_t addr; /* of the first byte in the guest */
    uint64_t tables[MAX_TABLES];
    unsigned n_tables;
} Tables;

/* ---- bytes ---- */

static void put(Tables *t, uint64_t value, unsigned size)
{
    uint64_t le = GUINT64_TO_LE(value);

    g_byte_array_append(t->bytes, (const uint8_t *)&le, size);
}

static void put_text(Tables *t, const char *text)
{
    g_byte_array_append(t->bytes, (const uint8_t *)text, strlen(text));
}

static void put_zeroes(Tables *t, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put(t, 0, 1);
    }
}

static void align(Tables *t, unsigned to)
{
    while (t->bytes->len % to != 0) {
        put(t, 0, 1);
    }
}

/* Makes the sum of size bytes at start 0 by the one at start + at. */
static void set_checksum(Tables *t, size_t start, size_t size, size_t at)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum += t->bytes->data[start + i];
    }
    t->bytes->data[start + at] -= sum;
}

/* 5.2.6; length and checksum are end_table()'s. */
static size_t begin_table(Tables *t, const char *signature, unsigned revision)
{
    size_t start;

    align(t, 16);
    start = t->bytes->len;
    put_text(t, signature);
    put(t, 0, 4);
    put(t, revision, 1);
    put(t, 0, 1);
    put_text(t, "HUMPY ");
    put_text(t, "HUMPYPC ");
    put(t, 1, 4); /* OEM revision */
    put_text(t, "HMPY");
    put(t, 1, 4); /* creator revision */
    return start;
}

/* Returns its guest address. */
static uint64_t end_table(Tables *t, size_t start)
{
    uint32_t size = GUINT32_TO_LE(t->bytes->len - start);

    memcpy(t->bytes->data + start + HEADER_LENGTH, &size, sizeof(size));
    set_checksum(t, start, t->bytes->len - start, HEADER_CHECKSUM);
    return t->addr + start;
}

static void list(Tables *t, uint64_t table)
{
    g_assert(t->n_tables < MAX_TABLES);
    t->tables[t->n_tables++] = table;
}

/* ---- the tables ---- */

/* 5.2.10; it lies in reserved memory, and nobody here shares its lock. */
static uint64_t add_facs(Tables *t)
{
    uint64_t addr;

    align(t, ACPI_ALIGN);
    addr = t->addr + t->bytes->len;
    put_text(t, "FACS");
    put(t, FACS_SIZE, 4);
    put_zeroes(t, 24);
    put(t, 2, 1); /* version */
    put_zeroes(t, FACS_SIZE - 33);
    return addr;
}

static uint64_t add_dsdt(Tables *t, const AcpiBoard *board, size_t max, GError **error)
{
    g_autoptr(GBytes) aml = acpi_dsdt_build(board, max, error);
    size_t start;

    if (aml == NULL) {
        return 0;
    }
    start = begin_table(t, "DSDT", 2);
    g_byte_array_append(t->bytes, g_bytes_get_data(aml, NULL), g_bytes_get_size(aml));
    return end_table(t, start);
}

/* size 0: a block that there is not */
static void put_ports(Tables *t, uint16_t port, unsigned size, unsigned access)
{
    put(t, size != 0 ? SPACE_PORTS : 0, 1);
    put(t, size * 8, 1);
    put(t, 0, 1);
    put(t, size != 0 ? access : 0, 1);
    put(t, port, 8);
}

static unsigned boot_flags(const AcpiBoard *board)
{
    return BOOT_LEGACY_DEVICES | BOOT_NO_VGA | (board->keyboard ? BOOT_8042 : 0) |
           (board->rtc ? 0 : BOOT_NO_RTC);
}

/* The part that ACPI 1.0 had. */
static void put_fadt_v1(Tables *t, const AcpiBoard *board, uint64_t facs, uint64_t dsdt)
{
    put(t, facs, 4);
    put(t, dsdt, 4);
    put(t, 0, 1);
    put(t, 0, 1); /* profile: not said */
    put(t, board->sci, 2);
    put(t, 0, 4); /* no SMI command port: always in ACPI mode */
    put_zeroes(t, 4);
    put(t, board->pm + ACPI_PM1_EVENT, 4);
    put(t, 0, 4);
    put(t, board->pm + ACPI_PM1_CONTROL, 4);
    put_zeroes(t, 8);
    put(t, board->pm + ACPI_PM_TIMER, 4);
    put_zeroes(t, 8);
    put(t, 4, 1); /* lengths: PM1 event, PM1 control, PM2, timer, GPE0, GPE1 */
    put(t, 2, 1);
    put(t, 0, 1);
    put(t, 4, 1);
    put_zeroes(t, 4);
    put(t, NO_C2, 2);
    put(t, NO_C3, 2);
    put_zeroes(t, 8); /* flushing, duty cycle, alarms */
    put(t, board->rtc ? RTC_CENTURY : 0, 1);
    put(t, boot_flags(board), 2);
    put(t, 0, 1);
    put(t,
        FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_FIXED_RTC | FADT_TIMER_32BIT |
            FADT_RESET_REGISTER,
        4);
}

static uint64_t add_fadt(Tables *t, const AcpiBoard *board, uint64_t facs, uint64_t dsdt)
{
    size_t start = begin_table(t, "FACP", 6);

    put_fadt_v1(t, board, facs, dsdt);
    put_ports(t, board->pm + ACPI_PM_RESET, 1, ACCESS_BYTE);
    put(t, ACPI_PM_RESET_VALUE, 1);
    put(t, 0, 2); /* no Arm boot flags */
    put(t, 4, 1); /* minor revision */
    put(t, 0, 8); /* FACS and DSDT are below 4 GiB and told above */
    put(t, dsdt, 8);
    put_ports(t, board->pm + ACPI_PM1_EVENT, 4, ACCESS_WORD);
    put_ports(t, 0, 0, 0);
    put_ports(t, board->pm + ACPI_PM1_CONTROL, 2, ACCESS_WORD);
    put_ports(t, 0, 0, 0);
    put_ports(t, 0, 0, 0);
    put_ports(t, board->pm + ACPI_PM_TIMER, 4, ACCESS_DWORD);
    for (unsigned i = 0; i < 4; i++) { /* GPE0, GPE1, sleep control and status */
        put_ports(t, 0, 0, 0);
    }
    put(t, 0, 8); /* hypervisor vendor: not said */
    g_assert(t->bytes->len - start == FADT_SIZE);
    return end_table(t, start);
}

/* IDs from 255 on do not fit into the short entry. */
static void put_cpu(Tables *t, unsigned id)
{
    if (id < ALL_CPUS) {
        put(t, MADT_LAPIC, 1);
        put(t, 8, 1);
        put(t, id, 1);
        put(t, id, 1);
        put(t, CPU_ENABLED, 4);
    } else {
        put(t, MADT_X2APIC, 1);
        put(t, 16, 1);
        put(t, 0, 2);
        put(t, id, 4);
        put(t, CPU_ENABLED, 4);
        put(t, id, 4);
    }
}

static void put_override(Tables *t, const AcpiOverride *o)
{
    put(t, MADT_OVERRIDE, 1);
    put(t, 10, 1);
    put(t, 0, 1); /* bus: ISA */
    put(t, o->irq, 1);
    put(t, o->gsi, 4);
    put(t, ACTIVE_HIGH | (o->level ? LEVEL : EDGE), 2);
}

static uint64_t add_madt(Tables *t, const AcpiBoard *board)
{
    size_t start = begin_table(t, "APIC", 5);

    put(t, board->lapic, 4);
    put(t, board->pic ? MADT_PCAT : 0, 4);
    for (unsigned i = 0; i < board->n_cpus; i++) {
        put_cpu(t, i);
    }
    put(t, MADT_IOAPIC, 1);
    put(t, 12, 1);
    put(t, board->ioapic_id, 1);
    put(t, 0, 1);
    put(t, board->ioapic, 4);
    put(t, 0, 4); /* its first GSI */
    for (unsigned i = 0; i < board->n_overrides; i++) {
        put_override(t, &board->overrides[i]);
    }
    put(t, MADT_LAPIC_NMI, 1);
    put(t, 6, 1);
    put(t, ALL_CPUS, 1);
    put(t, ACTIVE_HIGH | EDGE, 2);
    put(t, LINT_NMI, 1);
    return end_table(t, start);
}

/* PCI Firmware 3.2, section 4.1.2 */
static uint64_t add_mcfg(Tables *t, const AcpiPci *pci)
{
    size_t start = begin_table(t, "MCFG", 1);

    put(t, 0, 8);
    put(t, pci->ecam, 8);
    put(t, 0, 2); /* segment */
    put(t, 0, 1); /* first and last bus */
    put(t, pci->ecam_size / (1 << 20) - 1, 1);
    put(t, 0, 4);
    return end_table(t, start);
}

static uint64_t add_xsdt(Tables *t)
{
    size_t start = begin_table(t, "XSDT", 1);

    for (unsigned i = 0; i < t->n_tables; i++) {
        put(t, t->tables[i], 8);
    }
    return end_table(t, start);
}

/* 5.2.5.3. No RSDT: who looks for tables of ACPI 1.0 finds none. */
static void put_rsdp(Tables *t)
{
    put_text(t, "RSD PTR ");
    put(t, 0, 1);
    put_text(t, "HUMPY ");
    put(t, 2, 1);
    put(t, 0, 4);
    put(t, RSDP_SIZE, 4);
    put(t, 0, 8); /* XSDT */
    put(t, 0, 4); /* checksum of all */
}

static void finish_rsdp(Tables *t, uint64_t xsdt)
{
    uint64_t le = GUINT64_TO_LE(xsdt);

    memcpy(t->bytes->data + RSDP_XSDT, &le, sizeof(le));
    set_checksum(t, 0, RSDP_V1_SIZE, 8);
    set_checksum(t, 0, RSDP_SIZE, 32);
}

GBytes *acpi_tables_build(const AcpiBoard *board, uint32_t addr, size_t max, GError **error)
{
    Tables t = { .bytes = g_byte_array_new(), .addr = addr };
    g_autoptr(GBytes) blob = NULL;
    uint64_t facs, dsdt;

    g_assert(addr % ACPI_ALIGN == 0);
    g_assert(board->n_overrides <= ACPI_MAX_OVERRIDES && board->n_virtio <= 256);
    put_rsdp(&t);
    facs = add_facs(&t);
    dsdt = add_dsdt(&t, board, max, error);
    if (dsdt == 0) {
        g_byte_array_unref(t.bytes);
        return NULL;
    }
    list(&t, add_fadt(&t, board, facs, dsdt));
    list(&t, add_madt(&t, board));
    if (board->pci != NULL) {
        list(&t, add_mcfg(&t, board->pci));
    }
    finish_rsdp(&t, add_xsdt(&t));
    blob = g_byte_array_free_to_bytes(t.bytes);
    if (g_bytes_get_size(blob) > max) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "ACPI tables take %zu bytes, and there is room for %zu", g_bytes_get_size(blob),
                    max);
        return NULL;
    }
    return g_steal_pointer(&blob);
}
