/* SPDX-License-Identifier: GPL-2.0-or-later
 * See bus-guard.h. The handler takes no lock: it looks at a table whose rows are filled before
 * their length is set, and not used again before that is 0.
 */
#include "bus-guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_GUARDED = 8192 };

typedef struct {
    uintptr_t start;
    size_t len; /* atomic; 0: free */
    gint *torn;
    int wake_fd;
} Guarded;

static Guarded table[MAX_GUARDED];
static unsigned in_use; /* atomic; rows behind it were never used */
static uintptr_t page_size;
static struct sigaction before;                          /* whose SIGBUS it was */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of those who change the table */

static const Guarded *find(uintptr_t addr)
{
    unsigned n = __atomic_load_n(&in_use, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        size_t len = __atomic_load_n(&table[i].len, __ATOMIC_ACQUIRE);

        if (len > 0 && addr - table[i].start < len) {
            return &table[i];
        }
    }
    return NULL;
}

static void handle(int signo, siginfo_t *info, void *context)
{
    uintptr_t addr = (uintptr_t)info->si_addr;
    const Guarded *g = find(addr);
    int saved = errno;
    uint64_t one = 1;

    if (g == NULL || mmap((void *)(addr & ~(page_size - 1)), page_size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        sigaction(signo, &before, NULL); /* the access is made again, and is what it was */
        return;
    }
    g_atomic_int_set(g->torn, 1);
    if (write(g->wake_fd, &one, sizeof(one)) < 0) {
        /* it is readable already */
    }
    errno = saved;
}

/* [lock] */
static void install(void)
{
    struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER };

    if (page_size == 0) {
        page_size = sysconf(_SC_PAGESIZE);
        sigemptyset(&action.sa_mask);
        sigaction(SIGBUS, &action, &before);
    }
}

bool bus_guard_add(const void *map, size_t len, gint *torn, int wake_fd)
{
    unsigned i;

    pthread_mutex_lock(&lock);
    install();
    for (i = 0; i < in_use && table[i].len != 0; i++) {
    }
    if (i < MAX_GUARDED) {
        table[i].start = (uintptr_t)map;
        table[i].torn = torn;
        table[i].wake_fd = wake_fd;
        __atomic_store_n(&table[i].len, len, __ATOMIC_RELEASE);
        if (i == in_use) {
            __atomic_store_n(&in_use, i + 1, __ATOMIC_RELEASE);
        }
    }
    pthread_mutex_unlock(&lock);
    return i < MAX_GUARDED;
}

void bus_guard_remove(const void *map)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < in_use; i++) {
        if (table[i].len != 0 && table[i].start == (uintptr_t)map) {
            __atomic_store_n(&table[i].len, 0, __ATOMIC_RELEASE);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}
