/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which character device each serial port of the machine gets, -serial's short forms and the
 * default included.
 */
#include "serials.h"
#include "chardev/chardev.h"

static bool open_chardevs(const VmConfig *config, GError **error)
{
    for (unsigned i = 0; i < config->chardevs->len; i++) {
        const char *text = g_ptr_array_index(config->chardevs, i);

        if (chardev_new(text, error) == NULL) {
            g_prefix_error(error, "-chardev %s: ", text);
            return false;
        }
    }
    return true;
}

static void add(Serials *serials, const char *option, Chardev *chr, bool has_monitor)
{
    SerialPort port = { g_strdup(option), chr, has_monitor };

    g_array_append_val(serials->ports, port);
}

static bool open_short(Serials *serials, const char *option, const char *text, GError **error)
{
    g_autofree char *id = g_strdup_printf("serial%u", serials->ports->len);
    GError *cause = NULL;
    Chardev *chr = chardev_new_from_short(text, id, &cause);

    if (cause != NULL) {
        g_propagate_prefixed_error(error, cause, "%s: ", option);
        return false;
    }
    add(serials, option, chr, chr != NULL && g_str_has_prefix(text, "mon:"));
    return true;
}

/* A monitor has the terminal, or there will be none: it is no place for a serial port that nobody
 * asked for. */
static bool terminal_is_taken(const VmConfig *config)
{
    if (config->daemonize) {
        return true;
    }
    for (unsigned i = 0; i < config->monitors->len; i++) {
        const MonitorOption *mon = g_ptr_array_index(config->monitors, i);

        if (g_strcmp0(mon->device, "stdio") == 0) {
            return true;
        }
    }
    return false;
}

Serials *serials_open(const VmConfig *config, GError **error)
{
    g_autoptr(Serials) serials = g_new0(Serials, 1);

    serials->ports = g_array_new(FALSE, FALSE, sizeof(SerialPort));
    if (!open_chardevs(config, error)) {
        return NULL;
    }
    for (unsigned i = 0; i < config->serials->len; i++) {
        const char *text = g_ptr_array_index(config->serials, i);
        g_autofree char *option = g_strdup_printf("-serial %s", text);

        if (!open_short(serials, option, text, error)) {
            return NULL;
        }
    }
    if (serials->ports->len == 0 && !config->nodefaults &&
        (config->nographic || (!config->display_none && !terminal_is_taken(config)))) {
        if (!open_short(serials, config->nographic ? "-nographic" : "the default -serial mon:stdio",
                        "mon:stdio", error)) {
            return NULL;
        }
        g_array_index(serials->ports, SerialPort, 0).by_default = true;
    }
    return g_steal_pointer(&serials);
}

void serials_free(Serials *serials)
{
    if (serials == NULL) {
        return;
    }
    for (unsigned i = 0; i < serials->ports->len; i++) {
        g_free(g_array_index(serials->ports, SerialPort, i).option);
    }
    g_array_unref(serials->ports);
    g_free(serials);
}
