/* SPDX-License-Identifier: GPL-2.0-or-later
 * Guest memory for ACRN. RAM is collected until START and then given to the hypervisor for the
 * VM's life: the driver pins it and cannot take it back. Doorbells become ioeventfds of the driver
 * where those mean the same.
 */
#define G_LOG_DOMAIN "humpy-acrn"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "acrn-priv.h"
#include "util/error.h"

#define MIB ((uint64_t)1 << 20)

enum {
    /* One SET_MEMSEG holds its pages in one allocation of 4 MiB: 131071 of them. Rounded down so
     * that pieces of small pages keep the alignment of a huge one. */
    MAX_PAGES = 131071 & ~511,
};

static AccelAcrn *from_mem(MemoryListener *l)
{
    return (AccelAcrn *)((char *)l - offsetof(AccelAcrn, mem_listener));
}

static AccelAcrn *from_io(MemoryListener *l)
{
    return (AccelAcrn *)((char *)l - offsetof(AccelAcrn, io_listener));
}

/* ---- RAM ---- */

static uint64_t backing_page(MemoryRegion *mr)
{
    int fd = memory_region_get_fd(mr);
    struct statfs st;

    return fd >= 0 && fstatfs(fd, &st) == 0 && st.f_type == HUGETLBFS_MAGIC ? (uint64_t)st.f_bsize
                                                                            : ACRN_PAGE_SIZE;
}

/* A listener cannot refuse; what appears late is served by exits, and whoever adds RAM on purpose
 * asks accel_require(ACCEL_CAP_LATE_RAM) first. */
static void warn_late(AccelAcrn *acrn, const MemoryRegionSection *section, const char *what)
{
    if (!acrn->warned_late) {
        acrn->warned_late = true;
        g_warning("RAM '%s' at 0x%" PRIx64 " %s after the VM started, but ACRN takes memory only "
                  "before, and for good",
                  memory_region_name(section->mr), section->offset_within_address_space, what);
    }
}

static void on_region_add(MemoryListener *l, const MemoryRegionSection *section)
{
    AccelAcrn *acrn = from_mem(l);
    AcrnRam ram;

    if (!memory_region_is_ram(section->mr)) {
        return;
    }
    if (acrn->started) {
        warn_late(acrn, section, "appeared");
        return;
    }
    ram = (AcrnRam){
        .gpa = section->offset_within_address_space,
        .size = section->size,
        .host = (uint8_t *)memory_region_get_ram_ptr(section->mr) + section->offset_within_region,
        .name = memory_region_name(section->mr),
        .page = backing_page(section->mr),
        .readonly = section->readonly,
    };
    g_array_append_val(acrn->ram, ram);
}

static void on_region_del(MemoryListener *l, const MemoryRegionSection *section)
{
    AccelAcrn *acrn = from_mem(l);

    if (!memory_region_is_ram(section->mr) || acrn->detaching) {
        return;
    }
    if (acrn->started) {
        warn_late(acrn, section, "went away");
        return;
    }
    for (unsigned i = 0; i < acrn->ram->len; i++) {
        const AcrnRam *ram = &g_array_index(acrn->ram, AcrnRam, i);

        if (ram->gpa == section->offset_within_address_space && ram->size == section->size) {
            g_array_remove_index(acrn->ram, i);
            return;
        }
    }
}

static bool check_ram(const AcrnRam *ram, GError **error)
{
    if ((ram->gpa | ram->size | (uintptr_t)ram->host) & (ram->page - 1)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "RAM '%s' at 0x%" PRIx64 ", size 0x%" PRIx64
                    ": both must be multiples of its pages' %" PRIu64 " bytes",
                    ram->name, ram->gpa, ram->size, ram->page);
        return false;
    }
    return true;
}

static uint64_t pieces(const AcrnRam *ram)
{
    uint64_t piece = ram->page * MAX_PAGES;

    return (ram->size + piece - 1) / piece;
}

static const char *segment_advice(int cause)
{
    switch (cause) {
    case ENOMEM:
        return " (the kernel has no memory for the list of pages: back the RAM with huge pages, "
               "-object memory-backend-file,mem-path=/dev/hugepages/...)";
    case EFAULT:
        return " (not all of its pages could be pinned)";
    case EPERM:
    case EINVAL:
        return " (the hypervisor refuses these addresses)";
    }
    return "";
}

static bool set_segment(AccelAcrn *acrn, const AcrnRam *ram, uint64_t at, GError **error)
{
    struct acrn_vm_memmap arg = {
        .type = ACRN_MEMMAP_RAM,
        .attr = ACRN_MEM_TYPE_WB |
                (ram->readonly ? ACRN_MEM_ACCESS_READ | ACRN_MEM_ACCESS_EXEC : ACRN_MEM_ACCESS_RWX),
        .user_vm_pa = ram->gpa + at,
        .vma_base = (uintptr_t)ram->host + at,
        .len = MIN(ram->page * MAX_PAGES, ram->size - at),
    };

    if (acrn_ioctl(acrn, ACRN_IOCTL_SET_MEMSEG, &arg) != 0) {
        int cause = errno;

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "cannot give the VM %" PRIu64 " KiB of '%s' at 0x%" PRIx64 ": %s%s",
                    (uint64_t)arg.len / 1024, ram->name, (uint64_t)arg.user_vm_pa,
                    g_strerror(cause), segment_advice(cause));
        return false;
    }
    return true;
}

bool acrn_memory_register(AccelAcrn *acrn, GError **error)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < acrn->ram->len; i++) {
        const AcrnRam *ram = &g_array_index(acrn->ram, AcrnRam, i);

        if (!check_ram(ram, error)) {
            return false;
        }
        total += pieces(ram);
    }
    if (total > ACRN_MAX_SEGMENTS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "RAM would need %" PRIu64 " segments but an ACRN VM has at most %d (back it "
                    "with larger pages, -object memory-backend-file,mem-path=/dev/hugepages/...)",
                    total, ACRN_MAX_SEGMENTS);
        return false;
    }
    for (unsigned i = 0; i < acrn->ram->len; i++) {
        const AcrnRam *ram = &g_array_index(acrn->ram, AcrnRam, i);

        for (uint64_t at = 0; at < ram->size; at += ram->page * MAX_PAGES) {
            if (!set_segment(acrn, ram, at, error)) {
                return false;
            }
        }
    }
    acrn->started = true;
    return true;
}

/* ---- doorbells ---- */

/* The driver answers everything in an ioeventfd's range by itself: reads are 0, and a write that
 * does not match is lost. So one that takes only some data (a queue's number in a register that all
 * queues share) must not be registered: the others would be swallowed. One that takes any data is
 * all that its range does. */
static bool means_the_same(const MemoryRegionSection *section, bool match_data)
{
    return !match_data &&
           (section->size == 1 || section->size == 2 || section->size == 4 || section->size == 8);
}

static bool set_doorbell(AccelAcrn *acrn, struct acrn_ioeventfd arg, uint32_t flag)
{
    arg.flags |= flag;
    if (acrn_ioctl(acrn, ACRN_IOCTL_IOEVENTFD, &arg) == 0) {
        return true;
    }
    if (errno != EEXIST && !acrn->warned_doorbell) {
        acrn->warned_doorbell = true;
        g_warning("-accel acrn: the doorbell at 0x%" PRIx64 " stays in user space, and is slower "
                  "there: %s",
                  (uint64_t)arg.addr, g_strerror(errno));
    }
    return false;
}

static void add_doorbell(AccelAcrn *acrn, const MemoryRegionSection *section, bool match_data,
                         int fd, uint32_t flags)
{
    AcrnDoorbell bell = { .arg = {
                              .fd = fd,
                              .flags = flags,
                              .addr = section->offset_within_address_space,
                              .len = section->size,
                          } };

    if (means_the_same(section, match_data) && set_doorbell(acrn, bell.arg, 0)) {
        g_array_append_val(acrn->doorbells, bell);
    }
}

/* The driver finds what is to go by its eventfd alone, and takes the first: all of them go, and the
 * others come back. */
static void del_doorbell(AccelAcrn *acrn, const MemoryRegionSection *section, bool match_data,
                         int fd, uint32_t flags)
{
    bool found = false;

    if (acrn->detaching || !means_the_same(section, match_data)) {
        return;
    }
    for (unsigned i = acrn->doorbells->len; i-- > 0;) {
        struct acrn_ioeventfd arg = g_array_index(acrn->doorbells, AcrnDoorbell, i).arg;

        if ((int)arg.fd == fd && arg.addr == section->offset_within_address_space &&
            arg.flags == flags) {
            g_array_remove_index(acrn->doorbells, i);
            set_doorbell(acrn, arg, ACRN_IOEVENTFD_FLAG_DEASSIGN);
            found = true;
            break;
        }
    }
    if (!found) {
        return;
    }
    for (unsigned i = 0; i < acrn->doorbells->len; i++) {
        struct acrn_ioeventfd arg = g_array_index(acrn->doorbells, AcrnDoorbell, i).arg;

        if ((int)arg.fd == fd) {
            set_doorbell(acrn, arg, ACRN_IOEVENTFD_FLAG_DEASSIGN);
        }
    }
    for (unsigned i = 0; i < acrn->doorbells->len; i++) {
        struct acrn_ioeventfd arg = g_array_index(acrn->doorbells, AcrnDoorbell, i).arg;

        if ((int)arg.fd == fd) {
            set_doorbell(acrn, arg, 0);
        }
    }
}

static void on_mem_eventfd_add(MemoryListener *l, const MemoryRegionSection *section,
                               bool match_data, uint64_t data, int fd)
{
    add_doorbell(from_mem(l), section, match_data, fd, 0);
}

static void on_mem_eventfd_del(MemoryListener *l, const MemoryRegionSection *section,
                               bool match_data, uint64_t data, int fd)
{
    del_doorbell(from_mem(l), section, match_data, fd, 0);
}

static void on_io_eventfd_add(MemoryListener *l, const MemoryRegionSection *section,
                              bool match_data, uint64_t data, int fd)
{
    add_doorbell(from_io(l), section, match_data, fd, ACRN_IOEVENTFD_FLAG_PIO);
}

static void on_io_eventfd_del(MemoryListener *l, const MemoryRegionSection *section,
                              bool match_data, uint64_t data, int fd)
{
    del_doorbell(from_io(l), section, match_data, fd, ACRN_IOEVENTFD_FLAG_PIO);
}

void acrn_memory_init(AccelAcrn *acrn)
{
    acrn->ram = g_array_new(false, false, sizeof(AcrnRam));
    acrn->doorbells = g_array_new(false, false, sizeof(AcrnDoorbell));
    acrn->mem_listener = (MemoryListener){
        .name = "acrn",
        .region_add = on_region_add,
        .region_del = on_region_del,
        .eventfd_add = on_mem_eventfd_add,
        .eventfd_del = on_mem_eventfd_del,
    };
    acrn->io_listener = (MemoryListener){
        .name = "acrn-io",
        .eventfd_add = on_io_eventfd_add,
        .eventfd_del = on_io_eventfd_del,
    };
}
