/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between the files of accel/ itself: the types this build has, and the first step of an
 * accelerator's life, which only the registry takes.
 */
#pragma once

#include "accel/accel-impl.h"

/* [main] FALSE: *error is prefixed with "-accel NAME: ". */
bool accel_open(Accel *accel, GError **error);

GType accel_acrn_get_type(void);
GType accel_gunyah_get_type(void);
GType accel_kvm_get_type(void);
GType accel_qtest_get_type(void);
GType accel_xen_get_type(void);
