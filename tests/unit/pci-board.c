/* SPDX-License-Identifier: GPL-2.0-or-later
 * The PCI tests' board, see pci-board.h.
 */
#include "pci-board.h"

#include <linux/pci_regs.h>
#include <string.h>

/* ---- the test function ---- */

typedef struct {
    PciDeviceClass parent_class;
} TestFnClass;

DEVICE_DEFINE_TYPE(TestFn, test_fn, "pci-test-function", TYPE_PCI_DEVICE)

static uint64_t reg_read(void *opaque, hwaddr offset, unsigned size)
{
    ((TestFn *)opaque)->reads++;
    return 0x11223344 + offset;
}

static void reg_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    ((TestFn *)opaque)->writes++;
}

static const MemoryRegionOps reg_ops = {
    .read = reg_read,
    .write = reg_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
};

static bool fn_realize(PciDevice *dev, GError **error)
{
    TestFn *s = (TestFn *)dev;

    memory_region_init_io(&s->io, G_OBJECT(dev), &reg_ops, s, "t-io", T_IO_SIZE);
    memory_region_init_io(&s->mem, G_OBJECT(dev), &reg_ops, s, "t-mem", T_MEM_SIZE);
    memory_region_init_io(&s->mem64, G_OBJECT(dev), &reg_ops, s, "t-mem64", T_MEM64_SIZE);
    pci_add_bar(dev, T_BAR_IO, PCI_BAR_IO, &s->io);
    pci_add_bar(dev, T_BAR_MEM, 0, &s->mem);
    pci_add_bar(dev, T_BAR_MEM64, PCI_BAR_64 | PCI_BAR_PREFETCH, &s->mem64);
    pci_msix_init(dev, T_VECTORS, T_BAR_MSIX);
    pci_use_pin(dev, 1);
    return true;
}

static void fn_unrealize(PciDevice *dev)
{
    TestFn *s = (TestFn *)dev;

    memory_region_destroy(&s->io);
    memory_region_destroy(&s->mem);
    memory_region_destroy(&s->mem64);
}

static void test_fn_init(TestFn *s)
{
}

static void test_fn_class_init(TestFnClass *klass)
{
    PciDeviceClass *pc = HUMPY_PCI_DEVICE_CLASS(klass);

    HUMPY_DEVICE_CLASS(klass)->user_creatable = true;
    pc->vendor_id = 0x1234;
    pc->device_id = 0x5678;
    pc->class_id = 0x00ff;
    pc->subsystem_vendor_id = 0xabcd;
    pc->subsystem_id = 0xef01;
    pc->revision = 7;
    pc->realize = fn_realize;
    pc->unrealize = fn_unrealize;
}

/* ---- the board ---- */

static void line_changed(void *opaque, int n, int level)
{
    g_atomic_int_set(&((Board *)opaque)->levels[n], level);
}

Board *board_new(bool msi)
{
    const GpexLayout layout = {
        .ecam = BOARD_ECAM,
        .ecam_size = 0x10000000,
        .io = BOARD_IO,
        .mem = BOARD_MEM,
        .mem_size = BOARD_MEM_SIZE,
        .mem64 = BOARD_MEM64,
        .mem64_size = 0x8000000000,
    };
    Board *b = g_new0(Board, 1);
    g_autoptr(GError) error = NULL;

    hw_register_types();
    g_type_ensure(test_fn_get_type());
    memory_region_init(&b->root, NULL, "system", UINT64_MAX);
    memory_region_init_ram(&b->ram, NULL, "ram", BOARD_RAM_SIZE, &error);
    g_assert_no_error(error);
    memory_region_add_subregion(&b->root, BOARD_RAM, &b->ram);
    b->as = address_space_new(&b->root, "memory");
    b->host = g_object_new(TYPE_GPEX, NULL);
    gpex_set_up(HUMPY_GPEX(b->host), &layout, &b->root, b->as, msi);
    for (unsigned i = 0; i < PCI_N_LINES; i++) {
        device_connect_irq(b->host, i, irq_new(line_changed, b, i));
    }
    device_realize(b->host, &error);
    g_assert_no_error(error);
    b->bus = gpex_bus(HUMPY_GPEX(b->host));
    return b;
}

void board_free(Board *b)
{
    device_unrealize(b->host);
    g_object_unref(b->host);
    memory_region_del_subregion(&b->root, &b->ram);
    address_space_free(b->as);
    memory_region_destroy(&b->ram);
    memory_region_destroy(&b->root);
    g_free(b);
}

Device *board_plug(Board *b, PciBus *bus, const char *type, const char *const *props,
                   GError **error)
{
    g_autoptr(Device) dev = device_new(type, error);

    if (dev == NULL) {
        return NULL;
    }
    for (; props != NULL && *props != NULL; props++) {
        g_auto(GStrv) parts = g_strsplit(*props, "=", 2);

        if (!device_set_property(dev, parts[0], parts[1], error)) {
            return NULL;
        }
    }
    return bus_add_device(HUMPY_BUS(bus), dev, error) ? dev : NULL; /* the bus has a reference */
}

Device *board_plug_ok(Board *b, const char *type, const char *addr)
{
    g_autofree char *prop = g_strdup_printf("addr=%s", addr);
    g_autoptr(GError) error = NULL;
    Device *dev = board_plug(b, b->bus, type, (const char *[]){ prop, NULL }, &error);

    g_assert_no_error(error);
    return dev;
}

/* ---- accesses ---- */

uint64_t mem_rd(Board *b, uint64_t addr, unsigned size)
{
    uint64_t value;

    address_space_ld(b->as, addr, size, &value);
    return value;
}

void mem_wr(Board *b, uint64_t addr, unsigned size, uint64_t value)
{
    address_space_st(b->as, addr, size, value);
}

static uint64_t ecam(unsigned bus, unsigned devfn, unsigned reg)
{
    return BOARD_ECAM + (bus << 20 | devfn << 12 | reg);
}

uint32_t cfg_rd(Board *b, unsigned bus, unsigned devfn, unsigned reg, unsigned size)
{
    return mem_rd(b, ecam(bus, devfn, reg), size);
}

void cfg_wr(Board *b, unsigned bus, unsigned devfn, unsigned reg, unsigned size, uint32_t value)
{
    mem_wr(b, ecam(bus, devfn, reg), size, value);
}

unsigned cfg_cap(Board *b, unsigned devfn, unsigned id, unsigned n)
{
    unsigned at = cfg_rd(b, 0, devfn, PCI_CAPABILITY_LIST, 1);

    for (unsigned steps = 0; at != 0 && steps < 64; steps++) {
        if (cfg_rd(b, 0, devfn, at, 1) == id && n-- == 0) {
            return at;
        }
        at = cfg_rd(b, 0, devfn, at + 1, 1);
    }
    return 0;
}
