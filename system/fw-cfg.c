/* SPDX-License-Identifier: GPL-2.0-or-later
 * -fw_cfg: reads the file or takes the text, and gives it to the machine. What it becomes is in
 * hw/nvram/.
 */
#include "fw-cfg.h"

#include <string.h>

#include "util/error.h"

/* The content that kv asks for, or NULL. */
static GBytes *take_content(KeyVal *kv, GError **error)
{
    const char *file = keyval_take(kv, "file"), *text = keyval_take(kv, "string");
    g_autoptr(GError) cause = NULL;
    char *data;
    gsize len;

    if ((file != NULL) == (text != NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "needs either file= or string=");
        return NULL;
    }
    if (text != NULL) {
        return g_bytes_new(text, strlen(text)); /* without a NUL, as on QEMU */
    }
    if (!g_file_get_contents(file, &data, &len, &cause)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s", cause->message);
        return NULL;
    }
    return g_bytes_new_take(data, len);
}

static bool apply(const char *text, Machine *machine, GError **error)
{
    static const char *const keys[] = { "name", "file", "string", NULL };
    g_autoptr(KeyVal) kv = keyval_parse(text, "name", error);
    g_autoptr(GBytes) content = NULL;
    const char *name;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    name = keyval_take(kv, "name");
    if (name == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the name is missing");
        return false;
    }
    content = take_content(kv, error);
    return content != NULL && machine_add_fw_cfg(machine, name, content, error);
}

bool fw_cfg_options_apply(const VmConfig *config, Machine *machine, GError **error)
{
    for (unsigned i = 0; i < config->fw_cfgs->len; i++) {
        const char *text = g_ptr_array_index(config->fw_cfgs, i);

        if (!apply(text, machine, error)) {
            g_prefix_error(error, "-fw_cfg %s: ", text);
            return false;
        }
    }
    return true;
}
