/* SPDX-License-Identifier: GPL-2.0-or-later
 * What listeners are told, in which order, and that it is the difference and nothing else;
 * doorbells as listeners and as guests see them.
 */
#include "memory/memory.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* Writes down every call: "A:+0x1000 ram" and so on. */
typedef struct {
    MemoryListener l;
    const char *name;
    GString *log;
} Scribe;

static void put(MemoryListener *l, const char *what)
{
    Scribe *s = (Scribe *)l;

    g_string_append_printf(s->log, "%s%s%s", s->log->len ? " " : "", s->name, what);
}

static void put_section(MemoryListener *l, char sign, const MemoryRegionSection *s)
{
    g_autofree char *text =
        g_strdup_printf("%c%s@%x+%x", sign, memory_region_name(s->mr),
                        (unsigned)s->offset_within_address_space, (unsigned)s->size);

    put(l, text);
}

static void on_begin(MemoryListener *l)
{
    put(l, "{");
}

static void on_commit(MemoryListener *l)
{
    put(l, "}");
}

static void on_add(MemoryListener *l, const MemoryRegionSection *s)
{
    put_section(l, '+', s);
}

static void on_del(MemoryListener *l, const MemoryRegionSection *s)
{
    put_section(l, '-', s);
}

static void on_nop(MemoryListener *l, const MemoryRegionSection *s)
{
    put_section(l, '=', s);
}

static void put_bell(MemoryListener *l, char sign, const MemoryRegionSection *s, bool match,
                     uint64_t data)
{
    g_autofree char *text =
        g_strdup_printf("%cbell@%x+%u:%x", sign, (unsigned)s->offset_within_address_space,
                        (unsigned)s->size, match ? (unsigned)data : 0xffff);

    put(l, text);
}

static void on_bell_add(MemoryListener *l, const MemoryRegionSection *s, bool match, uint64_t data,
                        int fd)
{
    put_bell(l, '+', s, match, data);
}

static void on_bell_del(MemoryListener *l, const MemoryRegionSection *s, bool match, uint64_t data,
                        int fd)
{
    put_bell(l, '-', s, match, data);
}

static unsigned n_writes;

static void io_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    n_writes++;
}

static const MemoryRegionOps ops = { .write = io_write, .valid = { 1, 8 }, .impl = { 1, 8 } };

typedef struct {
    MemoryRegion root, a, b, c;
    AddressSpace *as;
    GString *log;
    Scribe one, two;
    int fd;
} Setup;

static void scribe_init(Setup *s, Scribe *scribe, const char *name, int priority)
{
    *scribe = (Scribe){ .name = name, .log = s->log };
    scribe->l = (MemoryListener){
        .name = name,
        .priority = priority,
        .begin = on_begin,
        .commit = on_commit,
        .region_add = on_add,
        .region_del = on_del,
        .eventfd_add = on_bell_add,
        .eventfd_del = on_bell_del,
    };
}

static void expect(Setup *s, const char *text)
{
    g_assert_cmpstr(s->log->str, ==, text);
    g_string_truncate(s->log, 0);
}

/* a at 0x1000 and c at 0x3000 are there from the start, b is not; 0x100 bytes each. */
static void setup(Setup *s, gconstpointer data)
{
    s->log = g_string_new(NULL);
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    memory_region_init(&s->root, NULL, "root", UINT64_MAX);
    memory_region_init_io(&s->a, NULL, &ops, NULL, "a", 0x100);
    memory_region_init_io(&s->b, NULL, &ops, NULL, "b", 0x100);
    memory_region_init_io(&s->c, NULL, &ops, NULL, "c", 0x100);
    memory_region_add_subregion(&s->root, 0x1000, &s->a);
    memory_region_add_subregion(&s->root, 0x3000, &s->c);
    s->as = address_space_new(&s->root, "test");
    scribe_init(s, &s->one, "", 10);
    n_writes = 0;
}

static void teardown(Setup *s, gconstpointer data)
{
    MemoryRegion *all[] = { &s->a, &s->b, &s->c };

    memory_listener_unregister(&s->one.l);
    memory_listener_unregister(&s->two.l);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        if (all[i]->container != NULL) {
            memory_region_del_subregion(&s->root, all[i]);
        }
    }
    address_space_free(s->as);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        memory_region_destroy(all[i]);
    }
    memory_region_destroy(&s->root);
    g_string_free(s->log, TRUE);
    close(s->fd);
}

static void start(Setup *s)
{
    memory_listener_register(&s->one.l, s->as);
    g_string_truncate(s->log, 0);
}

static void test_register_tells_what_is_there(Setup *s, gconstpointer data)
{
    memory_listener_register(&s->one.l, s->as);
    expect(s, "{ +a@1000+100 +c@3000+100 }");
    memory_listener_unregister(&s->one.l);
    expect(s, "{ -a@1000+100 -c@3000+100 }");
}

static void test_only_the_difference(Setup *s, gconstpointer data)
{
    start(s);
    memory_region_add_subregion(&s->root, 0x2000, &s->b);
    expect(s, "{ +b@2000+100 }");
    memory_region_set_address(&s->b, 0x2800);
    expect(s, "{ -b@2000+100 +b@2800+100 }");
    memory_region_del_subregion(&s->root, &s->b);
    expect(s, "{ -b@2800+100 }");
}

static void test_nop_for_the_rest(Setup *s, gconstpointer data)
{
    s->one.l.region_nop = on_nop;
    start(s);
    memory_region_add_subregion(&s->root, 0x2000, &s->b);
    expect(s, "{ =a@1000+100 +b@2000+100 =c@3000+100 }");
}

static void test_no_change_no_call(Setup *s, gconstpointer data)
{
    start(s);
    memory_region_set_enabled(&s->a, true);
    memory_region_set_address(&s->a, 0x1000);
    memory_region_add_subregion_overlap(&s->root, 0x1000, &s->b, -1); /* hidden */
    memory_region_transaction_begin();
    memory_region_set_enabled(&s->a, false);
    memory_region_set_enabled(&s->a, true);
    memory_region_transaction_commit();
    expect(s, "");
}

static void test_transaction_is_one_commit(Setup *s, gconstpointer data)
{
    start(s);
    memory_region_transaction_begin();
    memory_region_add_subregion(&s->root, 0x2000, &s->b);
    memory_region_set_enabled(&s->a, false);
    memory_region_set_address(&s->c, 0x5000);
    expect(s, "");
    memory_region_transaction_commit();
    expect(s, "{ -a@1000+100 -c@3000+100 +b@2000+100 +c@5000+100 }");
}

static void test_split_and_join(Setup *s, gconstpointer data)
{
    memory_region_set_size(&s->a, 0x1000);
    start(s);
    memory_region_add_subregion_overlap(&s->root, 0x1800, &s->b, 1);
    expect(s, "{ -a@1000+1000 +a@1000+800 +b@1800+100 +a@1900+700 }");
    memory_region_set_enabled(&s->b, false);
    expect(s, "{ -a@1000+800 -b@1800+100 -a@1900+700 +a@1000+1000 }");
}

static void test_priority_orders_listeners(Setup *s, gconstpointer data)
{
    scribe_init(s, &s->one, "hi", 10);
    scribe_init(s, &s->two, "lo", 0);
    memory_listener_register(&s->one.l, s->as);
    memory_listener_register(&s->two.l, s->as);
    g_string_truncate(s->log, 0);
    memory_region_set_address(&s->a, 0x1800);
    expect(s, "lo{ hi{ hi-a@1000+100 lo-a@1000+100 lo+a@1800+100 hi+a@1800+100 lo} hi}");
}

static void test_other_space_is_not_told(Setup *s, gconstpointer data)
{
    MemoryRegion root;
    AddressSpace *other;

    memory_region_init(&root, NULL, "other", 0x10000);
    other = address_space_new(&root, "other");
    memory_listener_register(&s->one.l, other);
    g_string_truncate(s->log, 0);
    memory_region_set_enabled(&s->a, false);
    expect(s, "");
    memory_listener_unregister(&s->one.l);
    address_space_free(other);
    memory_region_destroy(&root);
}

/* The old view while told of deletions, the new one while told of additions. */
static void look_del(MemoryListener *l, const MemoryRegionSection *s)
{
    MemoryRegionSection found;

    g_assert_true(memory_region_find(s->as, s->offset_within_address_space, &found));
    g_assert_true(found.mr == s->mr);
}

static void test_view_during_calls(Setup *s, gconstpointer data)
{
    s->one.l.region_add = look_del;
    s->one.l.region_del = look_del;
    start(s);
    memory_region_set_address(&s->a, 0x1800);
}

static void change_on_add(MemoryListener *l, const MemoryRegionSection *section)
{
    Scribe *scribe = (Scribe *)l;
    Setup *s = (Setup *)((char *)scribe - offsetof(Setup, one));

    on_add(l, section);
    if (section->mr == &s->b) {
        memory_region_set_enabled(&s->a, false);
    }
}

static void test_listener_may_change_topology(Setup *s, gconstpointer data)
{
    s->one.l.region_add = change_on_add;
    start(s);
    memory_region_add_subregion(&s->root, 0x2000, &s->b);
    expect(s, "{ +b@2000+100 } { -a@1000+100 }");
}

/* ---- doorbells ---- */

static unsigned rings(Setup *s)
{
    eventfd_t n = 0;

    eventfd_read(s->fd, &n);
    return n;
}

static void test_bell_is_told_where_it_is_seen(Setup *s, gconstpointer data)
{
    start(s);
    memory_region_add_eventfd(&s->a, 0x50, 4, true, 7, s->fd);
    expect(s, "{ +bell@1050+4:7 }");
    memory_region_set_address(&s->a, 0x1800);
    expect(s, "{ -bell@1050+4:7 -a@1000+100 +a@1800+100 +bell@1850+4:7 }");
    memory_region_set_enabled(&s->a, false);
    expect(s, "{ -bell@1850+4:7 -a@1800+100 }");
    memory_region_set_enabled(&s->a, true);
    expect(s, "{ +a@1800+100 +bell@1850+4:7 }");
    memory_region_del_eventfd(&s->a, 0x50, 4, true, 7, s->fd);
    expect(s, "{ -bell@1850+4:7 }");
}

static void test_bell_under_another_region_is_gone(Setup *s, gconstpointer data)
{
    memory_region_add_eventfd(&s->a, 0x50, 4, false, 0, s->fd);
    memory_region_add_eventfd(&s->a, 0xf0, 4, false, 0, s->fd);
    start(s);
    memory_region_add_subregion_overlap(&s->root, 0x1052, &s->b, 1);
    memory_region_set_size(&s->b, 0x10);
    g_string_truncate(s->log, 0);
    memory_region_set_enabled(&s->b, false);
    expect(s, "{ -a@1000+52 -b@1052+10 -a@1062+9e +a@1000+100 +bell@1050+4:ffff }");
    g_assert_cmpuint(address_space_st(s->as, 0x1050, 4, 1), ==, MEMTX_OK);
    g_assert_cmpuint(rings(s), ==, 1);
}

static void test_bell_rings_instead_of_ops(Setup *s, gconstpointer data)
{
    memory_region_add_eventfd(&s->a, 0x50, 4, true, 7, s->fd);
    g_assert_cmpuint(address_space_st(s->as, 0x1050, 4, 7), ==, MEMTX_OK);
    g_assert_cmpuint(rings(s), ==, 1);
    g_assert_cmpuint(n_writes, ==, 0);
    address_space_st(s->as, 0x1050, 4, 8); /* other data */
    address_space_st(s->as, 0x1050, 2, 7); /* other size */
    address_space_st(s->as, 0x1054, 4, 7); /* other place */
    address_space_st(s->as, 0x3050, 4, 7); /* other region */
    g_assert_cmpuint(rings(s), ==, 0);
    g_assert_cmpuint(n_writes, ==, 4);
    g_assert_cmpuint(address_space_write(s->as, 0x1050, "\7\0\0\0", 4), ==, MEMTX_OK);
    g_assert_cmpuint(rings(s), ==, 1);
}

static void test_bell_of_any_size(Setup *s, gconstpointer data)
{
    memory_region_add_eventfd(&s->a, 0x50, 0, false, 0, s->fd);
    for (unsigned size = 1; size <= 8; size *= 2) {
        address_space_st(s->as, 0x1050, size, 0x123456789abcdef0);
    }
    g_assert_cmpuint(rings(s), ==, 4);
    g_assert_cmpuint(n_writes, ==, 0);
}

static void test_bells_by_data_at_one_place(Setup *s, gconstpointer data)
{
    int other = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    eventfd_t n;

    memory_region_transaction_begin();
    memory_region_add_eventfd(&s->a, 0x50, 4, true, 0, s->fd);
    memory_region_add_eventfd(&s->a, 0x50, 4, true, 1, other);
    memory_region_transaction_commit();
    address_space_st(s->as, 0x1050, 4, 1);
    g_assert_cmpuint(rings(s), ==, 0);
    g_assert_cmpint(eventfd_read(other, &n), ==, 0);
    memory_region_del_eventfd(&s->a, 0x50, 4, true, 1, other);
    address_space_st(s->as, 0x1050, 4, 1);
    g_assert_cmpint(eventfd_read(other, &n), !=, 0);
    g_assert_cmpuint(n_writes, ==, 1);
    close(other);
}

static void test_bell_outlives_the_callers_fd(Setup *s, gconstpointer data)
{
    int mine = dup(s->fd);

    memory_region_add_eventfd(&s->a, 0x50, 4, false, 0, mine);
    close(mine);
    mine = open("/dev/null", O_RDONLY | O_CLOEXEC); /* takes the number */
    address_space_st(s->as, 0x1050, 4, 0);
    g_assert_cmpuint(rings(s), ==, 1);
    close(mine);
}

static void test_bell_without_descriptor_goes_to_ops(Setup *s, gconstpointer data)
{
    struct rlimit old, none;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &old), ==, 0);
    none = (struct rlimit){ 3, old.rlim_max };
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*no descriptor for a doorbell of 'a'*");
    memory_region_add_eventfd(&s->a, 0x50, 4, false, 0, s->fd);
    g_test_assert_expected_messages();
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &old), ==, 0);
    address_space_st(s->as, 0x1050, 4, 0);
    g_assert_cmpuint(rings(s), ==, 0);
    g_assert_cmpuint(n_writes, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/mem/" name, Setup, NULL, setup, fn, teardown)
    ADD("listener/register-tells-what-is-there", test_register_tells_what_is_there);
    ADD("listener/told-only-the-difference", test_only_the_difference);
    ADD("listener/nop-for-the-rest", test_nop_for_the_rest);
    ADD("listener/no-change-no-call", test_no_change_no_call);
    ADD("listener/transaction-is-one-commit", test_transaction_is_one_commit);
    ADD("listener/range-is-split-and-joined", test_split_and_join);
    ADD("listener/priority-orders-additions-and-reverses-deletions",
        test_priority_orders_listeners);
    ADD("listener/other-space-is-not-told", test_other_space_is_not_told);
    ADD("listener/old-view-during-del-new-during-add", test_view_during_calls);
    ADD("listener/may-change-topology", test_listener_may_change_topology);
    ADD("doorbell/told-where-it-is-seen", test_bell_is_told_where_it_is_seen);
    ADD("doorbell/partly-covered-is-not-armed", test_bell_under_another_region_is_gone);
    ADD("doorbell/rings-instead-of-ops", test_bell_rings_instead_of_ops);
    ADD("doorbell/size-0-is-any-size", test_bell_of_any_size);
    ADD("doorbell/data-selects-among-several", test_bells_by_data_at_one_place);
    ADD("doorbell/outlives-the-callers-descriptor", test_bell_outlives_the_callers_fd);
    ADD("doorbell/without-descriptor-goes-to-ops", test_bell_without_descriptor_goes_to_ops);
    return g_test_run();
}
