/* SPDX-License-Identifier: GPL-2.0-or-later
 * Guest RAM for Gunyah. The listener only collects until START, for the driver knows neither
 * removal nor late regions; then the RAM is checked, cut into regions and given away in one go.
 * On the v17 interface RAM must live in a file of the driver's, which takes the place of the
 * existing mapping at the same host addresses.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gunyah-priv.h"
#include "util/error.h"
#include "util/fd.h"

#define MIB                ((uint64_t)1 << 20)
#define LEND_DEFAULT_CHUNK (256 * MIB)
#define WHOLE              ((uint64_t)1 << 62)

/* ---- what the machine has ---- */

static AccelGunyah *from_listener(MemoryListener *l)
{
    return (AccelGunyah *)((char *)l - offsetof(AccelGunyah, listener));
}

/* A listener cannot refuse. What a guest moves is still served by exits below 1 GiB, so the VM
 * goes on; whoever adds RAM on purpose asks accel_require(ACCEL_CAP_LATE_RAM) first. */
static void warn_late(AccelGunyah *gh, const MemoryRegionSection *section, const char *what)
{
    if (!gh->warned_late) {
        gh->warned_late = true;
        g_warning("RAM '%s' at 0x%" PRIx64 " %s after the VM started, but Gunyah takes memory only "
                  "before",
                  memory_region_name(section->mr), section->offset_within_address_space, what);
    }
}

static void on_region_add(MemoryListener *l, const MemoryRegionSection *section)
{
    AccelGunyah *gh = from_listener(l);
    GunyahRam ram;

    if (!memory_region_is_ram(section->mr) || gh->sealing) {
        return;
    }
    if (gunyah_is_started(gh)) {
        warn_late(gh, section, "appeared");
        return;
    }
    ram = (GunyahRam){
        .gpa = section->offset_within_address_space,
        .size = section->size,
        .host = (uint8_t *)memory_region_get_ram_ptr(section->mr) + section->offset_within_region,
        .mr = section->mr,
        .fd = memory_region_get_fd(section->mr),
        .fd_offset = section->offset_within_region,
        .name = memory_region_name(section->mr),
        .readonly = section->readonly,
    };
    g_array_append_val(gh->ram, ram);
}

static void on_region_del(MemoryListener *l, const MemoryRegionSection *section)
{
    AccelGunyah *gh = from_listener(l);

    if (!memory_region_is_ram(section->mr) || gh->detaching || gh->sealing) {
        return;
    }
    if (gunyah_is_started(gh)) {
        warn_late(gh, section, "went away");
        return;
    }
    for (unsigned i = 0; i < gh->ram->len; i++) {
        GunyahRam *ram = &g_array_index(gh->ram, GunyahRam, i);

        if (ram->gpa == section->offset_within_address_space && ram->size == section->size) {
            g_array_remove_index(gh->ram, i);
            return;
        }
    }
}

void gunyah_memory_init(AccelGunyah *gh)
{
    gh->ram = g_array_new(false, false, sizeof(GunyahRam));
    gh->listener.region_add = on_region_add;
    gh->listener.region_del = on_region_del;
}

/* ---- the plan ---- */

static int by_gpa(gconstpointer a, gconstpointer b)
{
    const GunyahRam *x = a, *y = b;

    return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

/* Memory can be had from base-address on, and devices may be anywhere below 1 GiB. */
static bool check_ram(const GunyahRam *ram, uint64_t base, uint64_t page, GError **error)
{
    if (ram->readonly) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "ROM '%s' at 0x%" PRIx64 ": Gunyah has no read-only memory slots", ram->name,
                    ram->gpa);
        return false;
    }
    if (ram->gpa < MIN(base, GUNYAH_MMIO_LIMIT)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "RAM '%s' starts at 0x%" PRIx64 " but Gunyah keeps addresses below 0x%" PRIx64
                    " for devices",
                    ram->name, ram->gpa, (uint64_t)MIN(base, GUNYAH_MMIO_LIMIT));
        return false;
    }
    if ((ram->gpa | ram->size | (uintptr_t)ram->host) & (page - 1)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "RAM '%s' at 0x%" PRIx64 ", size 0x%" PRIx64
                    ": both must be multiples of the %" PRIu64 "-byte page",
                    ram->name, ram->gpa, ram->size, page);
        return false;
    }
    return true;
}

bool gunyah_memory_moves(const AccelGunyah *gh)
{
    return gh->features.guest_mem || gh->cma.fd >= 0;
}

static bool check_memlock(AccelGunyah *gh, uint64_t total, GError **error)
{
    uint64_t limit = gh->dev.ops->memlock_limit();

    if (gunyah_memory_moves(gh) || total <= limit) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                "%" PRIu64 " MiB of guest RAM must be locked in memory but the limit is %" PRIu64
                " KiB (raise it with ulimit -l %" PRIu64 ", or give CAP_IPC_LOCK)",
                total / MIB, limit / 1024, (total + 1023) / 1024);
    return false;
}

void gunyah_set_lending(AccelGunyah *gh, bool protect)
{
    gh->lending = gh->lend || protect;
}

/* How much of [gpa, gpa + size), from its start on, is in the window or all out of it. */
static uint64_t same_side(const AccelGunyah *gh, uint64_t gpa, uint64_t size, bool *window)
{
    uint64_t base = gh->info->window_base, end = base + gh->info->window_size;

    *window = gh->lending && gpa >= base && gpa < end;
    if (*window) {
        return MIN(size, end - gpa);
    }
    return gh->lending && base < end && gpa < base ? MIN(size, base - gpa) : size;
}

static bool is_firmware(const AccelGunyah *gh, const GunyahRam *ram)
{
    return gh->info->firmware_size > 0 && ram->gpa == gh->info->firmware_base;
}

/* Adds the pieces of one RAM to regions; window and firmware are one each, whatever chunk is. */
static void cut(const AccelGunyah *gh, const GunyahRam *ram, uint64_t chunk, GArray *regions)
{
    for (uint64_t at = 0; at < ram->size;) {
        bool window;
        uint64_t part = same_side(gh, ram->gpa + at, ram->size - at, &window);
        GunyahRegion region = {
            .label = regions->len + 1,
            .gpa = ram->gpa + at,
            .size = window || is_firmware(gh, ram) ? part : MIN(chunk, part),
            .host = ram->host + at,
            .fd = ram->fd,
            .fd_offset = ram->fd_offset + at,
            .window = window,
        };

        g_array_append_val(regions, region);
        at += region.size;
    }
}

static uint64_t count_pieces(const AccelGunyah *gh, uint64_t chunk)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < gh->ram->len; i++) {
        const GunyahRam *ram = &g_array_index(gh->ram, GunyahRam, i);

        for (uint64_t at = 0, part; at < ram->size; at += part) {
            bool window;

            part = same_side(gh, ram->gpa + at, ram->size - at, &window);
            n += window || is_firmware(gh, ram) ? 1 : (part + chunk - 1) / chunk;
        }
    }
    return n;
}

/* Lent parcels are accepted wherever they are contiguous, so cutting them costs nothing and eases
 * the kernel's page arrays. Shared ones need a shm node each to stay where they are, so they are
 * left whole unless the user asks. */
static bool choose_chunk(AccelGunyah *gh, uint64_t *chunk, GError **error)
{
    uint64_t want = gh->chunk_size;
    uint64_t n;

    if (want == 0) {
        want = gh->lending ? LEND_DEFAULT_CHUNK : WHOLE;
        while (want < WHOLE && count_pieces(gh, want) > GUNYAH_MAX_PARCELS) {
            want *= 2;
        }
    }
    n = count_pieces(gh, want);
    if (n > GUNYAH_MAX_PARCELS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "RAM would need %" PRIu64 " parcels but a Gunyah VM has at most %d (give a "
                    "larger chunk-size)",
                    n, GUNYAH_MAX_PARCELS);
        return false;
    }
    *chunk = want;
    return true;
}

/* The android14 driver tells no addresses: the resource manager puts lent parcels one behind the
 * other from the image on, but for those that have a place of their own. */
static void find_apart(const AccelGunyah *gh, GArray *regions)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < regions->len && gh->lending; i++) {
        GunyahRegion *r = &g_array_index(regions, GunyahRegion, i);

        if (r->window || (gh->info->firmware_size > 0 && r->gpa == gh->info->firmware_base)) {
            continue;
        }
        r->apart = !r->image && r->gpa != next;
        next = r->apart ? next : r->gpa + r->size;
    }
}

GArray *gunyah_memory_plan(AccelGunyah *gh, uint64_t image_base, GError **error)
{
    uint64_t page = sysconf(_SC_PAGESIZE);
    g_autoptr(GArray) regions = g_array_new(false, false, sizeof(GunyahRegion));
    uint64_t total = 0, chunk;
    bool image_found = false;

    g_array_sort(gh->ram, by_gpa);
    for (unsigned i = 0; i < gh->ram->len; i++) {
        const GunyahRam *ram = &g_array_index(gh->ram, GunyahRam, i);

        if (!check_ram(ram, gh->has_base_address ? gh->base_address : image_base, page, error)) {
            return NULL;
        }
        total += ram->size;
    }
    if (!check_memlock(gh, total, error) || !choose_chunk(gh, &chunk, error)) {
        return NULL;
    }
    for (unsigned i = 0; i < gh->ram->len; i++) {
        cut(gh, &g_array_index(gh->ram, GunyahRam, i), chunk, regions);
    }
    for (unsigned i = 0; i < regions->len; i++) {
        GunyahRegion *region = &g_array_index(regions, GunyahRegion, i);

        region->image = region->gpa == image_base && !region->window;
        image_found |= region->image;
    }
    if (!image_found || image_base % GUNYAH_IMAGE_ALIGN != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "kernel and DTB are to lie in RAM from 0x%" PRIx64
                    " but no region starts there, or not at a multiple of 2 MiB",
                    image_base);
        return NULL;
    }
    find_apart(gh, regions);
    return g_steal_pointer(&regions);
}

/* ---- giving it away ---- */

static const char *memory_advice(int cause)
{
    switch (cause) {
    case ENOMEM:
        return " (the limit of locked memory, or no contiguous kernel memory for the list of "
               "pages: ulimit -l unlimited, or a smaller chunk-size)";
    case EFAULT:
        return " (not all of its pages could be pinned)";
    case EPERM:
        return " (the VM belongs to another process)";
    case EEXIST:
        return " (its label or its addresses are taken)";
    case EIO:
        return " (this kernel wants anonymous or memfd memory)";
    }
    return "";
}

static bool register_user_memory(AccelGunyah *gh, const GunyahRegion *r, GError **error)
{
    bool lend = gh->lending && !r->window;
    struct gh_userspace_memory_region arg = {
        .label = r->label,
        .flags = GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC,
        .guest_phys_addr = r->gpa,
        .memory_size = r->size,
        .userspace_addr = (uintptr_t)r->host,
    };

    if (gunyah_vm_ioctl(gh, lend ? GH_VM_ANDROID_LEND_USER_MEM : GH_VM_SET_USER_MEM_REGION, &arg) !=
        0) {
        int cause = errno;

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "cannot %s %" PRIu64 " MiB of RAM at 0x%" PRIx64 ": %s%s",
                    lend ? "lend" : "share", r->size / MIB, r->gpa, g_strerror(cause),
                    memory_advice(cause));
        errno = cause;
        return false;
    }
    return true;
}

/* Copies what has been written so far; holes of the old file stay holes of the new. */
static bool copy_ram(const GunyahRegion *r, uint8_t *to, GError **error)
{
    off_t end = r->fd_offset + r->size;
    off_t at = r->fd_offset;

    if (r->fd < 0) {
        memcpy(to, r->host, r->size);
        return true;
    }
    while (at < end) {
        off_t data = lseek(r->fd, at, SEEK_DATA);
        off_t hole;

        if (data < 0 && errno == ENXIO) {
            break;
        }
        hole = data < 0 ? -1 : lseek(r->fd, data, SEEK_HOLE);
        if (hole < 0) {
            error_set_errno(error, errno, "cannot find the data of RAM at 0x%" PRIx64, r->gpa);
            return false;
        }
        hole = MIN(hole, end);
        if (data < hole) {
            memcpy(to + (data - r->fd_offset), r->host + (data - r->fd_offset), hole - data);
        }
        at = hole;
    }
    return true;
}

/* The v17 driver lends no page that anybody has mapped. What comes in the place of RAM has no page
 * at all: a touch is SIGBUS, as that of lent memory is elsewhere. */
static bool hide_ram(const GunyahRegion *r, GError **error)
{
    g_auto(Fd) nothing = memfd_create("humpy-lent", MFD_CLOEXEC);

    if (nothing < 0 || mmap(r->host, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                            nothing, 0) == MAP_FAILED) {
        error_set_errno(error, errno, "cannot let go of RAM at 0x%" PRIx64, r->gpa);
        return false;
    }
    return true;
}

static bool move_to_guest_file(AccelGunyah *gh, const GunyahRegion *r, int fd, uint64_t offset,
                               GError **error)
{
    const HostDevOps *ops = gh->dev.ops;
    void *fresh = ops->mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    bool copied;

    if (fresh == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map guest memory for RAM at 0x%" PRIx64, r->gpa);
        return false;
    }
    copied = copy_ram(r, fresh, error);
    ops->munmap(fresh, r->size);
    if (!copied) {
        return false;
    }
    if (gh->features.guest_mem && gh->lending && !r->window) {
        return hide_ram(r, error);
    }
    if (ops->mmap(r->host, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset) ==
        MAP_FAILED) {
        error_set_errno(error, errno, "cannot put guest memory in place of RAM at 0x%" PRIx64,
                        r->gpa);
        return false;
    }
    return true;
}

static bool register_guest_file(AccelGunyah *gh, const GunyahRegion *r, GError **error)
{
    struct gh_create_mem_args create = { .flags = GH_GUEST_MEM_CLOEXEC, .size = r->size };
    struct gh_map_mem_args map = {
        .guest_addr = r->gpa,
        .flags = (gh->lending && !r->window ? GH_MAP_FORCE_LEND : GH_MAP_FORCE_SHARE) |
                 GH_MAP_ALLOW_READ | GH_MAP_ALLOW_WRITE | GH_MAP_ALLOW_EXEC,
        .size = r->size,
    };
    int fd = hostdev_ioctl(gh->dev.ops, gh->dev.fd, GH_CREATE_GUEST_MEM, (uintptr_t)&create);
    bool ok;

    if (fd < 0) {
        error_set_errno(error, errno, "cannot create %" PRIu64 " MiB of guest memory",
                        r->size / MIB);
        return false;
    }
    ok = move_to_guest_file(gh, r, fd, 0, error);
    map.guest_mem_fd = fd;
    if (ok && gunyah_vm_ioctl(gh, GH_VM_MAP_MEM, &map) != 0) {
        error_set_errno(error, errno, "cannot map %" PRIu64 " MiB of RAM at 0x%" PRIx64,
                        r->size / MIB, r->gpa);
        ok = false;
    }
    hostdev_close(gh->dev.ops, fd);
    return ok;
}

static bool map_cma(AccelGunyah *gh, const GunyahRegion *r, int fd, uint64_t offset, GError **error)
{
    struct gh_map_cma_mem_args map = {
        .label = r->label,
        .guest_addr = r->gpa,
        .flags = (gh->lending && !r->window ? GH_CMA_FORCE_LEND : GH_CMA_FORCE_SHARE) |
                 GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC,
        .guest_mem_fd = fd,
        .offset = offset,
        .size = r->size,
    };

    if (!move_to_guest_file(gh, r, fd, offset, error)) {
        return false;
    }
    if (gunyah_vm_ioctl(gh, GH_VM_ANDROID_MAP_CMA_MEM, &map) != 0) {
        error_set_errno(error, errno, "cma=%s: cannot map %" PRIu64 " MiB of RAM at 0x%" PRIx64,
                        gh->cma_path, r->size / MIB, r->gpa);
        return false;
    }
    return true;
}

/* All regions one after the other in the platform's contiguous memory. */
static bool register_cma(AccelGunyah *gh, const GArray *regions, GError **error)
{
    int fd = hostdev_ioctl(gh->cma.ops, gh->cma.fd, GH_ANDROID_CREATE_CMA_MEM_FD, 0);
    uint64_t total = 0, offset = 0;
    struct stat st = { 0 };
    bool ok = true;

    if (fd < 0 || fstat(fd, &st) != 0) { /* the second cannot be, for an open descriptor */
        error_set_errno(error, errno, "cma=%s: cannot get the memory", gh->cma_path);
        return false;
    }
    for (unsigned i = 0; i < regions->len; i++) {
        total += g_array_index(regions, GunyahRegion, i).size;
    }
    if (total > (uint64_t)st.st_size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "cma=%s: has %" PRIu64 " MiB but the guest needs %" PRIu64 " (see -m)",
                    gh->cma_path, (uint64_t)st.st_size / MIB, total / MIB);
        ok = false;
    }
    for (unsigned i = 0; i < regions->len && ok; i++) {
        const GunyahRegion *r = &g_array_index(regions, GunyahRegion, i);

        ok = map_cma(gh, r, fd, offset, error);
        offset += r->size;
    }
    hostdev_close(gh->cma.ops, fd);
    return ok;
}

/* Highest first: an android14 driver tells the resource manager of the newest region first, and
 * lent parcels without a place of their own go behind the image in the order they are told. */
bool gunyah_memory_register(AccelGunyah *gh, const GArray *regions, GError **error)
{
    if (gh->cma.fd >= 0) {
        return register_cma(gh, regions, error);
    }
    for (unsigned i = regions->len; i-- > 0;) {
        const GunyahRegion *r = &g_array_index(regions, GunyahRegion, i);

        if (!(gh->features.guest_mem ? register_guest_file(gh, r, error)
                                     : register_user_memory(gh, r, error))) {
            return false;
        }
    }
    return true;
}

/* The window is the end of its RAM: what comes before is lent. */
static uint64_t lent_bytes(const AccelGunyah *gh, const GunyahRam *ram)
{
    bool window;
    uint64_t part = same_side(gh, ram->gpa, ram->size, &window);

    return window ? 0 : part;
}

void gunyah_memory_seal(AccelGunyah *gh)
{
    g_autoptr(GHashTable) lent = g_hash_table_new(NULL, NULL);
    GHashTableIter iter;
    void *mr, *size;

    for (unsigned i = 0; i < gh->ram->len; i++) {
        const GunyahRam *ram = &g_array_index(gh->ram, GunyahRam, i);
        uint64_t end = ram->fd_offset + lent_bytes(gh, ram); /* offset into ram->mr */
        uint64_t before = GPOINTER_TO_SIZE(g_hash_table_lookup(lent, ram->mr));

        if (lent_bytes(gh, ram) > 0) {
            g_hash_table_insert(lent, ram->mr, GSIZE_TO_POINTER(MAX(before, end)));
        }
    }
    gh->sealing = true;
    memory_region_transaction_begin();
    g_hash_table_iter_init(&iter, lent);
    while (g_hash_table_iter_next(&iter, &mr, &size)) {
        memory_region_set_lent(mr, GPOINTER_TO_SIZE(size));
    }
    memory_region_transaction_commit();
    gh->sealing = false;
}
