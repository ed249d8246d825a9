/* SPDX-License-Identifier: GPL-2.0-or-later
 * The protected-VM firmware (facts 2.3): the resource manager puts its own into the parcel the
 * caller named, starts the guest there with X0 the device tree, X1 and X2 base and size of what it
 * is to start, and wipes the guest's memory before the host has it back. Which firmware: ours, five
 * instructions that start anything, or a file (knob pvmfw=).
 */
#include <string.h>
#include <sys/mman.h>

#include "gunyah-priv.h"

/* mov x4, x1; mov x1, xzr; mov x2, xzr; mov x3, xzr; br x4: X0 stays, as arm64 kernels want it */
static const uint32_t any_payload[] = { 0xaa0103e4, 0xaa1f03e1, 0xaa1f03e2, 0xaa1f03e3,
                                        0xd61f0080 };

static bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static RmError check(const GhVm *vm, const RmConfig *config, const Mapping *image,
                     const Mapping *firmware)
{
    if (config->fw_size_max == 0) {
        return rm_bad_tree(RM_MEM_INVALID, "a firmware needs memory/firmware-address");
    }
    if (!firmware->lend || firmware == image) {
        model_log("rm: the firmware's parcel %u is not lent, or is the image", firmware->label);
        return RM_DENIED;
    }
    if (vm->fw.size > config->fw_size_max || config->fw_address % 4096 ||
        ranges_overlap(config->fw_address, firmware->size, config->base, image->size)) {
        return rm_bad_tree(RM_MEM_INVALID, "the firmware is larger than firmware-size-max, not "
                                           "page aligned, or overlaps the image");
    }
    return RM_OK;
}

/* The firmware's bytes; NULL: they cannot be had. */
static char *content(const GhVm *vm, size_t *len)
{
    char *data = NULL;

    if (g_str_equal(vm->knobs.pvmfw, "on")) {
        *len = sizeof(any_payload);
        return g_memdup2(any_payload, sizeof(any_payload));
    }
    return g_file_get_contents(vm->knobs.pvmfw, &data, len, NULL) ? data : NULL;
}

Mapping *rm_firmware_load(GhVm *vm, const RmConfig *config, const Mapping *image, RmError *code)
{
    Mapping *firmware = mem_find(vm, vm->fw.guest_phys_addr, vm->fw.size);
    g_autofree char *data = NULL;
    size_t len = 0;

    *code = check(vm, config, image, firmware);
    if (*code != RM_OK) {
        return NULL;
    }
    data = content(vm, &len);
    if (!data || len > vm->fw.size) {
        model_log("rm: the firmware %s cannot be read, or is larger than its range",
                  vm->knobs.pvmfw);
        *code = RM_NO_RESOURCE;
        return NULL;
    }
    if (user_copy_to((uintptr_t)firmware->view + (vm->fw.guest_phys_addr - firmware->gpa), data,
                     len) < 0) {
        *code = RM_MEM_INVALID;
        return NULL;
    }
    firmware->firmware = true;
    return firmware;
}

void rm_sanitise(GhVm *vm)
{
    for (GList *l = vm->mappings; (vm->fw_set || vm->trusted_set) && l; l = l->next) {
        const Mapping *m = l->data;

        if (!m->given || !m->lend || !m->view || madvise(m->view, m->size, MADV_REMOVE) == 0) {
            continue; /* shared pages are gone for all who map them */
        }
        memset(m->view, 0, m->size);
    }
}
