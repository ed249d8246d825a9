/* SPDX-License-Identifier: GPL-2.0-or-later
 * The back end that takes everything and says nothing.
 */
#include "chardev-priv.h"

static bool null_open(Chardev *chr, KeyVal *kv, GError **error)
{
    chr->opened = true;
    return true;
}

static size_t null_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    return len;
}

static void null_close(Chardev *chr)
{
}

const ChardevOps chardev_null_ops = {
    .name = "null",
    .summary = "discards what is written",
    .keys = (const char *const[]){ NULL },
    .open = null_open,
    .write = null_write,
    .close = null_close,
};
