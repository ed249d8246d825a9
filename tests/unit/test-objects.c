/* SPDX-License-Identifier: GPL-2.0-or-later
 * -object and -numa: making and deleting objects, memory back ends and what RAM comes of them,
 * nodes, CPUs and distances.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "hw/core/hostmem.h"
#include "hw/core/machine.h"
#include "hw/core/qom.h"
#include "util/error.h"

#define MIB ((uint64_t)1 << 20)

static UserObject *add(const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "qom-type", NULL);

    return user_object_add(kv, error);
}

static UserObject *add_ok(const char *text)
{
    GError *error = NULL;
    UserObject *obj = add(text, &error);

    g_assert_no_error(error);
    return obj;
}

static void del_ok(const char *id)
{
    GError *error = NULL;

    user_object_del(id, &error);
    g_assert_no_error(error);
}

static void check(GError *error, int code, const char *part)
{
    g_assert_error(error, HUMPY_ERROR, code);
    if (strstr(error->message, part) == NULL) {
        g_error("'%s' is not in: %s", part, error->message);
    }
}

static void fails(const char *text, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(add(text, &error));
    check(error, code, part);
}

/* ---- objects ---- */

static void add_and_delete(void)
{
    UserObject *obj = add_ok("memory-backend-ram,id=m0,size=1M");
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(user_object_id(obj), ==, "m0");
    g_assert_true(qom_resolve("/objects/m0", NULL) == G_OBJECT(obj));
    g_assert_true(user_object_find("m0", TYPE_MEMORY_BACKEND, NULL) == obj);
    g_assert_null(user_object_find("m0", TYPE_MACHINE, &error));
    check(error, HUMPY_ERROR_CONFLICT, "memory-backend-ram");
    g_clear_error(&error);
    user_object_use(obj);
    g_assert_false(user_object_del("m0", &error));
    check(error, HUMPY_ERROR_CONFLICT, "in use");
    g_clear_error(&error);
    user_object_unuse(obj);
    del_ok("m0");
    g_assert_false(user_object_del("m0", &error));
    check(error, HUMPY_ERROR_UNKNOWN, "not found");
    g_assert_null(user_object_find("m0", TYPE_MEMORY_BACKEND, NULL));
}

static void bad_objects(void)
{
    add_ok("memory-backend-ram,id=m0,size=1M");
    fails("id=m1", HUMPY_ERROR_MISSING, "qom-type");
    fails("memory-backend-ram,size=1M", HUMPY_ERROR_MISSING, "'id'");
    fails("memory-backend-ram,id=1m,size=1M", HUMPY_ERROR_SYNTAX, "1m");
    fails("memory-backend-ram,id=m0,size=1M", HUMPY_ERROR_CONFLICT, "'m0' is already used");
    fails("memory-backend-rma,id=m1", HUMPY_ERROR_UNKNOWN, "memory-backend-ram");
    fails("device,id=m1", HUMPY_ERROR_UNKNOWN, "memory-backend-ram");
    fails("memory-backend-ram,id=m1", HUMPY_ERROR_MISSING, "size");
    fails("memory-backend-ram,id=m1,size=0", HUMPY_ERROR_MISSING, "size");
    fails("memory-backend-ram,id=m1,size=1000", HUMPY_ERROR_RANGE, "page size");
    fails("memory-backend-ram,id=m1,size=-1", HUMPY_ERROR_SYNTAX, "size");
    fails("memory-backend-ram,id=m1,size=16E", HUMPY_ERROR_RANGE, "size");
    fails("memory-backend-ram,id=m1,size=1M,siez=1", HUMPY_ERROR_UNKNOWN, "size");
    fails("memory-backend-memfd,id=m1,size=2M,hugetlbsize=2M", HUMPY_ERROR_CONFLICT, "hugetlb=on");
    fails("memory-backend-memfd,id=m1,size=1T,hugetlb=on,hugetlbsize=4K", HUMPY_ERROR_UNSUPPORTED,
          "no huge pages of 4 KiB");
    fails("memory-backend-file,id=m1,size=1M", HUMPY_ERROR_MISSING, "mem-path");
    fails("memory-backend-file,id=m1,size=1M,mem-path=/nonesuch/x", HUMPY_ERROR_HOST,
          "/nonesuch/x");
    del_ok("m0");
}

/* What a host without enough of them says names their number and where they come from. */
static void huge_pages(void)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", &text,
                             NULL, NULL)) {
        g_test_skip("this host has no huge pages of 2 MiB");
        return;
    }
    fails("memory-backend-memfd,id=m1,size=3M,hugetlb=on,hugetlbsize=2M", HUMPY_ERROR_RANGE,
          "multiple of the huge page size, 2097152");
    fails("memory-backend-memfd,id=m1,size=64T,hugetlb=on,hugetlbsize=2M", HUMPY_ERROR_HOST,
          "33554432 huge pages of 2048 KiB are needed and ");
    add_ok("memory-backend-memfd,id=m1,size=4M,thp=on");
    del_ok("m1");
}

/* From JSON each value has its property's type. */
static void from_json(void)
{
    static const struct {
        const char *json;
        int code; /* -1: works */
    } rows[] = {
        { "{\"size\": 1048576}", -1 },
        { "{\"size\": \"1048576\"}", HUMPY_ERROR_SYNTAX },
        { "{\"size\": 1048576, \"share\": \"on\"}", HUMPY_ERROR_SYNTAX },
        { "{\"size\": -1}", HUMPY_ERROR_SYNTAX },
        { "{\"size\": 4095}", HUMPY_ERROR_RANGE },
        { "{\"size\": 1048576, \"nope\": 1}", HUMPY_ERROR_UNKNOWN },
        { "{}", HUMPY_ERROR_MISSING },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(JsonNode) node = json_from_string(rows[i].json, NULL);
        g_autoptr(GError) error = NULL;
        UserObject *obj =
            user_object_add_json("memory-backend-ram", "j0", json_node_get_object(node), &error);

        if (rows[i].code == -1) {
            g_assert_no_error(error);
            g_assert_nonnull(obj);
            del_ok("j0");
        } else {
            g_assert_null(obj);
            g_assert_error(error, HUMPY_ERROR, rows[i].code);
        }
    }
}

static void not_changed_later(void)
{
    UserObject *obj = add_ok("memory-backend-ram,id=m0,size=1M");
    g_autoptr(JsonNode) value = json_from_string("2097152", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(qom_set(G_OBJECT(obj), "size", value, &error));
    check(error, HUMPY_ERROR_CONFLICT, "after it was made");
    del_ok("m0");
}

/* ---- memory back ends ---- */

static MemoryRegion *region(UserObject *obj)
{
    MemoryRegion *mr = memory_backend_take(HUMPY_MEMORY_BACKEND(obj), NULL);

    g_assert_nonnull(mr);
    return mr;
}

static void one_user(void)
{
    UserObject *obj = add_ok("memory-backend-memfd,id=m0,size=1M,prealloc=on,dump=off");
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(memory_region_size(region(obj)), ==, MIB);
    g_assert_null(memory_backend_take(HUMPY_MEMORY_BACKEND(obj), &error));
    check(error, HUMPY_ERROR_CONFLICT, "in use");
    g_assert_false(user_object_del("m0", NULL));
    memory_backend_release(HUMPY_MEMORY_BACKEND(obj));
    del_ok("m0");
}

static void memfd_is_sealed(void)
{
    UserObject *obj = add_ok("memory-backend-memfd,id=m0,size=1M");
    int fd = memory_region_get_fd(region(obj));

    g_assert_cmpint(fcntl(fd, F_GET_SEALS), ==, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
    g_assert_cmpint(ftruncate(fd, 4096), <, 0);
    memory_backend_release(HUMPY_MEMORY_BACKEND(obj));
    del_ok("m0");
}

/* Shared: the file has what is written; else it has not, and nobody is given the descriptor. */
static void file_shared_or_not(void)
{
    g_autofree char *dir = g_dir_make_tmp("objects-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "ram", NULL);

    for (unsigned shared = 0; shared < 2; shared++) {
        g_autofree char *text =
            g_strdup_printf("memory-backend-file,id=m0,size=1M,mem-path=%s,prealloc=on,share=%s",
                            path, shared ? "on" : "off");
        UserObject *obj = add_ok(text);
        MemoryRegion *mr = region(obj);
        g_autofree char *content = NULL;
        gsize len;

        memcpy(memory_region_get_ram_ptr(mr), "hi", 2);
        g_assert_true((memory_region_get_fd(mr) >= 0) == shared);
        memory_backend_release(HUMPY_MEMORY_BACKEND(obj));
        del_ok("m0");
        g_assert_true(g_file_get_contents(path, &content, &len, NULL));
        g_assert_cmpuint(len, ==, MIB);
        g_assert_cmpmem(content, 2, shared ? "hi" : "\0\0", 2);
    }
    g_unlink(path);
    g_rmdir(dir);
}

static void file_sizes(void)
{
    g_autofree char *dir = g_dir_make_tmp("objects-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "ram", NULL);
    g_autofree char *bare = g_strdup_printf("memory-backend-file,id=m0,mem-path=%s", path);
    g_autofree char *larger = g_strdup_printf("%s,size=2M", bare);
    g_autofree char *in_dir =
        g_strdup_printf("memory-backend-file,id=m0,size=1M,mem-path=%s,share=on", dir);

    fails(bare, HUMPY_ERROR_MISSING, "size");
    g_assert_true(g_file_set_contents(path, "x", 1, NULL));
    fails(bare, HUMPY_ERROR_RANGE, "page size");
    g_assert_cmpint(truncate(path, MIB), ==, 0);
    g_assert_cmpuint(memory_backend_size(HUMPY_MEMORY_BACKEND(add_ok(bare))), ==, MIB);
    del_ok("m0");
    fails(larger, HUMPY_ERROR_CONFLICT, "has only");
    g_unlink(path);
    add_ok(in_dir); /* leaves no file */
    del_ok("m0");
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

/* ---- the machine's RAM ---- */

static Machine *machine(uint64_t ram_size, const char *backend, GError **error)
{
    MachineConfig config = { .ram_size = ram_size, .memory_backend = backend };
    Machine *m = machine_new("none", NULL);

    machine_set_config(m, &config);
    machine_init(m, error);
    return m;
}

static void machine_drop(Machine *m)
{
    machine_finish(m);
    g_object_unref(m);
}

static void ram_is_backend(void)
{
    UserObject *obj = add_ok("memory-backend-ram,id=m0,size=2M");
    GError *error = NULL;
    Machine *m;

    for (unsigned life = 0; life < 2; life++) {
        m = machine(life == 0 ? 0 : 2 * MIB, "m0", &error);
        g_assert_no_error(error);
        g_assert_cmpuint(machine_config(m)->ram_size, ==, 2 * MIB);
        g_assert_true(memory_backend_is_taken(HUMPY_MEMORY_BACKEND(obj)));
        g_assert_true(address_space_access_valid(machine_memory(m), 0, 2 * MIB, true));
        machine_drop(m);
        g_assert_false(memory_backend_is_taken(HUMPY_MEMORY_BACKEND(obj)));
    }
    m = machine(MIB, "m0", &error);
    check(error, HUMPY_ERROR_CONFLICT, "-m asks for");
    g_clear_error(&error);
    machine_drop(m);
    m = machine(0, "m1", &error);
    check(error, HUMPY_ERROR_UNKNOWN, "memory-backend=m1");
    g_clear_error(&error);
    machine_drop(m);
    del_ok("m0");
}

/* ---- NUMA ---- */

static Numa *numa_of(const char *const *texts, GError **error)
{
    g_autoptr(Numa) numa = numa_new();

    for (; *texts != NULL; texts++) {
        g_autoptr(KeyVal) kv = keyval_parse(*texts, "type", NULL);

        if (!numa_add(numa, kv, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&numa);
}

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const CpuTopology eight_sockets = { 8, 1, 1, 1 }, threads = { 2, 1, 2, 2 };

static void check_print(const char *const *texts, const CpuTopology *topology, unsigned unplaced,
                        const char *part)
{
    g_autoptr(GString) out = g_string_new(NULL);
    GError *error = NULL;
    g_autoptr(Numa) numa = numa_of(texts, &error);
    unsigned n;

    g_assert_no_error(error);
    numa_complete(numa, topology, 8, &n, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(n, ==, unplaced);
    numa_print(numa, 8, out);
    if (strstr(out->str, part) == NULL) {
        g_error("'%s' is not in: %s", part, out->str);
    }
}

static void cpus_on_nodes(void)
{
    check_print(TEXTS("node", "node"), &eight_sockets, 0, "node 0 cpus: 0 2 4 6\n");
    check_print(TEXTS("node", "node"), &threads, 0, "node 1 cpus: 4 5 6 7\n");
    check_print(TEXTS("node,cpus=0-3", "node,nodeid=1,cpus=4-7"), &eight_sockets, 0,
                "node 1 cpus: 4 5 6 7\n");
    check_print(TEXTS("node,cpus=0-1", "node,cpus=4,cpus=5"), &eight_sockets, 4,
                "node 0 cpus: 0 1 2 3 6 7\n");
    check_print(TEXTS("node", "node", "cpu,node-id=1,thread-id=0", "cpu,node-id=0,thread-id=1"),
                &threads, 0, "node 1 cpus: 0 2 4 6\n");
    check_print(
        TEXTS("node", "node", "cpu,node-id=1,socket-id=0,core-id=1", "cpu,node-id=0,socket-id=1"),
        &threads, 2, "node 1 cpus: 2 3\n");
}

static void places(void)
{
    CpuPlace p = cpu_place(&(CpuTopology){ 2, 2, 3, 2 }, 23);

    g_assert_cmpuint(p.socket_id, ==, 1);
    g_assert_cmpuint(p.cluster_id, ==, 1);
    g_assert_cmpuint(p.core_id, ==, 2);
    g_assert_cmpuint(p.thread_id, ==, 1);
}

static void distances(void)
{
    g_autoptr(Numa) numa = numa_of(TEXTS("node", "node"), NULL);
    g_autoptr(Numa) symmetric = numa_of(TEXTS("node", "node", "dist,src=1,dst=0,val=30"), NULL);
    g_autoptr(Numa) both =
        numa_of(TEXTS("node", "node", "dist,src=1,dst=0,val=30", "dist,src=0,dst=1,val=40"), NULL);

    g_assert_true(numa_complete(numa, &eight_sockets, 8, NULL, NULL));
    g_assert_cmpuint(numa->nodes[0].distance[0], ==, 10);
    g_assert_cmpuint(numa->nodes[0].distance[1], ==, 20);
    g_assert_true(numa_complete(symmetric, &eight_sockets, 8, NULL, NULL));
    g_assert_cmpuint(symmetric->nodes[0].distance[1], ==, 30);
    g_assert_true(numa_complete(both, &eight_sockets, 8, NULL, NULL));
    g_assert_cmpuint(both->nodes[0].distance[1], ==, 40);
}

static void bad_numa(void)
{
    static const struct {
        const char *texts[5];
        int code;
        const char *part;
    } rows[] = {
        { { "nodes" }, HUMPY_ERROR_UNKNOWN, "node" },
        { { "node,nodeid=128" }, HUMPY_ERROR_RANGE, "0 to 127" },
        { { "node,nodeid=x" }, HUMPY_ERROR_SYNTAX, "'x'" },
        { { "node", "node,nodeid=0" }, HUMPY_ERROR_CONFLICT, "node 0 is there" },
        { { "node,mem=1G" }, HUMPY_ERROR_UNSUPPORTED, "memdev" },
        { { "node,cpus=3-1" }, HUMPY_ERROR_RANGE, "3-1" },
        { { "node,cpus=0-512" }, HUMPY_ERROR_RANGE, "512" },
        { { "node,cpus=" }, HUMPY_ERROR_SYNTAX, "cpus" },
        { { "node,cpus=0-" }, HUMPY_ERROR_SYNTAX, "cpus" },
        { { "node,cpus=0", "node,cpus=0" }, HUMPY_ERROR_CONFLICT, "CPU 0 is on node 0" },
        { { "cpu,node-id=0" }, HUMPY_ERROR_UNKNOWN, "node 0 is not there" },
        { { "node", "cpu,socket-id=0" }, HUMPY_ERROR_MISSING, "node-id" },
        { { "node", "dist,src=0,dst=1,val=20" }, HUMPY_ERROR_UNKNOWN, "node 1 is not there" },
        { { "node", "node", "dist,src=0,dst=1,val=9" }, HUMPY_ERROR_RANGE, "10 to 255" },
        { { "node", "dist,src=0,dst=0,val=20" }, HUMPY_ERROR_RANGE, "10 to itself" },
        { { "node", "dist,src=0,dst=0" }, HUMPY_ERROR_MISSING, "val" },
        { { "node,nodeid=1" }, HUMPY_ERROR_MISSING, "node 0 is missing" },
        { { "node,memdev=nope" }, HUMPY_ERROR_UNKNOWN, "memdev=nope" },
        { { "node,cpus=8" }, HUMPY_ERROR_RANGE, "has 8 CPUs" },
        { { "node", "cpu,node-id=0,socket-id=8" }, HUMPY_ERROR_RANGE, "no such CPU" },
        { { "node,cpus=0", "node", "cpu,node-id=1,socket-id=0" }, HUMPY_ERROR_CONFLICT, "CPU 0" },
        { { "node", "node", "node", "dist,src=0,dst=1,val=30" }, HUMPY_ERROR_MISSING, "missing" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Numa) numa = numa_of(rows[i].texts, &error);

        g_assert_false(numa != NULL && numa_complete(numa, &eight_sockets, 8, NULL, &error));
        check(error, rows[i].code, rows[i].part);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    hw_register_types();
    g_test_add_func("/object/add-find-use-delete", add_and_delete);
    g_test_add_func("/object/bad-input-is-refused", bad_objects);
    g_test_add_func("/object/huge-pages", huge_pages);
    g_test_add_func("/object/json-is-typed", from_json);
    g_test_add_func("/object/not-changed-later", not_changed_later);
    g_test_add_func("/memory-backend/has-one-user", one_user);
    g_test_add_func("/memory-backend/memfd-is-sealed", memfd_is_sealed);
    g_test_add_func("/memory-backend/file-shared-or-not", file_shared_or_not);
    g_test_add_func("/memory-backend/file-sizes", file_sizes);
    g_test_add_func("/memory-backend/is-the-machine's-ram", ram_is_backend);
    g_test_add_func("/numa/cpus/given-or-by-place", cpus_on_nodes);
    g_test_add_func("/numa/cpus/places", places);
    g_test_add_func("/numa/distances", distances);
    g_test_add_func("/numa/bad-input-is-refused", bad_numa);
    return g_test_run();
}
