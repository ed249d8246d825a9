/* SPDX-License-Identifier: GPL-2.0-or-later
 * hub: one device with several back ends. What the device writes goes to each of them; what any of
 * them reads goes to the device. So a console can be on a terminal and on a socket at a time.
 * A back end that takes nothing loses bytes by its own rules and does not hold up the others for
 * longer than they say.
 */
#include "chardev-priv.h"

#include "util/error.h"

enum { MAX_PARTS = 4 };

typedef struct {
    unsigned n_parts;
    Chardev *parts[MAX_PARTS]; /* attached; they outlive the hub, being in use */
} Hub;

static size_t part_room(void *opaque)
{
    return chardev_frontend_room(opaque);
}

static void part_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Chardev *chr = opaque;

    chr->frontend->receive(chr->frontend_opaque, buf, len);
}

static void part_event(void *opaque, ChardevEvent event)
{
    Chardev *chr = opaque;
    const Hub *hub = chr->state;
    bool any = false;

    if (event == CHARDEV_BREAK) {
        chardev_event(chr, event);
        return;
    }
    for (unsigned i = 0; i < hub->n_parts; i++) {
        any = any || hub->parts[i]->opened;
    }
    chardev_set_opened(chr, any);
}

static const ChardevFrontend part_functions = {
    .can_receive = part_room,
    .receive = part_receive,
    .event = part_event,
};

static bool add_part(Chardev *chr, const char *key, const char *id, GError **error)
{
    Hub *hub = chr->state;
    Chardev *part = chardev_find(id);

    if (part == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "%s: there is no chardev '%s' before it", key, id);
        return false;
    }
    if (part->ops == &chardev_hub_ops) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s: chardev '%s' is a hub itself, which a hub cannot have", key, id);
        return false;
    }
    hub->parts[hub->n_parts++] = part;
    if (!chardev_attach(part, &part_functions, chr, error)) {
        g_prefix_error(error, "%s: ", key);
        hub->n_parts--;
        return false;
    }
    return true;
}

static bool hub_open(Chardev *chr, KeyVal *kv, GError **error)
{
    Hub *hub = g_new0(Hub, 1);

    chr->state = hub;
    if (chr->mux != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "mux=on belongs to one of its chardevs, not to the hub");
        return false;
    }
    for (unsigned i = 0; i < MAX_PARTS; i++) {
        g_autofree char *key = g_strdup_printf("chardevs.%u", i);
        const char *id = keyval_take(kv, key);

        if (id != NULL && !add_part(chr, key, id, error)) {
            return false;
        }
    }
    if (hub->n_parts == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'chardevs.0' is missing");
        return false;
    }
    return true;
}

static size_t hub_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    const Hub *hub = chr->state;

    for (unsigned i = 0; i < hub->n_parts; i++) {
        if (chr->impatient) {
            chardev_try_write(hub->parts[i], buf, len);
        } else {
            chardev_write(hub->parts[i], buf, len);
        }
    }
    return len;
}

static void hub_accept_input(Chardev *chr)
{
    const Hub *hub = chr->state;

    for (unsigned i = 0; i < hub->n_parts; i++) {
        chardev_accept_input(hub->parts[i]);
    }
}

static void hub_close(Chardev *chr)
{
    Hub *hub = chr->state;

    for (unsigned i = 0; i < hub->n_parts; i++) {
        chardev_detach(hub->parts[i]);
    }
    g_free(hub);
}

const ChardevOps chardev_hub_ops = {
    .name = "hub",
    .summary = "several others at a time",
    .keys = (const char *const[]){ "chardevs.0", "chardevs.1", "chardevs.2", "chardevs.3", NULL },
    .open = hub_open,
    .write = hub_write,
    .accept_input = hub_accept_input,
    .close = hub_close,
};
