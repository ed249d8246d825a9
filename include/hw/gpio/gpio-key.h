/* SPDX-License-Identifier: GPL-2.0-or-later
 * A push button ("gpio-key"): a rising level at unnamed input 0 presses it, and unnamed output 0 is
 * then high for a tenth of a second of virtual time.
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_GPIO_KEY gpio_key_get_type()
G_DECLARE_FINAL_TYPE(GpioKey, gpio_key, HUMPY, GPIO_KEY, Device)
