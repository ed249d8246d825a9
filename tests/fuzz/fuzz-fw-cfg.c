/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for what a guest can do to the firmware configuration device: register accesses
 * and DMA commands anywhere. It must neither crash nor hang, and must still show its signature
 * after a reset. Input: operations of 16 bytes, each one access; the odd ones put a DMA command
 * into memory and run it. Run: tests/fuzz/fuzz-fw-cfg -max_len=1024 CORPUS
 */
#include <string.h>

#include "hw/nvram/fw-cfg.h"

enum { BASE = 0x9020000, RAM = 0x40000000, RAM_SIZE = 0x4000, COMMAND = RAM + 0x1000 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static MemoryRegion root, ram;
static AddressSpace *as;
static Device *dev;
static volatile uint8_t sum; /* reads every byte that a write callback is shown */

static bool written(void *opaque, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += data[i];
    }
    return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_autoptr(GBytes) file = g_bytes_new_static("content", 7);
    FwCfg *fw;

    g_type_ensure(TYPE_FW_CFG);
    memory_region_init(&root, NULL, "root", UINT64_MAX);
    as = address_space_new(&root, "fuzz");
    g_assert(memory_region_init_ram(&ram, NULL, "ram", RAM_SIZE, NULL));
    memory_region_add_subregion(&root, RAM, &ram);
    dev = device_new("fw_cfg_mem", NULL);
    fw = HUMPY_FW_CFG(dev);
    fw_cfg_set_dma(fw, as);
    g_assert(device_realize(dev, NULL));
    g_assert(fw_cfg_add_file(fw, "opt/a", file, NULL));
    g_assert(fw_cfg_add_writable(fw, "etc/w", 28, written, NULL, NULL));
    device_map(dev, 0, &root, BASE);
    return 0;
}

static void access_register(const uint8_t *op)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    hwaddr addr = BASE + op[1] % FW_CFG_SIZE;
    uint64_t value;

    memcpy(&value, op + 8, sizeof(value));
    if (op[2] & 1) {
        address_space_write(as, addr, &value, sizes[op[2] >> 1 & 3]);
    } else {
        address_space_read(as, addr, &value, sizes[op[2] >> 1 & 3]);
    }
}

/* The address is near memory most of the time, else anything. */
static void run_command(const uint8_t *op)
{
    uint32_t word;
    uint64_t at = GUINT64_TO_BE(COMMAND);

    address_space_write(as, COMMAND, op + 1, 8);
    word = GUINT32_TO_BE(op[9] & 1 ? 0 : op[9]);
    address_space_write(as, COMMAND + 8, &word, 4);
    word = GUINT32_TO_BE(RAM + (op[10] << 8 | op[11]));
    address_space_write(as, COMMAND + 12, &word, 4);
    address_space_write(as, BASE + 16, &at, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char signature[4];

    for (; size >= 16; data += 16, size -= 16) {
        if (data[0] & 1) {
            run_command(data);
        } else {
            access_register(data);
        }
    }
    device_reset(dev);
    address_space_read(as, BASE, signature, 4);
    g_assert(memcmp(signature, "QEMU", 4) == 0);
    return 0;
}
