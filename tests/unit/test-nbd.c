/* SPDX-License-Identifier: GPL-2.0-or-later
 * The nbd driver against a real server (nbdkit) on a UNIX socket.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/block.h"

typedef struct {
    char *dir, *socket, *pidfile;
    GPid pid;
} Server;

/* nbdkit's plug-in and its arguments. NULL: there is no nbdkit. */
static Server *server_new(const char *const *plugin, bool read_only)
{
    g_autofree char *program = g_find_program_in_path("nbdkit");
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    Server *s;

    if (program == NULL) {
        g_test_skip("no nbdkit");
        return NULL;
    }
    s = g_new0(Server, 1);
    s->dir = g_dir_make_tmp("humpy-nbd-XXXXXX", NULL);
    s->socket = g_build_filename(s->dir, "sock", NULL);
    s->pidfile = g_build_filename(s->dir, "pid", NULL);
    g_ptr_array_add(argv, program);
    g_ptr_array_add(argv, (char *)"-f");
    g_ptr_array_add(argv, (char *)"-U");
    g_ptr_array_add(argv, s->socket);
    g_ptr_array_add(argv, (char *)"-P");
    g_ptr_array_add(argv, s->pidfile);
    if (read_only) {
        g_ptr_array_add(argv, (char *)"-r");
    }
    for (; *plugin != NULL; plugin++) {
        g_ptr_array_add(argv, (char *)*plugin);
    }
    g_ptr_array_add(argv, NULL);
    g_assert_true(g_spawn_async(NULL, (char **)argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                NULL, &s->pid, NULL));
    while (access(s->pidfile, F_OK) != 0) { /* written once it listens */
        g_assert_cmpint(waitpid(s->pid, NULL, WNOHANG), ==, 0);
        g_thread_yield();
    }
    return s;
}

static void server_free(Server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    g_unlink(s->socket);
    g_unlink(s->pidfile);
    g_rmdir(s->dir);
    g_free(s->socket);
    g_free(s->pidfile);
    g_free(s->dir);
    g_free(s);
}

static BlockBackend *connect_to(Server *s, GError **error)
{
    return block_open(&(BlockOptions){ .driver = BLOCK_DRIVER_NBD, .nbd_path = s->socket }, error);
}

static void test_data(void)
{
    Server *s = server_new((const char *[]){ "memory", "1M", NULL }, false);
    g_autoptr(GError) error = NULL;
    g_autofree char *uri = NULL;
    uint8_t out[4096], in[4096];
    struct iovec write_iov[] = { { out, 512 }, { out + 512, 3584 } };
    BlockBackend *blk;

    if (s == NULL) {
        return;
    }
    uri = g_strdup_printf("nbd+unix:///?socket=%s", s->socket);
    blk = block_open(&(BlockOptions){ .driver = BLOCK_DRIVER_NBD, .filename = uri }, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(block_length(blk), ==, 1 << 20);
    memset(out, 0x5a, sizeof(out));
    g_assert_cmpint(block_pwritev(blk, 8192, write_iov, 2), ==, 0);
    g_assert_cmpint(block_flush(blk), ==, 0);
    g_assert_cmpint(block_preadv(blk, 8192, &(struct iovec){ in, 4096 }, 1), ==, 0);
    g_assert_cmpmem(in, 4096, out, 4096);
    g_assert_cmpint(block_write_zeroes(blk, 8192, 1024, false), ==, 0);
    g_assert_cmpint(block_preadv(blk, 8192, &(struct iovec){ in, 4096 }, 1), ==, 0);
    memset(out, 0, 1024);
    g_assert_cmpmem(in, 4096, out, 4096);
    g_assert_cmpint(block_discard(blk, 0, 1 << 20), ==, 0);
    block_unref(blk);
    server_free(s);
}

static void test_read_only(void)
{
    Server *s = server_new((const char *[]){ "memory", "1M", NULL }, true);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;

    if (s == NULL) {
        return;
    }
    g_assert_null(connect_to(s, &error));
    g_assert_cmpstr(error->message, ==, "the NBD export is read-only (read-only=on uses it so)");
    blk = block_open(
        &(BlockOptions){ .driver = BLOCK_DRIVER_NBD, .nbd_path = s->socket, .read_only = true },
        NULL);
    g_assert_nonnull(blk);
    block_unref(blk);
    server_free(s);
}

static void test_server_dies(void)
{
    Server *s = server_new((const char *[]){ "memory", "1M", NULL }, false);
    uint8_t buf[512];
    BlockBackend *blk;

    if (s == NULL) {
        return;
    }
    blk = connect_to(s, NULL);
    g_assert_nonnull(blk);
    kill(s->pid, SIGKILL);
    g_assert_cmpint(block_preadv(blk, 0, &(struct iovec){ buf, 512 }, 1), <, 0);
    g_assert_cmpint(block_preadv(blk, 0, &(struct iovec){ buf, 512 }, 1), <, 0);
    block_unref(blk);
    server_free(s);
}

typedef struct {
    BlockBackend *blk;
    uint64_t offset;
    int result;
} Reader;

static void *read_sector(void *opaque)
{
    Reader *r = opaque;
    uint8_t buf[512];

    r->result = block_preadv(r->blk, r->offset, &(struct iovec){ buf, 512 }, 1);
    return NULL;
}

/* The server answers the read of the first sector when that of the second is there. */
static void test_several_in_flight(void)
{
    static const char *const plugin[] = {
        "eval", "get_size=echo 1024", "thread_model=echo parallel",
        "pread=if [ $4 = 0 ]; then touch $tmpdir/first; until [ -e $tmpdir/second ]; do sleep .01; "
        "done; else until [ -e $tmpdir/first ]; do sleep .01; done; touch $tmpdir/second; fi; "
        "head -c $3 /dev/zero",
        NULL
    };
    Server *s = server_new(plugin, true);
    Reader readers[2] = { { .offset = 0 }, { .offset = 512 } };
    GThread *threads[2];
    BlockBackend *blk;

    if (s == NULL) {
        return;
    }
    blk = block_open(
        &(BlockOptions){ .driver = BLOCK_DRIVER_NBD, .nbd_path = s->socket, .read_only = true },
        NULL);
    g_assert_nonnull(blk);
    for (unsigned i = 0; i < 2; i++) {
        readers[i].blk = blk;
        threads[i] = g_thread_new("reader", read_sector, &readers[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        g_thread_join(threads[i]);
        g_assert_cmpint(readers[i].result, ==, 0);
    }
    block_unref(blk);
    server_free(s);
}

/* Whatever is in flight when the server dies fails, and nobody waits for ever. */
static void test_dies_in_flight(void)
{
    static const char *const plugin[] = { "eval", "get_size=echo 1048576",
                                          "thread_model=echo parallel", "pread=kill -9 $PPID",
                                          NULL };
    Server *s = server_new(plugin, true);
    Reader readers[8];
    GThread *threads[G_N_ELEMENTS(readers)];
    BlockBackend *blk;

    if (s == NULL) {
        return;
    }
    blk = block_open(
        &(BlockOptions){ .driver = BLOCK_DRIVER_NBD, .nbd_path = s->socket, .read_only = true },
        NULL);
    g_assert_nonnull(blk);
    for (unsigned i = 0; i < G_N_ELEMENTS(readers); i++) {
        readers[i] = (Reader){ .blk = blk, .offset = i * 512 };
        threads[i] = g_thread_new("reader", read_sector, &readers[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(readers); i++) {
        g_thread_join(threads[i]);
        g_assert_cmpint(readers[i].result, <, 0);
    }
    block_unref(blk);
    server_free(s);
}

static void test_odd_size(void)
{
    Server *s = server_new((const char *[]){ "memory", "1000", NULL }, false);
    g_autoptr(GError) error = NULL;

    if (s == NULL) {
        return;
    }
    g_assert_null(connect_to(s, &error));
    g_assert_nonnull(strstr(error->message, "has 1000 bytes"));
    server_free(s);
}

static void test_no_server(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(block_open(
        &(BlockOptions){ .driver = BLOCK_DRIVER_NBD, .nbd_path = "/nonexistent/sock" }, &error));
    g_assert_nonnull(strstr(error->message, "cannot connect to the NBD server"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nbd/data-flush-zeroes-discard", test_data);
    g_test_add_func("/nbd/read-only-export", test_read_only);
    g_test_add_func("/nbd/server-dies", test_server_dies);
    g_test_add_func("/nbd/several-in-flight", test_several_in_flight);
    g_test_add_func("/nbd/server-dies-with-requests-in-flight", test_dies_in_flight);
    g_test_add_func("/nbd/size-not-in-sectors", test_odd_size);
    g_test_add_func("/nbd/no-server", test_no_server);
    return g_test_run();
}
