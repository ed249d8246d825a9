/* SPDX-License-Identifier: GPL-2.0-or-later
 * PCI buses: who sits in which slot, which function a configuration access means, and what lies
 * behind bridges. Interrupt lines are pci-irq.c's.
 */
#include <string.h>

#include "pci-priv.h"
#include "util/error.h"

DEVICE_DEFINE_TYPE(PciBus, pci_bus, "PCIE", TYPE_BUS)

bool pci_bus_is_root(PciBus *bus)
{
    return bus->bridge == NULL;
}

bool pci_bus_has_msi(PciBus *bus)
{
    return bus->root.msi;
}

PciBus *pci_bridge_bus(PciDevice *bridge)
{
    PciBus *above = pci_device_bus(bridge);

    for (unsigned i = 0; above != NULL && i < above->below->len; i++) {
        PciBus *bus = g_ptr_array_index(above->below, i);

        if (bus->bridge == bridge) {
            return bus;
        }
    }
    return NULL;
}

/* The bridge that leads to the bus, or NULL: a root bus. Borrowed. */
static PciDevice *pci_bus_bridge(PciBus *bus)
{
    return bus->bridge;
}

unsigned pci_bus_number(PciBus *bus)
{
    unsigned number;

    pthread_mutex_lock(&bus->lock);
    number = bus->number;
    pthread_mutex_unlock(&bus->lock);
    return number;
}

void pci_bus_set_numbers(PciBus *bus, uint8_t number, uint8_t last)
{

    pthread_mutex_lock(&bus->lock);
    bus->number = number;
    bus->last = last;
    pthread_mutex_unlock(&bus->lock);
}

/* ---- making them ---- */

PciBus *pci_root_bus_new(Device *host, const char *name, const PciRootOps *ops)
{
    PciBus *bus = HUMPY_PCI_BUS(bus_new(TYPE_PCI_BUS, host, name));

    bus->root = *ops;
    return bus;
}

PciBus *pci_secondary_bus_new(PciDevice *bridge, const char *name, MemoryRegion *mem,
                              MemoryRegion *io, bool one_slot)
{
    PciBus *bus = HUMPY_PCI_BUS(bus_new(TYPE_PCI_BUS, HUMPY_DEVICE(bridge), name));
    PciBus *above = pci_device_bus(bridge);

    bus->root = above->root;
    bus->root.mem = mem;
    bus->root.io = io;
    bus->bridge = bridge;
    bus->one_slot = one_slot;
    pthread_mutex_lock(&above->lock);
    g_ptr_array_add(above->below, g_object_ref(bus));
    pthread_mutex_unlock(&above->lock);
    return bus;
}

void pci_secondary_bus_drop(PciBus *bus)
{
    PciBus *above = pci_device_bus(bus->bridge);

    pthread_mutex_lock(&above->lock);
    g_ptr_array_remove(above->below, bus);
    pthread_mutex_unlock(&above->lock);
}

/* ---- configuration accesses ---- */

static PciDevice *get_from(PciBus *bus, PciDevice *const *array, unsigned devfn)
{
    PciDevice *dev;

    g_assert(devfn < PCI_N_DEVFNS);
    pthread_mutex_lock(&bus->lock);
    dev = array[devfn];
    if (dev != NULL) {
        g_object_ref(dev);
    }
    pthread_mutex_unlock(&bus->lock);
    return dev;
}

PciDevice *pci_bus_get(PciBus *bus, unsigned devfn)
{
    return get_from(bus, bus->visible, devfn);
}

PciDevice *pci_bus_get_plugged(PciBus *bus, unsigned devfn)
{
    return get_from(bus, bus->plugged, devfn);
}

static void set_plugged(PciBus *bus, PciDevice *dev, bool plugged)
{
    pthread_mutex_lock(&bus->lock);
    bus->plugged[pci_device_devfn(dev)] = plugged ? dev : NULL;
    pthread_mutex_unlock(&bus->lock);
}

void pci_device_show(PciDevice *dev, bool visible)
{
    PciBus *bus = pci_device_bus(dev);
    unsigned devfn = pci_device_devfn(dev);
    PciDevice *was;

    memory_lock(device_lock(HUMPY_DEVICE(dev)));
    pci_priv(dev)->visible = visible;
    memory_unlock(device_lock(HUMPY_DEVICE(dev)));
    pthread_mutex_lock(&bus->lock);
    was = bus->visible[devfn];
    bus->visible[devfn] = visible ? g_object_ref(dev) : NULL;
    pthread_mutex_unlock(&bus->lock);
    if (was != NULL) {
        g_object_unref(was);
    }
}

/* The bus below bus that leads to number, referenced, or NULL. */
static PciBus *step_towards(PciBus *bus, unsigned number)
{
    PciBus *found = NULL;

    pthread_mutex_lock(&bus->lock);
    for (unsigned i = 0; i < bus->below->len && found == NULL; i++) {
        PciBus *child = g_ptr_array_index(bus->below, i);

        pthread_mutex_lock(&child->lock); /* downwards only */
        if (child->number != 0 && child->number <= number && number <= child->last) {
            found = g_object_ref(child);
        }
        pthread_mutex_unlock(&child->lock);
    }
    pthread_mutex_unlock(&bus->lock);
    return found;
}

static PciDevice *find_function(PciBus *root, unsigned number, unsigned devfn)
{
    g_autoptr(PciBus) bus = g_object_ref(root);

    while (bus != NULL && pci_bus_number(bus) != number) {
        PciBus *next = step_towards(bus, number);

        g_object_unref(bus);
        bus = next;
    }
    return bus != NULL ? pci_bus_get(bus, devfn) : NULL;
}

uint32_t pci_root_config_read(PciBus *root, unsigned bus, unsigned devfn, unsigned reg,
                              unsigned size)
{
    g_autoptr(PciDevice) dev = find_function(root, bus, devfn);

    return dev != NULL ? pci_device_config_read(dev, reg, size) : UINT32_MAX >> (32 - 8 * size);
}

void pci_root_config_write(PciBus *root, unsigned bus, unsigned devfn, unsigned reg, uint32_t value,
                           unsigned size)
{
    g_autoptr(PciDevice) dev = find_function(root, bus, devfn);

    if (dev != NULL) {
        pci_device_config_write(dev, reg, value, size);
    }
}

/* ---- plugging ---- */

/* "4" or "4.1", hexadecimal as in lspci. FALSE: something else. */
static bool parse_addr(const char *text, unsigned *slot, unsigned *fn)
{
    char *end;
    uint64_t n;

    *fn = 0;
    if (!g_ascii_isxdigit(text[0])) {
        return false;
    }
    n = g_ascii_strtoull(text, &end, 16);
    if (n > 31) {
        return false;
    }
    *slot = n;
    if (end[0] == '.') {
        if (end[1] < '0' || end[1] > '7') {
            return false;
        }
        *fn = end[1] - '0';
        end += 2;
    }
    return end[0] == '\0';
}

static bool choose_devfn(PciBus *bus, PciDevice *dev, unsigned *devfn, GError **error)
{
    unsigned slots = bus->one_slot ? 1 : 32, slot, fn;

    if (dev->addr != NULL) {
        if (!parse_addr(dev->addr, &slot, &fn)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "addr is '%s' but must be a slot from 0 to 1f, which '.' and a function "
                        "from 0 to 7 may follow",
                        dev->addr);
            return false;
        }
        if (slot >= slots) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "addr is '%s' but bus '%s' has only slot 0", dev->addr,
                        bus_name(HUMPY_BUS(bus)));
            return false;
        }
        *devfn = PCI_MAKE_DEVFN(slot, fn);
        return true;
    }
    for (slot = 0; slot < slots; slot++) {
        *devfn = PCI_MAKE_DEVFN(slot, 0);
        if (bus->slots[*devfn] == NULL) {
            return true;
        }
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "bus '%s' has no free slot",
                bus_name(HUMPY_BUS(bus)));
    return false;
}

/* A guest looks at functions above 0 only if function 0 says there are some. */
static bool check_functions(PciBus *bus, PciDevice *dev, unsigned devfn, GError **error)
{
    unsigned slot = PCI_SLOT_OF(devfn);
    PciDevice *first = bus->slots[PCI_MAKE_DEVFN(slot, 0)];

    if (PCI_FN_OF(devfn) != 0) {
        if (first != NULL && !first->multifunction) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "addr is '%s' but function %x.0, %s, lacks multifunction=on", dev->addr,
                        slot, device_type(HUMPY_DEVICE(first)));
            return false;
        }
        return true;
    }
    for (unsigned fn = 1; fn < 8 && !dev->multifunction; fn++) {
        if (bus->slots[PCI_MAKE_DEVFN(slot, fn)] != NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "slot %x has a function %x.%u: function 0 needs multifunction=on", slot,
                        slot, fn);
            return false;
        }
    }
    return true;
}

static bool pci_bus_attach(Bus *b, Device *d, GError **error)
{
    PciBus *bus = HUMPY_PCI_BUS(b);
    PciDevice *dev = HUMPY_PCI_DEVICE(d);
    unsigned devfn;

    if (!choose_devfn(bus, dev, &devfn, error)) {
        return false;
    }
    if (bus->slots[devfn] != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "addr is '%s' but %s is there already", dev->addr,
                    device_type(HUMPY_DEVICE(bus->slots[devfn])));
        return false;
    }
    if (!check_functions(bus, dev, devfn, error)) {
        return false;
    }
    bus->slots[devfn] = dev;
    pci_priv(dev)->bus = bus;
    pci_priv(dev)->devfn = devfn;
    return true;
}

static bool pci_bus_plugged(Bus *b, Device *d, GError **error)
{
    PciBus *bus = HUMPY_PCI_BUS(b);
    PciDevice *dev = HUMPY_PCI_DEVICE(d);

    set_plugged(bus, dev, true);
    if (bus->bridge != NULL && HUMPY_PCI_DEVICE_GET_CLASS(bus->bridge)->child_plugged != NULL) {
        HUMPY_PCI_DEVICE_GET_CLASS(bus->bridge)->child_plugged(bus->bridge, dev);
    } else {
        pci_device_show(dev, true);
    }
    return true;
}

static void pci_bus_unplugged(Bus *b, Device *d)
{
    PciBus *bus = HUMPY_PCI_BUS(b);
    PciDevice *dev = HUMPY_PCI_DEVICE(d);

    /* With the bridge's lock, as the bridge may just be about to show the device. */
    if (bus->bridge != NULL) {
        memory_lock(device_lock(HUMPY_DEVICE(bus->bridge)));
    }
    set_plugged(bus, dev, false);
    pci_device_show(dev, false);
    if (bus->bridge != NULL) {
        memory_unlock(device_lock(HUMPY_DEVICE(bus->bridge)));
    }
}

static void pci_bus_detach(Bus *b, Device *d)
{
    PciDevice *dev = HUMPY_PCI_DEVICE(d);
    PciBus *bus = HUMPY_PCI_BUS(b);

    bus->slots[pci_device_devfn(dev)] = NULL;
    if (bus->bridge != NULL && HUMPY_PCI_DEVICE_GET_CLASS(bus->bridge)->child_detached != NULL) {
        HUMPY_PCI_DEVICE_GET_CLASS(bus->bridge)->child_detached(bus->bridge, dev);
    }
    pci_priv(dev)->bus = NULL;
}

static bool pci_bus_request_unplug(Bus *b, Device *d, GError **error)
{
    PciDevice *bridge = pci_bus_bridge(HUMPY_PCI_BUS(b));

    if (bridge == NULL || HUMPY_PCI_DEVICE_GET_CLASS(bridge)->request_unplug == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "bus '%s' does not support hot-unplug", bus_name(b));
        return false;
    }
    return HUMPY_PCI_DEVICE_GET_CLASS(bridge)->request_unplug(bridge, d, error);
}

static char *pci_bus_address(Bus *b, Device *d)
{
    unsigned devfn = pci_device_devfn(HUMPY_PCI_DEVICE(d));

    return g_strdup_printf("%02x.%x", PCI_SLOT_OF(devfn), PCI_FN_OF(devfn));
}

static void pci_bus_finalize(GObject *obj)
{
    PciBus *bus = HUMPY_PCI_BUS(obj);

    g_ptr_array_unref(bus->below);
    pthread_mutex_destroy(&bus->lock);
    G_OBJECT_CLASS(pci_bus_parent_class)->finalize(obj);
}

static void pci_bus_init(PciBus *bus)
{

    bus->below = g_ptr_array_new_with_free_func(g_object_unref);
    pthread_mutex_init(&bus->lock, NULL);
}

static void pci_bus_class_init(PciBusClass *klass)
{
    BusClass *bc = HUMPY_BUS_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = pci_bus_finalize;
    bc->kind = "PCI";
    bc->attach = pci_bus_attach;
    bc->plugged = pci_bus_plugged;
    bc->unplugged = pci_bus_unplugged;
    bc->detach = pci_bus_detach;
    bc->request_unplug = pci_bus_request_unplug;
    bc->address = pci_bus_address;
}
