/* SPDX-License-Identifier: GPL-2.0-or-later
 * x86 guests of the KVM engine: the interrupt controllers (KVM's two 8259, I/O APIC of 24 inputs
 * and local APICs; no 8254, ACRN's hypervisor has none), their inputs, and the boot vCPU's
 * registers. The others wait for INIT and SIPI inside KVM.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm-priv.h"
#include "util/error.h"

const char ekvm_arch_guest[] = "x86";

enum {
    N_PINS = KVM_IOAPIC_NUM_PINS,
    N_ISA = 16,
    PIC_PINS = 8,
    SEGMENT_UNUSABLE = 1 << 16,
};

/* Below the BIOS, where no machine has anything else (Intel hosts need both). */
static const uint64_t IDENTITY_MAP = 0xfffbc000, TSS_PAGES = 0xfffbd000;

struct KvmArchVcpu {
    bool has_regs;
    EngineX86Regs regs;
};

/* ---- interrupts ---- */

static void route(struct kvm_irq_routing *table, unsigned gsi, unsigned chip, unsigned pin)
{
    table->entries[table->nr++] = (struct kvm_irq_routing_entry){
        .gsi = gsi,
        .type = KVM_IRQ_ROUTING_IRQCHIP,
        .u.irqchip = { .irqchip = chip, .pin = pin },
    };
}

/* Input n of both; 2 is the timer's, where the PIC has its cascade. */
static bool set_routes(EngineVm *vm)
{
    g_autofree struct kvm_irq_routing *table =
        g_malloc0(sizeof(*table) + (N_PINS + N_ISA) * sizeof(table->entries[0]));

    for (unsigned gsi = 0; gsi < N_PINS; gsi++) {
        unsigned pic = gsi == 2 ? 0 : gsi;

        route(table, gsi, KVM_IRQCHIP_IOAPIC, gsi);
        if (gsi < N_ISA) {
            route(table, gsi, pic < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
                  pic % PIC_PINS);
        }
    }
    return ekvm_ioctl(vm->fd, KVM_SET_GSI_ROUTING, table) == 0;
}

unsigned long ekvm_arch_vm_type(int dev)
{
    return 0;
}

bool ekvm_arch_vm_init(EngineVm *vm, GError **error)
{
    static const int needed[] = { KVM_CAP_IRQCHIP,        KVM_CAP_IRQ_ROUTING, KVM_CAP_SIGNAL_MSI,
                                  KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_MP_STATE,    KVM_CAP_XCRS,
                                  KVM_CAP_VCPU_EVENTS,    KVM_CAP_DEBUGREGS,   KVM_CAP_XSAVE,
                                  KVM_CAP_READONLY_MEM };
    uint64_t identity_map = IDENTITY_MAP;

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (ioctl(vm->fd, KVM_CHECK_EXTENSION, needed[i]) <= 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        "engine kvm: this host's KVM lacks capability %d", needed[i]);
            return false;
        }
    }
    if (ekvm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
        ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_PAGES) < 0 ||
        ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0 || !set_routes(vm)) {
        error_set_errno(error, errno, "engine kvm: cannot make the interrupt controllers");
        return false;
    }
    return true;
}

bool ekvm_arch_vm_complete(EngineVm *vm, GError **error)
{
    return ekvm_x86_save(vm, error);
}

void ekvm_arch_vm_fini(EngineVm *vm)
{
    ekvm_x86_forget(vm);
}

/* Inputs beyond the I/O APIC's end nowhere. */
void ekvm_x86_vm_set_line(EngineVm *vm, unsigned gsi, bool level)
{
    struct kvm_irq_level line = { .irq = gsi, .level = level };

    if (gsi < N_PINS) {
        ekvm_ioctl(vm->fd, KVM_IRQ_LINE, &line);
    }
}

/* A message that no local APIC takes is lost, as on the bus. */
void ekvm_x86_vm_msi(EngineVm *vm, uint64_t addr, uint32_t data)
{
    struct kvm_msi msi = {
        .address_lo = (uint32_t)addr,
        .address_hi = (uint32_t)(addr >> 32),
        .data = data,
    };

    ekvm_ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}

/* ---- vCPUs ---- */

bool ekvm_arch_vcpu_init(EngineVcpu *vcpu, GError **error)
{
    vcpu->arch = g_new0(KvmArchVcpu, 1);
    return ekvm_x86_set_cpuid(vcpu, error);
}

void ekvm_arch_vcpu_fini(EngineVcpu *vcpu)
{
    g_free(vcpu->arch);
}

bool ekvm_arch_waits_in_kvm(const EngineVcpu *vcpu)
{
    return vcpu->index > 0;
}

bool ekvm_x86_vcpu_set_x86(EngineVcpu *vcpu, const EngineX86Regs *regs)
{
    if (vcpu->index > 0) {
        return false;
    }
    vcpu->arch->regs = *regs;
    vcpu->arch->has_regs = true;
    return true;
}

static struct kvm_segment segment(const EngineX86Segment *s)
{
    uint32_t a = s->attributes;

    return (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->selector,
        .type = a & 15,
        .s = a >> 4 & 1,
        .dpl = a >> 5 & 3,
        .present = a >> 7 & 1,
        .avl = a >> 12 & 1,
        .l = a >> 13 & 1,
        .db = a >> 14 & 1,
        .g = a >> 15 & 1,
        .unusable = (a & SEGMENT_UNUSABLE) != 0,
    };
}

static bool put_sregs(EngineVcpu *vcpu)
{
    const EngineX86Regs *r = &vcpu->arch->regs;
    struct kvm_sregs sregs;

    if (ekvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
        return false;
    }
    sregs.cs = segment(&r->cs);
    sregs.ds = segment(&r->ds);
    sregs.es = segment(&r->es);
    sregs.fs = segment(&r->fs);
    sregs.gs = segment(&r->gs);
    sregs.ss = segment(&r->ss);
    sregs.ldt = segment(&r->ldt);
    sregs.tr = segment(&r->tr);
    sregs.gdt = (struct kvm_dtable){ .base = r->gdt_base, .limit = r->gdt_limit };
    sregs.idt = (struct kvm_dtable){ .base = r->idt_base, .limit = r->idt_limit };
    sregs.cr0 = r->cr0;
    sregs.cr3 = r->cr3;
    sregs.cr4 = r->cr4;
    sregs.efer = r->efer;
    return ekvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) == 0;
}

bool ekvm_arch_vcpu_start(EngineVcpu *vcpu)
{
    const uint64_t *g = vcpu->arch->regs.gprs;
    struct kvm_regs regs;

    if (vcpu->arch->has_regs && !put_sregs(vcpu)) {
        snprintf(vcpu->text, sizeof(vcpu->text), "KVM does not take the start registers: %s",
                 g_strerror(errno));
        return false;
    }
    if (ekvm_ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0) {
        snprintf(vcpu->text, sizeof(vcpu->text), "KVM_GET_REGS: %s", g_strerror(errno));
        return false;
    }
    if (vcpu->arch->has_regs) {
        regs = (struct kvm_regs){
            .rax = g[0],
            .rcx = g[1],
            .rdx = g[2],
            .rbx = g[3],
            .rsp = g[4],
            .rbp = g[5],
            .rsi = g[6],
            .rdi = g[7],
            .r8 = g[8],
            .r9 = g[9],
            .r10 = g[10],
            .r11 = g[11],
            .r12 = g[12],
            .r13 = g[13],
            .r14 = g[14],
            .r15 = g[15],
        };
        regs.rflags = vcpu->arch->regs.rflags;
    }
    regs.rip = vcpu->boot_pc;
    regs.rsi = vcpu->boot_arg;
    if (ekvm_ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0) {
        snprintf(vcpu->text, sizeof(vcpu->text), "KVM_SET_REGS: %s", g_strerror(errno));
        return false;
    }
    return true;
}

/* There is no abort on this bus: what nobody answers reads as ones. */
void ekvm_arch_access_fault(EngineVcpu *vcpu, EngineExit *exit)
{
    exit->data = UINT64_MAX;
}

void ekvm_arch_describe(EngineVcpu *vcpu, const char *what)
{
    struct kvm_regs regs = { 0 };
    struct kvm_sregs sregs = { 0 };

    if (ekvm_ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ||
        ekvm_ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
        g_strlcpy(vcpu->text, what, sizeof(vcpu->text));
        return;
    }
    snprintf(vcpu->text, sizeof(vcpu->text), "%s (cs:rip %x:0x%llx, cr0 0x%llx, efer 0x%llx)", what,
             sregs.cs.selector, regs.rip, sregs.cr0, sregs.efer);
}

/* ---- reset ---- */

bool ekvm_x86_vm_reset(EngineVm *vm, GError **error)
{
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        if (!ekvm_vcpu_settle(vm->vcpus[i], error)) {
            return false;
        }
    }
    for (unsigned gsi = 0; gsi < N_PINS; gsi++) {
        ekvm_x86_vm_set_line(vm, gsi, false);
    }
    if (!ekvm_x86_restore(vm, error)) {
        return false;
    }
    for (unsigned i = 0; i < vm->config.n_vcpus; i++) {
        EngineVcpu *vcpu = vm->vcpus[i];

        vcpu->kicked = vcpu->booted = vcpu->started = 0;
        vcpu->arch->has_regs = false;
    }
    return true;
}
