/* SPDX-License-Identifier: GPL-2.0-or-later
 * Dynarmic's callbacks: memory, code fetch, and whatever it hands back to be emulated.
 */
#include "exclusive.h"
#include "mem.h"
#include "rewrite.h"
#include "shim.h"

namespace a64
{

__attribute__((noinline, cold)) uint64_t Callbacks::load_miss(uint64_t va, unsigned size)
{
    uint64_t value = 0;

    if (!mem_load_slow(v, view, va, size, &value)) {
        jit->core->HaltExecution(HaltReason::MemoryAbort);
    }
    return value;
}

__attribute__((noinline, cold)) void Callbacks::store_miss(uint64_t va, unsigned size,
                                                           uint64_t value)
{
    if (!mem_store_slow(v, view, va, size, value)) {
        jit->core->HaltExecution(HaltReason::MemoryAbort);
    }
}

/* The same as mem_load() and mem_store(), with nothing in the way of a hit. */
inline uint64_t Callbacks::load(uint64_t va, unsigned size)
{
    const TlbEntry *e = &tlb[tlb_index(va)];

    if (LIKELY(e->read == PAGE_OF(va + size - 1))) {
        return host_load(va + e->addend, size);
    }
    return load_miss(va, size);
}

inline void Callbacks::store(uint64_t va, unsigned size, uint64_t value)
{
    const TlbEntry *e = &tlb[tlb_index(va)];

    if (LIKELY(e->write == PAGE_OF(va + size - 1))) {
        host_store(va + e->addend, size, value);
        return;
    }
    store_miss(va, size, value);
}

std::uint8_t Callbacks::MemoryRead8(A64::VAddr va)
{
    return (std::uint8_t)load(va, 1);
}

std::uint16_t Callbacks::MemoryRead16(A64::VAddr va)
{
    return (std::uint16_t)load(va, 2);
}

std::uint32_t Callbacks::MemoryRead32(A64::VAddr va)
{
    return (std::uint32_t)load(va, 4);
}

std::uint64_t Callbacks::MemoryRead64(A64::VAddr va)
{
    return load(va, 8);
}

A64::Vector Callbacks::MemoryRead128(A64::VAddr va)
{
    uint64_t low = load(va, 8);

    return { low, v->fault.kind ? 0 : load(va + 8, 8) };
}

void Callbacks::MemoryWrite8(A64::VAddr va, std::uint8_t value)
{
    store(va, 1, value);
}

void Callbacks::MemoryWrite16(A64::VAddr va, std::uint16_t value)
{
    store(va, 2, value);
}

void Callbacks::MemoryWrite32(A64::VAddr va, std::uint32_t value)
{
    store(va, 4, value);
}

void Callbacks::MemoryWrite64(A64::VAddr va, std::uint64_t value)
{
    store(va, 8, value);
}

void Callbacks::MemoryWrite128(A64::VAddr va, A64::Vector value)
{
    store(va, 8, value[0]);
    if (!v->fault.kind) {
        store(va + 8, 8, value[1]);
    }
}

bool Callbacks::swap(uint64_t va, unsigned size, uint64_t value, uint64_t old)
{
    void *host = mem_exclusive(v, va, size, ACCESS_WRITE);

    if (!host) {
        jit->core->HaltExecution(HaltReason::MemoryAbort);
        return false;
    }
    return exclusive_swap(host, size, value, old);
}

bool Callbacks::MemoryWriteExclusive8(A64::VAddr va, std::uint8_t x, std::uint8_t old)
{
    return swap(va, 1, x, old);
}

bool Callbacks::MemoryWriteExclusive16(A64::VAddr va, std::uint16_t x, std::uint16_t old)
{
    return swap(va, 2, x, old);
}

bool Callbacks::MemoryWriteExclusive32(A64::VAddr va, std::uint32_t x, std::uint32_t old)
{
    return swap(va, 4, x, old);
}

bool Callbacks::MemoryWriteExclusive64(A64::VAddr va, std::uint64_t x, std::uint64_t old)
{
    return swap(va, 8, x, old);
}

bool Callbacks::MemoryWriteExclusive128(A64::VAddr va, A64::Vector x, A64::Vector old)
{
    void *host = mem_exclusive(v, va, 16, ACCESS_WRITE);

    if (!host) {
        jit->core->HaltExecution(HaltReason::MemoryAbort);
        return false;
    }
    return exclusive_swap_pair(host, x.data(), old.data());
}

std::uint64_t Callbacks::GetCNTPCT()
{
    return mode == MODE_EL1H ? v->daif : timer_count();
}

void Callbacks::DataCacheOperationRaised(A64::DataCacheOperation op, A64::VAddr)
{
    if (op == A64::DataCacheOperation::InvalidateBySetWay) {
        v->daif |= PSTATE_I;
    } else if (op == A64::DataCacheOperation::CleanAndInvalidateBySetWay) {
        v->daif |= PSTATE_I | PSTATE_F;
    }
}

std::optional<std::uint32_t> Callbacks::MemoryReadCode(A64::VAddr va)
{
    uint64_t host = jit->fetch_page == PAGE_OF(va) ? jit->fetch_host : 0;
    bool starts = va != jit->next_fetch;
    uint32_t insn;

    if (va & 3) {
        jit->next_fetch = 1;
        return std::nullopt;
    }
    if (!host) {
        host = note_page(jit, va);
        if (!host) {
            jit->next_fetch = 1;
            return std::nullopt;
        }
    }
    if (starts && !jit->stepping && interp_is_cold(v, va)) {
        jit->stand_ins.insert(va);
        jit->next_fetch = 1;
        return REWRITE_TRAP;
    }
    insn = rewrite_insn(v, mode, (uint32_t)host_load(host + (va & PAGE_OFFSET), 4));
    jit->next_fetch = rewrite_ends_block(insn) ? 1 : va + 4;
    return insn;
}

/* FALSE: the instruction at pc is not one of those that simd.c adds. */
bool Callbacks::emulate_simd(uint64_t pc)
{
    uint64_t host = jit->fetch_page == PAGE_OF(pc) ? jit->fetch_host : note_page(jit, pc);
    bool known;

    if (!host) {
        return false;
    }
    jit_flush_vectors(v);
    known = simd_exec(v, (uint32_t)host_load(host + (pc & PAGE_OFFSET), 4));
    take_vectors(jit);
    if (known) {
        v->pc = pc + 4;
    }
    return known;
}

/* The instruction at pc is the interpreter's, and what follows while it is cold. */
void Callbacks::emulate(uint64_t pc)
{
    bool stand_in = jit->stand_ins.contains(pc);

    save_state(jit);
    v->pc = pc;
    if (!interp_run(v) && !stand_in && !emulate_simd(pc)) {
        /* a stand-in's instruction is up to the JIT after all */
        exception_undefined(v, pc);
    }
    clear_monitor(jit);
    if (v->stop || v->fault.kind || a64_mode(v) != mode) {
        leave(jit);
    } else {
        inval_sync(v);
        load_state(jit);
    }
}

void Callbacks::InterpreterFallback(A64::VAddr pc, size_t)
{
    if (jit->stand_ins.contains(pc) && !interp_is_cold(v, pc)) {
        jit_promote(jit, pc);
        return;
    }
    emulate(pc);
}

void Callbacks::CallSVC(std::uint32_t imm)
{
    save_state(jit);
    exception_take(v, EC_SVC, imm, v->pc);
    leave(jit);
}

/* MSR DAIF or DAIFClr at EL1; the PC is behind it already. */
void Callbacks::unmask(uint64_t pc)
{
    uint64_t host = jit->fetch_page == PAGE_OF(pc) ? jit->fetch_host : note_page(jit, pc);
    uint32_t insn;

    if (!host) {
        emulate(pc);
        return;
    }
    insn = (uint32_t)host_load(host + (pc & PAGE_OFFSET), 4);
    if ((insn & 0xffffffe0) == 0xd51b4220) {
        unsigned rt = insn & 31;

        v->daif = rt == 31 ? 0 : (uint32_t)(jit->core->GetRegister(rt) & PSTATE_DAIF);
    } else if ((insn & 0xfffff0ff) == 0xd50340ff) {
        v->daif &= ~(uint32_t)((insn >> 8 & 15) << 6);
    } else { /* rewritten by the guest meanwhile: not translated yet */
        emulate(pc);
        return;
    }
    if ((LOAD_ACQUIRE(&v->irq_line) && !(v->daif & PSTATE_I)) ||
        (LOAD_ACQUIRE(&v->fiq_line) && !(v->daif & PSTATE_F))) {
        jit->core->HaltExecution(HaltReason::UserDefined1);
    }
}

void Callbacks::ExceptionRaised(A64::VAddr pc, A64::Exception exception)
{
    uint8_t fsc;

    switch (exception) {
    case A64::Exception::SendEventLocal:
        unmask(pc);
        return;
    case A64::Exception::Yield:
    case A64::Exception::SendEvent:
        return;
    case A64::Exception::NoExecuteFault:
        /* The page was not executable when this was translated; it may be now. */
        jit->core->InvalidateCacheRange(pc, 4);
        save_state(jit);
        v->pc = pc;
        if (pc & 3) {
            v->sys.far = pc;
            exception_take(v, EC_PC_ALIGN, 0, pc);
        } else if (!mem_exec_page(v, pc, &fsc)) {
            exception_insn_abort(v, pc, fsc);
        }
        leave(jit);
        return;
    default:
        emulate(pc);
        return;
    }
}

} // namespace a64
