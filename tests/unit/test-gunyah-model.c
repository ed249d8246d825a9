/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/gunyah on the /dev/gunyah model with a scripted guest: each UAPI family boots, the hazards
 * the model can force do no harm, lent and shared RAM lies where the machine put it, and what an
 * earlier VM leaves behind is waited out.
 */
#include <glib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../accel/vcpu.h"
#include "gunyah-model-world.h"
#include "models/engine-script.h"
#include "models/engine.h"
#include "models/gunyah-model.h"
#include "models/models.h"
#include "probe.h"

static void init(World *w, gconstpointer data)
{
    model_world_init(w, data);
    vcpu_hold_us = 20000;
}

static void ends(World *w, AccelEvent event)
{
    world_wait_event(w);
    pthread_mutex_lock(&w->lock);
    g_assert_cmpint(w->event, ==, event);
    pthread_mutex_unlock(&w->lock);
}

/* ---- families ---- */

static void family(World *w, const char *rev)
{
    g_autofree char *knobs = g_strconcat("rev=", rev, NULL);

    w->to_read = 0x1234;
    model(knobs, "w4 0xa000010 0xcafe; r4 0xa000000; r2 0x100; w4 0x40100000 7; off");
    boot(w, "", 1);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    g_assert_cmphex(w->written, ==, 0xcafe);
    assert_guest_saw("boot 0 pc=0x40000000 x0=0x40800000");
    assert_guest_saw("0 r4 0xa000000 = 0x1234");
    assert_guest_saw("0 r2 0x100 = 0xffff");
    g_assert_cmphex(address_space_ldl_le(w->as, 0x40100000, NULL), ==, 7);
}

static void android14(World *w, gconstpointer data)
{
    family(w, "android14");
}

static void android15(World *w, gconstpointer data)
{
    family(w, "android15,share-exec=on");
}

static void v17(World *w, gconstpointer data)
{
    family(w, "v17");
}

static void old_family(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    model("rev=0xb2", NULL);
    g_assert_null(world_create("", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    world_assert_says(error, "0xB2");
}

static void entry_by_boot_context(World *w, gconstpointer data)
{
    model("rev=android15,share-exec=on", "off");
    w->boot.entry = RAM_BASE + 0x200000;
    boot(w, "", 1);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    assert_guest_saw("pc=0x40200000");
}

/* ---- memory ---- */

static void chunks_lie_where_they_should(World *w, const char *knobs, const char *text)
{
    model(knobs, "w4 0x40300000 1; w4 0x40f00000 2; w4 0x41f00000 3; w4 0x43ffff00 4;"
                 "r4 0x40300000; r4 0x40f00000; r4 0x41f00000; r4 0x43ffff00; off");
    w->boot.dtb_gpa = RAM_BASE + 0x200000;
    w->boot.dtb_room = 0x80000;
    boot(w, text, 1);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    assert_guest_saw("0 r4 0x40300000 = 0x1");
    assert_guest_saw("0 r4 0x40f00000 = 0x2");
    assert_guest_saw("0 r4 0x41f00000 = 0x3");
    assert_guest_saw("0 r4 0x43ffff00 = 0x4");
}

static void shared_chunks(World *w, gconstpointer data)
{
    chunks_lie_where_they_should(w, "rev=android14", ",chunk-size=4M");
    g_assert_cmphex(address_space_ldl_le(w->as, 0x43ffff00, NULL), ==, 4);
    g_assert_cmphex(address_space_ldl_le(w->as, 0x40f00000, NULL), ==, 2);
}

static void lent_chunks(World *w, gconstpointer data)
{
    chunks_lie_where_they_should(w, "rev=android14,policy=lend", ",lend=on,chunk-size=4M");
}

/* The model has really taken the pages: a device that does DMA must get an error, not a SIGBUS. */
static void lent_is_out_of_reach(World *w, gconstpointer data)
{
    MemTxResult result = MEMTX_OK;
    uint64_t len = 64;

    model("rev=android14", "wfi");
    boot(w, ",lend=on", 1);
    address_space_ldl_le(w->as, RAM_BASE, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    address_space_stl_le(w->as, RAM_BASE + RAM_SIZE - 4, 1, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    g_assert_null(address_space_map(w->as, RAM_BASE, &len, true));
}

static void lend_only_firmware(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    model("rev=android14,policy=lend", NULL);
    world_setup(w, ",start-retries=0", 1);
    world_write_tree(w, 1);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    world_assert_says(error, "protected=on");
}

static void model_memlock(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    model("rev=android14,memlock=8M", NULL);
    world_setup(w, "", 1);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    world_assert_says(error, "the limit is 8192 KiB");
}

/* ---- hazards ---- */

static void hidden_exits(World *w, gconstpointer data)
{
    GunyahModelStats stats;

    w->to_read = 0x55;
    model("rev=android14,hazard=h1+eagain",
          "w4 0xa000000 1; w4 0xa000000 2; r4 0xa000000; w4 0xa000000 3; r1 0xa000000; off");
    boot(w, "", 1);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    g_assert_cmpuint(w->writes, ==, 3);
    g_assert_cmpuint(w->reads, ==, 2);
    assert_guest_saw("0 r4 0xa000000 = 0x55");
    assert_guest_saw("0 r1 0xa000000 = 0x55");
    gunyah_model_stats(&stats);
    g_assert_cmpuint(stats.hidden_exits, >=, 5);
}

/* Kicks that come while the kernel holds an answer would lose it. */
static void kept_answers(World *w, gconstpointer data)
{
    GunyahModelStats before, after;

    vcpu_hold_us = G_TIME_SPAN_MINUTE;
    w->to_read = 0x77;
    gunyah_model_stats(&before);
    model("rev=android14,hazard=h2", "r4 0xa000000; loop");
    boot(w, "", 1);
    for (unsigned i = 0; i < 20; i++) {
        unsigned reads = __atomic_load_n(&w->reads, __ATOMIC_SEQ_CST);

        while (__atomic_load_n(&w->reads, __ATOMIC_SEQ_CST) < reads + 2) {
            g_thread_yield();
        }
        accel_pause(w->accel);
        accel_resume(w->accel);
    }
    gunyah_model_stats(&after);
    g_assert_cmpuint(after.lost_answers, ==, before.lost_answers);
    assert_guest_saw("0 r4 0xa000000 = 0x77");
    g_assert_false(guest_saw("= 0x0"));
}

/* Asleep, powered off, or running without an exit: all leave for a pause. */
static void sleepers(World *w, gconstpointer data)
{
    model("rev=android14,hazard=h3", "0: on 1; wfi; 1: spin");
    boot(w, "", 3);
    for (unsigned i = 0; i < 5; i++) {
        accel_pause(w->accel);
        accel_resume(w->accel);
    }
    accel_teardown(w->accel);
    g_assert_cmpuint(w->n_events, ==, 0);
}

static void page_faults(World *w, gconstpointer data)
{
    model("rev=android15,share-exec=on,page-fault=5", "w4 0xa000000 9; off");
    boot(w, "", 1);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    g_assert_cmphex(w->written, ==, 9);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->by_space[IOREQ_PAGE_FAULT], ==, 5);
}

static void endless_page_faults(World *w, gconstpointer data)
{
    model("rev=v17,page-fault=100000", "off");
    boot(w, "", 1);
    ends(w, ACCEL_EVENT_HYPERVISOR);
    g_assert_nonnull(strstr(w->message, "no page for the guest at 0x"));
}

/* ---- ends ---- */

static void guest_resets(World *w, gconstpointer data)
{
    model("rev=android14", "0: on 1; wfi; 1: reset");
    boot(w, "", 2);
    ends(w, ACCEL_EVENT_RESET);
}

static void run_error(World *w, gconstpointer data)
{
    model("rev=android14,run-error=denied", "off");
    boot(w, "", 1);
    ends(w, ACCEL_EVENT_HYPERVISOR);
    g_assert_cmpstr(w->message, ==,
                    "vCPU 0: cannot run: Permission denied (the hypervisor denied it: a capability "
                    "is gone; look for gunyah and gh_ in dmesg)");
}

static void failed_steps(World *w, gconstpointer data)
{
    static const struct {
        const char *knobs, *says, *step;
    } rows[] = {
        { "fail=vmid:1", "out of memory", "'Failed to allocate VMID: -12'" },
        { "fail=parcel:3", "denied", "'Failed to share parcel 1: -1'" },
        { "fail=configure:unimplemented", "does not implement", "'Failed to configure VM: -95'" },
        { "fail=init:5", "earlier VM", "'Failed to initialize VM: -16'" },
        { "fail=start:9", "refused the configuration", "'Failed to start VM: -22'" },
        { "fail=resources:200", "does not know", "hypervisor resources for VM: -74'" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *knobs = g_strconcat("rev=android14,", rows[i].knobs, NULL);
        g_autoptr(GError) error = NULL;

        model(knobs, NULL);
        world_setup(w, ",start-retries=0", 1);
        world_connect(w, 4, ACCEL_IRQ_EDGE);
        world_write_tree(w, 1);
        g_assert_false(accel_start(w->accel, &w->boot, &error));
        world_assert_says(error, rows[i].says);
        world_assert_says(error, rows[i].step);
        g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HYPERVISOR);
        accel_irq_set(w->accel, 4, true);
        g_clear_object(&w->accel);
    }
}

/* android14 takes a VM down behind close()'s back; the next one has to wait for its place. */
static void relaunch(World *w, gconstpointer data)
{
    static const char *const codes[] = { "2", "5" };

    for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autofree char *knobs =
            g_strconcat("rev=android14,capacity=1,teardown-ms=60,capacity-code=", codes[i], NULL);

        model(knobs, "wfi");
        boot(w, "", 1);
        g_clear_object(&w->accel);
        boot(w, ",start-retries=10", 1);
        g_clear_object(&w->accel);
        gunyah_model_settle();
    }
}

/* The resource manager has rewritten the tree when it runs out of resources: what is said is still
 * the shortage, not that the tree is not as it should be. */
static void retries_report_the_first_cause(World *w, gconstpointer data)
{
    static const char *const accel[] = { ",start-retries=2", ",start-retries=2,lend=on" };

    for (unsigned i = 0; i < G_N_ELEMENTS(accel); i++) {
        g_autoptr(GError) error = NULL;

        model("rev=android14,fail=resources:2", NULL);
        world_setup(w, accel[i], 1);
        world_write_tree(w, 1);
        g_assert_false(accel_start(w->accel, &w->boot, &error));
        world_assert_says(error, "START: No such device");
        g_clear_object(&w->accel);
        gunyah_model_settle();
    }
}

/* The KVM engine is there on x86 hosts as well, for ACRN's guests. */
static void engine_without_arm64(World *w, gconstpointer data)
{
    const EngineOps *kvm = engine_get("kvm", NULL);
    g_autoptr(GError) error = NULL;

    if (kvm == NULL || g_strcmp0(kvm->guest, "arm64") == 0) {
        g_test_skip("no engine of another kind here");
        return;
    }
    model("rev=android14,engine=kvm", NULL);
    world_setup(w, ",start-retries=0", 1);
    world_write_tree(w, 1);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    world_assert_says(error, "START: No such device");
}

/* ---- interrupts and notify addresses ---- */

/* Its handler ends twice with the line high: a third interrupt must come. */
static void level_line(World *w, gconstpointer data)
{
    model("rev=android14", "wfi; r4 0xa000000; wfi; r4 0xa000000; wfi; w4 0xa000000 1; off");
    world_setup(w, "", 1);
    world_connect(w, 11, ACCEL_IRQ_LEVEL);
    world_write_tree(w, 1);
    world_start(w);
    accel_irq_set(w->accel, 11, true);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    g_assert_cmpuint(w->reads, ==, 2);
    assert_guest_saw("0 irq 11");
}

static void early_interrupt(World *w, gconstpointer data)
{
    model("rev=android14", "wfi; off");
    world_setup(w, "", 1);
    world_connect(w, 12, ACCEL_IRQ_EDGE);
    world_write_tree(w, 1);
    accel_irq_set(w->accel, 12, true);
    world_start(w);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    assert_guest_saw("0 irq 12");
}

static void notify_address(World *w, gconstpointer data)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t n = 0;

    memory_region_add_eventfd(&w->device, 0x50, 4, true, 3, fd);
    model("rev=android14", "w4 0xa000050 3; w4 0xa000050 4; w4 0xa000050 3; off");
    boot(w, "", 1);
    ends(w, ACCEL_EVENT_SHUTDOWN);
    g_assert_cmpint(read(fd, &n, sizeof(n)), ==, sizeof(n));
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpuint(w->writes, ==, 1);
    g_assert_cmphex(w->written, ==, 4);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->writes, ==, 1);
    g_clear_object(&w->accel);
    memory_region_del_eventfd(&w->device, 0x50, 4, true, 3, fd);
    close(fd);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    if (!can_map_twice()) {
        return 0;
    }
    memory_thread_register();
    models_register();
#define ADD(name, fn) g_test_add("/gunyah/model/" name, World, NULL, init, fn, model_world_clear)
    ADD("android14-boots", android14);
    ADD("android15-boots", android15);
    ADD("v17-boots", v17);
    ADD("0xb2-is-refused", old_family);
    ADD("boot-context-sets-the-entry", entry_by_boot_context);
    ADD("shared-chunks-lie-where-they-should", shared_chunks);
    ADD("lent-chunks-lie-where-they-should", lent_chunks);
    ADD("lent-ram-is-out-of-devices-reach", lent_is_out_of_reach);
    ADD("lend-only-firmware-is-explained", lend_only_firmware);
    ADD("memlock-of-the-model-counts", model_memlock);
    ADD("engine-without-arm64-guests-is-refused", engine_without_arm64);
    ADD("h1-loses-no-exit", hidden_exits);
    ADD("h2-loses-no-answer", kept_answers);
    ADD("h3-sleepers-leave", sleepers);
    ADD("page-faults-are-retried", page_faults);
    ADD("endless-page-faults-stop-the-vm", endless_page_faults);
    ADD("secondary-resets-the-vm", guest_resets);
    ADD("run-error-stops-the-vm", run_error);
    ADD("failed-start-leaves-nothing-dangling", failed_steps);
    ADD("relaunch-waits-for-the-earlier-vm", relaunch);
    ADD("retries-report-the-first-cause", retries_report_the_first_cause);
    ADD("relaunch-waits-for-the-earlier-vm/retries-report-the-first-cause",
        retries_report_the_first_cause);
    ADD("level-line-interrupts-again", level_line);
    ADD("interrupt-before-start-is-kept", early_interrupt);
    ADD("notify-address-never-exits", notify_address);
    status = g_test_run();
    memory_thread_unregister();
    return status;
}
