/* SPDX-License-Identifier: GPL-2.0-or-later
 * A device model just large enough for a guest that really runs: it answers the UART, reports the
 * rest, and is what the tests in test-acrn-guest.c steer.
 */
#pragma once

#include "acrn.h"

enum { GUEST_CODE = 0x1000, GUEST_IMAGE = 0x100000, GUEST_EXIT = 0x501 };

typedef struct AcrnGuest AcrnGuest;
struct AcrnGuest {
    AcrnVm *vm;
    struct acrn_vcpu_regs regs;
    GString *output;
    bool ended;
    uint32_t status;
    unsigned requests; /* answered */
    /* What is not the UART's; NULL: reads get ones. */
    void (*serve)(AcrnGuest *guest, struct acrn_io_request *req);
    uint64_t user;
};

/* NULL: skipped, with the reason. Code is real-mode bytes that start at GUEST_CODE. */
AcrnGuest *acrn_guest_new(unsigned vcpus, const void *code, size_t size);
/* The program of tests/guest/x86 with that command line. */
AcrnGuest *acrn_guest_payload(unsigned vcpus, const char *command_line);
void acrn_guest_free(AcrnGuest *guest);
void acrn_guest_start(AcrnGuest *guest); /* SET_VCPU_REGS, START */
void acrn_guest_reset(AcrnGuest *guest); /* PAUSE, CLEAR, RESET */
/* Answers one round of requests. */
void acrn_guest_step(AcrnGuest *guest);
void acrn_guest_run(AcrnGuest *guest); /* until it writes to GUEST_EXIT */
