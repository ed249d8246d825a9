/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/gunyah against a recording kernel (fake-gunyah.h): probing, memory, functions, start and
 * its retries, teardown. The run loop and interrupts are in test-gunyah-run.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <libfdt.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake-gunyah-world.h"
#include "probe.h"

#define MIB ((uint64_t)1 << 20)

static FakeGunyah *const k = &fake_gunyah;

/* ---- opening ---- */

static void open_errors(World *w, gconstpointer data)
{
    static const struct {
        int err;
        const char *says;
    } rows[] = {
        { ENOENT, "no Gunyah driver" },
        { EACCES, "SELinux" },
        { ENXIO, "no driver is behind it" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        k->open_errno = rows[i].err;
        g_assert_null(world_create("", &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
        world_assert_says(error, FAKE_GUNYAH_PATH);
        world_assert_says(error, g_strerror(rows[i].err));
        world_assert_says(error, rows[i].says);
        g_assert_true(g_str_has_prefix(error->message, "-accel gunyah: cannot open "));
    }
}

static void old_api(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fake_gunyah_fail(GH_CREATE_VM, 0, EINVAL, 1);
    g_assert_null(world_create("", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    world_assert_says(error, "0xB2");
    world_assert_says(error, "android14-6.1 or newer");
    g_assert_cmpuint(k->open_fds, ==, 0);
}

static void no_memory_call(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    k->share = k->lend = false;
    g_assert_null(world_create("", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    g_assert_cmpuint(k->open_fds, ==, 0);
}

static void lend_needs_its_call(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    k->lend = false;
    g_assert_null(world_create(",lend=on", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    world_assert_says(error, "lend=on");
    g_assert_cmpuint(k->open_fds, ==, 0);
}

static void odd_chunk(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(world_create(",chunk-size=3M", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    world_assert_says(error, "multiple of 2M");
}

/* A probe must leave nothing behind: NULL arguments only. */
static void probe_has_no_effect(World *w, gconstpointer data)
{
    k->boot_context = k->reclaim = true;
    w->accel = world_create("", NULL);
    g_assert_cmpstr(k->log->str, ==, "create");
}

static void fixed_entry(World *w, gconstpointer data)
{
    uint64_t entry = 0;

    w->accel = world_create("", NULL);
    g_assert_true(accel_fixed_entry(w->accel, RAM_BASE, &entry));
    g_assert_cmphex(entry, ==, RAM_BASE);
    g_clear_object(&w->accel);
    k->boot_context = true;
    w->accel = world_create("", NULL);
    g_assert_false(accel_fixed_entry(w->accel, RAM_BASE, &entry));
}

/* ---- start ---- */

static void order(World *w, gconstpointer data)
{
    world_setup(w, "", 2);
    world_connect(w, 1, ACCEL_IRQ_LEVEL);
    world_connect(w, 40, ACCEL_IRQ_EDGE);
    g_assert_cmpstr(k->log->str, ==, "create");
    world_start(w);
    accel_teardown(w->accel);
    g_assert_cmpstr(k->log->str, ==,
                    "create share vcpu vcpu irqfd irqfd dtb start close-vcpu close-vcpu close-vm");
    g_clear_object(&w->accel);
    g_assert_true(g_str_has_suffix(k->log->str, " close-vm close-dev"));
    g_assert_false(k->eventfds_open_at_close);
    g_assert_cmpuint(k->open_fds, ==, 0);
    g_assert_cmpuint(k->mapped, ==, 0);
}

static void run_page_size(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    world_start(w);
    g_assert_cmpuint(k->mapped, ==, FAKE_RUN_PAGE);
}

static void share_and_dtb(World *w, gconstpointer data)
{
    const struct gh_userspace_memory_region *r;

    world_setup(w, "", 1);
    world_start(w);
    g_assert_cmpuint(k->regions->len, ==, 1);
    r = &g_array_index(k->regions, struct gh_userspace_memory_region, 0);
    g_assert_cmphex(r->guest_phys_addr, ==, RAM_BASE);
    g_assert_cmphex(r->memory_size, ==, RAM_SIZE);
    g_assert_true(r->userspace_addr == (uintptr_t)memory_region_get_ram_ptr(&w->ram));
    g_assert_cmphex(r->flags, ==, 7);
    g_assert_cmphex(k->dtb.guest_phys_addr, ==, w->boot.dtb_gpa);
    g_assert_cmphex(k->dtb.size, ==, w->boot.dtb_room);
}

/* Registered downwards, for START gives the newest first and lent parcels are placed in the order
 * given. */
static void chunks(World *w, gconstpointer data)
{
    uint64_t end = RAM_BASE + RAM_SIZE;
    uint32_t labels = 0;

    world_setup(w, ",lend=on,chunk-size=14M", 1);
    world_start(w);
    g_assert_nonnull(strstr(k->log->str, "create lend lend lend lend lend vcpu"));
    for (unsigned i = 0; i < k->regions->len; i++) {
        const struct gh_userspace_memory_region *r =
            &g_array_index(k->regions, struct gh_userspace_memory_region, i);

        end -= r->memory_size;
        g_assert_cmphex(r->guest_phys_addr, ==, end);
        g_assert_cmphex(r->userspace_addr, ==,
                        (uintptr_t)memory_region_get_ram_ptr(&w->ram) + end - RAM_BASE);
        g_assert_cmpuint(r->memory_size, <=, 14 * MIB);
        g_assert_cmpuint(labels & (1u << r->label), ==, 0);
        labels |= 1u << r->label;
    }
    g_assert_cmphex(end, ==, RAM_BASE);
}

static void default_chunks(World *w, gconstpointer data)
{
    world_grow_ram(w, 20 * 1024 * MIB);
    world_setup(w, ",lend=on", 1);
    world_start(w);
    g_assert_cmpuint(k->regions->len, ==, 40); /* 80 of 256M would be too many */
    g_clear_object(&w->accel);
    world_setup(w, "", 1);
    world_start(w);
    g_assert_cmpuint(k->regions->len, ==, 1);
}

static void fails_to_start(World *w, HumpyError code, const char *says)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(accel_start(w->accel, &w->boot, &error));
    g_assert_error(error, HUMPY_ERROR, (int)code);
    g_assert_true(g_str_has_prefix(error->message, "-accel gunyah: "));
    world_assert_says(error, says);
    g_clear_object(&w->accel);
    g_assert_cmpuint(k->open_fds, ==, 0);
    g_assert_cmpuint(k->mapped, ==, 0);
}

static void too_many_chunks(World *w, gconstpointer data)
{
    world_grow_ram(w, 256 * MIB);
    world_setup(w, ",chunk-size=2M", 1);
    fails_to_start(w, HUMPY_ERROR_RANGE, "128 parcels but a Gunyah VM has at most 64");
    g_assert_cmpuint(k->n_starts, ==, 0);
}

static void memlock(World *w, gconstpointer data)
{
    k->memlock = RAM_SIZE - 1;
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_HOST, "ulimit -l 65536");
    g_assert_cmpstr(k->log->str, ==, "create close-vm close-dev");
}

static void memlock_just_enough(World *w, gconstpointer data)
{
    k->memlock = RAM_SIZE;
    world_setup(w, "", 1);
    world_start(w);
}

static void rom(World *w, gconstpointer data)
{
    MemoryRegion rom;

    g_assert_true(memory_region_init_rom(&rom, NULL, "bios", 0x10000, NULL));
    memory_region_add_subregion(&w->root, 0x80000000, &rom);
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_UNSUPPORTED, "ROM 'bios' at 0x80000000");
    memory_region_del_subregion(&w->root, &rom);
    memory_region_destroy(&rom);
}

static void low_ram(World *w, gconstpointer data)
{
    MemoryRegion low;

    g_assert_true(memory_region_init_ram(&low, NULL, "low", 0x10000, NULL));
    memory_region_add_subregion(&w->root, 0x3fff0000, &low);
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_RANGE, "RAM 'low' starts at 0x3fff0000");
    memory_region_del_subregion(&w->root, &low);
    memory_region_destroy(&low);
}

static void removed_in_time(World *w, gconstpointer data)
{
    MemoryRegion low;

    g_assert_true(memory_region_init_ram(&low, NULL, "low", 0x10000, NULL));
    world_setup(w, "", 1);
    memory_region_add_subregion(&w->root, 0, &low);
    memory_region_del_subregion(&w->root, &low);
    world_start(w);
    g_assert_cmpuint(k->regions->len, ==, 1);
    memory_region_destroy(&low);
}

static void late_ram(World *w, gconstpointer data)
{
    MemoryRegion late;

    g_assert_true(memory_region_init_ram(&late, NULL, "late", 0x10000, NULL));
    world_setup(w, "", 1);
    world_start(w);
    g_test_expect_message("humpy-gunyah", G_LOG_LEVEL_WARNING,
                          "RAM 'late' at 0x90000000 appeared*");
    memory_region_add_subregion(&w->root, 0x90000000, &late);
    memory_region_del_subregion(&w->root, &late);
    g_test_assert_expected_messages();
    g_assert_cmpuint(k->regions->len, ==, 1);
    memory_region_destroy(&late);
}

static void unaligned_image(World *w, gconstpointer data)
{
    w->boot.ram_base += 0x1000;
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_RANGE, "0x40001000");
}

static void unaligned_ram(World *w, gconstpointer data)
{
    memory_region_set_address(&w->ram, RAM_BASE + 0x100000);
    w->boot.ram_base = w->boot.entry = RAM_BASE + 0x100000;
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_RANGE, "0x40100000");
}

static void dtb_outside(World *w, gconstpointer data)
{
    world_setup(w, ",chunk-size=2M", 1);
    fails_to_start(w, HUMPY_ERROR_RANGE, "is not inside the RAM region");
}

static void entry_elsewhere(World *w, gconstpointer data)
{
    w->boot.entry += 0x80000;
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_UNSUPPORTED, "SET_BOOT_CONTEXT");
    k->boot_context = true;
    world_setup(w, "", 1);
    world_start(w);
    g_assert_cmphex(k->boot.reg, ==, 0x100);
    g_assert_cmphex(k->boot.value, ==, RAM_BASE + 0x80000);
    g_assert_cmphex(k->boot.reserved, ==, 0);
}

static void memory_errors(World *w, gconstpointer data)
{
    static const struct {
        int err;
        const char *says;
    } rows[] = {
        { ENOMEM, "ulimit -l" }, { EFAULT, "pinned" }, { EPERM, "another process" },
        { EEXIST, "taken" },     { EIO, "memfd" },     { EOVERFLOW, "0x40000000" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        fake_gunyah_fail(GH_VM_SET_USER_MEM_REGION, 0, rows[i].err, 1);
        world_setup(w, "", 1);
        fails_to_start(w, HUMPY_ERROR_HOST, rows[i].says);
    }
}

static void function_errors(World *w, gconstpointer data)
{
    static const struct {
        uint32_t fn;
        const char *says;
    } rows[] = {
        { GH_FN_VCPU, "cannot add vCPU 0: No such file or directory (the kernel lacks" },
        { GH_FN_IRQFD, "cannot add the doorbell of SPI 7" },
        { GH_FN_IOEVENTFD, "notify address 0xa000050" },
    };
    int fd = eventfd(0, EFD_CLOEXEC);

    memory_region_add_eventfd(&w->device, 0x50, 4, false, 0, fd);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        fake_gunyah_fail(GH_VM_ADD_FUNCTION, rows[i].fn, ENOENT, 1);
        world_setup(w, "", 1);
        world_connect(w, 7, ACCEL_IRQ_EDGE);
        fails_to_start(w, HUMPY_ERROR_HOST, rows[i].says);
    }
    memory_region_del_eventfd(&w->device, 0x50, 4, false, 0, fd);
    close(fd);
}

static void start_errors(World *w, gconstpointer data)
{
    static const struct {
        int err;
        const char *says;
    } rows[] = {
        { EOPNOTSUPP, "does not implement" },
        { ENOMEM, "out of memory" },
        { ENODEV, "protected=on" },
        { EPERM, "denied" },
        { EBUSY, "earlier VM" },
        { EINVAL, "refused the configuration" },
        { EBADMSG, "does not know" },
        { EXDEV, "not in the driver's table" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        fake_gunyah_fail(GH_VM_START, 0, rows[i].err, 1);
        world_setup(w, ",start-retries=0", 1);
        fails_to_start(w, HUMPY_ERROR_HYPERVISOR, rows[i].says);
    }
    fake_gunyah_fail(GH_VM_SET_DTB_CONFIG, 0, EOVERFLOW, 1);
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_HOST, "SET_DTB_CONFIG");
}

/* A failed START leaves a dead VM: each attempt has its own descriptor and its own everything. */
static void relaunch(World *w, gconstpointer data)
{
    fake_gunyah_fail(GH_VM_START, 0, EBUSY, 1);
    fake_gunyah_fail(GH_VM_START, 0, ENODEV, 1);
    world_setup(w, ",start-retries=3", 1);
    fake_gunyah_fail(GH_CREATE_VM, 0, EBUSY, 1);
    world_connect(w, 3, ACCEL_IRQ_EDGE);
    world_start(w);
    g_assert_cmpstr(k->log->str, ==,
                    "create share vcpu irqfd dtb start close-vcpu close-vm "
                    "create create share vcpu irqfd dtb start close-vcpu close-vm "
                    "create share vcpu irqfd dtb start");
    g_assert_false(k->eventfds_open_at_close);
}

/* The resource manager rewrites the device tree in place even if START fails later. */
static void relaunch_has_the_tree_as_it_was(World *w, gconstpointer data)
{
    fake_gunyah_fail(GH_VM_START, 0, ENODEV, 2);
    world_setup(w, ",start-retries=3", 1);
    k->start_spoils =
        (uint8_t *)memory_region_get_ram_ptr(&w->ram) + (w->boot.dtb_gpa - RAM_BASE) + 9;
    world_start(w);
    g_assert_cmpuint(k->n_starts, ==, 3);
    g_assert_false(k->spoilt_before);
}

static void relaunch_is_bounded(World *w, gconstpointer data)
{
    fake_gunyah_fail(GH_VM_START, 0, EBUSY, 100);
    world_setup(w, ",start-retries=2", 1);
    fails_to_start(w, HUMPY_ERROR_HYPERVISOR, "START: ");
    g_assert_cmpuint(k->n_starts, ==, 3);
}

/* What this program's own VM before still holds will be given back: waited for by the clock, and
 * pinned memory counts as well. */
static void relaunch_waits_longer(World *w, gconstpointer data)
{
    fake_gunyah_fail(GH_VM_START, 0, EBUSY, 3);
    fake_gunyah_fail(GH_VM_SET_USER_MEM_REGION, 0, ENOMEM, 2);
    world_setup(w, ",start-retries=0", 1);
    accel_set_relaunch(w->accel);
    world_start(w);
    g_assert_cmpuint(k->n_starts, ==, 4);
}

/* protected=auto: a VM that ran with shared memory does not become a protected one by a reboot, for
 * a refusal may come from the VM before. */
static void relaunch_keeps_what_auto_came_to(World *w, gconstpointer data)
{
    world_setup(w, ",protected=auto", 1);
    world_start(w);
    g_clear_object(&w->accel);
    fake_gunyah_fail(GH_VM_START, 0, ENODEV, 5);
    world_setup(w, ",protected=auto,start-retries=1", 1);
    accel_set_relaunch(w->accel);
    world_start(w);
    g_assert_cmpuint(k->n_starts, ==, 7);
    g_assert_false(accel_wants_protection(w->accel));
}

static void relaunch_ends_by_the_clock(World *w, gconstpointer data)
{
    fake_gunyah_fail(GH_VM_START, 0, ENODEV, 100);
    world_setup(w, ",relaunch-timeout=0", 1);
    accel_set_relaunch(w->accel);
    fails_to_start(w, HUMPY_ERROR_HYPERVISOR, "START: ");
    g_assert_cmpuint(k->n_starts, ==, 1);
}

/* Newer drivers are done when close() returns: there is nothing to wait for. */
static void relaunch_does_not_wait_for_newer_drivers(World *w, gconstpointer data)
{
    k->reclaim = true;
    fake_gunyah_fail(GH_VM_START, 0, ENODEV, 100);
    world_setup(w, ",start-retries=1", 1);
    accel_set_relaunch(w->accel);
    fails_to_start(w, HUMPY_ERROR_HYPERVISOR, "START: ");
    g_assert_cmpuint(k->n_starts, ==, 2);
}

static void no_retry_without_hope(World *w, gconstpointer data)
{
    fake_gunyah_fail(GH_VM_START, 0, EINVAL, 100);
    world_setup(w, "", 1);
    fails_to_start(w, HUMPY_ERROR_HYPERVISOR, "START: ");
    g_assert_cmpuint(k->n_starts, ==, 1);
}

/* Android 15: the driver lets go of a page before the host does, or both keep it. */
static void reclaim_before_discard(World *w, gconstpointer data)
{
    uint8_t *host = memory_region_get_ram_ptr(&w->ram);
    uint64_t page = sysconf(_SC_PAGESIZE);

    if (!can_discard()) {
        return;
    }
    k->reclaim = true;
    world_setup(w, "", 1);
    host[5 * page] = 7;
    g_assert_cmpuint(memory_discard(host + 5 * page, page), ==, 0); /* not started yet */
    world_start(w);
    fake_gunyah_fail(GH_VM_RECLAIM_REGION, 0, EBUSY, 1);
    g_assert_cmpuint(memory_discard(host + 5 * page, page), ==, 0);
    g_assert_cmpuint(host[5 * page], ==, 7);
    g_assert_cmpuint(memory_discard(host + 5 * page - 1, 2 * page), ==, page);
    g_assert_cmpuint(host[5 * page], ==, 0);
    g_assert_cmphex(k->reclaimed.guest_phys_addr, ==, RAM_BASE + 5 * page);
    g_assert_cmphex(k->reclaimed.size, ==, page);
    g_assert_cmpuint(memory_discard(&page, sizeof(page)), ==, 0); /* no guest's */
    g_clear_object(&w->accel);
    g_assert_cmpuint(memory_discard(host + 5 * page, page), ==, page);
}

static void pinned_memory_is_not_discarded(World *w, gconstpointer data)
{
    uint8_t *host = memory_region_get_ram_ptr(&w->ram);
    uint64_t page = sysconf(_SC_PAGESIZE);

    world_setup(w, "", 1);
    world_start(w);
    g_assert_cmpuint(memory_discard(host + page, page), ==, 0);
}

static void v17_files(World *w, gconstpointer data)
{
    const struct gh_map_mem_args *map;
    uint8_t *host = memory_region_get_ram_ptr(&w->ram);

    k->share = k->lend = false;
    k->guest_mem = k->boot_context = true;
    k->memlock = 0; /* the driver's files are not charged */
    strcpy((char *)host + 0x5000, "kernel");
    world_setup(w, "", 1);
    world_start(w);
    g_assert_nonnull(strstr(k->log->str, "create file map vcpu"));
    map = &g_array_index(k->files, struct gh_map_mem_args, 0);
    g_assert_cmphex(map->guest_addr, ==, RAM_BASE);
    g_assert_cmphex(map->size, ==, RAM_SIZE);
    g_assert_cmphex(map->flags, ==, 0x72);
    g_assert_cmpstr((char *)host + 0x5000, ==, "kernel");
}

/* The driver lends no page that somebody has mapped. */
static void v17_lent_files(World *w, gconstpointer data)
{
    const struct gh_map_mem_args *map;
    g_autofree char *maps = NULL;

    k->share = k->lend = false;
    k->guest_mem = k->boot_context = true;
    world_setup(w, ",lend=on", 1);
    world_start(w);
    map = &g_array_index(k->files, struct gh_map_mem_args, 0);
    g_assert_cmphex(map->flags, ==, 0x71);
    g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    {
        g_autofree char *start =
            g_strdup_printf("%lx-", (unsigned long)memory_region_get_ram_ptr(&w->ram));
        const char *line = strstr(maps, start);
        const char *name = line != NULL ? strstr(line, "humpy-lent") : NULL;

        g_assert_true(name != NULL && name < strchr(line, '\n'));
    }
}

/* ---- functions ---- */

static void wired_only(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    world_setup(w, "", 1);
    world_connect(w, 33, ACCEL_IRQ_LEVEL);
    world_connect(w, 2, ACCEL_IRQ_EDGE);
    g_assert_false(accel_irq_connect(w->accel, 988, ACCEL_IRQ_EDGE, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    world_start(w);
    g_assert_cmpuint(k->n_irqfds, ==, 2);
    g_assert_cmpuint(k->irqfds[0].label, ==, 33);
    g_assert_cmphex(k->irqfds[0].flags, ==, GH_IRQFD_FLAGS_LEVEL);
    g_assert_cmpuint(k->irqfds[1].label, ==, 2);
    g_assert_cmphex(k->irqfds[1].flags, ==, 0);
    g_assert_cmphex(k->irqfds[1].padding, ==, 0);
}

static const struct gh_fn_ioeventfd_arg *io_arg(unsigned i)
{
    g_assert_cmpuint(i, <, k->ioeventfds->len);
    return &g_array_index(k->ioeventfds, struct gh_fn_ioeventfd_arg, i);
}

static void ioeventfd_form(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    memory_region_add_eventfd(&w->device, 0x50, 4, false, 99, fd);
    world_setup(w, "", 1);
    world_start(w);
    memory_region_add_eventfd(&w->device, 0x60, 8, true, 0x1122334455667788, fd);
    g_assert_cmphex(io_arg(0)->addr, ==, DEVICE_BASE + 0x50);
    g_assert_cmpuint(io_arg(0)->flags, ==, 0);
    g_assert_cmpuint(io_arg(0)->datamatch, ==, 0);
    g_assert_cmpuint(io_arg(0)->padding, ==, 0);
    g_assert_cmpint(io_arg(0)->fd, ==, fd);
    g_assert_cmpuint(io_arg(1)->flags, ==, 1);
    g_assert_cmpuint(io_arg(1)->len, ==, 8);
    g_assert_cmphex(io_arg(1)->datamatch, ==, 0x1122334455667788);
    memory_region_del_eventfd(&w->device, 0x60, 8, true, 0x1122334455667788, fd);
    memory_region_del_eventfd(&w->device, 0x50, 4, false, 99, fd);
    g_assert_cmpuint(k->ioeventfds->len, ==, 0);
    close(fd);
}

/* A plain one and a matching one at one address collide in the driver: the second stays with the
 * memory API until the first has gone. */
static void ioeventfd_mix(World *w, gconstpointer data)
{
    int plain = eventfd(0, EFD_CLOEXEC), match = eventfd(0, EFD_CLOEXEC);

    world_setup(w, "", 1);
    world_start(w);
    memory_region_add_eventfd(&w->device, 0x50, 4, false, 0, plain);
    memory_region_add_eventfd(&w->device, 0x50, 2, true, 1, match);
    g_assert_cmpuint(k->ioeventfds->len, ==, 1);
    g_assert_cmpint(io_arg(0)->fd, ==, plain);
    memory_region_del_eventfd(&w->device, 0x50, 4, false, 0, plain);
    g_assert_cmpuint(k->ioeventfds->len, ==, 1);
    g_assert_cmpint(io_arg(0)->fd, ==, match);
    memory_region_del_eventfd(&w->device, 0x50, 2, true, 1, match);
    close(plain);
    close(match);
}

static void ioeventfd_early_remove(World *w, gconstpointer data)
{
    int one = eventfd(0, EFD_CLOEXEC), two = eventfd(0, EFD_CLOEXEC);

    k->removes_by_address = true;
    world_setup(w, "", 1);
    world_start(w);
    memory_region_add_eventfd(&w->device, 0x50, 4, true, 1, one);
    memory_region_add_eventfd(&w->device, 0x50, 4, true, 2, two);
    g_assert_cmpuint(k->ioeventfds->len, ==, 2);
    memory_region_del_eventfd(&w->device, 0x50, 4, true, 1, one);
    g_assert_cmpuint(k->ioeventfds->len, ==, 1);
    g_assert_cmpint(io_arg(0)->fd, ==, two);
    memory_region_del_eventfd(&w->device, 0x50, 4, true, 2, two);
    close(one);
    close(two);
}

static void ioeventfd_late_error(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    world_setup(w, "", 1);
    world_start(w);
    fake_gunyah_fail(GH_VM_ADD_FUNCTION, GH_FN_IOEVENTFD, ENOMEM, 1);
    g_test_expect_message("humpy-gunyah", G_LOG_LEVEL_WARNING, "cannot register*0xa000050*");
    memory_region_add_eventfd(&w->device, 0x50, 4, false, 0, fd);
    g_test_assert_expected_messages();
    memory_region_del_eventfd(&w->device, 0x50, 4, false, 0, fd);
    close(fd);
}

/* ---- device tree ---- */

static void fdt_config(World *w, gconstpointer data)
{
    g_autofree void *fdt = world_fdt(2, NULL);
    AccelFdtInfo info = { .gic_path = "/intc", .image_base = RAM_BASE, .image_size = RAM_SIZE };
    GError *error = NULL;
    const fdt32_t *cells;
    const void *value;
    int node, len;

    world_setup(w, ",chunk-size=32M,size-max=1G", 2);
    world_connect(w, 16, ACCEL_IRQ_EDGE);
    world_connect(w, 1, ACCEL_IRQ_LEVEL);
    g_assert_true(accel_fdt_fixup(w->accel, fdt, &info, &error));
    g_assert_no_error(error);
    node = fdt_path_offset(fdt, "/gunyah-vm-config");
    g_assert_cmpstr(fdt_getprop(fdt, node, "image-name", NULL), ==, "test-vm");
    node = fdt_path_offset(fdt, "/gunyah-vm-config/memory");
    value = fdt_getprop(fdt, node, "base-address", &len);
    g_assert_cmpint(len, ==, 8);
    g_assert_cmphex(fdt64_ld(value), ==, RAM_BASE);
    g_assert_cmphex(fdt64_ld(fdt_getprop(fdt, node, "size-max", NULL)), ==, 1 << 30);
    node = fdt_path_offset(fdt, "/gunyah-vm-config/vcpus");
    g_assert_cmpstr(fdt_getprop(fdt, node, "affinity", NULL), ==, "proxy");
    node = fdt_path_offset(fdt, "/gunyah-vm-config/interrupts");
    g_assert_cmpstr(fdt_getprop(fdt, node, "config", NULL), ==, "/intc");
    node = fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/bell-10");
    g_assert_cmpuint(fdt32_ld(fdt_getprop(fdt, node, "label", NULL)), ==, 16);
    cells = fdt_getprop(fdt, node, "interrupts", &len);
    g_assert_cmpint(len, ==, 12);
    g_assert_cmpuint(fdt32_ld(&cells[0]), ==, 0);
    g_assert_cmpuint(fdt32_ld(&cells[1]), ==, 16);
    g_assert_cmpuint(fdt32_ld(&cells[2]), ==, 1);
    node = fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/bell-1");
    cells = fdt_getprop(fdt, node, "interrupts", &len);
    g_assert_cmpuint(fdt32_ld(&cells[2]), ==, 4);
    node = fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/shm-2/memory");
    g_assert_cmphex(fdt64_ld(fdt_getprop(fdt, node, "base", NULL)), ==, RAM_BASE + 32 * MIB);
    g_assert_cmpint(fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/shm-1"), <, 0);
    g_assert_cmpint(fdt_path_offset(fdt, "/gunyah-vm-config/vdevices/shm-3"), <, 0);
}

static void fdt_refused(World *w, gconstpointer data)
{
    static const struct {
        const char *extra;
        const char *says;
    } rows[] = {
        { "hypervisor", "/hypervisor" },
        { "gunyah-vm-config", "VM configuration of its own" },
        { "memory@90000000", "exactly one memory node" },
        { "cpus/cpu@9", "/cpus has 2 CPUs but the machine has 1" },
        { "no-gic", "arm,gic-v3" },
    };
    AccelFdtInfo info = { .gic_path = "/intc", .image_base = RAM_BASE, .image_size = RAM_SIZE };

    world_setup(w, "", 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree void *fdt = world_fdt(1, rows[i].extra);
        g_autoptr(GError) error = NULL;

        g_assert_false(accel_fdt_fixup(w->accel, fdt, &info, &error));
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
        world_assert_says(error, rows[i].says);
    }
}

static void dtb_room(World *w, gconstpointer data)
{
    w->accel = world_create("", NULL);
    g_assert_cmpuint(accel_dtb_room(w->accel, 5000), ==, 2 * MIB);
    g_assert_cmpuint(accel_dtb_room(w->accel, 600 * 1024), ==, 4 * MIB);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
#define ADD(name, fn) g_test_add("/gunyah/" name, World, NULL, world_init, fn, world_clear)
    ADD("open/errors-name-the-fix", open_errors);
    ADD("open/0xb2-is-one-clear-message", old_api);
    ADD("open/unknown-family-is-refused", no_memory_call);
    ADD("open/lend-needs-its-call", lend_needs_its_call);
    ADD("open/chunk-size-is-a-multiple-of-2M", odd_chunk);
    ADD("open/probe-leaves-nothing-behind", probe_has_no_effect);
    ADD("open/entry-is-fixed-without-boot-context", fixed_entry);
    ADD("start/order-and-teardown-order", order);
    ADD("start/run-page-is-mapped-by-mmap-size", run_page_size);
    ADD("start/ram-is-shared-and-dtb-told", share_and_dtb);
    ADD("start/boot-context-only-for-another-entry", entry_elsewhere);
    ADD("start/v17-moves-ram-into-the-drivers-file", v17_files);
    ADD("start/v17-lends-nothing-that-is-mapped", v17_lent_files);
    ADD("memory/reclaim-comes-before-discard", reclaim_before_discard);
    ADD("memory/pinned-memory-is-not-discarded", pinned_memory_is_not_discarded);
    ADD("start/errors-name-step-and-what-to-try", start_errors);
    ADD("start/relaunch-uses-a-new-vm", relaunch);
    ADD("start/relaunch-has-the-tree-as-it-was", relaunch_has_the_tree_as_it_was);
    ADD("start/relaunch-is-bounded", relaunch_is_bounded);
    ADD("start/relaunch-waits-longer", relaunch_waits_longer);
    ADD("start/relaunch-ends-by-the-clock", relaunch_ends_by_the_clock);
    ADD("start/relaunch-keeps-what-auto-came-to", relaunch_keeps_what_auto_came_to);
    ADD("start/relaunch-does-not-wait-for-newer-drivers", relaunch_does_not_wait_for_newer_drivers);
    ADD("start/only-leftovers-are-retried", no_retry_without_hope);
    ADD("memory/chunks-have-unique-labels", chunks);
    ADD("memory/default-chunks-fit-64-parcels", default_chunks);
    ADD("memory/more-than-64-parcels-is-refused", too_many_chunks);
    ADD("memory/memlock-is-checked-before-pinning", memlock);
    ADD("memory/memlock-just-enough-is-enough", memlock_just_enough);
    ADD("memory/rom-is-refused", rom);
    ADD("memory/ram-below-1GiB-is-refused", low_ram);
    ADD("memory/what-went-before-start-is-forgotten", removed_in_time);
    ADD("memory/late-ram-warns-and-is-not-given", late_ram);
    ADD("memory/image-starts-a-region", unaligned_image);
    ADD("memory/image-region-is-2MiB-aligned", unaligned_ram);
    ADD("memory/dtb-lies-in-the-image-region", dtb_outside);
    ADD("memory/errors-name-the-fix", memory_errors);
    ADD("functions/irqfds-only-for-wired-spis", wired_only);
    ADD("functions/errors-name-the-function", function_errors);
    ADD("functions/ioeventfd-flag-1-and-64-bit-match", ioeventfd_form);
    ADD("functions/ioeventfd-plain-and-match-do-not-mix", ioeventfd_mix);
    ADD("functions/ioeventfd-neighbours-survive-removal", ioeventfd_early_remove);
    ADD("functions/ioeventfd-late-failure-warns", ioeventfd_late_error);
    ADD("fdt/config-for-the-resource-manager", fdt_config);
    ADD("fdt/what-the-resource-manager-denies-is-refused", fdt_refused);
    ADD("fdt/room-for-the-overlay", dtb_room);
    status = g_test_run();
    memory_thread_unregister();
    return status;
}
