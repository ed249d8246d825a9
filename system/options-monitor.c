/* SPDX-License-Identifier: GPL-2.0-or-later
 * Options about monitors, the run state and tracing: -qmp, -qmp-pretty, -mon, -monitor, -action,
 * -trace, -uuid.
 */
#include <string.h>

#include "options.h"
#include "util/error.h"
#include "util/trace.h"

static void add_monitor(VmConfig *config, const char *option, const char *arg, MonitorOption more)
{
    MonitorOption *mon = g_memdup2(&more, sizeof(more));

    mon->typed = g_strdup_printf("%s %s", option, arg);
    g_ptr_array_add(config->monitors, mon);
}

/* DEVICE as after -serial; "none" asks for nothing. */
static bool add_on_device(VmConfig *config, const char *option, const char *arg, MonitorMode mode,
                          bool pretty)
{
    if (strcmp(arg, "none") != 0) {
        add_monitor(config, option, arg,
                    (MonitorOption){ .device = g_strdup(arg), .mode = mode, .pretty = pretty });
    }
    return true;
}

bool option_qmp(VmConfig *config, const char *arg, GError **error)
{
    return add_on_device(config, "-qmp", arg, MONITOR_CONTROL, false);
}

bool option_qmp_pretty(VmConfig *config, const char *arg, GError **error)
{
    return add_on_device(config, "-qmp-pretty", arg, MONITOR_CONTROL, true);
}

bool option_monitor(VmConfig *config, const char *arg, GError **error)
{
    return add_on_device(config, "-monitor", arg, MONITOR_READLINE, false);
}

static bool take_mode(KeyVal *kv, MonitorMode def, MonitorOption *mon, GError **error)
{
    static const char *const modes[] = { "control", "readline", NULL };
    const char *mode = keyval_take(kv, "mode");

    if (mode == NULL) {
        mon->mode = def;
    } else if (strcmp(mode, "readline") == 0) {
        mon->mode = MONITOR_READLINE;
    } else if (strcmp(mode, "control") == 0) {
        mon->mode = MONITOR_CONTROL;
    } else {
        error_set_unknown(error, "mode", mode, modes);
        return false;
    }
    return true;
}

static bool add_on_chardev(VmConfig *config, const char *option, const char *arg, MonitorMode def,
                           GError **error)
{
    static const char *const keys[] = { "chardev", "mode", "pretty", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(arg, "chardev", error);
    MonitorOption mon = {};
    const char *chardev;

    if (kv == NULL || !keyval_check_keys(kv, keys, error) || !take_mode(kv, def, &mon, error) ||
        !keyval_take_bool(kv, "pretty", &mon.pretty, error)) {
        return false;
    }
    if (mon.pretty && mon.mode != MONITOR_CONTROL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "pretty=on needs mode=control");
        return false;
    }
    chardev = keyval_take(kv, "chardev");
    if (chardev == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "chardev is missing");
        return false;
    }
    mon.chardev = g_strdup(chardev);
    add_monitor(config, option, arg, mon);
    return true;
}

bool option_mon(VmConfig *config, const char *arg, GError **error)
{
    return add_on_chardev(config, "-mon", arg, MONITOR_READLINE, error);
}

bool option_monitor_export(VmConfig *config, const char *arg, GError **error)
{
    return add_on_chardev(config, "--monitor", arg, MONITOR_CONTROL, error);
}

/* One of two values of key, the second one turns *flag on. */
static bool take_choice(KeyVal *kv, const char *key, const char *const *values, bool *flag,
                        GError **error)
{
    const char *value = keyval_take(kv, key);

    if (value == NULL) {
        return true;
    }
    if (!g_strv_contains(values, value)) {
        error_set_unknown(error, key, value, values);
        return false;
    }
    *flag = strcmp(value, values[1]) == 0;
    return true;
}

static bool take_panic(KeyVal *kv, PanicAction *action, GError **error)
{
    static const char *const values[] = { "shutdown", "pause", "exit-failure", "none", NULL };
    const char *value = keyval_take(kv, "panic");

    if (value == NULL) {
        return true;
    }
    for (unsigned i = 0; values[i] != NULL; i++) {
        if (strcmp(value, values[i]) == 0) {
            *action = i;
            return true;
        }
    }
    error_set_unknown(error, "panic", value, values);
    return false;
}

bool option_action(VmConfig *config, const char *arg, GError **error)
{
    static const char *const keys[] = { "reboot", "shutdown", "panic", NULL };
    static const char *const reboot[] = { "reset", "shutdown", NULL };
    static const char *const shutdown[] = { "poweroff", "pause", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);

    return kv != NULL && keyval_check_keys(kv, keys, error) &&
           take_choice(kv, "reboot", reboot, &config->no_reboot, error) &&
           take_choice(kv, "shutdown", shutdown, &config->no_shutdown, error) &&
           take_panic(kv, &config->panic_action, error);
}

bool option_exit_status(VmConfig *config, const char *arg, GError **error)
{
    static const char *const kinds[] = { "plain", "detailed", NULL };

    if (!g_strv_contains(kinds, arg)) {
        error_set_unknown(error, "kind", arg, kinds);
        return false;
    }
    config->detailed_status = g_str_equal(arg, "detailed");
    return true;
}

static char *trace_list(void)
{
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < TRACE_N_EVENTS; i++) {
        g_string_append_printf(out, "%-28s %s\n", trace_name(i), trace_help(i));
    }
    return g_string_free(out, FALSE);
}

bool option_trace(VmConfig *config, const char *arg, GError **error)
{
    static const char *const keys[] = { "enable", "file", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(arg, "enable", error);
    const char *pattern, *file;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    pattern = keyval_take(kv, "enable");
    file = keyval_take(kv, "file");
    if (g_strcmp0(pattern, "help") == 0 || g_strcmp0(pattern, "?") == 0) {
        config->output = trace_list();
        return true;
    }
    if (pattern != NULL && !trace_is_known(pattern)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "there is no trace event '%s' ('-trace help' lists all)", pattern);
        return false;
    }
    if (pattern != NULL) {
        g_ptr_array_add(config->traces, g_strdup(pattern));
    }
    if (file != NULL) {
        g_free(config->trace_file);
        config->trace_file = g_strdup(file);
    }
    return true;
}

bool option_uuid(VmConfig *config, const char *arg, GError **error)
{
    if (!g_uuid_string_is_valid(arg)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "is not a UUID (12345678-1234-1234-1234-123456789abc)");
        return false;
    }
    g_free(config->uuid);
    config->uuid = g_ascii_strdown(arg, -1);
    return true;
}
