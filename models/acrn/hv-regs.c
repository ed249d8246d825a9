/* SPDX-License-Identifier: GPL-2.0-or-later
 * The hypervisor's use of the register block that SET_VCPU_REGS passes for the boot vCPU: CS as
 * it says, of the other segments only the selector, with flat or real-mode defaults by CR0.PE.
 */
#include "hv-priv.h"

enum {
    CR0_PE = 1,
    RFLAGS_FIXED = 2,
    RFLAGS_STATUS = 0x8d5, /* OF SF ZF AF PF CF: a start has none */
    AR_FLAT_DATA = 0xc093,
    AR_REAL_DATA = 0x93,
    AR_LDT = 0x82,
    AR_BUSY_TSS = 0x8b,
};

/* Where a CPU starts after power-on: the last paragraph below 4 GiB, by CS's hidden base. */
static const uint64_t RESET_IP = 0xfff0;

static EngineX86Segment data_segment(uint16_t selector, bool protected_mode)
{
    return (EngineX86Segment){
        .selector = GUINT16_FROM_LE(selector),
        .attributes = protected_mode ? AR_FLAT_DATA : AR_REAL_DATA,
        .limit = protected_mode ? UINT32_MAX : UINT16_MAX,
    };
}

static EngineX86Segment system_segment(uint16_t selector, uint32_t attributes)
{
    return (EngineX86Segment){
        .selector = GUINT16_FROM_LE(selector),
        .attributes = attributes,
        .limit = UINT16_MAX,
    };
}

static void convert(const struct acrn_regs *from, EngineX86Regs *to)
{
    const uint64_t *gprs = (const uint64_t *)&from->gprs;
    bool pe = GUINT64_FROM_LE(from->cr0) & CR0_PE;
    uint64_t rflags = GUINT64_FROM_LE(from->rflags);

    *to = (EngineX86Regs){
        .rflags = rflags ? (rflags & ~(uint64_t)RFLAGS_STATUS) | RFLAGS_FIXED : RFLAGS_FIXED,
        .cr0 = GUINT64_FROM_LE(from->cr0),
        .cr3 = GUINT64_FROM_LE(from->cr3),
        .cr4 = GUINT64_FROM_LE(from->cr4),
        .efer = GUINT64_FROM_LE(from->ia32_efer),
        .gdt_base = GUINT64_FROM_LE(from->gdt.base),
        .gdt_limit = GUINT16_FROM_LE(from->gdt.limit),
        .idt_base = GUINT64_FROM_LE(from->idt.base),
        .idt_limit = GUINT16_FROM_LE(from->idt.limit),
        .cs = { GUINT16_FROM_LE(from->cs_sel), GUINT32_FROM_LE(from->cs_ar),
                GUINT32_FROM_LE(from->cs_limit), GUINT64_FROM_LE(from->cs_base) },
        .ss = data_segment(from->ss_sel, pe),
        .ds = data_segment(from->ds_sel, pe),
        .es = data_segment(from->es_sel, pe),
        .fs = data_segment(from->fs_sel, pe),
        .gs = data_segment(from->gs_sel, pe),
        .ldt = system_segment(from->ldt_sel, AR_LDT),
        .tr = system_segment(from->tr_sel, AR_BUSY_TSS),
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(to->gprs); i++) {
        to->gprs[i] = GUINT64_FROM_LE(gprs[i]);
    }
}

void hv_boot(HvVm *vm)
{
    EngineVcpu *vcpu = vm->vcpus[0].engine;
    EngineX86Regs regs;

    if (!vm->has_bsp) {
        vm->ops->vcpu_boot(vcpu, RESET_IP, 0);
        return;
    }
    convert(&vm->bsp, &regs);
    if (vm->ops->vcpu_set_x86) {
        vm->ops->vcpu_set_x86(vcpu, &regs);
    }
    vm->ops->vcpu_boot(vcpu, GUINT64_FROM_LE(vm->bsp.rip), regs.gprs[6]);
}
