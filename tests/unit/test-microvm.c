/* SPDX-License-Identifier: GPL-2.0-or-later
 * The microvm machine and its accelerator: interrupt lines and who shares them, messages, PCI
 * configuration that a hypervisor decodes itself, what is handed over at start and again at a
 * reset, what is refused. Addresses are those of docs/machine-microvm.md.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "hw/core/bus.h"
#include "hw/core/device-add.h"
#include "hw/i386/gsi.h"
#include "hw/i386/microvm.h"
#include "hw/pci/pci.h"
#include "test-accel-double.h"
#include "util/error.h"
#include "util/target.h"

enum { MIB = 1 << 20, KERNEL_LEN = 5 * 512 + 4096, EDU_SLOT = 4, BAR = 0xc0000000 };

typedef struct {
    Machine *m;
    MachineConfig config;
    char *dir, *kernel;
} Bench;

static void put(uint8_t *p, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        p[i] = value >> 8 * i;
    }
}

static void set_up(Bench *b, gconstpointer data)
{
    uint8_t image[KERNEL_LEN] = {};

    image[0x1f1] = 4;
    put(image + 0x1f4, 256, 4);
    put(image + 0x1fe, 0xaa55, 2);
    put(image + 0x200, 0x66eb, 2);
    memcpy(image + 0x202, "HdrS", 4);
    put(image + 0x206, 0x020f, 2);
    image[0x211] = 1;
    put(image + 0x22c, 0x7fffffff, 4);
    image[0x234] = 1;
    put(image + 0x238, 2047, 4);
    put(image + 0x258, 16 * MIB, 8);
    memset(image + 5 * 512, 0x5a, 4096);
    b->dir = g_dir_make_tmp("microvm-XXXXXX", NULL);
    b->kernel = g_build_filename(b->dir, "kernel", NULL);
    g_assert_true(g_file_set_contents(b->kernel, (char *)image, sizeof(image), NULL));
    b->m = machine_new("microvm", NULL);
    g_assert_nonnull(b->m);
    b->config = (MachineConfig){ .kernel = b->kernel, .smp = 2, .name = "test" };
}

static void tear_down(Bench *b, gconstpointer data)
{
    machine_finish(b->m);
    g_object_unref(b->m);
    g_unlink(b->kernel);
    g_rmdir(b->dir);
    g_free(b->kernel);
    g_free(b->dir);
}

static bool init(Bench *b, const char *accel, GError **error)
{
    g_autoptr(Accel) a = accel_double_new(accel);

    machine_set_accel(b->m, a);
    machine_set_config(b->m, &b->config);
    return machine_init(b->m, error);
}

static void starts(Bench *b, const char *accel)
{
    g_autoptr(GError) error = NULL;

    init(b, accel, &error);
    g_assert_no_error(error);
}

static void boots(Bench *b)
{
    g_autoptr(GError) error = NULL;

    machine_boot(b->m, &error);
    g_assert_no_error(error);
}

static void out(Bench *b, unsigned port, unsigned size, uint64_t value)
{
    g_assert_cmpuint(address_space_st(machine_io(b->m), port, size, value), ==, MEMTX_OK);
}

static void st(Bench *b, uint64_t addr, unsigned size, uint64_t value)
{
    g_assert_cmpuint(address_space_st(machine_memory(b->m), addr, size, value), ==, MEMTX_OK);
}

static uint64_t ld(Bench *b, uint64_t addr, unsigned size)
{
    uint64_t value = 0;

    g_assert_cmpuint(address_space_ld(machine_memory(b->m), addr, size, &value), ==, MEMTX_OK);
    return value;
}

static bool level(unsigned gsi)
{
    return accel_double.levels >> gsi & 1;
}

/* ---- lines ---- */

static void lines_are_connected(Bench *b, gconstpointer data)
{
    starts(b, "double");
    g_assert_cmpuint(accel_double.lines->len, ==, 24);
    for (int gsi = 0; gsi < 24; gsi++) {
        g_assert_cmpint(g_array_index(accel_double.lines, int, gsi), ==, gsi); /* LEVEL */
    }
}

/* The interrupt for an empty transmitter. */
static void uart_line(Bench *b, gconstpointer data)
{
    starts(b, "double");
    out(b, 0x3f8 + 4, 1, 8); /* OUT2 lets the interrupt out */
    out(b, 0x3f8 + 1, 1, 2);
    g_assert_true(level(4));
    out(b, 0x3f8 + 1, 1, 0);
    g_assert_false(level(4));
}

typedef struct {
    unsigned changes;
    int level;
} Heard;

static void hear(void *opaque, int n, int to)
{
    Heard *heard = opaque;

    heard->changes++;
    heard->level = to;
}

static void line_is_up_while_one_holds_it(void)
{
    X86Gsis *gsis = x86_gsis_new();
    Heard first = {}, second = {};
    IrqLine *one = x86_gsi_line(gsis, 4), *two = x86_gsi_line(gsis, 4);

    x86_gsi_add_output(gsis, 4, irq_new(hear, &first, 0));
    x86_gsi_add_output(gsis, 4, irq_new(hear, &second, 0));
    irq_set(one, 1);
    irq_set(two, 1);
    irq_set(one, 1); /* says nothing new */
    irq_set(one, 0);
    g_assert_cmpuint(first.changes, ==, 1);
    g_assert_cmpint(first.level, ==, 1);
    irq_set(two, 0);
    irq_set(two, 0);
    g_assert_cmpuint(first.changes, ==, 2);
    g_assert_cmpint(first.level, ==, 0);
    g_assert_cmpuint(second.changes, ==, 2);
    irq_free(one);
    irq_free(two);
    x86_gsis_free(gsis);
}

/* ---- PCI ---- */

static uint64_t cfg(unsigned slot, unsigned reg)
{
    return 0xe0000000 + (slot << 15) + reg;
}

static void plug_edu(Bench *b)
{
    g_autoptr(KeyVal) kv = keyval_parse("edu,addr=4", "driver", NULL);
    g_autoptr(GError) error = NULL;

    device_add(kv, &error);
    g_assert_no_error(error);
    st(b, cfg(EDU_SLOT, 0x10), 4, BAR);
    st(b, cfg(EDU_SLOT, 4), 2, 6);
}

/* INTA of slot 4 is line 0, GSI 12. */
static void pci_line(Bench *b, gconstpointer data)
{
    starts(b, "pc");
    plug_edu(b);
    st(b, BAR + 0x60, 4, 1);
    g_assert_true(level(12));
    st(b, BAR + 0x64, 4, 1);
    g_assert_false(level(12));
}

static void enable_msi(Bench *b, uint64_t addr, uint16_t msi_data)
{
    unsigned cap = ld(b, cfg(EDU_SLOT, 0x34), 1);

    g_assert_cmphex(ld(b, cfg(EDU_SLOT, cap), 1), ==, 5);
    st(b, cfg(EDU_SLOT, cap + 4), 4, (uint32_t)addr);
    st(b, cfg(EDU_SLOT, cap + 8), 4, addr >> 32);
    st(b, cfg(EDU_SLOT, cap + 12), 2, msi_data);
    st(b, cfg(EDU_SLOT, cap + 2), 2, 1);
}

static void message(Bench *b, gconstpointer data)
{
    starts(b, "pc");
    plug_edu(b);
    enable_msi(b, 0xfee01000, 0x4051);
    st(b, BAR + 0x60, 4, 1);
    g_assert_cmpuint(accel_double.msis, ==, 1);
    g_assert_cmphex(accel_double.msi_addr, ==, 0xfee01000);
    g_assert_cmphex(accel_double.msi_data, ==, 0x4051);
    g_assert_false(level(12)); /* instead of the line */
}

static void message_to_nowhere(Bench *b, gconstpointer data)
{
    starts(b, "pc");
    plug_edu(b);
    enable_msi(b, 0xfef00000, 1);
    st(b, BAR + 0x60, 4, 1);
    enable_msi(b, UINT64_C(0x1fee00000000), 1);
    st(b, BAR + 0x60, 4, 1);
    g_assert_cmpuint(accel_double.msis, ==, 0);
}

static void no_messages_without_master(Bench *b, gconstpointer data)
{
    starts(b, "pc");
    plug_edu(b);
    enable_msi(b, 0xfee01000, 1);
    st(b, cfg(EDU_SLOT, 4), 2, 2);
    st(b, BAR + 0x60, 4, 1);
    g_assert_cmpuint(accel_double.msis, ==, 0);
}

/* An accelerator without messages: functions have no such capability. */
static void no_msi(Bench *b, gconstpointer data)
{
    starts(b, "double");
    plug_edu(b);
    g_assert_cmphex(ld(b, cfg(EDU_SLOT, 0x34), 1), ==, 0);
}

static IoReqResult config_request(IoRequest *req)
{
    req->space = IOREQ_PCI_CONFIG;
    return accel_double.info.pci_config(accel_double.info.pci_opaque, req);
}

static void config_by_hypervisor(Bench *b, gconstpointer data)
{
    IoRequest req = { .size = 4, .pci = { .dev = EDU_SLOT } };
    IoRequest write = {
        .size = 2, .is_write = true, .data = 0x3c, .pci = { .dev = EDU_SLOT, .reg = 0x3c }
    };

    starts(b, "pc");
    plug_edu(b);
    g_assert_cmpint(config_request(&req), ==, IOREQ_HANDLED);
    g_assert_cmphex(req.data, ==, 0x11e81234);
    g_assert_cmpint(config_request(&write), ==, IOREQ_HANDLED);
    g_assert_cmphex(ld(b, cfg(EDU_SLOT, 0x3c), 1), ==, 0x3c);
    req.pci.dev = 5;
    g_assert_cmpint(config_request(&req), ==, IOREQ_HANDLED);
    g_assert_cmphex((uint32_t)req.data, ==, UINT32_MAX);
}

static void bad_config_requests(Bench *b, gconstpointer data)
{
    static const IoRequest bad[] = {
        { .size = 4, .pci = { .segment = 1 } }, { .size = 4, .pci = { .dev = 32 } },
        { .size = 4, .pci = { .fn = 8 } },      { .size = 4, .pci = { .reg = 4096 } },
        { .size = 4, .pci = { .reg = 2 } },     { .size = 2, .pci = { .reg = 0xfff } },
    };

    starts(b, "pc");
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        IoRequest req = bad[i];

        g_assert_cmpint(config_request(&req), ==, IOREQ_FAULT);
    }
}

/* ---- start ---- */

static void hand_over(Bench *b, gconstpointer data)
{
    starts(b, "pc");
    g_assert_true(accel_double.info.memory == machine_memory(b->m));
    g_assert_true(accel_double.info.io == machine_io(b->m));
    g_assert_cmpuint(accel_double.info.n_vcpus, ==, 2);
    boots(b);
    g_assert_cmpuint(accel_double.starts, ==, 1);
    g_assert_cmphex(accel_double.x86.rip, ==, 16 * MIB);
    g_assert_cmphex(ld(b, 16 * MIB, 4), ==, 0x5a5a5a5a);
}

/* The guest has written over its kernel. */
static void reset_loads_again(Bench *b, gconstpointer data)
{
    starts(b, "pc");
    boots(b);
    st(b, 16 * MIB, 4, 0);
    accel_pause(machine_accel(b->m));
    machine_reset(b->m);
    boots(b);
    accel_resume(machine_accel(b->m));
    g_assert_cmpuint(accel_double.starts, ==, 2);
    g_assert_cmphex(ld(b, 16 * MIB, 4), ==, 0x5a5a5a5a);
}

/* The map of the zero page: low memory, the BIOS's places, the rest; ECAM; what is above 4 GiB. */
static void memory_map(Bench *b, gconstpointer data)
{
    static const uint64_t expected[][3] = {
        { 0, 0x9fc00, 1 },           { 0x9fc00, 0x400, 2 },         { 0xe0000, 0x20000, 2 },
        { 0x100000, 0xbff00000, 1 }, { 0xe0000000, 0x10000000, 2 }, { 0x100000000, 0x40000000, 1 },
    };
    uint64_t zero_page;

    b->config.ram_size = 4 * MICROVM_GIB;
    starts(b, "pc");
    boots(b);
    zero_page = accel_double.x86.rsi;
    g_assert_cmpuint(ld(b, zero_page + 0x1e8, 1), ==, G_N_ELEMENTS(expected));
    for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++) {
        uint64_t entry = zero_page + 0x2d0 + 20 * i;

        g_assert_cmphex(ld(b, entry, 8), ==, expected[i][0]);
        g_assert_cmphex(ld(b, entry + 8, 8), ==, expected[i][1]);
        g_assert_cmphex(ld(b, entry + 16, 4), ==, expected[i][2]);
    }
}

static void acpi_tables(Bench *b, gconstpointer data)
{
    starts(b, "pc");
    boots(b);
    g_assert_cmphex(ld(b, accel_double.x86.rsi + 0x70, 8), ==, 0xe0000);
    g_assert_cmphex(ld(b, 0xe0000, 8), ==, UINT64_C(0x2052545020445352)); /* "RSD PTR " */
}

/* Without tables the command line names what carries a device. */
static void without_acpi(Bench *b, gconstpointer data)
{
    g_autoptr(KeyVal) kv = keyval_parse("virtio-rng-device", "driver", NULL);
    char text[64] = {};

    g_assert_true(props_set_str(G_OBJECT(b->m), "acpi", "off", NULL));
    b->config.append = "quiet";
    starts(b, "pc");
    g_assert_nonnull(device_add(kv, NULL));
    boots(b);
    g_assert_cmphex(ld(b, accel_double.x86.rsi + 0x70, 8), ==, 0);
    g_assert_cmphex(ld(b, 0xe0000, 8), ==, 0);
    address_space_read(machine_memory(b->m), ld(b, accel_double.x86.rsi + 0x228, 4), text,
                       sizeof(text) - 1);
    g_assert_cmpstr(text, ==, "quiet virtio_mmio.device=512@0xfeb00e00:23");
}

/* ---- refusals ---- */

static void refuses(Bench *b, const char *accel, int code, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(init(b, accel, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, text));
}

static void needs_interrupt_controllers(Bench *b, gconstpointer data)
{
    refuses(b, "bare", HUMPY_ERROR_UNSUPPORTED, "brings no local APICs");
}

static void cannot_leave_out_the_accelerators(Bench *b, gconstpointer data)
{
    g_assert_true(props_set_str(G_OBJECT(b->m), "pic", "off", NULL));
    refuses(b, "double", HUMPY_ERROR_UNSUPPORTED, "-machine microvm,pic=off");
}

static void too_many_cpus(Bench *b, gconstpointer data)
{
    b->config.smp = 33;
    refuses(b, "double", HUMPY_ERROR_RANGE, "-smp 33");
}

static void bad_kernel_starts_nothing(Bench *b, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(b->kernel, "x", 1, NULL));
    starts(b, "pc");
    g_assert_false(machine_boot(b->m, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX);
    g_assert_cmpuint(accel_double.starts, ==, 0);
}

static void add(const char *name, void (*fn)(Bench *, gconstpointer))
{
    g_autofree char *path = g_strconcat("/microvm/", name, NULL);

    g_test_add(path, Bench, NULL, set_up, fn, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    target_set(TARGET_X86_64);
    hw_register_types();
    add("lines/all-connected", lines_are_connected);
    add("lines/uart", uart_line);
    g_test_add_func("/microvm/lines/up-while-one-holds-it", line_is_up_while_one_holds_it);
    add("pci/line", pci_line);
    add("pci/message", message);
    add("pci/message-to-nowhere", message_to_nowhere);
    add("pci/no-message-without-bus-master", no_messages_without_master);
    add("pci/no-messages-without-receiver", no_msi);
    add("pci/config-by-hypervisor", config_by_hypervisor);
    add("pci/bad-config-by-hypervisor", bad_config_requests);
    add("start/hand-over", hand_over);
    add("start/reset-loads-again", reset_loads_again);
    add("start/memory-map", memory_map);
    add("start/acpi", acpi_tables);
    add("start/without-acpi", without_acpi);
    add("refuses/no-interrupt-controllers", needs_interrupt_controllers);
    add("refuses/accelerators-own-left-out", cannot_leave_out_the_accelerators);
    add("refuses/too-many-cpus", too_many_cpus);
    add("refuses/bad-kernel", bad_kernel_starts_nothing);
    return g_test_run();
}
