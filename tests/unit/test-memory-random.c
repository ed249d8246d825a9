/* SPDX-License-Identifier: GPL-2.0-or-later
 * Random trees under random changes, against a reference that knows nothing of memory/'s insides:
 * it keeps its own picture of the tree and resolves every byte of a small space by walking down
 * from the root. Views, listeners and doorbells must agree with it after every commit.
 */
#include "memory/memory.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SPACE = 400, N_NODES = 14, N_BELLS = 3 };

typedef enum { CONTAINER, IO, RAM, ALIAS } Kind;

typedef struct Node {
    MemoryRegion mr;
    Kind kind;
    uint64_t size, addr, alias_offset;
    int priority;
    uint64_t stamp; /* when it was added */
    bool enabled, readonly;
    struct Node *parent, *target;
    bool bell[N_BELLS]; /* at offset 4 * i, 4 bytes */
    uint8_t ram[128];
} Node;

typedef struct {
    const Node *node; /* NULL: nothing */
    uint64_t offset;
    bool readonly;
} Answer;

/* What the listener was told, byte by byte. */
typedef struct {
    MemoryListener listener;
    struct World *world;
    Answer now[SPACE];
    bool section_start[SPACE];
    unsigned seen[SPACE]; /* added or unchanged in this commit */
    unsigned bells[SPACE];
    bool open, wants_nop;
} Watcher;

typedef struct World {
    Node nodes[N_NODES];
    AddressSpace *as[2];
    Node *root[2];
    Watcher watchers[3];
    uint64_t clock;
    int fd;
} World;

/* ---- the reference ---- */

static Answer resolve(World *w, const Node *node, uint64_t addr)
{
    Answer none = { NULL, 0, false }, found;
    const Node *best = NULL;
    bool used[N_NODES] = { false };

    if (!node->enabled || addr >= node->size) {
        return none;
    }
    if (node->kind == ALIAS) {
        found = resolve(w, node->target, addr + node->alias_offset);
        found.readonly |= node->readonly;
        return found;
    }
    for (;;) {
        best = NULL;
        for (unsigned i = 0; i < N_NODES; i++) {
            const Node *c = &w->nodes[i];

            if (c->parent == node && !used[i] &&
                (best == NULL || c->priority > best->priority ||
                 (c->priority == best->priority && c->stamp > best->stamp))) {
                best = c;
            }
        }
        if (best == NULL) {
            break;
        }
        used[best - w->nodes] = true;
        if (addr >= best->addr) {
            found = resolve(w, best, addr - best->addr);
            if (found.node != NULL) {
                found.readonly |= node->readonly;
                return found;
            }
        }
    }
    if (node->kind == CONTAINER) {
        return none;
    }
    return (Answer){ node, addr, node->readonly };
}

static bool same_answer(const Answer *a, const Answer *b)
{
    return a->node == b->node &&
           (a->node == NULL ||
            (a->offset == b->offset && (a->node->kind != RAM || a->readonly == b->readonly)));
}

/* ---- the listener ---- */

static Answer answer_of(const MemoryRegionSection *s, uint64_t i)
{
    return (Answer){ (const Node *)(const void *)s->mr, s->offset_within_region + i, s->readonly };
}

static void on_begin(MemoryListener *l)
{
    Watcher *w = (Watcher *)l;

    g_assert_false(w->open);
    w->open = true;
    memset(w->seen, 0, sizeof(w->seen));
}

static void on_commit(MemoryListener *l)
{
    Watcher *w = (Watcher *)l;

    g_assert_true(w->open);
    w->open = false;
    for (unsigned i = 0; w->wants_nop && i < SPACE; i++) {
        g_assert_cmpuint(w->seen[i], ==, w->now[i].node != NULL);
    }
}

static void on_add(MemoryListener *l, const MemoryRegionSection *s)
{
    Watcher *w = (Watcher *)l;

    g_assert_true(w->open);
    g_assert_cmpuint(s->offset_within_address_space + s->size, <=, SPACE);
    w->section_start[s->offset_within_address_space] = true;
    for (uint64_t i = 0; i < s->size; i++) {
        uint64_t at = s->offset_within_address_space + i;

        g_assert_null(w->now[at].node);
        w->now[at] = answer_of(s, i);
        w->seen[at]++;
    }
}

static void on_del(MemoryListener *l, const MemoryRegionSection *s)
{
    Watcher *w = (Watcher *)l;

    g_assert_true(w->open);
    g_assert_true(w->section_start[s->offset_within_address_space]);
    w->section_start[s->offset_within_address_space] = false;
    for (uint64_t i = 0; i < s->size; i++) {
        uint64_t at = s->offset_within_address_space + i;
        Answer told = answer_of(s, i);

        g_assert_true(w->now[at].node != NULL && same_answer(&w->now[at], &told));
        w->now[at].node = NULL;
    }
}

static void on_nop(MemoryListener *l, const MemoryRegionSection *s)
{
    Watcher *w = (Watcher *)l;

    g_assert_true(w->section_start[s->offset_within_address_space]);
    for (uint64_t i = 0; i < s->size; i++) {
        uint64_t at = s->offset_within_address_space + i;
        Answer told = answer_of(s, i);

        g_assert_true(w->now[at].node != NULL && same_answer(&w->now[at], &told));
        w->seen[at]++;
    }
}

static void on_bell_add(MemoryListener *l, const MemoryRegionSection *s, bool match, uint64_t data,
                        int fd)
{
    ((Watcher *)l)->bells[s->offset_within_address_space] |= 1u << data;
}

static void on_bell_del(MemoryListener *l, const MemoryRegionSection *s, bool match, uint64_t data,
                        int fd)
{
    unsigned *bells = &((Watcher *)l)->bells[s->offset_within_address_space];

    g_assert_true(*bells & 1u << data);
    *bells &= ~(1u << data);
}

static void watcher_init(Watcher *w, World *world, AddressSpace *as, bool wants_nop)
{
    w->world = world;
    w->wants_nop = wants_nop;
    w->listener = (MemoryListener){
        .name = "watcher",
        .begin = on_begin,
        .commit = on_commit,
        .region_add = on_add,
        .region_del = on_del,
        .region_nop = wants_nop ? on_nop : NULL,
        .eventfd_add = on_bell_add,
        .eventfd_del = on_bell_del,
    };
    memory_listener_register(&w->listener, as);
}

/* ---- comparing ---- */

static void check_watcher(World *w, const Watcher *watcher, const Node *root)
{
    Answer want[SPACE];

    for (unsigned i = 0; i < SPACE; i++) {
        want[i] = resolve(w, root, i);
        g_assert_true(same_answer(&want[i], &watcher->now[i]));
    }
    for (unsigned i = 0; i < SPACE; i++) {
        unsigned bells = 0;
        bool joins = i > 0 && want[i].node != NULL && want[i - 1].node == want[i].node &&
                     want[i - 1].offset + 1 == want[i].offset &&
                     (want[i].node->kind != RAM || want[i].readonly == want[i - 1].readonly);

        /* Sections are as long as they can be. */
        g_assert_cmpint(watcher->section_start[i], ==, want[i].node != NULL && !joins);

        for (unsigned b = 0; want[i].node != NULL && b < N_BELLS; b++) {
            bool whole = want[i].node->bell[b] && want[i].offset == b * 4 && i + 3 < SPACE;

            for (unsigned k = 1; whole && k < 4; k++) {
                whole = want[i + k].node == want[i].node && want[i + k].offset == b * 4 + k;
            }
            bells |= (unsigned)whole << b;
        }
        g_assert_cmpuint(watcher->bells[i], ==, bells);
    }
}

static void check_space(World *w, AddressSpace *as, const Node *root)
{
    for (unsigned i = 0; i < SPACE; i++) {
        Answer want = resolve(w, root, i), got = { NULL, 0, false };
        MemoryRegionSection s;

        if (memory_region_find(as, i, &s)) {
            got = answer_of(&s, i - s.offset_within_address_space);
        }
        g_assert_true(same_answer(&want, &got));
    }
}

static void check(World *w)
{
    for (unsigned i = 0; i < 2; i++) {
        check_space(w, w->as[i], w->root[i]);
    }
    check_watcher(w, &w->watchers[0], w->root[0]);
    check_watcher(w, &w->watchers[1], w->root[0]);
    check_watcher(w, &w->watchers[2], w->root[1]);
}

/* ---- random worlds ---- */

static uint64_t dice_read(void *opaque, hwaddr offset, unsigned size)
{
    return 0;
}

static const MemoryRegionOps ops = { .read = dice_read };

static unsigned dice(unsigned n)
{
    return g_test_rand_int_range(0, n);
}

static uint64_t dice_size(const Node *n)
{
    return n->kind == RAM ? 1 + dice(sizeof(n->ram)) : dice(160);
}

/* Edges go from higher to lower numbers only, so nothing contains itself; the last is a root. */
static void world_init(World *w)
{
    for (unsigned i = 0; i < N_NODES; i++) {
        Node *n = &w->nodes[i];
        bool is_root = i == N_NODES - 1;

        n->kind = is_root || i == N_NODES / 2 ? CONTAINER : i == 0 ? IO : dice(4);
        n->size = is_root ? SPACE : dice_size(n);
        n->enabled = true;
        switch (n->kind) {
        case CONTAINER:
            memory_region_init(&n->mr, NULL, "box", n->size);
            break;
        case IO:
            memory_region_init_io(&n->mr, NULL, &ops, NULL, "io", n->size);
            break;
        case RAM:
            memory_region_init_ram_ptr(&n->mr, NULL, "ram", sizeof(n->ram), n->ram);
            memory_region_set_size(&n->mr, n->size);
            break;
        case ALIAS:
            n->target = &w->nodes[dice(i)];
            n->alias_offset = dice(40);
            memory_region_init_alias(&n->mr, NULL, "alias", &n->target->mr, n->alias_offset,
                                     n->size);
            break;
        }
    }
    w->root[0] = &w->nodes[N_NODES - 1];
    w->root[1] = &w->nodes[N_NODES / 2];
    w->fd = eventfd(0, EFD_CLOEXEC);
    for (unsigned i = 0; i < 2; i++) {
        w->as[i] = address_space_new(&w->root[i]->mr, "space");
    }
    watcher_init(&w->watchers[0], w, w->as[0], true);
    watcher_init(&w->watchers[2], w, w->as[1], false);
}

static void unplug(Node *n)
{
    if (n->parent != NULL) {
        memory_region_del_subregion(&n->parent->mr, &n->mr);
        n->parent = NULL;
    }
}

static void plug(World *w, Node *n)
{
    unsigned i = n - w->nodes;
    Node *parent = i + 1 < N_NODES ? &w->nodes[i + 1 + dice(N_NODES - 1 - i)] : NULL;

    if (parent == NULL || parent->kind == ALIAS) {
        return;
    }
    unplug(n);
    n->parent = parent;
    n->addr = dice(parent->size + 8);
    n->priority = (int)dice(4) - 2;
    n->stamp = ++w->clock;
    if (n->priority == 0) {
        memory_region_add_subregion(&parent->mr, n->addr, &n->mr);
    } else {
        memory_region_add_subregion_overlap(&parent->mr, n->addr, &n->mr, n->priority);
    }
}

static void ring_change(World *w, Node *n)
{
    unsigned b = dice(N_BELLS);

    if (n->kind != IO || n->size <= b * 4) {
        return;
    }
    n->bell[b] = !n->bell[b];
    if (n->bell[b]) {
        memory_region_add_eventfd(&n->mr, b * 4, 4, true, b, w->fd);
    } else {
        memory_region_del_eventfd(&n->mr, b * 4, 4, true, b, w->fd);
    }
}

static void change(World *w)
{
    Node *n = &w->nodes[dice(N_NODES)];

    switch (dice(12)) {
    case 0:
        unplug(n);
        break;
    case 1:
        n->enabled = !n->enabled;
        memory_region_set_enabled(&n->mr, n->enabled);
        break;
    case 2:
        n->readonly = !n->readonly;
        memory_region_set_readonly(&n->mr, n->readonly);
        break;
    case 3:
        if (n->parent != NULL) {
            n->addr = dice(n->parent->size + 8);
            memory_region_set_address(&n->mr, n->addr);
        }
        break;
    case 4:
        if (n != w->root[0]) {
            n->size = dice_size(n);
            memory_region_set_size(&n->mr, n->size);
        }
        break;
    case 5:
        if (n->kind == ALIAS) {
            n->alias_offset = dice(100);
            memory_region_set_alias_offset(&n->mr, n->alias_offset);
        }
        break;
    case 6:
    case 7:
        ring_change(w, n);
        break;
    default:
        plug(w, n);
        break;
    }
}

static void world_clear(World *w)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(w->watchers); i++) {
        memory_listener_unregister(&w->watchers[i].listener);
        for (unsigned k = 0; k < SPACE; k++) {
            g_assert_null(w->watchers[i].now[k].node);
            g_assert_cmpuint(w->watchers[i].bells[k], ==, 0);
        }
    }
    memory_region_transaction_begin();
    for (unsigned i = 0; i < N_NODES; i++) {
        unplug(&w->nodes[i]);
    }
    memory_region_transaction_commit();
    for (unsigned i = 0; i < 2; i++) {
        address_space_free(w->as[i]);
    }
    for (unsigned i = N_NODES; i-- > 0;) {
        memory_region_destroy(&w->nodes[i].mr);
    }
    close(w->fd);
}

static void run(unsigned worlds, unsigned changes_at_once)
{
    for (unsigned i = 0; i < worlds; i++) {
        World *w = g_new0(World, 1);

        world_init(w);
        for (unsigned step = 0; step < 40; step++) {
            if (changes_at_once == 1) {
                change(w);
            } else {
                memory_region_transaction_begin();
                for (unsigned k = dice(changes_at_once); k > 0; k--) {
                    change(w);
                }
                memory_region_transaction_commit();
            }
            if (step == 20) { /* one that comes late is told everything */
                watcher_init(&w->watchers[1], w, w->as[0], false);
            }
            if (step >= 20) {
                check(w);
            } else {
                check_space(w, w->as[0], w->root[0]);
                check_watcher(w, &w->watchers[0], w->root[0]);
            }
        }
        world_clear(w);
        g_free(w);
    }
}

static void test_single_changes(void)
{
    run(g_test_slow() ? 2000 : 60, 1);
}

static void test_transactions(void)
{
    run(g_test_slow() ? 2000 : 60, 12);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mem/random/single-changes-match-the-reference", test_single_changes);
    g_test_add_func("/mem/random/transactions-match-the-reference", test_transactions);
    return g_test_run();
}
