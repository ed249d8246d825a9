/* SPDX-License-Identifier: GPL-2.0-or-later
 * The accelerator core: -accel texts, capabilities, life cycle, the one event, and vCPU threads
 * with their kicks. A fake back end stands for the hypervisor; its vCPUs do what each test says.
 */
#include "accel/accel.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "../../accel/vcpu.h"
#include "accel/accel-impl.h"
#include "probe.h"
#include "util/error.h"
#include "util/props.h"

/* ---- the fake ---- */

typedef AccelRunResult (*RunFn)(AccelVcpu *vcpu);

typedef struct {
    Accel parent_instance;
    char *open_error;
    uint32_t level;
} Fake;
typedef struct {
    AccelClass parent_class;
} FakeClass;
GType fake_get_type(void);
G_DEFINE_TYPE(Fake, fake, TYPE_ACCEL)

typedef Fake Other;
typedef FakeClass OtherClass;
GType other_get_type(void);
G_DEFINE_TYPE(Other, other, TYPE_ACCEL)

static GString *calls; /* first letter of each op, in order */
static bool setup_fails, start_fails;
static RunFn run_fn;
static unsigned entries;         /* atomic, of all vCPUs */
static unsigned each_entries[8]; /* atomic, per vCPU */
static unsigned interrupts;      /* atomic: EINTR seen in a blocking run */
static bool last_level;

static bool fake_open(Accel *accel, GError **error)
{
    Fake *f = (Fake *)accel;

    g_string_append_c(calls, 'o');
    if (f->open_error != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s", f->open_error);
        return false;
    }
    return true;
}

static void fake_close(Accel *accel)
{
    g_string_append_c(calls, 'c');
}

static bool fake_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    g_string_append_c(calls, 's');
    if (setup_fails) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "no setup today");
        return false;
    }
    return true;
}

static void fake_teardown(Accel *accel)
{
    g_string_append_c(calls, 't');
}

static bool fake_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error)
{
    return true;
}

static void fake_irq_set(Accel *accel, unsigned gsi, bool level)
{
    last_level = level;
}

static bool fake_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    g_string_append_c(calls, 'S');
    if (start_fails) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "no start today");
        return false;
    }
    return true;
}

static AccelRunResult fake_run(Accel *accel, AccelVcpu *vcpu)
{
    __atomic_add_fetch(&each_entries[vcpu->index], 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&entries, 1, __ATOMIC_SEQ_CST);
    return run_fn(vcpu);
}

static void fill_class(AccelClass *ac)
{
    static const AccelCapReason reasons[] = {
        { ACCEL_CAP_MIGRATION, "the fake has no state" },
        { 0, NULL },
    };

    ac->summary = "a fake for tests";
    ac->caps = ACCEL_CAP_IRQCHIP | ACCEL_CAP_VCPUS;
    ac->cap_reasons = reasons;
    ac->open = fake_open;
    ac->close = fake_close;
    ac->setup = fake_setup;
    ac->teardown = fake_teardown;
    ac->irq_connect = fake_irq_connect;
    ac->irq_set = fake_irq_set;
    ac->start = fake_start;
    ac->vcpu_run = fake_run;
}

static void fake_init(Fake *f)
{
}

static void fake_class_init(FakeClass *klass)
{
    static const Prop props[] = {
        PROP_STRING("open-error", Fake, open_error, NULL, "fail to open with this text"),
        PROP_U32("level", Fake, level, 3, 0, 9, "a number"),
    };

    props_install(G_OBJECT_CLASS(klass), props, G_N_ELEMENTS(props));
    fill_class(&klass->parent_class);
    klass->parent_class.name = "fake";
}

static void other_init(Other *f)
{
}

static void other_class_init(OtherClass *klass)
{
    fill_class(&klass->parent_class);
    klass->parent_class.name = "other";
    klass->parent_class.caps = 0;
    klass->parent_class.irq_connect = NULL;
    klass->parent_class.irq_set = NULL;
    klass->parent_class.vcpu_run = NULL;
}

/* ---- a machine of nothing but RAM's absence ---- */

typedef struct {
    MemoryRegion root;
    AddressSpace *as;
    Accel *accel;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    unsigned n_events;
    AccelEvent event;
    char *message;
} World;

static void setup(World *w, gconstpointer data)
{
    calls = g_string_new(NULL);
    setup_fails = start_fails = false;
    entries = interrupts = 0;
    memset(each_entries, 0, sizeof(each_entries));
    vcpu_hold_us = 20000;
    memory_region_init(&w->root, NULL, "root", UINT64_MAX);
    w->as = address_space_new(&w->root, "memory");
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->cond, NULL);
}

static void teardown(World *w, gconstpointer data)
{
    g_clear_object(&w->accel);
    address_space_free(w->as);
    memory_region_destroy(&w->root);
    g_free(w->message);
    g_string_free(calls, TRUE);
}

static Accel *create(const char *text, GError **error)
{
    const char *texts[] = { text, NULL };

    return accel_create(texts, error);
}

static void on_event(void *opaque, AccelEvent event, const char *message)
{
    World *w = opaque;

    pthread_mutex_lock(&w->lock);
    w->n_events++;
    w->event = event;
    g_free(w->message);
    w->message = g_strdup(message);
    pthread_cond_broadcast(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

static void make(World *w, unsigned n_vcpus)
{
    AccelMachineInfo info = { .memory = w->as, .n_vcpus = n_vcpus, .vm_name = "test" };
    GError *error = NULL;

    w->accel = create("fake", &error);
    g_assert_no_error(error);
    g_assert_true(accel_setup(w->accel, &info, &error));
    accel_set_event_handler(w->accel, on_event, w);
}

static void start(World *w)
{
    AccelBootInfo boot = { 0 };
    GError *error = NULL;

    g_assert_true(accel_start(w->accel, &boot, &error));
    g_assert_no_error(error);
}

static void wait_for_entries(unsigned n)
{
    while (__atomic_load_n(&entries, __ATOMIC_SEQ_CST) < n) {
        g_thread_yield();
    }
}

static void wait_for_each(unsigned n_vcpus, unsigned n)
{
    for (unsigned i = 0; i < n_vcpus; i++) {
        while (__atomic_load_n(&each_entries[i], __ATOMIC_SEQ_CST) < n) {
            g_thread_yield();
        }
    }
}

/* ---- what a vCPU does ---- */

/* Sleeps in the kernel until a signal, as in WFI. */
static AccelRunResult run_sleep(AccelVcpu *vcpu)
{
    if (poll(NULL, 0, -1) < 0 && errno == EINTR) {
        __atomic_add_fetch(&interrupts, 1, __ATOMIC_SEQ_CST);
    }
    return ACCEL_RUN_AGAIN;
}

/* Takes three signals to notice. */
static AccelRunResult run_deaf(AccelVcpu *vcpu)
{
    for (int i = 0; i < 3; i++) {
        run_sleep(vcpu);
    }
    return ACCEL_RUN_AGAIN;
}

static AccelRunResult run_done(AccelVcpu *vcpu)
{
    return ACCEL_RUN_DONE;
}

/* A guest that polls a register. */
static AccelRunResult run_reads(AccelVcpu *vcpu)
{
    return ACCEL_RUN_ANSWERED;
}

/* Its second entry delivers an answer and then sleeps. */
static AccelRunResult run_read_then_sleep(AccelVcpu *vcpu)
{
    return __atomic_load_n(&entries, __ATOMIC_SEQ_CST) == 1 ? ACCEL_RUN_ANSWERED : run_sleep(vcpu);
}

static AccelRunResult run_report(AccelVcpu *vcpu)
{
    accel_report_event(vcpu->accel, ACCEL_EVENT_SHUTDOWN, "vCPU %u", vcpu->index);
    return ACCEL_RUN_DONE;
}

/* ---- texts ---- */

static void unknown_name(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(create("gunya", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
    g_assert_cmpstr(error->message, ==,
                    "-accel gunya: accelerator 'gunya' is not known (did you mean 'gunyah'?)");
    g_clear_error(&error);
    g_assert_false(accel_option_check("", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING);
}

static void unknown_property(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(accel_option_check("fake,levl=3", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
    g_assert_cmpstr(error->message, ==,
                    "-accel fake,levl=3: property 'levl' is not known (did you mean 'level'?)");
}

static void bad_value(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(accel_option_check("fake,level=10", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE);
    g_assert_cmpstr(error->message, ==, "-accel fake,level=10: level is 10 but must be 0 to 9");
    g_assert_true(accel_option_check("fake,level=9", NULL));
    g_assert_cmpstr(calls->str, ==, "");
}

static void first_that_opens(World *w, gconstpointer data)
{
    const char *texts[] = { "fake,open-error=nobody home", "fake,level=7", "other", NULL };
    g_autofree char *level = NULL;

    w->accel = accel_create(texts, NULL);
    g_assert_nonnull(w->accel);
    level = props_get_str(G_OBJECT(w->accel), "level");
    g_assert_cmpstr(level, ==, "7");
    g_assert_cmpstr(calls->str, ==, "oo");
}

static void none_opens(World *w, gconstpointer data)
{
    const char *texts[] = { "fake,open-error=nobody home", "fake,open-error=gone", NULL };
    g_autoptr(GError) error = NULL;

    g_assert_null(accel_create(texts, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_assert_cmpstr(error->message, ==, "-accel fake: nobody home; -accel fake: gone");
}

static void unknown_among_several(World *w, gconstpointer data)
{
    const char *texts[] = { "fakir", "fake,level=7", NULL };
    const char *unknown[] = { "fakir", "faker", NULL };
    g_autoptr(GError) error = NULL;

    g_assert_true(accel_option_check("fakir", NULL));
    w->accel = accel_create(texts, NULL);
    g_assert_nonnull(w->accel);
    g_assert_null(accel_create(unknown, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
}

static void bad_text_beats_opening(World *w, gconstpointer data)
{
    const char *texts[] = { "fake", "other,colour=red", NULL };
    g_autoptr(GError) error = NULL;

    g_assert_null(accel_create(texts, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
    g_assert_cmpstr(calls->str, ==, "");
}

static void help(World *w, gconstpointer data)
{
    g_autofree char *all = accel_help();
    g_autofree char *one = accel_type_help("fake", NULL);
    g_autofree char *gunyah = accel_type_help("gunyah", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(strstr(all, "\ngunyah "));
    g_assert_nonnull(strstr(all, "\nfake       a fake for tests\n"));
    g_assert_nonnull(strstr(one, "level=<uint32>"));
    g_assert_nonnull(strstr(gunyah, "host=auto|kernel|model"));
    g_assert_null(accel_type_help("fak", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN);
}

/* ---- registration ---- */

typedef Fake Broken;
typedef FakeClass BrokenClass;
GType broken_get_type(void);
G_DEFINE_TYPE(Broken, broken, TYPE_ACCEL)

static void broken_init(Broken *f)
{
}

static void broken_class_init(BrokenClass *klass)
{
    fill_class(&klass->parent_class);
    klass->parent_class.name = "broken";
    klass->parent_class.irq_set = NULL;
}

static void broken_pair(World *w, gconstpointer data)
{
    if (g_test_subprocess()) {
        accel_register_type(broken_get_type());
        return;
    }
    if (!can_start_self()) {
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*irq_set*");
}

/* ---- capabilities ---- */

static void capability(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    make(w, 1);
    g_assert_true(accel_require(w->accel, ACCEL_CAP_VCPUS, "-smp", &error));
    g_assert_no_error(error);
    g_assert_false(accel_require(w->accel, ACCEL_CAP_MIGRATION, "-incoming", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    g_assert_cmpstr(error->message, ==,
                    "-incoming is not supported by accelerator 'fake': the fake has no state");
}

static void gunyah_says_why(World *w, gconstpointer data)
{
    g_autoptr(Accel) gunyah = g_object_new(g_type_from_name("AccelGunyah"), NULL);

    for (unsigned bit = 0; bit < 12; bit++) {
        g_autoptr(GError) error = NULL;

        if (!(accel_caps(gunyah) & (1u << bit))) {
            g_assert_false(accel_require(gunyah, 1u << bit, "it", &error));
            g_assert_nonnull(strstr(error->message, "Gunyah"));
        }
    }
}

/* ---- life cycle ---- */

static void ops_in_order(World *w, gconstpointer data)
{
    run_fn = run_sleep;
    make(w, 1);
    start(w);
    accel_teardown(w->accel);
    accel_teardown(w->accel);
    g_clear_object(&w->accel);
    g_assert_cmpstr(calls->str, ==, "osStc");
}

static void failed_setup(World *w, gconstpointer data)
{
    AccelMachineInfo info = { .memory = w->as, .n_vcpus = 1 };
    g_autoptr(GError) error = NULL;

    setup_fails = true;
    w->accel = create("fake", NULL);
    g_assert_false(accel_setup(w->accel, &info, &error));
    g_assert_cmpstr(error->message, ==, "-accel fake: no setup today");
    g_clear_object(&w->accel);
    g_assert_cmpstr(calls->str, ==, "osc");
}

static void failed_start(World *w, gconstpointer data)
{
    AccelBootInfo boot = { 0 };
    g_autoptr(GError) error = NULL;

    start_fails = true;
    make(w, 1);
    g_assert_false(accel_start(w->accel, &boot, &error));
    g_assert_cmpstr(error->message, ==, "-accel fake: no start today");
    g_clear_object(&w->accel);
    g_assert_cmpstr(calls->str, ==, "osStc");
    g_assert_cmpuint(entries, ==, 0);
}

static void irq_twice(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    make(w, 1);
    g_assert_true(accel_irq_connect(w->accel, 5, ACCEL_IRQ_LEVEL, &error));
    accel_irq_set(w->accel, 5, true);
    g_assert_true(last_level);
    g_assert_false(accel_irq_connect(w->accel, 5, ACCEL_IRQ_EDGE, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    g_assert_cmpstr(error->message, ==, "-accel fake: interrupt line 5 is connected twice");
}

static void one_event(World *w, gconstpointer data)
{
    run_fn = run_report;
    make(w, 4);
    start(w);
    wait_for_entries(4);
    accel_teardown(w->accel);
    g_assert_cmpuint(w->n_events, ==, 1);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
    g_assert_true(g_str_has_prefix(w->message, "vCPU "));
}

/* ---- threads ---- */

static void done_is_final(World *w, gconstpointer data)
{
    run_fn = run_done;
    make(w, 2);
    start(w);
    wait_for_entries(2);
    accel_pause(w->accel);
    accel_resume(w->accel);
    accel_pause(w->accel);
    accel_teardown(w->accel);
    g_assert_cmpuint(entries, ==, 2);
}

static void paused_start(World *w, gconstpointer data)
{
    run_fn = run_sleep;
    make(w, 2);
    accel_pause(w->accel);
    start(w);
    accel_pause(w->accel);
    g_assert_cmpuint(__atomic_load_n(&entries, __ATOMIC_SEQ_CST), ==, 0);
    accel_resume(w->accel);
    wait_for_entries(2);
}

static void pause_sleepers(World *w, gconstpointer data)
{
    run_fn = run_sleep;
    make(w, 3);
    start(w);
    for (int i = 0; i < 20; i++) {
        unsigned before;

        accel_pause(w->accel);
        before = __atomic_load_n(&entries, __ATOMIC_SEQ_CST);
        g_thread_yield();
        g_assert_cmpuint(__atomic_load_n(&entries, __ATOMIC_SEQ_CST), ==, before);
        accel_resume(w->accel);
        wait_for_entries(before + 3);
    }
}

static void deaf(World *w, gconstpointer data)
{
    run_fn = run_deaf;
    make(w, 2);
    start(w);
    wait_for_entries(2);
    accel_pause(w->accel);
    g_assert_cmpuint(interrupts, ==, 6);
}

static void held_kick(World *w, gconstpointer data)
{
    struct sigaction action;
    unsigned so_far;

    vcpu_hold_us = INT64_MAX;
    run_fn = run_reads;
    make(w, 2);
    start(w);
    /* A signal would end the process: none may be sent, for each thread sees the request. */
    sigaction(SIGUSR1, NULL, &action);
    signal(SIGUSR1, SIG_DFL);
    wait_for_each(2, 2);
    accel_pause(w->accel);
    so_far = MAX(each_entries[0], each_entries[1]);
    accel_resume(w->accel);
    wait_for_each(2, so_far + 2);
    accel_pause(w->accel);
    sigaction(SIGUSR1, &action, NULL);
}

static void kick_after_hold(World *w, gconstpointer data)
{
    vcpu_hold_us = 1;
    run_fn = run_read_then_sleep;
    make(w, 1);
    start(w);
    wait_for_entries(2);
    accel_pause(w->accel);
    g_assert_cmpuint(interrupts, >=, 1);
}

static void stop_does_not_hold(World *w, gconstpointer data)
{
    vcpu_hold_us = INT64_MAX;
    run_fn = run_read_then_sleep;
    make(w, 1);
    start(w);
    wait_for_entries(2);
    accel_teardown(w->accel);
    g_assert_cmpuint(interrupts, >=, 1);
}

static AccelRunResult run_look_at_thread(AccelVcpu *vcpu)
{
    sigset_t mask;
    char name[16], expected[16];

    pthread_getname_np(pthread_self(), name, sizeof(name));
    g_snprintf(expected, sizeof(expected), "CPU %u/fake", vcpu->index);
    g_assert_cmpstr(name, ==, expected);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    g_assert_false(sigismember(&mask, SIGUSR1));
    g_assert_false(sigismember(&mask, SIGSEGV));
    g_assert_true(sigismember(&mask, SIGTERM));
    g_assert_true(sigismember(&mask, SIGCHLD));
    g_assert_true(sigismember(&mask, SIGALRM));
    return ACCEL_RUN_DONE;
}

static void thread_looks(World *w, gconstpointer data)
{
    struct sigaction action;

    run_fn = run_look_at_thread;
    make(w, 2);
    start(w);
    wait_for_entries(2);
    sigaction(SIGUSR1, NULL, &action);
    g_assert_cmpint(action.sa_flags & SA_RESTART, ==, 0);
}

static void stats(World *w, gconstpointer data)
{
    make(w, 2);
    g_assert_cmpuint(accel_n_vcpus(w->accel), ==, 2);
    accel_vcpu(w->accel, 1)->stats.reads = 7;
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 1)->reads, ==, 7);
    g_assert_cmpuint(accel_vcpu_stats(w->accel, 0)->reads, ==, 0);
    g_assert_null(accel_vcpu_stats(w->accel, 2));
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    memory_thread_register();
    accel_register_type(fake_get_type());
    accel_register_type(other_get_type());
#define ADD(name, fn) g_test_add("/accel/" name, World, NULL, setup, fn, teardown)
    ADD("option/unknown-name-suggests-the-nearest", unknown_name);
    ADD("option/unknown-property-suggests-the-nearest", unknown_property);
    ADD("option/value-out-of-range-names-value-and-range", bad_value);
    ADD("option/first-that-opens-wins", first_that_opens);
    ADD("option/all-failures-are-told", none_opens);
    ADD("option/unknown-among-several-is-passed-over", unknown_among_several);
    ADD("option/a-bad-text-is-refused-before-anything-opens", bad_text_beats_opening);
    ADD("option/help-lists-types-and-properties", help);
    ADD("register/half-a-pair-of-ops-asserts", broken_pair);
    ADD("caps/missing-one-gives-one-message-with-the-reason", capability);
    ADD("caps/gunyah-has-a-reason-for-each-it-lacks", gunyah_says_why);
    ADD("life/ops-in-order-and-teardown-once", ops_in_order);
    ADD("life/failed-setup-only-closes", failed_setup);
    ADD("life/failed-start-runs-no-vcpu-and-tears-down", failed_start);
    ADD("life/a-line-is-connected-once", irq_twice);
    ADD("life/one-event-per-vm", one_event);
    ADD("vcpu/done-is-final", done_is_final);
    ADD("vcpu/paused-before-start-stays-out", paused_start);
    ADD("vcpu/pause-gets-sleepers-out", pause_sleepers);
    ADD("vcpu/kick-repeats-until-the-thread-parks", deaf);
    ADD("vcpu/no-signal-while-an-answer-is-on-its-way", held_kick);
    ADD("vcpu/signal-once-the-answer-has-had-its-time", kick_after_hold);
    ADD("vcpu/stop-does-not-wait-for-answers", stop_does_not_hold);
    ADD("vcpu/thread-has-name-and-only-the-kick-signal", thread_looks);
    ADD("vcpu/stats-are-per-vcpu", stats);
    status = g_test_run();
    memory_thread_unregister();
    return status;
}
