/* SPDX-License-Identifier: GPL-2.0-or-later
 * Memory segments: pages of the caller pinned and told to the hypervisor, one operation for each
 * page of whatever size backs it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "acrn-priv.h"

/* TRUE if every page of [start, end) is writable by its owner, and so could be pinned. */
static bool is_writable(uint64_t start, uint64_t end)
{
    g_autoptr(GArray) vmas = user_vmas();

    for (guint i = 0; vmas && i < vmas->len && start < end; i++) {
        const Vma *vma = &g_array_index(vmas, Vma, i);

        if (start >= vma->start && start < vma->end) {
            if (!(vma->prot & PROT_WRITE)) {
                return false;
            }
            start = vma->end;
        }
    }
    return start >= end;
}

bool hsm_page_writable(uint64_t addr)
{
    return addr + ACRN_PAGE > addr && is_writable(addr, addr + ACRN_PAGE);
}

/* Size of the pages that back addr: huge ones are told by smaps. */
static uint64_t page_size(const Hsm *hsm, uint64_t addr)
{
    FILE *smaps = hsm->knobs.page ? NULL : fopen("/proc/self/smaps", "re");
    uint64_t start, end, kib, size = hsm->knobs.page ? hsm->knobs.page : ACRN_PAGE;
    bool inside = false;
    char line[512];

    while (smaps && fgets(line, sizeof(line), smaps)) {
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
            inside = addr >= start && addr < end;
        } else if (inside && sscanf(line, "KernelPageSize: %" SCNu64 " kB", &kib) == 1) {
            size = kib << 10;
            break;
        }
    }
    if (smaps) {
        fclose(smaps);
    }
    return size;
}

static long tell(Hsm *hsm, struct vm_memory_region_op *ops, unsigned n)
{
    struct vm_memory_region_batch batch = { .vmid = hsm->vmid,
                                            .regions_num = n,
                                            .regions_gpa = (uintptr_t)ops };

    return hv_call(ACRN_HC_VM_SET_MEMORY_REGIONS, (uintptr_t)&batch, 0);
}

static long add_ram(Hsm *hsm, const struct acrn_vm_memmap *map)
{
    uint64_t len = map->len & ~(uint64_t)(ACRN_PAGE - 1);
    g_autofree struct vm_memory_region_op *ops = NULL;
    uint64_t page, n;
    long ret;

    if (!len || map->vma_base + len < map->vma_base) {
        return -EINVAL;
    }
    if (hsm->n_segments == ACRN_MAX_SEGMENTS) {
        return -ENOMEM;
    }
    if (!is_writable(map->vma_base, map->vma_base + len)) {
        return -EFAULT;
    }
    page = page_size(hsm, map->vma_base);
    n = (len + page - 1) / page;
    if (n > ACRN_MAX_OPS) {
        return -ENOMEM;
    }
    ops = g_new0(struct vm_memory_region_op, n);
    for (uint64_t i = 0; i < n; i++) {
        ops[i] = (struct vm_memory_region_op){
            .type = ACRN_MEM_REGION_ADD,
            .attr = (map->attr & ACRN_MEM_ACCESS_RIGHT_MASK) | ACRN_MEM_TYPE_WB,
            .user_vm_pa = map->user_vm_pa + i * page,
            .service_vm_pa = map->vma_base + i * page,
            .size = MIN(page, len - i * page),
        };
    }
    ret = tell(hsm, ops, (unsigned)n);
    hsm->n_segments += ret == 0;
    return ret;
}

/* The Service VM of the model has no devices: there is no physical address to map. */
static long map_device(Hsm *hsm, const struct acrn_vm_memmap *map, const char *verb)
{
    acrn_log("hsm: vm %u: cannot %s 0x%" PRIx64 ": no such device memory", hsm->vmid, verb,
             (uint64_t)map->service_vm_pa);
    return -EINVAL;
}

long hsm_set_segment(Hsm *hsm, uintptr_t arg)
{
    struct acrn_vm_memmap map;

    if (user_copy_from(&map, arg, sizeof(map)) < 0) {
        return -EFAULT;
    }
    return map.type == ACRN_MEMMAP_RAM ? add_ram(hsm, &map) : map_device(hsm, &map, "map");
}

long hsm_unset_segment(Hsm *hsm, uintptr_t arg)
{
    struct acrn_vm_memmap map;

    if (user_copy_from(&map, arg, sizeof(map)) < 0) {
        return -EFAULT;
    }
    return map.type == ACRN_MEMMAP_RAM ? -EINVAL : map_device(hsm, &map, "unmap");
}
