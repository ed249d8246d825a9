/* SPDX-License-Identifier: GPL-2.0-or-later
 * See util/lazy-lib.h.
 */
#include "util/lazy-lib.h"

#include <dlfcn.h>

#include "util/error.h"

static bool load(LazyLib *lib)
{
    void *handle = dlopen(lib->file, RTLD_NOW | RTLD_LOCAL);

    for (size_t i = 0; handle != NULL && i < lib->n; i++) {
        lib->symbols[i] = dlsym(handle, lib->names[i]);
        if (lib->symbols[i] == NULL) {
            return false;
        }
    }
    return handle != NULL;
}

bool lazy_lib_load(LazyLib *lib, GError **error)
{
    bool loaded;

    pthread_mutex_lock(&lib->lock);
    if (!lib->loaded) {
        lib->loaded = load(lib);
    }
    loaded = lib->loaded;
    if (!loaded) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot load a library: %s", dlerror());
    }
    pthread_mutex_unlock(&lib->lock);
    return loaded;
}
