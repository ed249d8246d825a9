/* SPDX-License-Identifier: GPL-2.0-or-later
 * The base class of accelerators: life cycle, capability questions, the wires' bookkeeping, the
 * one event of a VM's life. What a hypervisor does is in accel/X; choosing one from -accel is in
 * registry.c; threads are in vcpu.c.
 */
#include "accel/accel.h"

#include <pthread.h>

#include "accel-priv.h"
#include "util/error.h"
#include "util/props.h"
#include "vcpu.h"

typedef enum {
    ACCEL_CLOSED,
    ACCEL_OPEN,
    ACCEL_SET_UP,
    ACCEL_STARTED,
    ACCEL_DOWN,
} AccelState;

typedef struct {
    AccelState state;
    bool paused;
    bool close_due;
    bool relaunch;
    AccelMachineInfo info;
    char *vm_name;
    VcpuSet *vcpus;
    GHashTable *gsis; /* connected line numbers */
    uint64_t irq_changes;
    uint64_t msis;
    uint64_t dropped_caps;
    pthread_mutex_t event_lock;
    AccelEventFn event_fn;
    void *event_opaque;
    bool event_reported;
} AccelPrivate;

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(Accel, accel, G_TYPE_OBJECT)

static AccelPrivate *priv_of(Accel *accel)
{
    return accel_get_instance_private(accel);
}

static bool fail(Accel *accel, GError **error)
{
    g_prefix_error(error, "-accel %s: ", accel_name(accel));
    return false;
}

uint64_t accel_caps(Accel *accel)
{
    return HUMPY_ACCEL_GET_CLASS(accel)->caps & ~priv_of(accel)->dropped_caps;
}

void accel_set_relaunch(Accel *accel)
{
    priv_of(accel)->relaunch = true;
}

bool accel_is_relaunch(Accel *accel)
{
    return priv_of(accel)->relaunch;
}

void accel_drop_caps(Accel *accel, uint64_t caps)
{
    priv_of(accel)->dropped_caps |= caps;
}

const char *accel_name(Accel *accel)
{
    return HUMPY_ACCEL_GET_CLASS(accel)->name;
}

static const char *reason_for(Accel *accel, AccelCap cap)
{
    const AccelCapReason *row = HUMPY_ACCEL_GET_CLASS(accel)->cap_reasons;

    for (; row != NULL && row->cap != 0; row++) {
        if (row->cap == cap) {
            return row->why;
        }
    }
    return "its interface has no such call";
}

bool accel_require(Accel *accel, AccelCap cap, const char *what, GError **error)
{
    if (accel_caps(accel) & cap) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "%s is not supported by accelerator '%s': %s", what, accel_name(accel),
                reason_for(accel, cap));
    return false;
}

/* ---- life cycle ---- */

bool accel_open(Accel *accel, GError **error)
{
    AccelPrivate *p = priv_of(accel);

    g_assert(p->state == ACCEL_CLOSED);
    if (!HUMPY_ACCEL_GET_CLASS(accel)->open(accel, error)) {
        return fail(accel, error);
    }
    p->state = ACCEL_OPEN;
    p->close_due = true;
    return true;
}

bool accel_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    AccelPrivate *p = priv_of(accel);

    g_assert(p->state == ACCEL_OPEN);
    g_assert(info->memory != NULL);
    p->info = *info;
    p->vm_name = g_strdup(info->vm_name);
    p->info.vm_name = p->vm_name;
    if (accel_caps(accel) & ACCEL_CAP_VCPUS) {
        p->vcpus = vcpu_set_new(accel, info->n_vcpus);
    }
    if (!HUMPY_ACCEL_GET_CLASS(accel)->setup(accel, &p->info, error)) {
        g_clear_pointer(&p->vcpus, vcpu_set_free);
        return fail(accel, error);
    }
    p->state = ACCEL_SET_UP;
    return true;
}

/* Guest code may run: the hypervisor's own vCPUs, then the core's threads. */
static void let_run(Accel *accel)
{
    AccelPrivate *p = priv_of(accel);
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    if (klass->resume != NULL) {
        klass->resume(accel);
    }
    if (klass->vcpu_run != NULL) {
        vcpu_set_resume(p->vcpus);
    }
}

static bool start_again(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelPrivate *p = priv_of(accel);
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    g_assert(p->paused && (klass->caps & ACCEL_CAP_RESET_IN_PLACE));
    if (klass->reset == NULL) {
        return true;
    }
    if (klass->vcpu_run != NULL) {
        vcpu_set_restart(p->vcpus);
    }
    pthread_mutex_lock(&p->event_lock);
    p->event_reported = false;
    pthread_mutex_unlock(&p->event_lock);
    return klass->reset(accel, boot, error) || fail(accel, error);
}

bool accel_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelPrivate *p = priv_of(accel);
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    if (p->state == ACCEL_STARTED) {
        return start_again(accel, boot, error);
    }
    g_assert(p->state == ACCEL_SET_UP);
    if (!klass->start(accel, boot, error) ||
        (klass->vcpu_run != NULL && !vcpu_set_start(p->vcpus, error))) {
        return fail(accel, error);
    }
    p->state = ACCEL_STARTED;
    if (!p->paused) {
        let_run(accel);
    }
    return true;
}

void accel_pause(Accel *accel)
{
    AccelPrivate *p = priv_of(accel);
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    if (p->paused) {
        return;
    }
    p->paused = true;
    if (p->state != ACCEL_STARTED) {
        return;
    }
    if (klass->vcpu_run != NULL) {
        vcpu_set_pause(p->vcpus);
    }
    if (klass->pause != NULL) {
        klass->pause(accel);
    }
}

void accel_resume(Accel *accel)
{
    AccelPrivate *p = priv_of(accel);

    if (!p->paused) {
        return;
    }
    p->paused = false;
    if (p->state == ACCEL_STARTED) {
        let_run(accel);
    }
}

void accel_teardown(Accel *accel)
{
    AccelPrivate *p = priv_of(accel);
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    if (p->state == ACCEL_SET_UP || p->state == ACCEL_STARTED) {
        if (klass->vcpu_run != NULL) {
            vcpu_set_stop(p->vcpus);
        }
        klass->teardown(accel);
        g_clear_pointer(&p->vcpus, vcpu_set_free);
    }
    p->state = ACCEL_DOWN;
}

/* ---- wires ---- */

bool accel_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error)
{
    AccelPrivate *p = priv_of(accel);

    g_assert(p->state == ACCEL_SET_UP);
    if (!accel_require(accel, ACCEL_CAP_IRQCHIP, "an interrupt line", error)) {
        return false;
    }
    if (g_hash_table_contains(p->gsis, GUINT_TO_POINTER(gsi))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "interrupt line %u is connected twice", gsi);
        return fail(accel, error);
    }
    if (!HUMPY_ACCEL_GET_CLASS(accel)->irq_connect(accel, gsi, mode, error)) {
        return fail(accel, error);
    }
    g_hash_table_add(p->gsis, GUINT_TO_POINTER(gsi));
    return true;
}

void accel_irq_set(Accel *accel, unsigned gsi, bool level)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    __atomic_fetch_add(&priv_of(accel)->irq_changes, 1, __ATOMIC_RELAXED);
    if (klass->irq_set != NULL) {
        klass->irq_set(accel, gsi, level);
    }
}

void accel_msi(Accel *accel, uint64_t addr, uint32_t data)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    __atomic_fetch_add(&priv_of(accel)->msis, 1, __ATOMIC_RELAXED);
    if (klass->msi != NULL) {
        klass->msi(accel, addr, data);
    }
}

uint64_t accel_msis(Accel *accel)
{
    return __atomic_load_n(&priv_of(accel)->msis, __ATOMIC_RELAXED);
}

unsigned accel_irq_lines(Accel *accel)
{
    return g_hash_table_size(priv_of(accel)->gsis);
}

uint64_t accel_irq_changes(Accel *accel)
{
    return __atomic_load_n(&priv_of(accel)->irq_changes, __ATOMIC_RELAXED);
}

void accel_pci_irq(Accel *accel, uint16_t segment, uint8_t bus, uint8_t dev, unsigned pin,
                   bool level)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    __atomic_fetch_add(&priv_of(accel)->irq_changes, 1, __ATOMIC_RELAXED);
    if (klass->pci_irq != NULL) {
        klass->pci_irq(accel, segment, bus, dev, pin, level);
    }
}

void accel_guest_over(Accel *accel, bool reset)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    if (klass->guest_over != NULL) {
        klass->guest_over(accel, reset);
    }
}

bool accel_set_dirty_log(Accel *accel, bool on)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    if (klass->set_dirty_log == NULL) {
        return false;
    }
    klass->set_dirty_log(accel, on);
    return true;
}

bool accel_pci_function(Accel *accel, uint16_t segment, uint8_t bus, uint8_t devfn, GError **error)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    return klass->pci_function == NULL || klass->pci_function(accel, segment, bus, devfn, error) ||
           fail(accel, error);
}

/* ---- protection ---- */

const char *const accel_window_names[] = { "auto", "pool", "zone", NULL };

void accel_protection(Accel *accel, AccelProtection *wanted)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    *wanted = (AccelProtection){ .mode = ACCEL_PROTECT_OFF };
    if (klass->protection != NULL) {
        klass->protection(accel, wanted);
    }
}

bool accel_wants_protection(Accel *accel)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    return klass->wants_protection != NULL && klass->wants_protection(accel);
}

/* ---- boot ---- */

bool accel_fdt_fixup(Accel *accel, void *fdt, const AccelFdtInfo *info, GError **error)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    if (klass->fdt_fixup != NULL && !klass->fdt_fixup(accel, fdt, info, error)) {
        return fail(accel, error);
    }
    return true;
}

uint64_t accel_dtb_room(Accel *accel, uint64_t dtb_size)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    return klass->dtb_room != NULL ? klass->dtb_room(accel, dtb_size) : dtb_size;
}

bool accel_fixed_entry(Accel *accel, uint64_t region_base, uint64_t *entry)
{
    AccelClass *klass = HUMPY_ACCEL_GET_CLASS(accel);

    return klass->fixed_entry != NULL && klass->fixed_entry(accel, region_base, entry);
}

/* ---- the event ---- */

void accel_set_event_handler(Accel *accel, AccelEventFn fn, void *opaque)
{
    AccelPrivate *p = priv_of(accel);

    pthread_mutex_lock(&p->event_lock);
    p->event_fn = fn;
    p->event_opaque = opaque;
    pthread_mutex_unlock(&p->event_lock);
}

void accel_report_event(Accel *accel, AccelEvent event, const char *fmt, ...)
{
    AccelPrivate *p = priv_of(accel);
    g_autofree char *message = NULL;
    AccelEventFn fn;
    void *opaque;
    bool first;

    if (fmt != NULL) {
        va_list ap;

        va_start(ap, fmt);
        message = g_strdup_vprintf(fmt, ap);
        va_end(ap);
    }
    pthread_mutex_lock(&p->event_lock);
    first = !p->event_reported;
    p->event_reported = true;
    fn = p->event_fn;
    opaque = p->event_opaque;
    pthread_mutex_unlock(&p->event_lock);
    if (!first) {
        g_debug("%s: event %d after the first: %s", accel_name(accel), event,
                message != NULL ? message : "");
    } else if (fn != NULL) {
        fn(opaque, event, message);
    }
}

/* ---- vCPUs ---- */

unsigned accel_n_vcpus(Accel *accel)
{
    VcpuSet *vcpus = priv_of(accel)->vcpus;

    return vcpus != NULL ? vcpu_set_size(vcpus) : 0;
}

AccelVcpu *accel_vcpu(Accel *accel, unsigned index)
{
    VcpuSet *vcpus = priv_of(accel)->vcpus;

    return vcpus != NULL ? vcpu_set_get(vcpus, index) : NULL;
}

void accel_vcpu_kick(AccelVcpu *vcpu)
{
    vcpu_set_kick(priv_of(vcpu->accel)->vcpus, vcpu->index);
}

int accel_vcpu_tid(Accel *accel, unsigned index)
{
    VcpuSet *vcpus = priv_of(accel)->vcpus;

    return vcpus != NULL ? vcpu_set_tid(vcpus, index) : 0;
}

const IoReqStats *accel_vcpu_stats(Accel *accel, unsigned index)
{
    AccelVcpu *vcpu = accel_vcpu(accel, index);

    return vcpu != NULL ? &vcpu->stats : NULL;
}

/* ---- type ---- */

static void accel_dispose(GObject *object)
{
    Accel *accel = HUMPY_ACCEL(object);
    AccelPrivate *p = priv_of(accel);

    accel_teardown(accel);
    if (p->close_due) {
        p->close_due = false;
        HUMPY_ACCEL_GET_CLASS(accel)->close(accel);
    }
    G_OBJECT_CLASS(accel_parent_class)->dispose(object);
}

static void accel_finalize(GObject *object)
{
    AccelPrivate *p = priv_of(HUMPY_ACCEL(object));

    g_hash_table_unref(p->gsis);
    pthread_mutex_destroy(&p->event_lock);
    g_free(p->vm_name);
    props_clear(object);
    G_OBJECT_CLASS(accel_parent_class)->finalize(object);
}

static void accel_init(Accel *accel)
{
    AccelPrivate *p = priv_of(accel);

    p->gsis = g_hash_table_new(NULL, NULL);
    pthread_mutex_init(&p->event_lock, NULL);
}

static void accel_class_init(AccelClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = accel_dispose;
    G_OBJECT_CLASS(klass)->finalize = accel_finalize;
}
