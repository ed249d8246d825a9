/* SPDX-License-Identifier: GPL-2.0-or-later
 * The ACRN conformance suite: one named test for each rule of /dev/acrn_hsm.
 *
 *     conformance-acrn                   against the model
 *     conformance-acrn --host kernel     against a board; tests that need a script are left out
 */
#include "acrn.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/acrn-model.h"
#include "models/engine-script.h"

const HostDevOps *acrn_ops = &acrn_model_ops;
bool acrn_on_model = true;

void acrn_script(const char *text)
{
    g_autoptr(GError) error = NULL;

    engine_script_set(text, &error);
    g_assert_no_error(error);
    g_free(engine_script_take_log());
    g_free(acrn_model_take_log());
}

char *acrn_log_text(void)
{
    return engine_script_take_log();
}

void acrn_configure(const char *knobs)
{
    g_autoptr(GError) error = NULL;

    acrn_model_configure(knobs, &error);
    g_assert_no_error(error);
}

int acrn_open(void)
{
    int fd = acrn_ops->open("/dev/acrn_hsm", O_RDWR | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static long result(int ret)
{
    return ret < 0 ? -errno : ret;
}

long acrn_call(AcrnVm *vm, unsigned long request, const void *arg)
{
    return result(acrn_ops->ioctl(vm->fd, request, (uintptr_t)arg));
}

long acrn_call_value(AcrnVm *vm, unsigned long request, uint64_t value)
{
    return result(acrn_ops->ioctl(vm->fd, request, value));
}

static void *pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    g_assert_true(p != MAP_FAILED);
    return p;
}

AcrnVm *acrn_vm_new(unsigned vcpus, uint64_t flags, bool ram)
{
    AcrnVm *vm = g_new0(AcrnVm, 1);
    struct acrn_vm_creation args = { .vm_flag = flags, .cpu_affinity = (1u << vcpus) - 1 };
    struct acrn_vm_memmap map = { .type = ACRN_MEMMAP_RAM,
                                  .attr = ACRN_MEM_ACCESS_RWX | ACRN_MEM_TYPE_WB,
                                  .len = ACRN_TEST_RAM };

    vm->fd = acrn_open();
    vm->page = pages(sizeof(*vm->page));
    args.ioreq_buf = (uintptr_t)vm->page;
    strcpy((char *)args.uuid, "conformance");
    acrn_ok(vm, ACRN_IOCTL_CREATE_VM, &args);
    vm->vmid = args.vmid;
    vm->vcpus = args.vcpu_num;
    g_assert_cmpuint(vm->vcpus, ==, vcpus);
    if (ram) {
        vm->ram = pages(ACRN_TEST_RAM);
        map.vma_base = (uintptr_t)vm->ram;
        acrn_ok(vm, ACRN_IOCTL_SET_MEMSEG, &map);
    }
    return vm;
}

void acrn_vm_free(AcrnVm *vm)
{
    acrn_call(vm, ACRN_IOCTL_PAUSE_VM, NULL);
    acrn_ops->close(vm->fd);
    munmap(vm->page, sizeof(*vm->page));
    if (vm->ram) {
        munmap(vm->ram, ACRN_TEST_RAM);
    }
    g_free(vm);
}

struct acrn_io_request *acrn_slot(AcrnVm *vm, unsigned vcpu)
{
    return &vm->page->req_slot[vcpu];
}

uint32_t acrn_state(AcrnVm *vm, unsigned vcpu)
{
    return __atomic_load_n(&acrn_slot(vm, vcpu)->processed, __ATOMIC_ACQUIRE);
}

struct acrn_io_request *acrn_wait(AcrnVm *vm, unsigned vcpu)
{
    while (acrn_state(vm, vcpu) != ACRN_IOREQ_STATE_PROCESSING ||
           acrn_slot(vm, vcpu)->kernel_handled) {
        acrn_ok(vm, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL);
    }
    return acrn_slot(vm, vcpu);
}

void acrn_finish(AcrnVm *vm, unsigned vcpu)
{
    struct acrn_ioreq_notify notify = { .vmid = vm->vmid, .vcpu = vcpu };

    acrn_ok(vm, ACRN_IOCTL_NOTIFY_REQUEST_FINISH, &notify);
}

/* The guest's threads go on by themselves: look again until it is there. */
void acrn_expect_log(const char *text)
{
    g_autoptr(GString) seen = g_string_new(NULL);

    while (!strstr(seen->str, text)) {
        g_autofree char *more = acrn_log_text();

        g_string_append(seen, more);
        sched_yield();
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    acrn_configure("engine=script");
    if (argc == 3 && g_str_equal(argv[1], "--host") && g_str_equal(argv[2], "kernel")) {
        acrn_ops = &hostdev_kernel_ops;
        acrn_on_model = false;
    }
    acrn_add_vm_tests();
    if (acrn_on_model) {
        acrn_add_ioreq_tests();
        acrn_add_eventfd_tests();
    }
    acrn_add_guest_tests();
    return g_test_run();
}
