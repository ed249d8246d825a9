/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for 9P messages: a session over a made up tree, or over a temporary directory.
 * Input: one byte of choices, then messages, each a byte of length before its type, tag and body;
 * the size field is made to fit unless the choice says that it is in the input, too. The directory
 * is emptied now and then, and nothing outside of it may change.
 * Run: tests/fuzz/fuzz-9p -max_len=2048 CORPUS
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "hw/9p/p9-proto.h"
#include "hw/9p/p9.h"
#include "p9-client.h"

enum { CHOICE_LOCAL = 1, CHOICE_UNIX = 2, CHOICE_RAW_SIZE = 4, CHOICE_MAPPED_FILE = 8 };
enum { MSIZE = 4096, SMALL_REPLY = 16, EMPTY_EVERY = 256 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FsDev *backends[3]; /* synth, local none, local mapped-file */
static char *directory;    /* with root0, root1 and a file beside them */
static const char canary[] = "untouched";

static void remove_inside(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        if (!g_file_test(child, G_FILE_TEST_IS_SYMLINK) && g_file_test(child, G_FILE_TEST_IS_DIR)) {
            g_chmod(child, 0700);
            remove_inside(child);
            g_rmdir(child);
        } else {
            g_unlink(child);
        }
    }
}

static FsDev *open_local(const char *id, const char *model)
{
    g_autofree char *path = g_build_filename(directory, id, NULL);

    g_assert(g_mkdir(path, 0700) == 0);
    return fsdev_open(
        &(FsDevOptions){ .driver = "local", .id = id, .path = path, .security_model = model },
        NULL);
}

static void clean_up(void)
{
    remove_inside(directory);
    g_rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_autofree char *beside = NULL;

    directory = g_dir_make_tmp("humpy-fuzz-9p-XXXXXX", NULL);
    beside = g_build_filename(directory, "canary", NULL);
    g_assert(g_file_set_contents(beside, canary, -1, NULL));
    backends[0] = fsdev_open(&(FsDevOptions){ .driver = "synth", .id = "synth" }, NULL);
    backends[1] = open_local("root0", "none");
    backends[2] = open_local("root1", "mapped-file");
    atexit(clean_up);
    return 0;
}

/* A message that is given up from the start, so that nothing waits. */
static void serve(P9Session *s, const uint8_t *data, size_t len, size_t room_size)
{
    uint8_t room[MSIZE];
    /* As large as it is, in two pieces: reading behind the end is seen. */
    g_autofree uint8_t *first = g_memdup2(data, len / 2);
    g_autofree uint8_t *second = g_memdup2(data + len / 2, len - len / 2);
    struct iovec out[2] = { { first, len / 2 }, { second, len - len / 2 } };
    struct iovec in[2] = { { room, MIN(7, room_size) },
                           { room + 7, room_size - MIN(7, room_size) } };
    P9Message m = {
        .out = out,
        .n_out = 2,
        .out_size = len,
        .in = in,
        .n_in = 2,
        .in_size = room_size,
        .call = fs_call_new(),
    };

    fs_call_cancel(m.call);
    if (p9_read_header(&m) && p9_serve(s, &m)) {
        g_assert(m.reply_size <= room_size);
        g_assert(m.reply_size == 0 || m.reply_size >= P9_HEADER_SIZE);
    }
    fs_call_free(m.call);
}

static void serve_message(P9Session *s, GByteArray *m)
{
    serve(s, m->data, m->len, MSIZE);
    g_byte_array_unref(m);
}

static void check_canary(void)
{
    static unsigned runs;
    g_autofree char *beside = g_build_filename(directory, "canary", NULL), *text = NULL;

    if (runs++ % EMPTY_EVERY != 0) {
        return;
    }
    g_assert(g_file_get_contents(beside, &text, NULL, NULL) && strcmp(text, canary) == 0);
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *name = g_strdup_printf("%s/root%u", directory, i);

        g_chmod(name, 0700);
        remove_inside(name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t choices = size > 0 ? *data : 0;
    unsigned which = (choices & CHOICE_LOCAL) == 0         ? 0
                     : (choices & CHOICE_MAPPED_FILE) != 0 ? 2
                                                           : 1;
    P9Session *s = p9_session_new(backends[which]);
    size_t pos = 1;

    serve_message(s, p9c_message(P9_TVERSION, 1, "ds", MSIZE,
                                 (choices & CHOICE_UNIX) != 0 ? "9P2000.u" : "9P2000.L"));
    serve_message(s, p9c_message(P9_TATTACH, 1, "ddssd", 0, -1, "", "", getuid()));
    while (pos < size) {
        size_t len = MIN(data[pos], size - pos - 1);
        g_autofree uint8_t *message = g_malloc(len + 4);
        uint32_t whole = GUINT32_TO_LE(len + 4);

        memcpy(message, &whole, 4);
        memcpy(message + 4, data + pos + 1, len);
        if ((choices & CHOICE_RAW_SIZE) != 0) {
            serve(s, message + 4, len, (data[pos] & 1) != 0 ? SMALL_REPLY : MSIZE);
        } else {
            serve(s, message, len + 4, MSIZE);
        }
        pos += len + 1;
    }
    p9_session_free(s);
    check_canary();
    return 0;
}
