/* SPDX-License-Identifier: GPL-2.0-or-later
 * info pci: what query-pci tells, as text.
 */
#include "hmp-commands.h"
#include "qapi-commands.h"

static gint64 number(JsonObject *o, const char *name)
{
    return json_object_get_int_member(o, name);
}

static void print_regions(JsonArray *regions, GString *out)
{
    for (unsigned i = 0; i < json_array_get_length(regions); i++) {
        JsonObject *r = json_array_get_object_element(regions, i);
        bool io = g_str_equal(json_object_get_string_member(r, "type"), "io");

        g_string_append_printf(out, "      BAR%d: %s", (int)number(r, "bar"),
                               io ? "I/O"
                               : json_object_get_boolean_member(r, "mem_type_64")
                                   ? "64 bit memory"
                                   : "32 bit memory");
        if (!io && json_object_get_boolean_member(r, "prefetch")) {
            g_string_append(out, " prefetchable");
        }
        if (number(r, "address") == -1) {
            g_string_append_printf(out, ", 0x%" G_GINT64_MODIFIER "x bytes, not decoded.\n",
                                   number(r, "size"));
        } else {
            g_string_append_printf(
                out, " at 0x%08" G_GINT64_MODIFIER "x [0x%08" G_GINT64_MODIFIER "x].\n",
                number(r, "address"), number(r, "address") + number(r, "size") - 1);
        }
    }
}

static void print_functions(JsonArray *functions, GString *out)
{
    for (unsigned i = 0; i < json_array_get_length(functions); i++) {
        JsonObject *f = json_array_get_object_element(functions, i);
        JsonObject *id = json_object_get_object_member(f, "id");

        g_string_append_printf(
            out, "  Bus %2d, device %3d, function %d:\n    class %04x: PCI device %04x:%04x\n",
            (int)number(f, "bus"), (int)number(f, "slot"), (int)number(f, "function"),
            (unsigned)number(json_object_get_object_member(f, "class_info"), "class"),
            (unsigned)number(id, "vendor"), (unsigned)number(id, "device"));
        if (number(f, "irq_pin") != 0) {
            g_string_append_printf(out, "      IRQ %d, pin %c\n", (int)number(f, "irq"),
                                   (char)('A' + number(f, "irq_pin") - 1));
        }
        print_regions(json_object_get_array_member(f, "regions"), out);
        g_string_append_printf(out, "      id \"%s\"\n",
                               json_object_get_string_member(f, "qdev_id"));
        if (json_object_has_member(f, "pci_bridge")) {
            JsonObject *bridge = json_object_get_object_member(f, "pci_bridge");

            print_functions(json_object_get_array_member(bridge, "devices"), out);
        }
    }
}

bool hmp_info_pci(HmpCall *call, GError **error)
{
    g_autoptr(JsonNode) buses = qmp_query_pci(NULL, error);
    JsonArray *list = json_node_get_array(buses);

    if (json_array_get_length(list) == 0) {
        g_string_append(call->out, "There is no PCI.\n");
    }
    for (unsigned i = 0; i < json_array_get_length(list); i++) {
        print_functions(
            json_object_get_array_member(json_array_get_object_element(list, i), "devices"),
            call->out);
    }
    return true;
}
