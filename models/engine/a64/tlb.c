/* SPDX-License-Identifier: GPL-2.0-or-later
 * The soft TLB of one vCPU: what stage 1 and the RAM map say of a page, as a host address. Only
 * pages on which every access may go straight to RAM are entered; all others take the slow path
 * each time. Entries carry no ASID: with another TTBR0 or ASID those of the lower range go.
 */
#include "mem.h"

#include <string.h>

static void clear(TlbEntry *e)
{
    e->read = e->write = e->exec = TLB_NONE;
}

static unsigned block_hash(uint64_t va)
{
    uint64_t n = va >> 21;

    return (unsigned)(n ^ n >> 8) & 255;
}

void tlb_fill(A64Vcpu *v, uint64_t va, unsigned view, A64Access access, const Translation *t,
              const A64Region *r)
{
    TlbEntry *e = &v->tlb[view][tlb_index(va)];
    uint64_t page = PAGE_OF(va);
    uint64_t addend = (uint64_t)(uintptr_t)r->host + (PAGE_OF(t->gpa) - r->gpa) - page;
    bool aligned_only = t->device || v->sys.sctlr & 2;

    if (e->addend != addend || (e->read != page && e->exec != page)) {
        e->read = e->write = e->exec = TLB_NONE;
        e->addend = addend;
    }
    v->upper_by_asid |= t->by_asid && va >> 55 & 1;
    if (t->level < 3) {
        v->tlb_blocks[block_hash(va)] = 1;
        v->tlb_huge |= t->level < 2;
    }
    if (access == ACCESS_EXEC) {
        e->exec = page;
        return;
    }
    if (aligned_only) { /* SCTLR_EL1.A and Device memory want their checks */
        return;
    }
    if (r->flags & ENGINE_MAP_READ) {
        e->read = page;
    }
    if (access == ACCESS_WRITE) {
        e->write = page;
    }
}

void tlb_flush_all(A64Vcpu *v)
{
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        clear(&v->tlb[0][i]);
        clear(&v->tlb[1][i]);
    }
    memset(v->tlb_blocks, 0, sizeof(v->tlb_blocks));
    v->tlb_huge = false;
}

void tlb_flush_low(A64Vcpu *v)
{
    for (unsigned view = 0; view < 2; view++) {
        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
            TlbEntry *e = &v->tlb[view][i];

            /* Bit 55 chooses the range; TLB_NONE has it clear as well. */
            if (!((e->read & e->write & e->exec) >> 55 & 1)) {
                e->read = e->read >> 55 & 1 ? e->read : TLB_NONE;
                e->write = e->write >> 55 & 1 ? e->write : TLB_NONE;
                e->exec = e->exec >> 55 & 1 ? e->exec : TLB_NONE;
            }
        }
    }
}

void tlb_flush_page(A64Vcpu *v, uint64_t va)
{
    uint64_t page = PAGE_OF(va) << 8;

    if (v->tlb_huge || v->tlb_blocks[block_hash(va << 8 >> 8)] ||
        v->tlb_blocks[block_hash(va | UINT64_C(0xff) << 56)]) {
        tlb_flush_all(v);
        return;
    }
    for (unsigned view = 0; view < 2; view++) {
        TlbEntry *e = &v->tlb[view][tlb_index(va)];

        /* The top byte may be a tag (TBI): any tag's entry goes. */
        if (e->read << 8 == page || e->write << 8 == page || e->exec << 8 == page) {
            clear(e);
        }
    }
}
