/* SPDX-License-Identifier: GPL-2.0-or-later
 * A small machine for tests of accel/kvm on the host's own /dev/kvm: RAM, a recording device in
 * memory (on x86 one in I/O ports too), and payloads that are assembled into the test, for real
 * mode or for EL1 with the MMU off.
 *
 *     PAYLOAD(store, "movb $1, 0x2000; hlt");
 *     world_load(w, PAYLOAD_OF(store));
 *
 * The device keeps the last writes in order. A payload tells the test something by writing to
 * PORT_TELL or TELL_BASE, and the test waits for it.
 */
#pragma once

#include <glib.h>

#include "small-world.h"
#include "util/error.h"

#if defined(__aarch64__)
enum {
    RAM_BASE = 0x40000000,
    RAM_SIZE = 0x100000,
    CODE_ADDR = RAM_BASE + 0x1000,
    GICD_BASE = 0x08000000,
    GICR_BASE = 0x080a0000,
    DEVICE_BASE = 0x0a000000,
    DEVICE_SIZE = 0x2000,
    TELL_BASE = 0x0b000000,
    MAX_SEEN = 256,
};
#else
enum {
    RAM_BASE = 0,
    RAM_SIZE = 0xa0000,
    CODE_ADDR = 0x1000,
    DEVICE_BASE = 0xd0000,
    DEVICE_SIZE = 0x2000,
    PORT_BASE = 0x500,
    PORT_SIZE = 0x10,
    PORT_TELL = 0x600, /* size 4 */
    MAX_SEEN = 256,
};
#endif

#if defined(__aarch64__)
/* Code of a payload, for PC = CODE_ADDR at EL1 with the MMU off. Global labels: binutils 2.40 finds
 * a local one by the GOT at its section's start. */
#define PAYLOAD(name, text)                                                                        \
    extern const uint8_t payload_##name[], payload_##name##_end[];                                 \
    __asm__(".pushsection .rodata\n.globl payload_" #name ", payload_" #name "_end\n"              \
            ".balign 8\npayload_" #name ":\n" text "\npayload_" #name "_end:\n.popsection\n")
#else
/* Code of a payload, for CS = DS = ES = SS = 0 and IP = CODE_ADDR. */
#define PAYLOAD(name, text)                                                                        \
    extern const uint8_t payload_##name[], payload_##name##_end[];                                 \
    __asm__(".pushsection .rodata\n.code16\npayload_" #name ":\n" text "\npayload_" #name          \
            "_end:\n.code64\n.popsection\n")
#endif
#define PAYLOAD_OF(name) payload_##name, payload_##name##_end - payload_##name

typedef struct {
    bool write;
    uint64_t addr; /* in the region */
    unsigned size;
    uint64_t value;
} Seen;

typedef struct World {
    SMALL_WORLD;
    MemoryRegion tell;

    /* Under lock: */
    Seen seen[MAX_SEEN]; /* accesses to device and ports */
    unsigned n_seen;
    uint64_t to_read; /* what reads give; after each one it grows by step */
    uint64_t step;
    void (*written)(struct World *w); /* by the writing vCPU; NULL: nothing */
    MemoryRegion *over;               /* for it */
    void (*reading)(struct World *w); /* before a read is answered; NULL: nothing */
    bool hold_reads;                  /* reads wait until it is cleared */
    unsigned in_read;
    GArray *told; /* uint32_t */
    unsigned told_taken;
} World;

void world_init(World *w, gconstpointer data);
void world_clear(World *w, gconstpointer data);
/* Creates the accelerator from -accel kvm,device=/dev/kvm and text, and sets it up. */
void world_setup(World *w, const char *text, unsigned n_vcpus);
void world_load(World *w, const uint8_t *code, size_t size);
/* All three with one vCPU. */
void world_run(World *w, const uint8_t *code, size_t size);

/* Waits for the next word that the payload tells. */
uint32_t world_hear(World *w);
Seen world_seen(World *w, unsigned i);
unsigned world_n_seen(World *w);
void world_assert_seen(World *w, unsigned i, bool write, uint64_t addr, unsigned size,
                       uint64_t value);
uint32_t world_ram32(World *w, uint64_t addr);
void world_set_ram32(World *w, uint64_t addr, uint32_t value);

/* g_test_add() with World, and the skip where there is no KVM. */
void world_test(const char *path, void (*fn)(World *w, gconstpointer data));
