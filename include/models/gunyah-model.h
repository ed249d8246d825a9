/* SPDX-License-Identifier: GPL-2.0-or-later
 * What tests and programs may set and ask of the /dev/gunyah model beyond the interface it models.
 * Knobs come from the HUMPY_MODEL_GUNYAH variable, or from gunyah_model_configure(); a device that
 * is opened keeps the knobs of that moment, and so do its VMs.
 *
 *     rev=android14|android15|v17|0xb2   kernel interface (docs: facts of the UAPI, families)
 *     engine=NAME         what executes the guest; default the best of this build
 *     memlock=SIZE        pinned bytes allowed (RLIMIT_MEMLOCK); default unlimited
 *     teardown-ms=N       time the asynchronous teardown takes after the last close
 *     capacity=N          VMs the resource manager can hold, those being torn down included
 *     capacity-code=N     its reply when full: 2 no resource (default), 5 busy
 *     policy=any|lend|share   image memory that the resource manager accepts
 *     share-exec=on       android15: guests may execute from shared pages
 *     fail=STEP[:CODE]    the resource manager refuses STEP (vmid, parcel, configure,
 *                         authenticate, init, resources, start) with CODE, its number or
 *                         "unimplemented"; default 4
 *     pin=enomem|efault   memory cannot be pinned
 *     run-error=NAME      the hypervisor answers RUN with NAME (nomem, denied, cspace, busy, idle,
 *                         irq, msgq, unimplemented, retry, arg)
 *     hazard=A+B…         h1: every MMIO exit comes back as EINTR with the page written
 *                         h2: a kick is awaited after a read's answer was taken, before its use
 *                         h3: immediate_exit is seen only where RUN begins
 *                         eagain: every second RUN is EAGAIN
 *     page-fault=N        android15, v17: the first N RUNs end in a PAGE_FAULT exit
 *     trusted-vm=off|check|accept   android15: SET_AUTH_TYPE knows trusted VMs; which images
 *     auth-einval=on      android15: it obeys and says EINVAL
 *     extension=N         android15: CHECK_EXTENSION's answer for extension 0
 *     log=on              what a kernel writes to dmesg goes to stderr
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "accel/hostdev.h"

#define GUNYAH_MODEL_PATH     "/dev/gunyah"
#define GUNYAH_MODEL_CMA_PATH "/dev/trustedvm_cma" /* there with the knob cma= */

extern const HostDevOps gunyah_model_ops;

/* TRUE if fd is a device, VM, vCPU or guest-memory file of the model. [any] */
bool gunyah_model_owns(int fd);

/* Replaces all knobs; NULL: those of the environment. FALSE: *error names the knob. [any] */
bool gunyah_model_configure(const char *text, GError **error);

/* What a kernel would have written to dmesg since the last call; g_free() it. [any] */
char *gunyah_model_take_dmesg(void);

typedef struct {
    unsigned vms;             /* not yet torn down */
    unsigned hidden_exits;    /* the page was written and RUN returned EINTR (H1) */
    unsigned lost_answers;    /* a read's answer was taken and dropped (H2) */
    unsigned premature_bells; /* eventfd writes before the doorbell was there: dropped */
    unsigned dangling_irqfds; /* irqfd removed without a doorbell while its eventfd is open: the
                               * kernel leaves a freed record on the eventfd */
    unsigned dangling_writes; /* and the eventfd was written later: the kernel uses it */
} GunyahModelStats;

void gunyah_model_stats(GunyahModelStats *stats);

/* Returns when every close has been noticed and every teardown has ended. [any] */
void gunyah_model_settle(void);

/* Ends the VM as the resource manager would: status EXITED with exit type and reason (up to 8
 * bytes), or any other with type -1: CRASHED. FALSE: fd is no running VM. [any] */
bool gunyah_model_vm_exit(int vm_fd, int type, const void *reason, unsigned n);
