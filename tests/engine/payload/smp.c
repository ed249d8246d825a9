/* SPDX-License-Identifier: GPL-2.0-or-later
 * Rules of four CPUs on one memory: exclusives, locks, message passing by acquire and release and
 * by barriers, TLB and instruction shoot-downs while others run.
 */
#include "lib.h"

enum { N = 4, ROUNDS = 20000 };

#define VA(index) (WINDOW + (u64)(index)*4096)

static u64 n_running;

/* entry(0) to entry(n - 1), each on its own CPU. */
static void on_cpus(u64 n, void (*entry)(u64 arg))
{
    n_running = n;
    for (unsigned i = 1; i < n; i++) {
        start_cpu(i, entry, i);
    }
    entry(0);
    for (unsigned i = 1; i < n; i++) {
        join_cpu(i);
    }
}

static void on_all(void (*entry)(u64 arg))
{
    on_cpus(N, entry);
}

/* Shared words, each on its own line of 256 bytes. */
static struct {
    volatile u64 word;
    u8 pad[248];
} shared[16] __attribute__((aligned(256)));

static void wait_for(volatile u64 *word, u64 value)
{
    while (*word != value) {
        asm volatile("yield");
    }
}

/* All running CPUs meet here. */
static void barrier(void)
{
    static u64 arrived, phase;
    u64 now = __atomic_load_n(&phase, __ATOMIC_ACQUIRE);

    if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == n_running) {
        arrived = 0;
        __atomic_store_n(&phase, now + 1, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&phase, __ATOMIC_ACQUIRE) == now) {
        asm volatile("yield");
    }
}

static void add_64(u64 arg)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        __atomic_fetch_add(&shared[0].word, 1, __ATOMIC_RELAXED);
    }
}

static void exclusive_adds_lose_nothing(void)
{
    shared[0].word = 0;
    on_all(add_64);
    check_eq(shared[0].word, N * ROUNDS);
}

/* Neighbouring bytes, halves and words: a store-exclusive touches only its own. */
static union {
    volatile u8 b[16];
    volatile uint16_t h[8];
    volatile u32 w[4];
} mixed __attribute__((aligned(16)));

static void add_narrow(u64 n)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        __atomic_fetch_add(&mixed.b[n], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&mixed.h[2 + n / 2], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&mixed.w[2 + n / 2], 1, __ATOMIC_RELAXED);
    }
}

static void narrow_exclusives_keep_their_neighbours(void)
{
    mixed.w[0] = mixed.w[1] = mixed.w[2] = mixed.w[3] = 0;
    on_all(add_narrow);
    for (unsigned i = 0; i < N; i++) {
        check_eq(mixed.b[i], (u8)ROUNDS);
    }
    check_eq(mixed.h[2], (uint16_t)(2 * ROUNDS));
    check_eq(mixed.h[3], (uint16_t)(2 * ROUNDS));
    check_eq(mixed.w[2], 2 * ROUNDS);
    check_eq(mixed.w[3], 2 * ROUNDS);
}

static u64 pair[2] __attribute__((aligned(16)));
static u64 pairs_torn;

static void add_pairs(u64 arg)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        u64 a, b, failed;

        do {
            asm volatile("ldxp %0, %1, [%3]\n add %0, %0, #1\n sub %1, %1, #1\n"
                         "stxp %w2, %0, %1, [%3]"
                         : "=&r"(a), "=&r"(b), "=&r"(failed)
                         : "r"(pair)
                         : "memory");
        } while (failed);
        if (a + b != 1000) {
            pairs_torn = 1;
        }
    }
}

static void exclusive_pairs_are_one_access(void)
{
    pair[0] = 0;
    pair[1] = 1000;
    on_all(add_pairs);
    check_eq(pairs_torn, 0);
    check_eq(pair[0], N * ROUNDS);
    check_eq(pair[1], 1000 - (u64)N * ROUNDS);
}

static void compare_and_swap(u64 arg)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        u64 old = shared[1].word;

        while (!__atomic_compare_exchange_n(&shared[1].word, &old, old + 3, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED)) {
        }
    }
}

static void compare_and_swap_loses_nothing(void)
{
    shared[1].word = 0;
    on_all(compare_and_swap);
    check_eq(shared[1].word, 3 * N * ROUNDS);
}

static u64 next_ticket, now_serving, guarded_count;

static void with_ticket(u64 arg)
{
    for (unsigned i = 0; i < 500; i++) {
        u64 mine = __atomic_fetch_add(&next_ticket, 1, __ATOMIC_RELAXED);

        while (__atomic_load_n(&now_serving, __ATOMIC_ACQUIRE) != mine) {
            asm volatile("wfe");
        }
        guarded_count++;
        __atomic_store_n(&now_serving, mine + 1, __ATOMIC_RELEASE);
        asm volatile("dsb ishst\n sev" ::: "memory");
    }
}

static void ticket_lock_excludes(void)
{
    next_ticket = now_serving = guarded_count = 0;
    on_all(with_ticket);
    check_eq(guarded_count, N * 500);
}

/* Two writers' and two readers' worth of message passing: data, then flag. */
enum { ACQUIRE_RELEASE, BARRIERS };
static unsigned kind;
static u64 messages_wrong;

static void pass_messages(u64 n)
{
    volatile u64 *data = &shared[2 + n / 2 * 2].word, *flag = &shared[3 + n / 2 * 2].word;
    volatile u64 *back = &shared[8 + n / 2].word;

    for (u64 i = 1; i <= 1000; i++) {
        if (n % 2 == 0) {
            *data = i;
            if (kind == ACQUIRE_RELEASE) {
                __atomic_store_n(flag, i, __ATOMIC_RELEASE);
            } else {
                asm volatile("dmb ishst" ::: "memory");
                *flag = i;
            }
            wait_for(back, i);
            asm volatile("dmb ish" ::: "memory");
        } else {
            if (kind == ACQUIRE_RELEASE) {
                while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) != i) {
                }
            } else {
                wait_for(flag, i);
                asm volatile("dmb ishld" ::: "memory");
            }
            messages_wrong += *data != i;
            asm volatile("dmb ish" ::: "memory");
            *back = i;
        }
    }
}

static void messages_arrive(unsigned how)
{
    kind = how;
    messages_wrong = 0;
    for (unsigned i = 2; i < 12; i++) {
        shared[i].word = 0;
    }
    on_all(pass_messages);
    check_eq(messages_wrong, 0);
}

static void release_publishes_what_came_before(void)
{
    messages_arrive(ACQUIRE_RELEASE);
}

static void barriers_publish_what_came_before(void)
{
    messages_arrive(BARRIERS);
}

/* Store buffering: with a full barrier between store and load, not both may read the old value. */
static volatile u64 *const sb_x = &shared[2].word, *const sb_y = &shared[3].word;
static volatile u64 sb_seen[2];
static u64 sb_both;
static unsigned sb_how;

static void store_then_load(u64 n)
{
    volatile u64 *mine = n == 0 ? sb_x : sb_y, *other = n == 0 ? sb_y : sb_x;

    for (unsigned i = 0; i < 1000; i++) {
        u64 seen;

        *mine = 0;
        barrier();
        if (sb_how == BARRIERS) {
            asm volatile("str %2, [%1]\n dmb ish\n ldr %0, [%3]"
                         : "=&r"(seen)
                         : "r"(mine), "r"(UINT64_C(1)), "r"(other)
                         : "memory");
        } else {
            asm volatile("stlr %2, [%1]\n ldar %0, [%3]"
                         : "=&r"(seen)
                         : "r"(mine), "r"(UINT64_C(1)), "r"(other)
                         : "memory");
        }
        sb_seen[n] = seen;
        barrier();
        if (n == 0 && sb_seen[0] == 0 && sb_seen[1] == 0) {
            sb_both++;
        }
        barrier();
    }
}

static void dmb_orders_store_before_load(void)
{
    sb_how = BARRIERS;
    sb_both = 0;
    on_cpus(2, store_then_load);
    check_eq(sb_both, 0);
}

static void stlr_is_ordered_before_ldar(void)
{
    if (is_kvm_on_qemu()) {
        skip("QEMU lets a load overtake");
        return;
    }
    sb_how = ACQUIRE_RELEASE;
    sb_both = 0;
    on_cpus(2, store_then_load);
    check_eq(sb_both, 0);
}

/* TLBI shoot-down: once TLBI and DSB are done, nobody reads through the old translation. */
static u64 page_a, page_b, late_reads;
static volatile u64 *const generation = &shared[4].word, *const stop = &shared[5].word;

static void skip_fault(Frame *frame)
{
    frame->elr += 4;
}

static void shoot_down(u64 n)
{
    if (n == 0) {
        for (u64 i = 1; i <= 100; i++) {
            set_page(60, 0);
            asm volatile("dsb ishst\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(VA(60) >> 12)
                         : "memory");
            write64(i & 1 ? page_a : page_b, 0); /* must not be seen through the VA */
            set_page(60, (i & 1 ? page_b : page_a) | PAGE);
            __atomic_store_n(generation, i, __ATOMIC_RELEASE);
            while (shared[6].word < i || shared[7].word < i || shared[8].word < i) {
                asm volatile("yield");
            }
            write64(i & 1 ? page_a : page_b, i & 1 ? 'a' : 'b');
        }
        *stop = 1;
        return;
    }
    this_cpu()->on_sync = skip_fault; /* between break and make */
    while (!*stop) {
        u64 before = __atomic_load_n(generation, __ATOMIC_ACQUIRE);
        u64 value = 1;

        asm volatile("ldr %0, [%1]" : "+r"(value) : "r"(VA(60)) : "memory");
        late_reads += value == 0;
        shared[5 + n].word = before;
    }
    this_cpu()->on_sync = 0;
}

static void tlbi_is_reaches_readers_on_other_cpus(void)
{
    page_a = take_pages(1);
    page_b = take_pages(1);
    write64(page_a, 'a');
    write64(page_b, 'b');
    set_page(60, page_a | PAGE);
    for (unsigned i = 4; i < 9; i++) {
        shared[i].word = 0;
    }
    late_reads = 0;
    on_all(shoot_down);
    check_eq(late_reads, 0);
}

/* A page is taken away from a CPU that never enters the kernel of its own will. */
static volatile u64 faulted;

static void note_fault(Frame *frame)
{
    faulted = frame->far;
    frame->elr += 4;
}

static void read_until_fault(u64 n)
{
    this_cpu()->on_sync = note_fault;
    shared[9].word = 1;
    while (!faulted) {
        read64(VA(61));
    }
    this_cpu()->on_sync = 0;
}

static void unmapped_page_faults_on_the_other_cpu(void)
{
    for (unsigned i = 0; i < 10; i++) {
        faulted = 0;
        shared[9].word = 0;
        set_page(61, take_pages(1) | PAGE);
        start_cpu(1, read_until_fault, 0);
        wait_for(&shared[9].word, 1);
        set_page(61, 0);
        tlbi_all();
        join_cpu(1);
        check_eq(faulted, VA(61));
    }
}

/* Code of EL0 changes its page while others run it. The generation is odd during the change. */
asm(".globl el0_calls\n"
    "el0_calls: mov x9, #50\n mov x10, x0\n"
    "1: blr x10\n subs x9, x9, #1\n b.ne 1b\n svc #1\n");
void el0_calls(void);

static void change_el0_code(u64 n)
{
    for (u64 i = 1; n == 0 && i <= 100; i++) {
        __atomic_store_n(generation, 2 * i - 1, __ATOMIC_SEQ_CST);
        set_page(63, 0);
        asm volatile("dsb ishst\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(VA(63) >> 12) : "memory");
        set_page(63, (i & 1 ? page_b : page_a) | PAGE | PTE_EL0 | PTE_RO);
        __atomic_store_n(generation, 2 * i, __ATOMIC_SEQ_CST);
        while (shared[6].word < 2 * i || shared[7].word < 2 * i || shared[8].word < 2 * i) {
            asm volatile("yield");
        }
    }
    if (n == 0) {
        *stop = 1;
    }
    while (!*stop) {
        u64 before = __atomic_load_n(generation, __ATOMIC_SEQ_CST);
        u64 value = run_el0(el0_calls, VA(63));

        if (before % 2 == 0 && before == __atomic_load_n(generation, __ATOMIC_SEQ_CST)) {
            late_reads += value != (before / 2 & 1 ? 2 : 1);
        }
        shared[5 + n].word = before;
    }
}

static void changed_el0_code_runs_on_every_cpu(void)
{
    page_a = take_pages(1);
    page_b = take_pages(1);
    write64(page_a, 0xd65f03c0d2800020); /* mov x0, #1; ret */
    write64(page_b, 0xd65f03c0d2800040); /* mov x0, #2; ret */
    sync_code(page_a, 8);
    sync_code(page_b, 8);
    for (unsigned i = 4; i < 9; i++) {
        shared[i].word = 0;
    }
    set_page(63, page_a | PAGE | PTE_EL0 | PTE_RO);
    late_reads = 0;
    on_all(change_el0_code);
    check_eq(late_reads, 0);
}

/* Cross-modifying code: patch, clean, invalidate; the other CPU runs the new code once told. */
static u64 code_page, code_wrong;

static void run_patched(u64 n)
{
    for (u64 i = 1; i <= 80; i++) {
        if (n == 0) {
            write32(code_page, 0xd2800000 | (u32)i << 5); /* movz x0, #i */
            sync_code(VA(62), 8);
            __atomic_store_n(&shared[10].word, i, __ATOMIC_RELEASE);
        } else {
            while (__atomic_load_n(&shared[10].word, __ATOMIC_ACQUIRE) < i) {
                asm volatile("yield");
            }
            isb();
        }
        for (unsigned k = 0; k < (i % 8 ? 1 : 1000); k++) {
            u64 value;

            asm volatile("blr %1\n mov %0, x0" : "=r"(value) : "r"(VA(62)) : "x0", "x30", "memory");
            code_wrong += value != i;
        }
        barrier();
    }
}

static void patched_code_runs_on_every_cpu(void)
{
    code_page = take_pages(1);
    write32(code_page + 4, 0xd65f03c0);
    set_page(62, code_page | PAGE);
    shared[10].word = 0;
    code_wrong = 0;
    on_all(run_patched);
    check_eq(code_wrong, 0);
}

/* A store by another CPU must make a store-exclusive fail (or come wholly before the load). */
static void break_exclusives(u64 n)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        u64 old, failed;

        if (n == 0) { /* increments by plain store under its own exclusive loop */
            do {
                asm volatile("ldaxr %0, [%2]\n add %0, %0, #1\n stlxr %w1, %0, [%2]"
                             : "=&r"(old), "=&r"(failed)
                             : "r"(&shared[11].word)
                             : "memory");
            } while (failed);
        } else if (n == 1) { /* sets bit 63 by plain stores: each must survive or be observed */
            shared[12].word = i;
        } else { /* copies word 12 by exclusives: never goes back */
            u64 seen = shared[12].word;

            asm volatile("ldxr %0, [%2]\n stxr %w1, %0, [%2]"
                         : "=&r"(old), "=&r"(failed)
                         : "r"(&shared[12].word)
                         : "memory");
            if (old < seen || shared[12].word < old) {
                code_wrong++;
            }
        }
    }
}

static void plain_stores_are_not_undone_by_exclusives(void)
{
    shared[11].word = shared[12].word = 0;
    code_wrong = 0;
    on_all(break_exclusives);
    check_eq(shared[11].word, ROUNDS);
    check_eq(shared[12].word, ROUNDS - 1);
    check_eq(code_wrong, 0);
}

static const Rule rules[] = {
    RULE("/smp/exclusive-adds-lose-nothing", exclusive_adds_lose_nothing),
    RULE("/smp/narrow-exclusives-keep-their-neighbours", narrow_exclusives_keep_their_neighbours),
    RULE("/smp/exclusive-pairs-are-one-access", exclusive_pairs_are_one_access),
    RULE("/smp/compare-and-swap-loses-nothing", compare_and_swap_loses_nothing),
    RULE("/smp/plain-stores-are-not-undone-by-exclusives",
         plain_stores_are_not_undone_by_exclusives),
    RULE("/smp/ticket-lock-excludes", ticket_lock_excludes),
    RULE("/smp/release-publishes-what-came-before", release_publishes_what_came_before),
    RULE("/smp/barriers-publish-what-came-before", barriers_publish_what_came_before),
    RULE("/smp/dmb-orders-store-before-load", dmb_orders_store_before_load),
    RULE("/smp/stlr-is-ordered-before-ldar", stlr_is_ordered_before_ldar),
    RULE("/smp/tlbi-is-reaches-readers-on-other-cpus", tlbi_is_reaches_readers_on_other_cpus),
    RULE("/smp/unmapped-page-faults-on-the-other-cpu", unmapped_page_faults_on_the_other_cpu),
    RULE("/smp/changed-el0-code-runs-on-every-cpu", changed_el0_code_runs_on_every_cpu),
    RULE("/smp/patched-code-runs-on-every-cpu", patched_code_runs_on_every_cpu),
};

void payload_main(void)
{
    mmu_init();
    mmu_on();
    RUN(rules);
}
