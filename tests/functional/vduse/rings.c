/* SPDX-License-Identifier: GPL-2.0-or-later
 * A driver of a vduse-blk device that does everything wrong: through vhost-vdpa it places rings and
 * memory as it likes, one rule after the other, and after each the device must serve a proper
 * request as if nothing had been. Runs in the machine of scripts/vduse: rings /dev/vhost-vdpa-N.
 * Prints "said: NAME ok" for each rule; the exit status is 1 if one is broken.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vhost-driver.h"

/* ---- the rules: what is wrong; an answer is waited for where one must come ---- */

static void head_beyond_ring(Driver *d)
{
    offer(d, 0xFFFF, 1);
    noticed(d);
}

static void next_beyond_ring(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_A + DATA, 512);
    d->desc[1].next = 1000;
    offer(d, 0, 1);
    noticed(d);
}

static void chain_is_a_loop(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_A + DATA, 512);
    set_desc(d, 2, IOVA_A + DATA, 512, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
    offer(d, 0, 1);
    noticed(d);
}

static void index_runs_away(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_A + DATA, 512);
    offer(d, 0, 1000);
    noticed(d);
}

static void data_nowhere(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, 0xDEAD00000000, 512);
    offer(d, 0, 1);
    noticed(d);
}

static void length_wraps(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, UINT64_MAX - 10, UINT32_MAX);
    offer(d, 0, 1);
    noticed(d);
}

static void data_ends_in_a_hole(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B + SIZE - 512, 1024);
    offer(d, 0, 1);
    noticed(d);
}

static void data_may_not_be_written(Driver *d)
{
    unmap(d, IOVA_B, SIZE);
    map(d, IOVA_B, SIZE, d->b, VHOST_ACCESS_RO);
    chain(d, VIRTIO_BLK_T_OUT, 0, IOVA_B, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "a write from memory that may only be read");
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B, 512);
    d->b[0] = 0x77;
    offer(d, 0, 1);
    noticed(d);
    set_status(d, 0);
    check(d->b[0] == 0x77, "memory that may only be read was written");
}

static void data_straddles_regions(Driver *d)
{
    memset(d->a + SIZE - 512, 0x31, 512);
    memset(d->b, 0x32, 512);
    chain(d, VIRTIO_BLK_T_OUT, 0, IOVA_B - 512, 1024);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "write");
    memset(d->a + SIZE - 512, 0, 512);
    memset(d->b, 0, 512);
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B - 512, 1024);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "read");
    check(d->a[SIZE - 512] == 0x31 && d->a[SIZE - 1] == 0x31, "the first half");
    check(d->b[0] == 0x32 && d->b[511] == 0x32, "the second half");
}

static void region_ends_within_a_page(Driver *d)
{
    unmap(d, IOVA_B, SIZE);
    map(d, IOVA_B, PAGE + 512, d->b, VHOST_ACCESS_RW);
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B + PAGE, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "up to its last byte");
    d->b[PAGE + 512] = 0x77;
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B + PAGE, 1024);
    offer(d, 0, 1);
    noticed(d);
    set_status(d, 0);
    check(d->b[PAGE + 512] == 0x77, "memory behind the region was written");
}

static void region_shrinks(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B + 4 * PAGE, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "before");
    unmap(d, IOVA_B, SIZE);
    map(d, IOVA_B, PAGE, d->b, VHOST_ACCESS_RW);
    d->b[4 * PAGE] = 0x77;
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B + 4 * PAGE, 512);
    offer(d, 0, 1);
    noticed(d);
    set_status(d, 0);
    check(d->b[4 * PAGE] == 0x77, "memory that was taken away was written");
}

static void file_below_shrinks(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B + 4 * PAGE, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "before");
    check(ftruncate(d->file[1], PAGE) == 0, "shrink");
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B + 4 * PAGE, 512);
    offer(d, 0, 1);
    noticed(d);
}

static void ring_is_taken_away(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "before");
    unmap(d, IOVA_A, SIZE);
    offer(d, 0, 1);
    noticed(d);
}

static void file_of_the_ring_shrinks(Driver *d)
{
    uint64_t one = 1;

    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_OK, "before");
    check(ftruncate(d->file[0], 0) == 0, "shrink");
    check(write(d->kick, &one, sizeof(one)) == sizeof(one), "kick");
    for (unsigned i = 0; i < ASKED; i++) {
        struct vhost_vring_state base = { 0 };

        check(ioctl(d->fd, VHOST_GET_VRING_BASE, &base) == 0, "where is the queue");
    }
}

static void ring_nowhere(Driver *d)
{
    d->ring_at = 0xDEAD00000000;
    start(d);
    offer(d, 0, 1);
    noticed(d);
}

static void ring_at_the_end_of_the_world(Driver *d)
{
    d->ring_at = UINT64_MAX - 4 * PAGE + 1;
    start(d);
    offer(d, 0, 1);
    noticed(d);
}

static void no_status_byte(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_A + DATA, 512);
    d->desc[0].flags = 0;
    offer(d, 0, 1);
    noticed(d);
}

static void short_header(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_A + DATA, 512);
    d->desc[0].len = 4;
    offer(d, 0, 1);
    noticed(d);
}

static void readable_after_writable(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_A + DATA, 512);
    d->desc[2].flags = VRING_DESC_F_NEXT;
    d->desc[2].next = 3;
    set_desc(d, 3, IOVA_A + STATUS, 1, VRING_DESC_F_WRITE, 0);
    offer(d, 0, 1);
    noticed(d);
}

static void table_of_odd_length(Driver *d)
{
    set_desc(d, 0, IOVA_A + DATA, 40, VRING_DESC_F_INDIRECT, 0);
    offer(d, 0, 1);
    noticed(d);
}

static void table_within_a_table(Driver *d)
{
    struct vring_desc *table = (struct vring_desc *)(d->a + DATA);

    table[0] =
        (struct vring_desc){ .addr = IOVA_A + DATA, .len = 16, .flags = VRING_DESC_F_INDIRECT };
    set_desc(d, 0, IOVA_A + DATA, 16, VRING_DESC_F_INDIRECT, 0);
    offer(d, 0, 1);
    noticed(d);
}

static void table_of_4_gib(Driver *d)
{
    set_desc(d, 0, IOVA_A, UINT32_MAX - 15, VRING_DESC_F_INDIRECT, 0);
    offer(d, 0, 1);
    noticed(d);
}

static void sector_beyond_the_end(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, UINT64_MAX / 512, IOVA_A + DATA, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_IOERR, "status of a read beyond the end");
}

static void request_of_no_kind(Driver *d)
{
    chain(d, 0x1234, 0, IOVA_A + DATA, 512);
    offer(d, 0, 1);
    check(answer(d) == VIRTIO_BLK_S_UNSUPP, "status of an unknown request");
}

static void memory_goes_while_it_works(Driver *d)
{
    for (unsigned i = 0; i < 20; i++) {
        chain(d, VIRTIO_BLK_T_OUT, 0, IOVA_B, SIZE);
        offer(d, 0, 1);
        unmap(d, IOVA_B, SIZE);
        map(d, IOVA_B, SIZE, d->b, VHOST_ACCESS_RW);
        set_status(d, 0);
        d->avail->idx = d->used->idx = 0;
        start(d);
    }
}

static void driver_vanishes(Driver *d)
{
    chain(d, VIRTIO_BLK_T_IN, 0, IOVA_B, SIZE);
    offer(d, 0, 1);
    close(d->fd);
    d->fd = open("/dev/null", O_RDWR);
}

static const struct {
    const char *name;
    void (*run)(Driver *d);
} rules[] = {
    { "data-straddles-regions", data_straddles_regions },
    { "region-ends-within-a-page", region_ends_within_a_page },
    { "region-shrinks", region_shrinks },
    { "head-beyond-ring", head_beyond_ring },
    { "next-beyond-ring", next_beyond_ring },
    { "chain-is-a-loop", chain_is_a_loop },
    { "index-runs-away", index_runs_away },
    { "data-nowhere", data_nowhere },
    { "length-wraps", length_wraps },
    { "data-ends-in-a-hole", data_ends_in_a_hole },
    { "data-may-not-be-written", data_may_not_be_written },
    { "ring-is-taken-away", ring_is_taken_away },
    { "ring-nowhere", ring_nowhere },
    { "ring-at-the-end-of-the-world", ring_at_the_end_of_the_world },
    { "no-status-byte", no_status_byte },
    { "short-header", short_header },
    { "readable-after-writable", readable_after_writable },
    { "table-of-odd-length", table_of_odd_length },
    { "table-within-a-table", table_within_a_table },
    { "table-of-4-gib", table_of_4_gib },
    { "sector-beyond-the-end", sector_beyond_the_end },
    { "request-of-no-kind", request_of_no_kind },
    { "memory-goes-while-it-works", memory_goes_while_it_works },
    { "driver-vanishes", driver_vanishes },
    { "file-below-shrinks", file_below_shrinks },
    { "file-of-the-ring-shrinks", file_of_the_ring_shrinks },
};

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: rings /dev/vhost-vdpa-N [RULE...]\n");
        return 2;
    }
    rule = "proper-request";
    proper(argv[1]);
    printf("said: %s ok\n", rule);
    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        bool chosen = argc == 2;
        Driver d;

        for (int n = 2; n < argc; n++) {
            chosen |= strcmp(argv[n], rules[i].name) == 0;
        }
        if (!chosen) {
            continue;
        }
        rule = rules[i].name;
        fresh(&d, argv[1]);
        start(&d);
        rules[i].run(&d);
        close_device(&d);
        proper(argv[1]);
        printf("said: %s ok\n", rule);
        fflush(stdout);
    }
    return 0;
}
