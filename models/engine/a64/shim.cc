/* SPDX-License-Identifier: GPL-2.0-or-later
 * The bridge to dynarmic: one JIT per guest mode and vCPU, created when first needed; the passage
 * of state; and the book of which pages its translations come from.
 *
 * Dynarmic's cache is keyed by virtual address alone. So each JIT notes the physical page behind
 * each page it has translated from, and before it runs after anything that may have changed a
 * translation (TTBR, TLBI), asks for those pages again: what is not mapped executable to the same
 * page any more is dropped. What a page holds may change only with IC, as the architecture has it.
 *
 * The block's heat decides at fetch whether it is translated: a cold one becomes a stand-in
 * that calls the interpreter.
 */
#include "shim.h"

#include "mem.h"

#include <algorithm>
#include <cstring>
#include <new>

/* Makes dynarmic set up its lock while this module is loaded, so that what ends at exit() is
 * registered before wait_at_exit() in jit-load.c. */
static Dynarmic::ExclusiveMonitor first_monitor(1);

using namespace Dynarmic;

enum { KERNEL_CACHE = 64 << 20, USER_CACHE = 48 << 20 };

namespace a64
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

} // namespace a64

using namespace a64;

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

const A64JitOps a64_jit_ops = {
    .new_jit = jit_new,
    .free_jit = jit_free,
    .run = jit_run,
    .step = jit_step,
    .halt = jit_halt,
    .flush_vectors = jit_flush_vectors,
    .promote = jit_promote,
    .clear = jit_clear,
    .recheck = jit_recheck,
    .recheck_page = jit_recheck_page,
    .pages_valid = jit_pages_valid,
    .drop_invalid = jit_drop_invalid,
    .drop_gpa = jit_drop_gpa,
};
