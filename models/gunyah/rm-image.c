/* SPDX-License-Identifier: GPL-2.0-or-later
 * START on Android 15 and 16 until the resource manager has the image: the driver makes a parcel of
 * the device tree's range, or of the range that a trusted VM's image is said to be, and of the
 * firmware's. An error before that is forgotten on its way out, and nothing has begun.
 */
#include <errno.h>
#include <unistd.h>

#include "gunyah-priv.h"

typedef struct {
    uint64_t start, size; /* whole pages, cut off as the driver does it */
} Range;

static Range pages_of(uint64_t addr, uint64_t size)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return (Range){ addr - addr % page, size - size % page };
}

static Range image_range(const GhVm *vm)
{
    return vm->trusted_set ? pages_of(vm->trusted.guest_phys_addr, vm->trusted.size)
                           : pages_of(vm->dtb.guest_phys_addr, vm->dtb.size);
}

/* The region that a parcel for range is cut out of; NULL: *ret. */
static Mapping *find_region(GhVm *vm, const Range *range, int *ret)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    Mapping *m = mem_find(vm, range->start, page);

    *ret = 0;
    if (!range->size) {
        *ret = -EINVAL;
    } else if (!m) {
        *ret = -ENOENT;
    } else if (!m->view || range->size > m->size - (range->start - m->gpa)) {
        *ret = -EFAULT; /* what is not there, or behind the region, cannot be pinned */
    }
    return *ret < 0 ? NULL : m;
}

static bool firmware_has_region(GhVm *vm)
{
    const Range range = pages_of(vm->fw.guest_phys_addr, vm->fw.size);
    int ret;

    if (!vm->fw_set || !vm->fw.size || find_region(vm, &range, &ret)) {
        return true;
    }
    model_log("Failed to share parcel for the fw: %d", ret);
    return false;
}

bool rm_begins(GhVm *vm)
{
    const Range range = image_range(vm);
    bool ok;

    if (vm->trusted_set && vm->dtb.size &&
        vm->dtb.guest_phys_addr + vm->dtb.size > range.start + range.size) {
        model_log("DTB is outside the image parcel");
        return false;
    }
    pthread_mutex_lock(&vm->mm_lock);
    ok = firmware_has_region(vm);
    pthread_mutex_unlock(&vm->mm_lock);
    return ok;
}

Mapping *rm_find_image(GhVm *vm, int *ret)
{
    const Range range = image_range(vm);
    Mapping *m = find_region(vm, &range, ret);

    if (!m) {
        model_log("Failed to allocate parcel for the config image: %d", *ret);
    }
    return m;
}

RmError rm_check_image(const GhVm *vm, const Mapping *image)
{
    const Range range = image_range(vm);
    const uint64_t dtb_at = vm->dtb.guest_phys_addr - range.start;

    if ((vm->trusted_set && range.size < GH_QTVM_METADATA_SIZE) || dtb_at > range.size ||
        vm->dtb.size > range.size - dtb_at) {
        model_log("rm: metadata or device tree are not inside the image");
        return RM_ARGUMENT_INVALID;
    }
    if (vm->trusted_set && !image->lend) {
        model_log("rm: the image of a trusted VM must be lent");
        return RM_DENIED;
    }
    return RM_OK;
}
