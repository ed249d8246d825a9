/* SPDX-License-Identifier: GPL-2.0-or-later
 * The model's operations that put interrupts into a domain, and those that only tell of something.
 * On a domain without a vPIC an ISA line's change corrupts Xen, and what looks at PCI lines next
 * brings the host down: here that is noted, for a test to find.
 */
#include <errno.h>

#include "xen-priv.h"

enum { FIRST_SPI = 32, LAST_SPI = 1019, N_ISA_IRQS = 16 };

static bool is_x86(const XenModelDomain *d)
{
    errno = EOPNOTSUPP;
    return !d->arm;
}

int model_inject_msi(XenModelDomain *d, uint64_t addr, uint32_t data)
{
    if (!is_x86(d)) {
        return -1;
    }
    d->stats.msis++;
    d->stats.msi_addr = addr;
    d->stats.msi_data = data;
    return 0;
}

int model_set_irq_level(XenModelDomain *d, uint32_t irq, bool level)
{
    if (is_x86(d)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (irq < FIRST_SPI || irq > LAST_SPI) {
        errno = EINVAL;
        return -1;
    }
    d->stats.spi_changes++;
    d->stats.last_spi = irq;
    d->stats.spi_level = level;
    return 0;
}

int model_set_isa_irq(XenModelDomain *d, uint8_t irq, bool level)
{
    if (!is_x86(d)) {
        return -1;
    }
    if (irq >= N_ISA_IRQS) {
        errno = EINVAL;
        return -1;
    }
    d->vpic_confused = d->vpic_confused || d->type != XENLIB_DOMAIN_HVM;
    d->stats.isa_changes++;
    d->stats.isa_levels = (d->stats.isa_levels & ~(1u << irq)) | (uint32_t)level << irq;
    return 0;
}

int model_set_intx(XenModelDomain *d, uint16_t segment, uint8_t bus, uint8_t dev, uint8_t pin,
                   bool level)
{
    if (!is_x86(d)) {
        return -1;
    }
    if (segment != 0 || bus != 0 || dev > 31 || pin > 3) {
        errno = EINVAL;
        return -1;
    }
    d->stats.panicked |= d->vpic_confused;
    d->stats.intx_changes++;
    d->stats.last_intx = dev << 2 | pin;
    d->stats.intx_level = level;
    return 0;
}

int model_modified(XenModelDomain *d, uint64_t gfn, uint32_t n)
{
    d->stats.modified_calls++;
    d->stats.modified_gfn = gfn;
    d->stats.modified_pages += n;
    return 0;
}

int model_shutdown(XenModelDomain *d, unsigned reason)
{
    d->stats.shut_down = true;
    d->stats.shutdown_reason = reason;
    return 0;
}
