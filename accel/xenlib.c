/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which model of Xen this program has. Beside hostdev.c, as what models/ and accel/ both link.
 */
#include "accel/xenlib.h"

static const XenLib *model;

void xenlib_register_model(const XenLib *lib)
{
    model = lib;
}

const XenLib *xenlib_model(void)
{
    return model;
}
