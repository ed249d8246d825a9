/* SPDX-License-Identifier: GPL-2.0-or-later
 * A touch of lent memory by this program is a bug of ours that the hypervisor stops: the kernel
 * sends SIGBUS. The handler says which guest address it was before the program dies of it as it
 * would have anyway. It runs in whatever thread did it: nothing but write(2) and stores.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "gunyah-priv.h"

typedef struct {
    uintptr_t host;
    uint64_t gpa, size;
} LentRange;

static LentRange ranges[GUNYAH_MAX_PARCELS];
static unsigned n_ranges; /* set when the ranges are complete; read in the handler */
static struct sigaction before;

static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static char *put_hex(char *at, uint64_t value)
{
    unsigned digits = 1;

    while (digits < 16 && value >> (4 * digits) != 0) {
        digits++;
    }
    while (digits-- > 0) {
        *at++ = "0123456789abcdef"[value >> (4 * digits) & 15];
    }
    return at;
}

static const LentRange *find(uintptr_t addr)
{
    unsigned n = __atomic_load_n(&n_ranges, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        if (addr >= ranges[i].host && addr - ranges[i].host < ranges[i].size) {
            return &ranges[i];
        }
    }
    return NULL;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    const LentRange *range = find((uintptr_t)info->si_addr);
    char line[256], *end = line;

    if (range != NULL) {
        end = put_text(end, "-accel gunyah: SIGBUS: this program touched guest address 0x");
        end = put_hex(end, range->gpa + ((uintptr_t)info->si_addr - range->host));
        end = put_text(end, ", which is lent to the guest; that is a bug in Humpy (lent memory "
                            "can be done without: protected=off)\n");
        if (write(STDERR_FILENO, line, end - line) < 0) {
            /* There is nobody left to tell. */
        }
    }
    sigaction(number, &before, NULL); /* the access is tried again, and meets what was there */
}

void gunyah_sigbus_watch(const GArray *regions)
{
    struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
    unsigned n = 0;

    for (unsigned i = 0; i < regions->len && n < G_N_ELEMENTS(ranges); i++) {
        const GunyahRegion *r = &g_array_index(regions, GunyahRegion, i);

        if (!r->window) {
            ranges[n++] = (LentRange){ (uintptr_t)r->host, r->gpa, r->size };
        }
    }
    __atomic_store_n(&n_ranges, n, __ATOMIC_RELEASE);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

void gunyah_sigbus_forget(void)
{
    if (n_ranges > 0) {
        sigaction(SIGBUS, &before, NULL);
        __atomic_store_n(&n_ranges, 0, __ATOMIC_RELEASE);
    }
}
