/* SPDX-License-Identifier: GPL-2.0-or-later
 * Domains of the model: making them, their memory as another domain maps it, and faults on request.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xen-priv.h"

enum { DEFAULT_DOMID = 1, DEFAULT_MEMORY = 16 << 20, FIRST_PORT = 100 };

pthread_mutex_t model_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t model_changed = PTHREAD_COND_INITIALIZER;

static GHashTable *domains; /* by number */
static char *failing;       /* name of a function, or NULL */
static int failing_cause;
static bool old_host;

/* ---- life ---- */

static int new_memory(uint64_t size, uint8_t **host)
{
    int fd = memfd_create("xen-model", MFD_CLOEXEC);
    bool ok = fd >= 0 && ftruncate(fd, size) == 0;

    *host = ok ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (*host == MAP_FAILED) {
        g_error("xen model: no memory for a domain: %s", g_strerror(errno));
    }
    return fd;
}

static XenModelDomain *make(uint16_t domid, XenLibDomainType type, unsigned vcpus, uint64_t memory)
{
    XenModelDomain *d = g_new0(XenModelDomain, 1);

    d->domid = domid;
    d->type = type;
    d->n_vcpus = vcpus;
    d->memory_size = memory;
    d->memory_fd = new_memory(memory, &d->memory);
    d->taken = g_hash_table_new(NULL, NULL);
    d->next_port = FIRST_PORT;
    if (domains == NULL) {
        domains = g_hash_table_new(NULL, NULL);
    }
    g_hash_table_insert(domains, GUINT_TO_POINTER(domid), d);
    return d;
}

static void destroy(XenModelDomain *d)
{
    g_hash_table_remove(domains, GUINT_TO_POINTER(d->domid));
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        if (d->servers[i].exists) {
            model_destroy_server(d, &d->servers[i]);
        }
    }
    munmap(d->memory, d->memory_size);
    close(d->memory_fd);
    g_hash_table_unref(d->taken);
    g_free(d);
}

XenModelDomain *xen_model_domain_new(uint16_t domid, XenLibDomainType type, unsigned vcpus,
                                     uint64_t memory)
{
    XenModelDomain *d;

    g_assert(vcpus > 0 && vcpus <= XEN_MODEL_MAX_VCPUS && memory % PAGE_SIZE == 0);
    pthread_mutex_lock(&model_lock);
    d = domains != NULL ? g_hash_table_lookup(domains, GUINT_TO_POINTER(domid)) : NULL;
    if (d != NULL) {
        destroy(d);
    }
    d = make(domid, type, vcpus, memory);
    pthread_mutex_unlock(&model_lock);
    return d;
}

void xen_model_domain_free(XenModelDomain *d)
{
    pthread_mutex_lock(&model_lock);
    destroy(d);
    pthread_mutex_unlock(&model_lock);
}

XenModelDomain *model_find_domain(uint16_t domid)
{
    XenModelDomain *d =
        domains != NULL ? g_hash_table_lookup(domains, GUINT_TO_POINTER(domid)) : NULL;

    if (d == NULL && domid == DEFAULT_DOMID) {
        d = make(domid, XENLIB_DOMAIN_PVH, 1, DEFAULT_MEMORY);
    }
    return d;
}

void xen_model_kill(XenModelDomain *d)
{
    pthread_mutex_lock(&model_lock);
    d->dead = true;
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        if (d->servers[i].exists) {
            model_destroy_server(d, &d->servers[i]);
        }
    }
    pthread_cond_broadcast(&model_changed);
    pthread_mutex_unlock(&model_lock);
}

void xen_model_stats(XenModelDomain *d, XenModelStats *stats)
{
    pthread_mutex_lock(&model_lock);
    d->stats.servers = 0;
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        d->stats.servers += d->servers[i].exists;
    }
    *stats = d->stats;
    pthread_mutex_unlock(&model_lock);
}

/* ---- faults ---- */

void xen_model_fail(const char *function, int cause)
{
    pthread_mutex_lock(&model_lock);
    g_free(failing);
    failing = g_strdup(function);
    failing_cause = cause;
    pthread_mutex_unlock(&model_lock);
}

bool model_fails(const char *function)
{
    if (g_strcmp0(failing, function) != 0) {
        return false;
    }
    g_clear_pointer(&failing, g_free);
    errno = failing_cause;
    return true;
}

void xen_model_set_old_host(bool old)
{
    pthread_mutex_lock(&model_lock);
    old_host = old;
    pthread_mutex_unlock(&model_lock);
}

bool model_is_old_host(void)
{
    return old_host;
}

XenModelDomain *model_enter(void *xen, const char *function)
{
    XenModelDomain *d = ((Handle *)xen)->d;

    if (model_fails(function)) {
        return NULL;
    }
    if (d->dead) {
        errno = ESRCH;
        return NULL;
    }
    return d;
}

/* ---- memory ---- */

uint8_t *xen_model_memory(XenModelDomain *d)
{
    return d->memory;
}

void xen_model_take_page(XenModelDomain *d, uint64_t gfn)
{
    pthread_mutex_lock(&model_lock);
    g_hash_table_add(d->taken, (void *)(uintptr_t)gfn);
    pthread_mutex_unlock(&model_lock);
}

static int map_one(XenModelDomain *d, uint8_t *at, int prot, uint64_t gfn)
{
    uint64_t page = gfn * PAGE_SIZE, offset;
    int fd = model_server_gfn(d, gfn, &offset);

    if (fd >= 0) {
        return mmap(at, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED ? errno
                                                                                           : 0;
    }
    if (gfn > UINT64_MAX / PAGE_SIZE || page >= d->memory_size ||
        g_hash_table_contains(d->taken, (void *)(uintptr_t)gfn)) {
        return EINVAL;
    }
    return mmap(at, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED, d->memory_fd, page) == MAP_FAILED
               ? errno
               : 0;
}

/* With errors, pages that cannot be mapped leave holes. */
void *model_map_pages(XenModelDomain *d, int prot, size_t n, const uint64_t *gfns, int *errors)
{
    uint8_t *addr =
        mmap(NULL, n * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (addr == MAP_FAILED) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        int cause = map_one(d, addr + i * PAGE_SIZE, prot, gfns[i]);

        if (errors != NULL) {
            errors[i] = cause;
        } else if (cause != 0) {
            munmap(addr, n * PAGE_SIZE);
            errno = cause;
            return NULL;
        }
    }
    d->stats.map_calls++;
    d->stats.mapped_pages += n;
    return addr;
}

int model_unmap_pages(XenModelDomain *d, void *addr, size_t n)
{
    d->stats.mapped_pages -= n;
    return munmap(addr, n * PAGE_SIZE);
}
