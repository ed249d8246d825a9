/* SPDX-License-Identifier: GPL-2.0-or-later
 * The vCPU threads of one accelerator, for accel.c: start, pause, resume, stop. How a kick
 * reaches a vCPU that is deep in its hypervisor is told in vcpu.c.
 */
#pragma once

#include <sys/types.h>

#include "accel/accel-impl.h"

typedef struct VcpuSet VcpuSet;

/* How long an entry that carries a read's answer is spared signals, in microseconds. Only tests
 * change it. */
extern int64_t vcpu_hold_us;

VcpuSet *vcpu_set_new(Accel *accel, unsigned n);
/* Threads have been stopped. NULL is fine. */
void vcpu_set_free(VcpuSet *set);
AccelVcpu *vcpu_set_get(VcpuSet *set, unsigned index);
/* The kernel's number of its thread, or 0 if it has not started. [any] */
pid_t vcpu_set_tid(VcpuSet *set, unsigned index);
unsigned vcpu_set_size(const VcpuSet *set);

/* Creates the threads; they wait for vcpu_set_resume(). [main] */
bool vcpu_set_start(VcpuSet *set, GError **error);
/* Returns when every vCPU has left the guest. [main] */
void vcpu_set_pause(VcpuSet *set);
void vcpu_set_resume(VcpuSet *set);
/* One signal to one thread that has started. [any] */
void vcpu_set_kick(VcpuSet *set, unsigned index);
/* While paused: who was never to enter the guest again may, and an answer that was to be carried
 * in is forgotten. [main] */
void vcpu_set_restart(VcpuSet *set);
/* Joins the threads; idempotent. [main], never in a vCPU thread */
void vcpu_set_stop(VcpuSet *set);
