/* SPDX-License-Identifier: GPL-2.0-or-later
 * Guest memory for KVM: a slot for each section of RAM, a read-only one for ROM, and ioeventfds.
 * What has no slot (a part of a page, RAM beyond the last slot) is still served by exits, as long
 * as nobody executes from it. Everything here runs in a listener, under the topology lock.
 */
#define G_LOG_DOMAIN "humpy-kvm"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "kvm-priv.h"
#include "util/error.h"

static AccelKvm *from_mem(MemoryListener *l)
{
    return (AccelKvm *)((char *)l - offsetof(AccelKvm, mem_listener));
}

static AccelKvm *from_io(MemoryListener *l)
{
    return (AccelKvm *)((char *)l - offsetof(AccelKvm, io_listener));
}

/* ---- slots ---- */

/* The guest reads (and executes) it directly. */
static bool is_direct(const MemoryRegionSection *section)
{
    return memory_region_is_ram(section->mr) || memory_region_is_romd(section->mr);
}

/* The whole pages of section; FALSE if there are none, or the host's pages lie otherwise. */
static bool whole_pages(const MemoryRegionSection *section, uint64_t *skip, uint64_t *size)
{
    uint64_t page = sysconf(_SC_PAGESIZE);
    uint64_t gpa = section->offset_within_address_space;
    uintptr_t host =
        (uintptr_t)memory_region_get_ram_ptr(section->mr) + section->offset_within_region;

    *skip = -gpa & (page - 1);
    if (((gpa ^ host) & (page - 1)) != 0 || section->size <= *skip) {
        return false;
    }
    *size = (section->size - *skip) & ~(page - 1);
    return *size != 0;
}

static uint32_t free_id(const AccelKvm *kvm)
{
    for (uint32_t id = 0;; id++) {
        bool taken = false;

        for (unsigned i = 0; i < kvm->slots->len && !taken; i++) {
            taken = g_array_index(kvm->slots, KvmSlot, i).id == id;
        }
        if (!taken) {
            return id;
        }
    }
}

static void warn_slot(AccelKvm *kvm, const MemoryRegionSection *section, const char *cause)
{
    kvm->slots_refused++;
    if (kvm->started && !kvm->warned_slots) {
        kvm->warned_slots = true;
        g_warning("RAM '%s' at 0x%" PRIx64 " gets no memory slot and no code can run there: %s",
                  memory_region_name(section->mr), section->offset_within_address_space, cause);
    }
}

static void on_region_add(MemoryListener *l, const MemoryRegionSection *section)
{
    AccelKvm *kvm = from_mem(l);
    struct kvm_userspace_memory_region arg = { 0 };
    uint64_t skip, size;
    KvmSlot slot;

    if (!is_direct(section)) {
        return;
    }
    if (!whole_pages(section, &skip, &size)) {
        if (!kvm->warned_unaligned) {
            kvm->warned_unaligned = true;
            g_debug("'%s' at 0x%" PRIx64 " is served by exits: not whole pages",
                    memory_region_name(section->mr), section->offset_within_address_space);
        }
        return;
    }
    if (kvm->slots->len >= kvm->max_slots) {
        warn_slot(kvm, section, "all of them are in use");
        return;
    }
    slot = (KvmSlot){
        .id = free_id(kvm),
        .gpa = section->offset_within_address_space + skip,
        .size = size,
    };
    arg.slot = slot.id;
    arg.flags = section->readonly ? KVM_MEM_READONLY : 0;
    arg.guest_phys_addr = slot.gpa;
    arg.memory_size = slot.size;
    arg.userspace_addr =
        (uintptr_t)memory_region_get_ram_ptr(section->mr) + section->offset_within_region + skip;
    if (kvm_vm_ioctl(kvm, KVM_SET_USER_MEMORY_REGION, &arg) != 0) {
        warn_slot(kvm, section, g_strerror(errno));
        return;
    }
    g_array_append_val(kvm->slots, slot);
}

static void on_region_del(MemoryListener *l, const MemoryRegionSection *section)
{
    AccelKvm *kvm = from_mem(l);
    struct kvm_userspace_memory_region arg = { 0 };
    uint64_t skip, size;

    if (kvm->detaching || !is_direct(section) || !whole_pages(section, &skip, &size)) {
        return;
    }
    for (unsigned i = 0; i < kvm->slots->len; i++) {
        const KvmSlot *slot = &g_array_index(kvm->slots, KvmSlot, i);

        if (slot->gpa != section->offset_within_address_space + skip || slot->size != size) {
            continue;
        }
        if (!kvm->gate_held) {
            kvm->gate_held = true;
            kvm_gate_close(kvm);
        }
        arg.slot = slot->id;
        if (kvm_vm_ioctl(kvm, KVM_SET_USER_MEMORY_REGION, &arg) != 0) {
            accel_report_event(HUMPY_ACCEL(kvm), ACCEL_EVENT_CRASH,
                               "cannot remove memory slot %u at 0x%" PRIx64 ": %s", slot->id,
                               slot->gpa, g_strerror(errno));
            return;
        }
        g_array_remove_index_fast(kvm->slots, i);
        return;
    }
}

static void on_commit(MemoryListener *l)
{
    AccelKvm *kvm = from_mem(l);

    if (kvm->gate_held) {
        kvm->gate_held = false;
        kvm_gate_open(kvm);
    }
}

bool kvm_memory_check(AccelKvm *kvm, GError **error)
{
    if (kvm->slots_refused == 0) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                "the machine needs %u memory slots but KVM on this host took only %u of its %u",
                kvm->slots->len + kvm->slots_refused, kvm->slots->len, kvm->max_slots);
    return false;
}

/* ---- ioeventfds ---- */

/* One that KVM does not take (it allows one owner per write) stays with the memory API, which
 * signals it when the exit is dispatched. */
static int set_ioeventfd(AccelKvm *kvm, const MemoryRegionSection *section, bool match_data,
                         uint64_t data, int fd, uint32_t flags)
{
    struct kvm_ioeventfd arg = {
        .datamatch = match_data ? data : 0,
        .addr = section->offset_within_address_space,
        .len = section->size,
        .fd = fd,
        .flags = flags | (match_data ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
    };

    return kvm_vm_ioctl(kvm, KVM_IOEVENTFD, &arg) == 0 ? 0 : errno;
}

static void add_ioeventfd(AccelKvm *kvm, const MemoryRegionSection *section, bool match_data,
                          uint64_t data, int fd, uint32_t flags)
{
    int cause = set_ioeventfd(kvm, section, match_data, data, fd, flags);

    if (cause == EEXIST) {
        g_debug("the doorbell at 0x%" PRIx64 " stays in user space",
                section->offset_within_address_space);
    } else if (cause != 0 && !kvm->warned_io) {
        kvm->warned_io = true;
        g_warning("the doorbell at 0x%" PRIx64 " stays in user space, and is slower there: %s",
                  section->offset_within_address_space, g_strerror(cause));
    }
}

/* ENOENT: it had stayed in user space. */
static void del_ioeventfd(AccelKvm *kvm, const MemoryRegionSection *section, bool match_data,
                          uint64_t data, int fd, uint32_t flags)
{
    int cause = kvm->detaching ? 0
                               : set_ioeventfd(kvm, section, match_data, data, fd,
                                               flags | KVM_IOEVENTFD_FLAG_DEASSIGN);

    if (cause != 0 && cause != ENOENT) {
        g_warning("cannot remove the doorbell at 0x%" PRIx64 ": %s",
                  section->offset_within_address_space, g_strerror(cause));
    }
}

static void on_mem_eventfd_add(MemoryListener *l, const MemoryRegionSection *section,
                               bool match_data, uint64_t data, int fd)
{
    add_ioeventfd(from_mem(l), section, match_data, data, fd, 0);
}

static void on_mem_eventfd_del(MemoryListener *l, const MemoryRegionSection *section,
                               bool match_data, uint64_t data, int fd)
{
    del_ioeventfd(from_mem(l), section, match_data, data, fd, 0);
}

static void on_io_eventfd_add(MemoryListener *l, const MemoryRegionSection *section,
                              bool match_data, uint64_t data, int fd)
{
    add_ioeventfd(from_io(l), section, match_data, data, fd, KVM_IOEVENTFD_FLAG_PIO);
}

static void on_io_eventfd_del(MemoryListener *l, const MemoryRegionSection *section,
                              bool match_data, uint64_t data, int fd)
{
    del_ioeventfd(from_io(l), section, match_data, data, fd, KVM_IOEVENTFD_FLAG_PIO);
}

void kvm_memory_init(AccelKvm *kvm)
{
    kvm->slots = g_array_new(false, false, sizeof(KvmSlot));
    kvm->mem_listener = (MemoryListener){
        .name = "kvm",
        .region_add = on_region_add,
        .region_del = on_region_del,
        .commit = on_commit,
        .eventfd_add = on_mem_eventfd_add,
        .eventfd_del = on_mem_eventfd_del,
    };
    kvm->io_listener = (MemoryListener){
        .name = "kvm-io",
        .eventfd_add = on_io_eventfd_add,
        .eventfd_del = on_io_eventfd_del,
    };
}
