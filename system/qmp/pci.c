/* SPDX-License-Identifier: GPL-2.0-or-later
 * query-pci: buses and functions as the guest has set them up.
 */
#include "hw/pci/pci.h"

#include <linux/pci_regs.h>

#include "node.h"
#include "qapi-commands.h"

static uint32_t rd(PciDevice *dev, unsigned reg, unsigned size)
{
    return pci_device_config_read(dev, reg, size);
}

static JsonObject *range(uint64_t base, uint64_t limit)
{
    JsonObject *r = json_object_new();

    json_object_set_int_member(r, "base", base);
    json_object_set_int_member(r, "limit", limit);
    return r;
}

static JsonArray *functions(PciBus *bus);

static JsonObject *bridge_info(PciDevice *dev, PciBus *behind)
{
    JsonObject *info = json_object_new(), *bus = json_object_new();
    uint64_t base = (uint64_t)rd(dev, PCI_PREF_BASE_UPPER32, 4) << 32;
    uint64_t limit = (uint64_t)rd(dev, PCI_PREF_LIMIT_UPPER32, 4) << 32;

    base |= (rd(dev, PCI_PREF_MEMORY_BASE, 2) & 0xfff0) << 16;
    limit |= (rd(dev, PCI_PREF_MEMORY_LIMIT, 2) & 0xfff0) << 16 | 0xfffff;
    json_object_set_int_member(bus, "number", rd(dev, PCI_PRIMARY_BUS, 1));
    json_object_set_int_member(bus, "secondary", rd(dev, PCI_SECONDARY_BUS, 1));
    json_object_set_int_member(bus, "subordinate", rd(dev, PCI_SUBORDINATE_BUS, 1));
    json_object_set_object_member(bus, "io_range",
                                  range((rd(dev, PCI_IO_BASE, 1) & 0xf0) << 8,
                                        (rd(dev, PCI_IO_LIMIT, 1) & 0xf0) << 8 | 0xfff));
    json_object_set_object_member(bus, "memory_range",
                                  range((rd(dev, PCI_MEMORY_BASE, 2) & 0xfff0) << 16,
                                        (rd(dev, PCI_MEMORY_LIMIT, 2) & 0xfff0) << 16 | 0xfffff));
    json_object_set_object_member(bus, "prefetchable_range", range(base, limit));
    json_object_set_object_member(info, "bus", bus);
    json_object_set_array_member(info, "devices", functions(behind));
    return info;
}

static JsonArray *regions(PciDevice *dev)
{
    JsonArray *list = json_array_new();

    for (unsigned i = 0; i < PCI_N_BARS; i++) {
        PciBarInfo bar;
        JsonObject *r;

        if (!pci_bar_info(dev, i, &bar)) {
            continue;
        }
        r = json_object_new();
        json_object_set_int_member(r, "bar", i);
        json_object_set_string_member(r, "type", bar.flags & PCI_BAR_IO ? "io" : "memory");
        json_object_set_int_member(r, "address", bar.address);
        json_object_set_int_member(r, "size", bar.size);
        if ((bar.flags & PCI_BAR_IO) == 0) {
            json_object_set_boolean_member(r, "prefetch", (bar.flags & PCI_BAR_PREFETCH) != 0);
            json_object_set_boolean_member(r, "mem_type_64", (bar.flags & PCI_BAR_64) != 0);
        }
        json_array_add_object_element(list, r);
    }
    return list;
}

static JsonObject *function_info(PciDevice *dev)
{
    JsonObject *info = json_object_new(), *id = json_object_new(), *class = json_object_new();
    PciBus *behind = pci_bridge_bus(dev);
    const char *name = device_id(HUMPY_DEVICE(dev));
    unsigned devfn = pci_device_devfn(dev), pin = rd(dev, PCI_INTERRUPT_PIN, 1);

    json_object_set_int_member(info, "bus", pci_bus_number(pci_device_bus(dev)));
    json_object_set_int_member(info, "slot", PCI_SLOT_OF(devfn));
    json_object_set_int_member(info, "function", PCI_FN_OF(devfn));
    json_object_set_int_member(class, "class", rd(dev, PCI_CLASS_DEVICE, 2));
    json_object_set_object_member(info, "class_info", class);
    json_object_set_int_member(id, "device", rd(dev, PCI_DEVICE_ID, 2));
    json_object_set_int_member(id, "vendor", rd(dev, PCI_VENDOR_ID, 2));
    if (behind == NULL) {
        json_object_set_int_member(id, "subsystem", rd(dev, PCI_SUBSYSTEM_ID, 2));
        json_object_set_int_member(id, "subsystem-vendor", rd(dev, PCI_SUBSYSTEM_VENDOR_ID, 2));
    }
    json_object_set_object_member(info, "id", id);
    if (pin != 0) {
        json_object_set_int_member(info, "irq", rd(dev, PCI_INTERRUPT_LINE, 1));
    }
    json_object_set_int_member(info, "irq_pin", pin);
    json_object_set_string_member(info, "qdev_id", name != NULL ? name : "");
    if (behind != NULL) {
        json_object_set_object_member(info, "pci_bridge", bridge_info(dev, behind));
    }
    json_object_set_array_member(info, "regions", regions(dev));
    return info;
}

/* What the guest sees on bus. */
static JsonArray *functions(PciBus *bus)
{
    JsonArray *list = json_array_new();

    for (unsigned devfn = 0; devfn < PCI_N_DEVFNS; devfn++) {
        g_autoptr(PciDevice) dev = pci_bus_get(bus, devfn);

        if (dev != NULL) {
            json_array_add_object_element(list, function_info(dev));
        }
    }
    return list;
}

static void add_root(Bus *bus, void *opaque)
{
    JsonObject *info;

    if (!HUMPY_IS_PCI_BUS(bus) || !pci_bus_is_root(HUMPY_PCI_BUS(bus))) {
        return;
    }
    info = json_object_new();
    json_object_set_int_member(info, "bus", pci_bus_number(HUMPY_PCI_BUS(bus)));
    json_object_set_array_member(info, "devices", functions(HUMPY_PCI_BUS(bus)));
    json_array_add_object_element(opaque, info);
}

JsonNode *qmp_query_pci(JsonObject *args, GError **error)
{
    JsonArray *list = json_array_new();

    bus_foreach(add_root, list);
    return node_array(list);
}
