/* SPDX-License-Identifier: GPL-2.0-or-later
 * The least that /dev/kvm needs to run the x86 payload's bench: one memory slot, one thread for
 * each vCPU, and a loop that answers its exits in place. No code of Humpy's: it is what the others
 * are compared with.
 *
 *     bench-kvm PAYLOAD.bin CPUS COMMAND-LINE
 *
 * stands in for the few registers that the payload touches: a 16550's, a virtio-mmio device's
 * whose queue is an eventfd that a thread reads, and for requests answers with an irqfd. Prints
 * what the payload prints, and the frequency of the time-stamp counter as "khz N".
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    RAM = 64 << 20,
    LOAD = 0x100000, /* where the payload is and starts */
    START_INFO = 0x1000,
    COMMAND_LINE = 0x2000,
    UART = 0x3f8,
    EXIT_PORT = 0xf4,
    VIRTIO = 0xd0000000, /* mmio= on the command line */
    VIRTIO_PIN = 16,
    MAX_CPUS = 8,
};

static int vm;
static unsigned n_cpus;
static struct {
    int fd;
    struct kvm_run *run;
    pthread_t thread;
} cpus[MAX_CPUS];

static int check(int result, const char *what)
{
    if (result < 0) {
        err(1, "%s", what);
    }
    return result;
}

/* ---- the doorbell: waited for with epoll, as whoever serves more than one does ---- */

static int kick_fd, irq_fd;
static int answers; /* kind=request: else nobody has asked for anything */

static void *serve_doorbell(void *opaque)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll_fd = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    uint64_t value;

    check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, kick_fd, &event), "epoll_ctl");
    while (check(epoll_wait(epoll_fd, &event, 1, -1), "epoll_wait") == 1 &&
           read(kick_fd, &value, sizeof(value)) == sizeof(value)) {
        value = 1;
        if (answers) {
            check(write(irq_fd, &value, sizeof(value)), "irqfd");
        }
    }
    return NULL;
}

static void add_doorbell(void)
{
    struct kvm_ioeventfd kick = { .addr = VIRTIO + 0x50, .len = 4 };
    struct kvm_irqfd irq = { .gsi = VIRTIO_PIN };
    pthread_t thread;

    kick.fd = kick_fd = check(eventfd(0, EFD_CLOEXEC), "eventfd");
    irq.fd = irq_fd = check(eventfd(0, EFD_CLOEXEC), "eventfd");
    check(ioctl(vm, KVM_IOEVENTFD, &kick), "KVM_IOEVENTFD");
    check(ioctl(vm, KVM_IRQFD, &irq), "KVM_IRQFD");
    if (pthread_create(&thread, NULL, serve_doorbell, NULL)) {
        errx(1, "no thread");
    }
}

/* ---- exits ---- */

static void on_io(struct kvm_run *run)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    if (run->io.direction == KVM_EXIT_IO_IN) {
        memset(data, 0, (size_t)run->io.size * run->io.count);
        if (run->io.port == UART + 5) {
            *data = 0x60;
        }
    } else if (run->io.port == UART) {
        putchar(*data);
    } else if (run->io.port == EXIT_PORT) {
        fflush(stdout);
        _exit(*data);
    }
}

static void on_mmio(struct kvm_run *run)
{
    static const uint32_t registers[] = { 0x74726976, 2, 2 };
    uint64_t offset = run->mmio.phys_addr - VIRTIO;

    if (!run->mmio.is_write) {
        memset(run->mmio.data, 0, sizeof(run->mmio.data));
        if (offset < sizeof(registers)) {
            memcpy(run->mmio.data, &registers[offset / 4], 4);
        }
    }
}

static void *run_cpu(void *opaque)
{
    unsigned i = (unsigned)(uintptr_t)opaque;
    struct kvm_run *run = cpus[i].run;

    for (;;) {
        if (ioctl(cpus[i].fd, KVM_RUN, 0) < 0) {
            if (errno == EINTR || errno == EAGAIN) { /* the latter: woken by an INIT */
                continue;
            }
            err(1, "KVM_RUN");
        }
        switch (run->exit_reason) {
        case KVM_EXIT_IO:
            on_io(run);
            break;
        case KVM_EXIT_MMIO:
            on_mmio(run);
            break;
        default:
            errx(1, "vCPU %u: exit %u", i, run->exit_reason);
        }
    }
}

/* ---- set-up ---- */

/* PVH: 32-bit protected mode with flat segments, EBX = start info. */
static void boot_state(int fd)
{
    struct kvm_segment flat = { .limit = ~0u, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
    struct kvm_regs regs = { .rip = LOAD, .rbx = START_INFO, .rflags = 2 };
    struct kvm_sregs sregs;

    check(ioctl(fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    flat.selector = 0x10;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
    flat.selector = 0x08;
    flat.type = 11;
    sregs.cs = flat;
    sregs.cr0 |= 1;
    check(ioctl(fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    check(ioctl(fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

static void add_cpu(unsigned i, int kvm, int run_size)
{
    enum { N_ENTRIES = 256 };
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + N_ENTRIES * sizeof(cpuid->entries[0]));

    if (cpuid == NULL) {
        err(1, "room for the CPUID leaves");
    }
    cpuid->nent = N_ENTRIES;
    check(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
    for (unsigned e = 0; e < cpuid->nent; e++) {
        if (cpuid->entries[e].function == 1) {
            cpuid->entries[e].ebx = (cpuid->entries[e].ebx & 0xffffff) | i << 24;
        } else if (cpuid->entries[e].function == 0xb) {
            cpuid->entries[e].edx = i;
        }
    }
    cpus[i].fd = check(ioctl(vm, KVM_CREATE_VCPU, i), "KVM_CREATE_VCPU");
    check(ioctl(cpus[i].fd, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
    free(cpuid);
    cpus[i].run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpus[i].fd, 0);
    if (cpus[i].run == MAP_FAILED) {
        err(1, "mmap of the run page");
    }
}

static void load(uint8_t *ram, const char *path, const char *command_line)
{
    uint32_t *info = (uint32_t *)(ram + START_INFO);
    FILE *f = fopen(path, "rb");

    if (!f || fread(ram + LOAD, 1, RAM - LOAD, f) == 0) {
        err(1, "%s", path);
    }
    fclose(f);
    info[0] = 0x336ec578;   /* magic */
    info[1] = 1;            /* version */
    info[6] = COMMAND_LINE; /* behind flags, modules and their list */
    strncpy((char *)ram + COMMAND_LINE, command_line, 4000);
}

int main(int argc, char **argv)
{
    struct kvm_userspace_memory_region slot = { .memory_size = RAM };
    uint8_t *ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm"), size;

    if (argc != 4 || (n_cpus = (unsigned)atoi(argv[2])) < 1 || n_cpus > MAX_CPUS) {
        errx(2, "usage: bench-kvm PAYLOAD.bin CPUS COMMAND-LINE");
    }
    vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    check(ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000), "KVM_SET_TSS_ADDR");
    check(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
    slot.userspace_addr = (uintptr_t)ram;
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "KVM_SET_USER_MEMORY_REGION");
    load(ram, argv[1], argv[3]);
    size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    for (unsigned i = 0; i < n_cpus; i++) {
        add_cpu(i, kvm, size);
    }
    boot_state(cpus[0].fd);
    answers = strstr(argv[3], "kind=request") != NULL;
    add_doorbell();
    printf("khz %d\n", check(ioctl(cpus[0].fd, KVM_GET_TSC_KHZ, 0), "KVM_GET_TSC_KHZ"));
    for (unsigned i = 1; i < n_cpus; i++) {
        if (pthread_create(&cpus[i].thread, NULL, run_cpu, (void *)(uintptr_t)i)) {
            errx(1, "no thread");
        }
    }
    run_cpu(NULL);
    return 0;
}
