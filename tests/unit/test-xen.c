/* SPDX-License-Identifier: GPL-2.0-or-later
 * accel/xen around its requests: what each refusal of Xen leads to, ranges, interrupts, the
 * domain's memory and its end. That nothing is left behind is world_clear()'s to check.
 */
#include <errno.h>
#include <string.h>

#include "accel/xen-abi.h"
#include "util/target.h"
#include "xen-world.h"

/* ---- refusals ---- */

typedef struct {
    const char *function;
    int cause;
    const char *more; /* for -accel */
    bool at_start;
    const char *text[2];
} Refusal;

static const Refusal refusals[] = {
    { "nr_vcpus", ESRCH, "", false, { "vCPUs of domain 7", "there is no such domain" } },
    { "nr_vcpus", EOPNOTSUPP, "", false, { "vCPUs of domain 7", "Xen 4.17" } },
    { "nr_vcpus", EPERM, "", false, { "vCPUs of domain 7", "may not emulate" } },
    { "create_server", ENOSPC, "", false, { "create an ioreq server", "8 already" } },
    { "create_server", EINVAL, "", false, { "create an ioreq server", "neither HVM nor PVH" } },
    { "map_resource", EINVAL, "", false, { "map the 2 request pages of 1 vCPUs", "Invalid" } },
    { "evtchn_open", EMFILE, "", false, { "event channel handle 1 of 2", "Too many" } },
    { "restrict_all", ENOTTY, "restrict=on", false, { "restrict=on", "domain 7" } },
    { "map_range",
      EEXIST,
      "",
      true,
      { "cannot claim memory 0xf0000000 to 0xf000ffff", "overlaps" } },
    { "map_range", ENOMEM, "", true, { "cannot claim memory", "no more ranges" } },
    { "server_info", EPERM, "", true, { "event channel of buffered requests", "permitted" } },
    { "set_server_state", ENOENT, "", true, { "enable the ioreq server", "No such" } },
    { "evtchn_bind_self", ENOSPC, "", false, { "event channel of this domain", "No space" } },
    { "evtchn_bind", EINVAL, "", true, { "bind event channel", "Invalid" } },
};

static void refused(World *w, gconstpointer data)
{
    const Refusal *r = data;
    g_autoptr(GError) error = NULL;

    xen_model_fail(r->function, r->cause);
    if (r->at_start) {
        world_try_setup(w, r->more, &error);
        g_assert_no_error(error);
        g_assert_false(accel_start(w->accel, &(AccelBootInfo){}, &error));
    } else {
        g_assert_false(world_try_setup(w, r->more, &error));
    }
    g_assert_nonnull(strstr(error->message, "-accel xen: "));
    g_assert_nonnull(strstr(error->message, r->text[0]));
    g_assert_nonnull(strstr(error->message, r->text[1]));
    g_assert_null(strchr(error->message, '\n'));
}

static void no_domid(World *w, gconstpointer data)
{
    static const char *const texts[] = { "xen,host=model", NULL };
    static const char *const other[] = { "xen,host=model,domid=8", NULL };
    g_autoptr(GError) error = NULL;

    g_assert_null(accel_create(texts, &error));
    g_assert_nonnull(strstr(error->message, "domid is missing"));
    g_clear_error(&error);
    g_assert_null(accel_create(other, &error));
    g_assert_nonnull(strstr(error->message, "no domain 8"));
}

static void machine_with_cpus(World *w, gconstpointer data)
{
    static const char *const texts[] = { "xen,host=model,domid=7", NULL };
    AccelMachineInfo info = { .memory = w->as, .n_vcpus = 1 };
    g_autoptr(GError) error = NULL;

    w->accel = accel_create(texts, &error);
    g_assert_no_error(error);
    g_assert_false(accel_setup(w->accel, &info, &error));
    g_assert_nonnull(strstr(error->message, "-machine xen-devices"));
    g_clear_object(&w->accel);
}

/* The eighth server of the domain is ours; there is no ninth. */
static void ninth_server(World *w, gconstpointer data)
{
    void *xen = xen_model_lib.open(WORLD_DOMID, NULL);
    g_autoptr(GError) error = NULL;
    uint16_t ids[8];

    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpint(xen_model_lib.create_server(xen, 2, &ids[i]), ==, 0);
    }
    g_assert_false(world_try_setup(w, "", &error));
    g_assert_nonnull(strstr(error->message, "8 already"));
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpint(xen_model_lib.destroy_server(xen, ids[i]), ==, 0);
    }
    xen_model_lib.close(xen);
}

/* Without resources: two of the domain's own pages; only as many vCPUs as one has slots for. */
static void old_host(World *w, gconstpointer data)
{
    xen_model_set_old_host(true);
    world_run(w, data);
    xen_model_write(w->d, 0, WORLD_DEVICE, 0x42, 1);
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE, 1), ==, 0x42);
    g_assert_cmpint(xen_model_write_buffered(w->d, 0, IOREQ_TYPE_PIO, WORLD_PORTS, 1, 1), ==,
                    *(const char *)data == '\0');
}

static void old_host_many(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    world_domain(w, XENLIB_DOMAIN_PVH, 129);
    xen_model_set_old_host(true);
    g_assert_false(world_try_setup(w, "", &error));
    g_assert_nonnull(strstr(error->message, "129 vCPUs"));
}

static void restricted(World *w, gconstpointer data)
{
    XenModelStats stats;

    world_run(w, data);
    xen_model_stats(w->d, &stats);
    g_assert_cmpint(stats.restricted, ==, *(const char *)data == '\0');
}

/* ---- ranges ---- */

/* A region that comes while the domain runs is claimed, and given back when it goes. */
static void come_and_go(World *w, gconstpointer data)
{
    world_run(w, "");
    g_assert_true(xen_model_has_range(w->d, XENLIB_MEMORY, WORLD_DEVICE,
                                      WORLD_DEVICE + WORLD_DEVICE_SIZE - 1));
    g_assert_true(
        xen_model_has_range(w->d, XENLIB_PORTS, WORLD_PORTS, WORLD_PORTS + WORLD_PORTS_SIZE - 1));
    memory_region_set_address(&w->device, 0xe0000000);
    g_assert_false(xen_model_has_range(w->d, XENLIB_MEMORY, WORLD_DEVICE, WORLD_DEVICE));
    xen_model_write(w->d, 0, 0xe0000010, 0x99, 1);
    g_assert_cmphex(w->memory_bytes[0x10], ==, 0x99);
    memory_region_set_enabled(&w->device, false);
    g_assert_cmpuint(xen_model_n_ranges(w->d, XENLIB_MEMORY), ==, 0);
    memory_region_set_enabled(&w->device, true);
    g_assert_cmpuint(xen_model_n_ranges(w->d, XENLIB_MEMORY), ==, 1);
}

static uint64_t read_zero(void *opaque, hwaddr offset, unsigned size)
{
    return 0;
}

static void write_nothing(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
}

static const MemoryRegionOps zero_ops = { .read = read_zero, .write = write_nothing };

/* What lies side by side counts once; more than Xen takes is joined over what lies between. */
static void many(World *w, gconstpointer data)
{
    enum { N = 600, SIZE = 0x10 };
    unsigned stride = GPOINTER_TO_UINT(data);
    MemoryRegion *mrs = g_new0(MemoryRegion, N);

    world_run(w, "");
    if (stride != SIZE) {
        g_test_expect_message("humpy-xen", G_LOG_LEVEL_WARNING, "*ranges of memory*");
    }
    memory_region_transaction_begin();
    for (unsigned i = 0; i < N; i++) {
        memory_region_init_io(&mrs[i], NULL, &zero_ops, NULL, "small", SIZE);
        memory_region_add_subregion(&w->root, 0xa0000000 + i * stride, &mrs[i]);
    }
    memory_region_transaction_commit();
    g_test_assert_expected_messages();
    g_assert_cmpuint(xen_model_n_ranges(w->d, XENLIB_MEMORY), <=, 256);
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmphex(xen_model_read(w->d, 0, 0xa0000000 + i * stride, 4), ==, 0);
    }
    xen_model_write(w->d, 0, WORLD_DEVICE, 0x31, 1);
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE, 1), ==, 0x31);
    memory_region_transaction_begin();
    for (unsigned i = 0; i < N; i++) {
        memory_region_del_subregion(&w->root, &mrs[i]);
    }
    memory_region_transaction_commit();
    g_assert_cmpuint(xen_model_n_ranges(w->d, XENLIB_MEMORY), ==, 1);
    for (unsigned i = 0; i < N; i++) {
        memory_region_destroy(&mrs[i]);
    }
    g_free(mrs);
}

static void late_refusal(World *w, gconstpointer data)
{
    world_run(w, "");
    memory_region_set_enabled(&w->device, false);
    xen_model_fail("map_range", ENOMEM);
    g_test_expect_message("humpy-xen", G_LOG_LEVEL_WARNING, "*cannot claim memory 0xf0000000*");
    memory_region_set_enabled(&w->device, true);
    g_test_assert_expected_messages();
    g_assert_cmphex(xen_model_read(w->d, 0, WORLD_DEVICE, 1), ==, 0xff);
}

/* ---- interrupts ---- */

/* A domain without a vPIC: no operation that touches one is ever made, whoever drives what. */
static void no_vpic(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    XenModelStats stats;

    world_domain(w, GPOINTER_TO_UINT(data), 1);
    if (GPOINTER_TO_UINT(data) == XENLIB_DOMAIN_UNKNOWN) {
        g_assert_false(world_try_setup(w, "", &error)); /* the model makes no server for it */
        return;
    }
    world_setup(w, "");
    g_assert_false(accel_caps(w->accel) & ACCEL_CAP_IRQCHIP);
    g_assert_false(accel_irq_connect(w->accel, 4, ACCEL_IRQ_LEVEL, &error));
    g_assert_nonnull(strstr(error->message, "only messages"));
    world_start(w);
    for (unsigned level = 0; level < 2; level++) {
        accel_irq_set(w->accel, 4, !level);
        accel_pci_irq(w->accel, 0, 0, 3, 0, !level);
    }
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.isa_changes + stats.intx_changes, ==, 0);
    g_assert_false(stats.panicked);
}

static void vpic(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    XenModelStats stats;

    world_domain(w, XENLIB_DOMAIN_HVM, 1);
    world_setup(w, "");
    g_assert_true(accel_irq_connect(w->accel, 4, ACCEL_IRQ_LEVEL, &error));
    g_assert_false(accel_irq_connect(w->accel, 16, ACCEL_IRQ_LEVEL, &error));
    g_assert_nonnull(strstr(error->message, "0 to 15"));
    world_start(w);
    accel_irq_set(w->accel, 4, true);
    accel_pci_irq(w->accel, 0, 0, 3, 1, true);
    xen_model_stats(w->d, &stats);
    g_assert_cmphex(stats.isa_levels, ==, 1 << 4);
    g_assert_cmpuint(stats.last_intx, ==, 3 << 2 | 1);
    g_assert_true(stats.intx_level);
    accel_irq_set(w->accel, 4, false);
    xen_model_stats(w->d, &stats);
    g_assert_cmphex(stats.isa_levels, ==, 0);
}

static void messages(World *w, gconstpointer data)
{
    XenModelStats stats;

    world_run(w, "");
    accel_msi(w->accel, 0xfee01000, 0x4031);
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.msis, ==, 1);
    g_assert_cmphex(stats.msi_addr, ==, 0xfee01000);
    g_assert_cmphex(stats.msi_data, ==, 0x4031);
    xen_model_fail("inject_msi", EINVAL);
    g_test_expect_message("humpy-xen", G_LOG_LEVEL_WARNING, "*message to 0xfee00000*");
    accel_msi(w->accel, 0xfee00000, 0);
    g_test_assert_expected_messages();
}

/* ---- memory ---- */

static void memory(World *w, gconstpointer data)
{
    uint8_t *guest = xen_model_memory(w->d), buf[300];
    MemTxResult result;

    world_run(w, "");
    for (unsigned i = 0; i < sizeof(buf); i++) {
        buf[i] = i * 7;
    }
    /* across pages, and across two pieces that are mapped apart */
    g_assert_cmpuint(address_space_write(w->as, (256 << 10) - 150, buf, sizeof(buf)), ==, MEMTX_OK);
    g_assert_cmpmem(guest + (256 << 10) - 150, sizeof(buf), buf, sizeof(buf));
    g_assert_cmphex(address_space_ldl_le(w->as, (256 << 10) - 2, &result), ==,
                    buf[148] | buf[149] << 8 | buf[150] << 16 | (uint32_t)buf[151] << 24);
    g_assert_cmpuint(result, ==, MEMTX_OK);
    g_assert_cmpuint(address_space_read(w->as, WORLD_MEMORY, buf, 8), ==, MEMTX_ERROR);
    g_assert_cmphex(buf[0], ==, 0xff);
    g_assert_cmpuint(address_space_write(w->as, WORLD_MEMORY - 4, buf, 8), ==, MEMTX_ERROR);
}

/* A pointer stays good while it is held, also over an INVALIDATE; then its pages are let go. */
static void pointers(World *w, gconstpointer data)
{
    uint8_t *guest = xen_model_memory(w->d), *host;
    XenModelStats stats;
    uint64_t len = 1 << 20;

    world_run(w, "");
    xen_model_take_page(w->d, 5);
    host = address_space_map(w->as, 0x3ff0, &len, true);
    g_assert_nonnull(host);
    g_assert_cmphex(len, ==, 0x1010); /* to the page that is not there */
    host[0] = 0x5a;
    g_assert_cmphex(guest[0x3ff0], ==, 0x5a);
    len = 1;
    g_assert_null(address_space_map(w->as, 0x5000, &len, false));
    xen_model_invalidate(w->d, 0);
    host[1] = 0xa5;
    g_assert_cmphex(guest[0x3ff1], ==, 0xa5);
    address_space_unmap(w->as, host, 0x1010, true);
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.mapped_pages, ==, 0);
    g_assert_cmphex(address_space_ldub(w->as, 0x3ff1, NULL), ==, 0xa5);
}

/* A hit maps nothing; the bound holds, whatever is used. */
static void bounded(World *w, gconstpointer data)
{
    enum { CACHE_PAGES = (2 << 20) / 4096 };
    XenModelStats stats;
    unsigned calls;

    world_run(w, "map-cache=2M");
    for (unsigned i = 0; i < 3; i++) {
        address_space_stl_le(w->as, 0x1000, i, NULL);
    }
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.map_calls, ==, 1);
    for (hwaddr at = 0; at < WORLD_MEMORY; at += 4096) {
        address_space_stl_le(w->as, at, at, NULL);
    }
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.mapped_pages, <=, CACHE_PAGES);
    calls = stats.map_calls;
    g_assert_cmpuint(calls, <=, 1 + WORLD_MEMORY / (256 << 10));
    for (hwaddr at = 0; at < WORLD_MEMORY; at += 4096) {
        g_assert_cmphex(address_space_ldl_le(w->as, at, NULL), ==, at);
    }
}

/* While somebody copies the domain's memory, what devices write is told, and nothing else. */
static void dirty_log(World *w, gconstpointer data)
{
    XenModelStats stats;
    uint64_t len = 0x1800;
    void *host;

    world_run(w, "");
    address_space_stl_le(w->as, 0x1000, 1, NULL);
    g_assert_true(accel_set_dirty_log(w->accel, true));
    address_space_ldl_le(w->as, 0x1000, NULL);
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.modified_calls, ==, 0);
    address_space_stl_le(w->as, 0x2000, 1, NULL);
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.modified_gfn, ==, 2);
    host = address_space_map(w->as, 0x4c00, &len, true);
    address_space_unmap(w->as, host, len, true);
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.modified_calls, ==, 2);
    g_assert_cmpuint(stats.modified_gfn, ==, 4);
    g_assert_cmpuint(stats.modified_pages, ==, 4);
}

/* All of the cache held by users: an error, not more mappings. */
static void all_held(World *w, gconstpointer data)
{
    enum { PLACES = (2 << 20) / (256 << 10) };
    void *held[PLACES];
    uint64_t len;

    world_run(w, "map-cache=2M");
    for (unsigned i = 0; i < PLACES; i++) {
        len = 16;
        held[i] = address_space_map(w->as, i * (256 << 10), &len, true);
        g_assert_nonnull(held[i]);
    }
    len = 16;
    g_assert_null(address_space_map(w->as, PLACES * (256 << 10), &len, true));
    for (unsigned i = 0; i < PLACES; i++) {
        address_space_unmap(w->as, held[i], 16, true);
    }
    len = 16;
    held[0] = address_space_map(w->as, PLACES * (256 << 10), &len, true);
    g_assert_nonnull(held[0]);
    address_space_unmap(w->as, held[0], 16, true);
}

typedef struct {
    World *w;
    unsigned n;
} Toucher;

static gpointer touch(gpointer data)
{
    Toucher *t = data;

    memory_thread_register();
    for (unsigned i = 0; i < 400; i++) {
        uint64_t len = 64;
        hwaddr at = (uint64_t)(i * 37 + t->n * 11) % (WORLD_MEMORY / 4096) * 4096 + t->n * 64;
        uint8_t *host = address_space_map(t->w->as, at, &len, true);

        if (host != NULL) {
            memset(host, t->n, len);
            address_space_unmap(t->w->as, host, len, true);
        }
    }
    memory_thread_unregister();
    return NULL;
}

/* Threads that use, miss, evict and invalidate at the same time. */
static void threads(World *w, gconstpointer data)
{
    enum { N = 4 };
    GThread *threads[N];
    Toucher touchers[N];

    world_run(w, "map-cache=2M");
    for (unsigned i = 0; i < N; i++) {
        touchers[i] = (Toucher){ .w = w, .n = i };
        threads[i] = g_thread_new("toucher", touch, &touchers[i]);
    }
    for (unsigned i = 0; i < 20; i++) {
        xen_model_invalidate(w->d, 0);
    }
    for (unsigned i = 0; i < N; i++) {
        g_thread_join(threads[i]);
    }
}

/* ---- the end ---- */

/* The domain is destroyed: the program hears of it, devices find no memory, vCPUs are gone. */
static void domain_dies(World *w, gconstpointer data)
{
    uint64_t len = 16;
    void *held;

    world_run(w, "");
    held = address_space_map(w->as, 0x1000, &len, true);
    xen_model_kill(w->d);
    g_main_context_iteration(NULL, true); /* the look once a second, if no thread was faster */
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
    g_assert_nonnull(strstr(w->message, "domain 7 is gone"));
    memset(held, 0, len);
    address_space_unmap(w->as, held, len, true);
    len = 16;
    g_assert_null(address_space_map(w->as, 2 << 20, &len, true));
    g_assert_cmpuint(address_space_ldub(w->as, 3 << 20, NULL), ==, 0xff);
    accel_guest_over(w->accel, false); /* no one is asked */
}

static gpointer read_held(gpointer data)
{
    World *w = data;

    return GUINT_TO_POINTER(xen_model_read(w->d, 0, WORLD_DEVICE + WORLD_HOLD, 1));
}

/* A vCPU that waits for a device when the server is taken down gets its answer first. */
static void down_while_busy(World *w, gconstpointer data)
{
    GThread *thread;

    world_run(w, "");
    w->memory_bytes[WORLD_HOLD] = 0x61;
    world_hold(w, true);
    thread = g_thread_new("vcpu", read_held, w);
    world_wait_held(w);
    world_hold(w, false);
    accel_teardown(w->accel);
    g_assert_cmphex(GPOINTER_TO_UINT(g_thread_join(thread)), ==, 0x61);
}

/* ... also when it waits because of a pause. */
static void down_while_paused(World *w, gconstpointer data)
{
    GThread *thread;
    unsigned got;

    world_run(w, "");
    accel_pause(w->accel);
    thread = g_thread_new("vcpu", read_held, w);
    accel_teardown(w->accel);
    got = GPOINTER_TO_UINT(g_thread_join(thread));
    g_assert_true(got == 0 || got == 0xff); /* it may come after the server */
}

static void toolstack_hears(World *w, gconstpointer data)
{
    XenModelStats stats;

    world_run(w, "");
    accel_guest_over(w->accel, true);
    xen_model_stats(w->d, &stats);
    g_assert_true(stats.shut_down);
    g_assert_cmpuint(stats.shutdown_reason, ==, SHUTDOWN_reboot);
    accel_guest_over(w->accel, false);
    xen_model_stats(w->d, &stats);
    g_assert_cmpuint(stats.shutdown_reason, ==, SHUTDOWN_poweroff);
}

static void channel_breaks(World *w, gconstpointer data)
{
    world_run(w, "");
    xen_model_read(w->d, 0, WORLD_DEVICE, 1);
    xen_model_fail("evtchn_pending", EIO);
    xen_model_spurious(w->d, 0);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_CRASH);
    g_assert_nonnull(strstr(w->message, "domain 7"));
}

#define ADD(name, data, fn) g_test_add("/xen/" name, World, data, world_init, fn, world_clear)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++) {
        g_autofree char *name = g_strdup_printf("/xen/refused/%s-%s", refusals[i].function,
                                                g_strerror(refusals[i].cause));

        g_test_add(name, World, &refusals[i], world_init, refused, world_clear);
    }
    ADD("refused/no-domain", NULL, no_domid);
    ADD("refused/machine-with-cpus", NULL, machine_with_cpus);
    ADD("refused/ninth-server", NULL, ninth_server);
    ADD("pages/of-the-domain", "", old_host);
    ADD("pages/of-the-domain-unbuffered", "buffered=off", old_host);
    ADD("pages/of-the-domain-129-vcpus", NULL, old_host_many);
    ADD("restrict/auto", "", restricted);
    ADD("restrict/off", "restrict=off", restricted);
    ADD("ranges/come-and-go", NULL, come_and_go);
    ADD("ranges/600-side-by-side", GUINT_TO_POINTER(0x10), many);
    ADD("ranges/600-apart", GUINT_TO_POINTER(0x1000), many);
    ADD("ranges/refused-later", NULL, late_refusal);
    ADD("irq/pvh", GUINT_TO_POINTER(XENLIB_DOMAIN_PVH), no_vpic);
    ADD("irq/unknown", GUINT_TO_POINTER(XENLIB_DOMAIN_UNKNOWN), no_vpic);
    ADD("irq/hvm", NULL, vpic);
    ADD("irq/messages", NULL, messages);
    ADD("memory/accesses", NULL, memory);
    ADD("memory/pointers", NULL, pointers);
    ADD("memory/bounded", NULL, bounded);
    ADD("memory/dirty-log", NULL, dirty_log);
    ADD("memory/all-held", NULL, all_held);
    ADD("memory/threads", NULL, threads);
    ADD("end/domain-dies", NULL, domain_dies);
    ADD("end/down-while-busy", NULL, down_while_busy);
    ADD("end/down-while-paused", NULL, down_while_paused);
    ADD("end/toolstack-hears", NULL, toolstack_hears);
    ADD("end/channel-breaks", NULL, channel_breaks);
    return g_test_run();
}
