/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the two C++ files share: dynarmic's callbacks for one JIT (callbacks.cc), and the JIT with
 * the book of what it has translated (shim.cc).
 */
#pragma once

#include "a64.h"
#include "pcset.h"

#include <dynarmic/interface/A64/a64.h>
#include <dynarmic/interface/exclusive_monitor.h>

#include <memory>
#include <unordered_map>
#include <vector>

namespace a64
{

using namespace Dynarmic;

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

} // namespace a64

struct A64Jit {
    a64::Callbacks callbacks;
    Dynarmic::ExclusiveMonitor monitor{ 1 };
    std::unique_ptr<Dynarmic::A64::Jit> core;
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

namespace a64
{

/* Registers, SP, PC and NZCV between v and the JIT's copy. */
void load_state(A64Jit *j);
void save_state(A64Jit *j);
/* The vCPU's state is in v and stays there: the JIT returns at once. */
void leave(A64Jit *j);
/* Brings ERETs executed elsewhere to the JIT's local monitor. */
void clear_monitor(A64Jit *j);
/* Makes j's copy of the vector state the current one. */
void take_vectors(A64Jit *j);
/* Notes that code at va comes from gpa, and returns the page's host address; 0: not executable. */
uint64_t note_page(A64Jit *j, uint64_t va);

} // namespace a64
