/* SPDX-License-Identifier: GPL-2.0-or-later
 * Interrupt lines to the in-kernel controllers, and messages. A line's number there is the
 * architecture's to tell. KVM_IRQ_LINE takes effect before it returns; an irqfd on a line would be
 * served later, by a worker of the kernel's.
 */
#define G_LOG_DOMAIN "humpy-kvm"

#include <errno.h>
#include <inttypes.h>

#include "kvm-priv.h"

bool kvm_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);
    uint32_t number;
    KvmLine *line;

    if (!kvm_arch_line(kvm, gsi, &number, error)) {
        return false;
    }
    line = g_new0(KvmLine, 1);
    line->number = number;
    pthread_mutex_init(&line->lock, NULL);
    g_hash_table_insert(kvm->lines, GUINT_TO_POINTER(gsi), line);
    return true;
}

static void drive(AccelKvm *kvm, const KvmLine *line, bool level)
{
    struct kvm_irq_level arg = { .irq = line->number, .level = level };

    if (kvm_vm_ioctl(kvm, KVM_IRQ_LINE, &arg) != 0) {
        g_debug("line %u: %s", line->number, g_strerror(errno));
    }
}

/* Whether edge or level is what the guest has programmed the controller for: an edge is found in
 * the changes of level. */
void kvm_irq_set(Accel *accel, unsigned gsi, bool level)
{
    AccelKvm *kvm = HUMPY_ACCEL_KVM(accel);
    KvmLine *line = g_hash_table_lookup(kvm->lines, GUINT_TO_POINTER(gsi));

    if (line == NULL) {
        return;
    }
    pthread_mutex_lock(&line->lock);
    if (line->level != level) {
        line->level = level;
        drive(kvm, line, level);
    }
    pthread_mutex_unlock(&line->lock);
}

void kvm_irqs_refresh(AccelKvm *kvm)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, kvm->lines);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        KvmLine *line = value;

        pthread_mutex_lock(&line->lock);
        drive(kvm, line, false);
        if (line->level) {
            drive(kvm, line, true);
        }
        pthread_mutex_unlock(&line->lock);
    }
}

void kvm_msi(Accel *accel, uint64_t addr, uint32_t data)
{
    struct kvm_msi arg = {
        .address_lo = (uint32_t)addr,
        .address_hi = addr >> 32,
        .data = data,
    };

    if (kvm_vm_ioctl(HUMPY_ACCEL_KVM(accel), KVM_SIGNAL_MSI, &arg) < 0) {
        g_debug("message 0x%x to 0x%" PRIx64 ": %s", data, addr, g_strerror(errno));
    }
}

static void free_line(gpointer data)
{
    KvmLine *line = data;

    pthread_mutex_destroy(&line->lock);
    g_free(line);
}

void kvm_irqs_init(AccelKvm *kvm)
{
    kvm->lines = g_hash_table_new_full(NULL, NULL, NULL, free_line);
}

void kvm_irqs_clear(AccelKvm *kvm)
{
    g_clear_pointer(&kvm->lines, g_hash_table_unref);
}
