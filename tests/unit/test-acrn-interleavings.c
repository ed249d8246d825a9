/* SPDX-License-Identifier: GPL-2.0-or-later
 * The life of request slots as accel/acrn, the driver and the hypervisor step through it, in every
 * order that their steps can take: two vCPUs with two requests each (one of them the driver's own
 * to answer), two servers, and a reset in place at any moment, after which both ask again. The
 * steps are those of accel/acrn/ioreq.c and acrn.c, one for each load or store that another side
 * can see. Each mutation leaves one precaution out, and must be found.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { N = 2, SERVERS = 2, REQUESTS = 2, LIVES = 2 };
enum { PENDING, COMPLETE, PROCESSING, FREE };

typedef enum {
    NOTHING,
    NO_SECOND_LOOK,        /* a server does not look again once it has the slot to itself */
    NO_STATE_AGAIN,        /* ... or not at the state after kernel_handled */
    NO_TAKING,             /* servers do not tell each other */
    KERNEL_HANDLED_UNSEEN, /* a server goes by the state alone */
    KERNEL_HANDLED_FIRST,  /* ... or loads kernel_handled before the state: no acquire */
    KERNEL_HANDLED_LATE,   /* the driver stores kernel_handled after PROCESSING: no release */
    ANSWER_LATE,           /* a server puts the answer in after it has notified */
    LETS_GO_EARLY,         /* a server gives the slot free before it has notified */
    PENDING_IS_OURS,       /* a slot of zeroes is taken for a request */
    PUBLISHED_EARLY,       /* the hypervisor stores PENDING before the request: no barrier */
    NO_DRAIN,              /* a reset does not wait for servers */
    N_MUTATIONS,
} Mutation;

typedef enum { H_FILL, H_PUBLISH, H_WAIT, H_READ, H_FREE, H_DONE } Hypervisor;
typedef enum { D_IDLE, D_KERNEL, D_STATE, D_LAST } Driver;
typedef enum {
    S_STATE, /* the first look is a hint */
    S_KERNEL,
    S_TAKE,
    S_STATE2, /* the second one is sure: nobody but we can finish what is ours */
    S_KERNEL2,
    S_STATE3,
    S_COPY,
    S_SERVE,
    S_END,
} Server;
typedef enum { M_PAUSE, M_DRAIN, M_CLEARING, M_SETTLE, M_CLEAR, M_DRAIN2, M_RESET, M_DONE } Main;

/* Bytes only, so that equal states compare and hash as memory. */
typedef struct {
    struct {
        uint8_t state, kernel_handled, request, answer;
        uint8_t served;          /* by servers, of what is in it */
        uint8_t hypervisor, seq; /* step of its vCPU, requests asked in this life */
    } slot[N];
    struct {
        uint8_t step, slot, copy, life, part;
    } server[SERVERS];
    uint8_t driver, driver_slot;
    uint8_t open, taken; /* bits: the driver's of the client, the servers' own */
    uint8_t clearing, paused, life, main, main_slot;
} State;

static Mutation mutation;
static const char *broken;
static GHashTable *seen;
static GArray *todo; /* of State */

static void expect(bool good, const char *rule)
{
    if (!good && broken == NULL) {
        broken = rule;
    }
}

static void reached(const State *s)
{
    if (!g_hash_table_contains(seen, s)) {
        State *copy = g_new(State, 1);

        *copy = *s;
        g_hash_table_add(seen, copy);
        g_array_append_val(todo, *s);
    }
}

static uint8_t request_id(const State *s, unsigned i)
{
    return (uint8_t)(1 + i + N * (s->slot[i].seq + REQUESTS * s->life));
}

/* Such as a write into an ioeventfd's range. */
static bool is_drivers_own(uint8_t request)
{
    unsigned i = (request - 1) % N, seq = (request - 1) / N % REQUESTS;

    return (i + seq) % 2 != 0;
}

static uint8_t right_answer(uint8_t request)
{
    return request | 0x80;
}

/* ---- the hypervisor's side of vCPU i ---- */

static bool hypervisor(State s, unsigned i)
{
    bool publish_first = mutation == PUBLISHED_EARLY;

    switch ((Hypervisor)s.slot[i].hypervisor) {
    case H_FILL:
        if (s.paused) {
            return false;
        }
        expect(s.slot[i].state == FREE, "a vCPU finds its slot free");
        /* fallthrough */
    case H_PUBLISH:
        if ((s.slot[i].hypervisor == H_FILL) == publish_first) {
            s.slot[i].state = PENDING;
        } else {
            s.slot[i].request = request_id(&s, i);
            s.slot[i].answer = s.slot[i].served = 0;
        }
        break;
    case H_WAIT:
        if (s.slot[i].state != COMPLETE || s.paused) {
            return false;
        }
        break;
    case H_READ:
        expect(s.slot[i].answer == right_answer(s.slot[i].request), "the answer is there");
        expect(s.slot[i].served == !is_drivers_own(s.slot[i].request), "it was served once");
        break;
    case H_FREE:
        s.slot[i].state = FREE;
        s.slot[i].seq++;
        s.slot[i].hypervisor = s.slot[i].seq == REQUESTS ? H_DONE : H_FILL;
        reached(&s);
        return true;
    case H_DONE:
        return false;
    }
    s.slot[i].hypervisor++;
    reached(&s);
    return true;
}

/* ---- the driver's worker ---- */

static bool driver(State s, unsigned i)
{
    bool own = s.clearing || is_drivers_own(s.slot[i].request);

    if (s.driver == D_IDLE ? s.slot[i].state != PENDING : s.driver_slot != i) {
        return false;
    }
    switch ((Driver)s.driver) {
    case D_IDLE:
        if (s.slot[i].request == 0) { /* published before it was filled; nothing to go by yet */
            return false;
        }
        s.driver_slot = i;
        break;
    case D_KERNEL:
    case D_STATE:
        if ((s.driver == D_KERNEL) != (mutation == KERNEL_HANDLED_LATE)) {
            s.slot[i].kernel_handled = own;
        } else {
            s.slot[i].state = PROCESSING;
        }
        break;
    case D_LAST:
        if (s.slot[i].kernel_handled) {
            s.slot[i].answer = right_answer(s.slot[i].request);
            s.slot[i].state = COMPLETE;
        } else {
            s.open |= 1 << i;
        }
        s.driver = D_IDLE;
        s.driver_slot = 0;
        reached(&s);
        return true;
    }
    s.driver++;
    reached(&s);
    return true;
}

/* ---- server k ---- */

static void put_answer(State *s, unsigned k, unsigned i)
{
    expect(s->server[k].life == s->life, "no answer reaches the next life");
    expect(s->slot[i].state == PROCESSING || s->paused, "answers are put into open slots only");
    s->slot[i].answer = right_answer(s->server[k].copy);
}

static void notify(State *s, unsigned k, unsigned i)
{
    expect(s->server[k].life == s->life, "no notification reaches the next life");
    expect(s->slot[i].state == PROCESSING || s->paused, "a request is finished once");
    s->open &= ~(1 << i);
    s->slot[i].state = COMPLETE;
}

static void let_go(State *s, unsigned i)
{
    s->taken &= ~(1 << i);
}

static void rest(State *s, unsigned k)
{
    memset(&s->server[k], 0, sizeof(s->server[k]));
}

/* Answer, notification, letting go: a step each. */
static void end(State *s, unsigned k, unsigned i)
{
    enum { ANSWER, NOTIFY, GO };
    static const uint8_t usual[] = { ANSWER, NOTIFY, GO }, late[] = { NOTIFY, ANSWER, GO },
                         early[] = { ANSWER, GO, NOTIFY };
    const uint8_t *order = mutation == ANSWER_LATE     ? late
                           : mutation == LETS_GO_EARLY ? early
                                                       : usual;

    switch (order[s->server[k].part]) {
    case ANSWER:
        put_answer(s, k, i);
        break;
    case NOTIFY:
        notify(s, k, i);
        break;
    case GO:
        let_go(s, i);
        break;
    }
    if (++s->server[k].part == 3) {
        rest(s, k);
    }
}

static bool is_processing(const State *s, unsigned i)
{
    return s->slot[i].state == PROCESSING ||
           (mutation == PENDING_IS_OURS && s->slot[i].state == PENDING);
}

/* i: the slot that a server without one looks at. */
static bool server(State s, unsigned k, unsigned i)
{
    bool second, good;

    if (s.server[k].step != S_STATE && s.server[k].slot != i) {
        return false;
    }
    second = s.server[k].step > S_TAKE;
    switch ((Server)s.server[k].step) {
    case S_STATE:
    case S_KERNEL:
    case S_STATE2:
    case S_KERNEL2:
    case S_STATE3:
        good = is_processing(&s, i);
        if (s.server[k].step != S_STATE3 &&
            (s.server[k].step == S_KERNEL || s.server[k].step == S_KERNEL2) !=
                (mutation == KERNEL_HANDLED_FIRST)) {
            good = !s.slot[i].kernel_handled || mutation == KERNEL_HANDLED_UNSEEN;
        }
        if (!good && s.server[k].step == S_STATE) {
            return false; /* nothing to see, and nothing happens */
        }
        s.server[k].slot = i;
        s.server[k].step++;
        if (s.server[k].step == S_STATE3 &&
            (mutation == NO_STATE_AGAIN || mutation == KERNEL_HANDLED_FIRST)) {
            s.server[k].step = S_COPY;
        }
        if (!good) {
            if (second) {
                let_go(&s, i);
            }
            rest(&s, k);
        }
        break;
    case S_TAKE:
        if (s.taken & 1 << i && mutation != NO_TAKING) {
            rest(&s, k);
            break;
        }
        s.taken |= 1 << i;
        s.server[k].step = mutation == NO_SECOND_LOOK ? S_COPY : S_STATE2;
        break;
    case S_COPY:
        s.server[k].copy = s.slot[i].request;
        s.server[k].life = s.life;
        s.server[k].step = S_SERVE;
        break;
    case S_SERVE:
        expect(s.server[k].copy == s.slot[i].request, "what is served was asked");
        expect(!is_drivers_own(s.server[k].copy), "what is the driver's own is left to it");
        expect(s.slot[i].served++ == 0, "nothing is served twice");
        s.server[k].step = S_END;
        break;
    case S_END:
        end(&s, k, i);
        break;
    }
    reached(&s);
    return true;
}

/* ---- a reset in place ---- */

static void reset(State *s)
{
    for (unsigned i = 0; i < N; i++) {
        s->slot[i].state = FREE;
        s->slot[i].hypervisor = H_FILL;
        s->slot[i].seq = 0;
    }
    s->life++;
    s->paused = false;
}

/* The vCPUs have stopped where PAUSE_VM lets them. */
static bool all_stopped(const State *s)
{
    for (unsigned i = 0; i < N; i++) {
        if (s->slot[i].hypervisor != H_FILL && s->slot[i].hypervisor != H_WAIT &&
            s->slot[i].hypervisor != H_DONE) {
            return false;
        }
    }
    return true;
}

/* One slot after the other, then what servers have. */
static bool drain(State *s)
{
    unsigned i = s->main_slot;

    if (mutation == NO_DRAIN) {
        s->main++;
        return true;
    }
    if (i < N) {
        if (s->slot[i].state == PROCESSING && !s->slot[i].kernel_handled) {
            return false;
        }
        s->main_slot++;
        return true;
    }
    if (s->taken) {
        return false;
    }
    s->main_slot = 0;
    s->main++;
    return true;
}

static bool main_thread(State s)
{
    switch ((Main)s.main) {
    case M_PAUSE:
        if (!all_stopped(&s)) {
            return false;
        }
        s.paused = true;
        break;
    case M_DRAIN:
    case M_DRAIN2:
        if (!drain(&s)) {
            return false;
        }
        reached(&s);
        return true;
    case M_CLEARING:
        s.clearing = true;
        break;
    case M_SETTLE: /* the driver waits for its worker and its own clients */
        for (unsigned i = 0; i < N; i++) {
            if (s.slot[i].state == PENDING ||
                (s.slot[i].state == PROCESSING && s.slot[i].kernel_handled)) {
                return false;
            }
        }
        break;
    case M_CLEAR:
        for (unsigned i = 0; i < N; i++) {
            if (s.open & 1 << i) {
                s.slot[i].state = COMPLETE;
            }
        }
        s.open = 0;
        s.clearing = false;
        break;
    case M_RESET:
        reset(&s);
        break;
    case M_DONE:
        return false;
    }
    s.main++;
    reached(&s);
    return true;
}

/* ---- all orders ---- */

static guint hash(gconstpointer p)
{
    const uint8_t *bytes = p;
    uint64_t h = 0xcbf29ce484222325;

    for (unsigned i = 0; i < sizeof(State); i++) {
        h = (h ^ bytes[i]) * 0x100000001b3;
    }
    return (guint)(h ^ h >> 32);
}

static gboolean equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(State)) == 0;
}

static bool step(const State *s)
{
    bool moved = main_thread(*s);

    for (unsigned i = 0; i < N; i++) {
        moved |= hypervisor(*s, i);
        moved |= driver(*s, i);
        for (unsigned k = 0; k < SERVERS; k++) {
            moved |= server(*s, k, i);
        }
    }
    return moved;
}

static bool is_over(const State *s)
{
    for (unsigned i = 0; i < N; i++) {
        if (s->slot[i].hypervisor != H_DONE) {
            return false;
        }
    }
    return s->main == M_DONE && s->taken == 0;
}

static void explore(void)
{
    State first = { 0 };

    for (unsigned i = 0; i < N; i++) {
        first.slot[i].state = FREE;
    }
    broken = NULL;
    seen = g_hash_table_new_full(hash, equal, g_free, NULL);
    todo = g_array_new(false, false, sizeof(State));
    reached(&first);
    while (todo->len > 0 && broken == NULL) {
        State s = g_array_index(todo, State, todo->len - 1);

        g_array_set_size(todo, todo->len - 1);
        if (!step(&s)) {
            expect(is_over(&s), "every request ends");
        }
    }
    g_test_message("%u states", g_hash_table_size(seen));
    g_hash_table_unref(seen);
    g_array_unref(todo);
}

static void nothing_left_out(void)
{
    mutation = NOTHING;
    explore();
    g_assert_cmpstr(broken, ==, NULL);
}

static void left_out(gconstpointer which)
{
    mutation = GPOINTER_TO_UINT(which);
    explore();
    g_assert_nonnull(broken);
    g_test_message("found: %s", broken);
}

int main(int argc, char **argv)
{
    static const char *const names[N_MUTATIONS] = {
        [NO_SECOND_LOOK] = "second-look",
        [NO_STATE_AGAIN] = "state-again-after-kernel-handled",
        [NO_TAKING] = "taking",
        [KERNEL_HANDLED_UNSEEN] = "kernel-handled",
        [KERNEL_HANDLED_FIRST] = "acquire-before-kernel-handled",
        [KERNEL_HANDLED_LATE] = "release-after-kernel-handled",
        [ANSWER_LATE] = "answer-before-notification",
        [LETS_GO_EARLY] = "notification-before-letting-go",
        [PENDING_IS_OURS] = "pending-is-not-ours",
        [PUBLISHED_EARLY] = "request-before-pending",
        [NO_DRAIN] = "drain-before-reset",
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/acrn/interleavings/all-are-good", nothing_left_out);
    for (unsigned i = NOTHING + 1; i < N_MUTATIONS; i++) {
        g_autofree char *path = g_strdup_printf("/acrn/interleavings/needed/%s", names[i]);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), left_out);
    }
    return g_test_run();
}
