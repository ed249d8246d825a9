/* SPDX-License-Identifier: GPL-2.0-or-later
 * The command line: words that end in NUL, an option's name in front of each that needs none.
 * Handlers only note down what is asked for, and nothing is opened.
 */
#include <string.h>

#include "hw/core/device.h"
#include "models/models.h"
#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* These do, at once: files are read while the line is. */
static bool reads_files(const char *word)
{
    return strstr(word, "readconfig") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    g_autoptr(VmConfig) config = vm_config_new();
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;

    if (!ready) {
        hw_register_types();
        models_register();
        ready = true;
    }
    g_ptr_array_add(words, g_strdup("humpy"));
    for (size_t at = 0; at < size && words->len < 32;) {
        char *word = g_strndup((const char *)data + at, size - at);

        at += strlen(word) + 1;
        if (reads_files(word)) {
            g_free(word);
            continue;
        }
        g_ptr_array_add(words, word);
    }
    if (!options_parse(config, words->len, (char **)words->pdata, &error)) {
        g_assert_nonnull(error);
        g_assert_cmpuint(strlen(error->message), >, 0);
    }
    return 0;
}
