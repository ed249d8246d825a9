/* SPDX-License-Identifier: GPL-2.0-or-later
 * Devices of the Service VM that the guest gets for itself: PCI functions, whose configuration
 * space and messages the hypervisor then does by itself, and pieces of device memory. Each is given
 * before the VM starts and taken back after it has been paused. Interrupt pins are not passed on:
 * a PCI function must know MSI or MSI-X.
 */
#define G_LOG_DOMAIN "humpy-acrn"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acrn-priv.h"
#include "util/error.h"
#include "util/fd.h"

enum {
    PCI_STATUS = 0x06,
    PCI_STATUS_CAPABILITIES = 0x10,
    PCI_CAPABILITIES = 0x34,
    PCI_CAP_MSI = 0x05,
    PCI_CAP_MSIX = 0x11,
    PCI_CONFIG_SIZE = 256,
};

const char *acrn_pci_devices = "/sys/bus/pci/devices";

/* ---- properties ---- */

/* A hexadecimal number up to max that ends before end; *text is moved there. */
static bool parse_hex(const char **text, char end, uint64_t max, uint64_t *value)
{
    char *stop;

    if (!g_ascii_isxdigit(**text)) {
        return false;
    }
    errno = 0;
    *value = strtoull(*text, &stop, 16);
    if (errno != 0 || *value > max || *stop != end) {
        return false;
    }
    *text = end != '\0' ? stop + 1 : stop;
    return true;
}

/* "0000:00:14.0@5": PCI functions are named as by lspci, slots as by -device's addr. */
static bool parse_pci(const char *text, AcrnPassthru *p)
{
    uint64_t domain = 0, bus, dev, fn, slot, slot_fn = 0;
    const char *at = text, *dot = strrchr(text, '.'), *sign = strchr(text, '@');

    if (strlen(text) > 7 && text[4] == ':' && !parse_hex(&at, ':', 0, &domain)) {
        return false; /* the hypervisor knows one domain */
    }
    if (!parse_hex(&at, ':', 255, &bus) || !parse_hex(&at, '.', 31, &dev) ||
        !parse_hex(&at, '@', 7, &fn)) {
        return false;
    }
    if (dot > sign ? !parse_hex(&at, '.', 31, &slot) || !parse_hex(&at, '\0', 7, &slot_fn)
                   : !parse_hex(&at, '\0', 31, &slot)) {
        return false;
    }
    p->kind = ACRN_PASSTHRU_PCI;
    p->pci.phys_bdf = (uint16_t)(bus << 8 | dev << 3 | fn);
    p->pci.virt_bdf = (uint16_t)(slot << 3 | slot_fn);
    return slot != 0; /* the host bridge's */
}

/* "fed40000:5000@fed40000": physical address, size, address for the guest. */
static bool parse_mmio(const char *text, AcrnPassthru *p)
{
    uint64_t from, size, to;

    if (!parse_hex(&text, ':', UINT64_MAX, &from) || !parse_hex(&text, '@', UINT64_MAX, &size) ||
        !parse_hex(&text, '\0', UINT64_MAX, &to)) {
        return false;
    }
    p->kind = ACRN_PASSTHRU_MMIO;
    p->mmio.res[0].service_vm_pa = from;
    p->mmio.res[0].user_vm_pa = to;
    p->mmio.res[0].size = size;
    p->mmio.res[0].mem_type = ACRN_MEM_TYPE_UC;
    return size != 0 && (from | size | to) % ACRN_PAGE_SIZE == 0 && from + size > from &&
           to + size > to;
}

static bool parse_list(AccelAcrn *acrn, const char *property, const char *text, const char *like,
                       bool (*parse)(const char *text, AcrnPassthru *p), GError **error)
{
    /* An empty text has no parts, and is one that is wrong. */
    g_auto(GStrv) parts = g_strsplit(*text == '\0' ? "+" : text, "+", -1);

    for (char **part = parts; *part != NULL; part++) {
        AcrnPassthru p = { 0 };

        if (!parse(*part, &p)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "%s: '%s' is not %s", property,
                        *part, like);
            return false;
        }
        g_strlcpy(p.text, *part, sizeof(p.text));
        g_array_append_val(acrn->passthru, p);
    }
    return true;
}

bool acrn_passthru_parse(AccelAcrn *acrn, GError **error)
{
    return (acrn->pci_assign == NULL ||
            parse_list(acrn, "pci-assign", acrn->pci_assign,
                       "a function of the host and a slot from 1 to 1f, such as 00:14.0@5",
                       parse_pci, error)) &&
           (acrn->mmio_assign == NULL ||
            parse_list(acrn, "mmio-assign", acrn->mmio_assign,
                       "physical address, size and guest address in hexadecimal, multiples of "
                       "1000, such as fed40000:5000@fed40000",
                       parse_mmio, error));
}

/* ---- the function on the host ---- */

static bool fail(const AcrnPassthru *p, GError **error, HumpyError code, const char *why)
{
    g_set_error(error, HUMPY_ERROR, code, "pci-assign=%s: %s", p->text, why);
    return false;
}

static int open_in_sysfs(const AcrnPassthru *p, const char *name, int flags)
{
    unsigned bdf = p->pci.phys_bdf;
    g_autofree char *path = g_strdup_printf("%s/0000:%02x:%02x.%x/%s", acrn_pci_devices, bdf >> 8,
                                            bdf >> 3 & 31, bdf & 7, name);

    return open(path, flags | O_CLOEXEC);
}

static bool knows_messages(const uint8_t *config)
{
    unsigned at = config[PCI_STATUS] & PCI_STATUS_CAPABILITIES ? config[PCI_CAPABILITIES] & ~3 : 0;

    for (unsigned i = 0; i < PCI_CONFIG_SIZE / 4 && at >= 0x40; i++) { /* the chain may be a ring */
        if (config[at] == PCI_CAP_MSI || config[at] == PCI_CAP_MSIX) {
            return true;
        }
        at = config[at + 1] & ~3;
    }
    return false;
}

/* The function must be there and have no trace of whoever used it last. */
static bool prepare_pci(AccelAcrn *acrn, const AcrnPassthru *p, GError **error)
{
    g_auto(Fd) config_fd = open_in_sysfs(p, "config", O_RDONLY);
    g_auto(Fd) reset_fd = -1;
    uint8_t config[PCI_CONFIG_SIZE] = { 0 };
    IoRequest req = { .space = IOREQ_PCI_CONFIG, .size = 2, .count = 1, .step = 1 };

    req.pci.dev = p->pci.virt_bdf >> 3;
    req.pci.fn = p->pci.virt_bdf & 7;
    if (acrn->info->pci_config != NULL &&
        acrn->info->pci_config(acrn->info->pci_opaque, &req) == IOREQ_HANDLED &&
        (uint16_t)req.data != 0xffff) {
        return fail(p, error, HUMPY_ERROR_CONFLICT, "the machine has a device in this slot");
    }
    if (config_fd < 0) {
        return fail(p, error, HUMPY_ERROR_HOST, "the host has no such PCI function");
    }
    if (read(config_fd, config, sizeof(config)) != sizeof(config)) {
        return fail(p, error, HUMPY_ERROR_HOST,
                    "not all of its configuration space can be read (this needs CAP_SYS_ADMIN)");
    }
    if (!knows_messages(config)) {
        return fail(p, error, HUMPY_ERROR_UNSUPPORTED,
                    "it has neither MSI nor MSI-X, and interrupt pins are not passed on");
    }
    reset_fd = open_in_sysfs(p, "reset", O_WRONLY);
    if (reset_fd >= 0 && write(reset_fd, "1", 1) != 1) {
        return fail(p, error, HUMPY_ERROR_HOST, "the function cannot be reset");
    }
    return true;
}

/* ---- giving and taking ---- */

/* The hypervisor would put one over the other without a word. */
static bool check_mmio(AccelAcrn *acrn, const AcrnPassthru *p, GError **error)
{
    uint64_t gpa = p->mmio.res[0].user_vm_pa, size = p->mmio.res[0].size;

    for (unsigned i = 0; i < acrn->ram->len; i++) {
        const AcrnRam *ram = &g_array_index(acrn->ram, AcrnRam, i);

        if (gpa < ram->gpa + ram->size && ram->gpa < gpa + size) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "mmio-assign=%s: the guest has RAM '%s' there", p->text, ram->name);
            return false;
        }
    }
    return true;
}

/* Base addresses are 0: not mapped until the guest says where. */
static bool give(AccelAcrn *acrn, AcrnPassthru *p, GError **error)
{
    bool pci = p->kind == ACRN_PASSTHRU_PCI;

    if (pci ? !prepare_pci(acrn, p, error) : !check_mmio(acrn, p, error)) {
        return false;
    }
    if ((pci ? acrn_ioctl(acrn, ACRN_IOCTL_ASSIGN_PCIDEV, &p->pci)
             : acrn_ioctl(acrn, ACRN_IOCTL_ASSIGN_MMIODEV, &p->mmio)) != 0) {
        int cause = errno;

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "%s-assign=%s: the hypervisor does not give it away: %s (it may be in use, or "
                    "not the Service VM's)",
                    pci ? "pci" : "mmio", p->text, g_strerror(cause));
        return false;
    }
    p->given = true;
    return true;
}

bool acrn_passthru_give(AccelAcrn *acrn, GError **error)
{
    for (unsigned i = 0; i < acrn->passthru->len; i++) {
        if (!give(acrn, &g_array_index(acrn->passthru, AcrnPassthru, i), error)) {
            return false;
        }
    }
    return true;
}

void acrn_passthru_take_back(AccelAcrn *acrn)
{
    for (unsigned i = acrn->passthru->len; i-- > 0;) {
        AcrnPassthru *p = &g_array_index(acrn->passthru, AcrnPassthru, i);
        bool pci = p->kind == ACRN_PASSTHRU_PCI;

        if (p->given && (pci ? acrn_ioctl(acrn, ACRN_IOCTL_DEASSIGN_PCIDEV, &p->pci)
                             : acrn_ioctl(acrn, ACRN_IOCTL_DEASSIGN_MMIODEV, &p->mmio)) != 0) {
            g_warning("-accel acrn: %s-assign=%s: cannot take it back: %s", pci ? "pci" : "mmio",
                      p->text, g_strerror(errno));
        }
        p->given = false;
    }
}
