/* SPDX-License-Identifier: GPL-2.0-or-later
 * The interpreter: the integer instructions and everything privileged. Code runs here until it is
 * hot, and always where an instruction needs more than dynarmic's callbacks can give it. FP and
 * SIMD are not here; nor is the meaning of system registers (sysreg.c) and SYS (sysop.c).
 */
#include "alu.h"
#include "decode.h"
#include "exclusive.h"
#include "mem.h"

#include <sched.h>

/* Runs of a block before it is compiled. A Linux boot is flat from 250 to 500, slower outside. */
enum { HOT = 250 };

/* Blocks to stay here after an instruction the JIT would only hand back: unprivileged accesses and
 * cache and TLB maintenance come in loops. */
enum { LINGER = 16 };

typedef enum {
    NEXT,     /* go on behind the instruction */
    SYNC,     /* likewise, after looking for interrupts and fetching afresh */
    BRANCHED, /* v->pc is set, the exception level is the same */
    RETURNED, /* v->pc is set, by an exception or the return from one */
    LEAVE,    /* fault or stop; v->pc is set */
    UNKNOWN,  /* not the interpreter's */
} Result;

static inline uint8_t *heat_of(const A64Vcpu *v, uint64_t pc)
{
    return &v->vm->heat[(pc >> 2 ^ pc >> 34) & ((1 << HEAT_BITS) - 1)];
}

bool interp_is_cold(const A64Vcpu *v, uint64_t pc)
{
    return LOAD_RELAXED(heat_of(v, pc)) < HOT;
}

static inline uint64_t base_reg(const A64Vcpu *v, unsigned r)
{
    return r == 31 ? v->sp : v->x[r];
}

static inline void set_reg(A64Vcpu *v, unsigned r, uint64_t value)
{
    v->x[r] = value;
    v->x[31] = 0;
}

static inline void set_base_reg(A64Vcpu *v, unsigned r, uint64_t value)
{
    if (r == 31) {
        v->sp = value;
    } else {
        v->x[r] = value;
    }
}

static Result two_source(A64Vcpu *v, uint32_t insn)
{
    bool wide = insn >> 31;
    uint64_t a = alu_width(v->x[insn >> 5 & 31], wide), b = alu_width(v->x[insn >> 16 & 31], wide);
    uint64_t r;

    switch (insn >> 10 & 63) {
    case 2: /* UDIV */
        r = b ? a / b : 0;
        break;
    case 3: /* SDIV: INT_MIN / -1 is INT_MIN */
        if (!b) {
            r = 0;
        } else if (wide) {
            r = b == UINT64_MAX ? -a : (uint64_t)((int64_t)a / (int64_t)b);
        } else {
            r = (uint32_t)b == UINT32_MAX ? (uint32_t)-a
                                          : (uint32_t)((int32_t)(uint32_t)a / (int32_t)(uint32_t)b);
        }
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        r = alu_shift(a, insn >> 10 & 3, b & (wide ? 63 : 31), wide);
        break;
    default:
        return UNKNOWN;
    }
    set_reg(v, insn & 31, r);
    return NEXT;
}

static Result one_source(A64Vcpu *v, uint32_t insn)
{
    bool wide = insn >> 31;
    uint64_t a = alu_width(v->x[insn >> 5 & 31], wide), r;

    switch (insn >> 10 & 0x7ff) {
    case 0: /* RBIT */
        r = alu_reverse_bits(a) >> (wide ? 0 : 32);
        break;
    case 1: /* REV16 */
        r = (a & UINT64_C(0x00ff00ff00ff00ff)) << 8 | (a >> 8 & UINT64_C(0x00ff00ff00ff00ff));
        break;
    case 2: /* REV, REV32 */
        r = wide ? (uint64_t)__builtin_bswap32((uint32_t)a) |
                       (uint64_t)__builtin_bswap32((uint32_t)(a >> 32)) << 32
                 : __builtin_bswap32((uint32_t)a);
        break;
    case 3: /* REV, 64-bit */
        if (!wide) {
            return UNKNOWN;
        }
        r = __builtin_bswap64(a);
        break;
    case 4: /* CLZ */
        r = a ? (uint64_t)__builtin_clzll(a) - (wide ? 0 : 32) : wide ? 64 : 32;
        break;
    case 5: /* CLS: leading bits equal to the sign, less the sign itself */
        a = (uint64_t)((int64_t)(wide ? a : a << 32) >> (wide ? 0 : 32));
        a ^= (uint64_t)((int64_t)a >> 63);
        r = (a ? (uint64_t)__builtin_clzll(a) : 64) - 1 - (wide ? 0 : 32);
        break;
    default:
        return UNKNOWN;
    }
    set_reg(v, insn & 31, r);
    return NEXT;
}

static Result three_source(A64Vcpu *v, uint32_t insn)
{
    uint64_t a = v->x[insn >> 5 & 31], b = v->x[insn >> 16 & 31], c = v->x[insn >> 10 & 31], r;
    bool wide = insn >> 31, subtract = insn >> 15 & 1;
    unsigned op = insn >> 21 & 7;

    if (op && !wide) {
        return UNKNOWN;
    }
    switch (op) {
    case 0: /* MADD, MSUB */
        r = a * b;
        break;
    case 1: /* SMADDL, SMSUBL */
        r = (uint64_t)((int64_t)(int32_t)(uint32_t)a * (int32_t)(uint32_t)b);
        break;
    case 5: /* UMADDL, UMSUBL */
        r = (uint64_t)(uint32_t)a * (uint32_t)b;
        break;
    case 2: /* SMULH */
    case 6: /* UMULH */
        if (subtract) {
            return UNKNOWN;
        }
        r = op == 2 ? (uint64_t)((__int128)(int64_t)a * (int64_t)b >> 64)
                    : (uint64_t)((unsigned __int128)a * b >> 64);
        set_reg(v, insn & 31, r);
        return NEXT;
    default:
        return UNKNOWN;
    }
    set_reg(v, insn & 31, alu_width(subtract ? c - r : c + r, wide));
    return NEXT;
}

/* One register; size is 1 << the size field, opc: 0 store, 1 zero-, 2 and 3 sign-extending load. */
static inline Result transfer(A64Vcpu *v, unsigned view, uint64_t va, unsigned scale, unsigned opc,
                              unsigned rt)
{
    unsigned size = 1u << scale;
    uint64_t value;
    bool done;

    if (opc == 0) {
        switch (scale) { /* constant sizes, for the inlined fast path */
        case 0:
            done = mem_store(v, view, va, 1, v->x[rt]);
            break;
        case 1:
            done = mem_store(v, view, va, 2, v->x[rt]);
            break;
        case 2:
            done = mem_store(v, view, va, 4, v->x[rt]);
            break;
        default:
            done = mem_store(v, view, va, 8, v->x[rt]);
            break;
        }
        return done ? NEXT : LEAVE;
    }
    switch (scale) {
    case 0:
        done = mem_load(v, view, va, 1, &value);
        break;
    case 1:
        done = mem_load(v, view, va, 2, &value);
        break;
    case 2:
        done = mem_load(v, view, va, 4, &value);
        break;
    default:
        done = mem_load(v, view, va, 8, &value);
        break;
    }
    if (!done) {
        return LEAVE;
    }
    if (opc > 1) {
        value = (uint64_t)((int64_t)(value << (64 - size * 8)) >> (64 - size * 8));
        value = alu_width(value, opc == 2);
    }
    set_reg(v, rt, value);
    return NEXT;
}

static inline bool valid_transfer(unsigned scale, unsigned opc)
{
    return !(scale == 3 && opc > 1) && !(scale == 2 && opc == 3);
}

static Result load_store_other(A64Vcpu *v, uint32_t insn, unsigned *linger)
{
    unsigned scale = insn >> 30, opc = insn >> 22 & 3, rn = insn >> 5 & 31, rt = insn & 31;
    uint64_t base = base_reg(v, rn), offset;
    unsigned form = insn >> 10 & 3;
    Result result;

    if (insn >> 21 & 1) {
        unsigned option = insn >> 13 & 7;

        if (form != 2 || !(option & 2)) {
            return UNKNOWN; /* LSE atomics, which this CPU does not have */
        }
        if (scale == 3 && opc == 2) {
            return NEXT; /* PRFM */
        }
        if (!valid_transfer(scale, opc)) {
            return UNKNOWN;
        }
        offset = alu_extend(v->x[insn >> 16 & 31], option, insn >> 12 & 1 ? scale : 0);
        return transfer(v, v->el, base + offset, scale, opc, rt);
    }
    offset = alu_sbits(insn, 12, 9);
    if (scale == 3 && opc == 2 && form == 0) {
        return NEXT; /* PRFUM */
    }
    if (!valid_transfer(scale, opc)) {
        return UNKNOWN;
    }
    switch (form) {
    case 0: /* unscaled */
        return transfer(v, v->el, base + offset, scale, opc, rt);
    case 2: /* unprivileged: EL0's rights */
        *linger = LINGER;
        return transfer(v, 0, base + offset, scale, opc, rt);
    case 1: /* post-index */
        result = transfer(v, v->el, base, scale, opc, rt);
        break;
    default: /* pre-index */
        result = transfer(v, v->el, base + offset, scale, opc, rt);
        break;
    }
    if (result == NEXT) {
        set_base_reg(v, rn, base + offset);
    }
    return result;
}

static Result load_store_pair(A64Vcpu *v, uint32_t insn)
{
    unsigned opc = insn >> 30, rn = insn >> 5 & 31, rt = insn & 31, rt2 = insn >> 10 & 31;
    unsigned index = insn >> 23 & 3;
    bool load = insn >> 22 & 1;
    uint64_t offset = alu_sbits(insn, 15, 7) << (opc == 2 ? 3 : 2);
    uint64_t base = base_reg(v, rn), va = index == 1 ? base : base + offset;
    uint64_t first, second;

    if (opc == 3 || (opc == 1 && (!load || index == 0))) {
        return UNKNOWN;
    }
    if (load) {
        if (opc == 2) {
            if (!mem_load(v, v->el, va, 8, &first) || !mem_load(v, v->el, va + 8, 8, &second)) {
                return LEAVE;
            }
        } else {
            if (!mem_load(v, v->el, va, 4, &first) || !mem_load(v, v->el, va + 4, 4, &second)) {
                return LEAVE;
            }
            if (opc == 1) {
                first = (uint64_t)(int64_t)(int32_t)first;
                second = (uint64_t)(int64_t)(int32_t)second;
            }
        }
        set_reg(v, rt, first);
        set_reg(v, rt2, second);
    } else if (opc == 2) {
        if (!mem_store(v, v->el, va, 8, v->x[rt]) || !mem_store(v, v->el, va + 8, 8, v->x[rt2])) {
            return LEAVE;
        }
    } else if (!mem_store(v, v->el, va, 4, v->x[rt]) ||
               !mem_store(v, v->el, va + 4, 4, v->x[rt2])) {
        return LEAVE;
    }
    if (index & 1) {
        set_base_reg(v, rn, base + offset);
    }
    return NEXT;
}

static Result load_exclusive(A64Vcpu *v, uint32_t insn, uint64_t va, unsigned size, bool pair)
{
    unsigned total = pair ? 2 * size : size;
    uint64_t first, second = 0;

    if (va & (total - 1)) { /* always a fault */
        mem_exclusive(v, va, total, ACCESS_READ);
        return LEAVE;
    }
    if (!mem_load(v, v->el, va, size, &first) ||
        (pair && !mem_load(v, v->el, va + size, size, &second))) {
        return LEAVE;
    }
    v->excl_va = va;
    v->excl_size = (uint8_t)total;
    v->excl_value[0] = first;
    v->excl_value[1] = second;
    set_reg(v, insn & 31, first);
    if (pair) {
        set_reg(v, insn >> 10 & 31, second);
    }
    return NEXT;
}

static Result store_exclusive(A64Vcpu *v, uint32_t insn, uint64_t va, unsigned size, bool pair)
{
    unsigned total = pair ? 2 * size : size;
    uint64_t value[2] = { v->x[insn & 31], v->x[insn >> 10 & 31] };
    bool held = v->excl_size == total && v->excl_va == va, done = false;

    v->excl_size = 0;
    if (held) {
        void *host = mem_exclusive(v, va, total, ACCESS_WRITE);

        if (!host) {
            return LEAVE;
        }
        if (total == 16) {
            done = exclusive_swap_pair(host, value, v->excl_value);
        } else if (pair) {
            done = exclusive_swap(host, 8, (uint32_t)value[0] | value[1] << 32,
                                  (uint32_t)v->excl_value[0] | v->excl_value[1] << 32);
        } else {
            done = exclusive_swap(host, size, value[0], v->excl_value[0]);
        }
    }
    set_reg(v, insn >> 16 & 31, !done);
    return NEXT;
}

static Result exclusive(A64Vcpu *v, uint32_t insn)
{
    unsigned scale = insn >> 30;
    uint64_t va = base_reg(v, insn >> 5 & 31);
    bool load = insn >> 22 & 1, pair = insn >> 21 & 1;

    if (insn >> 23 & 1) {
        if (pair || !(insn >> 15 & 1)) {
            return UNKNOWN;
        }
        if (va & ((1u << scale) - 1)) { /* ordered accesses must be aligned too */
            mem_exclusive(v, va, 1u << scale, load ? ACCESS_READ : ACCESS_WRITE);
            return LEAVE;
        }
        /* LDAR: TSO orders a load before what follows; the fence behind each STLR orders the
         * pair STLR, LDAR. */
        Result result = transfer(v, v->el, va, scale, load, insn & 31);
        if (!load) {
            full_fence();
        }
        return result;
    }
    if (pair && scale < 2) {
        return UNKNOWN;
    }
    return load ? load_exclusive(v, insn, va, 1u << scale, pair)
                : store_exclusive(v, insn, va, 1u << scale, pair);
}

static Result trap_system(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned op0 = insn >> 19 & 3, op1 = insn >> 16 & 7;

    /* What EL1 can allow EL0 and has not (MSR DAIFSet and DAIFClr with op0 0 among it) is reported
     * as a trapped access, the rest as UNDEFINED. */
    if (v->el == 0 && op1 == 3 && op0 != 2) {
        uint32_t iss = op0 << 20 | (insn >> 5 & 7) << 17 | op1 << 14 | (insn >> 12 & 15) << 10 |
                       (insn & 31) << 5 | (insn >> 8 & 15) << 1 | (insn >> 21 & 1);

        exception_take(v, EC_SYSREG, iss, pc);
    } else {
        exception_undefined(v, pc);
    }
    return RETURNED;
}

static Result hint(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned op = insn >> 5 & 127;

    switch (op) {
    case 2: /* WFE: the event register is taken to be set; a spinner yields the host CPU */
    case 3: /* WFI */
        if (v->el == 0 && !(v->sys.sctlr >> (op == 2 ? 18 : 16) & 1)) {
            exception_take(v, EC_WFX, 1 << 24 | 0xe << 20 | (op == 2), pc);
            return RETURNED;
        }
        if (op == 3) {
            v->pc = pc + 4;
            v->stop = STOP_WFI;
            return LEAVE;
        }
        if (v->vm->config.n_vcpus > 1) {
            sched_yield();
        }
        return NEXT;
    default:
        return NEXT;
    }
}

static Result barrier(A64Vcpu *v, uint32_t insn)
{
    switch (insn >> 5 & 7) {
    case 2: /* CLREX */
        v->excl_size = 0;
        return NEXT;
    case 4: /* DSB */
        full_fence();
        inval_sync(v);
        return NEXT;
    case 5: /* DMB; of loads or of stores only, TSO has it already */
        if ((insn >> 8 & 3) == 3) {
            full_fence();
        }
        return NEXT;
    case 6: /* ISB */
        return NEXT;
    default:
        return UNKNOWN;
    }
}

static Result move_immediate_to_pstate(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned op = (insn >> 16 & 7) << 3 | (insn >> 5 & 7);
    uint32_t bits = (insn >> 8 & 15) << 6;

    if (op >> 3 == 3 && v->el == 0 && !(v->sys.sctlr >> 9 & 1)) {
        return trap_system(v, insn, pc);
    }
    switch (op) {
    case 3 << 3 | 6:
        v->daif |= bits;
        return NEXT;
    case 3 << 3 | 7:
        v->daif &= ~bits;
        return NEXT;
    case 0 << 3 | 5:
        if (v->el == 0) {
            exception_undefined(v, pc);
            return RETURNED;
        }
        exception_set_mode(v, v->el, insn >> 8 & 1);
        return NEXT;
    default:
        exception_undefined(v, pc);
        return RETURNED;
    }
}

static Result system_insn(A64Vcpu *v, uint32_t insn, uint64_t pc, unsigned *linger)
{
    unsigned op0 = insn >> 19 & 3, rt = insn & 31;
    uint32_t reg = insn >> 5 & 0xffff;
    uint64_t value;

    if (op0 >= 2) {
        /* FPCR, FPSR and what the JIT keeps of its own. */
        if ((reg & ~UINT32_C(1)) == SYSREG(3, 3, 4, 4, 0)) {
            return UNKNOWN;
        }
        if (insn >> 21 & 1) {
            if (!sysreg_read(v, reg, &value)) {
                return trap_system(v, insn, pc);
            }
            set_reg(v, rt, value);
        } else if (!sysreg_write(v, reg, v->x[rt])) {
            return trap_system(v, insn, pc);
        }
        return NEXT;
    }
    if (op0 == 1) {
        *linger = LINGER;
        if (insn >> 21 & 1 || !sysop_exec(v, insn, v->x[rt])) {
            return trap_system(v, insn, pc);
        }
        return v->fault.kind ? LEAVE : NEXT;
    }
    if ((insn & 0xfffff01f) == 0xd503201f) {
        return hint(v, insn, pc);
    }
    if ((insn & 0xfffff01f) == 0xd503301f) {
        return barrier(v, insn);
    }
    if ((insn & 0xfff8f01f) == 0xd500401f) {
        return move_immediate_to_pstate(v, insn, pc);
    }
    return UNKNOWN;
}

static Result exception_insn(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    uint32_t imm = insn >> 5 & 0xffff;

    switch (insn & 0xffe0001f) {
    case 0xd4000001:
        exception_take(v, EC_SVC, imm, pc + 4);
        return RETURNED;
    case 0xd4000002: /* HVC: UNDEFINED at EL0 */
        if (v->el == 0) {
            exception_undefined(v, pc);
            return RETURNED;
        }
        v->pc = pc + 4;
        if (imm) {
            v->x[0] = UINT64_MAX; /* SMCCC: only HVC #0 is a call */
            return BRANCHED;
        }
        psci_call(v);
        return v->stop ? LEAVE : BRANCHED;
    case 0xd4200000:
        exception_take(v, EC_BRK, imm, pc);
        return RETURNED;
    default: /* SMC without EL3, HLT without a debugger, DCPS */
        exception_undefined(v, pc);
        return RETURNED;
    }
}

static Result branch_register(A64Vcpu *v, uint32_t insn, uint64_t pc)
{
    unsigned rn = insn >> 5 & 31;
    uint64_t target = v->x[rn];

    if (insn == 0xd69f03e0 && v->el == 1) {
        exception_return(v);
        return RETURNED;
    }
    switch (insn & 0xfffffc1f) {
    case 0xd63f0000:
        v->x[30] = pc + 4;
        break;
    case 0xd61f0000:
    case 0xd65f0000:
        break;
    default:
        return UNKNOWN;
    }
    if (v->sys.tcr >> (target >> 55 & 1 ? 38 : 37) & 1 && (v->el == 0 || target >> 55 & 1)) {
        target = target >> 55 & 1 ? target | UINT64_C(0xff) << 56 : target << 8 >> 8;
    }
    v->pc = target;
    return BRANCHED;
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
    uint8_t *heat = heat_of(v, pc), h = LOAD_RELAXED(heat);

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
    STORE_RELAXED(heat, (uint8_t)(h + 1));
    if (h + 1 == HOT && v->jit[a64_mode(v)]) {
        jit_promote(v->jit[a64_mode(v)], pc);
    }
    return false;
}

static inline Result step(A64Vcpu *v, uint32_t insn, uint64_t pc, unsigned *linger)
{
    unsigned rd = insn & 31, rn = insn >> 5 & 31, rm = insn >> 16 & 31;
    bool wide = insn >> 31, subtract = insn >> 30 & 1, flags = insn >> 29 & 1;
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
        return branch_register(v, insn, pc);
    case OP_SYSTEM: {
        Result result = system_insn(v, insn, pc, linger);

        return result == NEXT ? SYNC : result;
    }
    case OP_EXCEPTION:
        return exception_insn(v, insn, pc);
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
        return transfer(v, v->el, base_reg(v, rn) + (alu_bits(insn, 10, 12) << scale), scale, opc,
                        rd);
    }
    case OP_LDST_OTHER:
        return load_store_other(v, insn, linger);
    default:
        return UNKNOWN;
    }
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
