/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interpreter: the integer instructions and everything privileged. Code runs here until it is
 * hot, and always where an instruction needs more than dynarmic's callbacks can give it. Here: the
 * dispatch loop and the simple groups. FP and SIMD are not interpreted.
 */
#if defined(__GNUC__) && !defined(__clang__)
/* Else the fields that some instructions have are worked out for each. */
#pragma GCC optimize("no-code-hoisting")
#endif
#include "interp.h"

#include "decode.h"
#include "interp-memory.h"
#include "interp-source.h"

/* Runs of a block before it is compiled, which takes as long as some 800 of its runs. A Linux boot
 * is flat from 400 to 1000 on one vCPU; more of them do the work of compiling more than once. */
enum { HOT = 800 };

static inline uint16_t *heat_of(const A64Vcpu *v, uint64_t pc)
{
    return &v->vm->heat[(pc >> 2 ^ pc >> 34) & ((1 << HEAT_BITS) - 1)];
}

bool interp_is_cold(const A64Vcpu *v, uint64_t pc)
{
    return LOAD_RELAXED(heat_of(v, pc)) < HOT;
}

/* The page instructions are fetched from. A block of straight code stays valid until something
 * says SYNC or BRANCHED: only then can its translation have changed. */
typedef struct {
    uint64_t page, addend;
} FetchWindow;

/* FALSE: an exception was taken instead. */
static inline bool fetch_page(A64Vcpu *v, uint64_t pc, FetchWindow *window)
{
    const TlbEntry *e = &v->tlb[v->el][tlb_index(pc)];
    const uint8_t *host;
    uint8_t fsc;

    window->page = PAGE_OF(pc);
    if (LIKELY(e->exec == window->page)) {
        window->addend = e->addend;
        return true;
    }
    host = mem_exec_page(v, pc, &fsc);
    if (!host) {
        window->page = TLB_NONE;
        exception_insn_abort(v, pc, fsc);
        return false;
    }
    window->addend = (uint64_t)(uintptr_t)host - window->page;
    return true;
}

/* TRUE: leave, the JIT has this block. */
static inline bool begin_block(A64Vcpu *v, uint64_t pc, bool first, unsigned *linger)
{
    uint16_t *heat = heat_of(v, pc), h = LOAD_RELAXED(heat);

    if (UNLIKELY(v->quarantined) && v->el == 0) {
        return --v->quarantine == 0;
    }
    if (UNLIKELY(h >= HOT)) {
        if (first || !warmup_ready(v, a64_mode(v)) || (*linger && h != HEAT_JIT)) {
            *linger -= *linger > 0;
            return false;
        }
        return true;
    }
    STORE_RELAXED(heat, (uint16_t)(h + 1));
    if (h + 1 == HOT && v->jit[a64_mode(v)]) {
        jit_promote(v->jit[a64_mode(v)], pc);
    }
    return false;
}

static inline Result step(A64Vcpu *v, uint32_t insn, uint64_t pc, unsigned *linger)
{
#define rd       (insn & 31)
#define rn       (insn >> 5 & 31)
#define rm       (insn >> 16 & 31)
#define wide     ((bool)(insn >> 31))
#define subtract ((bool)(insn >> 30 & 1))
#define flags    ((bool)(insn >> 29 & 1))
    uint64_t a, b, r;

    switch (decode(insn)) {
    case OP_ADR:
        r = alu_sbits(insn, 5, 19) << 2 | (insn >> 29 & 3);
        set_reg(v, rd, wide ? PAGE_OF(pc) + (r << 12) : pc + r);
        return NEXT;
    case OP_ADD_IMM:
        a = base_reg(v, rn);
        b = alu_bits(insn, 10, 12) << (insn >> 22 & 1 ? 12 : 0);
        b = subtract ? ~b : b;
        if (flags) {
            set_reg(v, rd, alu_add_flags(a, b, subtract, wide, &v->nzcv));
        } else {
            set_base_reg(v, rd, alu_add(a, b, subtract, wide));
        }
        return NEXT;
    case OP_LOGIC_IMM:
        if (!alu_bitmask(insn >> 22 & 1, insn >> 10 & 63, insn >> 16 & 63, wide, &b)) {
            return UNKNOWN;
        }
        a = alu_width(v->x[rn], wide);
        switch (insn >> 29 & 3) {
        case 0:
            set_base_reg(v, rd, a & b);
            break;
        case 1:
            set_base_reg(v, rd, a | b);
            break;
        case 2:
            set_base_reg(v, rd, a ^ b);
            break;
        default:
            v->nzcv = alu_logic_flags(a & b, wide);
            set_reg(v, rd, a & b);
            break;
        }
        return NEXT;
    case OP_MOVE_WIDE: {
        unsigned shift = (insn >> 21 & 3) * 16;

        if (!wide && shift > 16) {
            return UNKNOWN;
        }
        b = alu_bits(insn, 5, 16) << shift;
        switch (insn >> 29 & 3) {
        case 0:
            set_reg(v, rd, alu_width(~b, wide));
            return NEXT;
        case 2:
            set_reg(v, rd, b);
            return NEXT;
        case 3:
            set_reg(v, rd, alu_width((v->x[rd] & ~(UINT64_C(0xffff) << shift)) | b, wide));
            return NEXT;
        default:
            return UNKNOWN;
        }
    }
    case OP_BITFIELD:
        if ((insn >> 29 & 3) == 3 || (insn >> 22 & 1) != wide ||
            (!wide && ((insn >> 10 | insn >> 16) & 32))) {
            return UNKNOWN;
        }
        set_reg(v, rd,
                alu_bitfield(insn >> 29 & 3, v->x[rd], v->x[rn], insn >> 16 & 63, insn >> 10 & 63,
                             wide));
        return NEXT;
    case OP_EXTRACT: {
        unsigned low = insn >> 10 & 63;

        if ((insn >> 22 & 1) != wide || (!wide && low & 32)) {
            return UNKNOWN;
        }
        a = alu_width(v->x[rn], wide);
        b = alu_width(v->x[rm], wide);
        r = low ? b >> low | a << ((wide ? 64 : 32) - low) : b;
        set_reg(v, rd, alu_width(r, wide));
        return NEXT;
    }
    case OP_B:
        if (wide) {
            v->x[30] = pc + 4;
        }
        v->pc = pc + (alu_sbits(insn, 0, 26) << 2);
        return BRANCHED;
    case OP_B_COND:
        if (insn >> 4 & 1) {
            return UNKNOWN;
        }
        v->pc = pc + (alu_condition(v->nzcv, insn & 15) ? alu_sbits(insn, 5, 19) << 2 : 4);
        return BRANCHED;
    case OP_CBZ:
        a = alu_width(v->x[rd], wide);
        v->pc = pc + ((a == 0) != (insn >> 24 & 1) ? alu_sbits(insn, 5, 19) << 2 : 4);
        return BRANCHED;
    case OP_TBZ:
        a = v->x[rd] >> ((insn >> 31) << 5 | (insn >> 19 & 31)) & 1;
        v->pc = pc + (a == (insn >> 24 & 1) ? alu_sbits(insn, 5, 14) << 2 : 4);
        return BRANCHED;
    case OP_BR:
        return interp_branch_register(v, insn, pc);
    case OP_SYSTEM: {
        Result result = interp_system(v, insn, pc, linger);

        return result == NEXT ? SYNC : result;
    }
    case OP_EXCEPTION:
        return interp_exception(v, insn, pc);
    case OP_LOGIC_REG:
        if (!wide && insn >> 15 & 1) {
            return UNKNOWN;
        }
        a = alu_width(v->x[rn], wide);
        b = alu_shift(v->x[rm], insn >> 22 & 3, insn >> 10 & 63, wide);
        b = alu_width(insn >> 21 & 1 ? ~b : b, wide);
        switch (insn >> 29 & 3) {
        case 0:
            r = a & b;
            break;
        case 1:
            r = a | b;
            break;
        case 2:
            r = a ^ b;
            break;
        default:
            r = a & b;
            v->nzcv = alu_logic_flags(r, wide);
            break;
        }
        set_reg(v, rd, r);
        return NEXT;
    case OP_ADD_SHIFTED:
        if ((insn >> 22 & 3) == 3 || (!wide && insn >> 15 & 1)) {
            return UNKNOWN;
        }
        b = alu_shift(v->x[rm], insn >> 22 & 3, insn >> 10 & 63, wide);
        b = subtract ? ~b : b;
        r = flags ? alu_add_flags(v->x[rn], b, subtract, wide, &v->nzcv)
                  : alu_add(v->x[rn], b, subtract, wide);
        set_reg(v, rd, r);
        return NEXT;
    case OP_ADD_EXTENDED:
        if ((insn >> 10 & 7) > 4) {
            return UNKNOWN;
        }
        a = base_reg(v, rn);
        b = alu_extend(v->x[rm], insn >> 13 & 7, insn >> 10 & 7);
        b = subtract ? ~b : b;
        if (flags) {
            set_reg(v, rd, alu_add_flags(a, b, subtract, wide, &v->nzcv));
        } else {
            set_base_reg(v, rd, alu_add(a, b, subtract, wide));
        }
        return NEXT;
    case OP_ADD_CARRY:
        if (insn >> 10 & 63) {
            return UNKNOWN;
        }
        b = subtract ? ~v->x[rm] : v->x[rm];
        r = flags ? alu_add_flags(v->x[rn], b, v->nzcv >> 29 & 1, wide, &v->nzcv)
                  : alu_add(v->x[rn], b, v->nzcv >> 29 & 1, wide);
        set_reg(v, rd, r);
        return NEXT;
    case OP_COND_COMPARE:
        if (insn >> 10 & 1 || insn >> 4 & 1) {
            return UNKNOWN;
        }
        if (alu_condition(v->nzcv, insn >> 12 & 15)) {
            b = insn >> 11 & 1 ? rm : v->x[rm];
            alu_add_flags(v->x[rn], subtract ? ~b : b, subtract, wide, &v->nzcv);
        } else {
            v->nzcv = (insn & 15) << 28;
        }
        return NEXT;
    case OP_COND_SELECT:
        if (insn >> 11 & 1) {
            return UNKNOWN;
        }
        if (alu_condition(v->nzcv, insn >> 12 & 15)) {
            r = v->x[rn];
        } else {
            r = subtract ? ~v->x[rm] : v->x[rm];
            r += insn >> 10 & 1;
        }
        set_reg(v, rd, alu_width(r, wide));
        return NEXT;
    case OP_2SOURCE:
        return two_source(v, insn);
    case OP_1SOURCE:
        return one_source(v, insn);
    case OP_3SOURCE:
        return three_source(v, insn);
    case OP_EXCLUSIVE:
        return exclusive(v, insn);
    case OP_LOAD_LITERAL:
        a = pc + (alu_sbits(insn, 5, 19) << 2);
        switch (insn >> 30) {
        case 0:
            return transfer(v, v->el, a, 2, 1, rd);
        case 1:
            return transfer(v, v->el, a, 3, 1, rd);
        case 2:
            return transfer(v, v->el, a, 2, 2, rd);
        default:
            return NEXT; /* PRFM */
        }
    case OP_PAIR:
        return load_store_pair(v, insn);
    case OP_LDST_UNSIGNED: {
        unsigned scale = insn >> 30, opc = insn >> 22 & 3;

        if (scale == 3 && opc == 2) {
            return NEXT; /* PRFM */
        }
        if (!valid_transfer(scale, opc)) {
            return UNKNOWN;
        }
        return transfer_unsigned(v, insn, scale, opc);
    }
    case OP_LDR_X:
        return transfer_unsigned(v, insn, 3, 1);
    case OP_LDR_W:
        return transfer_unsigned(v, insn, 2, 1);
    case OP_LDRB:
        return transfer_unsigned(v, insn, 0, 1);
    case OP_STR_X:
        return transfer_unsigned(v, insn, 3, 0);
    case OP_STR_W:
        return transfer_unsigned(v, insn, 2, 0);
    case OP_STRB:
        return transfer_unsigned(v, insn, 0, 0);
    case OP_LDST_OTHER:
        return load_store_other(v, insn, linger);
    case OP_UNKNOWN:
        return UNKNOWN;
    default:
        __builtin_unreachable();
    }
#undef rd
#undef rn
#undef rm
#undef wide
#undef subtract
#undef flags
}

bool interp_run(A64Vcpu *v)
{
    bool new_block = true, first = true, progress = false;
    FetchWindow window = { TLB_NONE, 0 };
    unsigned linger = 0;
    uint64_t pc = v->pc;

    for (;;) {
        uint32_t insn;

        if (new_block) {
            if (begin_block(v, pc, first, &linger) || (LOAD_RELAXED(&v->events) && !first)) {
                break;
            }
            first = false;
            new_block = false;
            if (UNLIKELY(pc & 3)) {
                v->sys.far = pc;
                exception_take(v, EC_PC_ALIGN, 0, pc);
                pc = v->pc;
                window.page = TLB_NONE;
                new_block = true;
                continue;
            }
        }
        if (UNLIKELY(PAGE_OF(pc) != window.page) && !fetch_page(v, pc, &window)) {
            pc = v->pc;
            new_block = true;
            continue;
        }
        insn = (uint32_t)host_load(pc + window.addend, 4);
        switch (step(v, insn, pc, &linger)) {
        case NEXT:
            pc += 4;
            break;
        case SYNC:
            v->pc = pc + 4;
            new_block = exception_interrupt(v);
            pc = v->pc;
            window.page = TLB_NONE;
            break;
        case BRANCHED:
            new_block = true;
            pc = v->pc;
            break;
        case RETURNED:
            if (v->el ==
                0) { /* another address space, perhaps: the run loop decides how to go on */
                return true;
            }
            exception_interrupt(v);
            new_block = true;
            pc = v->pc;
            window.page = TLB_NONE;
            break;
        case LEAVE:
            if (v->fault.kind) {
                v->pc = pc;
            }
            return true;
        case UNKNOWN:
            v->pc = pc;
            if ((insn & 0x0c000000) == 0x0c000000 && !sysreg_fp_enabled(v, v->el)) {
                exception_take(v, EC_FP, 1 << 24 | 0xe << 20, pc);
                pc = v->pc;
                window.page = TLB_NONE;
                new_block = true;
                break;
            }
            STORE_RELAXED(heat_of(v, pc), HEAT_JIT);
            if (v->jit[a64_mode(v)]) {
                jit_promote(v->jit[a64_mode(v)], pc);
            }
            return progress;
        }
        progress = true;
    }
    v->pc = pc;
    return true;
}
