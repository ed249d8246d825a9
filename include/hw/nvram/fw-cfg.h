/* SPDX-License-Identifier: GPL-2.0-or-later
 * The firmware configuration device ("fw_cfg_mem"): numbered items and named files of bytes that a
 * guest reads through a data register or by DMA, as QEMU documents it (docs/specs/fw_cfg.txt).
 * One register region of FW_CFG_SIZE bytes.
 *
 * Items are added by the machine and by devices before the guest runs. [main]
 */
#pragma once

#include "hw/core/device.h"

#define TYPE_FW_CFG fw_cfg_get_type()
G_DECLARE_FINAL_TYPE(FwCfg, fw_cfg, HUMPY, FW_CFG, Device)

/* The same at I/O ports ("fw_cfg_io"), a region of FW_CFG_IO_SIZE; it is a FwCfg, too. */
#define TYPE_FW_CFG_IO fw_cfg_io_get_type()
GType fw_cfg_io_get_type(void);

enum {
    FW_CFG_SIZE = 0x18,
    FW_CFG_IO_SIZE = 0x0c,
    FW_CFG_NAME_SIZE = 56, /* of a file, with its NUL */

    FW_CFG_KEY_SIGNATURE = 0x00,
    FW_CFG_KEY_ID = 0x01,
    FW_CFG_KEY_N_CPUS = 0x05,
    FW_CFG_KEY_DIRECTORY = 0x19,
    FW_CFG_KEY_FIRST_FILE = 0x20,
};

/* The address space that DMA goes to; borrowed. Before the device is realized. */
void fw_cfg_set_dma(FwCfg *fw, AddressSpace *dma);
/* Whether the guest is told that there is a DMA interface, if there is one. A guest whose memory
 * the device does not reach is better off with the data register; one that knows where it does can
 * use DMA all the same. [main] */
void fw_cfg_advertise_dma(FwCfg *fw, bool advertise);

/* Sets the item called key, below FW_CFG_KEY_FIRST_FILE. data is referenced. */
void fw_cfg_set_item(FwCfg *fw, unsigned key, GBytes *data);

/* Adds a file; data is referenced. FALSE: the name is empty, too long (RANGE) or taken (CONFLICT),
 * or there is no slot left. */
bool fw_cfg_add_file(FwCfg *fw, const char *name, GBytes *data, GError **error);

/* The guest wrote to a file, which now holds size bytes of data. FALSE: the guest sees an error.
 * Runs with fw's lock held. [any] */
typedef bool (*FwCfgWritten)(void *opaque, const uint8_t *data, size_t size);
/* The same for a file of size bytes, zeroed, that the guest may write by DMA. */
bool fw_cfg_add_writable(FwCfg *fw, const char *name, size_t size, FwCfgWritten written,
                         void *opaque, GError **error);
/* The key of the file called name, until files are added or removed; 0: there is none. [any] */
unsigned fw_cfg_file_key(FwCfg *fw, const char *name);
/* Takes the file called name away; one that is not there is fine. */
void fw_cfg_remove_file(FwCfg *fw, const char *name);
