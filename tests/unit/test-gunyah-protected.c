/* SPDX-License-Identifier: GPL-2.0-or-later
 * Protected guests on the /dev/gunyah model, which really takes lent pages away: the window works
 * both ways, nothing else does, whatever guest, devices and host do in whatever order; and what the
 * user is told when the firmware or a bug of ours is in the way.
 */
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "gunyah-model-world.h"
#include "models/gunyah-model.h"
#include "models/models.h"
#include "probe.h"

static uint8_t *host_at(World *w, uint64_t gpa)
{
    return (uint8_t *)memory_region_get_ram_ptr(&w->ram) + (gpa - RAM_BASE);
}

/* ---- the window ---- */

static void window_is_shared(World *w, const char *rev)
{
    g_autofree char *knobs = g_strdup_printf("rev=%s", rev);
    MemTxResult result = MEMTX_OK;
    uint64_t len = 64;

    /* The guest stores into both, and reads what the host has put into the window. */
    model(knobs, "w4 0x40100000 0x5ec; w4 0x43800000 7; w4 0xa000000 1; r4 0x43ffff00; off");
    world_setup(w, ",protected=on", 1);
    world_write_tree(w, 1);
    address_space_stl_le(w->as, 0x43ffff00, 0x1234, NULL);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
    g_assert_cmphex(address_space_ldl_le(w->as, 0x43800000, &result), ==, 7);
    g_assert_cmpuint(result, ==, MEMTX_OK);
    g_assert_nonnull(address_space_map(w->as, 0x43800000, &len, true));
    address_space_unmap(w->as, host_at(w, 0x43800000), len, true);
    address_space_ldl_le(w->as, 0x437ffffc, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    result = MEMTX_OK;
    address_space_ldl_le(w->as, 0x40100000, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    g_assert_null(address_space_map(w->as, 0x40100000, &len, true));
    assert_guest_saw("0 r4 0x43ffff00 = 0x1234");
}

static void on_android14(World *w, gconstpointer data)
{
    window_is_shared(w, "android14,policy=lend");
}

static void on_android15(World *w, gconstpointer data)
{
    window_is_shared(w, "android15,policy=lend");
}

static void on_v17(World *w, gconstpointer data)
{
    window_is_shared(w, "v17,policy=lend");
}

/* RAM from the platform's contiguous memory, in pieces. */
static void on_cma(World *w, gconstpointer data)
{
    MemTxResult result = MEMTX_OK;

    w->boot.dtb_gpa = RAM_BASE + 0x200000;
    w->boot.dtb_room = 0x80000;
    model("rev=android15,cma=64M,policy=lend", "w4 0x42100000 0x5ec; w4 0x43800000 7;"
                                               "r4 0x43ffff00; off");
    world_setup(w, ",protected=on,chunk-size=16M,cma=" GUNYAH_MODEL_CMA_PATH, 1);
    world_write_tree(w, 1);
    address_space_stl_le(w->as, 0x43ffff00, 0x1234, NULL); /* moves along */
    world_start(w);
    world_wait_event(w);
    assert_guest_saw("0 r4 0x43ffff00 = 0x1234");
    g_assert_cmphex(address_space_ldl_le(w->as, 0x43800000, &result), ==, 7);
    g_assert_cmpuint(result, ==, MEMTX_OK);
    address_space_ldl_le(w->as, 0x42100000, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
}

static void cma_errors(World *w, gconstpointer data)
{
    static const struct {
        const char *knobs, *says;
    } rows[] = {
        { "rev=android14", "cannot give a VM contiguous memory" },
        { "rev=android15", "cma=" GUNYAH_MODEL_CMA_PATH ": cannot open" },
    };
    g_autoptr(GError) small = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        model(rows[i].knobs, NULL);
        g_assert_null(world_create(",cma=" GUNYAH_MODEL_CMA_PATH, &error));
        world_assert_says(error, rows[i].says);
    }
    model("rev=android15,cma=32M", NULL);
    world_setup(w, ",cma=" GUNYAH_MODEL_CMA_PATH, 1);
    world_write_tree(w, 1);
    g_assert_false(accel_start(w->accel, &w->boot, &small));
    world_assert_says(small, "has 32 MiB but the guest needs 64");
}

/* A window below the image: the RAM's last bytes, at another place. */
static void low_window(World *w, gconstpointer data)
{
    const uint64_t base = RAM_BASE + 0x10000000;
    MemoryRegion high, low;
    MemTxResult result = MEMTX_OK;

    memory_region_del_subregion(&w->root, &w->ram);
    memory_region_init_alias(&high, NULL, "high", &w->ram, 0, RAM_SIZE - WINDOW);
    memory_region_init_alias(&low, NULL, "low", &w->ram, RAM_SIZE - WINDOW, WINDOW);
    memory_region_add_subregion(&w->root, base, &high);
    memory_region_add_subregion(&w->root, RAM_BASE, &low);
    w->window_base = RAM_BASE;
    w->boot.entry = w->boot.ram_base = base;
    w->boot.dtb_gpa = base + 0x800000;
    model("rev=android14,policy=lend", "w4 0x50100000 0x5ec; w4 0x40000004 7; off");
    boot(w, ",protected=on", 1);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
    g_assert_cmphex(address_space_ldl_le(w->as, 0x40000004, &result), ==, 7);
    g_assert_cmpuint(result, ==, MEMTX_OK);
    address_space_ldl_le(w->as, 0x50100000, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    g_clear_object(&w->accel);
    memory_region_del_subregion(&w->root, &low);
    memory_region_del_subregion(&w->root, &high);
    memory_region_destroy(&high);
    memory_region_destroy(&low);
    memory_region_add_subregion(&w->root, RAM_BASE, &w->ram);
}

/* ---- what is said ---- */

static void auto_asks_for_protection(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    AccelProtection wanted;

    w->boot.protect = false;
    model("rev=android14,policy=lend", "off");
    world_setup(w, ",protected=auto,start-retries=1", 1);
    accel_protection(w->accel, &wanted);
    g_assert_cmpint(wanted.mode, ==, ACCEL_PROTECT_AUTO);
    world_write_tree(w, 1);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    g_assert_true(accel_wants_protection(w->accel));
    w->boot.protect = true;
    world_write_tree(w, 1);
    world_start(w);
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
}

static void other_refusals_do_not_ask(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    w->boot.protect = false;
    model("rev=android14,fail=init:6", "off");
    world_setup(w, ",protected=auto", 1);
    world_write_tree(w, 1);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    g_assert_false(accel_wants_protection(w->accel));
}

static void auto_lends_at_once(World *w, gconstpointer data)
{
    g_autofree char *knobs = g_strdup_printf("rev=%s", (const char *)data);
    AccelProtection wanted;

    model(knobs, "off");
    w->accel = world_create(",protected=auto,swiotlb-size=16M,dma-window=zone", NULL);
    accel_protection(w->accel, &wanted);
    g_assert_cmpint(wanted.mode, ==, ACCEL_PROTECT_ON);
    g_assert_cmpuint(wanted.window_size, ==, 16 * MIB);
    g_assert_cmpint(wanted.window, ==, ACCEL_WINDOW_ZONE);
}

static void shared_memory_of_android15_is_warned_of(World *w, gconstpointer data)
{
    w->boot.protect = false;
    model("rev=android15,share-exec=on", "off");
    world_setup(w, "", 1);
    world_write_tree(w, 1);
    g_test_expect_message("humpy-gunyah", G_LOG_LEVEL_MESSAGE, "*execute memory that is shared*");
    world_start(w);
    g_test_assert_expected_messages();
    world_wait_event(w);
    g_assert_cmpint(w->event, ==, ACCEL_EVENT_SHUTDOWN);
}

static void lend_and_protected_conflict(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    model("rev=android14", NULL);
    g_assert_null(world_create(",lend=on,protected=auto", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    world_assert_says(error, "protected=auto");
}

static void firmware_needs_protection(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    model("rev=android14", NULL);
    g_assert_null(world_create(",pvmfw=on,protected=auto", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT);
    world_assert_says(error, "protected=on");
}

static void firmware_needs_the_call(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    model("rev=v17", NULL);
    g_assert_null(world_create(",pvmfw=on,protected=on", &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
}

/* Lent memory that does not follow the image, as firmware's, lies where it should all the same:
 * each of its pieces is told to the resource manager by name. */
static void lent_apart(World *w, gconstpointer data)
{
    MemoryRegion image;
    MemTxResult result = MEMTX_OK;

    g_assert_true(memory_region_init_ram(&image, NULL, "image", 4 * MIB, NULL));
    memory_region_add_subregion(&w->root, 0, &image);
    w->boot.entry = w->boot.ram_base = 0;
    w->boot.dtb_gpa = 0x200000;
    w->boot.dtb_room = 0x80000;
    model("rev=android14,policy=lend", "w4 0x40100000 0x5ec; r4 0x40100000; w4 0x40700000 3; "
                                       "r4 0x40700000; off");
    boot(w, ",protected=on,chunk-size=4M", 1);
    world_wait_event(w);
    assert_guest_saw("0 r4 0x40100000 = 0x5ec");
    assert_guest_saw("0 r4 0x40700000 = 0x3");
    address_space_ldl_le(w->as, 0x40100000, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    result = MEMTX_OK;
    address_space_ldl_le(w->as, 0x200000, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    g_clear_object(&w->accel);
    memory_region_del_subregion(&w->root, &image);
    memory_region_destroy(&image);
}

/* One parcel of its own below RAM, whatever chunk-size says, and the payload is told of. */
static void firmware_starts_first(World *w, gconstpointer data)
{
    const uint64_t base = RAM_BASE + 0x40000000;
    MemoryRegion firmware;
    MemTxResult result = MEMTX_OK;

    memory_region_del_subregion(&w->root, &w->ram);
    memory_region_add_subregion(&w->root, base, &w->ram);
    g_assert_true(memory_region_init_ram(&firmware, NULL, "firmware", 4 * MIB, NULL));
    memory_region_add_subregion(&w->root, base - 4 * MIB, &firmware);
    w->boot.entry = w->boot.ram_base = base;
    w->boot.dtb_gpa = base + 0x200000;
    w->boot.dtb_room = 0x80000;
    w->window_base = base + RAM_SIZE - WINDOW;
    w->firmware_base = base - 4 * MIB;
    w->firmware_size = 4 * MIB;
    model(data, "off");
    boot(w, ",protected=on,pvmfw=on,chunk-size=4M", 1);
    world_wait_event(w);
    assert_guest_saw("boot 0 pc=0x7fc00000 x0=0x80200000");
    assert_guest_saw("set 0 reg1=0x80000000");
    address_space_ldl_le(w->as, base - 4 * MIB, &result);
    g_assert_cmpuint(result, ==, MEMTX_ACCESS_ERROR);
    g_clear_object(&w->accel);
    memory_region_del_subregion(&w->root, &firmware);
    memory_region_destroy(&firmware);
}

static void no_firmware_is_explained(World *w, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    w->firmware_base = w->window_base;
    w->firmware_size = w->window_size; /* a range is all it takes to be refused */
    model("rev=android14", NULL);
    world_setup(w, ",protected=on,pvmfw=on", 1);
    world_write_tree(w, 1);
    g_assert_false(accel_start(w->accel, &w->boot, &error));
    world_assert_says(error, "has no protected-VM firmware: pvmfw=off");
}

/* A bug of ours is named with the guest's address before it ends the program. */
static void touch_is_named(World *w, gconstpointer data)
{
    if (g_test_subprocess()) {
        model("rev=android14", "wfi");
        boot(w, ",protected=on", 1);
        (void)*(volatile uint8_t *)host_at(w, 0x40123456);
        return;
    }
    if (!can_start_self()) {
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*touched guest address 0x40123456, which is lent*");
}

/* ---- any order ---- */

enum { SECRET = 0xa5, PUBLIC = 0x3c, N_ROUNDS = 24, N_STEPS = 120, N_PROBES = 400 };

typedef struct {
    World *w;
    GRand *rand;
    unsigned violations;
    bool stop;
} Snoop;

static sigjmp_buf snoop_env;

static void on_fault(int number)
{
    siglongjmp(snoop_env, number);
}

/* Few places, so that all meet there: the first and the last line of each MiB. */
static uint64_t any_gpa(GRand *rand)
{
    uint64_t mib = g_rand_int_range(rand, 0, RAM_SIZE / MIB);

    return RAM_BASE + mib * MIB + (g_rand_boolean(rand) ? 0 : MIB - 64);
}

static bool is_lent(const World *w, uint64_t gpa, uint64_t len)
{
    return gpa < w->window_base || gpa + len > w->window_base + w->window_size;
}

/* What the host can do, by every road there is. TRUE: it has seen a byte of the guest's. */
static bool snoop_once(World *w, GRand *rand)
{
    uint64_t gpa = any_gpa(rand), len = 64, value = 0;
    uint8_t bytes[64] = { 0 };
    const uint8_t *host;

    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        address_space_read(w->as, gpa, bytes, sizeof(bytes));
        break;
    case 1:
        address_space_ld(w->as, gpa, 8, &value);
        memcpy(bytes, &value, sizeof(value));
        break;
    case 2:
        host = address_space_map(w->as, gpa, &len, false);
        if (host != NULL) {
            memcpy(bytes, host, len);
            address_space_unmap(w->as, (void *)host, len, false);
        }
        break;
    case 3:
        memset(bytes, PUBLIC, sizeof(bytes));
        if (is_lent(w, gpa, sizeof(bytes)) &&
            address_space_write(w->as, gpa, bytes, sizeof(bytes)) == MEMTX_OK) {
            return true; /* nor may it write there */
        }
        break;
    case 4:
        return is_lent(w, gpa, 64) && address_space_set(w->as, gpa, PUBLIC, 64) == MEMTX_OK;
    case 5:
        return is_lent(w, gpa, 8) && address_space_st(w->as, gpa, 8, 0) == MEMTX_OK;
    case 6: /* from the one into the other */
        return is_lent(w, gpa, 1) && address_space_access_valid(w->as, gpa, 64, true);
    default:
        if (sigsetjmp(snoop_env, 1) == 0) { /* behind the memory API's back */
            memcpy(bytes, host_at(w, gpa), sizeof(bytes));
        }
        break;
    }
    return memchr(bytes, SECRET, sizeof(bytes)) != NULL;
}

/* The guest puts secrets where only it may read and other things into the window, and makes the
 * device (whose accesses are the world's, in the vCPU's thread) look around in between. */
static void add_random_steps(World *w, GRand *rand, unsigned vcpu, GString *s)
{
    for (unsigned i = 0; i < N_STEPS; i++) {
        uint64_t gpa = any_gpa(rand);
        bool lent = is_lent(w, gpa, 8);

        if (g_rand_int_range(rand, 0, 4) == 0) {
            g_string_append_printf(s, "%u: w4 0xa000000 %u;", vcpu,
                                   g_rand_int_range(rand, 0, 1 << 16));
        } else if (gpa + 64 > w->boot.dtb_gpa && gpa < w->boot.dtb_gpa + w->boot.dtb_room) {
            continue;
        } else {
            g_string_append_printf(s, "%u: w8 0x%" G_GINT64_MODIFIER "x 0x%s;", vcpu, gpa,
                                   lent ? "a5a5a5a5a5a5a5a5" : "3c3c3c3c3c3c3c3c");
        }
    }
}

static char *random_script(World *w, GRand *rand)
{
    GString *s = g_string_new("0: on 1;");

    add_random_steps(w, rand, 1, s);
    add_random_steps(w, rand, 0, s);
    g_string_append(s, "0: off");
    return g_string_free(s, FALSE);
}

static MemTxResult device_snoops(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    Snoop *snoop = opaque;
    GRand *rand = g_rand_new_with_seed(value);

    for (unsigned i = 0; i < 8; i++) {
        uint64_t gpa = any_gpa(rand), len = 64;
        uint8_t bytes[64] = { 0 };
        const uint8_t *host;

        address_space_read(snoop->w->as, gpa, bytes, sizeof(bytes));
        host = address_space_map(snoop->w->as, gpa ^ 64, &len, true);
        if (host != NULL) {
            memcpy(bytes, host, len);
            address_space_unmap(snoop->w->as, (void *)host, len, true);
        }
        if (memchr(bytes, SECRET, sizeof(bytes)) != NULL) {
            __atomic_add_fetch(&snoop->violations, 1, __ATOMIC_SEQ_CST);
        }
    }
    g_rand_free(rand);
    return MEMTX_OK;
}

static const MemoryRegionOps snoop_ops = {
    .write_with_result = device_snoops,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 8, true },
    .impl = { 1, 8, true },
};

static void one_round(GRand *rand)
{
    static const char *const revs[] = { "android14", "android15", "v17" };
    const char *rev = revs[g_rand_int_range(rand, 0, G_N_ELEMENTS(revs))];
    g_autofree char *knobs = g_strdup_printf("rev=%s", rev);
    bool window = g_rand_int_range(rand, 0, 4) != 0;
    g_autofree char *text = g_strdup_printf(",%s=on,chunk-size=%uM", window ? "protected" : "lend",
                                            (unsigned)g_rand_int_range(rand, 6, 20) * 2);
    g_autofree char *script = NULL;
    MemoryRegion device;
    Snoop snoop = { .rand = rand };
    World w;
    bool over;

    model_world_init_protected(&w, NULL);
    snoop.w = &w;
    w.window_size = window ? (uint64_t)g_rand_int_range(rand, 1, 9) * 2 * MIB : 0;
    w.window_base = RAM_BASE + RAM_SIZE - w.window_size;
    w.boot.protect = window;
    w.boot.dtb_gpa = RAM_BASE + 0x200000;
    w.boot.dtb_room = 0x80000;
    memory_region_init_io(&device, NULL, &snoop_ops, &snoop, "snoop", DEVICE_SIZE);
    memory_region_add_subregion_overlap(&w.root, DEVICE_BASE, &device, 1);
    script = random_script(&w, rand);
    model(knobs, script);
    world_setup(&w, text, 2);
    world_write_tree(&w, 2);
    world_start(&w);
    sigaction(SIGBUS, &(struct sigaction){ .sa_handler = on_fault }, NULL); /* until teardown */
    for (unsigned i = 0; i < N_PROBES; i++) {
        g_assert_false(snoop_once(&w, rand));
    }
    do {
        g_assert_false(snoop_once(&w, rand));
        pthread_mutex_lock(&w.lock);
        over = w.n_events > 0;
        pthread_mutex_unlock(&w.lock);
    } while (!over);
    for (unsigned i = 0; i < N_PROBES; i++) { /* the guest has ended; its memory is still lent */
        g_assert_false(snoop_once(&w, rand));
    }
    g_assert_cmpuint(snoop.violations, ==, 0);
    g_clear_object(&w.accel);
    memory_region_del_subregion(&w.root, &device);
    memory_region_destroy(&device);
    model_world_clear(&w, NULL);
}

static void no_order_reveals_a_lent_byte(void)
{
    GRand *rand = g_rand_new_with_seed(g_test_rand_int());

    for (unsigned i = 0; i < N_ROUNDS; i++) {
        one_round(rand);
    }
    g_rand_free(rand);
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
#define ADD(name, fn)                                                                              \
    g_test_add("/gunyah/protected/" name, World, NULL, model_world_init_protected, fn,             \
               model_world_clear)
    ADD("window-is-shared/android14", on_android14);
    ADD("window-is-shared/android15", on_android15);
    ADD("window-is-shared/v17", on_v17);
    ADD("window-is-shared/cma", on_cma);
    ADD("cma-that-cannot-be-had-is-explained", cma_errors);
    ADD("window-may-be-below-the-image", low_window);
    ADD("auto-asks-for-protection", auto_asks_for_protection);
    ADD("other-refusals-do-not-ask", other_refusals_do_not_ask);
    g_test_add("/gunyah/protected/auto-lends-at-once/v17", World, "v17", model_world_init_protected,
               auto_lends_at_once, model_world_clear);
    g_test_add("/gunyah/protected/auto-lends-at-once/android15", World, "android15",
               model_world_init_protected, auto_lends_at_once, model_world_clear);
    ADD("shared-memory-of-android15-is-warned-of", shared_memory_of_android15_is_warned_of);
    ADD("lend-and-protected-conflict", lend_and_protected_conflict);
    ADD("firmware-needs-protection", firmware_needs_protection);
    ADD("firmware-needs-the-call", firmware_needs_the_call);
    ADD("no-firmware-is-explained", no_firmware_is_explained);
    g_test_add("/gunyah/protected/firmware-starts-first/android14", World, "rev=android14,pvmfw=on",
               model_world_init_protected, firmware_starts_first, model_world_clear);
    g_test_add("/gunyah/protected/firmware-starts-first/android15", World, "rev=android15,pvmfw=on",
               model_world_init_protected, firmware_starts_first, model_world_clear);
    ADD("lent-memory-apart-from-the-image", lent_apart);
    ADD("touch-of-lent-memory-is-named", touch_is_named);
    g_test_add_func("/gunyah/protected/no-order-reveals-a-lent-byte", no_order_reveals_a_lent_byte);
    status = g_test_run();
    memory_thread_unregister();
    return status;
}
