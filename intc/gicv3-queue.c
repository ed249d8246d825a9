/* SPDX-License-Identifier: GPL-2.0-or-later
 * The set of interrupts that one CPU could take now, by group: a bitmap per priority level with
 * two summary levels above it, so that nothing ever scans the thousand interrupts of a GIC.
 */
#include "gicv3-priv.h"

void gic_queue_insert(GicQueue *queue, unsigned level, unsigned intid)
{
    queue->members[level][intid / 32] |= 1u << intid % 32;
    queue->banks[level] |= 1u << intid / 32;
    queue->levels |= 1u << level;
}

void gic_queue_remove(GicQueue *queue, unsigned level, unsigned intid)
{
    queue->members[level][intid / 32] &= ~(1u << intid % 32);
    if (queue->members[level][intid / 32] == 0) {
        queue->banks[level] &= ~(1u << intid / 32);
        if (queue->banks[level] == 0) {
            queue->levels &= ~(1u << level);
        }
    }
}

bool gic_queue_first(const GicQueue *queue, unsigned *level, unsigned *intid)
{
    unsigned bank;

    if (queue->levels == 0) {
        return false;
    }
    *level = __builtin_ctz(queue->levels);
    bank = __builtin_ctz(queue->banks[*level]);
    *intid = bank * 32 + __builtin_ctz(queue->members[*level][bank]);
    return true;
}
