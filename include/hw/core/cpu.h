/* SPDX-License-Identifier: GPL-2.0-or-later
 * A CPU as the composition tree shows it: where it is, and which node it is on. What runs it is the
 * accelerator's vCPU of the same index.
 *
 * Threads: [main] only.
 */
#pragma once

#include <glib-object.h>

#include "hw/core/numa.h"

#define TYPE_CPU cpu_get_type()
G_DECLARE_FINAL_TYPE(Cpu, cpu, HUMPY, CPU, GObject)

/* Without a place in the tree. node -1: the machine is not divided. New reference. */
Cpu *cpu_new(unsigned index, const CpuPlace *place, int node);
const CpuPlace *cpu_place_of(Cpu *cpu);
int cpu_node(Cpu *cpu); /* or -1 */
