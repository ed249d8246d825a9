/* SPDX-License-Identifier: GPL-2.0-or-later
 * Lent memory: at START the caller loses its pages. Every mapping this process has of them is
 * replaced by one of an empty file, which faults with SIGBUS as a touch of lent memory does, and
 * put back when the resource manager has reclaimed the parcel. Reads and writes of the backing
 * file itself (pread) are beyond a userspace model.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gunyah-priv.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* views, empty_file */
static GArray *views; /* of Vma: the model's own mappings, never taken away */
static int empty_file = -1;
static ino_t empty_ino;

void lend_register_view(const uint8_t *view, uint64_t size)
{
    Vma range = { .start = (uintptr_t)view, .end = (uintptr_t)view + size };

    pthread_mutex_lock(&lock);
    if (!views) {
        views = g_array_new(FALSE, TRUE, sizeof(Vma));
    }
    g_array_append_val(views, range);
    pthread_mutex_unlock(&lock);
}

void lend_forget_view(const uint8_t *view)
{
    pthread_mutex_lock(&lock);
    for (guint i = 0; views && i < views->len; i++) {
        if (g_array_index(views, Vma, i).start == (uintptr_t)view) {
            g_array_remove_index_fast(views, i);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

static bool in_view(uint64_t addr)
{
    for (guint i = 0; views && i < views->len; i++) {
        const Vma *view = &g_array_index(views, Vma, i);

        if (addr >= view->start && addr < view->end) {
            return true;
        }
    }
    return false;
}

static bool open_empty_file(void)
{
    struct stat st;

    if (empty_file < 0) {
        empty_file = memfd_create("gunyah-lent", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (empty_file < 0 || fstat(empty_file, &st) < 0) {
            return false;
        }
        empty_ino = st.st_ino;
    }
    return true;
}

/* Kept readable and writable so that a touch is SIGBUS and not SIGSEGV. */
static bool put_fault_mapping(uint64_t addr, uint64_t size)
{
    return mmap((void *)(uintptr_t)addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                empty_file, 0) != MAP_FAILED;
}

static bool take_shared(Mapping *m, const Vma *vma, uint64_t view_offset)
{
    TakenRange range = { vma->start, vma->end - vma->start, view_offset, vma->prot, false };

    if (!put_fault_mapping(range.addr, range.size)) {
        return false;
    }
    g_array_append_val(m->taken, range);
    return true;
}

/* The part of candidate that shows pages of what (same file, offsets overlap), or FALSE. */
static bool same_pages(const Vma *candidate, const Vma *what, Vma *part, uint64_t *into_what)
{
    const uint64_t c_end = candidate->offset + (candidate->end - candidate->start);
    const uint64_t w_end = what->offset + (what->end - what->start);
    const uint64_t from = MAX(candidate->offset, what->offset);
    const uint64_t to = MIN(c_end, w_end);

    if (!candidate->shared || candidate->ino != what->ino || candidate->dev != what->dev ||
        from >= to) {
        return false;
    }
    *part = *candidate;
    part->start = candidate->start + (from - candidate->offset);
    part->end = part->start + (to - from);
    *into_what = from - what->offset;
    return true;
}

/* Every mapping of the same file pages, the caller's region and any other; but not the model's own,
 * which the kernel may have merged with them. */
static bool take_all_shared(Mapping *m)
{
    g_autoptr(GArray) now = user_vmas();

    for (guint i = 0; now && i < now->len; i++) {
        const Vma *candidate = &g_array_index(now, Vma, i);

        for (guint j = 0; j < m->vmas->len; j++) {
            const Vma *what = &g_array_index(m->vmas, Vma, j);
            uint64_t into_what;
            Vma part;

            if (same_pages(candidate, what, &part, &into_what) && !in_view(part.start) &&
                !take_shared(m, &part, what->start - m->hva + into_what)) {
                return false;
            }
        }
    }
    return now != NULL;
}

bool mem_is_mapped(const Mapping *m)
{
    g_autoptr(GArray) now = user_vmas();
    bool found = false;

    pthread_mutex_lock(&lock);
    for (guint i = 0; now && i < now->len && !found; i++) {
        for (guint j = 0; j < m->vmas->len && !found; j++) {
            uint64_t into_what;
            Vma part;

            found = same_pages(&g_array_index(now, Vma, i), &g_array_index(m->vmas, Vma, j), &part,
                               &into_what) &&
                    !in_view(part.start);
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Private pages move into a view; where the kernel can, without a moment of no mapping. */
static bool take_private(Mapping *m)
{
    uint8_t *view =
        mmap(NULL, m->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (view == MAP_FAILED) {
        return false;
    }
    for (guint i = 0; i < m->vmas->len; i++) {
        const Vma *vma = &g_array_index(m->vmas, Vma, i);
        const uint64_t size = vma->end - vma->start;
        TakenRange range = { vma->start, size, vma->start - m->hva, vma->prot, true };
        void *from = (void *)(uintptr_t)vma->start;
        void *to = view + range.view;

        if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) ==
                MAP_FAILED &&
            mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
            return false; /* what was moved stays lent until the VM goes */
        }
        m->view = view;
        m->own_view = true;
        g_array_append_val(m->taken, range);
        if (!put_fault_mapping(vma->start, size)) {
            return false;
        }
    }
    return true;
}

int mem_take(Mapping *m)
{
    bool ok;

    pthread_mutex_lock(&lock);
    m->taken = g_array_new(FALSE, TRUE, sizeof(TakenRange));
    ok = open_empty_file() && (m->own_view ? take_all_shared(m) : take_private(m));
    pthread_mutex_unlock(&lock);
    return ok ? 0 : -ENOMEM;
}

/* TRUE if our fault mapping is still all that is there: the caller may have unmapped it. */
static bool still_taken(const GArray *now, const TakenRange *range)
{
    uint64_t at = range->addr;

    for (guint i = 0; now && i < now->len && at < range->addr + range->size; i++) {
        const Vma *vma = &g_array_index(now, Vma, i);

        if (vma->end <= at) {
            continue;
        }
        if (vma->start > at || vma->ino != empty_ino || !vma->shared) {
            return false;
        }
        at = vma->end;
    }
    return at >= range->addr + range->size;
}

void mem_give_back(Mapping *m)
{
    g_autoptr(GArray) now = NULL;

    if (!m->taken) {
        return;
    }
    now = user_vmas();
    for (guint i = 0; i < m->taken->len; i++) {
        const TakenRange *range = &g_array_index(m->taken, TakenRange, i);
        void *to = (void *)(uintptr_t)range->addr;

        if (!still_taken(now, range)) {
            continue;
        }
        if (mremap(m->view + range->view, range->moved ? range->size : 0, range->size,
                   MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
            model_log("parcel %u: cannot be given back: %s", m->label, g_strerror(errno));
        } else if (!range->moved) {
            mprotect(to, range->size, range->prot);
        }
    }
    g_clear_pointer(&m->taken, g_array_unref);
    m->given = false;
}
