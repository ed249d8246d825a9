/* SPDX-License-Identifier: GPL-2.0-or-later
 * Options about the machine itself: -machine, -accel, -cpu, -m, -name.
 */
#include <string.h>

#include "accel/accel.h"
#include "hw/core/machine.h"
#include "options.h"
#include "util/error.h"
#include "util/props.h"

static bool is_help(const char *text)
{
    return strcmp(text, "help") == 0 || strcmp(text, "?") == 0;
}

static void replace(char **where, const char *text)
{
    g_free(*where);
    *where = g_strdup(text);
}

/* ---- -android-boot ---- */

bool option_android_boot(VmConfig *config, const char *arg, GError **error)
{
    static const char *const keys[] = { "vendor-boot", "init-boot", "bootconfig", NULL };
    char **const fields[] = { &config->vendor_boot, &config->init_boot, &config->bootconfig };
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        const char *path = keyval_take(kv, keys[i]);

        if (path != NULL) {
            replace(fields[i], path);
        }
    }
    return true;
}

/* ---- -machine ---- */

/* accel_option_check() puts "-accel TEXT: " in front, which the reader of options does as well. */
static bool check_accel(const char *text, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *prefix = g_strdup_printf("-accel %s: ", text);

    if (accel_option_check(text, &cause)) {
        return true;
    }
    g_set_error_literal(error, cause->domain, cause->code,
                        g_str_has_prefix(cause->message, prefix) ? cause->message + strlen(prefix)
                                                                 : cause->message);
    return false;
}

static bool use_accels(VmConfig *config, const char *list, GError **error)
{
    g_auto(GStrv) names = g_strsplit(list, ":", -1);

    g_ptr_array_set_size(config->accels, 0);
    for (char **name = names; *name != NULL; name++) {
        if (!check_accel(*name, error)) {
            return false;
        }
        g_ptr_array_add(config->accels, g_strdup(*name));
    }
    return true;
}

/* Later -machine options win over earlier ones, property by property. */
static void merge_property(VmConfig *config, const char *key, const char *value)
{
    KeyValPair *pair = g_new0(KeyValPair, 1);

    pair->key = g_strdup(key);
    pair->value = g_strdup(value);
    g_ptr_array_add(config->machine_properties->pairs, pair);
}

bool option_machine(VmConfig *config, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "type", error);
    g_autoptr(GString) smp = g_string_new(NULL);
    const char *type;

    if (kv == NULL) {
        return false;
    }
    type = keyval_take(kv, "type");
    if (type != NULL && is_help(type)) {
        config->output = machine_help();
        return true;
    }
    if (keyval_get(kv, "help") != NULL) {
        config->output = machine_type_help(type != NULL ? type : "", error);
        return config->output != NULL;
    }
    if (type != NULL) {
        g_autoptr(Machine) probe = machine_new(type, error);

        if (probe == NULL) {
            return false;
        }
        replace(&config->machine, type);
    }
    for (unsigned i = 0; i < kv->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(kv->pairs, i);

        if (strcmp(pair->key, "accel") == 0) {
            if (config->accel_option) {
                g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                            "accel= and the option -accel exclude each other");
                return false;
            }
            if (!use_accels(config, pair->value, error)) {
                return false;
            }
        } else if (strcmp(pair->key, "dumpdtb") == 0) {
            replace(&config->dumpdtb, pair->value);
        } else if (strcmp(pair->key, "firmware") == 0) {
            replace(&config->bios, pair->value);
        } else if (strcmp(pair->key, "memory-backend") == 0) {
            replace(&config->memory_backend, pair->value);
        } else if (g_str_has_prefix(pair->key, "smp.")) {
            g_string_append_printf(smp, "%s%s=%s", smp->len > 0 ? "," : "",
                                   pair->key + strlen("smp."), pair->value);
        } else if (!pair->used) {
            merge_property(config, pair->key, pair->value);
        }
    }
    return smp->len == 0 || option_smp(config, smp->str, error);
}

/* ---- -accel ---- */

bool option_accel(VmConfig *config, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "accel", error);
    const char *name;

    if (kv == NULL) {
        return false;
    }
    name = keyval_get(kv, "accel");
    if (name != NULL && is_help(name)) {
        config->output = accel_help();
        return true;
    }
    if (keyval_get(kv, "help") != NULL) {
        config->output = accel_type_help(name != NULL ? name : "", error);
        return config->output != NULL;
    }
    if (!config->accel_option && config->accels->len > 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "accel= of -machine and the option -accel exclude each other");
        return false;
    }
    if (!check_accel(arg, error)) {
        return false;
    }
    config->accel_option = true;
    g_ptr_array_add(config->accels, g_strdup(arg));
    return true;
}

/* ---- -cpu, -smp, -m, -name ---- */

bool option_cpu(VmConfig *config, const char *arg, GError **error)
{
    if (is_help(arg)) {
        config->output = machine_cpu_help(config->machine, error);
        return config->output != NULL;
    }
    replace(&config->cpu, arg);
    return true;
}

/* A size of memory, rounded up as QEMU does. Where key was not given *bytes stays as it is. */
static bool take_ram_size(KeyVal *kv, const char *key, uint64_t *bytes, GError **error)
{
    enum { ROUND = 8192 };
    const char *text = keyval_take(kv, key);

    if (text == NULL) {
        return true;
    }
    if (!props_parse_size(text, 'M', bytes, error)) {
        return false;
    }
    if (*bytes == 0 || *bytes > UINT64_MAX - ROUND) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is not a size for memory", text);
        return false;
    }
    *bytes = (*bytes + ROUND - 1) / ROUND * ROUND;
    return true;
}

bool option_m(VmConfig *config, const char *arg, GError **error)
{
    static const char *const keys[] = { "size", "slots", "maxmem", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(arg, "size", error);
    uint64_t size = 0, max = 0, slots = 0;

    if (kv == NULL || !keyval_check_keys(kv, keys, error) ||
        !take_ram_size(kv, "size", &size, error) || !take_ram_size(kv, "maxmem", &max, error) ||
        !option_take_count(kv, "slots", &slots, error)) {
        return false;
    }
    if (size == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the size is missing");
        return false;
    }
    if (slots != 0 && max == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "slots needs maxmem");
        return false;
    }
    if (max != 0 && max < size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "maxmem is %s but must not be below the size", keyval_get(kv, "maxmem"));
        return false;
    }
    config->ram_size = size;
    g_clear_pointer(&config->more_ram, g_free);
    if (max > size) {
        config->more_ram = g_strdup(arg);
    }
    return true;
}

bool option_name(VmConfig *config, const char *arg, GError **error)
{
    static const char *const keys[] = { "guest", "debug-threads", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(arg, "guest", error);
    const char *guest;
    bool debug_threads; /* threads always have their names */

    if (kv == NULL || !keyval_check_keys(kv, keys, error) ||
        !keyval_take_bool(kv, "debug-threads", &debug_threads, error)) {
        return false;
    }
    guest = keyval_take(kv, "guest");
    if (guest != NULL) {
        replace(&config->name, guest);
    }
    return true;
}
