/* SPDX-License-Identifier: GPL-2.0-or-later
 * A kernel for tests of accel/gunyah: it obeys nothing, records everything, and fails where it is
 * told. What the real interface does is models/gunyah's matter; here the accelerator's own calls,
 * their order and its reactions are looked at. One at a time per process.
 */
#pragma once

#include <glib.h>
#include <linux/gunyah.h>
#include <pthread.h>
#include <stdbool.h>

#include "accel/hostdev.h"

#define FAKE_GUNYAH_PATH "/dev/humpy-fake-gunyah"

enum { FAKE_RUN_PAGE = 16384, FAKE_MAX_FNS = 64, FAKE_MAX_VCPUS = 4 };

/* One turn of a vCPU: what RUN leaves in the page and returns. */
typedef struct {
    int err; /* 0, or RUN fails with it */
    uint32_t reason;
    union {
        struct {
            uint64_t addr, data;
            uint32_t len;
            bool is_write;
        } mmio;
        struct {
            uint32_t status;
            uint16_t type;
            uint32_t reason_size;
            uint8_t reason[8];
        } status;
        struct {
            uint64_t addr;
            int32_t attempt;
        } fault;
    };
    bool sleep_first; /* until a signal */
} FakeTurn;

/* What the accelerator left in the page before a RUN. */
typedef struct {
    uint8_t immediate_exit;
    uint32_t exit_reason;
    uint8_t data[8];
    uint8_t mmio_resume;
    uint8_t fault_resume;
} FakeSeen;

typedef struct {
    pthread_mutex_t lock;
    GString *log; /* one word per call that matters */

    /* What this kernel is. */
    bool share, lend, boot_context, reclaim, guest_mem;
    bool removes_by_address; /* an early kernel's REMOVE_FUNCTION */
    uint64_t memlock;
    int open_errno;
    uint8_t *start_spoils; /* START writes here, also when it fails; or NULL */
    struct {
        unsigned long request;
        uint32_t fn; /* of ADD_FUNCTION; 0: any */
        int err;
        unsigned times;
    } fail[4];

    /* What it was given. */
    GArray *regions; /* of struct gh_userspace_memory_region, of the last VM */
    GArray *files;   /* of struct gh_map_mem_args */
    struct gh_vm_dtb_config dtb;
    struct gh_vm_boot_context boot;
    struct gh_fn_irqfd_arg irqfds[FAKE_MAX_FNS];
    unsigned n_irqfds;
    GArray *ioeventfds; /* of struct gh_fn_ioeventfd_arg */
    unsigned n_vms, n_starts, open_fds;
    struct gh_address_range reclaimed; /* the last one */
    bool spoilt_before;                /* the last START found what an earlier one had written */
    bool eventfds_open_at_close;       /* an irqfd's eventfd outlived the VM descriptor */
    size_t mapped;

    /* vCPU 0's script; the others sleep. */
    GArray *turns; /* of FakeTurn */
    GArray *seen;  /* of FakeSeen */
    unsigned turn; /* atomic */
} FakeGunyah;

extern FakeGunyah fake_gunyah;

/* An android14 kernel with nothing to say: its vCPUs sleep. Registers itself with hostdev. */
void fake_gunyah_reset(void);
void fake_gunyah_fail(unsigned long request, uint32_t fn, int err, unsigned times);
void fake_gunyah_add_turn(const FakeTurn *turn);
/* Waits until vCPU 0 has begun RUN number n (from 1). */
void fake_gunyah_wait_turn(unsigned n);
/* Waits for the doorbell of label to ring, and takes its rings. */
uint64_t fake_gunyah_wait_bell(unsigned label);
/* The rings so far, taken. */
uint64_t fake_gunyah_take_bell(unsigned label);
