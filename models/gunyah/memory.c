/* SPDX-License-Identifier: GPL-2.0-or-later
 * Guest memory as the driver registers it: the checks of the two region calls in the kernel's
 * order, the pin (all pages there, with the right protection, within the memlock limit), and a
 * mapping of the model's own that outlives the caller's. Taking lent pages away: lend.c. Where a
 * parcel lies in the guest: rm-place.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "gunyah-priv.h"

#define REGION_FLAGS (GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC)

static pthread_mutex_t charge_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t charged_total;

static bool page_aligned(uint64_t value)
{
    return value % (uint64_t)sysconf(_SC_PAGESIZE) == 0;
}

static bool overlaps(const Mapping *m, uint64_t gpa, uint64_t size)
{
    return gpa < m->gpa + m->size && m->gpa < gpa + size;
}

Mapping *mem_find(GhVm *vm, uint64_t gpa, uint64_t size)
{
    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        if (gpa >= m->gpa && size <= m->size && gpa - m->gpa <= m->size - size) {
            return m;
        }
    }
    return NULL;
}

/* android14 keeps one label space; overlap is refused everywhere. */
static int check_collisions(GhVm *vm, uint32_t label, uint64_t gpa, uint64_t size)
{
    for (GList *l = vm->mappings; l; l = l->next) {
        const Mapping *m = l->data;

        if (vm->knobs.rev == REV_ANDROID14 && m->label == label) {
            return -EEXIST;
        }
    }
    for (GList *l = vm->mappings; l; l = l->next) {
        if (overlaps(l->data, gpa, size)) {
            return -EEXIST;
        }
    }
    return 0;
}

bool mem_charge(GhVm *vm, Mapping *m)
{
    bool ok;

    pthread_mutex_lock(&charge_lock);
    ok = m->size <= vm->knobs.memlock && charged_total <= vm->knobs.memlock - m->size;
    if (ok) {
        m->charged = m->size;
        charged_total += m->size;
    }
    pthread_mutex_unlock(&charge_lock);
    return ok;
}

/* The mappings behind [hva, hva + size), clipped; NULL if a page cannot be pinned. */
static GArray *pin(uint64_t hva, uint64_t size, bool writable)
{
    g_autoptr(GArray) vmas = user_vmas();
    g_autoptr(GArray) found = g_array_new(FALSE, TRUE, sizeof(Vma));
    const int need = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    uint64_t at = hva;

    for (guint i = 0; vmas && i < vmas->len && at < hva + size; i++) {
        Vma vma = g_array_index(vmas, Vma, i);
        uint8_t byte;

        if (vma.end <= at) {
            continue;
        }
        if (vma.start > at || (vma.prot & need) != need) {
            return NULL;
        }
        vma.offset += at - vma.start;
        vma.start = at;
        vma.end = MIN(vma.end, hva + size);
        /* A file may end before its mapping does, and then its last page is not there. */
        if (vma.ino && user_copy_from(&byte, vma.end - 1, 1) < 0) {
            return NULL;
        }
        g_array_append_val(found, vma);
        at = vma.end;
    }
    return at == hva + size ? g_steal_pointer(&found) : NULL;
}

/* Shared pages get a second mapping, so that what the caller does to its own does not matter, as
 * with pinned pages. Private pages can only be used where they are. */
static int make_view(Mapping *m)
{
    uint8_t *view;

    m->view = (uint8_t *)(uintptr_t)m->hva;
    for (guint i = 0; i < m->vmas->len; i++) {
        if (!g_array_index(m->vmas, Vma, i).shared) {
            return 0;
        }
    }
    view = mmap(NULL, m->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (view == MAP_FAILED) {
        return -ENOMEM;
    }
    for (guint i = 0; i < m->vmas->len; i++) {
        const Vma *vma = &g_array_index(m->vmas, Vma, i);

        if (mremap((void *)(uintptr_t)vma->start, 0, vma->end - vma->start,
                   MREMAP_MAYMOVE | MREMAP_FIXED, view + (vma->start - m->hva)) == MAP_FAILED) {
            munmap(view, m->size);
            return errno == EINVAL ? 0 : -ENOMEM; /* huge pages: stay in place */
        }
    }
    m->view = view;
    m->own_view = true;
    lend_register_view(view, m->size);
    return 0;
}

static int pin_mapping(GhVm *vm, Mapping *m)
{
    if (vm->knobs.pin_errno) {
        return -vm->knobs.pin_errno;
    }
    m->vmas = pin(m->hva, m->size, m->flags & GH_MEM_ALLOW_WRITE);
    return m->vmas ? make_view(m) : -EFAULT;
}

/* android15 looks at nothing before a page is touched, and then takes anonymous memory and tmpfs
 * only. Here it is looked at once: a page that comes or goes later is not seen. */
static int look_at_mapping(GhVm *vm, Mapping *m)
{
    int ret = pin_mapping(vm, m);

    if (ret < 0) {
        m->absent = -ret;
        m->view = NULL;
    }
    for (guint i = 0; ret == 0 && i < m->vmas->len; i++) {
        if (!g_array_index(m->vmas, Vma, i).swap_backed) {
            m->absent = EIO;
        }
    }
    return 0;
}

bool mem_shared_without_exec(const GhVm *vm, const Mapping *m)
{
    return vm->knobs.rev == REV_ANDROID15 && !m->lend && !vm->knobs.share_exec;
}

/* With mm_lock. Newer kernels give a region to a running VM at once, android14 never does. */
static void insert(GhVm *vm, Mapping *m)
{
    vm->mappings = g_list_prepend(vm->mappings, m);
    if (vm->knobs.rev != REV_ANDROID14 && g_atomic_int_get(&vm->status) == VM_RUNNING) {
        if (vm->knobs.rev == REV_V17 && m->lend && mem_is_mapped(m)) {
            m->absent = EPERM;
        }
        if (m->absent) {
            vm->absent = m->absent;
        }
        if (m->lend && m->view && m->absent != EPERM && mem_take(m) < 0) {
            model_log("cannot lend parcel %u", m->label);
            return;
        }
        m->given = true;
        m->no_exec = mem_shared_without_exec(vm, m);
        m->ipa = m->gpa;
        m->placed = true;
        mem_map_engine(vm, m);
    }
}

int mem_add(GhVm *vm, const struct gh_userspace_memory_region *region, bool lend)
{
    Mapping *m;
    int ret;

    if (region->flags & ~REGION_FLAGS) {
        return -EINVAL;
    }
    if (!region->memory_size || !page_aligned(region->memory_size) ||
        !page_aligned(region->userspace_addr) || !page_aligned(region->guest_phys_addr)) {
        return -EINVAL;
    }
    if (region->guest_phys_addr + region->memory_size < region->guest_phys_addr) {
        return -EOVERFLOW;
    }
    if (region->userspace_addr + region->memory_size < region->userspace_addr &&
        vm->knobs.rev == REV_ANDROID14) {
        return -EFAULT;
    }
    pthread_mutex_lock(&vm->mm_lock);
    ret = check_collisions(vm, region->label, region->guest_phys_addr, region->memory_size);
    if (ret < 0) {
        pthread_mutex_unlock(&vm->mm_lock);
        return ret;
    }
    m = g_new0(Mapping, 1);
    m->label = region->label;
    m->flags = region->flags;
    m->gpa = region->guest_phys_addr;
    m->size = region->memory_size;
    m->hva = region->userspace_addr;
    m->lend = lend;
    if (vm->knobs.rev == REV_ANDROID15) { /* which charges when a page is touched, too: rm.c */
        ret = look_at_mapping(vm, m);
    } else {
        ret = mem_charge(vm, m) ? pin_mapping(vm, m) : -ENOMEM;
    }
    if (ret < 0) {
        mem_free(m);
    } else {
        insert(vm, m);
    }
    pthread_mutex_unlock(&vm->mm_lock);
    return ret;
}

static bool same_file(const Mapping *m, const struct stat *st)
{
    const Vma *vma = m->vmas && m->vmas->len ? &g_array_index(m->vmas, Vma, 0) : NULL;

    return vma && vma->ino == st->st_ino;
}

int mem_add_file(GhVm *vm, const struct gh_map_mem_args *args, int fd)
{
    const int prot = PROT_READ | PROT_WRITE;
    uint8_t *view = mmap(NULL, args->size, prot, MAP_SHARED, fd, (off_t)args->offset);
    Vma vma = { .end = args->size, .offset = args->offset, .prot = prot, .shared = true };
    struct stat st;
    Mapping *m;
    int ret;

    if (view == MAP_FAILED || fstat(fd, &st) < 0) {
        return -ENOMEM;
    }
    vma.dev = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev);
    vma.ino = st.st_ino;
    m = g_new0(Mapping, 1);
    m->flags = args->flags >> 4 & REGION_FLAGS;
    m->gpa = args->guest_addr;
    m->size = args->size;
    m->lend = (args->flags & GH_MAP_ACCESS_MASK) == GH_MAP_FORCE_LEND;
    m->offset = args->offset;
    m->map_flags = args->flags;
    m->vmas = g_array_new(FALSE, TRUE, sizeof(Vma));
    g_array_append_val(m->vmas, vma);
    m->view = view;
    m->own_view = true;
    lend_register_view(view, m->size);
    pthread_mutex_lock(&vm->mm_lock);
    ret = check_collisions(vm, 0, m->gpa, m->size);
    for (GList *l = vm->mappings; l && ret == 0 && vm->knobs.rev == REV_V17; l = l->next) {
        const Mapping *other = l->data;

        if (same_file(other, &st) && m->offset < other->offset + other->size &&
            other->offset < m->offset + m->size) {
            ret = -EEXIST; /* a page is in one place of the guest */
        }
    }
    if (ret < 0) {
        mem_free(m);
    } else {
        insert(vm, m);
    }
    pthread_mutex_unlock(&vm->mm_lock);
    return ret;
}

/* With mm_lock: the one mapping of that file, with those flags, that has the whole range there. */
static GList *find_mapped(GhVm *vm, const struct gh_map_mem_args *args, const struct stat *st)
{
    for (GList *l = vm->mappings; l; l = l->next) {
        const Mapping *m = l->data;

        if (same_file(m, st) && m->map_flags == args->flags && m->gpa <= args->guest_addr &&
            args->guest_addr - m->gpa <= m->size &&
            args->size <= m->size - (args->guest_addr - m->gpa) &&
            args->offset == m->offset + (args->guest_addr - m->gpa)) {
            return l;
        }
    }
    return NULL;
}

int mem_trim_file(GhVm *vm, const struct gh_map_mem_args *args, int fd)
{
    struct gh_map_mem_args rest = *args;
    uint64_t before, after;
    struct stat st;
    GList *link;
    Mapping *m;

    if (fstat(fd, &st) < 0) {
        return -EINVAL;
    }
    pthread_mutex_lock(&vm->mm_lock);
    link = find_mapped(vm, args, &st);
    if (!link) {
        pthread_mutex_unlock(&vm->mm_lock);
        return -ENOENT;
    }
    m = link->data;
    before = args->guest_addr - m->gpa;
    after = m->size - before - args->size;
    if (before && after) {
        pthread_mutex_unlock(&vm->mm_lock);
        return -EINVAL; /* two would be left */
    }
    rest.guest_addr = before ? m->gpa : args->guest_addr + args->size;
    rest.offset = before ? m->offset : args->offset + args->size;
    rest.size = before + after;
    mem_unmap_engine(vm, m);
    vm->mappings = g_list_delete_link(vm->mappings, link);
    mem_give_back(m);
    mem_free(m);
    pthread_mutex_unlock(&vm->mm_lock);
    return rest.size ? mem_add_file(vm, &rest, fd) : 0;
}

int mem_unmap_file(GhVm *vm, const struct gh_map_mem_args *args)
{
    int ret = -ENOENT;

    pthread_mutex_lock(&vm->mm_lock);
    for (GList *l = vm->mappings; l && ret; l = l->next) {
        Mapping *m = l->data;

        if (m->gpa == args->guest_addr && m->size == args->size && m->offset == args->offset) {
            mem_unmap_engine(vm, m);
            vm->mappings = g_list_delete_link(vm->mappings, l);
            mem_give_back(m);
            mem_free(m);
            ret = 0;
            break;
        }
    }
    pthread_mutex_unlock(&vm->mm_lock);
    return ret;
}

/* A lent page that a running guest may hold cannot be had back; everything else is ours already,
 * or is given back here. */
int mem_reclaim_range(GhVm *vm, const struct gh_address_range *range)
{
    const uint64_t end = range->guest_phys_addr + range->size;
    int ret = 0;

    if (!page_aligned(range->guest_phys_addr) || !page_aligned(range->size)) {
        return -EINVAL;
    }
    if (end <= range->guest_phys_addr) {
        return 0; /* the driver finds no page in it */
    }
    pthread_mutex_lock(&vm->mm_lock);
    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        if (!m->given || !m->lend || !overlaps(m, range->guest_phys_addr, range->size)) {
            continue;
        }
        if (g_atomic_int_get(&vm->status) == VM_RUNNING) {
            ret = -EBUSY;
        } else if (m->gpa >= range->guest_phys_addr && m->gpa + m->size <= end) {
            mem_unmap_engine(vm, m);
            mem_give_back(m);
        }
    }
    pthread_mutex_unlock(&vm->mm_lock);
    return ret;
}

int mem_map_engine(GhVm *vm, Mapping *m)
{
    g_autoptr(GError) error = NULL;
    unsigned flags = (m->flags & GH_MEM_ALLOW_READ ? ENGINE_MAP_READ : 0) |
                     (m->flags & GH_MEM_ALLOW_WRITE ? ENGINE_MAP_WRITE : 0) |
                     (m->flags & GH_MEM_ALLOW_EXEC && !m->no_exec ? ENGINE_MAP_EXEC : 0);

    if (!m->view) {
        return 0;
    }
    if (!vm->ops->vm_map(vm->engine, m->ipa, m->size, m->view, flags, &error)) {
        model_log("cannot map parcel %u: %s", m->label, error->message);
        return -ENOMEM;
    }
    m->mapped = true;
    return 0;
}

void mem_unmap_engine(GhVm *vm, Mapping *m)
{
    if (m->mapped) {
        vm->ops->vm_unmap(vm->engine, m->ipa, m->size, NULL);
        m->mapped = false;
    }
}

void mem_free(Mapping *m)
{
    if (m->own_view) {
        lend_forget_view(m->view);
        munmap(m->view, m->size);
    }
    pthread_mutex_lock(&charge_lock);
    charged_total -= m->charged;
    pthread_mutex_unlock(&charge_lock);
    g_clear_pointer(&m->vmas, g_array_unref);
    g_clear_pointer(&m->taken, g_array_unref);
    g_free(m);
}
