/* SPDX-License-Identifier: GPL-2.0-or-later
 * Asynchronous requests (block/queue.h): on a file by io_uring and by threads, on a disk that takes
 * its time, and under a virtio-blk device that is reset or whose queue ends in the middle of it.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "block/queue.h"
#include "virtio-driver.h"

enum { SIZE = 1 << 20, BLOCK = 4096 };

typedef struct {
    char *path;
    BlockBackend *blk;
    BlockQueue *q;
} World;

typedef struct {
    BlockRequest request;
    struct iovec iov;
    uint8_t *buf;
    int result;
    bool done;
} Job;

static World *world_new(const BlockOptions *options)
{
    World *w = g_new0(World, 1);
    g_autoptr(GError) error = NULL;
    BlockOptions o = *options;
    int fd = g_file_open_tmp("humpy-XXXXXX", &w->path, NULL);

    g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
    close(fd);
    if (o.driver == BLOCK_DRIVER_RAW) {
        o.filename = w->path;
    }
    w->blk = block_open(&o, &error);
    if (w->blk == NULL && o.cache_direct) { /* as on some file systems */
        g_test_skip(error->message);
        return w;
    }
    g_assert_no_error(error);
    w->q = block_queue_new(w->blk, &error);
    if (w->q == NULL) { /* aio=io_uring where there is none */
        g_test_skip(error->message);
    }
    return w;
}

static void world_free(World *w)
{
    block_queue_free(w->q);
    block_unref(w->blk);
    g_unlink(w->path);
    g_free(w->path);
    g_free(w);
}

static void job_done(BlockRequest *r, int result)
{
    Job *job = (Job *)r;

    g_assert_false(job->done);
    job->done = true;
    job->result = result;
}

static void start_part(World *w, Job *job, BlockOp op, uint64_t offset, unsigned len, uint8_t fill)
{
    job->done = false;
    if (job->buf == NULL) {
        job->buf = aligned_alloc(BLOCK, BLOCK);
    }
    memset(job->buf, fill, BLOCK);
    job->iov = (struct iovec){ job->buf, len };
    job->request = (BlockRequest){
        .op = op,
        .offset = offset,
        .length = BLOCK,
        .iov = &job->iov,
        .n_iov = 1,
        .done = job_done,
    };
    block_queue_submit(w->q, &job->request);
}

static void start(World *w, Job *job, BlockOp op, uint64_t offset, uint8_t fill)
{
    start_part(w, job, op, offset, BLOCK, fill);
}

static void finish_ok(World *w, Job *jobs, unsigned n)
{
    block_queue_drain(w->q);
    for (unsigned i = 0; i < n; i++) {
        g_assert_true(jobs[i].done);
        g_assert_cmpint(jobs[i].result, ==, 0);
    }
}

static void free_jobs(Job *jobs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        free(jobs[i].buf);
    }
}

static void test_data(gconstpointer options)
{
    enum { N = 200 };
    World *w = world_new(options);
    Job jobs[N] = { 0 };

    if (w->q == NULL) {
        world_free(w);
        return;
    }
    for (unsigned i = 0; i < N; i++) {
        start(w, &jobs[i], BLOCK_OP_WRITE, i * BLOCK, i + 1);
    }
    finish_ok(w, jobs, N);
    start(w, &jobs[0], BLOCK_OP_FLUSH, 0, 0);
    start(w, &jobs[1], BLOCK_OP_WRITE_ZEROES, 5 * BLOCK, 0);
    finish_ok(w, jobs, 2);
    for (unsigned i = 0; i < N; i++) {
        start(w, &jobs[i], BLOCK_OP_READ, i * BLOCK, 0xff);
    }
    finish_ok(w, jobs, N);
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmpuint(jobs[i].buf[0], ==, i == 5 ? 0 : (i + 1) & 0xff);
        g_assert_cmpuint(jobs[i].buf[BLOCK - 1], ==, i == 5 ? 0 : (i + 1) & 0xff);
    }
    free_jobs(jobs, N);
    world_free(w);
}

static void test_stats(void)
{
    World *w = world_new(&(BlockOptions){ .aio = BLOCK_AIO_THREADS });
    Job jobs[4] = { 0 };
    BlockStats stats;

    start(w, &jobs[0], BLOCK_OP_WRITE, 0, 1);
    start(w, &jobs[1], BLOCK_OP_READ, 0, 1);
    start(w, &jobs[2], BLOCK_OP_READ, SIZE, 1); /* fails */
    start(w, &jobs[3], BLOCK_OP_FLUSH, 0, 1);
    block_queue_drain(w->q);
    block_get_stats(w->blk, &stats);
    g_assert_cmpuint(stats.operations[BLOCK_STAT_READ], ==, 2);
    g_assert_cmpuint(stats.bytes[BLOCK_STAT_READ], ==, BLOCK);
    g_assert_cmpuint(stats.failed[BLOCK_STAT_READ], ==, 1);
    g_assert_cmpuint(stats.bytes[BLOCK_STAT_WRITE], ==, BLOCK);
    g_assert_cmpuint(stats.operations[BLOCK_STAT_FLUSH], ==, 1);
    free_jobs(jobs, 4);
    world_free(w);
}

static void test_errors(gconstpointer options)
{
    World *w = world_new(options);
    Job jobs[3] = { 0 };

    if (w->q == NULL) {
        world_free(w);
        return;
    }
    start(w, &jobs[0], BLOCK_OP_READ, SIZE, 0);
    start(w, &jobs[1], BLOCK_OP_READ, 100, 0);
    g_assert_cmpint(truncate(w->path, BLOCK), ==, 0); /* behind our back */
    start(w, &jobs[2], BLOCK_OP_READ, 8 * BLOCK, 0);
    block_queue_drain(w->q);
    g_assert_cmpint(jobs[0].result, ==, -EIO);
    g_assert_cmpint(jobs[1].result, ==, -EINVAL);
    g_assert_cmpint(jobs[2].result, ==, -EIO);
    free_jobs(jobs, 3);
    world_free(w);
}

static void test_direct_part_writes(void)
{
    enum { N = 64 };
    BlockOptions o = BLOCK_OPTIONS_INIT;
    World *w;
    Job jobs[N] = { 0 };

    o.cache_direct = true;
    w = world_new(&o);
    if (w->q == NULL) {
        world_free(w);
        return;
    }
    for (unsigned i = 0; i < N; i++) { /* whole blocks, and parts of others among them */
        start_part(w, &jobs[i], BLOCK_OP_WRITE, i / 2 * BLOCK * 2 + i % 2 * (BLOCK + 512),
                   i % 2 != 0 ? 512 : BLOCK, i + 1);
    }
    block_queue_drain(w->q);
    for (unsigned i = 0; i < N; i++) {
        g_assert_true(jobs[i].done);
        g_assert_cmpint(jobs[i].result, ==, 0);
    }
    free_jobs(jobs, N);
    world_free(w);
}

/* ---- under the device ---- */

static Guest *slow_guest(BlockBackend **blk)
{
    Guest *g = guest_new(&guest_kinds[0]);
    BlockOptions o = {
        .driver = BLOCK_DRIVER_NULL, .node_name = "slow", .size = SIZE, .latency_ns = 20000000
    };

    *blk = block_open(&o, NULL);
    guest_plug_ok(g, "virtio-blk-device", (const char *[]){ "drive=slow", NULL });
    guest_start(g, UINT64_MAX);
    return g;
}

static void submit_reads(Guest *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t mem = guest_alloc(g, 16 + 512 + 1, 16);

        memset(guest_ptr(g, mem), 0, 16);
        *(uint8_t *)guest_ptr(g, mem + 8) = i * 2; /* not neighbours */
        guest_publish(
            g, 0,
            guest_chain(
                g, 0,
                (Buf[]){ { mem, 16, false }, { mem + 16, 512, true }, { mem + 528, 1, true } }, 3));
    }
    guest_notify(g, 0);
}

static void test_many_in_flight(void)
{
    BlockBackend *blk;
    Guest *g = slow_guest(&blk);

    submit_reads(g, 40);
    for (unsigned i = 0; i < 40; i++) {
        g_assert_cmpuint(guest_wait(g, 0).len, ==, 513);
    }
    guest_free(g);
    block_unref(blk);
}

static void test_reset(void)
{
    BlockBackend *blk;
    Guest *g = slow_guest(&blk);

    for (unsigned i = 0; i < 3; i++) {
        submit_reads(g, 20);
        guest_barrier(g);
        guest_start(g, UINT64_MAX);
        g_assert_cmpuint(guest_used_idx(g, 0), ==, 0);
    }
    submit_reads(g, 1);
    g_assert_cmpuint(guest_wait(g, 0).len, ==, 513);
    guest_free(g);
    block_unref(blk);
}

static void test_queue_ends(void)
{
    BlockBackend *blk;
    Guest *g = slow_guest(&blk);

    submit_reads(g, 20);
    guest_barrier(g);
    guest_wr(g, R_QUEUE_SEL, 0);
    guest_wr(g, R_QUEUE_READY, 0);
    guest_setup_queue(g, 0, 64); /* what was in flight is not returned in the new ring */
    submit_reads(g, 1);
    g_assert_cmpuint(guest_wait(g, 0).len, ==, 513);
    g_assert_cmpuint(guest_used_idx(g, 0), ==, 1);
    guest_free(g);
    block_unref(blk);
}

static void test_error_policy(void)
{
    static const BlockOptions image = { .driver = BLOCK_DRIVER_NULL, .size = SIZE };
    static const struct {
        const char *rerror;
        uint8_t status;
    } cases[] = { { "rerror=auto", 1 }, { "rerror=report", 1 }, { "rerror=ignore", 0 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        BlockOptions o = { .driver = BLOCK_DRIVER_BLKDEBUG,
                           .node_name = "bad",
                           .image = &image,
                           .rules = "[inject-error]\nevent = \"read_aio\"\n" };
        BlockBackend *blk = block_open(&o, NULL);
        Guest *g = guest_new(&guest_kinds[0]);
        uint64_t mem;

        guest_plug_ok(g, "virtio-blk-device",
                      (const char *[]){ "drive=bad", cases[i].rerror, NULL });
        guest_start(g, UINT64_MAX);
        mem = g->next_free;
        submit_reads(g, 1);
        guest_wait(g, 0);
        mem = (mem + 15) & ~15ull;
        g_assert_cmpuint(*(uint8_t *)guest_ptr(g, mem + 528), ==, cases[i].status);
        guest_free(g);
        block_unref(blk);
    }
}

static void test_unplug(void)
{
    BlockBackend *blk;
    Guest *g = slow_guest(&blk);

    submit_reads(g, 20);
    guest_unplug(g);
    guest_free(g);
    block_unref(blk);
}

int main(int argc, char **argv)
{
    static const BlockOptions uring = { .aio = BLOCK_AIO_IO_URING };
    static const BlockOptions threads = { .aio = BLOCK_AIO_THREADS };
    static const BlockOptions direct = { .cache_direct = true };
    static const BlockOptions writethrough = { .writethrough = true };

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/block-queue/io_uring/data", &uring, test_data);
    g_test_add_data_func("/block-queue/io_uring/errors", &uring, test_errors);
    g_test_add_data_func("/block-queue/threads/data", &threads, test_data);
    g_test_add_data_func("/block-queue/threads/errors", &threads, test_errors);
    g_test_add_data_func("/block-queue/direct/data", &direct, test_data);
    g_test_add_data_func("/block-queue/writethrough/data", &writethrough, test_data);
    g_test_add_func("/block-queue/direct/parts-of-blocks", test_direct_part_writes);
    g_test_add_func("/block-queue/statistics", test_stats);
    g_test_add_func("/block-queue/virtio/many-in-flight", test_many_in_flight);
    g_test_add_func("/block-queue/virtio/reset-in-the-middle", test_reset);
    g_test_add_func("/block-queue/virtio/queue-ends-in-the-middle", test_queue_ends);
    g_test_add_func("/block-queue/virtio/rerror", test_error_policy);
    g_test_add_func("/block-queue/virtio/unplug-in-the-middle", test_unplug);
    return g_test_run();
}
