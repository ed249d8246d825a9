/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/acrn: which calls the driver sees in which order from setup to close, on every way out, and
 * over a reset; what it is told of memory, registers, interrupts and doorbells. Requests are
 * test-acrn-slots.c's matter.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "acrn-world.h"
#include "util/error.h"

/* accel/acrn/passthru.c */
extern const char *acrn_pci_devices;

#define MIB (UINT64_C(1) << 20)

static void assert_log(const char *want)
{
    g_autofree char *log = fake_hsm_take_log();

    g_assert_cmpstr(log, ==, want);
}

static const struct acrn_vm_memmap *segment(unsigned i)
{
    g_assert_cmpuint(i, <, fake_hsm.segments->len);
    return &g_array_index(fake_hsm.segments, struct acrn_vm_memmap, i);
}

/* ---- life ---- */

static void life(World *w, gconstpointer data)
{
    world_run(w, 3);
    accel_teardown(w->accel);
    assert_log("create seg regs client start pause -client destroy");
    accel_teardown(w->accel);
    assert_log("");
    g_clear_object(&w->accel);
    assert_log("close");
}

static void creation(World *w, gconstpointer data)
{
    world_setup(w, ",rt=on,lapic-passthrough=on,secure-world=on", 3);
    g_assert_cmphex(fake_hsm.creation.vm_flag, ==,
                    ACRN_VM_FLAG_RT | ACRN_VM_FLAG_LAPIC_PASSTHROUGH | ACRN_VM_FLAG_SECURE_WORLD);
    g_assert_cmphex(fake_hsm.creation.cpu_affinity, ==, 7);
    g_assert_cmpmem(fake_hsm.creation.uuid, 16, "a name that is ", 16);
}

static void affinity(World *w, gconstpointer data)
{
    world_setup(w, ",cpu-affinity=0-1:5:63", 4);
    g_assert_cmphex(fake_hsm.creation.cpu_affinity, ==, UINT64_C(1) << 63 | 0x23);
}

/* The hypervisor's configuration says which CPUs, and so how many vCPUs. */
static void affinity_configured(World *w, gconstpointer data)
{
    fake_hsm.vcpus = 2;
    world_setup(w, ",cpu-affinity=configured", 2);
    g_assert_cmphex(fake_hsm.creation.cpu_affinity, ==, 0);
}

static void fails_to_set_up(World *w, const char *text, unsigned n_vcpus, const char *why,
                            const char *log)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(world_try_setup(w, text, n_vcpus, &error));
    if (strstr(error->message, why) == NULL || strchr(error->message, '\n') != NULL) {
        g_error("'%s' is not in '%s'", why, error->message);
    }
    g_clear_object(&w->accel);
    assert_log(log);
}

static void too_many_vcpus(World *w, gconstpointer data)
{
    fails_to_set_up(w, "", 17, "-smp 17: an ACRN VM has at most 16 vCPUs", "close");
}

static void other_number_of_vcpus(World *w, gconstpointer data)
{
    fake_hsm.vcpus = 16;
    fails_to_set_up(w, "", 2, "-smp asks for 2 vCPUs but the hypervisor gives the VM 16",
                    "create pause destroy close");
}

static void no_vm(World *w, gconstpointer data)
{
    fake_hsm_fail(ACRN_IOCTL_CREATE_VM, EINVAL, 0);
    fails_to_set_up(w, "", 2, "physical CPUs 0x3: Invalid argument", "FAIL close");
}

typedef struct {
    unsigned long request;
    int err;
    const char *message, *log;
} Failure;

static const Failure failures[] = {
    { ACRN_IOCTL_SET_MEMSEG, ENOMEM, "of 'ram' at 0x0: Cannot allocate memory",
      "create FAIL pause destroy close" },
    { ACRN_IOCTL_SET_VCPU_REGS, EPERM, "cannot set the registers of the boot vCPU",
      "create seg FAIL pause destroy close" },
    { ACRN_IOCTL_CREATE_IOREQ_CLIENT, EEXIST, "cannot become the VM's request client: File exists",
      "create seg regs FAIL pause destroy close" },
};

static void start_fails(World *w, gconstpointer data)
{
    const Failure *failure = data;

    world_setup(w, "", 2);
    fake_hsm_fail(failure->request, failure->err, 0);
    world_fails_to_start(w, failure->message);
    g_clear_object(&w->accel);
    assert_log(failure->log);
}

static void start_vm_fails(World *w, gconstpointer data)
{
    world_setup(w, "", 2);
    fake_hsm_fail(ACRN_IOCTL_START_VM, EPERM, 0);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_LOAD_FAILED);
    g_clear_object(&w->accel);
    assert_log("create seg regs client FAIL pause -client destroy close");
}

/* Set up, never started. */
static void no_start(World *w, gconstpointer data)
{
    world_setup(w, "", 2);
    g_clear_object(&w->accel);
    assert_log("create pause destroy close");
}

static void down_while_busy(World *w, gconstpointer data)
{
    struct acrn_io_request slot = fake_mmio(0, WORLD_DEVICE, 4, 0);

    for (unsigned i = 0; i < 50; i++) {
        world_run(w, 4);
        for (unsigned n = 0; n < 4; n++) {
            fake_hsm_post(n, &slot);
        }
        g_clear_object(&w->accel);
    }
}

/* ---- reset in place ---- */

static void start_again(World *w)
{
    accel_pause(w->accel);
    world_start(w);
    accel_resume(w->accel);
}

static void reset(World *w, gconstpointer data)
{
    world_run(w, 2);
    g_free(fake_hsm_take_log());
    w->x86.rip = 0x200000;
    start_again(w);
    assert_log("pause clear pause reset regs start");
    g_assert_cmphex(fake_hsm.regs.vcpu_regs.rip, ==, 0x200000);
}

/* Whatever is under way: each request is answered, or was never seen. */
static void reset_while_busy(World *w, gconstpointer data)
{
    struct acrn_io_request slot = fake_mmio(1, WORLD_DEVICE, 4, 0);

    world_run(w, 4);
    for (unsigned i = 0; i < 300; i++) {
        for (unsigned n = 0; n < 4; n++) {
            fake_hsm_post(n, &slot);
        }
        start_again(w);
    }
    g_assert_cmpuint(w->n_events, ==, 0);
    g_assert_cmpuint(w->n_writes, ==, 300 * 4);
    fake_hsm_ask(3, &slot);
}

static void reset_paused(World *w, gconstpointer data)
{
    accel_pause((world_setup(w, "", 1), w->accel));
    world_start(w);
    assert_log("create seg regs client");
    world_start(w); /* again, before it ever ran */
    assert_log("pause reset regs");
    accel_resume(w->accel);
    assert_log("start");
}

static void reset_fails(World *w, gconstpointer data)
{
    world_run(w, 1);
    accel_pause(w->accel);
    fake_hsm_fail(ACRN_IOCTL_RESET_VM, EPERM, 0);
    world_fails_to_start(w, "cannot reset the VM: Operation not permitted");
}

/* ---- registers ---- */

static void registers(World *w, gconstpointer data)
{
    const struct acrn_regs *r = &fake_hsm.regs.vcpu_regs;

    world_run(w, 2);
    g_assert_cmpuint(fake_hsm.regs.vcpu_id, ==, 0);
    g_assert_cmphex(r->rip, ==, 0x100000);
    g_assert_cmphex(r->gprs.rax, ==, 1);
    g_assert_cmphex(r->gprs.rbx, ==, 2);
    g_assert_cmphex(r->gprs.rsi, ==, 3);
    g_assert_cmphex(r->cr0, ==, 0x31);
    g_assert_cmphex(r->gdt.base, ==, 0x5000);
    g_assert_cmphex(r->gdt.limit, ==, 0x1f);
    g_assert_cmphex(r->cs_sel, ==, 0x10);
    g_assert_cmphex(r->cs_ar, ==, 0xc09b);
    g_assert_cmphex(r->cs_limit, ==, 0xffffffff);
    g_assert_cmphex(r->ds_sel, ==, 0x18);
    g_assert_cmphex(r->ss_sel, ==, 0x18);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmphex(r->reserved_64[i], ==, 0);
    }
}

/* ---- memory ---- */

static void ram(World *w, gconstpointer data)
{
    MemoryRegion rom;

    g_assert_true(memory_region_init_rom(&rom, NULL, "rom", 0x10000, NULL));
    memory_region_add_subregion(&w->root, 0xf0000000, &rom);
    world_run(w, 1);
    g_assert_cmpuint(fake_hsm.segments->len, ==, 2);
    g_assert_cmpuint(segment(0)->type, ==, ACRN_MEMMAP_RAM);
    g_assert_cmphex(segment(0)->attr, ==, ACRN_MEM_ACCESS_RWX | ACRN_MEM_TYPE_WB);
    g_assert_cmphex(segment(0)->user_vm_pa, ==, 0);
    g_assert_cmphex(segment(0)->vma_base, ==, (uintptr_t)memory_region_get_ram_ptr(&w->ram));
    g_assert_cmphex(segment(0)->len, ==, WORLD_RAM);
    g_assert_cmphex(segment(1)->attr, ==,
                    ACRN_MEM_ACCESS_READ | ACRN_MEM_ACCESS_EXEC | ACRN_MEM_TYPE_WB);
    g_assert_cmphex(segment(1)->user_vm_pa, ==, 0xf0000000);
    g_clear_object(&w->accel);
    memory_region_del_subregion(&w->root, &rom);
    memory_region_destroy(&rom);
}

/* One call holds 131071 pages at most. */
static void large_ram(World *w, gconstpointer data)
{
    uint64_t at = 4096 * MIB;
    MemoryRegion large;

    g_assert_true(memory_region_init_ram(&large, NULL, "large", 1200 * MIB, NULL));
    memory_region_add_subregion(&w->root, at, &large);
    world_run(w, 1);
    g_assert_cmpuint(fake_hsm.segments->len, ==, 4);
    for (unsigned i = 1; i < 4; i++) {
        g_assert_cmphex(segment(i)->user_vm_pa, ==, at);
        g_assert_cmphex(segment(i)->user_vm_pa % (2 * MIB), ==, 0);
        g_assert_cmphex(segment(i)->vma_base - (uintptr_t)memory_region_get_ram_ptr(&large), ==,
                        at - 4096 * MIB);
        g_assert_cmpuint(segment(i)->len / 4096, <=, 131071);
        at += segment(i)->len;
    }
    g_assert_cmphex(at, ==, (4096 + 1200) * MIB);
    g_clear_object(&w->accel);
    memory_region_del_subregion(&w->root, &large);
    memory_region_destroy(&large);
}

/* n pieces with a hole behind each. */
static void pieces(World *w, unsigned n, void (*then)(World *w))
{
    g_autofree MemoryRegion *aliases = g_new0(MemoryRegion, n);

    for (unsigned i = 0; i < n; i++) {
        memory_region_init_alias(&aliases[i], NULL, "piece", &w->ram, i * 4096, 4096);
        memory_region_add_subregion(&w->root, 0x10000000 + i * 8192, &aliases[i]);
    }
    world_setup(w, "", 1);
    then(w);
    g_clear_object(&w->accel);
    for (unsigned i = 0; i < n; i++) {
        memory_region_del_subregion(&w->root, &aliases[i]);
        memory_region_destroy(&aliases[i]);
    }
}

static void take_segments(World *w)
{
    world_start(w);
    g_assert_cmpuint(fake_hsm.segments->len, ==, 256);
}

static void refuse_segments(World *w)
{
    world_fails_to_start(w, "RAM would need 257 segments but an ACRN VM has at most 256");
    g_assert_cmpuint(fake_hsm.segments->len, ==, 0);
}

static void many_segments(World *w, gconstpointer data)
{
    pieces(w, 255, take_segments);
    g_array_set_size(fake_hsm.segments, 0);
    pieces(w, 256, refuse_segments);
}

static void unaligned(World *w, gconstpointer data)
{
    MemoryRegion odd;

    g_assert_true(memory_region_init_ram(&odd, NULL, "odd", 0x1000, NULL));
    memory_region_add_subregion(&w->root, 0x10000800, &odd);
    world_setup(w, "", 1);
    world_fails_to_start(w, "RAM 'odd' at 0x10000800, size 0x1000: both must be multiples");
    g_assert_cmpuint(fake_hsm.segments->len, ==, 0);
    g_clear_object(&w->accel);
    memory_region_del_subregion(&w->root, &odd);
    memory_region_destroy(&odd);
}

static void late_ram(World *w, gconstpointer data)
{
    MemoryRegion late;

    g_assert_true(memory_region_init_ram(&late, NULL, "late", 0x10000, NULL));
    world_setup(w, "", 1);
    memory_region_add_subregion(&w->root, 0x10000000, &late); /* in time, and gone in time */
    memory_region_del_subregion(&w->root, &late);
    world_start(w);
    g_assert_cmpuint(fake_hsm.segments->len, ==, 1);
    g_test_expect_message("humpy-acrn", G_LOG_LEVEL_WARNING, "RAM 'late' at 0x10000000 appeared*");
    memory_region_add_subregion(&w->root, 0x10000000, &late);
    memory_region_del_subregion(&w->root, &late);
    g_test_assert_expected_messages();
    g_assert_cmpuint(fake_hsm.segments->len, ==, 1);
    memory_region_destroy(&late);
}

/* ---- interrupts ---- */

static bool connect_line(World *w, unsigned gsi, AccelIrqMode mode, GError **error)
{
    return accel_irq_connect(w->accel, gsi, mode, error);
}

static void assert_lines(const uint64_t *want, unsigned n)
{
    pthread_mutex_lock(&fake_hsm.lock);
    g_assert_cmpmem(fake_hsm.lines->data, fake_hsm.lines->len * 8, want, n * 8);
    g_array_set_size(fake_hsm.lines, 0);
    pthread_mutex_unlock(&fake_hsm.lock);
}

static void lines(World *w, gconstpointer data)
{
    static const uint64_t want[] = { 4, (uint64_t)ACRN_IRQLINE_SET_LOW << 32 | 4,
                                     (uint64_t)ACRN_IRQLINE_RAISING_PULSE << 32 | 47,
                                     (uint64_t)ACRN_IRQLINE_RAISING_PULSE << 32 | 47, 4 };
    g_autoptr(GError) error = NULL;

    world_setup(w, "", 1);
    g_assert_true(connect_line(w, 4, ACCEL_IRQ_LEVEL, NULL));
    g_assert_true(connect_line(w, 47, ACCEL_IRQ_EDGE, NULL));
    g_assert_false(connect_line(w, 48, ACCEL_IRQ_EDGE, &error));
    g_assert_cmpint(error->code, ==, HUMPY_ERROR_RANGE);
    world_start(w);
    accel_irq_set(w->accel, 4, true);
    accel_irq_set(w->accel, 4, true); /* no change, no call */
    accel_irq_set(w->accel, 4, false);
    for (unsigned i = 0; i < 2; i++) {
        accel_irq_set(w->accel, 47, true);
        accel_irq_set(w->accel, 47, false);
    }
    accel_irq_set(w->accel, 4, true);
    assert_lines(want, G_N_ELEMENTS(want));
    accel_irq_set(w->accel, 47, true);
    assert_lines(want + 2, 1);
    start_again(w); /* which forgets levels: the one that is high is told, the pulse is not */
    assert_lines(want, 1);
}

/* One line, and the VM goes on. */
static void line_refused(World *w, gconstpointer data)
{
    world_setup(w, "", 1);
    g_assert_true(connect_line(w, 4, ACCEL_IRQ_LEVEL, NULL));
    world_start(w);
    fake_hsm_fail(ACRN_IOCTL_SET_IRQLINE, EPERM, 0);
    g_test_expect_message("humpy-acrn", G_LOG_LEVEL_WARNING, "*refuses interrupt line 4*");
    accel_irq_set(w->accel, 4, true);
    accel_irq_set(w->accel, 4, false);
    g_test_assert_expected_messages();
    g_assert_cmpuint(w->n_events, ==, 0);
}

static void messages(World *w, gconstpointer data)
{
    world_run(w, 1);
    accel_msi(w->accel, 0xfee01000, 0x4051);
    g_assert_cmpuint(fake_hsm.messages->len, ==, 1);
    g_assert_cmphex(g_array_index(fake_hsm.messages, struct acrn_msi_entry, 0).msi_addr, ==,
                    0xfee01000);
    g_assert_cmphex(g_array_index(fake_hsm.messages, struct acrn_msi_entry, 0).msi_data, ==,
                    0x4051);
    fake_hsm_fail(ACRN_IOCTL_INJECT_MSI, EPERM, 0); /* no local APIC is on yet: lost */
    accel_msi(w->accel, 0xfee01000, 0x4051);
    g_assert_cmpuint(w->n_events, ==, 0);
}

/* ---- doorbells ---- */

static const struct acrn_ioeventfd *bell(unsigned i)
{
    g_assert_cmpuint(i, <, fake_hsm.ioeventfds->len);
    return &g_array_index(fake_hsm.ioeventfds, struct acrn_ioeventfd, i);
}

static void doorbells(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);

    world_run(w, 1);
    memory_region_add_eventfd(&w->device, 0x10, 2, false, 0, fd);
    memory_region_add_eventfd(&w->ports, 4, 4, false, 0, fd);
    memory_region_add_eventfd(&w->device, 0x30, 8, false, 0, other);
    g_assert_cmpuint(fake_hsm.ioeventfds->len, ==, 3);
    g_assert_cmphex(bell(0)->addr, ==, WORLD_DEVICE + 0x10);
    g_assert_cmpuint(bell(0)->len, ==, 2);
    g_assert_cmpuint(bell(0)->flags, ==, 0);
    g_assert_cmphex(bell(1)->addr, ==, WORLD_PORTS + 4);
    g_assert_cmpuint(bell(1)->flags, ==, ACRN_IOEVENTFD_FLAG_PIO);
    /* The driver goes by the descriptor: the one with the same must still be there. */
    memory_region_del_eventfd(&w->ports, 4, 4, false, 0, fd);
    g_assert_cmpuint(fake_hsm.ioeventfds->len, ==, 2);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmphex(bell(i)->addr & ~UINT64_C(0x20), ==, WORLD_DEVICE + 0x10);
        g_assert_cmpuint(bell(i)->flags, ==, 0);
    }
    memory_region_del_eventfd(&w->device, 0x10, 2, false, 0, fd);
    g_assert_cmpuint(fake_hsm.ioeventfds->len, ==, 1);
    g_assert_cmphex(bell(0)->addr, ==, WORLD_DEVICE + 0x30);
    memory_region_del_eventfd(&w->device, 0x30, 8, false, 0, other);
    g_assert_cmpuint(fake_hsm.ioeventfds->len, ==, 0);
    close(fd);
    close(other);
}

/* Two queues in one register: a write for the other would be swallowed. So they stay with the
 * memory API, which rings the right one. */
static void doorbell_with_data(World *w, gconstpointer data)
{
    struct acrn_io_request slot = fake_mmio(1, WORLD_DEVICE + 0x50, 4, 1);
    int fds[] = { eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    uint64_t count = 0;

    world_run(w, 1);
    for (unsigned i = 0; i < 2; i++) {
        memory_region_add_eventfd(&w->device, 0x50, 4, true, i, fds[i]);
    }
    g_assert_cmpuint(fake_hsm.ioeventfds->len, ==, 0);
    fake_hsm_ask(0, &slot);
    g_assert_cmpint(read(fds[0], &count, 8), ==, -1);
    g_assert_cmpint(read(fds[1], &count, 8), ==, 8);
    slot.reqs.mmio_request.value = 2; /* nobody's: the device's own */
    fake_hsm_ask(0, &slot);
    g_assert_cmpuint(w->n_writes, ==, 1);
    for (unsigned i = 0; i < 2; i++) {
        memory_region_del_eventfd(&w->device, 0x50, 4, true, i, fds[i]);
        close(fds[i]);
    }
}

/* What the driver does not take stays in user space, with one line. */
static void doorbell_refused(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    world_run(w, 1);
    fake_hsm_fail(ACRN_IOCTL_IOEVENTFD, ENOMEM, 0);
    g_test_expect_message("humpy-acrn", G_LOG_LEVEL_WARNING, "*stays in user space*");
    memory_region_add_eventfd(&w->device, 0x10, 2, false, 0, fd);
    memory_region_add_eventfd(&w->device, 0x20, 2, false, 0, fd);
    g_test_assert_expected_messages();
    fake_hsm_fail(0, 0, 0);
    memory_region_del_eventfd(&w->device, 0x10, 2, false, 0, fd);
    memory_region_del_eventfd(&w->device, 0x20, 2, false, 0, fd);
    close(fd);
}

/* ---- devices of the host ---- */

/* A host with one function at 00:14.0; config is all of its configuration space. */
static char *make_host(const uint8_t *config)
{
    char *top = g_dir_make_tmp("humpy-acrn-XXXXXX", NULL);
    g_autofree char *dir = g_strdup_printf("%s/0000:00:14.0", top);
    g_autofree char *file = g_strdup_printf("%s/config", dir);
    g_autofree char *reset = g_strdup_printf("%s/reset", dir);

    g_assert_cmpint(g_mkdir(dir, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, (const char *)config, 256, NULL));
    g_assert_true(g_file_set_contents(reset, "", 0, NULL));
    acrn_pci_devices = top;
    return top;
}

static void remove_host(char *top)
{
    g_autofree char *dir = g_strdup_printf("%s/0000:00:14.0", top);
    g_autofree char *file = g_strdup_printf("%s/config", dir);
    g_autofree char *reset = g_strdup_printf("%s/reset", dir);

    g_unlink(file);
    g_unlink(reset);
    g_rmdir(dir);
    g_rmdir(top);
    g_free(top);
}

static const uint8_t config_msix[256] = {
    [6] = 0x10, [0x34] = 0x50, [0x50] = 1, [0x51] = 0x60, [0x60] = 0x11
};
static const uint8_t config_ring[256] = { [6] = 0x10, [0x34] = 0x50, [0x50] = 1, [0x51] = 0x50 };

static void pci_device(World *w, gconstpointer data)
{
    char *top = make_host(config_msix);
    g_autofree char *reset = g_strdup_printf("%s/0000:00:14.0/reset", top);
    g_autofree char *text = NULL;
    const struct acrn_pcidev *given;

    w->no_pci = true;
    world_setup(w, ",pci-assign=0000:00:14.0@5.1", 1);
    world_start(w);
    given = &g_array_index(fake_hsm.pci, struct acrn_pcidev, 0);
    g_assert_cmphex(given->phys_bdf, ==, 0x14 << 3);
    g_assert_cmphex(given->virt_bdf, ==, 5 << 3 | 1);
    g_assert_cmphex(given->type, ==, 0);
    g_assert_true(g_file_get_contents(reset, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "1");
    start_again(w);
    g_clear_object(&w->accel);
    assert_log("create seg pci regs client start pause clear pause -pci reset pci regs start "
               "pause -client -pci destroy close");
    remove_host(top);
}

typedef struct {
    const char *option, *message;
    const uint8_t *config;
    bool slot_taken;
} BadPassthru;

static const BadPassthru bad_devices[] = {
    { "pci-assign=00:14.0@5", "neither MSI nor MSI-X", config_ring, false },
    { "pci-assign=00:14.1@5", "the host has no such PCI function", config_msix, false },
    { "pci-assign=00:14.0@5", "the machine has a device in this slot", config_msix, true },
    { "mmio-assign=fed40000:5000@1ff000", "the guest has RAM 'ram' there", config_msix, false },
};

static void bad_device(World *w, gconstpointer data)
{
    const BadPassthru *bad = data;
    g_autofree char *option = g_strconcat(",", bad->option, NULL);
    char *top = make_host(bad->config);

    w->no_pci = !bad->slot_taken;
    world_setup(w, option, 1);
    world_fails_to_start(w, bad->message);
    g_clear_object(&w->accel);
    assert_log("create seg pause destroy close");
    remove_host(top);
}

static void bad_device_names(World *w, gconstpointer data)
{
    static const char *const rows[] = {
        ",pci-assign=",
        ",pci-assign=00:14.0",
        ",pci-assign=00:14.0@0",
        ",pci-assign=0:20.0@5",
        ",pci-assign=00:14.8@5",
        ",pci-assign=00:14.0@20",
        ",pci-assign=1:0:14.0@5",
        ",pci-assign=0001:00:14.0@5",
        ",pci-assign=00:14.0@5+",
        ",mmio-assign=1000:0@0",
        ",mmio-assign=1800:1000@0",
        ",mmio-assign=1000:1000",
        ",mmio-assign=fffffffffffff000:1000@1000",
        ",mmio-assign=-1000:1000@0",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        if (world_try_setup(w, rows[i], 1, &error)) {
            g_error("%s is taken", rows[i]);
        }
        g_assert_nonnull(strstr(error->message, "-assign: '"));
        g_clear_object(&w->accel);
    }
}

static void mmio_device(World *w, gconstpointer data)
{
    const struct acrn_mmiodev *given;

    world_setup(w, ",mmio-assign=fed40000:5000@fee40000+1000:1000@f0000000", 1);
    world_start(w);
    given = &g_array_index(fake_hsm.mmio, struct acrn_mmiodev, 0);
    g_assert_cmphex(given->res[0].service_vm_pa, ==, 0xfed40000);
    g_assert_cmphex(given->res[0].size, ==, 0x5000);
    g_assert_cmphex(given->res[0].user_vm_pa, ==, 0xfee40000);
    g_assert_cmphex(given->res[0].mem_type, ==, ACRN_MEM_TYPE_UC);
    g_clear_object(&w->accel);
    assert_log("create seg mmio mmio regs client start pause -client -mmio -mmio destroy close");
}

/* What was given is taken back, the rest was never the guest's. */
static void device_refused(World *w, gconstpointer data)
{
    world_setup(w, ",mmio-assign=fed40000:5000@fee40000+1000:1000@f0000000", 1);
    fake_hsm_fail(ACRN_IOCTL_ASSIGN_MMIODEV, EPERM, 1);
    world_fails_to_start(w, "mmio-assign=1000:1000@f0000000: the hypervisor does not give it away");
    g_clear_object(&w->accel);
    assert_log("create seg mmio FAIL pause -mmio destroy close");
}

/* ---- what it cannot do ---- */

static void capabilities(World *w, gconstpointer data)
{
    static const struct {
        AccelCap cap;
        const char *why;
    } rows[] = { { ACCEL_CAP_PAUSE, "a paused ACRN VM can only be reset" },
                 { ACCEL_CAP_LATE_RAM, "only before the VM starts" },
                 { ACCEL_CAP_MIGRATION, "no vCPU state" },
                 { ACCEL_CAP_GDB, "no vCPU registers" } };

    world_setup(w, "", 1);
    g_assert_true(accel_caps(w->accel) & ACCEL_CAP_RESET_IN_PLACE);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(accel_require(w->accel, rows[i].cap, "this", &error));
        g_assert_cmpint(error->code, ==, HUMPY_ERROR_UNSUPPORTED);
        g_assert_nonnull(strstr(error->message, rows[i].why));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, arg, fn) g_test_add("/acrn/" path, World, arg, world_init, fn, world_clear)
    ADD("life/order-of-calls", NULL, life);
    ADD("life/name-flags-and-cpus", NULL, creation);
    ADD("life/affinity", NULL, affinity);
    ADD("life/affinity-configured", NULL, affinity_configured);
    ADD("life/too-many-vcpus", NULL, too_many_vcpus);
    ADD("life/other-number-of-vcpus", NULL, other_number_of_vcpus);
    ADD("life/no-vm", NULL, no_vm);
    ADD("life/no-segment", &failures[0], start_fails);
    ADD("life/no-registers", &failures[1], start_fails);
    ADD("life/second-default-client", &failures[2], start_fails);
    ADD("life/no-start", NULL, start_vm_fails);
    ADD("life/never-started", NULL, no_start);
    ADD("life/down-while-requests-are-open", NULL, down_while_busy);
    ADD("reset/order-of-calls", NULL, reset);
    ADD("reset/while-requests-are-open", NULL, reset_while_busy);
    ADD("reset/before-it-ever-ran", NULL, reset_paused);
    ADD("reset/refused", NULL, reset_fails);
    ADD("start/registers", NULL, registers);
    ADD("memory/ram-and-rom", NULL, ram);
    ADD("memory/131071-pages-a-call", NULL, large_ram);
    ADD("memory/256-segments", NULL, many_segments);
    ADD("memory/unaligned", NULL, unaligned);
    ADD("memory/only-before-the-start", NULL, late_ram);
    ADD("irq/lines", NULL, lines);
    ADD("irq/refused", NULL, line_refused);
    ADD("irq/messages", NULL, messages);
    ADD("doorbell/any-data", NULL, doorbells);
    ADD("doorbell/some-data-stays-here", NULL, doorbell_with_data);
    ADD("doorbell/refused", NULL, doorbell_refused);
    ADD("passthru/pci", NULL, pci_device);
    ADD("passthru/pci-without-messages", &bad_devices[0], bad_device);
    ADD("passthru/pci-absent", &bad_devices[1], bad_device);
    ADD("passthru/pci-slot-taken", &bad_devices[2], bad_device);
    ADD("passthru/mmio-over-ram", &bad_devices[3], bad_device);
    ADD("passthru/mmio", NULL, mmio_device);
    ADD("passthru/refused", NULL, device_refused);
    ADD("passthru/bad-names", NULL, bad_device_names);
    ADD("capabilities", NULL, capabilities);
    return g_test_run();
}
