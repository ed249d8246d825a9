/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtio-pci device types: a row each gives "virtio-X-pci" and, where there is a legacy
 * interface, "-transitional" and "-non-transitional". PCI numbers are those of virtio 1.2, section
 * 4.1.2.
 */
#include <linux/virtio_ids.h>
#include <string.h>

#include "hw/core/qom.h"
#include "hw/pci/pci-ids.h"
#include "virtio-pci-priv.h"

#define AUTO VIRTIO_PCI_VECTORS_AUTO

static const VirtIOPciRow rows[] = {
    { "virtio-blk", NULL, VIRTIO_ID_BLOCK, 0x1001, PCI_CLASS_SCSI, AUTO, "virtio disk" },
    { "virtio-rng", NULL, VIRTIO_ID_RNG, 0x1005, PCI_CLASS_OTHER, AUTO, "virtio entropy source" },
    { "virtio-net", NULL, VIRTIO_ID_NET, 0x1000, PCI_CLASS_ETHERNET, AUTO, "virtio network card" },
    { "virtio-serial", NULL, VIRTIO_ID_CONSOLE, 0x1003, PCI_CLASS_COMMUNICATION, 2,
      "virtio serial ports" },
    { "virtio-balloon", NULL, VIRTIO_ID_BALLOON, 0x1002, PCI_CLASS_OTHER, AUTO,
      "virtio memory balloon" },
    { "virtio-9p", NULL, VIRTIO_ID_9P, 0x1009, 0x0002, 2, "virtio 9p file system" },
    { "virtio-vsock", NULL, VIRTIO_ID_VSOCK, 0, PCI_CLASS_COMMUNICATION, AUTO, "virtio sockets" },
    { "vhost-vsock", NULL, VIRTIO_ID_VSOCK, 0, PCI_CLASS_COMMUNICATION, AUTO,
      "sockets to the host's kernel" },
    { "virtio-gpu", NULL, VIRTIO_ID_GPU, 0, PCI_CLASS_DISPLAY, AUTO, "virtio display" },
    { "virtio-keyboard", NULL, VIRTIO_ID_INPUT, 0, PCI_CLASS_INPUT_KEYBOARD, 2, "virtio keyboard" },
    { "virtio-mouse", NULL, VIRTIO_ID_INPUT, 0, PCI_CLASS_INPUT_MOUSE, 2, "virtio mouse" },
    { "virtio-tablet", NULL, VIRTIO_ID_INPUT, 0, PCI_CLASS_INPUT, 2, "virtio tablet" },
};

typedef struct {
    const VirtIOPciRow *row;
    VirtIOPciVariant variant;
} TypeData;

static const Prop generic_props[] = {
    PROP_ONOFFAUTO("disable-legacy", VirtIOPci, disable_legacy,
                   "No legacy interface; auto: none behind a PCI Express port"),
    PROP_BOOL("disable-modern", VirtIOPci, disable_modern, false, "No modern interface"),
};

static void class_init(gpointer klass, gpointer data)
{
    const TypeData *type = data;
    VirtIOPciClass *vc = klass;

    vc->row = type->row;
    vc->variant = type->variant;
    HUMPY_PCI_DEVICE_CLASS(klass)->class_id = type->row->class_id;
    HUMPY_DEVICE_CLASS(klass)->summary = type->row->summary;
    HUMPY_DEVICE_CLASS(klass)->user_creatable = true;
    if (type->variant == VIRTIO_PCI_GENERIC) {
        props_install(G_OBJECT_CLASS(klass), generic_props, G_N_ELEMENTS(generic_props));
    }
}

static char *inner_name(const VirtIOPciRow *row)
{
    return row->inner != NULL ? g_strdup(row->inner) : g_strconcat(row->name, "-device", NULL);
}

static void instance_init(GTypeInstance *instance, gpointer klass)
{
    VirtIOPci *s = VIRTIO_PCI_OF(instance);
    g_autofree char *name = inner_name(((VirtIOPciClass *)klass)->row);

    s->inner = g_object_new(g_type_from_name(name), NULL);
    qom_add_child(G_OBJECT(instance), "virtio-backend", G_OBJECT(s->inner));
}

static void register_type(const VirtIOPciRow *row, VirtIOPciVariant variant, const char *suffix)
{
    g_autofree char *name = g_strconcat(row->name, "-pci", suffix, NULL);
    TypeData *data;
    GTypeInfo info = {
        .class_size = sizeof(VirtIOPciClass),
        .class_init = class_init,
        .instance_size = sizeof(VirtIOPci),
        .instance_init = instance_init,
    };

    if (g_type_from_name(name) != 0) {
        return;
    }
    data = g_new(TypeData, 1); /* as long as the type: for ever */
    *data = (TypeData){ .row = row, .variant = variant };
    info.class_data = data;
    g_type_register_static(TYPE_VIRTIO_PCI, name, &info, 0);
}

GType virtio_pci_register_types(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *inner = inner_name(&rows[i]);

        if (g_type_from_name(inner) == 0) {
            continue; /* this build does not have the device */
        }
        register_type(&rows[i], VIRTIO_PCI_GENERIC, "");
        if (rows[i].transitional_id != 0) {
            register_type(&rows[i], VIRTIO_PCI_TRANSITIONAL, "-transitional");
            register_type(&rows[i], VIRTIO_PCI_NON_TRANSITIONAL, "-non-transitional");
        }
    }
    return TYPE_VIRTIO_PCI;
}
