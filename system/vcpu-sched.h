/* SPDX-License-Identifier: GPL-2.0-or-later
 * -vcpu-sched: on which of the host's CPUs vCPU threads run, and how the scheduler treats them.
 */
#pragma once

#include <glib.h>

#include "accel/accel.h"

typedef struct VcpuSched VcpuSched;

/* Text as after -vcpu-sched; the host's kernel is not asked yet. */
VcpuSched *vcpu_sched_parse(const char *text, GError **error);
void vcpu_sched_free(VcpuSched *sched);
/* For all vCPU threads of accel, which has started and is paused. FALSE: the host refused, or the
 * threads are the hypervisor's own. [main] */
bool vcpu_sched_apply(const VcpuSched *sched, Accel *accel, GError **error);
