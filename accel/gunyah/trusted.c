/* SPDX-License-Identifier: GPL-2.0-or-later
 * Qualcomm's trusted VMs: a signed image, which the secure world knows under a number (its PAS ID)
 * and the resource manager starts under a VM ID of its own. The image's first bytes are its
 * metadata, and where it is entered is said there: nothing else chooses the entry.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>
#include <inttypes.h>

#include "gunyah-priv.h"
#include "util/error.h"
#include "util/props.h"

static bool parse_id(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *id,
                     GError **error)
{
    if (props_parse_u64(text, id, NULL) && *id >= min && *id <= max) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "%s is '%s' but must be a number from %" PRIu64 " to %" PRIu64, name, text, min,
                max);
    return false;
}

bool gunyah_trusted_parse(AccelGunyah *gh, GError **error)
{
    const char *id = gh->trusted_id_text, *pas = gh->trusted_pas_text;
    uint64_t vm_id, pas_id;

    gh->trusted = id != NULL || pas != NULL;
    if (!gh->trusted) {
        return true;
    }
    if (id == NULL || pas == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "%s is given without %s: a trusted VM has both",
                    id != NULL ? "trusted-vm-id" : "trusted-vm-pas-id",
                    id != NULL ? "trusted-vm-pas-id" : "trusted-vm-id");
        return false;
    }
    if (!parse_id("trusted-vm-id", id, 1, UINT16_MAX, &vm_id, error) ||
        !parse_id("trusted-vm-pas-id", pas, 0, UINT32_MAX, &pas_id, error)) {
        return false;
    }
    gh->trusted_id = vm_id;
    gh->trusted_pas = pas_id;
    return true;
}

bool gunyah_trusted_probe(AccelGunyah *gh, bool known, GError **error)
{
    if (!gh->trusted || known) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                "trusted-vm-id=%u: the kernel behind %s has no SET_AUTH_TYPE (Android 15 or newer "
                "has)",
                gh->trusted_id, gh->device);
    return false;
}

static const GunyahRegion *find_image(const GArray *regions)
{
    for (unsigned i = 0; i < regions->len; i++) {
        const GunyahRegion *r = &g_array_index(regions, GunyahRegion, i);

        if (r->image) {
            return r;
        }
    }
    return NULL;
}

static const char *set_advice(int cause)
{
    switch (cause) {
    case ENOENT:
        return " (this kernel has nobody for trusted VMs: its module gunyah_qtvm is not there)";
    case EOVERFLOW:
        return " (the image's range)";
    }
    return "";
}

bool gunyah_trusted_set(AccelGunyah *gh, const GArray *regions, GError **error)
{
    const GunyahRegion *image = find_image(regions);
    struct gh_qtvm_auth_arg arg = { .vm_id = gh->trusted_id, .pas_id = gh->trusted_pas };
    struct gh_auth_desc desc = {
        .type = GH_AUTH_QCOM_TRUSTED_VM,
        .arg_size = sizeof(arg),
        .arg = (uintptr_t)&arg,
    };

    if (!gh->trusted) {
        return true;
    }
    if (!gh->lending) {
        errno = EINVAL;
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "trusted-vm-id=%u: a trusted VM's memory is lent to it (give protected=on)",
                    gh->trusted_id);
        return false;
    }
    arg.guest_phys_addr = image->gpa; /* a plan has one */
    arg.size = image->size;
    if (gunyah_vm_ioctl(gh, GH_VM_ANDROID_SET_AUTH_TYPE, &desc) == 0) {
        return true;
    }
    if (errno == EINVAL) {
        /* The first drivers that have the call do as they are told and answer this at their end.
         * There is no other cause with arguments of this size. */
        g_message("SET_AUTH_TYPE: %s, as the first drivers with that call say that have obeyed it: "
                  "going on",
                  g_strerror(errno));
        return true;
    }
    error_set_errno(error, errno, "SET_AUTH_TYPE for VM ID %u, PAS ID %" PRIu32 "%s",
                    gh->trusted_id, gh->trusted_pas, set_advice(errno));
    return false;
}

const char *gunyah_trusted_advice(const AccelGunyah *gh, int cause)
{
    if (!gh->trusted) {
        return NULL;
    }
    switch (cause) {
    case EINVAL:
        return gh->pvmfw ? "the image was not authenticated, or a trusted VM can have no firmware: "
                           "see whether it starts with pvmfw=off"
                         : "the image was not authenticated: its metadata must be the first bytes "
                           "of -kernel, signed for this device and that PAS ID";
    case ENODEV:
        return "the resource manager has no such VM ID or another VM has it, or the device tree is "
               "behind the image";
    case EPERM:
        return "the image was not authenticated, or the resource manager denied memory ranges or "
               "the device tree to this VM";
    case EFAULT:
    case ENOENT:
        return "the image's range is not inside one region of memory";
    }
    return NULL;
}
