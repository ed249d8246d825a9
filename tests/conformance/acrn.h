/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of the ACRN conformance suite share: a descriptor with a VM behind it, reached
 * through hostdev only, and calls that are expected to fail in one way.
 */
#pragma once

#include <errno.h>
#include <glib.h>
#include <linux/acrn.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/hostdev.h"

enum { ACRN_TEST_RAM = 2 << 20 };

typedef struct {
    int fd;
    unsigned vcpus;
    uint16_t vmid;
    struct acrn_io_request_buffer *page;
    uint8_t *ram; /* mapped at 0 of the VM, or NULL */
} AcrnVm;

/* What the suite runs against. */
extern const HostDevOps *acrn_ops;
extern bool acrn_on_model;

/* The model's knobs; "engine=script" unless a test says otherwise. */
void acrn_configure(const char *knobs);
/* The script that vCPUs of the model play; NULL: nothing. */
void acrn_script(const char *text);
/* What the guest saw since the last call. */
char *acrn_log_text(void);

int acrn_open(void);
/* A VM with vcpus CPUs, a request page and, if ram, memory at 0. */
AcrnVm *acrn_vm_new(unsigned vcpus, uint64_t flags, bool ram);
void acrn_vm_free(AcrnVm *vm); /* pauses first */

long acrn_call(AcrnVm *vm, unsigned long request, const void *arg); /* result or -errno */
long acrn_call_value(AcrnVm *vm, unsigned long request, uint64_t value);
#define acrn_ok(vm, request, arg)         g_assert_cmpint(acrn_call(vm, request, arg), ==, 0)
#define acrn_fails(vm, request, arg, err) g_assert_cmpint(acrn_call(vm, request, arg), ==, -(err))

struct acrn_io_request *acrn_slot(AcrnVm *vm, unsigned vcpu);
uint32_t acrn_state(AcrnVm *vm, unsigned vcpu);
/* ATTACHes until vCPU's slot is to be answered by us. */
struct acrn_io_request *acrn_wait(AcrnVm *vm, unsigned vcpu);
void acrn_finish(AcrnVm *vm, unsigned vcpu);
/* Until the model's log has text. */
void acrn_expect_log(const char *text);

void acrn_add_vm_tests(void);
void acrn_add_ioreq_tests(void);
void acrn_add_eventfd_tests(void);
void acrn_add_guest_tests(void);
