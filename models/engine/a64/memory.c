/* SPDX-License-Identifier: GPL-2.0-or-later
 * Guest loads and stores that miss the soft TLB: translation, faults, alignment, accesses across
 * two pages, and accesses that are not to RAM (reported as FAULT_DEVICE; device.c does them).
 */
#include "mem.h"

#include <string.h>

enum { FSC_EXTERNAL = 0x10, FSC_ALIGNMENT = 0x21, FSC_ATOMIC = 0x35 };

static bool abort_at(A64Vcpu *v, uint64_t va, uint8_t fsc, bool write)
{
    v->fault = (A64Fault){ FAULT_ABORT, fsc, write, false, va, 0 };
    return false;
}

/* Host address of va for an access of size bytes that stays within its page, or 0. */
static uint64_t resolve(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, A64Access access)
{
    bool write = access == ACCESS_WRITE;
    const A64Region *r;
    Translation t;

    if (!mmu_translate(v, va, view, access, &t)) {
        abort_at(v, va, t.fsc, write);
        return 0;
    }
    if (va & (size - 1) && (t.device || v->sys.sctlr & 2)) {
        abort_at(v, va, FSC_ALIGNMENT, write);
        return 0;
    }
    r = map_find(v->vm, t.gpa);
    if (!r) {
        if (va & (size - 1)) {
            abort_at(v, va, FSC_ALIGNMENT, write);
        } else {
            v->fault = (A64Fault){ FAULT_DEVICE, 0, write, false, va, t.gpa };
        }
        return 0;
    }
    if (!(r->flags & (write ? ENGINE_MAP_WRITE : ENGINE_MAP_READ))) {
        abort_at(v, va, FSC_EXTERNAL, write);
        return 0;
    }
    tlb_fill(v, va, view, access, &t, r);
    return (uint64_t)(uintptr_t)r->host + (t.gpa - r->gpa);
}

static bool crosses_page(uint64_t va, unsigned size)
{
    return (va & PAGE_OFFSET) + size > PAGE_OFFSET + 1;
}

/* Both pages are asked before the first byte moves, so that a fault leaves nothing half done. The
 * parts are found by alignment: with it demanded, an access across pages is a fault already. */
static bool resolve_both(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, A64Access access,
                         uint64_t host[2])
{
    uint64_t second = PAGE_OF(va) + PAGE_OFFSET + 1;
    bool write = access == ACCESS_WRITE;
    Translation t;

    if (v->sys.sctlr & 2) {
        return abort_at(v, va, FSC_ALIGNMENT, write);
    }
    host[0] = resolve(v, view, va, 1, access);
    if (!host[0]) {
        if (v->fault.kind == FAULT_DEVICE) {
            abort_at(v, va, FSC_ALIGNMENT, write);
        }
        return false;
    }
    host[1] = resolve(v, view, second, 1, access);
    if (!host[1]) {
        if (v->fault.kind == FAULT_DEVICE) {
            abort_at(v, va, FSC_ALIGNMENT, write);
        }
        return false;
    }
    if ((mmu_translate(v, va, view, access, &t) && t.device) ||
        (mmu_translate(v, second, view, access, &t) && t.device)) {
        return abort_at(v, va, FSC_ALIGNMENT, write);
    }
    return true;
}

bool mem_load_slow(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, uint64_t *value)
{
    uint64_t host[2], result = 0;
    unsigned first;

    if (!crosses_page(va, size)) {
        host[0] = resolve(v, view, va, size, ACCESS_READ);
        if (!host[0]) {
            *value = 0;
            return false;
        }
        *value = host_load(host[0], size);
        return true;
    }
    *value = 0;
    if (!resolve_both(v, view, va, size, ACCESS_READ, host)) {
        return false;
    }
    first = (unsigned)(PAGE_OFFSET + 1 - (va & PAGE_OFFSET));
    for (unsigned i = 0; i < size; i++) {
        uint64_t byte = host_load(i < first ? host[0] + i : host[1] + (i - first), 1);

        result |= byte << 8 * i;
    }
    *value = result;
    return true;
}

bool mem_store_slow(A64Vcpu *v, unsigned view, uint64_t va, unsigned size, uint64_t value)
{
    uint64_t host[2];
    unsigned first;

    if (!crosses_page(va, size)) {
        host[0] = resolve(v, view, va, size, ACCESS_WRITE);
        if (!host[0]) {
            return false;
        }
        host_store(host[0], size, value);
        return true;
    }
    if (!resolve_both(v, view, va, size, ACCESS_WRITE, host)) {
        return false;
    }
    first = (unsigned)(PAGE_OFFSET + 1 - (va & PAGE_OFFSET));
    for (unsigned i = 0; i < size; i++) {
        host_store(i < first ? host[0] + i : host[1] + (i - first), 1, value >> 8 * i & 0xff);
    }
    return true;
}

void *mem_exclusive(A64Vcpu *v, uint64_t va, unsigned size, A64Access access)
{
    bool write = access == ACCESS_WRITE;
    const TlbEntry *e = &v->tlb[v->el][tlb_index(va)];
    uint64_t host;

    if (LIKELY(!(va & (size - 1)) && (write ? e->write : e->read) == PAGE_OF(va))) {
        return (void *)(uintptr_t)(va + e->addend);
    }
    if (va & (size - 1)) {
        abort_at(v, va, FSC_ALIGNMENT, write);
        return NULL;
    }
    host = resolve(v, v->el, va, size, access);
    if (!host && v->fault.kind == FAULT_DEVICE) {
        /* No monitor outside RAM: "unsupported exclusive" (ESR_ELx, ISS for a data abort). */
        abort_at(v, va, FSC_ATOMIC, write);
    }
    return (void *)(uintptr_t)host;
}

const uint8_t *mem_exec_page(A64Vcpu *v, uint64_t va, uint8_t *fsc)
{
    const A64Region *r;
    Translation t;

    if (!mmu_translate(v, va, v->el, ACCESS_EXEC, &t)) {
        *fsc = t.fsc;
        return NULL;
    }
    r = map_find(v->vm, t.gpa);
    if (!r || !(r->flags & ENGINE_MAP_EXEC)) {
        *fsc = FSC_EXTERNAL;
        return NULL;
    }
    tlb_fill(v, va, v->el, ACCESS_EXEC, &t, r);
    return r->host + (PAGE_OF(t.gpa) - r->gpa);
}

bool mem_zero_line(A64Vcpu *v, uint64_t va)
{
    const TlbEntry *e;

    va &= ~UINT64_C(63);
    e = &v->tlb[v->el][tlb_index(va)];
    if (LIKELY(e->write == PAGE_OF(va))) {
        uint64_t host = va + e->addend;

        for (unsigned i = 0; i < 64; i += 8) {
            host_store(host + i, 8, 0);
        }
        return true;
    }
    for (unsigned i = 0; i < 64; i += 8) {
        if (!mem_store(v, v->el, va + i, 8, 0)) {
            if (v->fault.kind == FAULT_DEVICE) {
                abort_at(v, va, FSC_ALIGNMENT, true); /* DC ZVA on Device memory */
            }
            return false;
        }
    }
    return true;
}
