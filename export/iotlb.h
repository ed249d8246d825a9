/* SPDX-License-Identifier: GPL-2.0-or-later
 * The address space of a VDUSE device: regions of the driver's memory, mapped when the device first
 * needs one and dropped when the kernel says that it is no longer valid.
 *
 * Threads: [any]. Lock order: after a queue's lock; the memory API's topology lock is below.
 */
#pragma once

#include "memory/memory.h"
#include "vduse-node.h"

typedef struct Iotlb Iotlb;

/* node stays the caller's. wake_fd, an eventfd, is signalled when memory is torn. */
Iotlb *iotlb_new(const VduseNode *node, int wake_fd);
/* Nothing uses its address space any more. NULL is fine. */
void iotlb_free(Iotlb *tlb);
AddressSpace *iotlb_space(Iotlb *tlb); /* borrowed */

/* Maps the region around addr. FALSE: there is none, or not one that may be written. */
bool iotlb_fault(Iotlb *tlb, uint64_t addr, bool is_write);
/* From now on [start, last] is not there. Requests in flight go on with what they have. */
void iotlb_drop(Iotlb *tlb, uint64_t start, uint64_t last);
/* Unmaps what was dropped: returns when no request has it. */
void iotlb_reap(Iotlb *tlb);
/* Puts memory of nobody's in place of what was dropped and not unmapped: what requests still do
 * there does not reach the driver. */
void iotlb_revoke(Iotlb *tlb);

/* TRUE, once: something of the driver's memory was gone when it was accessed. */
bool iotlb_was_torn(Iotlb *tlb);

unsigned iotlb_regions(Iotlb *tlb); /* mapped now */
