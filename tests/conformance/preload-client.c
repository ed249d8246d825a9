/* SPDX-License-Identifier: GPL-2.0-or-later
 * A program that knows the kernel's interface and nothing of Humpy: plain open, ioctl, mmap and
 * close. Run under libhumpy-models-preload.so with HUMPY_MODEL_GUNYAH=rev=android15,engine=script
 * and a script that writes 0x42 to 0x9000000 and powers off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/probe.h"
#include "gunyah.h"

static int check_n;

static void ok(bool good, const char *what)
{
    g_print("%sok %d %s\n", good ? "" : "not ", ++check_n, what);
}

static int add(int vm, uint32_t type, void *arg, uint32_t size)
{
    struct gh_fn_desc desc = { .type = type, .arg_size = size, .arg = (uintptr_t)arg };

    return ioctl(vm, GH_VM_ADD_FUNCTION, &desc);
}

static void *make_ram(void)
{
    const DtSpec dt = { .n_cpus = 1 };
    uint8_t *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    write_dtb(ram + (DTB_GPA - RAM_GPA), &dt);
    return ram;
}

static void run_guest(int vm, int vcpu)
{
    const long page = ioctl(vcpu, GH_VCPU_MMAP_SIZE);
    struct gh_vcpu_run *run = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

    ok(page == sysconf(_SC_PAGESIZE) && run != MAP_FAILED, "run page is mapped");
    ok(ioctl(vcpu, GH_VCPU_RUN) == -1 && errno == ENODEV, "RUN before START is ENODEV");
    ok(ioctl(vm, GH_VM_START) == 0, "START");
    ok(ioctl(vcpu, GH_VCPU_RUN) == 0 && run->exit_reason == GH_VCPU_EXIT_MMIO &&
           run->mmio.data[0] == 0x42,
       "MMIO exit");
    ok(ioctl(vcpu, GH_VCPU_RUN) == 0 && run->exit_reason == GH_VCPU_EXIT_STATUS, "STATUS exit");
    munmap(run, (size_t)page);
}

int main(void)
{
    struct gh_userspace_memory_region region = {
        .flags = GH_MEM_ALLOW_READ | GH_MEM_ALLOW_WRITE | GH_MEM_ALLOW_EXEC,
        .guest_phys_addr = RAM_GPA,
        .memory_size = RAM_SIZE,
        .userspace_addr = (uintptr_t)make_ram(),
    };
    struct gh_vm_dtb_config dtb = { .guest_phys_addr = DTB_GPA, .size = DTB_ROOM };
    struct gh_fn_vcpu_arg id = { .id = 0 };
    int dev, vm, copy, vcpu, plain;

    if (!can_map_twice()) {
        return 0;
    }
    g_print("1..13\n");
    ok(access("/dev/gunyah", R_OK | W_OK) == 0, "the node is there");
    dev = open("/dev/gunyah", O_RDWR | O_CLOEXEC);
    ok(dev >= 0, "the node opens");
    vm = ioctl(dev, GH_CREATE_VM, 0);
    ok(vm >= 0, "CREATE_VM");
    copy = fcntl(vm, F_DUPFD_CLOEXEC, 100);
    close(vm);
    ok(ioctl(copy, GH_VM_SET_USER_MEM_REGION, &region) == 0, "a duplicate is the VM");
    ok(ioctl(copy, GH_VM_SET_DTB_CONFIG, &dtb) == 0, "SET_DTB_CONFIG");
    vcpu = add(copy, GH_FN_VCPU, &id, sizeof(id));
    ok(vcpu >= 0, "ADD_FUNCTION vcpu");
    run_guest(copy, vcpu);
    close(vcpu);
    close(copy);
    close(dev);
    plain = open("/dev/null", O_RDWR | O_CLOEXEC);
    ok(ioctl(plain, GH_VM_START) == -1 && errno == ENOTTY, "other files are left alone");
    close(plain);
    plain = openat(AT_FDCWD, "/dev/gunyah", O_RDWR | O_CLOEXEC);
    ok(plain >= 0 && ioctl(plain, GH_CREATE_VM, 1) == -1 && errno == EINVAL, "openat too");
    return 0;
}
