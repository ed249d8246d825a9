/* SPDX-License-Identifier: GPL-2.0-or-later
 * The Gunyah conformance suite's main and fixture.
 *
 *     conformance-gunyah [--host model|kernel] [GTest options]
 *
 * On a kernel the tests that need no guest and no knob run against /dev/gunyah of this machine.
 */
#include "gunyah.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../unit/probe.h"
#include "accel/hostdev.h"

const HostDevOps *host = &gunyah_model_ops;

static GString *guest_log, *dmesg_log;

bool model_only(void)
{
    if (host == &gunyah_model_ops) {
        return false;
    }
    g_test_skip("needs the model: a scripted guest or a knob");
    return true;
}

/* What the running rule is about; NULL: as the knobs say. */
static const char *revision;

int device_open(const char *knobs)
{
    g_autofree char *text =
        g_strdup_printf("engine=script%s%s%s%s", revision ? ",rev=" : "", revision ? revision : "",
                        knobs ? "," : "", knobs ? knobs : "");
    g_autoptr(GError) error = NULL;
    int fd;

    gunyah_model_configure(text, &error);
    g_assert_no_error(error);
    fd = host->open(GUNYAH_MODEL_PATH, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static void forget_logs(void)
{
    g_free(engine_script_take_log());
    g_free(gunyah_model_take_dmesg());
    if (!guest_log) {
        guest_log = g_string_new(NULL);
        dmesg_log = g_string_new(NULL);
    }
    g_string_assign(guest_log, "\n");
    g_string_assign(dmesg_log, "");
}

Vm *vm_new(const char *knobs)
{
    Vm *vm = g_new0(Vm, 1);

    gunyah_model_settle();
    forget_logs();
    vm->dev = device_open(knobs);
    vm->vm = host->ioctl(vm->dev, GH_CREATE_VM, 0);
    g_assert_cmpint(vm->vm, >=, 0);
    vm->ram = map_shared(RAM_SIZE);
    for (unsigned i = 0; i < G_N_ELEMENTS(vm->vcpu); i++) {
        vm->vcpu[i] = -1;
    }
    return vm;
}

void vm_close(int *fd)
{
    if (*fd >= 0) {
        g_assert_cmpint(host->close(*fd), ==, 0);
        *fd = -1;
    }
}

void vm_free(Vm *vm)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(vm->vcpu); i++) {
        if (vm->run[i]) {
            host->munmap(vm->run[i], (size_t)sysconf(_SC_PAGESIZE));
        }
        vm_close(&vm->vcpu[i]);
    }
    vm_close(&vm->vm);
    vm_close(&vm->dev);
    gunyah_model_settle();
    munmap(vm->ram, RAM_SIZE);
    g_free(vm);
}

int vm_call(Vm *vm, unsigned long request, const void *arg)
{
    return host->ioctl(vm->vm, request, (uintptr_t)arg);
}

void *map_shared(uint64_t size)
{
    int fd = memfd_create("guest-ram", MFD_CLOEXEC);
    void *map;

    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert_true(map != MAP_FAILED);
    close(fd);
    return map;
}

void *map_private(uint64_t size)
{
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(map != MAP_FAILED);
    return map;
}

/* ---- calls ---- */

int add_region(Vm *vm, uint32_t label, uint64_t gpa, uint64_t size, const void *hva, bool lend)
{
    const struct gh_userspace_memory_region region = {
        .label = label,
        .flags = GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = (uintptr_t)hva,
    };

    return vm_call(vm, lend ? GH_VM_ANDROID_LEND_USER_MEM : GH_VM_SET_USER_MEM_REGION, &region);
}

static int function_call(Vm *vm, unsigned long request, uint32_t type, const void *arg,
                         uint32_t size)
{
    const struct gh_fn_desc desc = { .type = type, .arg_size = size, .arg = (uintptr_t)arg };

    return vm_call(vm, request, &desc);
}

int add_function(Vm *vm, uint32_t type, const void *arg, uint32_t size)
{
    return function_call(vm, GH_VM_ADD_FUNCTION, type, arg, size);
}

int remove_function(Vm *vm, uint32_t type, const void *arg, uint32_t size)
{
    return function_call(vm, GH_VM_REMOVE_FUNCTION, type, arg, size);
}

int add_vcpu(Vm *vm, uint32_t id)
{
    const struct gh_fn_vcpu_arg arg = { .id = id };
    int fd = add_function(vm, GH_FN_VCPU, &arg, sizeof(arg));

    if (fd >= 0 && id < G_N_ELEMENTS(vm->vcpu) && vm->vcpu[id] < 0) {
        int size = host->ioctl(fd, GH_VCPU_MMAP_SIZE, 0);

        g_assert_cmpint(size, ==, sysconf(_SC_PAGESIZE));
        vm->vcpu[id] = fd;
        vm->run[id] = host->mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        g_assert_true(vm->run[id] != MAP_FAILED);
    }
    return fd;
}

int add_irqfd(Vm *vm, int fd, uint32_t label, uint32_t flags)
{
    const struct gh_fn_irqfd_arg arg = { .fd = (__u32)fd, .label = label, .flags = flags };

    return add_function(vm, GH_FN_IRQFD, &arg, sizeof(arg));
}

int add_ioeventfd(Vm *vm, int fd, uint64_t addr, uint32_t len, uint32_t flags, uint64_t data)
{
    const struct gh_fn_ioeventfd_arg arg = {
        .datamatch = data, .addr = addr, .len = len, .fd = fd, .flags = flags
    };

    return add_function(vm, GH_FN_IOEVENTFD, &arg, sizeof(arg));
}

int set_dtb(Vm *vm, uint64_t gpa, uint64_t size)
{
    const struct gh_vm_dtb_config dtb = { .guest_phys_addr = gpa, .size = size };

    return vm_call(vm, GH_VM_SET_DTB_CONFIG, &dtb);
}

int run(Vm *vm, unsigned vcpu)
{
    return host->ioctl(vm->vcpu[vcpu], GH_VCPU_RUN, 0);
}

/* v17: RAM is a file of the driver's, which takes the place of ours. */
static void give_file(Vm *vm, bool lend)
{
    const struct gh_create_mem_args create = { .flags = GH_GUEST_MEM_CLOEXEC, .size = RAM_SIZE };
    int fd = host->ioctl(vm->dev, GH_CREATE_GUEST_MEM, (uintptr_t)&create);
    const struct gh_map_mem_args map = {
        .guest_addr = RAM_GPA,
        .flags = (lend ? GH_MAP_FORCE_LEND : GH_MAP_FORCE_SHARE) | GH_MAP_ALLOW_READ |
                 GH_MAP_ALLOW_WRITE | GH_MAP_ALLOW_EXEC,
        .guest_mem_fd = (__u32)fd,
        .size = RAM_SIZE,
    };
    g_autofree void *before = g_memdup2(vm->ram, RAM_SIZE);

    assert_ok(fd);
    g_assert_true(host->mmap(vm->ram, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                             0) == vm->ram);
    memcpy(vm->ram, before, RAM_SIZE);
    assert_ok(vm_call(vm, GH_VM_MAP_MEM, &map));
    vm_close(&fd);
    if (lend) { /* what is mapped is not lent */
        g_assert_true(mmap(vm->ram, RAM_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                           -1, 0) == vm->ram);
    }
}

static bool has_regions(Vm *vm)
{
    return vm_call(vm, GH_VM_SET_USER_MEM_REGION, NULL) == 0 || errno != ENOTTY;
}

void prepare(Vm *vm, const DtSpec *spec, bool lend)
{
    write_dtb((uint8_t *)vm->ram + (DTB_GPA - RAM_GPA), spec);
    if (has_regions(vm)) {
        assert_ok(add_region(vm, 0, RAM_GPA, RAM_SIZE, vm->ram, lend));
    } else {
        give_file(vm, lend);
    }
    assert_ok(set_dtb(vm, DTB_GPA, DTB_ROOM));
}

void start(Vm *vm, const DtSpec *spec, const char *script)
{
    static const DtSpec one_cpu = { .n_cpus = 1 };
    g_autoptr(GError) error = NULL;
    const DtSpec *dt = spec ? spec : &one_cpu;

    engine_script_set(script, &error);
    g_assert_no_error(error);
    prepare(vm, dt, false);
    for (unsigned i = 0; i < MAX(dt->n_cpus, 1); i++) {
        assert_ok(add_vcpu(vm, i));
    }
    assert_ok(vm_call(vm, GH_VM_START, NULL));
}

int prepare_and_start(Vm *vm, const DtSpec *spec)
{
    prepare(vm, spec, false);
    return vm_call(vm, GH_VM_START, NULL);
}

bool guest_saw(const char *line)
{
    g_autofree char *more = engine_script_take_log();
    g_autofree char *whole = g_strdup_printf("\n%s\n", line);

    g_string_append(guest_log, more);
    return strstr(guest_log->str, whole);
}

bool dmesg_has(const char *text)
{
    g_autofree char *more = gunyah_model_take_dmesg();

    g_string_append(dmesg_log, more);
    return strstr(dmesg_log->str, text);
}

const char *vm_logs(void)
{
    return g_strdup_printf("the guest's log:%sdmesg:\n%s", guest_log->str, dmesg_log->str);
}

static sigjmp_buf touch_env;

static void on_fault(int sig)
{
    siglongjmp(touch_env, sig);
}

int touch(const volatile uint8_t *at)
{
    struct sigaction action = { .sa_handler = on_fault }, bus, segv;
    int sig;

    sigaction(SIGBUS, &action, &bus);
    sigaction(SIGSEGV, &action, &segv);
    sig = sigsetjmp(touch_env, 1);
    if (sig == 0) {
        (void)*at;
    }
    sigaction(SIGBUS, &bus, NULL);
    sigaction(SIGSEGV, &segv, NULL);
    return sig;
}

/* ---- rules of more than one family ---- */

typedef struct {
    const char *revision;
    GTestFunc fn;
} Rule;

static void run_rule(gconstpointer data)
{
    const Rule *rule = data;

    if (model_only()) {
        return;
    }
    revision = rule->revision;
    rule->fn();
    revision = NULL;
}

static void add_rule(const char *family, const char *name, GTestFunc fn)
{
    g_autofree char *path = g_strdup_printf("/%s/%s", family, name);
    Rule *rule = g_new(Rule, 1);

    *rule = (Rule){ family, fn };
    g_test_add_data_func_full(path, rule, run_rule, g_free);
}

void add_for_android(const char *name, GTestFunc fn)
{
    g_autofree char *path = g_strdup_printf("/android14/%s", name);

    g_test_add_func(path, fn);
    add_rule("android15", name, fn);
}

void add_for_all(const char *name, GTestFunc fn)
{
    add_for_android(name, fn);
    add_rule("v17", name, fn);
}

/* ---- main ---- */

static void skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
}

/* Takes "--host X" out of argv. */
static const char *take_host(int *argc, char **argv)
{
    for (int i = 1; i + 1 < *argc; i++) {
        if (strcmp(argv[i], "--host") == 0) {
            const char *name = argv[i + 1];

            memmove(argv + i, argv + i + 2, (size_t)(*argc - i - 1) * sizeof(*argv));
            *argc -= 2;
            return name;
        }
    }
    return "model";
}

int main(int argc, char **argv)
{
    const char *name = take_host(&argc, argv);

    if (strcmp(name, "kernel") == 0) {
        if (access(GUNYAH_MODEL_PATH, F_OK) < 0) {
            skip_all("this machine has no " GUNYAH_MODEL_PATH);
            return 0;
        }
        host = &hostdev_kernel_ops;
    } else if (strcmp(name, "model") != 0) {
        fprintf(stderr, "--host %s: it is model or kernel\n", name);
        return 2;
    } else if (!can_map_twice()) {
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    add_device_tests();
    add_memory_tests();
    add_function_tests();
    add_start_tests();
    add_rm_tests();
    add_rm_guest_tests();
    add_run_tests();
    add_irq_tests();
    add_hazard_tests();
    add_teardown_tests();
    add_android15_tests();
    add_v17_tests();
    add_protected_tests();
    add_trusted_tests();
    add_start15_tests();
    add_lend_random_tests();
    return g_test_run();
}
