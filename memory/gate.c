/* SPDX-License-Identifier: GPL-2.0-or-later
 * A region's gate: counts the accesses and maps that are inside it after their RCU read section has
 * ended (ops may block, so they run outside of one), keeps the owner alive until they have left,
 * and lets memory_region_destroy() wait for them. It outlives the region when retired FlatViews
 * still name it. Allocated on a cache line of its own, as it is all that an access writes.
 */
#include "memory-priv.h"

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_empty = PTHREAD_COND_INITIALIZER;

MemoryGate *gate_new(GObject *owner)
{
    MemoryGate *gate = g_aligned_alloc0(1, sizeof(*gate), 64);

    gate->owner = owner;
    return gate;
}

static void gate_free(MemDeferred *deferred)
{
    g_aligned_free(caa_container_of(deferred, MemoryGate, deferred));
}

void gate_retire(MemoryGate *gate)
{
    mem_defer(&gate->deferred, gate_free);
}

static uint32_t gate_inside(const MemoryGate *gate)
{
    return __atomic_load_n(&gate->state, __ATOMIC_ACQUIRE) & ~GATE_SLOW;
}

/* Whoever takes the count to 0 settles what is owed; after the count is dropped and the mutex is
 * released, gate and owner may be gone. */
void gate_leave_slow(MemoryGate *gate)
{
    GObject *owner = NULL;
    uint32_t owed = 0;

    pthread_mutex_lock(&gate_lock);
    if ((__atomic_sub_fetch(&gate->state, 1, __ATOMIC_ACQ_REL) & ~GATE_SLOW) == 0) {
        owner = gate->owner;
        owed = gate->owed;
        gate->owed = 0;
        __atomic_fetch_and(&gate->state, ~(uint32_t)GATE_SLOW, __ATOMIC_RELEASE);
        pthread_cond_broadcast(&gate_empty);
    }
    pthread_mutex_unlock(&gate_lock);
    while (owed-- > 0) {
        g_object_unref(owner);
    }
}

void gate_wait_empty(MemoryGate *gate)
{
    pthread_mutex_lock(&gate_lock);
    while (__atomic_fetch_or(&gate->state, GATE_SLOW, __ATOMIC_ACQ_REL) & ~GATE_SLOW) {
        pthread_cond_wait(&gate_empty, &gate_lock);
    }
    __atomic_fetch_and(&gate->state, ~(uint32_t)GATE_SLOW, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&gate_lock);
}

void gate_drop_owner(MemoryGate *gate)
{
    GObject *owner = gate->owner;

    pthread_mutex_lock(&gate_lock);
    __atomic_fetch_or(&gate->state, GATE_SLOW, __ATOMIC_ACQ_REL);
    if (gate_inside(gate) != 0) {
        gate->owed++;
        owner = NULL;
    } else {
        __atomic_fetch_and(&gate->state, ~(uint32_t)GATE_SLOW, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&gate_lock);
    if (owner != NULL) {
        g_object_unref(owner);
    }
}
