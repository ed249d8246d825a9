/* SPDX-License-Identifier: GPL-2.0-or-later
 * See chardev-double.h.
 */
#include "chardev-double.h"

#include <string.h>

#include "util/error.h"

bool chardev_attach(Chardev *chr, const ChardevFrontend *fe, void *opaque, GError **error)
{
    if (chr->refuse) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "in use");
        return false;
    }
    chr->fe = fe;
    chr->opaque = opaque;
    return true;
}

/* Tests hand theirs over by themselves. */
Chardev *chardev_find(const char *id)
{
    return NULL;
}

void chardev_detach(Chardev *chr)
{
    chr->fe = NULL;
}

void chardev_accept_input(Chardev *chr)
{
    chr->accepted++;
}

size_t chardev_write(Chardev *chr, const void *buf, size_t len)
{
    g_string_append_len(chr->written, buf, len);
    return len;
}

size_t chardev_double_type(Chardev *chr, const char *text)
{
    size_t room = chr->fe->can_receive(chr->opaque); /* once: other threads change it */
    size_t len = MIN(strlen(text), room);

    if (len > 0) {
        chr->fe->receive(chr->opaque, (const uint8_t *)text, len);
    }
    return len;
}

static void on_irq(void *opaque, int n, int level)
{
    Bench *b = opaque;

    b->edges += level && !b->level;
    b->level = level;
}

void bench_set_up(Bench *b, Device *uart)
{
    g_autoptr(GError) error = NULL;

    memory_region_init(&b->root, NULL, "root", UINT64_MAX);
    b->as = address_space_new(&b->root, "test");
    b->chr.written = g_string_new(NULL);
    b->uart = uart;
    device_connect_irq(uart, 0, irq_new(on_irq, b, 0));
    g_assert_true(device_realize(uart, &error));
    g_assert_no_error(error);
    device_map(uart, 0, &b->root, 0);
}

void bench_tear_down(Bench *b, gconstpointer data)
{
    device_unrealize(b->uart);
    g_assert_null(b->chr.fe);
    g_object_unref(b->uart);
    address_space_free(b->as);
    memory_region_destroy(&b->root);
    g_string_free(b->chr.written, TRUE);
}
