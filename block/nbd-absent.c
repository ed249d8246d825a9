/* SPDX-License-Identifier: GPL-2.0-or-later
 * Disks over NBD, and images that qemu-nbd reads, in a build that has neither.
 */
#include "block-priv.h"
#include "util/error.h"

bool nbd_open(const BlockOptions *options, BlockNode *node, GError **error)
{
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "this build has no NBD client (its option -Dnbd)%s",
                options->driver == BLOCK_DRIVER_SERVED
                    ? ", which images of other formats than raw are read by"
                    : "");
    return false;
}
