/* SPDX-License-Identifier: GPL-2.0-or-later
 * KVM changes a memory slot only by taking it out and putting another in, and a vCPU that executes
 * from it in between fails. So vCPUs are kept out of KVM_RUN meanwhile. One that is inside a device
 * is not inside the guest: whoever closes the gate may be such a one, or hold what it waits for.
 */
#include "../monocond.h"
#include "kvm-priv.h"

enum { LOOK_AGAIN_US = 50 };

void kvm_gate_init(KvmGate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    monocond_init(&gate->changed);
}

void kvm_gate_clear(KvmGate *gate)
{
    pthread_mutex_destroy(&gate->lock);
    pthread_cond_destroy(&gate->changed);
}

static bool anybody_inside(AccelKvm *kvm)
{
    bool inside = false;

    for (unsigned i = 0; kvm->vcpus != NULL && i < kvm->n_vcpus; i++) {
        if (kvm->vcpus[i] != NULL && __atomic_load_n(&kvm->vcpus[i]->inside, __ATOMIC_SEQ_CST)) {
            /* Once is enough (the kick's flag stays until it is seen), but it may have been for an
             * entry that the vCPU had just left. */
            accel_vcpu_kick(accel_vcpu(HUMPY_ACCEL(kvm), i));
            inside = true;
        }
    }
    return inside;
}

void kvm_gate_close(AccelKvm *kvm)
{
    KvmGate *gate = &kvm->gate;

    pthread_mutex_lock(&gate->lock);
    while (gate->closed) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    (void)__atomic_exchange_n(&gate->closed, true, __ATOMIC_SEQ_CST);
    while (anybody_inside(kvm)) {
        monocond_wait_until(&gate->changed, &gate->lock, g_get_monotonic_time() + LOOK_AGAIN_US);
    }
    pthread_mutex_unlock(&gate->lock);
}

void kvm_gate_open(AccelKvm *kvm)
{
    KvmGate *gate = &kvm->gate;

    pthread_mutex_lock(&gate->lock);
    __atomic_store_n(&gate->closed, false, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void kvm_gate_wait(AccelKvm *kvm, KvmVcpu *v)
{
    KvmGate *gate = &kvm->gate;

    pthread_mutex_lock(&gate->lock);
    while (gate->closed) {
        __atomic_store_n(&v->inside, false, __ATOMIC_SEQ_CST);
        pthread_cond_broadcast(&gate->changed);
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    __atomic_store_n(&v->inside, true, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&gate->lock);
}
