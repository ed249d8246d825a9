/* SPDX-License-Identifier: GPL-2.0-or-later
 * Sharing of interrupt lines: who holds which up is counted. The lock is a leaf but for the
 * interrupt controllers behind it, and is held while they are told, so that changes reach them in
 * order.
 */
#include "hw/i386/gsi.h"

#include <glib.h>
#include <pthread.h>

enum { OUTPUTS = 2 };

typedef struct {
    X86Gsis *gsis;
    bool level;
} Source;

struct X86Gsis {
    pthread_mutex_t lock;
    unsigned holders[X86_N_GSIS];
    IrqLine *out[X86_N_GSIS][OUTPUTS];
    GPtrArray *sources; /* of Source */
};

X86Gsis *x86_gsis_new(void)
{
    X86Gsis *gsis = g_new0(X86Gsis, 1);

    pthread_mutex_init(&gsis->lock, NULL);
    gsis->sources = g_ptr_array_new_with_free_func(g_free);
    return gsis;
}

void x86_gsis_free(X86Gsis *gsis)
{
    if (gsis == NULL) {
        return;
    }
    for (unsigned i = 0; i < X86_N_GSIS; i++) {
        for (unsigned k = 0; k < OUTPUTS; k++) {
            irq_free(gsis->out[i][k]);
        }
    }
    g_ptr_array_unref(gsis->sources);
    pthread_mutex_destroy(&gsis->lock);
    g_free(gsis);
}

void x86_gsi_add_output(X86Gsis *gsis, unsigned gsi, IrqLine *out)
{
    unsigned k = 0;

    g_assert(gsi < X86_N_GSIS);
    while (k < OUTPUTS && gsis->out[gsi][k] != NULL) {
        k++;
    }
    g_assert(k < OUTPUTS);
    gsis->out[gsi][k] = out;
}

static void drive(void *opaque, int gsi, int level)
{
    Source *source = opaque;
    X86Gsis *gsis = source->gsis;
    bool changed;

    pthread_mutex_lock(&gsis->lock);
    if (source->level != (level != 0)) {
        source->level = level != 0;
        changed = source->level ? gsis->holders[gsi]++ == 0 : --gsis->holders[gsi] == 0;
        for (unsigned k = 0; changed && k < OUTPUTS; k++) {
            irq_set(gsis->out[gsi][k], source->level);
        }
    }
    pthread_mutex_unlock(&gsis->lock);
}

IrqLine *x86_gsi_line(X86Gsis *gsis, unsigned gsi)
{
    Source *source = g_new0(Source, 1);

    g_assert(gsi < X86_N_GSIS);
    source->gsis = gsis;
    g_ptr_array_add(gsis->sources, source);
    return irq_new(drive, source, gsi);
}
