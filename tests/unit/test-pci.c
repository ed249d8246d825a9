/* SPDX-License-Identifier: GPL-2.0-or-later
 * Configuration space, base addresses, MSI-X, INTx and bus mastering of a PCI function (PCI 3.0,
 * chapter 6), seen through the PCI Express host's windows.
 */
#include <linux/pci_regs.h>

#include "hw/pci/pci-ids.h"
#include "pci-board.h"
#include "util/error.h"

enum { FN = PCI_MAKE_DEVFN(4, 0), ON = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER };

static TestFn *plug(Board *b)
{
    return (TestFn *)board_plug_ok(b, "pci-test-function", "4");
}

static unsigned bar(unsigned n)
{
    return PCI_BASE_ADDRESS_0 + 4 * n;
}

/* ---- configuration space ---- */

static void test_host_bridge(void)
{
    Board *b = board_new(true);

    g_assert_cmphex(cfg_rd(b, 0, 0, PCI_VENDOR_ID, 4), ==, 0x00081b36);
    g_assert_cmphex(cfg_rd(b, 0, 0, PCI_CLASS_DEVICE, 2), ==, PCI_CLASS_HOST_BRIDGE);
    board_free(b);
}

static void test_absent(void)
{
    Board *b = board_new(true);

    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_VENDOR_ID, 1), ==, 0xff);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_VENDOR_ID, 2), ==, 0xffff);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_VENDOR_ID, 4), ==, 0xffffffff);
    g_assert_cmphex(cfg_rd(b, 255, 255, 0xffc, 4), ==, 0xffffffff);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, ON);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_COMMAND, 2), ==, 0xffff);
    plug(b);
    g_assert_cmphex(cfg_rd(b, 0, FN + 1, 0, 4), ==, 0xffffffff); /* other functions of the slot */
    g_assert_cmphex(cfg_rd(b, 1, FN, 0, 4), ==, 0xffffffff);     /* other buses */
    g_assert_cmphex(cfg_rd(b, 0, FN, 0x100, 4), ==, 0xffffffff); /* no extended space */
    board_free(b);
}

static void test_identity(void)
{
    Board *b = board_new(true);

    plug(b);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_VENDOR_ID, 4), ==, 0x56781234);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_CLASS_REVISION, 4), ==, 0x00ff0007);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_SUBSYSTEM_VENDOR_ID, 4), ==, 0xef01abcd);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_INTERRUPT_PIN, 1), ==, 1);
    for (unsigned reg = 0; reg < PCI_CONFIG_SIZE; reg += 4) {
        cfg_wr(b, 0, FN, reg, 4, 0xffffffff);
        cfg_wr(b, 0, FN, reg, 4, 0);
    }
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_VENDOR_ID, 4), ==, 0x56781234);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_SUBSYSTEM_VENDOR_ID, 4), ==, 0xef01abcd);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_HEADER_TYPE, 1), ==, 0);
    board_free(b);
}

static void test_widths(void)
{
    Board *b = board_new(true);
    uint64_t value;

    plug(b);
    g_assert_cmphex(cfg_rd(b, 0, FN, 1, 1), ==, 0x12);
    g_assert_cmphex(cfg_rd(b, 0, FN, 2, 2), ==, 0x5678);
    cfg_wr(b, 0, FN, PCI_INTERRUPT_LINE, 1, 0x5a);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_INTERRUPT_LINE, 4), ==, 0x0000015a);
    cfg_wr(b, 0, FN, bar(T_BAR_MEM) + 2, 2, 0x1234);
    g_assert_cmphex(cfg_rd(b, 0, FN, bar(T_BAR_MEM), 4), ==, 0x12340000);
    g_assert_cmpuint(address_space_ld(b->as, BOARD_ECAM, 8, &value), !=, MEMTX_OK);
    g_assert_cmpuint(address_space_ld(b->as, BOARD_ECAM + 1, 2, &value), !=, MEMTX_OK);
    board_free(b);
}

static void test_capabilities(void)
{
    Board *b = board_new(true);
    unsigned at;

    plug(b);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, !=, 0);
    at = cfg_cap(b, FN, PCI_CAP_ID_MSIX, 0);
    g_assert_cmphex(at, >=, 0x40);
    g_assert_cmphex(cfg_rd(b, 0, FN, at + PCI_MSIX_FLAGS, 2), ==, T_VECTORS - 1);
    g_assert_cmphex(cfg_rd(b, 0, FN, at + PCI_MSIX_TABLE, 4), ==, T_BAR_MSIX);
    g_assert_cmphex(cfg_rd(b, 0, FN, at + PCI_MSIX_PBA, 4), ==, 0x800 | T_BAR_MSIX);
    board_free(b);
}

/* ---- base addresses ---- */

static void test_sizing(void)
{
    Board *b = board_new(true);

    plug(b);
    for (unsigned i = 0; i < PCI_N_BARS; i++) {
        cfg_wr(b, 0, FN, bar(i), 4, 0xffffffff);
    }
    g_assert_cmphex(cfg_rd(b, 0, FN, bar(T_BAR_IO), 4), ==, (~(T_IO_SIZE - 1u)) | 1);
    g_assert_cmphex(cfg_rd(b, 0, FN, bar(T_BAR_MEM), 4), ==, ~(T_MEM_SIZE - 1u));
    g_assert_cmphex(cfg_rd(b, 0, FN, bar(T_BAR_MEM64), 4), ==, (~(T_MEM64_SIZE - 1u)) | 0xc);
    g_assert_cmphex(cfg_rd(b, 0, FN, bar(T_BAR_MEM64 + 1), 4), ==, 0xffffffff);
    g_assert_cmphex(cfg_rd(b, 0, FN, bar(5), 4), ==, 0); /* there is none */
    board_free(b);
}

static void test_decode(void)
{
    Board *b = board_new(true);
    TestFn *s = plug(b);

    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, BOARD_MEM);
    cfg_wr(b, 0, FN, bar(T_BAR_IO), 4, 0x40);
    cfg_wr(b, 0, FN, bar(T_BAR_MEM64), 4, 0);
    cfg_wr(b, 0, FN, bar(T_BAR_MEM64 + 1), 4, BOARD_MEM64 >> 32);
    mem_rd(b, BOARD_MEM, 4);
    g_assert_cmpuint(s->reads, ==, 0); /* not before the command register says so */
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmphex(mem_rd(b, BOARD_MEM + 4, 4), ==, 0x11223348);
    g_assert_cmphex(mem_rd(b, BOARD_MEM64 + 8, 4), ==, 0x1122334c);
    g_assert_cmphex(mem_rd(b, BOARD_IO + 0x40, 4), ==, 0xffffffff);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, PCI_COMMAND_IO);
    g_assert_cmphex(mem_rd(b, BOARD_IO + 0x44, 4), ==, 0x11223348);
    g_assert_cmphex(mem_rd(b, BOARD_MEM + 4, 4), ==, 0xffffffff);
    g_assert_cmpuint(s->reads, ==, 3);
    board_free(b);
}

static void test_move(void)
{
    Board *b = board_new(true);

    plug(b);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, BOARD_MEM);
    g_assert_cmphex(mem_rd(b, BOARD_MEM, 4), ==, 0x11223344);
    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, 0xffffffff); /* sizing does not map it at the top */
    g_assert_cmphex(mem_rd(b, BOARD_MEM, 4), ==, 0xffffffff);
    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, BOARD_MEM + 0x5000);
    g_assert_cmphex(mem_rd(b, BOARD_MEM + 0x5000, 4), ==, 0x11223344);
    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, BOARD_RAM); /* outside the window: RAM stays RAM */
    mem_wr(b, BOARD_RAM, 4, 1);
    g_assert_cmphex(mem_rd(b, BOARD_RAM, 4), ==, 1);
    board_free(b);
}

static void test_reset(void)
{
    Board *b = board_new(true);
    Device *dev = HUMPY_DEVICE(plug(b));

    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, BOARD_MEM);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, ON);
    pci_set_irq(HUMPY_PCI_DEVICE(dev), 1);
    g_assert_cmpint(b->levels[0], ==, 1);
    device_reset(dev);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_COMMAND, 2), ==, 0);
    g_assert_cmphex(cfg_rd(b, 0, FN, bar(T_BAR_MEM), 4), ==, 0);
    g_assert_cmphex(mem_rd(b, BOARD_MEM, 4), ==, 0xffffffff);
    g_assert_cmpint(b->levels[0], ==, 0);
    g_assert_false(pci_is_bus_master(HUMPY_PCI_DEVICE(dev)));
    board_free(b);
}

/* ---- INTx ---- */

static void test_swizzle(void)
{
    Board *b = board_new(true);

    for (unsigned slot = 1; slot < 32; slot++) {
        g_autofree char *addr = g_strdup_printf("%x", slot);
        PciDevice *dev = HUMPY_PCI_DEVICE(board_plug_ok(b, "pci-test-function", addr));

        pci_set_irq(dev, 1);
        for (unsigned line = 0; line < PCI_N_LINES; line++) {
            g_assert_cmpint(b->levels[line], ==, line == slot % PCI_N_LINES);
        }
        pci_set_irq(dev, 0);
        g_assert_cmpint(b->levels[slot % PCI_N_LINES], ==, 0);
    }
    board_free(b);
}

static void test_shared_line(void)
{
    Board *b = board_new(true);
    PciDevice *one = HUMPY_PCI_DEVICE(board_plug_ok(b, "pci-test-function", "1"));
    PciDevice *five = HUMPY_PCI_DEVICE(board_plug_ok(b, "pci-test-function", "5"));

    pci_set_irq(one, 1);
    pci_set_irq(one, 1);
    pci_set_irq(five, 1);
    pci_set_irq(one, 0);
    g_assert_cmpint(b->levels[1], ==, 1);
    bus_remove_device(HUMPY_BUS(b->bus), HUMPY_DEVICE(five)); /* takes its level along */
    g_assert_cmpint(b->levels[1], ==, 0);
    board_free(b);
}

static void test_intx_disable(void)
{
    Board *b = board_new(true);
    PciDevice *dev = HUMPY_PCI_DEVICE(plug(b));

    pci_set_irq(dev, 1);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    g_assert_cmpint(b->levels[0], ==, 0);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, 0);
    g_assert_cmpint(b->levels[0], ==, 1);
    pci_set_irq(dev, 0);
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, ==, 0);
    board_free(b);
}

/* ---- MSI-X ---- */

enum { TABLE = BOARD_MEM + 0x8000, PBA = TABLE + 0x800, MSG = BOARD_RAM + 0x100 };

static PciDevice *plug_msix(Board *b)
{
    PciDevice *dev = HUMPY_PCI_DEVICE(plug(b));

    cfg_wr(b, 0, FN, bar(T_BAR_MSIX), 4, TABLE);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, ON);
    for (unsigned i = 0; i < T_VECTORS; i++) {
        g_assert_cmphex(mem_rd(b, TABLE + 16 * i + 12, 4), ==, 1); /* masked at power-on */
        mem_wr(b, TABLE + 16 * i, 8, MSG + 4 * i);
        mem_wr(b, TABLE + 16 * i + 8, 4, 0x1000 + i);
    }
    return dev;
}

static void set_msix(Board *b, unsigned control)
{
    cfg_wr(b, 0, FN, cfg_cap(b, FN, PCI_CAP_ID_MSIX, 0) + PCI_MSIX_FLAGS, 2, control);
}

static uint32_t take_message(Board *b, unsigned vector)
{
    uint32_t data = mem_rd(b, MSG + 4 * vector, 4);

    mem_wr(b, MSG + 4 * vector, 4, 0);
    return data;
}

static void test_msix_message(void)
{
    Board *b = board_new(true);
    PciDevice *dev = plug_msix(b);

    mem_wr(b, TABLE + 16 * 69 + 12, 4, 0);
    pci_msix_notify(dev, 69);
    g_assert_cmphex(take_message(b, 69), ==, 0); /* not enabled: not even pending */
    set_msix(b, PCI_MSIX_FLAGS_ENABLE);
    g_assert_cmphex(take_message(b, 69), ==, 0);
    pci_msix_notify(dev, 69);
    g_assert_cmphex(take_message(b, 69), ==, 0x1045);
    pci_msix_notify(dev, T_VECTORS); /* out of range: nothing */
    pci_msix_notify(dev, 0xffff);
    board_free(b);
}

static void test_msix_vector_mask(void)
{
    Board *b = board_new(true);
    PciDevice *dev = plug_msix(b);

    set_msix(b, PCI_MSIX_FLAGS_ENABLE);
    pci_msix_notify(dev, 65);
    g_assert_cmphex(take_message(b, 65), ==, 0);
    g_assert_cmphex(mem_rd(b, PBA, 8), ==, 0);
    g_assert_cmphex(mem_rd(b, PBA + 8, 4), ==, 2);
    mem_wr(b, PBA + 8, 4, 0); /* read-only */
    g_assert_cmphex(mem_rd(b, PBA + 8, 8), ==, 2);
    mem_wr(b, TABLE + 16 * 65 + 12, 4, 0);
    g_assert_cmphex(take_message(b, 65), ==, 0x1041);
    g_assert_cmphex(mem_rd(b, PBA + 8, 8), ==, 0);
    board_free(b);
}

static void test_msix_function_mask(void)
{
    Board *b = board_new(true);
    PciDevice *dev = plug_msix(b);

    mem_wr(b, TABLE + 12, 4, 0);
    set_msix(b, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    pci_msix_notify(dev, 0);
    pci_msix_notify(dev, 1);
    g_assert_cmphex(mem_rd(b, PBA, 4), ==, 3);
    g_assert_cmphex(take_message(b, 0), ==, 0);
    set_msix(b, PCI_MSIX_FLAGS_ENABLE);
    g_assert_cmphex(take_message(b, 0), ==, 0x1000);
    g_assert_cmphex(mem_rd(b, PBA, 4), ==, 2); /* vector 1 has a mask of its own */
    board_free(b);
}

static void test_msix_hides_intx(void)
{
    Board *b = board_new(true);
    PciDevice *dev = plug_msix(b);

    pci_set_irq(dev, 1);
    set_msix(b, PCI_MSIX_FLAGS_ENABLE);
    g_assert_cmpint(b->levels[0], ==, 0);
    set_msix(b, 0);
    g_assert_cmpint(b->levels[0], ==, 1);
    board_free(b);
}

/* The guest chooses the address; a message must not reach registers (here: the function's own). */
static void test_msix_into_registers(void)
{
    Board *b = board_new(true);
    PciDevice *dev = plug_msix(b);
    static const uint64_t places[] = {
        BOARD_ECAM + (FN << 12) + PCI_COMMAND, TABLE, BOARD_MEM, MSG + 1, UINT64_MAX - 3, 0,
    };

    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, BOARD_MEM);
    set_msix(b, PCI_MSIX_FLAGS_ENABLE);
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        mem_wr(b, TABLE + 12, 4, 1);
        mem_wr(b, TABLE, 8, places[i]);
        mem_wr(b, TABLE + 8, 4, 0);
        mem_wr(b, TABLE + 12, 4, 0);
        pci_msix_notify(dev, 0);
    }
    g_assert_cmphex(cfg_rd(b, 0, FN, PCI_COMMAND, 2), ==, ON);
    g_assert_cmpuint(((TestFn *)dev)->writes, ==, 0);
    board_free(b);
}

/* ---- bus mastering ---- */

static void test_bus_master(void)
{
    Board *b = board_new(true);
    PciDevice *dev = HUMPY_PCI_DEVICE(plug(b));
    uint32_t value = 0x12345678, seen = 0;

    g_assert_cmpuint(address_space_write(pci_dma(dev), BOARD_RAM, &value, 4), !=, MEMTX_OK);
    g_assert_cmphex(mem_rd(b, BOARD_RAM, 4), ==, 0);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    g_assert_cmpuint(address_space_write(pci_dma(dev), BOARD_RAM, &value, 4), ==, MEMTX_OK);
    g_assert_cmphex(mem_rd(b, BOARD_RAM, 4), ==, 0x12345678);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, 0);
    g_assert_cmpuint(address_space_read(pci_dma(dev), BOARD_RAM, &seen, 4), !=, MEMTX_OK);
    g_assert_cmphex(seen, ==, 0xffffffff);
    board_free(b);
}

static void test_bus_master_msix(void)
{
    Board *b = board_new(true);
    PciDevice *dev = plug_msix(b);

    mem_wr(b, TABLE + 12, 4, 0);
    set_msix(b, PCI_MSIX_FLAGS_ENABLE);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    pci_msix_notify(dev, 0);
    g_assert_cmphex(take_message(b, 0), ==, 0);
    g_assert_cmphex(mem_rd(b, PBA, 4), ==, 1);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, ON);
    g_assert_cmphex(take_message(b, 0), ==, 0x1000);
    board_free(b);
}

/* ---- plugging ---- */

static void refuse(Board *b, const char *const *props, int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(board_plug(b, b->bus, "pci-test-function", props, &error));
    g_assert_error(error, HUMPY_ERROR, code);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_addresses(void)
{
    static const char *const bad[] = { "20", "4.8", "4.", "x", "", "-1", "4.1x", "100000000" };
    Board *b = board_new(true);
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *prop = g_strdup_printf("addr=%s", bad[i]);
        g_autofree char *message =
            g_strdup_printf("addr is '%s' but must be a slot from 0 to 1f, which '.' and a "
                            "function from 0 to 7 may follow",
                            bad[i]);

        refuse(b, (const char *[]){ prop, NULL }, HUMPY_ERROR_RANGE, message);
    }
    board_plug_ok(b, "pci-test-function", "04.0");
    g_assert_cmphex(cfg_rd(b, 0, FN, 0, 4), ==, 0x56781234);
    refuse(b, (const char *[]){ "addr=4", NULL }, HUMPY_ERROR_CONFLICT,
           "addr is '4' but pci-test-function is there already");
    refuse(b, (const char *[]){ "addr=4.1", NULL }, HUMPY_ERROR_CONFLICT,
           "addr is '4.1' but function 4.0, pci-test-function, lacks multifunction=on");
    for (unsigned i = 0; i < 30; i++) { /* 0 and 4 are taken */
        board_plug(b, b->bus, "pci-test-function", NULL, &error);
        g_assert_no_error(error);
    }
    refuse(b, NULL, HUMPY_ERROR_CONFLICT, "bus 'pcie.0' has no free slot");
    board_free(b);
}

static void test_multifunction(void)
{
    Board *b = board_new(true);
    g_autoptr(GError) error = NULL;

    board_plug_ok(b, "pci-test-function", "7.2"); /* before function 0, as QEMU allows */
    refuse(b, (const char *[]){ "addr=7", NULL }, HUMPY_ERROR_CONFLICT,
           "slot 7 has a function 7.2: function 0 needs multifunction=on");
    board_plug(b, b->bus, "pci-test-function",
               (const char *[]){ "addr=7", "multifunction=on", NULL }, &error);
    g_assert_no_error(error);
    g_assert_cmphex(cfg_rd(b, 0, PCI_MAKE_DEVFN(7, 0), PCI_HEADER_TYPE, 1), ==, 0x80);
    g_assert_cmphex(cfg_rd(b, 0, PCI_MAKE_DEVFN(7, 2), 0, 4), ==, 0x56781234);
    board_free(b);
}

static void test_romfile(void)
{
    Board *b = board_new(true);
    g_autoptr(GError) error = NULL;

    refuse(b, (const char *[]){ "romfile=x.rom", NULL }, HUMPY_ERROR_UNSUPPORTED,
           "romfile is 'x.rom' but there are no expansion ROMs (valid: an empty name)");
    board_plug(b, b->bus, "pci-test-function", (const char *[]){ "romfile=", "rombar=0", NULL },
               &error);
    g_assert_no_error(error);
    board_free(b);
}

static void test_remove(void)
{
    Board *b = board_new(true);
    Device *dev = HUMPY_DEVICE(plug(b));

    cfg_wr(b, 0, FN, bar(T_BAR_MEM), 4, BOARD_MEM);
    cfg_wr(b, 0, FN, PCI_COMMAND, 2, ON);
    bus_remove_device(HUMPY_BUS(b->bus), dev);
    g_assert_cmphex(cfg_rd(b, 0, FN, 0, 4), ==, 0xffffffff);
    g_assert_cmphex(mem_rd(b, BOARD_MEM, 4), ==, 0xffffffff);
    plug(b);
    g_assert_cmphex(cfg_rd(b, 0, FN, 0, 4), ==, 0x56781234);
    board_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/config/host-bridge", test_host_bridge);
    g_test_add_func("/pci/config/absent-reads-all-ones", test_absent);
    g_test_add_func("/pci/config/identity-is-read-only", test_identity);
    g_test_add_func("/pci/config/widths", test_widths);
    g_test_add_func("/pci/config/capabilities", test_capabilities);
    g_test_add_func("/pci/bar/sizing", test_sizing);
    g_test_add_func("/pci/bar/decode", test_decode);
    g_test_add_func("/pci/bar/move", test_move);
    g_test_add_func("/pci/reset", test_reset);
    g_test_add_func("/pci/intx/swizzle", test_swizzle);
    g_test_add_func("/pci/intx/shared-line", test_shared_line);
    g_test_add_func("/pci/intx/disable", test_intx_disable);
    g_test_add_func("/pci/msix/message", test_msix_message);
    g_test_add_func("/pci/msix/vector-mask", test_msix_vector_mask);
    g_test_add_func("/pci/msix/function-mask", test_msix_function_mask);
    g_test_add_func("/pci/msix/hides-intx", test_msix_hides_intx);
    g_test_add_func("/pci/msix/never-into-registers", test_msix_into_registers);
    g_test_add_func("/pci/bus-master/gates-dma", test_bus_master);
    g_test_add_func("/pci/bus-master/keeps-messages", test_bus_master_msix);
    g_test_add_func("/pci/plug/addresses", test_addresses);
    g_test_add_func("/pci/plug/multifunction", test_multifunction);
    g_test_add_func("/pci/plug/romfile", test_romfile);
    g_test_add_func("/pci/plug/remove", test_remove);
    return g_test_run();
}
