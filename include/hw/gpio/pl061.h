/* SPDX-License-Identifier: GPL-2.0-or-later
 * Arm PrimeCell GPIO PL061 ("pl061"): eight pins. Unnamed input n drives pin n from outside,
 * unnamed output n shows what the pin drives. One interrupt line.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_PL061 pl061_get_type()
G_DECLARE_FINAL_TYPE(Pl061, pl061, HUMPY, PL061, Device)
