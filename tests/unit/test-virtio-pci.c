/* SPDX-License-Identifier: GPL-2.0-or-later
 * virtio over PCI (virtio 1.2, section 4.1): identity, capabilities, both register interfaces, each
 * with INTx and MSI-X, access through configuration space, bus mastering, unplugging. The device is
 * the entropy source: a buffer in, filled.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "hw/virtio/virtio-transport.h"
#include "pci-board.h"
#include "util/error.h"

enum {
    FN = PCI_MAKE_DEVFN(4, 0),
    LINE = 0, /* where slot 4's INTA comes out */
    IO = 0x1000,
    BAR = BOARD_MEM + 0x100000,
    MSIX = BOARD_MEM + 0x200000,
    COMMON = BAR,
    ISR = BAR + 0x1000,
    NOTIFY = BAR + 0x3000,
    RING = BOARD_RAM + 0x10000, /* legacy layout fits the modern one, too */
    BUF = BOARD_RAM + 0x20000,
    MSG = BOARD_RAM + 0x30000,
    SIZE = 8,
    ON = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
    ALIVE = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER,
};

typedef struct {
    Board *b;
    PciDevice *dev;
    bool legacy, msix;
    unsigned size; /* of the ring */
    uint64_t avail, used;
    uint16_t next;
} Vp;

static unsigned bar(unsigned n)
{
    return PCI_BASE_ADDRESS_0 + 4 * n;
}

static Vp *vp_new(const char *type, const char *const *props, bool msi)
{
    Vp *v = g_new0(Vp, 1);
    g_autoptr(GError) error = NULL;

    v->b = board_new(msi);
    v->dev = HUMPY_PCI_DEVICE(board_plug(v->b, v->b->bus, type, props, &error));
    g_assert_no_error(error);
    cfg_wr(v->b, 0, FN, bar(0), 4, IO);
    cfg_wr(v->b, 0, FN, bar(1), 4, MSIX);
    cfg_wr(v->b, 0, FN, bar(4), 4, BAR);
    cfg_wr(v->b, 0, FN, bar(5), 4, 0);
    cfg_wr(v->b, 0, FN, PCI_COMMAND, 2, ON);
    return v;
}

static void vp_free(Vp *v)
{
    board_free(v->b);
    g_free(v);
}

static Vp *vp_default(void)
{
    return vp_new("virtio-rng-pci", (const char *[]){ "addr=4", NULL }, true);
}

static uint32_t io_rd(Vp *v, unsigned reg, unsigned size)
{
    return mem_rd(v->b, BOARD_IO + IO + reg, size);
}

static void io_wr(Vp *v, unsigned reg, unsigned size, uint32_t value)
{
    mem_wr(v->b, BOARD_IO + IO + reg, size, value);
}

static void enable_msix(Vp *v)
{
    unsigned cap = cfg_cap(v->b, FN, PCI_CAP_ID_MSIX, 0);

    v->msix = true;
    mem_wr(v->b, MSIX + 16, 8, MSG);
    mem_wr(v->b, MSIX + 24, 4, 0xabcd);
    mem_wr(v->b, MSIX + 28, 4, 0);
    cfg_wr(v->b, 0, FN, cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
}

/* ---- drivers ---- */

/* The device must be reset: it does not look at the ring. */
static void empty_ring(Vp *v)
{
    v->next = 0;
    mem_wr(v->b, v->avail, 4, 0);
    mem_wr(v->b, v->used, 4, 0);
}

static void start_modern(Vp *v)
{
    Board *b = v->b;

    v->size = SIZE;
    v->avail = RING + 16 * SIZE;
    v->used = RING + 4096;
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1, 0);
    empty_ring(v);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1, ALIVE);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_GF, 4, 1); /* VERSION_1 */
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1, ALIVE | VIRTIO_CONFIG_S_FEATURES_OK);
    g_assert_cmphex(mem_rd(b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1), ==,
                    ALIVE | VIRTIO_CONFIG_S_FEATURES_OK);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
    if (v->msix) {
        mem_wr(b, COMMON + VIRTIO_PCI_COMMON_Q_MSIX, 2, 1);
        g_assert_cmphex(mem_rd(b, COMMON + VIRTIO_PCI_COMMON_Q_MSIX, 2), ==, 1);
    }
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_Q_DESCLO, 4, RING);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_Q_AVAILLO, 4, v->avail);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_Q_USEDLO, 8, v->used);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
    mem_wr(b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1,
           ALIVE | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void start_legacy(Vp *v)
{
    v->legacy = true;
    io_wr(v, VIRTIO_PCI_STATUS, 1, 0);
    io_wr(v, VIRTIO_PCI_STATUS, 1, ALIVE);
    io_wr(v, VIRTIO_PCI_GUEST_FEATURES, 4, 0);
    io_wr(v, VIRTIO_PCI_QUEUE_SEL, 2, 0);
    v->size = io_rd(v, VIRTIO_PCI_QUEUE_NUM, 2);
    g_assert_cmpuint(v->size, >=, SIZE);
    v->avail = RING + 16 * v->size;
    v->used = (v->avail + 6 + 2 * v->size + 4095) & ~4095ull;
    empty_ring(v);
    if (v->msix) {
        io_wr(v, VIRTIO_MSI_QUEUE_VECTOR, 2, 1);
        g_assert_cmphex(io_rd(v, VIRTIO_MSI_QUEUE_VECTOR, 2), ==, 1);
    }
    io_wr(v, VIRTIO_PCI_QUEUE_PFN, 4, RING >> 12);
    g_assert_cmphex(io_rd(v, VIRTIO_PCI_QUEUE_PFN, 4), ==, RING >> 12);
    io_wr(v, VIRTIO_PCI_STATUS, 1, ALIVE | VIRTIO_CONFIG_S_DRIVER_OK);
    g_assert_cmphex(io_rd(v, VIRTIO_PCI_STATUS, 1), ==, ALIVE | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Makes a buffer of 16 bytes available. */
static void submit(Vp *v)
{
    unsigned slot = v->next % v->size;

    mem_wr(v->b, RING, 8, BUF);
    mem_wr(v->b, RING + 8, 4, 16);
    mem_wr(v->b, RING + 12, 2, 2); /* for the device to write */
    mem_wr(v->b, v->avail + 4 + 2 * slot, 2, 0);
    mem_wr(v->b, v->avail + 2, 2, ++v->next);
    if (v->legacy) {
        io_wr(v, VIRTIO_PCI_QUEUE_NOTIFY, 2, 0);
    } else {
        mem_wr(v->b, NOTIFY, 2, 0);
    }
}

static void wait_used(Vp *v)
{
    while (mem_rd(v->b, v->used + 2, 2) != v->next) {
        g_thread_yield();
    }
    g_assert_cmpuint(mem_rd(v->b, v->used + 4 + 8 * ((v->next - 1) % v->size) + 4, 4), ==, 16);
}

static void wait_interrupt(Vp *v)
{
    if (v->msix) {
        while (mem_rd(v->b, MSG, 4) != 0xabcd) {
            g_thread_yield();
        }
        mem_wr(v->b, MSG, 4, 0);
        g_assert_cmpint(g_atomic_int_get(&v->b->levels[LINE]), ==, 0);
        return;
    }
    while (g_atomic_int_get(&v->b->levels[LINE]) == 0) {
        g_thread_yield();
    }
    g_assert_cmphex(v->legacy ? io_rd(v, VIRTIO_PCI_ISR, 1) : mem_rd(v->b, ISR, 1), ==, 1);
    g_assert_cmpint(g_atomic_int_get(&v->b->levels[LINE]), ==, 0);
}

/* ---- tests ---- */

static void data_path(Vp *v)
{
    for (unsigned i = 0; i < 3; i++) {
        submit(v);
        wait_used(v);
        wait_interrupt(v);
    }
    vp_free(v);
}

static void test_modern_intx(void)
{
    Vp *v = vp_default();

    start_modern(v);
    data_path(v);
}

static void test_modern_msix(void)
{
    Vp *v = vp_default();

    enable_msix(v);
    start_modern(v);
    data_path(v);
}

static void test_legacy_intx(void)
{
    Vp *v = vp_default();

    start_legacy(v);
    data_path(v);
}

static void test_legacy_msix(void)
{
    Vp *v = vp_default();

    enable_msix(v);
    start_legacy(v);
    data_path(v);
}

static void test_no_ioeventfd(void)
{
    Vp *v = vp_new("virtio-rng-pci", (const char *[]){ "addr=4", "ioeventfd=off", NULL }, true);

    start_modern(v);
    data_path(v);
}

static void test_identity(void)
{
    static const struct {
        const char *type, *prop;
        uint32_t id, subsystem;
        uint8_t revision;
    } rows[] = {
        { "virtio-rng-pci", "addr=4", 0x10051af4, 0x00041af4, 0 },
        { "virtio-rng-pci-transitional", "addr=4", 0x10051af4, 0x00041af4, 0 },
        { "virtio-rng-pci-non-transitional", "addr=4", 0x10441af4, 0x11001af4, 1 },
        { "virtio-rng-pci", "disable-legacy=on", 0x10441af4, 0x11001af4, 1 },
        { "virtio-rng-pci", "disable-modern=on", 0x10051af4, 0x00041af4, 0 },
        { "virtio-rng", "addr=4", 0x10051af4, 0x00041af4, 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Vp *v = vp_new(rows[i].type, (const char *[]){ "addr=4", rows[i].prop, NULL }, true);

        g_assert_cmphex(cfg_rd(v->b, 0, FN, 0, 4), ==, rows[i].id);
        g_assert_cmphex(cfg_rd(v->b, 0, FN, PCI_SUBSYSTEM_VENDOR_ID, 4), ==, rows[i].subsystem);
        g_assert_cmphex(cfg_rd(v->b, 0, FN, PCI_REVISION_ID, 1), ==, rows[i].revision);
        vp_free(v);
    }
}

/* UEFI would take the legacy interface, with which no device of a protected guest works. */
static void test_protected_has_no_legacy(void)
{
    static const char *const rows[][2] = {
        { "virtio-rng-pci", "addr=4" },
        { "virtio-rng-pci", "disable-legacy=off" },
        { "virtio-rng-pci-transitional", "addr=4" },
    };

    virtio_require_platform(true);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        Vp *v = vp_new(rows[i][0], (const char *[]){ "addr=4", rows[i][1], NULL }, true);

        g_assert_cmphex(cfg_rd(v->b, 0, FN, 0, 4), ==, 0x10441af4);
        g_assert_cmphex(cfg_rd(v->b, 0, FN, PCI_REVISION_ID, 1), ==, 1);
        vp_free(v);
    }
    virtio_require_platform(false);
}

static void test_capabilities(void)
{
    static const unsigned types[] = { VIRTIO_PCI_CAP_PCI_CFG, VIRTIO_PCI_CAP_NOTIFY_CFG,
                                      VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_CAP_ISR_CFG,
                                      VIRTIO_PCI_CAP_COMMON_CFG };
    Vp *v = vp_default();

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        unsigned cap = cfg_cap(v->b, FN, PCI_CAP_ID_VNDR, i);

        g_assert_cmphex(cap, !=, 0);
        g_assert_cmphex(cfg_rd(v->b, 0, FN, cap + 3, 1), ==, types[i]);
        if (types[i] != VIRTIO_PCI_CAP_PCI_CFG) {
            g_assert_cmphex(cfg_rd(v->b, 0, FN, cap + 4, 1), ==, 4);
        }
    }
    vp_free(v);
    v = vp_new("virtio-rng-pci", (const char *[]){ "addr=4", "disable-modern=on", NULL }, true);
    g_assert_cmphex(cfg_cap(v->b, FN, PCI_CAP_ID_VNDR, 0), ==, 0);
    vp_free(v);
}

static void test_no_msi(void)
{
    Vp *v = vp_new("virtio-rng-pci", (const char *[]){ "addr=4", NULL }, false);

    g_assert_cmphex(cfg_cap(v->b, FN, PCI_CAP_ID_MSIX, 0), ==, 0);
    start_modern(v);
    data_path(v);
    v = vp_new("virtio-rng-pci", (const char *[]){ "addr=4", "vectors=0", NULL }, true);
    g_assert_cmphex(cfg_cap(v->b, FN, PCI_CAP_ID_MSIX, 0), ==, 0);
    vp_free(v);
}

static void test_vector_out_of_range(void)
{
    Vp *v = vp_new("virtio-rng-pci", (const char *[]){ "addr=4", "vectors=2", NULL }, true);

    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_Q_MSIX, 2), ==, VIRTIO_MSI_NO_VECTOR);
    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_MSIX, 2, 1);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_MSIX, 2), ==, 1);
    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_Q_SELECT, 2, 99);
    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_Q_MSIX, 2, 1);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_Q_MSIX, 2), ==, VIRTIO_MSI_NO_VECTOR);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_Q_SIZE, 2), ==, 0);
    vp_free(v);
}

static void test_features(void)
{
    Vp *v = vp_default();
    uint32_t low, high, legacy = io_rd(v, VIRTIO_PCI_HOST_FEATURES, 4);

    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
    low = mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_DF, 4);
    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
    high = mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_DF, 4);
    g_assert_cmphex(high & 1, ==, 1);
    g_assert_cmphex(legacy & ~low, ==, 1u << VIRTIO_F_NOTIFY_ON_EMPTY | 1u << VIRTIO_F_ANY_LAYOUT);
    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_DF, 4), ==, 0);
    vp_free(v);
}

/* The reset of a legacy driver gives the device to a modern one, and back. */
static void test_drivers_in_turn(void)
{
    Vp *v = vp_default();

    start_legacy(v);
    submit(v);
    wait_used(v);
    v->legacy = false;
    start_modern(v);
    submit(v);
    wait_used(v);
    start_legacy(v);
    submit(v);
    wait_used(v);
    vp_free(v);
}

static void test_bus_master(void)
{
    Vp *v = vp_default();

    start_modern(v);
    cfg_wr(v->b, 0, FN, PCI_COMMAND, 2, ON & ~PCI_COMMAND_MASTER);
    submit(v);
    g_assert_cmpuint(mem_rd(v->b, v->used + 2, 2), ==, 0);
    cfg_wr(v->b, 0, FN, PCI_COMMAND, 2, ON);
    wait_used(v);
    data_path(v);
}

static void test_through_config(void)
{
    Vp *v = vp_default();
    unsigned cap = cfg_cap(v->b, FN, PCI_CAP_ID_VNDR, 0);

    cfg_wr(v->b, 0, FN, cap + 4, 1, 4);
    cfg_wr(v->b, 0, FN, cap + 8, 4, VIRTIO_PCI_COMMON_STATUS);
    cfg_wr(v->b, 0, FN, cap + 12, 4, 1);
    cfg_wr(v->b, 0, FN, cap + 16, 4, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1), ==, 1);
    mem_wr(v->b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1, ALIVE);
    g_assert_cmphex(cfg_rd(v->b, 0, FN, cap + 16, 1), ==, ALIVE);
    /* Places that are none do nothing. */
    cfg_wr(v->b, 0, FN, cap + 12, 4, 3);
    cfg_wr(v->b, 0, FN, cap + 16, 4, 0);
    cfg_wr(v->b, 0, FN, cap + 12, 4, 4);
    cfg_wr(v->b, 0, FN, cap + 8, 4, 0xfffffffc);
    cfg_wr(v->b, 0, FN, cap + 16, 4, 0);
    cfg_wr(v->b, 0, FN, cap + 4, 1, 0);
    cfg_wr(v->b, 0, FN, cap + 8, 4, VIRTIO_PCI_COMMON_STATUS);
    cfg_wr(v->b, 0, FN, cap + 16, 4, 0);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1), ==, ALIVE);
    vp_free(v);
}

static void test_reset(void)
{
    Vp *v = vp_default();

    start_modern(v);
    submit(v);
    wait_used(v);
    device_reset(v->b->host);
    g_assert_cmphex(cfg_rd(v->b, 0, FN, PCI_COMMAND, 2), ==, 0);
    cfg_wr(v->b, 0, FN, bar(4), 4, BAR);
    cfg_wr(v->b, 0, FN, PCI_COMMAND, 2, ON);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_STATUS, 1), ==, 0);
    g_assert_cmphex(mem_rd(v->b, COMMON + VIRTIO_PCI_COMMON_Q_ENABLE, 2), ==, 0);
    vp_free(v);
}

static void test_unplug_while_busy(void)
{
    Vp *v = vp_default();

    start_modern(v);
    for (unsigned i = 0; i < 64; i++) {
        submit(v);
    }
    bus_remove_device(HUMPY_BUS(v->b->bus), HUMPY_DEVICE(v->dev));
    g_assert_cmphex(cfg_rd(v->b, 0, FN, 0, 4), ==, 0xffffffff);
    g_assert_cmphex(mem_rd(v->b, COMMON, 4), ==, 0xffffffff);
    vp_free(v);
}

static void test_garbage(void)
{
    static const uint32_t values[] = { 0, 1, 0x80, 0xffff, 0x80000000, 0xffffffff };
    Vp *v = vp_default();

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        for (unsigned at = 0; at < 0x4000; at += 4) {
            mem_wr(v->b, BAR + at, 4, values[i]);
            mem_rd(v->b, BAR + at, 1 << (at / 4 % 4));
        }
        for (unsigned at = 0; at < 32; at++) {
            mem_wr(v->b, BOARD_IO + IO + at, 1, values[i]);
            mem_rd(v->b, BOARD_IO + IO + at, 1);
        }
    }
    start_modern(v);
    data_path(v);
}

static void refuse(const char *type, const char *prop, const char *other, const char *message)
{
    Board *b = board_new(true);
    g_autoptr(GError) error = NULL;

    g_assert_null(board_plug(b, b->bus, type, (const char *[]){ prop, other, NULL }, &error));
    g_assert_cmpstr(error->message, ==, message);
    board_free(b);
}

static void test_refused(void)
{
    refuse("virtio-rng-pci", "disable-legacy=on", "disable-modern=on",
           "disable-legacy and disable-modern leave the guest no interface");
    virtio_require_platform(true);
    refuse("virtio-rng-pci", "disable-modern=on", NULL,
           "disable-modern leaves a protected guest no interface");
    virtio_require_platform(false);
    refuse("virtio-rng-pci", "vectors=2049", NULL, "vectors is 2049 but must be 0 to 2048");
    refuse("virtio-blk-pci", "addr=4", NULL, "drive property not set");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-pci/identity", test_identity);
    g_test_add_func("/virtio-pci/identity-in-protected-guests", test_protected_has_no_legacy);
    g_test_add_func("/virtio-pci/capabilities", test_capabilities);
    g_test_add_func("/virtio-pci/features", test_features);
    g_test_add_func("/virtio-pci/data/modern-intx", test_modern_intx);
    g_test_add_func("/virtio-pci/data/modern-msix", test_modern_msix);
    g_test_add_func("/virtio-pci/data/legacy-intx", test_legacy_intx);
    g_test_add_func("/virtio-pci/data/legacy-msix", test_legacy_msix);
    g_test_add_func("/virtio-pci/data/without-ioeventfd", test_no_ioeventfd);
    g_test_add_func("/virtio-pci/data/drivers-in-turn", test_drivers_in_turn);
    g_test_add_func("/virtio-pci/msix/absent-where-nobody-hears", test_no_msi);
    g_test_add_func("/virtio-pci/msix/vector-out-of-range", test_vector_out_of_range);
    g_test_add_func("/virtio-pci/bus-master", test_bus_master);
    g_test_add_func("/virtio-pci/through-config-space", test_through_config);
    g_test_add_func("/virtio-pci/reset", test_reset);
    g_test_add_func("/virtio-pci/unplug-while-busy", test_unplug_while_busy);
    g_test_add_func("/virtio-pci/garbage-everywhere", test_garbage);
    g_test_add_func("/virtio-pci/refused", test_refused);
    return g_test_run();
}
