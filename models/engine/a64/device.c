/* SPDX-License-Identifier: GPL-2.0-or-later
 * Data accesses that stage 1 allows but that no RAM answers: the GIC's frames are done here, the
 * rest becomes an MMIO exit or an external abort.
 *
 * A hypervisor learns register, size and extension of such an access from ESR_EL2.ISS, which is
 * valid only for loads and stores of one general register without write-back (DDI 0487, ISS
 * encoding for a data abort). For pairs, vectors, write-back and the like it knows no more than
 * the address and gives the guest an abort; so do we.
 */
#include "mem.h"

enum { FSC_EXTERNAL = 0x10 };

/* The syndrome of insn into v->mmio; FALSE: it has none. */
static bool decode(A64Vcpu *v, uint32_t insn)
{
    unsigned size = insn >> 30, opc = insn >> 22 & 3;
    bool single = false;

    if ((insn & 0x3b000000) == 0x39000000) { /* unsigned offset */
        single = true;
    } else if ((insn & 0x3b200000) == 0x38000000) { /* unscaled, unprivileged */
        single = !(insn >> 10 & 1);
    } else if ((insn & 0x3b200c00) == 0x38200800) { /* register offset */
        single = true;
    } else if ((insn & 0x3fbffc00) == 0x089ffc00) { /* STLR, LDAR */
        single = true;
        opc = insn >> 22 & 1;
    }
    if (!single || insn >> 26 & 1 || (size == 3 && opc > 1) || (size == 2 && opc == 3)) {
        return false;
    }
    v->mmio.size = (uint8_t)(1 << size);
    v->mmio.reg = insn & 31;
    v->mmio.is_write = opc == 0;
    v->mmio.sign = opc > 1;
    v->mmio.wide = opc == 2;
    return true;
}

void device_complete(A64Vcpu *v, uint64_t data)
{
    unsigned bits = v->mmio.size * 8u;

    v->mmio.pending = false;
    v->pc += 4;
    if (v->mmio.is_write || v->mmio.reg == 31) {
        return;
    }
    if (bits < 64) {
        data &= (UINT64_C(1) << bits) - 1;
        if (v->mmio.sign) {
            data = (uint64_t)((int64_t)(data << (64 - bits)) >> (64 - bits));
            if (!v->mmio.wide) {
                data = (uint32_t)data;
            }
        }
    }
    v->x[v->mmio.reg] = data;
}

void device_abort(A64Vcpu *v)
{
    v->mmio.pending = false;
    v->fault.kind = FAULT_ABORT;
    v->fault.fsc = FSC_EXTERNAL;
    exception_data_abort(v);
}

static bool gic_access(A64Vcpu *v, uint64_t gpa, uint64_t *data)
{
    A64Vm *vm = v->vm;
    uint64_t dist = gpa - vm->config.gicd_base, redist = gpa - vm->config.gicr_base;
    unsigned size = v->mmio.size;

    if (dist < GICV3_DIST_SIZE) {
        if (v->mmio.is_write) {
            gicv3_dist_write(vm->gic, dist, *data, size);
        } else {
            *data = gicv3_dist_read(vm->gic, dist, size);
        }
        return true;
    }
    if (redist < (uint64_t)GICV3_REDIST_STRIDE * vm->config.n_vcpus) {
        if (v->mmio.is_write) {
            gicv3_redist_write(vm->gic, redist, *data, size);
        } else {
            *data = gicv3_redist_read(vm->gic, redist, size);
        }
        return true;
    }
    return false;
}

bool device_access(A64Vcpu *v, EngineExit *exit)
{
    uint64_t gpa = v->fault.gpa, data = 0;
    const uint8_t *page;
    uint8_t fsc;

    page = mem_exec_page(v, v->pc, &fsc);
    if (!page) { /* the guest changed its tables since the instruction began: start it afresh */
        v->fault.kind = FAULT_NONE;
        exception_insn_abort(v, v->pc, fsc);
        return false;
    }
    if (!decode(v, (uint32_t)host_load((uint64_t)(uintptr_t)page + (v->pc & PAGE_OFFSET), 4))) {
        v->fault.kind = FAULT_ABORT;
        v->fault.fsc = FSC_EXTERNAL;
        exception_data_abort(v);
        return false;
    }
    if (v->mmio.is_write && v->mmio.reg != 31) {
        data = v->x[v->mmio.reg];
    }
    if (v->mmio.size < 8) {
        data &= (UINT64_C(1) << v->mmio.size * 8) - 1;
    }
    if (gic_access(v, gpa, &data)) {
        v->fault.kind = FAULT_NONE;
        device_complete(v, data);
        return false;
    }
    if (gpa >= v->vm->config.mmio_limit) {
        v->fault.kind = FAULT_ABORT;
        v->fault.fsc = FSC_EXTERNAL;
        exception_data_abort(v);
        return false;
    }
    v->fault.kind = FAULT_NONE;
    v->mmio.pending = true;
    *exit = (EngineExit){ .kind = ENGINE_EXIT_MMIO,
                          .gpa = gpa,
                          .data = data,
                          .len = v->mmio.size,
                          .is_write = v->mmio.is_write };
    return true;
}
