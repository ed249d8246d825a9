/* SPDX-License-Identifier: GPL-2.0-or-later
 * See virtio-echo-guest.h.
 */
#include "virtio-echo-guest.h"

#include <string.h>

static unsigned messages;
static char *last_message;
static pthread_mutex_t messages_lock = PTHREAD_MUTEX_INITIALIZER;

Guest *echo_guest(const GuestKind *kind)
{
    Guest *g = guest_new(kind);

    g_type_ensure(TYPE_VIRTIO_ECHO);
    guest_plug_ok(g, "virtio-echo-device", NULL);
    return g;
}

Guest *echo_started(const GuestKind *kind, uint64_t features)
{
    Guest *g = echo_guest(kind);

    guest_start(g, features);
    return g;
}

VirtIOEcho *echo(Guest *g)
{
    return HUMPY_VIRTIO_ECHO(g->dev);
}

void echo_works(Guest *g, unsigned queue)
{
    uint64_t out = RAM_BASE + RAM_SIZE - 8192, in = out + 4096;
    Buf bufs[] = { { out, 4, false }, { in, 4, true } };

    memcpy(guest_ptr(g, out), "ping", 4);
    memset(guest_ptr(g, in), 0, 4);
    guest_submit(g, queue, bufs, 2);
    g_assert_cmpuint(guest_wait(g, queue).len, ==, 4);
    g_assert_cmpmem(guest_ptr(g, in), 4, "ping", 4);
}

void echo_submit_one(Guest *g)
{
    uint64_t out = RAM_BASE + RAM_SIZE - 64;

    guest_submit(g, 0, &(Buf){ out, 8, false }, 1);
}

static GLogWriterOutput count_messages(GLogLevelFlags level, const GLogField *fields, gsize n,
                                       gpointer data)
{
    if ((level & G_LOG_LEVEL_MESSAGE) != 0) {
        pthread_mutex_lock(&messages_lock);
        messages++;
        g_free(last_message);
        last_message = g_log_writer_format_fields(level, fields, n, FALSE);
        pthread_mutex_unlock(&messages_lock);
        return G_LOG_WRITER_HANDLED;
    }
    return g_log_writer_default(level, fields, n, data);
}

void echo_needs_reset(Guest *g, const char *what)
{
    int handled;

    g_test_message("%s", what);
    guest_wait_isr(g, ISR_CONFIG);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, !=, 0);
    handled = g_atomic_int_get(&echo(g)->handled);
    guest_publish(g, 1, guest_chain(g, 1, &(Buf){ RAM_BASE, 8, false }, 1));
    guest_notify(g, 1);
    guest_driver_ok(g);
    guest_barrier(g);
    g_assert_cmpint(g_atomic_int_get(&echo(g)->handled), ==, handled);
    g_assert_cmphex(guest_rd(g, R_STATUS) & S_NEEDS_RESET, !=, 0);
    g_assert_cmpint(g_atomic_int_get(&g->trapped), ==, 0);
    g->next_free = RAM_BASE;
    guest_start(g, UINT64_MAX);
    echo_works(g, 0);
    echo_works(g, 1);
}

unsigned echo_messages(void)
{
    unsigned n;

    pthread_mutex_lock(&messages_lock);
    n = messages;
    messages = 0;
    pthread_mutex_unlock(&messages_lock);
    return n;
}

char *echo_last_message(void)
{
    char *text;

    pthread_mutex_lock(&messages_lock);
    text = g_strdup(last_message);
    pthread_mutex_unlock(&messages_lock);
    return text;
}

void echo_test_init(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    g_log_set_writer_func(count_messages, NULL, NULL);
}
