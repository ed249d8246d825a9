/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reset in place, and accelerators whose hypervisor runs the vCPUs by itself: in which order the
 * core calls a back end, and that vCPUs that were done start anew. Two fakes stand for the back
 * ends, one of each kind; each op leaves its letter in a string.
 */
#include <glib.h>

#include "accel/accel-impl.h"
#include "accel/accel.h"
#include "util/error.h"
#include "util/target.h"

typedef Accel Fake;
typedef AccelClass FakeClass;
GType fake_get_type(void);
GType own_get_type(void);
G_DEFINE_TYPE(Fake, fake, TYPE_ACCEL)
typedef Accel Own;
typedef AccelClass OwnClass;
G_DEFINE_TYPE(Own, own, TYPE_ACCEL)

static GString *calls; /* [main] */
static bool reset_fails;
static unsigned entries; /* atomic */
static unsigned events;  /* atomic */

static void note(char letter)
{
    g_string_append_c(calls, letter);
}

static bool op_open(Accel *accel, GError **error)
{
    return true;
}

static void op_close(Accel *accel)
{
}

static bool op_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    return true;
}

static void op_teardown(Accel *accel)
{
    note('t');
}

static bool op_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    note('S');
    return true;
}

static bool op_reset(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    note('R');
    if (reset_fails) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "no reset today");
    }
    return !reset_fails;
}

static void op_pause(Accel *accel)
{
    note('p');
}

static void op_resume(Accel *accel)
{
    note('r');
}

/* Enters once in each life, and says that it is over. */
static AccelRunResult op_run(Accel *accel, AccelVcpu *vcpu)
{
    accel_report_event(accel, ACCEL_EVENT_SHUTDOWN, NULL);
    __atomic_add_fetch(&entries, 1, __ATOMIC_SEQ_CST);
    return ACCEL_RUN_DONE;
}

static void fill_class(AccelClass *ac, const char *name)
{
    ac->name = name;
    ac->summary = "a fake for tests";
    ac->caps = ACCEL_CAP_VCPUS | ACCEL_CAP_RESET_IN_PLACE;
    ac->open = op_open;
    ac->close = op_close;
    ac->setup = op_setup;
    ac->teardown = op_teardown;
    ac->start = op_start;
    ac->reset = op_reset;
    ac->pause = op_pause;
    ac->resume = op_resume;
}

static void fake_init(Fake *f)
{
}

static void fake_class_init(FakeClass *klass)
{
    fill_class(klass, "fake");
    klass->vcpu_run = op_run;
}

static void own_init(Own *own)
{
}

static void own_class_init(OwnClass *klass)
{
    fill_class(klass, "own");
    klass->targets = TARGET_AARCH64;
}

/* ---- the tests ---- */

static const AccelBootInfo boot;

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Accel *accel;
} World;

static void on_event(void *opaque, AccelEvent event, const char *message)
{
    __atomic_add_fetch(&events, 1, __ATOMIC_SEQ_CST);
}

static void make(World *w, const char *name)
{
    const char *const texts[] = { name, NULL };
    AccelMachineInfo info = { .n_vcpus = 2 };
    GError *error = NULL;

    calls = g_string_new(NULL);
    reset_fails = false;
    entries = events = 0;
    memory_region_init(&w->root, NULL, "root", UINT64_MAX);
    w->as = address_space_new(&w->root, "memory");
    info.memory = w->as;
    w->accel = accel_create(texts, &error);
    g_assert_no_error(error);
    accel_set_event_handler(w->accel, on_event, NULL);
    g_assert_true(accel_setup(w->accel, &info, &error));
}

static void unmake(World *w)
{
    accel_teardown(w->accel);
    g_clear_object(&w->accel);
    address_space_free(w->as);
    memory_region_destroy(&w->root);
    g_string_free(calls, TRUE);
}

static void wait_for_entries(unsigned n)
{
    while (__atomic_load_n(&entries, __ATOMIC_SEQ_CST) < n) {
        g_thread_yield();
    }
}

static void start(World *w)
{
    GError *error = NULL;

    g_assert_true(accel_start(w->accel, &boot, &error));
    g_assert_no_error(error);
}

static void test_order(gconstpointer name)
{
    World w;

    make(&w, name);
    start(&w);
    accel_pause(w.accel);
    start(&w);
    accel_resume(w.accel);
    g_assert_cmpstr(calls->str, ==, "SrpRr");
    unmake(&w);
}

/* -S, system_reset, cont: nothing runs before the end. */
static void test_paused_from_the_start(void)
{
    World w;

    make(&w, "own");
    accel_pause(w.accel);
    start(&w);
    start(&w);
    g_assert_cmpstr(calls->str, ==, "SR");
    accel_resume(w.accel);
    g_assert_cmpstr(calls->str, ==, "SRr");
    unmake(&w);
}

static void test_done_vcpus_run_again(void)
{
    World w;

    make(&w, "fake");
    start(&w);
    wait_for_entries(2);
    for (unsigned life = 2; life <= 20; life++) {
        accel_pause(w.accel);
        g_assert_cmpuint(entries, ==, 2 * (life - 1));
        start(&w);
        g_assert_cmpuint(entries, ==, 2 * (life - 1));
        accel_resume(w.accel);
        wait_for_entries(2 * life);
    }
    unmake(&w);
}

/* A pause that no reset follows leaves a vCPU that is done where it is. */
static void test_done_vcpus_stay_done(void)
{
    World w;

    make(&w, "fake");
    start(&w);
    wait_for_entries(2);
    accel_pause(w.accel);
    accel_resume(w.accel);
    accel_pause(w.accel);
    g_assert_cmpuint(entries, ==, 2);
    unmake(&w);
}

static void test_one_event_in_each_life(void)
{
    World w;

    make(&w, "fake");
    start(&w);
    wait_for_entries(2);
    accel_pause(w.accel);
    g_assert_cmpuint(events, ==, 1);
    start(&w);
    accel_resume(w.accel);
    wait_for_entries(4);
    accel_pause(w.accel);
    g_assert_cmpuint(events, ==, 2);
    unmake(&w);
}

static void test_failure_is_told(void)
{
    g_autoptr(GError) error = NULL;
    World w;

    make(&w, "own");
    start(&w);
    accel_pause(w.accel);
    reset_fails = true;
    g_assert_false(accel_start(w.accel, &boot, &error));
    g_assert_cmpstr(error->message, ==, "-accel own: no reset today");
    unmake(&w);
}

static void test_other_target(void)
{
    static const char *const texts[] = { "own", NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *help = NULL;

    target_set(TARGET_X86_64);
    help = accel_help();
    g_assert_null(accel_create(texts, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
    g_assert_null(g_strrstr(help, "\nown "));
    g_assert_nonnull(g_strrstr(help, "fake"));
    target_set(TARGET_AARCH64);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    accel_register_type(fake_get_type());
    accel_register_type(own_get_type());
    g_test_add_data_func("/accel-reset/order/core-threads", "fake", test_order);
    g_test_add_data_func("/accel-reset/order/own-vcpus", "own", test_order);
    g_test_add_func("/accel-reset/paused-from-the-start", test_paused_from_the_start);
    g_test_add_func("/accel-reset/done-vcpus-run-again", test_done_vcpus_run_again);
    g_test_add_func("/accel-reset/done-vcpus-stay-done", test_done_vcpus_stay_done);
    g_test_add_func("/accel-reset/one-event-in-each-life", test_one_event_in_each_life);
    g_test_add_func("/accel-reset/failure-is-told", test_failure_is_told);
    g_test_add_func("/accel-reset/other-target", test_other_target);
    return g_test_run();
}
