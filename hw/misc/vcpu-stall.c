/* SPDX-License-Identifier: GPL-2.0-or-later
 * The registers of vcpu-stall-detector: a countdown for each vCPU, which the vCPU's own timer
 * interrupt reloads. One that runs out is a vCPU that has not got to its interrupts for that long,
 * and the machine is told of a watchdog. Time is that of the virtual clock: a VM that is paused
 * does not stall, one that a busy host leaves no CPU for so long does. It never interrupts the
 * guest.
 */
#include "hw/misc/vcpu-stall.h"

#include <pthread.h>

#include "hw/core/clock.h"
#include "hw/core/machine.h"

enum {
    STATUS = 0x00,
    LOAD_CNT = 0x04,
    CURRENT_CNT = 0x08,
    CLOCK_FREQ_HZ = 0x0c,
    LEN = 0x10, /* of a vCPU's registers, one vCPU after the other */
    STATUS_ENABLE = 1 << 0,
    MAX_CLOCK_HZ = 100,
    MAX_VCPUS = VCPU_STALL_SIZE / LEN,
};

typedef struct {
    VcpuStall *owner;
    unsigned index;
    ClockTimer *timer;
    bool enabled;
    uint32_t load, hz;
    int64_t deadline;
} Countdown;

struct _VcpuStall {
    Device parent_instance;
    MemoryRegion mr;
    unsigned n;
    pthread_mutex_t lock; /* the countdowns */
    Countdown *countdowns;
};

DEVICE_DEFINE_TYPE(VcpuStall, vcpu_stall, "vcpu-stall-detector", TYPE_DEVICE)

static void reload(Countdown *c)
{
    if (c->enabled) {
        c->deadline = clock_now() + c->load * CLOCK_NS_PER_SEC / c->hz;
        clock_timer_arm(c->timer, c->deadline);
    } else {
        clock_timer_disarm(c->timer);
    }
}

/* [main] A reload that came in between has moved the deadline. */
static void run_out(void *opaque)
{
    Countdown *c = opaque;
    VcpuStall *s = c->owner;
    bool stalled;

    pthread_mutex_lock(&s->lock);
    stalled = c->enabled && clock_now() >= c->deadline;
    c->enabled = c->enabled && !stalled;
    pthread_mutex_unlock(&s->lock);
    if (stalled) {
        g_message("vCPU %u has not come to its timer for %u s", c->index, c->load / c->hz);
        machine_report_guest(MACHINE_GUEST_WATCHDOG);
    }
}

static uint32_t ticks_left(const Countdown *c)
{
    int64_t left = c->enabled ? c->deadline - clock_now() : 0;

    return left > 0 ? (uint32_t)((left * c->hz + CLOCK_NS_PER_SEC - 1) / CLOCK_NS_PER_SEC) : 0;
}

static uint64_t stall_read(void *opaque, hwaddr offset, unsigned size)
{
    VcpuStall *s = opaque;
    const Countdown *c = &s->countdowns[offset / LEN];
    uint64_t value = 0;

    if (offset / LEN >= s->n) {
        return 0;
    }
    pthread_mutex_lock(&s->lock);
    switch (offset % LEN) {
    case STATUS:
        value = c->enabled ? STATUS_ENABLE : 0;
        break;
    case LOAD_CNT:
        value = c->load;
        break;
    case CURRENT_CNT:
        value = ticks_left(c);
        break;
    case CLOCK_FREQ_HZ:
        value = c->hz;
        break;
    }
    pthread_mutex_unlock(&s->lock);
    return value;
}

static void stall_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    VcpuStall *s = opaque;
    Countdown *c = &s->countdowns[offset / LEN];

    if (offset / LEN >= s->n) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    switch (offset % LEN) {
    case STATUS:
        if (c->enabled != !!(value & STATUS_ENABLE)) {
            c->enabled = value & STATUS_ENABLE;
            reload(c);
        }
        break;
    case LOAD_CNT:
        c->load = value;
        reload(c);
        break;
    case CLOCK_FREQ_HZ: /* what is out of range changes nothing, and is read back so */
        if (value >= 1 && value <= MAX_CLOCK_HZ) {
            c->hz = value;
        }
        break;
    }
    pthread_mutex_unlock(&s->lock);
}

static const MemoryRegionOps stall_ops = {
    .read = stall_read,
    .write = stall_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void stall_reset(Device *dev)
{
    VcpuStall *s = HUMPY_VCPU_STALL(dev);

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n; i++) {
        Countdown *c = &s->countdowns[i];

        c->enabled = false;
        c->load = 0;
        c->hz = VCPU_STALL_CLOCK_HZ;
        reload(c);
    }
    pthread_mutex_unlock(&s->lock);
}

static bool stall_realize(Device *dev, GError **error)
{
    VcpuStall *s = HUMPY_VCPU_STALL(dev);
    Machine *m = machine_current();

    s->n = m != NULL ? MIN(machine_config(m)->smp, MAX_VCPUS) : 1;
    s->countdowns = g_new0(Countdown, s->n);
    for (unsigned i = 0; i < s->n; i++) {
        Countdown *c = &s->countdowns[i];

        c->owner = s;
        c->index = i;
        c->hz = VCPU_STALL_CLOCK_HZ;
        c->timer = clock_timer_new(run_out, c);
    }
    memory_region_init_io(&s->mr, G_OBJECT(dev), &stall_ops, s, "vcpu-stall-detector",
                          VCPU_STALL_SIZE);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void stall_unrealize(Device *dev)
{
    VcpuStall *s = HUMPY_VCPU_STALL(dev);

    memory_region_destroy(&s->mr);
    for (unsigned i = 0; i < s->n; i++) {
        clock_timer_free(s->countdowns[i].timer);
    }
    g_clear_pointer(&s->countdowns, g_free);
    s->n = 0;
}

static void vcpu_stall_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_VCPU_STALL(obj)->lock);
    G_OBJECT_CLASS(vcpu_stall_parent_class)->finalize(obj);
}

static void vcpu_stall_init(VcpuStall *s)
{
    pthread_mutex_init(&s->lock, NULL);
}

static void vcpu_stall_class_init(VcpuStallClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = vcpu_stall_finalize;
    dc->summary = "Watchdog for each vCPU";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->realize = stall_realize;
    dc->unrealize = stall_unrealize;
    dc->reset = stall_reset;
}
