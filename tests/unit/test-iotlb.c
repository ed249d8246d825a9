/* SPDX-License-Identifier: GPL-2.0-or-later
 * The address space of a VDUSE device by itself: what is mapped when, what stays while a request
 * has it, and what a request that will not end still reaches.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

#include "../../export/iotlb.h"
#include "fake-vduse.h"

typedef struct {
    int control, wake_fd;
    VduseNode node;
    Iotlb *tlb;
    AddressSpace *as;
} World;

static void begin(World *w)
{
    struct vduse_dev_config config = {
        .name = "n", .device_id = 2, .features = 3ull << 32, .vq_num = 1, .vq_align = 4096
    };
    uint64_t version;

    fake_vduse_start();
    w->control = vduse_control_open(&version, NULL);
    g_assert_cmpint(vduse_control_create(w->control, &config, NULL), ==, VDUSE_CREATED);
    g_assert_true(vduse_node_open(&w->node, "n", NULL));
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->tlb = iotlb_new(&w->node, w->wake_fd);
    w->as = iotlb_space(w->tlb);
}

static void end(World *w)
{
    iotlb_free(w->tlb);
    vduse_node_close(&w->node);
    close(w->control);
    close(w->wake_fd);
    fake_vduse_stop();
}

static uint8_t *map(World *w, uint64_t addr, uint64_t *len)
{
    uint8_t *host = address_space_map(w->as, addr, len, true);

    return host;
}

static void test_faults_once(void)
{
    uint64_t len = 8;
    uint8_t *p;
    World w;

    begin(&w);
    g_assert_null(map(&w, 0x100, &len));
    g_assert_true(iotlb_fault(w.tlb, 0x100, true));
    g_assert_true(iotlb_fault(w.tlb, FAKE_BOUNCE_SIZE - 1, true));
    g_assert_cmpuint(fake_vduse_get_fd_calls("n"), ==, 1);
    g_assert_cmpuint(iotlb_regions(w.tlb), ==, 1);
    len = 8;
    p = map(&w, 0x100, &len);
    *p = 0x5a;
    g_assert_cmphex(*fake_vduse_memory("n", 0x100), ==, 0x5a);
    address_space_unmap(w.as, p, len, true);
    end(&w);
}

/* The region ends where the kernel says, not at its page's end. */
static void test_last_inside_page(void)
{
    uint64_t len = 4096;
    uint8_t *p;
    World w;

    begin(&w);
    g_assert_true(iotlb_fault(w.tlb, FAKE_RING_IOVA + FAKE_RING_SIZE - 1, true));
    p = map(&w, FAKE_RING_IOVA + 0x1000, &len);
    g_assert_nonnull(p);
    g_assert_cmpuint(len, ==, FAKE_RING_SIZE - 0x1000);
    address_space_unmap(w.as, p, len, true);
    g_assert_false(iotlb_fault(w.tlb, FAKE_RING_IOVA + FAKE_RING_SIZE, true));
    end(&w);
}

static void test_read_only(void)
{
    static const struct vduse_iotlb_entry lie = { .start = 0,
                                                  .last = FAKE_BOUNCE_SIZE - 1,
                                                  .perm = VDUSE_ACCESS_RO };
    uint64_t len = 8;
    void *p;
    World w;

    begin(&w);
    fake_vduse_set_lie("n", &lie);
    g_assert_false(iotlb_fault(w.tlb, 0, true));
    g_assert_true(iotlb_fault(w.tlb, 0, false));
    p = address_space_map(w.as, 0, &len, false);
    g_assert_nonnull(p);
    address_space_unmap(w.as, p, len, false);
    len = 8;
    g_assert_null(map(&w, 0, &len));
    end(&w);
}

/* A file's offset need not be a page's. */
static void test_odd_offset(void)
{
    static const struct vduse_iotlb_entry lie = {
        .offset = 0x123, .start = 0x10, .last = 0x20, .perm = VDUSE_ACCESS_RW
    };
    uint64_t len = 64;
    uint8_t *p;
    World w;

    begin(&w);
    fake_vduse_set_lie("n", &lie);
    *fake_vduse_memory("n", 0x123) = 0xa5; /* the fake's file is the region at 0 */
    g_assert_true(iotlb_fault(w.tlb, 0x10, true));
    p = map(&w, 0x10, &len);
    g_assert_cmphex(*p, ==, 0xa5);
    g_assert_cmpuint(len, ==, 0x11);
    address_space_unmap(w.as, p, len, true);
    end(&w);
}

/* What is dropped is gone for new requests; one in flight has it until it ends. */
static void test_drop_in_flight(void)
{
    uint64_t len = 8;
    uint8_t *p;
    World w;

    begin(&w);
    g_assert_true(iotlb_fault(w.tlb, 0, true));
    p = map(&w, 0, &len);
    iotlb_drop(w.tlb, 0x10, 0x10); /* any part of it is all of it */
    g_assert_cmpuint(iotlb_regions(w.tlb), ==, 0);
    *p = 7;
    g_assert_cmpuint(*fake_vduse_memory("n", 0), ==, 7);
    len = 8;
    g_assert_null(map(&w, 0, &len));
    g_assert_true(iotlb_fault(w.tlb, 0, true)); /* again, beside the old one */
    address_space_unmap(w.as, p, 8, true);
    iotlb_reap(w.tlb);
    g_assert_cmpuint(iotlb_regions(w.tlb), ==, 1);
    end(&w);
}

/* A request that will not end writes to nobody's memory. */
static void test_revoke(void)
{
    uint64_t len = 8;
    uint8_t *p;
    World w;

    begin(&w);
    g_assert_true(iotlb_fault(w.tlb, 0, true));
    p = map(&w, 0, &len);
    *p = 1;
    iotlb_drop(w.tlb, 0, UINT64_MAX);
    iotlb_revoke(w.tlb);
    g_assert_cmpuint(*p, ==, 0);
    *p = 2;
    g_assert_cmpuint(*fake_vduse_memory("n", 0), ==, 1);
    address_space_unmap(w.as, p, len, true);
    iotlb_reap(w.tlb);
    end(&w);
}

static void test_torn(void)
{
    uint64_t len = 8;
    eventfd_t count;
    uint8_t *p;
    World w;

    begin(&w);
    g_assert_true(iotlb_fault(w.tlb, 0, true));
    p = map(&w, 0, &len);
    g_assert_false(iotlb_was_torn(w.tlb));
    fake_vduse_resize("n", 0, 0);
    g_assert_cmpuint(__atomic_load_n(p, __ATOMIC_SEQ_CST), ==, 0);
    g_assert_cmpint(eventfd_read(w.wake_fd, &count), ==, 0);
    g_assert_true(iotlb_was_torn(w.tlb));
    g_assert_false(iotlb_was_torn(w.tlb));
    address_space_unmap(w.as, p, len, true);
    end(&w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iotlb/faults-once", test_faults_once);
    g_test_add_func("/iotlb/last-inside-page", test_last_inside_page);
    g_test_add_func("/iotlb/read-only", test_read_only);
    g_test_add_func("/iotlb/odd-offset", test_odd_offset);
    g_test_add_func("/iotlb/drop-in-flight", test_drop_in_flight);
    g_test_add_func("/iotlb/revoke", test_revoke);
    g_test_add_func("/iotlb/torn", test_torn);
    return g_test_run();
}
