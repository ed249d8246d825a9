/* SPDX-License-Identifier: GPL-2.0-or-later
 * Numbers that start.S and lib.h share; lib.c asserts the structures against them.
 */
#define MAX_CPUS      8
#define STACK_SHIFT   14
#define FRAME_SIZE    288
#define CPU_SIZE      256
#define CPU_RESUME    0
#define CPU_RESUME_SP 8
#define CPU_EL0_SP    16
