/* SPDX-License-Identifier: GPL-2.0-or-later
 * A kernel with ACRN's driver for tests of accel/acrn: it writes down every call, fails where it is
 * told, and holds the accelerator to the rules that keep a real kernel alive. What guests ask is
 * posted by the test, which so is hypervisor and driver at once and may leave anything in a slot.
 * One VM at a time per process.
 */
#pragma once

#include <glib.h>
#include <linux/acrn.h>
#include <pthread.h>
#include <stdbool.h>

#include "accel/hostdev.h"

#define FAKE_HSM_PATH "/dev/humpy-fake-hsm"

typedef enum { FAKE_NONE, FAKE_CREATED, FAKE_STARTED, FAKE_PAUSED } FakeVmState;

typedef struct {
    pthread_mutex_t lock; /* all that follows */
    pthread_cond_t changed;
    GString *log; /* a word per call that matters */

    /* What this kernel is. */
    unsigned vcpus; /* 0: one for each CPU of the affinity */
    struct {
        unsigned long request;
        int err;
        unsigned after; /* calls that succeed first */
    } fail;

    /* What it was given. */
    FakeVmState state;
    struct acrn_vm_creation creation;
    struct acrn_vcpu_regs regs;
    GArray *segments;   /* of struct acrn_vm_memmap */
    GArray *ioeventfds; /* of struct acrn_ioeventfd; what is registered */
    GArray *pci, *mmio; /* of struct acrn_pcidev and acrn_mmiodev: given, taken back */
    int assigned;
    GArray *lines;    /* of uint64_t */
    GArray *messages; /* of struct acrn_msi_entry */
    unsigned open_fds, attached, finished[ACRN_IO_REQUEST_MAX];

    struct acrn_io_request_buffer *page;
    bool client;
    unsigned spurious;   /* times that ATTACH returns for nothing */
    uint32_t open_slots; /* requests that are not finished, a bit each */
} FakeHsm;

extern FakeHsm fake_hsm;

/* Everything as new. Registers itself with hostdev. */
void fake_hsm_reset(void);
void fake_hsm_clear(void);
void fake_hsm_fail(unsigned long request, int err, unsigned after);
/* The log so far, taken. */
char *fake_hsm_take_log(void);

/* Puts a request into vCPU's slot, which must be free: type, polling, kernel_handled and reqs are
 * taken from req. As PROCESSING and waiting for the client. */
void fake_hsm_post(unsigned vcpu, const struct acrn_io_request *req);
/* Waits until it is COMPLETE and frees the slot; value of the answer as wide as it can be. */
uint64_t fake_hsm_answer(unsigned vcpu);
/* The same, for a slot that will not be PROCESSING by then. */
void fake_hsm_wait_finished(unsigned vcpu, unsigned times);
uint64_t fake_hsm_ask(unsigned vcpu, const struct acrn_io_request *req);

struct acrn_io_request fake_mmio(uint32_t direction, uint64_t addr, uint64_t size, uint64_t value);
struct acrn_io_request fake_pio(uint32_t direction, uint64_t port, uint64_t size, uint32_t value);
