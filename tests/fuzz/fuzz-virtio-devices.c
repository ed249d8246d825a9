/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a hostile driver says to the console, balloon, socket and input devices: requests with bytes
 * of the fuzzer's choice in any queue, configuration writes, resets, in any order. Rings themselves
 * are whole here; fuzz-virtqueue breaks them.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev/chardev.h"
#include "display/input.h"
#include "hw/core/bus.h"
#include "virtio-driver.h"

enum { N_DEVICES = 5, BUFFER = 2048, FIRST_BUFFER = RAM_BASE + (1 << 20), MAX_OPS = 64 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *scratch;
static uint64_t rings_end;

static GLogWriterOutput drop_message(GLogLevelFlags level, const GLogField *fields, gsize n,
                                     gpointer opaque)
{
    return (level & G_LOG_LEVEL_MESSAGE) != 0 ? G_LOG_WRITER_HANDLED
                                              : g_log_writer_default(level, fields, n, opaque);
}

static void add_port(const char *type, const char *chardev)
{
    g_autoptr(Device) dev = device_new(type, NULL);

    props_set_str(G_OBJECT(dev), "chardev", chardev, NULL);
    props_set_str(G_OBJECT(dev), "name", "fuzz", NULL);
    g_assert(bus_add_device(bus_find_free("virtio-serial-bus", NULL), dev, NULL));
}

static Guest *make_guest(unsigned which)
{
    static const char *const types[N_DEVICES] = { "virtio-serial-device", "virtio-balloon-device",
                                                  "virtio-vsock-device", "virtio-keyboard-device",
                                                  "virtio-tablet-device" };
    Guest *g = guest_new(&guest_kinds[0]);
    g_autofree char *path = g_strdup_printf("path=%s/v", scratch);
    const char *vsock[] = { "guest-cid=3", path, NULL };
    const char *balloon[] = { "free-page-reporting=on", NULL };

    guest_plug_ok(g, types[which], which == 1 ? balloon : which == 2 ? vsock : NULL);
    if (which == 0) {
        g_assert(chardev_new("ringbuf,id=r,size=64", NULL) != NULL);
        g_assert(chardev_new("null,id=n", NULL) != NULL);
        add_port("virtconsole", "r");
        add_port("virtserialport", "n");
    }
    return g;
}

static Guest *guest_for(uint8_t choice)
{
    static Guest *guests[N_DEVICES];
    unsigned which = choice % N_DEVICES;

    if (guests[which] == NULL) {
        guests[which] = make_guest(which);
    }
    return guests[which];
}

/* Somebody the guest's connections to port 5 reach: what they say is thrown away. */
static void listen_for_guests(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/v_5", scratch);
    g_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 64) == 0);
}

static void clean_up(void)
{
    g_autofree char *v = g_strdup_printf("%s/v", scratch), *v5 = g_strdup_printf("%s/v_5", scratch);

    g_unlink(v);
    g_unlink(v5);
    g_rmdir(scratch);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_log_set_writer_func(drop_message, NULL, NULL);
    scratch = g_dir_make_tmp("humpy-fuzz-XXXXXX", NULL);
    atexit(clean_up);
    listen_for_guests();
    return 0;
}

typedef struct {
    const uint8_t *data;
    size_t size;
} Input;

static uint8_t take8(Input *in)
{
    if (in->size == 0) {
        return 0;
    }
    in->size--;
    return *in->data++;
}

/* A buffer with the next bytes of the input, up to a length of its choice. */
static Buf take_buffer(Guest *g, Input *in, unsigned i, bool write)
{
    size_t len = 1 + take8(in) * 8 % BUFFER, have = MIN(len, in->size);
    uint64_t at = FIRST_BUFFER + i % 64 * BUFFER;

    if (!write) {
        memset(guest_ptr(g, at), 0, len);
        memcpy(guest_ptr(g, at), in->data, have);
        in->data += have;
        in->size -= have;
    }
    return (Buf){ at, len, write };
}

/* A packet that gets past the first checks of the socket device. */
static Buf vsock_packet(Guest *g, Input *in, unsigned i)
{
    uint64_t at = FIRST_BUFFER + i % 64 * BUFFER;
    uint8_t *p = guest_ptr(g, at), op = take8(in), len = take8(in);

    memset(p, 0, BUFFER);
    p[0] = 3;              /* from the guest */
    p[8] = 2;              /* to the host */
    p[16] = take8(in) % 4; /* from port */
    p[20] = 5;             /* to port */
    p[24] = len;
    p[28] = 1; /* stream */
    p[30] = op % 9;
    p[32] = op >> 4; /* flags */
    p[36 + op % 4] = take8(in);
    p[40] = take8(in);
    return (Buf){ at, 44 + len, false };
}

static void one_op(Guest *g, Input *in, unsigned i, bool vsock)
{
    uint8_t op = take8(in), where = take8(in);
    unsigned queue = where % G_N_ELEMENTS(g->queues);
    uint64_t value = take8(in);
    Buf bufs[2];
    unsigned n = 0;

    if (op % 8 == 7) {
        address_space_st(g->as, MMIO_BASE + R_CONFIG + where % 64, 1 << op / 8 % 3, value);
        address_space_ld(g->as, MMIO_BASE + R_CONFIG + where % 64, 1, &value);
        return;
    }
    if (op % 8 == 6) {
        input_send(&(InputEvent){ 1 + op / 8 % 3, value, where }, 1);
        return;
    }
    if (g->queues[queue].size == 0) {
        return;
    }
    if (op % 8 == 5 && vsock) {
        queue = 1;
        bufs[n++] = vsock_packet(g, in, i);
    } else if (op % 2 == 0) {
        bufs[n++] = take_buffer(g, in, 2 * i, false);
    }
    if (n == 0 || op % 8 == 4) {
        bufs[n++] = take_buffer(g, in, 2 * i + 1, true);
    }
    guest_submit(g, queue, bufs, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };
    uint8_t choice = take8(&in);
    Guest *g = guest_for(choice);
    unsigned ops = 1 + take8(&in) % MAX_OPS;

    g->next_free = RAM_BASE;
    guest_start(g, choice & 0x80 ? UINT64_MAX : ~(1ull << 1));
    for (unsigned i = 0; i < ops && in.size > 0; i++) {
        one_op(g, &in, i, choice % N_DEVICES == 2);
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
    guest_barrier(g);
    rings_end = MAX(rings_end, g->next_free);
    g_assert(rings_end <= FIRST_BUFFER);
    guest_wr(g, R_STATUS, 0);
    g_assert(guest_rd(g, R_STATUS) == 0);
    g_assert(g_atomic_int_get(&g->trapped) == 0);
    return 0;
}
