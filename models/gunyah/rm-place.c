/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where parcels lie in the guest. The driver's calls carry no guest address on android14: the
 * resource manager places the image at base-address, parcels named by a shm vdevice at its base,
 * further lent ones behind the image in the order it was told (the driver's newest first), those
 * of /reserved-memory at their reg, and shared ones nobody placed where it likes (facts 2.2).
 * Newer kernels name the address, and it is that.
 */
#include <libfdt.h>

#include "fdt-read.h"
#include "gunyah-priv.h"

enum { IPA_ALIGN = 2 << 20 };

#define IPA_FIRST (1ULL << 30) /* where the window of devices ends */

/* All below base-address is reserved for devices; where that is in the window, memory may be there,
 * too, and what is mapped no longer exits. */
static bool is_free(GhVm *vm, uint64_t ipa, uint64_t size)
{
    if (ipa < MIN(IPA_FIRST, vm->config->base) || ipa + size < ipa) {
        return false;
    }
    for (GList *l = vm->mappings; l; l = l->next) {
        const Mapping *m = l->data;

        if (m->placed && ipa < m->ipa + m->size && m->ipa < ipa + size) {
            return false;
        }
    }
    return true;
}

static bool place(GhVm *vm, Mapping *m, uint64_t ipa)
{
    if (!is_free(vm, ipa, m->size)) {
        model_log("rm: parcel %u does not fit at 0x%" G_GINT64_MODIFIER "x", m->label,
                  (guint64)ipa);
        return false;
    }
    m->ipa = ipa;
    m->placed = true;
    if (ipa != m->gpa) {
        model_log("rm: parcel %u is at 0x%" G_GINT64_MODIFIER "x in the guest, not at the "
                  "0x%" G_GINT64_MODIFIER "x of its region",
                  m->label, (guint64)ipa, (guint64)m->gpa);
    }
    return true;
}

/* Behind everything placed so far. */
static bool place_anywhere(GhVm *vm, Mapping *m)
{
    uint64_t top = IPA_FIRST;

    for (GList *l = vm->mappings; l; l = l->next) {
        const Mapping *other = l->data;

        if (other->placed) {
            top = MAX(top, other->ipa + other->size);
        }
    }
    m->auto_placed = true;
    return place(vm, m, (top + IPA_ALIGN - 1) & ~(uint64_t)(IPA_ALIGN - 1));
}

static RmError place_shm(GhVm *vm, const RmConfig *config)
{
    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        for (guint i = 0; i < config->shms->len && !m->placed; i++) {
            const RmShm *shm = &g_array_index(config->shms, RmShm, i);

            if (shm->label != m->label || shm->allocate) {
                continue;
            }
            if (!place(vm, m, shm->base)) {
                return RM_DENIED;
            }
        }
    }
    return RM_OK;
}

static RmError place_private(GhVm *vm, const RmConfig *config, const Mapping *image)
{
    uint64_t size = image->size;

    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        if (m->placed || !m->lend) {
            continue;
        }
        if (m->firmware) {
            if (!place(vm, m, config->fw_address)) {
                return RM_VALIDATE_FAILED;
            }
            continue;
        }
        if (m->size > config->size_max || size > config->size_max - m->size) {
            model_log("rm: parcel %u goes beyond size-max", m->label);
            return RM_VALIDATE_FAILED;
        }
        if (!place(vm, m, image->ipa + size)) {
            return RM_VALIDATE_FAILED;
        }
        size += m->size;
    }
    return RM_OK;
}

/* ---- /reserved-memory ---- */

static Mapping *by_label(GhVm *vm, uint64_t label)
{
    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        if (m->label == label) {
            return m;
        }
    }
    return NULL;
}

static Mapping *by_range(GhVm *vm, const FdtRange *range)
{
    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        if (m->placed && m->ipa == range->base && m->size == range->size) {
            return m;
        }
    }
    return NULL;
}

/* The parcel a node with qcom,label means, placed if it is not yet; NULL: none, or elsewhere. */
static Mapping *labelled(GhVm *vm, uint64_t label, const FdtRange *range)
{
    Mapping *m = by_label(vm, label);

    if (!m) {
        return NULL;
    }
    if (!m->placed) {
        return (range ? place(vm, m, range->base) : place_anywhere(vm, m)) ? m : NULL;
    }
    return !range || (m->ipa == range->base && m->size == range->size) ? m : NULL;
}

static RmError check_reserved(GhVm *vm, const void *fdt, int node)
{
    const bool has_reg = fdt_getprop(fdt, node, "reg", NULL) != NULL;
    FdtRange range;
    uint64_t label;
    Mapping *m;

    if (has_reg && !fdt_read_range(fdt, node, 0, &range)) {
        return RM_ARGUMENT_INVALID;
    }
    if (fdt_read_cells(fdt, node, "qcom,label", 1, &label)) {
        m = labelled(vm, label, has_reg ? &range : NULL);
    } else if (!has_reg) {
        /* Left to the guest's kernel, which wants a size for it. */
        return fdt_getprop(fdt, node, "size", NULL) ? RM_OK : RM_ARGUMENT_INVALID;
    } else {
        m = by_range(vm, &range);
        if (!m && vm->knobs.rev != REV_ANDROID14) {
            return RM_OK; /* demand paged */
        }
    }
    if (!m) {
        model_log("rm: /reserved-memory/%s is no parcel", fdt_get_name(fdt, node, NULL));
        return RM_DENIED;
    }
    if (!m->lend && fdt_getprop(fdt, node, "reusable", NULL)) {
        model_log("rm: /reserved-memory/%s is shared and cannot be reusable",
                  fdt_get_name(fdt, node, NULL));
        return RM_DENIED;
    }
    return RM_OK;
}

static RmError place_reserved(GhVm *vm, const void *fdt)
{
    int parent = fdt_path_offset(fdt, "/reserved-memory");
    int node;

    if (parent < 0) {
        return RM_OK;
    }
    fdt_for_each_subnode(node, fdt, parent)
    {
        RmError code = check_reserved(vm, fdt, node);

        if (code != RM_OK) {
            return code;
        }
    }
    return RM_OK;
}

/* ---- the whole ---- */

static RmError place_as_told(GhVm *vm)
{
    for (GList *l = vm->mappings; l; l = l->next) {
        Mapping *m = l->data;

        m->no_exec = mem_shared_without_exec(vm, m);
        if (!place(vm, m, m->gpa)) {
            return RM_VALIDATE_FAILED;
        }
    }
    return RM_OK;
}

RmError rm_place(GhVm *vm, const RmConfig *config, Mapping *image, const void *fdt)
{
    RmError code;

    if (vm->knobs.rev != REV_ANDROID14) {
        code = place_as_told(vm);
        return code == RM_OK ? place_reserved(vm, fdt) : code;
    }
    if (image->size > config->size_max || !place(vm, image, config->base)) {
        return RM_VALIDATE_FAILED;
    }
    code = place_shm(vm, config);
    if (code == RM_OK) {
        code = place_private(vm, config, image);
    }
    if (code == RM_OK) {
        code = place_reserved(vm, fdt);
    }
    for (GList *l = vm->mappings; l && code == RM_OK; l = l->next) {
        Mapping *m = l->data;

        if (!m->placed && !place_anywhere(vm, m)) {
            code = RM_VALIDATE_FAILED;
        }
    }
    return code;
}
