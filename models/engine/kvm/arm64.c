/* SPDX-License-Identifier: GPL-2.0-or-later
 * arm64 guests of the KVM engine: a GICv3 of KVM's where the model wants it, vCPUs of the host's
 * kind with PSCI 1.x (all but the first start powered off), the boot vCPU's registers. No ITS, no
 * reset in place: KVM has no call that puts its GIC back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm-priv.h"
#include "util/error.h"

const char ekvm_arch_guest[] = "arm64";

enum {
    FIRST_SPI = 32,
    MAX_SPIS = 960,
    IPA_BITS = 40,
    REG_SP_EL1 = 31, /* the numbers of EngineOps.vcpu_set_reg() */
    REG_PC = 32,
    N_REGS,
    REDIST_COUNT_SHIFT = 52,
};

/* An interrupt that stays pending until the guest has ended it: KVM then lowers the line and tells
 * the second descriptor. The first is never written to, for KVM would raise the line later than
 * that. A bell that rings while the guest is still at the one before would be lowered along with
 * it, so it is rung again. Of a line that the guest has made edge-triggered KVM tells nothing, and
 * there each ring counts. */
typedef struct {
    int signal, ended;
    bool raised, again;
} Spi;

struct KvmArchVm {
    int gic;
    pthread_mutex_t lock; /* spis */
    Spi spis[MAX_SPIS];
    int events; /* epoll: the spis' second descriptors, by number, and stop */
    int stop;
    bool watching;
    pthread_t watcher;
};

struct KvmArchVcpu {
    uint64_t regs[N_REGS];
    bool has_reg[N_REGS];
};

/* Addresses of 40 bits, as far as the host has them: what KVM means by 0, unless it cannot. */
unsigned long ekvm_arch_vm_type(int dev)
{
    int bits = ioctl(dev, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);

    return bits > 0 && bits < IPA_BITS ? KVM_VM_TYPE_ARM_IPA_SIZE(bits) : 0;
}

bool ekvm_arch_vm_init(EngineVm *vm, GError **error)
{
    static const struct {
        int number;
        const char *name;
    } needed[] = {
        { KVM_CAP_DEVICE_CTRL, "KVM_CAP_DEVICE_CTRL" },
        { KVM_CAP_ARM_PSCI_0_2, "KVM_CAP_ARM_PSCI_0_2" },
        { KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
        { KVM_CAP_IRQFD_RESAMPLE, "KVM_CAP_IRQFD_RESAMPLE" },
        { KVM_CAP_ARM_INJECT_EXT_DABT, "KVM_CAP_ARM_INJECT_EXT_DABT" },
        { KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM" },
    };
    struct kvm_enable_cap nisv = { .cap = KVM_CAP_ARM_NISV_TO_USER };

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (ioctl(vm->fd, KVM_CHECK_EXTENSION, needed[i].number) <= 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "engine kvm: this host's KVM lacks %s", needed[i].name);
            return false;
        }
    }
    /* Without it such an access ends the run with ENOSYS, which is said just as well. */
    if (ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_NISV_TO_USER) > 0 &&
        ekvm_ioctl(vm->fd, KVM_ENABLE_CAP, &nisv) < 0) {
        error_set_errno(error, errno, "engine kvm: cannot enable KVM_CAP_ARM_NISV_TO_USER");
        return false;
    }
    vm->arch = g_new0(KvmArchVm, 1);
    vm->arch->gic = -1;
    vm->arch->stop = eventfd(0, EFD_CLOEXEC);
    vm->arch->events = epoll_create1(EPOLL_CLOEXEC);
    pthread_mutex_init(&vm->arch->lock, NULL);
    for (unsigned i = 0; i < MAX_SPIS; i++) {
        vm->arch->spis[i] = (Spi){ .signal = -1, .ended = -1 };
    }
    if (vm->arch->stop < 0 || vm->arch->events < 0) {
        error_set_errno(error, errno, "engine kvm: cannot make descriptors for interrupts");
        return false;
    }
    return true;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void ekvm_arch_vm_fini(EngineVm *vm)
{
    const uint64_t one = 1;

    if (!vm->arch) {
        return;
    }
    if (vm->arch->watching && write(vm->arch->stop, &one, sizeof(one)) == (ssize_t)sizeof(one)) {
        pthread_join(vm->arch->watcher, NULL);
    }
    close_fd(vm->arch->events);
    close_fd(vm->arch->stop);
    for (unsigned i = 0; i < MAX_SPIS; i++) {
        close_fd(vm->arch->spis[i].signal);
        close_fd(vm->arch->spis[i].ended);
    }
    close_fd(vm->arch->gic);
    pthread_mutex_destroy(&vm->arch->lock);
    g_clear_pointer(&vm->arch, g_free);
}

/* ---- GICv3 ---- */

static bool set_gic(EngineVm *vm, uint32_t group, uint64_t attribute, void *value, const char *what,
                    GError **error)
{
    struct kvm_device_attr attr = { .group = group, .attr = attribute, .addr = (uintptr_t)value };

    if (ekvm_ioctl(vm->arch->gic, KVM_SET_DEVICE_ATTR, &attr) < 0) {
        error_set_errno(error, errno, "engine kvm: GICv3: %s", what);
        return false;
    }
    return true;
}

/* Two frames for each vCPU in one region. */
static bool make_gic(EngineVm *vm, GError **error)
{
    struct kvm_create_device create = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
    uint64_t dist = vm->config.gicd_base;
    uint64_t redist = (uint64_t)vm->config.n_vcpus << REDIST_COUNT_SHIFT | vm->config.gicr_base;
    uint32_t n_irqs = FIRST_SPI + vm->config.n_spis;

    if (ekvm_ioctl(vm->fd, KVM_CREATE_DEVICE, &create) < 0) {
        error_set_errno(error, errno,
                        "engine kvm: cannot make a GICv3 (a host with a GICv2 only has none)");
        return false;
    }
    vm->arch->gic = (int)create.fd;
    return set_gic(vm, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &n_irqs, "number of interrupts", error) &&
           set_gic(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist,
                   "address of the distributor", error) &&
           set_gic(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, &redist,
                   "address of the redistributors", error) &&
           set_gic(vm, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, "init", error);
}

/* ---- doorbells ---- */

static void set_line(EngineVm *vm, unsigned spi, bool level)
{
    struct kvm_irq_level line = {
        .irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (FIRST_SPI + spi), .level = level
    };

    ekvm_ioctl(vm->fd, KVM_IRQ_LINE, &line);
}

/* [locked] TRUE: the guest has ended an interrupt, and with it what had been rung until then. */
static bool take_ends(Spi *s)
{
    uint64_t count;

    return read(s->ended, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static void on_ended(EngineVm *vm, unsigned spi)
{
    Spi *s = &vm->arch->spis[spi];

    pthread_mutex_lock(&vm->arch->lock);
    if (take_ends(s)) {
        s->raised = s->again;
        s->again = false;
        if (s->raised) {
            set_line(vm, spi, true);
        }
    }
    pthread_mutex_unlock(&vm->arch->lock);
}

static void *watch(void *data)
{
    EngineVm *vm = data;
    struct epoll_event events[16];

    for (;;) {
        int n = epoll_wait(vm->arch->events, events, G_N_ELEMENTS(events), -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == MAX_SPIS) {
                return NULL;
            }
            on_ended(vm, events[i].data.u32);
        }
    }
}

/* The program's signals are for its own threads. */
static bool start_watching(EngineVm *vm, GError **error)
{
    KvmArchVm *arch = vm->arch;
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = MAX_SPIS };
    sigset_t all, before;
    int cause;

    if (epoll_ctl(arch->events, EPOLL_CTL_ADD, arch->stop, &event) < 0) {
        error_set_errno(error, errno, "engine kvm: cannot watch for the end of interrupts");
        return false;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    cause = pthread_create(&arch->watcher, NULL, watch, vm);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (cause != 0) {
        error_set_errno(error, cause, "engine kvm: cannot create the thread for interrupts");
        return false;
    }
    arch->watching = true;
    return true;
}

bool ekvm_arch_vm_complete(EngineVm *vm, GError **error)
{
    return make_gic(vm, error) && start_watching(vm, error);
}

/* [locked] */
static bool wire_spi(EngineVm *vm, unsigned spi)
{
    Spi *s = &vm->arch->spis[spi];
    struct kvm_irqfd irqfd = { .gsi = spi, .flags = KVM_IRQFD_FLAG_RESAMPLE };
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = spi };

    if (s->signal >= 0) {
        return true;
    }
    s->signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    irqfd.fd = (uint32_t)s->signal;
    irqfd.resamplefd = (uint32_t)s->ended;
    if (s->signal >= 0 && s->ended >= 0 &&
        epoll_ctl(vm->arch->events, EPOLL_CTL_ADD, s->ended, &event) == 0 &&
        ekvm_ioctl(vm->fd, KVM_IRQFD, &irqfd) == 0) {
        return true;
    }
    close_fd(s->signal);
    close_fd(s->ended); /* which takes it out of events */
    *s = (Spi){ .signal = -1, .ended = -1 };
    return false;
}

void ekvm_arm64_vm_pend_spi(EngineVm *vm, unsigned spi)
{
    Spi *s;

    if (spi >= vm->config.n_spis || spi >= MAX_SPIS) {
        return;
    }
    s = &vm->arch->spis[spi];
    pthread_mutex_lock(&vm->arch->lock);
    if (take_ends(s)) { /* else it would be heard of while the guest is at this one */
        s->raised = s->again;
    }
    s->again = s->raised;
    s->raised = wire_spi(vm, spi);
    set_line(vm, spi, true);
    if (!s->raised) {
        /* Out of descriptors: a pulse is as good for all that the guest has made edge-triggered. */
        set_line(vm, spi, false);
    }
    pthread_mutex_unlock(&vm->arch->lock);
}

/* ---- vCPUs ---- */

bool ekvm_arch_vcpu_init(EngineVcpu *vcpu, GError **error)
{
    struct kvm_vcpu_init init;

    vcpu->arch = g_new0(KvmArchVcpu, 1);
    if (ekvm_ioctl(vcpu->vm->fd, KVM_ARM_PREFERRED_TARGET, &init) < 0) {
        error_set_errno(error, errno, "engine kvm: cannot ask for the host's kind of vCPU");
        return false;
    }
    init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
    init.features[0] |= vcpu->index > 0 ? 1u << KVM_ARM_VCPU_POWER_OFF : 0;
    if (ekvm_ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) < 0) {
        error_set_errno(error, errno, "engine kvm: cannot initialize vCPU %u", vcpu->index);
        return false;
    }
    return true;
}

void ekvm_arch_vcpu_fini(EngineVcpu *vcpu)
{
    g_free(vcpu->arch);
}

bool ekvm_arch_waits_in_kvm(const EngineVcpu *vcpu)
{
    return vcpu->index > 0;
}

bool ekvm_arm64_vcpu_set_reg(EngineVcpu *vcpu, unsigned reg, uint64_t value)
{
    if (reg >= N_REGS) {
        return false;
    }
    vcpu->arch->regs[reg] = value;
    vcpu->arch->has_reg[reg] = true;
    return true;
}

#define CORE_REG(field)                                                                            \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |                                         \
     offsetof(struct kvm_regs, field) / sizeof(uint32_t))

static uint64_t reg_id(unsigned reg)
{
    switch (reg) {
    case REG_SP_EL1:
        return CORE_REG(sp_el1);
    case REG_PC:
        return CORE_REG(regs.pc);
    default:
        return CORE_REG(regs.regs[0]) + reg * (sizeof(uint64_t) / sizeof(uint32_t));
    }
}

bool ekvm_arch_vcpu_start(EngineVcpu *vcpu)
{
    ekvm_arm64_vcpu_set_reg(vcpu, REG_PC, vcpu->boot_pc);
    ekvm_arm64_vcpu_set_reg(vcpu, 0, vcpu->boot_arg);
    for (unsigned i = 0; i < N_REGS; i++) {
        struct kvm_one_reg one = { .id = reg_id(i), .addr = (uintptr_t)&vcpu->arch->regs[i] };

        if (vcpu->arch->has_reg[i] && ekvm_ioctl(vcpu->fd, KVM_SET_ONE_REG, &one) < 0) {
            snprintf(vcpu->text, sizeof(vcpu->text), "KVM does not take start register %u: %s", i,
                     g_strerror(errno));
            return false;
        }
    }
    return true;
}

/* KVM takes the access back and delivers a synchronous external abort instead. */
void ekvm_arch_access_fault(EngineVcpu *vcpu, EngineExit *exit)
{
    struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };

    if (ekvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) < 0) {
        exit->data = UINT64_MAX;
    }
}

void ekvm_arch_describe(EngineVcpu *vcpu, const char *what)
{
    uint64_t pc = 0;
    struct kvm_one_reg one = { .id = reg_id(REG_PC), .addr = (uintptr_t)&pc };

    if (ekvm_ioctl(vcpu->fd, KVM_GET_ONE_REG, &one) < 0) {
        g_strlcpy(vcpu->text, what, sizeof(vcpu->text));
        return;
    }
    snprintf(vcpu->text, sizeof(vcpu->text), "%s (pc 0x%" PRIx64 ")", what, pc);
}
