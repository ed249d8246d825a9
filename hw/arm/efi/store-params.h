/* SPDX-License-Identifier: GPL-2.0-or-later
 * What Humpy and the driver that it adds to UEFI firmware tell each other; little endian.
 */
#pragma once

#include <stdint.h>

/* At the start of the driver's code, filled in by Humpy. */
typedef struct {
    uint64_t store_base, store_size; /* in guest memory; store_size is a multiple of block_size */
    uint64_t block_size;
    uint64_t fw_cfg_base; /* of the registers */
    uint64_t fw_cfg_key;  /* of the file that takes records */
    /* Memory besides what the device tree tells of, multiples of 2 MiB; size 0: there is none. */
    uint64_t window_base, window_size;
    uint64_t window_only; /* not 0: devices reach nothing but that */
} StoreParams;

/* Written to that file: these bytes of the store have changed. */
typedef struct {
    uint64_t offset, len;
    uint64_t erased; /* not 0: all of them are 0xff now, and none follow */
} StoreRecord;

enum {
    STORE_ENTRY = sizeof(StoreParams), /* where in the code execution starts */
    STORE_CHUNK = 32 << 10,            /* as many bytes may follow a record */
};
