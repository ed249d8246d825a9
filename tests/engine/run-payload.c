/* SPDX-License-Identifier: GPL-2.0-or-later
 * Runs a flat arm64 binary, or a Linux Image with initrd and device tree, on the a64 engine alone:
 * RAM at 1 GiB, a GIC where QEMU's virt machine has it, a PL011 that only talks, and a word that
 * ends the run with the status written to it. For the engine's tests and its development; the
 * machine proper is hw/arm's.
 */
#include "models/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    RAM_BASE = 0x40000000,
    IMAGE_OFFSET = 0x200000,
    UART_BASE = 0x09000000,
    UART_SPI = 1,
    EXIT_WORD = 0x09080000,
};

/* PL011 registers (DDI 0183) and the interrupt bit for an empty transmitter. */
enum {
    UARTDR = 0x00,
    UARTFR = 0x18,
    UARTIMSC = 0x38,
    UARTRIS = 0x3c,
    UARTMIS = 0x40,
    UARTICR = 0x44,
    UART_TX = 1 << 5
};

static struct {
    const EngineOps *ops;
    EngineVm *vm;
    GMutex lock; /* the UART */
    uint32_t imsc, ris;
    int over;   /* atomic */
    int status; /* the first to end the run sets it */
    EngineVcpu *vcpu[8];
    unsigned n_vcpus;
} run;

static void finish(int status)
{
    if (g_atomic_int_compare_and_exchange(&run.over, 0, 1)) {
        run.status = status;
    }
    for (unsigned i = 0; i < run.n_vcpus; i++) {
        run.ops->vcpu_kick(run.vcpu[i]);
    }
}

static uint64_t uart(uint64_t offset, bool is_write, uint64_t data)
{
    static const uint8_t id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    uint64_t result = 0;

    g_mutex_lock(&run.lock);
    if (is_write) {
        switch (offset) {
        case UARTDR:
            putchar((int)data & 0xff);
            if ((data & 0xff) == '\n') {
                fflush(stdout);
            }
            run.ris |= UART_TX;
            break;
        case UARTIMSC:
            run.imsc = (uint32_t)data;
            break;
        case UARTICR:
            run.ris &= ~(uint32_t)data;
            break;
        default:
            break;
        }
        if (run.ris & run.imsc) {
            run.ops->vm_pend_spi(run.vm, UART_SPI);
        }
    } else if (offset >= 0xfe0) {
        result = id[(offset - 0xfe0) >> 2 & 7];
    } else if (offset == UARTFR) {
        result = 0x90;
    } else if (offset == UARTIMSC) {
        result = run.imsc;
    } else if (offset == UARTRIS) {
        result = run.ris;
    } else if (offset == UARTMIS) {
        result = run.ris & run.imsc;
    }
    g_mutex_unlock(&run.lock);
    return result;
}

static void mmio(EngineExit *exit)
{
    if (exit->gpa - UART_BASE < 0x1000) {
        exit->data = uart(exit->gpa - UART_BASE, exit->is_write, exit->data);
    } else if (exit->gpa == EXIT_WORD && exit->is_write) {
        finish((int)exit->data & 0xff);
    } else if (!exit->is_write) {
        exit->data = 0;
    }
}

static bool interrupted(void *opaque)
{
    return g_atomic_int_get(&run.over);
}

static void *vcpu_main(void *opaque)
{
    const EngineRunHooks hooks = { interrupted, NULL, -1 };
    EngineExit exit = { 0 };

    while (!g_atomic_int_get(&run.over)) {
        run.ops->vcpu_run(opaque, &exit, &hooks);
        switch (exit.kind) {
        case ENGINE_EXIT_MMIO:
            mmio(&exit);
            break;
        case ENGINE_EXIT_PIO: /* no such thing on arm64 */
        case ENGINE_EXIT_TRIPLE_FAULT:
        case ENGINE_EXIT_INTERRUPTED:
            break;
        case ENGINE_EXIT_SYSTEM_OFF:
            finish(0);
            break;
        case ENGINE_EXIT_SYSTEM_RESET:
        case ENGINE_EXIT_SYSTEM_RESET2:
            finish(64);
            break;
        case ENGINE_EXIT_ERROR:
            fprintf(stderr, "run-payload: %s\n", exit.text);
            finish(65);
            break;
        }
    }
    return NULL;
}

static size_t load(uint8_t *ram, size_t size, uint64_t offset, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *data = NULL;
    gsize length;

    if (!g_file_get_contents(path, &data, &length, &error)) {
        fprintf(stderr, "run-payload: %s\n", error->message);
        exit(2);
    }
    if (offset > size || length > size - offset) {
        fprintf(stderr, "run-payload: %s does not fit\n", path);
        exit(2);
    }
    memcpy(ram + offset, data, length);
    return length;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    uint64_t megabytes = 64, dtb_offset = 0, entry = RAM_BASE;
    const char *initrd = NULL, *dtb = NULL;
    bool image = false;
    EngineVmConfig config = { .n_vcpus = 1,
                              .n_spis = 256,
                              .gicd_base = 0x08000000,
                              .gicr_base = 0x080a0000,
                              .mmio_limit = RAM_BASE };
    pthread_t threads[8];
    uint8_t *ram;
    size_t size;
    int option;

    while ((option = getopt(argc, argv, "s:m:i:d:k")) > 0) {
        switch (option) {
        case 's':
            config.n_vcpus = (unsigned)atoi(optarg);
            break;
        case 'm':
            megabytes = (uint64_t)atoi(optarg);
            break;
        case 'i':
            initrd = optarg;
            break;
        case 'd':
            dtb = optarg;
            break;
        case 'k':
            image = true;
            break;
        default:
            return 2;
        }
    }
    if (optind != argc - 1) {
        fprintf(stderr, "usage: run-payload [-s VCPUS] [-m MIB] [-k [-i INITRD] [-d DTB]] FILE\n");
        return 2;
    }
    size = megabytes << 20;
    ram =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ram == MAP_FAILED) {
        perror("run-payload: RAM");
        return 2;
    }
    load(ram, size, image ? IMAGE_OFFSET : 0, argv[optind]);
    if (image) {
        entry += IMAGE_OFFSET;
    }
    if (initrd) {
        load(ram, size, 0x8000000, initrd);
    }
    if (dtb) {
        dtb_offset = 0x7e00000;
        load(ram, size, dtb_offset, dtb);
    }

    run.ops = engine_get("a64", &error);
    run.vm = run.ops ? run.ops->vm_new(&config, &error) : NULL;
    if (!run.vm || !run.ops->vm_map(run.vm, RAM_BASE, size, ram,
                                    ENGINE_MAP_READ | ENGINE_MAP_WRITE | ENGINE_MAP_EXEC, &error)) {
        fprintf(stderr, "run-payload: %s\n", error->message);
        return 2;
    }
    run.n_vcpus = config.n_vcpus;
    for (unsigned i = 0; i < run.n_vcpus; i++) {
        run.vcpu[i] = run.ops->vcpu_new(run.vm, i, &error);
        if (!run.vcpu[i]) {
            fprintf(stderr, "run-payload: %s\n", error->message);
            return 2;
        }
    }
    run.ops->vcpu_boot(run.vcpu[0], entry, RAM_BASE + dtb_offset);
    for (unsigned i = 0; i < run.n_vcpus; i++) {
        pthread_create(&threads[i], NULL, vcpu_main, run.vcpu[i]);
    }
    for (unsigned i = 0; i < run.n_vcpus; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < run.n_vcpus; i++) {
        run.ops->vcpu_free(run.vcpu[i]);
    }
    run.ops->vm_free(run.vm);
    munmap(ram, size);
    return run.status;
}
