/* SPDX-License-Identifier: GPL-2.0-or-later
 * What tests and programs may set and ask of the /dev/acrn_hsm model beyond the interface it
 * models. Knobs come from the HUMPY_MODEL_ACRN variable or from acrn_model_configure(); a device
 * that is opened keeps the knobs of that moment.
 *
 *     engine=NAME   what executes the guest: "kvm" (default where the host has it), or "script"
 *     cpus=N        physical CPUs (1 to 8, default 8): what an affinity may name
 *     page=4K|2M|1G size of the pages that back guest memory, for the driver's limit of operations
 *                   in one call; default: as the mapping says
 *     log=on        what the kernel and the hypervisor write to their logs goes to stderr
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "accel/hostdev.h"

#define ACRN_MODEL_PATH "/dev/acrn_hsm"

extern const HostDevOps acrn_model_ops;

/* TRUE if fd is a device of the model. [any] */
bool acrn_model_owns(int fd);

/* Replaces all knobs; NULL: those of the environment. FALSE: *error names the knob. [any] */
bool acrn_model_configure(const char *text, GError **error);

/* What would have been logged since the last call; g_free() it. [any] */
char *acrn_model_take_log(void);

typedef struct {
    unsigned vms;            /* that the hypervisor has */
    unsigned hypercalls;     /* made by the driver */
    unsigned closed_running; /* closed without PAUSE: the kernel uses freed memory from then on */
    unsigned stuck_slots;    /* a vCPU found its slot not FREE: it waits for ever */
    unsigned swallowed;      /* writes into an ioeventfd's range that matched none: lost */
    unsigned answered;       /* requests that user space completed */
} AcrnModelStats;

void acrn_model_stats(AcrnModelStats *stats);
