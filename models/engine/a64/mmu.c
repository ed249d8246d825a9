/* SPDX-License-Identifier: GPL-2.0-or-later
 * Stage 1 of the EL1&0 regime: the 4 KiB granule, 48-bit addresses, without hardware update of
 * access flags (DDI 0487, D8). And what stands for stage 2: the look-up in the RAM map.
 * No caching here (tlb.c).
 */
#include "mem.h"

enum {
    FSC_ADDRESS_SIZE = 0x00, /* + level */
    FSC_TRANSLATION = 0x04,
    FSC_ACCESS_FLAG = 0x08,
    FSC_PERMISSION = 0x0c,
    FSC_WALK_EXTERNAL = 0x14,
};

#define DESC_ADDRESS UINT64_C(0x0000fffffffff000)

/* Hierarchical bits gathered on the way down; a leaf has the same ones elsewhere. */
typedef struct {
    bool no_el0, read_only, uxn, pxn;
} TableLimits;

const A64Region *map_find(A64Vm *vm, uint64_t gpa)
{
    const A64Map *map = LOAD_ACQUIRE(&vm->map);
    unsigned low = 0, high = map->n;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        const A64Region *r = &map->r[middle];

        if (gpa < r->gpa) {
            high = middle;
        } else if (gpa - r->gpa >= r->size) {
            low = middle + 1;
        } else {
            return r;
        }
    }
    return NULL;
}

static bool fail(Translation *t, unsigned fsc, unsigned level)
{
    t->fsc = (uint8_t)(fsc + level);
    return false;
}

static uint64_t output_limit(const A64Vcpu *v)
{
    static const uint8_t bits[8] = { 32, 36, 40, 42, 44, 48, 48, 48 };
    unsigned ips = bits[v->sys.tcr >> 32 & 7];

    return UINT64_C(1) << (ips < A64_PA_BITS ? ips : A64_PA_BITS);
}

static bool leaf_allows(A64Vcpu *v, uint64_t desc, const TableLimits *limits, unsigned view,
                        A64Access access, Translation *t)
{
    bool read_only = (desc >> 7 & 1) || limits->read_only;
    bool el0 = (desc >> 6 & 1) && !limits->no_el0;
    bool wxn = v->sys.sctlr >> 19 & 1;
    bool never_exec;

    t->writable = !read_only && (view == 1 || el0);
    if (view == 0) {
        never_exec = (desc >> 54 & 1) || limits->uxn || (wxn && t->writable);
    } else {
        /* What EL0 can write, EL1 does not execute (D8.4.1.2.3). */
        never_exec = (desc >> 53 & 1) || limits->pxn || (el0 && !read_only) || (wxn && !read_only);
    }
    switch (access) {
    case ACCESS_READ:
        return view == 1 || el0;
    case ACCESS_WRITE:
        return t->writable;
    default:
        return !never_exec;
    }
}

static bool translate_flat(A64Vcpu *v, uint64_t va, A64Access access, Translation *t)
{
    if (va >> A64_PA_BITS) {
        return fail(t, FSC_ADDRESS_SIZE, 0);
    }
    *t = (Translation){ .gpa = va, .level = 3, .writable = true, .device = access != ACCESS_EXEC };
    return true;
}

bool mmu_translate(A64Vcpu *v, uint64_t va, unsigned view, A64Access access, Translation *t)
{
    uint64_t tcr = v->sys.tcr, limit, table, address;
    bool upper = va >> 55 & 1;
    unsigned size_offset = upper ? tcr >> 16 & 63 : tcr & 63;
    unsigned va_bits, level, shift;
    TableLimits limits = { false, false, false, false };

    if (tcr >> (upper ? 38 : 37) & 1) { /* TBI: the top byte does not take part */
        va = upper ? va | UINT64_C(0xff) << 56 : va & ~(UINT64_C(0xff) << 56);
    }
    if (!(v->sys.sctlr & 1)) {
        return translate_flat(v, va, access, t);
    }
    if (size_offset > 39) {
        return fail(t, FSC_TRANSLATION, 0);
    }
    va_bits = 64 - (size_offset < 16 ? 16 : size_offset);
    if (va >> va_bits != (upper ? UINT64_MAX >> va_bits : 0) || (tcr >> (upper ? 23 : 7) & 1) ||
        (view == 0 && tcr >> (upper ? 56 : 55) & 1)) { /* EPDn, E0PDn */
        return fail(t, FSC_TRANSLATION, 0);
    }

    limit = output_limit(v);
    level = va_bits > 39 ? 0 : va_bits > 30 ? 1 : 2;
    table = v->sys.ttbr[upper] & UINT64_C(0x0000fffffffffffe);
    address = va & (UINT64_MAX >> (64 - va_bits));
    if (table >= limit) {
        return fail(t, FSC_ADDRESS_SIZE, 0);
    }
    for (;; level++) {
        uint64_t slot, desc;
        const A64Region *r;

        shift = 39 - 9 * level;
        slot = table + (address >> shift) * 8;
        address &= (UINT64_C(1) << shift) - 1;
        r = map_find(v->vm, slot);
        if (!r) {
            return fail(t, FSC_WALK_EXTERNAL, level);
        }
        desc = host_load((uint64_t)(uintptr_t)r->host + (slot - r->gpa), 8);
        if (!(desc & 1) || (!(desc & 2) && (level == 0 || level == 3))) {
            return fail(t, FSC_TRANSLATION, level);
        }
        if ((desc & DESC_ADDRESS) >= limit) {
            return fail(t, FSC_ADDRESS_SIZE, level);
        }
        if (level == 3 || !(desc & 2)) {
            uint64_t span = (UINT64_C(1) << shift) - 1;

            if (!(desc >> 10 & 1)) {
                return fail(t, FSC_ACCESS_FLAG, level);
            }
            t->gpa = (desc & DESC_ADDRESS & ~span) | address;
            t->level = (uint8_t)level;
            t->attr = (uint8_t)(v->sys.mair >> (desc >> 2 & 7) * 8);
            t->device = !(t->attr & 0xf0);
            t->by_asid = desc >> 11 & 1;
            if (!leaf_allows(v, desc, &limits, view, access, t)) {
                return fail(t, FSC_PERMISSION, level);
            }
            return true;
        }
        table = desc & DESC_ADDRESS;
        limits.read_only |= desc >> 62 & 1;
        limits.no_el0 |= desc >> 61 & 1;
        limits.uxn |= desc >> 60 & 1;
        limits.pxn |= desc >> 59 & 1;
    }
}

void mmu_address_translate(A64Vcpu *v, uint64_t va, unsigned view, bool write)
{
    Translation t;

    if (mmu_translate(v, va, view, write ? ACCESS_WRITE : ACCESS_READ, &t)) {
        unsigned attr = v->sys.sctlr & 1 ? t.attr : 0;

        /* PAR_EL1: ATTR, bit 11 RES1, SH: inner shareable for Normal, outer for Device. */
        v->sys.par = (uint64_t)attr << 56 | PAGE_OF(t.gpa) | 1 << 11 | (t.device ? 2 : 3) << 7;
    } else {
        v->sys.par = (uint64_t)t.fsc << 1 | 1 << 11 | 1;
    }
}
