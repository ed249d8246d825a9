/* SPDX-License-Identifier: GPL-2.0-or-later
 * Interrupt lines into the VM's virtual I/O APIC (and PIC, below 16), and messages. ACRN does not
 * tell when a guest has ended its handler, and need not: a line keeps its level there.
 */
#define G_LOG_DOMAIN "humpy-acrn"

#include <errno.h>
#include <inttypes.h>

#include "acrn-priv.h"
#include "util/error.h"

static void line_free(gpointer data)
{
    AcrnLine *line = data;

    pthread_mutex_destroy(&line->lock);
    g_free(line);
}

void acrn_irqs_init(AccelAcrn *acrn)
{
    acrn->lines = g_hash_table_new_full(NULL, NULL, NULL, line_free);
}

void acrn_irqs_clear(AccelAcrn *acrn)
{
    g_hash_table_unref(acrn->lines);
}

bool acrn_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);
    AcrnLine *line;

    if (gsi >= ACRN_N_GSIS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "interrupt line is %u but must be 0 to %d", gsi, ACRN_N_GSIS - 1);
        return false;
    }
    line = g_new0(AcrnLine, 1);
    pthread_mutex_init(&line->lock, NULL);
    line->gsi = gsi;
    line->mode = mode;
    g_hash_table_insert(acrn->lines, GUINT_TO_POINTER(gsi), line);
    return true;
}

/* SET_IRQLINE takes its argument as a value. */
static void drive(AccelAcrn *acrn, unsigned gsi, unsigned op)
{
    uint64_t value = gsi | (uint64_t)op << 32;

    if (hostdev_ioctl(acrn->dev.ops, acrn->dev.fd, ACRN_IOCTL_SET_IRQLINE, value) != 0 &&
        !__atomic_exchange_n(&acrn->warned_irq, true, __ATOMIC_RELAXED)) {
        g_warning("-accel acrn: the hypervisor refuses interrupt line %u: %s", gsi,
                  g_strerror(errno));
    }
}

void acrn_irq_set(Accel *accel, unsigned gsi, bool level)
{
    AccelAcrn *acrn = HUMPY_ACCEL_ACRN(accel);
    AcrnLine *line = g_hash_table_lookup(acrn->lines, GUINT_TO_POINTER(gsi));

    pthread_mutex_lock(&line->lock);
    if (level != line->level) {
        line->level = level;
        if (line->mode == ACCEL_IRQ_LEVEL) {
            drive(acrn, gsi, level ? ACRN_IRQLINE_SET_HIGH : ACRN_IRQLINE_SET_LOW);
        } else if (level) {
            drive(acrn, gsi, ACRN_IRQLINE_RAISING_PULSE);
        }
    }
    pthread_mutex_unlock(&line->lock);
}

void acrn_irqs_refresh(AccelAcrn *acrn)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, acrn->lines);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        AcrnLine *line = value;

        pthread_mutex_lock(&line->lock);
        if (line->level && line->mode == ACCEL_IRQ_LEVEL) {
            drive(acrn, line->gsi, ACRN_IRQLINE_SET_HIGH);
        }
        pthread_mutex_unlock(&line->lock);
    }
}

/* Before the guest has enabled its local APIC a message has nowhere to go; on a board it would be
 * lost just so. */
void acrn_msi(Accel *accel, uint64_t addr, uint32_t data)
{
    struct acrn_msi_entry arg = { .msi_addr = addr, .msi_data = data };

    if (acrn_ioctl(HUMPY_ACCEL_ACRN(accel), ACRN_IOCTL_INJECT_MSI, &arg) != 0) {
        g_debug("message 0x%" PRIx32 " to 0x%" PRIx64 ": %s", data, addr, g_strerror(errno));
    }
}
