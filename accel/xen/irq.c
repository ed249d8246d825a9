/* SPDX-License-Identifier: GPL-2.0-or-later
 * Interrupts into the domain: messages to its local APICs.
 */
#define G_LOG_DOMAIN "humpy-xen"

#include <errno.h>
#include <inttypes.h>

#include "xen-priv.h"

void xen_msi(Accel *accel, uint64_t addr, uint32_t data)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (xen->lib->inject_msi(xen->handle, addr, data) != 0 &&
        !__atomic_exchange_n(&xen->warned_msi, true, __ATOMIC_RELAXED)) {
        g_warning("-accel xen: domain %u does not take the message 0x%" PRIx32 " to 0x%" PRIx64
                  ": %s",
                  xen->domid, data, addr, g_strerror(errno));
    }
}
