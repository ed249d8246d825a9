/* SPDX-License-Identifier: GPL-2.0-or-later
 * Lent and shared memory in random pieces, of one file and of none, while two vCPUs store, what
 * stands for devices does DMA at their exits, and other threads of the host look at all of it by
 * every mapping there is, before, during and after START: no byte that the guest has put into lent
 * memory is ever seen, none that the host writes there gets to the guest, and what is shared works.
 * --seed repeats a run's pieces, steps and looks; how threads interleave is the machine's choice.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "gunyah.h"

#define PIECE_GPA(i) (0x90000000ULL + ((uint64_t)(i) << 20))
#define SECRET       0xa5a5a5a5a5a5a5a5ULL
#define PUBLIC       0x3c3c3c3c3c3c3c3cULL

enum {
    N_PIECES = 8,
    PIECE_SIZE = 64 << 10,
    N_ROUNDS = 12,
    N_STEPS = 150,
    N_LOOKS = 300,
    LABEL = 10,
    KEPT = 0x800, /* where the guest's own copy is, in each piece */
    END = 0xdead, /* stored to DEVICE: a vCPU's last step */
};

typedef struct {
    Vm *vm;
    GRand *rand; /* of the thread that makes the round */
    struct {
        bool lent, no_file;
        uint8_t *roads[3]; /* mappings; NULL: none more */
    } pieces[N_PIECES];
    uint8_t *file, *alias; /* of all pieces that are in the file */
    int file_fd;           /* v17's guest memory, else -1 */
    unsigned seen;         /* atomic: looks that found what they may not */
    bool stop;             /* atomic */
} Round;

typedef struct {
    Round *round;
    uint32_t seed;
    unsigned vcpu;
} Job;

/* ---- looking ---- */

static __thread sigjmp_buf look_env;

static void on_fault(int number)
{
    siglongjmp(look_env, number);
}

/* To look at what is being taken away is what this is about; to the thread sanitizer mmap() is a
 * write. */
__attribute__((noinline, no_sanitize("thread"))) static void look_at(uint8_t *where, uint8_t *bytes,
                                                                     unsigned n)
{
    if (n == 0) {
        __atomic_store_n(where, 0x11, __ATOMIC_RELAXED);
    }
    for (unsigned i = 0; i < n; i++) {
        bytes[i] = __atomic_load_n(where + i, __ATOMIC_RELAXED);
    }
}

/* One access to one piece by one of its mappings. */
static void look_once(Round *round, GRand *rand)
{
    unsigned i = g_rand_int_range(rand, 0, N_PIECES);
    unsigned road = g_rand_int_range(rand, 0, round->pieces[i].no_file ? 1 : 3);
    uint32_t at = g_rand_int_range(rand, 0, PIECE_SIZE / 4096) * 4096;
    uint8_t *where = round->pieces[i].roads[road] + at + (g_rand_boolean(rand) ? 0 : KEPT);
    uint8_t bytes[64];

    if (sigsetjmp(look_env, 1) != 0) {
        return; /* that is what is to happen */
    }
    if (g_rand_int_range(rand, 0, 4) == 0) {
        look_at(where + 32, NULL, 0);
        return;
    }
    look_at(where, bytes, sizeof(bytes));
    if (memchr(bytes, SECRET & 0xff, sizeof(bytes)) != NULL) {
        __atomic_add_fetch(&round->seen, 1, __ATOMIC_RELAXED);
    }
}

static void *look_on(void *opaque)
{
    Job *job = opaque;
    GRand *rand = g_rand_new_with_seed(job->seed);

    while (!__atomic_load_n(&job->round->stop, __ATOMIC_ACQUIRE)) {
        look_once(job->round, rand);
    }
    g_rand_free(rand);
    return NULL;
}

/* Runs a vCPU to its last step; each exit is a device's that has been told to do DMA. */
static void *run_vcpu(void *opaque)
{
    Job *job = opaque;
    Vm *vm = job->round->vm;
    GRand *rand = g_rand_new_with_seed(job->seed);
    uint32_t stored = 0;

    while (stored != END) {
        if (run(vm, job->vcpu) != 0) {
            g_assert_cmpint(errno, ==, EINTR);
            continue;
        }
        g_assert_cmpuint(vm->run[job->vcpu]->exit_reason, ==, GH_VCPU_EXIT_MMIO);
        memcpy(&stored, vm->run[job->vcpu]->mmio.data, sizeof(stored));
        for (unsigned i = 0; i < 8; i++) {
            look_once(job->round, rand);
        }
    }
    g_rand_free(rand);
    return NULL;
}

/* ---- the guest ---- */

static void add_steps(GString *script, Round *round, unsigned vcpu)
{
    for (unsigned i = 0; i < N_STEPS; i++) {
        unsigned piece = g_rand_int_range(round->rand, 0, N_PIECES);
        uint64_t gpa =
            PIECE_GPA(piece) + g_rand_int_range(round->rand, 0, PIECE_SIZE / 4096) * 4096;

        if (g_rand_int_range(round->rand, 0, 5) == 0) {
            g_string_append_printf(script, "%u: w4 0x%llx %u;", vcpu, DEVICE,
                                   g_rand_int_range(round->rand, 0, END));
        } else {
            g_string_append_printf(script, "%u: w8 0x%" G_GINT64_MODIFIER "x 0x%llx;", vcpu, gpa,
                                   round->pieces[piece].lent ? SECRET : PUBLIC);
        }
    }
}

/* The first vCPU puts a copy into each piece and looks at it again in the end. */
static char *make_script(Round *round)
{
    GString *script = g_string_new(NULL);

    for (unsigned i = 0; i < N_PIECES; i++) {
        g_string_append_printf(script, "0: w8 0x%llx 0x%llx;", PIECE_GPA(i) + KEPT,
                               round->pieces[i].lent ? SECRET : PUBLIC);
    }
    g_string_append(script, "0: on 1;");
    add_steps(script, round, 0);
    add_steps(script, round, 1);
    for (unsigned i = 0; i < N_PIECES; i++) {
        g_string_append_printf(script, "0: r8 0x%llx;", PIECE_GPA(i) + KEPT);
    }
    g_string_append_printf(script, "0: w4 0x%llx 0x%x; 1: w4 0x%llx 0x%x", DEVICE, END, DEVICE,
                           END);
    return g_string_free(script, FALSE);
}

static void check_copies(const Round *round)
{
    for (unsigned i = 0; i < N_PIECES; i++) {
        for (unsigned n = 0; !round->pieces[i].lent && n < (round->pieces[i].no_file ? 1 : 3);
             n++) {
            g_assert_cmphex(*(uint64_t *)(round->pieces[i].roads[n] + KEPT), ==, PUBLIC);
        }
    }
    for (unsigned i = 0; i < N_PIECES; i++) {
        g_autofree char *line = g_strdup_printf("0 r8 0x%llx = 0x%llx", PIECE_GPA(i) + KEPT,
                                                round->pieces[i].lent ? SECRET : PUBLIC);

        assert_guest_saw(line);
    }
}

/* ---- pieces ---- */

/* The file that pieces are of: v17's is the driver's own. */
static int make_file(Round *round, bool v17)
{
    struct gh_create_mem_args create = { .size = N_PIECES * PIECE_SIZE };
    int fd = v17 ? host->ioctl(round->vm->dev, GH_CREATE_GUEST_MEM, (uintptr_t)&create)
                 : memfd_create("pieces", MFD_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    if (!v17) {
        g_assert_cmpint(ftruncate(fd, N_PIECES * PIECE_SIZE), ==, 0);
    }
    return fd;
}

static uint8_t *map_file(int fd, bool v17)
{
    const size_t size = N_PIECES * PIECE_SIZE;
    void *map = v17 ? host->mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                    : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    g_assert_true(map != MAP_FAILED);
    return map;
}

static void give(Round *round, unsigned i, bool v17)
{
    const struct gh_map_mem_args map = {
        .guest_addr = PIECE_GPA(i),
        .flags = (round->pieces[i].lent ? GH_MAP_FORCE_LEND : GH_MAP_FORCE_SHARE) |
                 GH_MAP_ALLOW_READ | GH_MAP_ALLOW_WRITE,
        .guest_mem_fd = round->file_fd,
        .offset = (uint64_t)i * PIECE_SIZE,
        .size = PIECE_SIZE,
    };

    for (unsigned n = 0; v17 && round->pieces[i].lent && n < 2; n++) { /* else it is not lent */
        g_assert_true(mmap(round->pieces[i].roads[n], PIECE_SIZE, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
    }
    if (v17) {
        assert_ok(vm_call(round->vm, GH_VM_MAP_MEM, &map));
    } else {
        assert_ok(add_region(round->vm, LABEL + i, PIECE_GPA(i), PIECE_SIZE,
                             round->pieces[i].roads[0], round->pieces[i].lent));
    }
}

static void make_pieces(Round *round, bool v17, DtSpec *dt)
{
    round->file_fd = make_file(round, v17);
    round->file = map_file(round->file_fd, v17);
    round->alias = map_file(round->file_fd, v17);
    for (unsigned i = 0; i < N_PIECES; i++) {
        round->pieces[i].lent = g_rand_boolean(round->rand);
        round->pieces[i].no_file = !v17 && g_rand_int_range(round->rand, 0, 4) == 0;
        round->pieces[i].roads[0] = round->file + (size_t)i * PIECE_SIZE;
        round->pieces[i].roads[1] = round->alias + (size_t)i * PIECE_SIZE;
        round->pieces[i].roads[2] = round->pieces[i].roads[0];
        if (round->pieces[i].no_file) {
            round->pieces[i].roads[0] = map_private(PIECE_SIZE);
        }
        if (!v17) {
            dt->shms[dt->n_shms].label = LABEL + i;
            dt->shms[dt->n_shms++].base = PIECE_GPA(i);
        }
    }
}

static void drop_pieces(Round *round, bool v17)
{
    int (*unmap)(void *, size_t) = v17 ? host->munmap : munmap;

    for (unsigned i = 0; i < N_PIECES; i++) {
        if (round->pieces[i].no_file) {
            munmap(round->pieces[i].roads[0], PIECE_SIZE);
        }
    }
    unmap(round->file, N_PIECES * PIECE_SIZE);
    unmap(round->alias, N_PIECES * PIECE_SIZE);
    if (v17) {
        vm_close(&round->file_fd);
    } else {
        close(round->file_fd);
    }
}

/* ---- rounds ---- */

static void one_round(GRand *rand, const char *rev)
{
    const bool v17 = strcmp(rev, "v17") == 0;
    g_autofree char *knobs = g_strdup_printf("rev=%s", rev);
    g_autofree char *script = NULL;
    g_autoptr(GError) error = NULL;
    Round round = { .rand = rand };
    DtSpec dt = { .n_cpus = 2 };
    Job jobs[3];
    pthread_t threads[3];

    round.vm = vm_new(knobs);
    make_pieces(&round, v17, &dt);
    prepare(round.vm, &dt, true);
    for (unsigned n = 0, at = g_rand_int_range(rand, 0, N_PIECES); n < N_PIECES; n++) {
        give(&round, (at + n) % N_PIECES, v17); /* in an order of its own */
    }
    assert_ok(add_vcpu(round.vm, 0));
    assert_ok(add_vcpu(round.vm, 1));
    script = make_script(&round);
    engine_script_set(script, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
        jobs[i] = (Job){ &round, g_rand_int(rand), i };
    }
    pthread_create(&threads[2], NULL, look_on, &jobs[2]);
    assert_ok(vm_call(round.vm, GH_VM_START, NULL));
    pthread_create(&threads[0], NULL, run_vcpu, &jobs[0]);
    pthread_create(&threads[1], NULL, run_vcpu, &jobs[1]);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    for (unsigned i = 0; i < N_LOOKS; i++) { /* the guest has ended; its memory is still lent */
        look_once(&round, rand);
    }
    __atomic_store_n(&round.stop, true, __ATOMIC_RELEASE);
    pthread_join(threads[2], NULL);
    check_copies(&round);
    g_assert_cmpuint(round.seen, ==, 0);
    vm_free(round.vm);
    drop_pieces(&round, v17);
}

static void rounds(const char *rev)
{
    struct sigaction action = { .sa_handler = on_fault }, bus, segv;
    GRand *rand;

    if (model_only()) {
        return;
    }
    rand = g_rand_new_with_seed(g_test_rand_int());
    sigaction(SIGBUS, &action, &bus);
    sigaction(SIGSEGV, &action, &segv); /* private pages that are being taken */
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        one_round(rand, rev);
    }
    sigaction(SIGBUS, &bus, NULL);
    sigaction(SIGSEGV, &segv, NULL);
    g_rand_free(rand);
}

static void test_android14(void)
{
    rounds("android14");
}

static void test_android15(void)
{
    rounds("android15");
}

static void test_v17(void)
{
    rounds("v17");
}

void add_lend_random_tests(void)
{
    g_test_add_func("/android14/lend/no-order-reveals-a-byte", test_android14);
    g_test_add_func("/android15/lend/no-order-reveals-a-byte", test_android15);
    g_test_add_func("/v17/lend/no-order-reveals-a-byte", test_v17);
}
