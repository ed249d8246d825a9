/* SPDX-License-Identifier: GPL-2.0-or-later
 * "isa-debugcon": bytes written to its port go to a character back end; reading gives a fixed value
 * by which a guest knows that it is there. Runs in vCPU threads. Nothing comes in.
 */
#include "chardev/chardev.h"
#include "hw/misc/debug-exit.h"
#include "util/error.h"

enum { PORT = 0xe9 };

struct _Debugcon {
    Device parent_instance;
    uint32_t port, readback; /* properties */
    char *chardev;
    Chardev *chr;
    MemoryRegion mr;
};

DEVICE_DEFINE_TYPE(Debugcon, debugcon, "isa-debugcon", TYPE_DEVICE)

static uint64_t debugcon_read(void *opaque, hwaddr offset, unsigned size)
{
    return ((Debugcon *)opaque)->readback;
}

static void debugcon_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Debugcon *s = opaque;
    uint8_t byte = value;

    chardev_write(s->chr, &byte, 1);
}

static const MemoryRegionOps debugcon_ops = {
    .read = debugcon_read,
    .write = debugcon_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 1 },
    .impl = { .min_access_size = 1, .max_access_size = 1 },
};

static size_t can_receive(void *opaque)
{
    return 0;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
}

static const ChardevFrontend frontend = { .can_receive = can_receive, .receive = receive };

static bool debugcon_realize(Device *dev, GError **error)
{
    Debugcon *s = HUMPY_DEBUGCON(dev);

    if (s->chardev == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "chardev is missing: the id of a -chardev");
        return false;
    }
    s->chr = chardev_find(s->chardev);
    if (s->chr == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev with id '%s'",
                    s->chardev);
        return false;
    }
    if (!chardev_attach(s->chr, &frontend, s, error)) {
        return false;
    }
    memory_region_init_io(&s->mr, G_OBJECT(dev), &debugcon_ops, s, "isa-debugcon", 1);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void debugcon_unrealize(Device *dev)
{
    Debugcon *s = HUMPY_DEBUGCON(dev);

    memory_region_destroy(&s->mr);
    chardev_detach(s->chr);
    s->chr = NULL;
}

static const Prop debugcon_props[] = {
    PROP_U32("iobase", Debugcon, port, PORT, 0, UINT16_MAX, "Its port"),
    PROP_U32("readback", Debugcon, readback, PORT, 0, UINT8_MAX, "What reading it gives"),
    PROP_STRING("chardev", Debugcon, chardev, NULL, "Id of the character back end"),
};

static void debugcon_init(Debugcon *s)
{
}

static void debugcon_class_init(DebugconClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Port to which a guest writes its debugging output";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->not_hotpluggable = true;
    dc->realize = debugcon_realize;
    dc->unrealize = debugcon_unrealize;
    props_install(G_OBJECT_CLASS(klass), debugcon_props, G_N_ELEMENTS(debugcon_props));
}
