/* SPDX-License-Identifier: GPL-2.0-or-later
 * Interrupts into the domain: messages to its local APICs; ISA lines and PCI pins, on x86, and
 * shared peripheral interrupts on Arm.
 *
 * A domain without a vPIC (PVH) must never see the second kind: Xen 4.17 takes the change of an ISA
 * line there, damages itself, and the next look at PCI's wires brings the host down. So they are
 * offered only to a domain that the toolstack calls HVM, and asked here once more.
 */
#define G_LOG_DOMAIN "humpy-xen"

#include <errno.h>
#include <inttypes.h>

#include "util/error.h"
#include "util/target.h"
#include "xen-priv.h"

enum { N_ISA_IRQS = 16, FIRST_SPI = 32, N_SPIS = 988 };

static bool is_arm(void)
{
    return target_current() == TARGET_AARCH64;
}

bool xen_has_lines(const AccelXen *xen)
{
    return is_arm() || xen->domain_type == XENLIB_DOMAIN_HVM;
}

static void warn_once(AccelXen *xen, const char *what, uint64_t which)
{
    int cause = errno;

    if (!__atomic_exchange_n(&xen->warned_irq, true, __ATOMIC_RELAXED)) {
        g_warning("-accel xen: domain %u does not take %s 0x%" PRIx64 ": %s", xen->domid, what,
                  which, g_strerror(cause));
    }
}

void xen_msi(Accel *accel, uint64_t addr, uint32_t data)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (xen->lib->inject_msi(xen->handle, addr, data) != 0) {
        warn_once(xen, "a message to", addr);
    }
}

bool xen_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error)
{
    unsigned n = is_arm() ? N_SPIS : N_ISA_IRQS;

    if (gsi >= n) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "interrupt line is %u but must be 0 to %u", gsi, n - 1);
        return false;
    }
    return true;
}

void xen_irq_set(Accel *accel, unsigned gsi, bool level)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);
    int rc = 0;

    if (is_arm()) {
        rc = xen->lib->set_irq_level(xen->handle, FIRST_SPI + gsi, level);
    } else if (xen_has_lines(xen)) {
        rc = xen->lib->set_isa_irq_level(xen->handle, gsi, level);
    }
    if (rc != 0) {
        warn_once(xen, "interrupt line", gsi);
    }
}

void xen_pci_irq(Accel *accel, uint16_t segment, uint8_t bus, uint8_t dev, unsigned pin, bool level)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (!is_arm() && xen_has_lines(xen) &&
        xen->lib->set_pci_intx_level(xen->handle, segment, bus, dev, pin, level) != 0) {
        warn_once(xen, "the pin of PCI device", dev);
    }
}
