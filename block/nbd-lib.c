/* SPDX-License-Identifier: GPL-2.0-or-later
 * See nbd-lib.h.
 */
#define NBD_LIB_NAMES
#include "nbd-lib.h"

__typeof__(nbd_lib) nbd_lib;

static const char *const names[] = { NBD_FUNCTIONS(LAZY_NAME) };
static LazyLib lib = LAZY_LIB("libnbd.so.0", names, nbd_lib);

bool nbd_lib_load(GError **error)
{
    return lazy_lib_load(&lib, error);
}
