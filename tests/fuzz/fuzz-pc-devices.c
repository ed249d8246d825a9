/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for the PC's old devices: accesses of any size at their ports, wires, and time
 * that goes on. They must neither crash nor hang, and be in order after a reset. Input: operations
 * of 8 bytes. Run: tests/fuzz/fuzz-pc-devices -max_len=512 CORPUS
 */
#include <string.h>

#include "hw/acpi/pm.h"
#include "hw/char/serial.h"
#include "hw/core/clock.h"
#include "hw/input/i8042.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/rtc/mc146818.h"
#include "hw/timer/i8254.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_DEVICES = 7, N_PLACES = 12, MAX_STEP_NS = 10 * 1000 * 1000 };

static MemoryRegion root;
static AddressSpace *as;
static Device *devices[N_DEVICES];
static struct {
    hwaddr addr;
    unsigned size;
} places[N_PLACES];
static unsigned n_devices, n_places;

static Device *add(Device *dev)
{
    g_assert(device_realize(dev, NULL));
    devices[n_devices++] = dev;
    return dev;
}

static void map(Device *dev, unsigned n, hwaddr addr, unsigned size)
{
    device_map(dev, n, &root, addr);
    places[n_places].addr = addr;
    places[n_places++].size = size;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    Device *dev;

    memory_thread_register();
    clock_set_manual();
    memory_region_init(&root, NULL, "root", UINT64_MAX);
    as = address_space_new(&root, "fuzz");
    map(add(g_object_new(TYPE_ACPI_PM, NULL)), 0, 0x600, ACPI_PM_SIZE);
    map(add(serial_new(NULL)), 0, 0x3f8, SERIAL_SIZE);
    map(add(g_object_new(TYPE_MC146818, NULL)), 0, 0x70, MC146818_SIZE);
    dev = add(g_object_new(TYPE_I8042, NULL));
    map(dev, I8042_DATA, 0x60, 1);
    map(dev, I8042_COMMAND, 0x64, 1);
    dev = add(g_object_new(TYPE_I8254, NULL));
    map(dev, I8254_PORTS, 0x40, 4);
    map(dev, I8254_PORT_B, 0x61, 1);
    dev = add(g_object_new(TYPE_I8259, NULL));
    map(dev, I8259_MASTER, 0x20, 2);
    map(dev, I8259_SLAVE, 0xa0, 2);
    map(dev, I8259_ELCR, 0x4d0, 2);
    dev = add(g_object_new(TYPE_IOAPIC, NULL));
    ioapic_set_memory(HUMPY_IOAPIC(dev), as);
    map(dev, 0, 0xfec00000, 0x44);
    return 0;
}

static void run(const uint8_t *op)
{
    unsigned place = op[1] % n_places, len = 1 << (op[2] & 3);
    hwaddr addr = places[place].addr + op[3] % places[place].size;
    uint32_t value;
    uint64_t buf = 0;

    memcpy(&value, op + 4, sizeof(value));
    switch (op[0] % 5) {
    case 0:
    case 1:
        buf = value;
        address_space_write(as, addr, &buf, len);
        break;
    case 2:
        address_space_read(as, addr, &buf, len);
        break;
    case 3:
        clock_set(clock_now() + value % MAX_STEP_NS);
        break;
    default:
        device_set_input(devices[5 + op[1] % 2], NULL, op[2] % 16, op[3] & 1);
        i8259_acknowledge(HUMPY_I8259(devices[5]));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t byte = 0;

    for (; size >= 8; data += 8, size -= 8) {
        run(data);
    }
    device_reset_many(devices, n_devices);
    address_space_read(as, 0x3f8 + 5, &byte, 1);
    g_assert(byte == 0x60);
    address_space_read(as, 0x64, &byte, 1);
    g_assert(byte == 0x10);
    return 0;
}
