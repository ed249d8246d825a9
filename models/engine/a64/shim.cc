/* SPDX-License-Identifier: GPL-2.0-or-later
 * The bridge to dynarmic: one JIT per guest mode and vCPU, created when first needed; its
 * callbacks; and the book of which pages its translations come from.
 *
 * Dynarmic's cache is keyed by virtual address alone. So each JIT notes the physical page behind
 * each page it has translated from, and before it runs after anything that may have changed a
 * translation (TTBR, TLBI), asks for those pages again: what is not mapped executable to the same
 * page any more is dropped. What a page holds may change only with IC, as the architecture has it.
 *
 * The block's heat decides at fetch whether it is translated: a cold one becomes a stand-in
 * that calls the interpreter.
 */
#include "exclusive.h"
#include "mem.h"
#include "rewrite.h"

#include <dynarmic/interface/A64/a64.h>
#include <dynarmic/interface/exclusive_monitor.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

using namespace Dynarmic;

namespace
{

enum { KERNEL_CACHE = 64 << 20, USER_CACHE = 48 << 20 };

constexpr uint64_t NO_PAGE = 1;

class Callbacks final : public A64::UserCallbacks
{
  public:
    TlbEntry *tlb; /* of view: kept at hand for the fast path */
    A64Jit *jit;
    A64Vcpu *v;
    unsigned view;
    A64Mode mode;

    std::optional<std::uint32_t> MemoryReadCode(A64::VAddr va) override;
    std::uint8_t MemoryRead8(A64::VAddr va) override;
    std::uint16_t MemoryRead16(A64::VAddr va) override;
    std::uint32_t MemoryRead32(A64::VAddr va) override;
    std::uint64_t MemoryRead64(A64::VAddr va) override;
    A64::Vector MemoryRead128(A64::VAddr va) override;
    void MemoryWrite8(A64::VAddr va, std::uint8_t value) override;
    void MemoryWrite16(A64::VAddr va, std::uint16_t value) override;
    void MemoryWrite32(A64::VAddr va, std::uint32_t value) override;
    void MemoryWrite64(A64::VAddr va, std::uint64_t value) override;
    void MemoryWrite128(A64::VAddr va, A64::Vector value) override;
    bool MemoryWriteExclusive8(A64::VAddr va, std::uint8_t x, std::uint8_t old) override;
    bool MemoryWriteExclusive16(A64::VAddr va, std::uint16_t x, std::uint16_t old) override;
    bool MemoryWriteExclusive32(A64::VAddr va, std::uint32_t x, std::uint32_t old) override;
    bool MemoryWriteExclusive64(A64::VAddr va, std::uint64_t x, std::uint64_t old) override;
    bool MemoryWriteExclusive128(A64::VAddr va, A64::Vector x, A64::Vector old) override;
    void InterpreterFallback(A64::VAddr pc, size_t n) override;
    void CallSVC(std::uint32_t imm) override;
    void ExceptionRaised(A64::VAddr pc, A64::Exception exception) override;
    void DataCacheOperationRaised(A64::DataCacheOperation op, A64::VAddr value) override;
    void AddTicks(std::uint64_t) override
    {
    }
    std::uint64_t GetTicksRemaining() override
    {
        return 0;
    }
    std::uint64_t GetCNTPCT() override;

  private:
    uint64_t load(uint64_t va, unsigned size);
    void store(uint64_t va, unsigned size, uint64_t value);
    uint64_t load_miss(uint64_t va, unsigned size);
    void store_miss(uint64_t va, unsigned size, uint64_t value);
    bool swap(uint64_t va, unsigned size, uint64_t value, uint64_t old);
    void emulate(uint64_t pc);
    bool emulate_simd(uint64_t pc);
    void unmask(uint64_t pc);
};

/* A set of block addresses: open addressing, linear probing, at most half full. */
class PcSet
{
  public:
    PcSet() : slots(1024, FREE)
    {
    }

    bool contains(uint64_t pc) const
    {
        return slots[find(pc)] == pc;
    }

    void insert(uint64_t pc)
    {
        size_t at = find(pc);

        if (slots[at] == pc) {
            return;
        }
        slots[at] = pc;
        if (++used * 2 > slots.size()) {
            grow();
        }
    }

    bool erase(uint64_t pc)
    {
        size_t hole = find(pc), mask = slots.size() - 1;

        if (slots[hole] != pc) {
            return false;
        }
        /* Close the gap: move up whatever would not be found across it. */
        for (size_t at = (hole + 1) & mask; slots[at] != FREE; at = (at + 1) & mask) {
            if (((at - home(slots[at])) & mask) >= ((at - hole) & mask)) {
                slots[hole] = slots[at];
                hole = at;
            }
        }
        slots[hole] = FREE;
        used--;
        return true;
    }

    void clear()
    {
        std::fill(slots.begin(), slots.end(), FREE);
        used = 0;
    }

  private:
    static constexpr uint64_t FREE = 1; /* no block begins at an odd address */
    std::vector<uint64_t> slots;
    size_t used = 0;

    size_t home(uint64_t pc) const
    {
        return (pc >> 2 ^ pc >> 13) & (slots.size() - 1);
    }

    size_t find(uint64_t pc) const
    {
        size_t at = home(pc);

        while (slots[at] != pc && slots[at] != FREE) {
            at = (at + 1) & (slots.size() - 1);
        }
        return at;
    }

    void grow()
    {
        std::vector<uint64_t> old(slots.size() * 2, FREE);

        old.swap(slots);
        for (uint64_t pc : old) {
            if (pc != FREE) {
                slots[find(pc)] = pc;
            }
        }
    }
};

} // namespace

struct A64Jit {
    Callbacks callbacks;
    ExclusiveMonitor monitor{ 1 };
    std::unique_ptr<A64::Jit> core;
    uint32_t config;

    /* Virtual page to physical page, for the lower and the upper VA range. */
    std::unordered_map<uint64_t, uint64_t> pages[2];
    PcSet stand_ins;
    bool recheck[2];
    std::vector<uint64_t> invalid; /* of pages: those a recheck found wanting */
    bool stepping;

    /* The page MemoryReadCode looked at last. */
    uint64_t fetch_page, fetch_host;
    uint64_t next_fetch; /* where the block under translation goes on; 1: it does not */
};

namespace
{

void load_state(A64Jit *j)
{
    A64Vcpu *v = j->callbacks.v;
    std::array<uint64_t, 31> regs;

    std::memcpy(regs.data(), v->x, sizeof(regs));
    j->core->SetRegisters(regs);
    j->core->SetSP(v->sp);
    j->core->SetPC(v->pc);
    j->core->SetPstate(v->nzcv);
}

/* PC bits above 55 are not part of what dynarmic goes by. */
void save_state(A64Jit *j)
{
    A64Vcpu *v = j->callbacks.v;
    std::array<uint64_t, 31> regs = j->core->GetRegisters();

    std::memcpy(v->x, regs.data(), sizeof(regs));
    v->sp = j->core->GetSP();
    v->pc = (uint64_t)((int64_t)(j->core->GetPC() << 8) >> 8);
    v->nzcv = j->core->GetPstate() & (uint32_t)PSTATE_NZCV;
}

/* The vCPU's state is in v and stays there: the JIT returns at once. */
void leave(A64Jit *j)
{
    j->callbacks.v->state_moved = true;
    j->core->HaltExecution(HaltReason::UserDefined1);
}

void clear_monitor(A64Jit *j)
{
    A64Vcpu *v = j->callbacks.v;

    if (v->monitor_cleared >> j->callbacks.mode & 1) {
        j->core->ClearExclusiveState();
        v->monitor_cleared &= (uint8_t) ~(1 << j->callbacks.mode);
    }
}

void forget(A64Jit *j)
{
    j->core->ClearCache();
    j->pages[0].clear();
    j->pages[1].clear();
    j->stand_ins.clear();
    j->invalid.clear();
    j->recheck[0] = j->recheck[1] = false;
    j->fetch_page = NO_PAGE;
}

/* Whether va is still executable and its page at gpa. */
bool same_page(A64Vcpu *v, uint64_t va, uint64_t gpa)
{
    const A64Region *r;
    Translation t;

    if (!mmu_translate(v, va, v->el, ACCESS_EXEC, &t) || PAGE_OF(t.gpa) != gpa) {
        return false;
    }
    r = map_find(v->vm, gpa);
    return r && r->flags & ENGINE_MAP_EXEC;
}

void recheck_pages(A64Jit *j)
{
    for (unsigned half = 0; half < 2; half++) {
        if (!j->recheck[half]) {
            continue;
        }
        j->recheck[half] = false;
        j->invalid.erase(std::remove_if(j->invalid.begin(), j->invalid.end(),
                                        [half](uint64_t va) { return (va >> 55 & 1) == half; }),
                         j->invalid.end());
        for (auto &page : j->pages[half]) {
            if (!same_page(j->callbacks.v, page.first, page.second)) {
                j->invalid.push_back(page.first);
            }
        }
    }
    j->fetch_page = NO_PAGE;
}

/* Notes that code at va comes from gpa, and returns the page's host address; 0: not executable. */
uint64_t note_page(A64Jit *j, uint64_t va)
{
    A64Vcpu *v = j->callbacks.v;
    auto &pages = j->pages[va >> 55 & 1];
    uint64_t page = PAGE_OF(va), gpa;
    const A64Region *r;
    Translation t;

    if (!mmu_translate(v, va, v->el, ACCESS_EXEC, &t)) {
        return 0;
    }
    gpa = PAGE_OF(t.gpa);
    r = map_find(v->vm, gpa);
    if (!r || !(r->flags & ENGINE_MAP_EXEC)) {
        return 0;
    }
    auto [it, added] = pages.try_emplace(page, gpa);
    if (!added && it->second != gpa) {
        j->core->InvalidateCacheRange(page, PAGE_OFFSET + 1);
        it->second = gpa;
    }
    STORE_RELAXED(&r->has_code[(gpa - r->gpa) >> 12], 1);
    full_fence(); /* pairs with the one in IC IVAU */
    j->fetch_page = page;
    j->fetch_host = (uint64_t)(uintptr_t)r->host + (gpa - r->gpa);
    return j->fetch_host;
}

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

/* Makes j's copy of the vector state the current one. */
void take_vectors(A64Jit *j)
{
    A64Vcpu *v = j->callbacks.v;
    std::array<A64::Vector, 32> vectors;

    if (v->vec_owner == j) {
        return;
    }
    jit_flush_vectors(v);
    std::memcpy(vectors.data(), v->v, sizeof(v->v));
    j->core->SetVectors(vectors);
    j->core->SetFpcr(v->fpcr);
    j->core->SetFpsr(v->fpsr);
    v->vec_owner = j;
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

} // namespace

A64Jit *jit_new(A64Vcpu *v, A64Mode mode)
{
    try {
        auto j = std::make_unique<A64Jit>();
        A64::UserConfig config{};
        bool el1h = mode == MODE_EL1H;

        j->callbacks.jit = j.get();
        j->callbacks.v = v;
        j->callbacks.view = mode != MODE_EL0;
        j->callbacks.mode = mode;
        j->callbacks.tlb = v->tlb[j->callbacks.view];
        j->config = UINT32_MAX; /* none yet */
        j->fetch_page = NO_PAGE;
        j->next_fetch = 1;
        config.callbacks = &j->callbacks;
        config.global_monitor = &j->monitor;
        /* Merging fallbacks into one block would run past a stand-in. */
        config.optimizations = all_safe_optimizations & ~OptimizationFlag::MiscIROpt;
        config.hook_data_cache_operations = true;
        config.hook_hint_instructions = true;
        config.cntfrq_el0 = TIMER_FREQUENCY;
        config.ctr_el0 = (uint32_t)A64_CTR_EL0;
        config.dczid_el0 = 4;
        config.tpidr_el0 = el1h ? &v->sys.tpidr_el1 : &v->sys.tpidr_el0;
        config.tpidrro_el0 = el1h ? &v->sp_bank[0] : &v->sys.tpidrro_el0;
        config.define_unpredictable_behaviour = true;
        config.wall_clock_cntpct = true;
        config.check_halt_on_memory_access = true;
        /* With it, linked blocks would not look at the halt flag. */
        config.enable_cycle_counting = false;
        config.code_cache_size = mode == MODE_EL0 ? USER_CACHE : KERNEL_CACHE;
        j->core = std::make_unique<A64::Jit>(config);
        return j.release();
    } catch (const std::exception &) {
        return nullptr;
    }
}

void jit_free(A64Jit *j)
{
    delete j;
}

void jit_flush_vectors(A64Vcpu *v)
{
    A64Jit *owner = v->vec_owner;

    if (!owner) {
        return;
    }
    auto vectors = owner->core->GetVectors();
    std::memcpy(v->v, vectors.data(), sizeof(v->v));
    v->fpcr = owner->core->GetFpcr();
    v->fpsr = owner->core->GetFpsr();
    v->vec_owner = nullptr;
}

static void run(A64Jit *j, bool step)
{
    A64Vcpu *v = j->callbacks.v;

    take_vectors(j);
    clear_monitor(j);
    load_state(j);
    v->state_moved = false;
    STORE_SEQ(&v->running_jit, j);
    if (step) {
        j->core->Step();
    } else if (!LOAD_SEQ(&v->events)) {
        j->core->Run();
    }
    STORE_SEQ(&v->running_jit, (A64Jit *)nullptr);
    if (!v->state_moved) {
        save_state(j);
    }
}

static void update_config(A64Jit *j)
{
    uint32_t config = sysreg_jit_config(j->callbacks.v, j->callbacks.mode);

    if (config != j->config) {
        j->config = config;
        forget(j);
    }
}

void jit_run(A64Jit *j)
{
    update_config(j);
    run(j, false);
}

void jit_step(A64Jit *j)
{
    update_config(j);
    j->stepping = true;
    j->next_fetch = 1;
    /* The block for one step is apart from all others and links to none. What was noted for this
     * page may be another one's code. */
    if (note_page(j, j->callbacks.v->pc)) {
        run(j, true);
    }
    j->next_fetch = 1;
    j->stepping = false;
}

bool jit_pages_valid(A64Jit *j)
{
    if (j->recheck[0] || j->recheck[1]) {
        recheck_pages(j);
    }
    while (!j->invalid.empty()) {
        uint64_t va = j->invalid.back();
        auto &pages = j->pages[va >> 55 & 1];
        auto it = pages.find(va);

        if (it != pages.end() && !same_page(j->callbacks.v, va, it->second)) {
            return false;
        }
        j->invalid.pop_back();
    }
    return true;
}

void jit_drop_invalid(A64Jit *j)
{
    for (uint64_t va : j->invalid) {
        if (j->pages[va >> 55 & 1].erase(va)) {
            j->core->InvalidateCacheRange(va, PAGE_OFFSET + 1);
        }
    }
    j->invalid.clear();
    j->fetch_page = NO_PAGE;
}

void jit_halt(A64Jit *j)
{
    j->core->HaltExecution(HaltReason::UserDefined1);
}

bool jit_promote(A64Jit *j, uint64_t pc)
{
    if (!j->stand_ins.erase(pc)) {
        return false;
    }
    j->core->InvalidateCacheRange(pc, 4);
    return true;
}

void jit_clear(A64Jit *j)
{
    forget(j);
}

void jit_recheck(A64Jit *j, bool low, bool high)
{
    j->recheck[0] |= low && !j->pages[0].empty();
    j->recheck[1] |= high && !j->pages[1].empty();
    j->fetch_page = NO_PAGE;
    if (j->core->IsExecuting() && (j->recheck[0] || j->recheck[1])) {
        j->core->HaltExecution(HaltReason::UserDefined1);
    }
}

void jit_recheck_page(A64Jit *j, uint64_t va)
{
    unsigned half = va >> 55 & 1;

    if (j->pages[half].count(PAGE_OF(va))) {
        jit_recheck(j, half == 0, half == 1);
    }
}

void jit_drop_gpa(A64Jit *j, uint64_t gpa)
{
    for (auto &pages : j->pages) {
        for (auto it = pages.begin(); it != pages.end();) {
            if (it->second == gpa) {
                j->core->InvalidateCacheRange(it->first, PAGE_OFFSET + 1);
                it = pages.erase(it);
            } else {
                ++it;
            }
        }
    }
    j->fetch_page = NO_PAGE;
}
