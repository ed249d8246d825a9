/* SPDX-License-Identifier: GPL-2.0-or-later
 * The fake of fake-gunyah.h.
 */
#include "fake-gunyah.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

FakeGunyah fake_gunyah;

static FakeGunyah *const k = &fake_gunyah;
static int dev_fd, vm_fd, vcpu_fds[FAKE_MAX_VCPUS];
static struct gh_vcpu_run *pages[FAKE_MAX_VCPUS];

static void note(const char *word)
{
    g_string_append_printf(k->log, "%s%s", k->log->len > 0 ? " " : "", word);
}

static int refuse(int err)
{
    errno = err;
    return -1;
}

/* The errno a test wants here, or 0. */
static int injected(unsigned long request, uint32_t fn)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(k->fail); i++) {
        if (k->fail[i].request == request && k->fail[i].times > 0 &&
            (k->fail[i].fn == 0 || k->fail[i].fn == fn)) {
            k->fail[i].times--;
            return k->fail[i].err;
        }
    }
    return 0;
}

static int fake_open(const char *path, int flags)
{
    if (k->open_errno != 0) {
        return refuse(k->open_errno);
    }
    k->open_fds++;
    dev_fd = eventfd(0, EFD_CLOEXEC);
    return dev_fd;
}

static int create_vm(uintptr_t arg)
{
    int err = injected(GH_CREATE_VM, 0);

    note("create");
    if (err != 0) {
        return refuse(err);
    }
    g_assert_cmpuint(arg, ==, 0);
    k->n_vms++;
    k->open_fds++;
    k->n_irqfds = 0;
    g_array_set_size(k->regions, 0);
    g_array_set_size(k->files, 0);
    g_array_set_size(k->ioeventfds, 0);
    vm_fd = eventfd(0, EFD_CLOEXEC);
    return vm_fd;
}

static int add_vcpu(const struct gh_fn_vcpu_arg *arg)
{
    int fd = memfd_create("fake-vcpu", MFD_CLOEXEC);

    g_assert_cmpuint(arg->id, <, FAKE_MAX_VCPUS);
    g_assert_cmpint(ftruncate(fd, FAKE_RUN_PAGE), ==, 0);
    pages[arg->id] = mmap(NULL, FAKE_RUN_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    vcpu_fds[arg->id] = fd;
    k->open_fds++;
    return fd;
}

static int add_function(const struct gh_fn_desc *desc)
{
    const void *arg = (const void *)(uintptr_t)desc->arg;
    int err = injected(GH_VM_ADD_FUNCTION, desc->type);

    if (err != 0) {
        return refuse(err);
    }
    switch (desc->type) {
    case GH_FN_VCPU:
        note("vcpu");
        g_assert_cmpuint(desc->arg_size, ==, 4);
        return add_vcpu(arg);
    case GH_FN_IRQFD:
        note("irqfd");
        g_assert_cmpuint(desc->arg_size, ==, 16);
        k->irqfds[k->n_irqfds++] = *(const struct gh_fn_irqfd_arg *)arg;
        return 0;
    default:
        note("ioeventfd");
        g_assert_cmpuint(desc->type, ==, GH_FN_IOEVENTFD);
        g_assert_cmpuint(desc->arg_size, ==, 32);
        g_array_append_vals(k->ioeventfds, arg, 1);
        return 0;
    }
}

static int remove_function(const struct gh_fn_desc *desc)
{
    const struct gh_fn_ioeventfd_arg *key = (const void *)(uintptr_t)desc->arg;
    bool found = false;

    note("remove");
    g_assert_cmpuint(desc->type, ==, GH_FN_IOEVENTFD);
    g_assert_cmpuint(desc->arg_size, ==, 32);
    for (unsigned i = k->ioeventfds->len; i-- > 0;) {
        const struct gh_fn_ioeventfd_arg *io =
            &g_array_index(k->ioeventfds, struct gh_fn_ioeventfd_arg, i);

        if (io->addr == key->addr &&
            (k->removes_by_address ||
             (io->len == key->len && io->flags == key->flags && io->datamatch == key->datamatch))) {
            g_array_remove_index(k->ioeventfds, i);
            found = true;
        }
    }
    return found ? 0 : refuse(ENOENT);
}

static int vm_ioctl(unsigned long request, uintptr_t arg)
{
    bool memory = request == GH_VM_SET_USER_MEM_REGION || request == GH_VM_ANDROID_LEND_USER_MEM;
    int err;

    if ((request == GH_VM_SET_USER_MEM_REGION && !k->share) ||
        (request == GH_VM_ANDROID_LEND_USER_MEM && !k->lend) ||
        (request == GH_VM_SET_BOOT_CONTEXT && !k->boot_context) ||
        (request == GH_VM_RECLAIM_REGION && !k->reclaim) ||
        (request == GH_VM_MAP_MEM && !k->guest_mem)) {
        return refuse(ENOTTY);
    }
    if (arg == 0 && request != GH_VM_START) {
        return refuse(EFAULT);
    }
    if (request == GH_VM_ADD_FUNCTION) {
        return add_function((const void *)arg);
    }
    err = injected(request, 0);
    if (memory) {
        note(request == GH_VM_SET_USER_MEM_REGION ? "share" : "lend");
        if (err == 0) {
            g_array_append_vals(k->regions, (const void *)arg, 1);
        }
    } else if (request == GH_VM_MAP_MEM) {
        note("map");
        g_array_append_vals(k->files, (const void *)arg, 1);
    } else if (request == GH_VM_SET_DTB_CONFIG) {
        note("dtb");
        k->dtb = *(const struct gh_vm_dtb_config *)arg;
    } else if (request == GH_VM_SET_BOOT_CONTEXT) {
        note("boot");
        k->boot = *(const struct gh_vm_boot_context *)arg;
    } else if (request == GH_VM_START) {
        note("start");
        k->n_starts++;
        if (k->start_spoils != NULL) {
            k->spoilt_before = *k->start_spoils == 0xee;
            *k->start_spoils = 0xee;
        }
    } else if (request == GH_VM_RECLAIM_REGION) {
        note("reclaim");
        k->reclaimed = *(const struct gh_address_range *)arg;
    } else if (request == GH_VM_REMOVE_FUNCTION) {
        return remove_function((const void *)arg);
    } else {
        g_assert_not_reached();
    }
    return err != 0 ? refuse(err) : 0;
}

static void see(const struct gh_vcpu_run *page)
{
    FakeSeen seen = {
        .immediate_exit = page->immediate_exit,
        .exit_reason = page->exit_reason,
        .mmio_resume = page->mmio.resume_action,
        .fault_resume = page->page_fault.resume_action,
    };

    memcpy(seen.data, page->mmio.data, sizeof(seen.data));
    pthread_mutex_lock(&k->lock);
    g_array_append_val(k->seen, seen);
    pthread_mutex_unlock(&k->lock);
}

static int run_turn(struct gh_vcpu_run *page, const FakeTurn *t)
{
    if (t->reason != GH_VCPU_EXIT_UNKNOWN) {
        memset(&page->mmio, 0, sizeof(page->mmio));
        page->exit_reason = t->reason;
    }
    switch (t->reason) {
    case GH_VCPU_EXIT_MMIO:
        page->mmio.phys_addr = t->mmio.addr;
        page->mmio.len = t->mmio.len;
        page->mmio.is_write = t->mmio.is_write;
        memcpy(page->mmio.data, &t->mmio.data, 8);
        break;
    case GH_VCPU_EXIT_STATUS:
        page->status.status = t->status.status;
        page->status.exit_info.type = t->status.type;
        page->status.exit_info.reason_size = t->status.reason_size;
        memcpy(page->status.exit_info.reason, t->status.reason, 8);
        break;
    case GH_VCPU_EXIT_PAGE_FAULT:
        page->page_fault.phys_addr = t->fault.addr;
        page->page_fault.attempt = t->fault.attempt;
        page->page_fault.resume_action = GH_VCPU_RESUME_FAULT;
        break;
    }
    return t->err != 0 ? refuse(t->err) : 0;
}

static int run(int index)
{
    FakeTurn turn;
    unsigned n;

    if (index != 0) {
        poll(NULL, 0, -1);
        return refuse(EINTR);
    }
    see(pages[0]);
    n = __atomic_fetch_add(&k->turn, 1, __ATOMIC_SEQ_CST);
    if (n >= k->turns->len) {
        poll(NULL, 0, -1);
        return refuse(EINTR);
    }
    turn = g_array_index(k->turns, FakeTurn, n);
    if (turn.sleep_first) {
        poll(NULL, 0, -1);
    }
    return run_turn(pages[0], &turn);
}

static int fake_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    struct gh_create_mem_args *create = (void *)arg;

    if (fd == dev_fd && request == GH_CREATE_VM) {
        return create_vm(arg);
    }
    if (fd == dev_fd && request == GH_CREATE_GUEST_MEM && k->guest_mem) {
        int file;

        if (arg == 0) {
            return refuse(EFAULT);
        }
        note("file");
        file = memfd_create("fake-guest-mem", MFD_CLOEXEC);
        g_assert_cmpint(ftruncate(file, create->size), ==, 0);
        k->open_fds++;
        return file;
    }
    if (fd == vm_fd) {
        return vm_ioctl(request, arg);
    }
    for (int i = 0; i < FAKE_MAX_VCPUS; i++) {
        if (fd == vcpu_fds[i] && request == GH_VCPU_MMAP_SIZE) {
            return FAKE_RUN_PAGE;
        }
        if (fd == vcpu_fds[i] && request == GH_VCPU_RUN) {
            return run(i);
        }
    }
    return refuse(ENOTTY);
}

static void *fake_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    k->mapped += length;
    return mmap(addr, length, prot, flags, fd, offset);
}

static int fake_munmap(void *addr, size_t length)
{
    k->mapped -= length;
    return munmap(addr, length);
}

static int fake_close(int fd)
{
    k->open_fds--;
    if (fd == vm_fd) {
        note("close-vm");
        for (unsigned i = 0; i < k->n_irqfds; i++) {
            k->eventfds_open_at_close |= fcntl(k->irqfds[i].fd, F_GETFD) >= 0;
        }
        vm_fd = -1;
    } else if (fd == dev_fd) {
        note("close-dev");
        dev_fd = -1;
    }
    for (int i = 0; i < FAKE_MAX_VCPUS; i++) {
        if (fd == vcpu_fds[i]) {
            note("close-vcpu");
            munmap(pages[i], FAKE_RUN_PAGE);
            vcpu_fds[i] = -1;
        }
    }
    return close(fd);
}

static uint64_t fake_memlock(void)
{
    return k->memlock;
}

static const HostDevOps fake_ops = {
    .name = "model",
    .open = fake_open,
    .ioctl = fake_ioctl,
    .mmap = fake_mmap,
    .munmap = fake_munmap,
    .close = fake_close,
    .memlock_limit = fake_memlock,
};

void fake_gunyah_reset(void)
{
    if (k->log != NULL) {
        g_string_free(k->log, TRUE);
        g_array_unref(k->regions);
        g_array_unref(k->files);
        g_array_unref(k->ioeventfds);
        g_array_unref(k->turns);
        g_array_unref(k->seen);
    }
    memset(k, 0, sizeof(*k));
    pthread_mutex_init(&k->lock, NULL);
    k->log = g_string_new(NULL);
    k->regions = g_array_new(false, false, sizeof(struct gh_userspace_memory_region));
    k->files = g_array_new(false, false, sizeof(struct gh_map_mem_args));
    k->ioeventfds = g_array_new(false, false, sizeof(struct gh_fn_ioeventfd_arg));
    k->turns = g_array_new(false, false, sizeof(FakeTurn));
    k->seen = g_array_new(false, false, sizeof(FakeSeen));
    k->share = k->lend = true;
    k->memlock = UINT64_MAX;
    dev_fd = vm_fd = -1;
    memset(vcpu_fds, 0xff, sizeof(vcpu_fds));
    hostdev_register_model(FAKE_GUNYAH_PATH, &fake_ops);
}

void fake_gunyah_fail(unsigned long request, uint32_t fn, int err, unsigned times)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(k->fail); i++) {
        if (k->fail[i].times == 0) {
            k->fail[i].request = request;
            k->fail[i].fn = fn;
            k->fail[i].err = err;
            k->fail[i].times = times;
            return;
        }
    }
    g_assert_not_reached();
}

void fake_gunyah_add_turn(const FakeTurn *turn)
{
    g_array_append_vals(k->turns, turn, 1);
}

void fake_gunyah_wait_turn(unsigned n)
{
    while (__atomic_load_n(&k->turn, __ATOMIC_SEQ_CST) < n) {
        g_thread_yield();
    }
}

static int bell_fd(unsigned label)
{
    for (unsigned i = 0; i < k->n_irqfds; i++) {
        if (k->irqfds[i].label == label) {
            return k->irqfds[i].fd;
        }
    }
    g_assert_not_reached();
}

uint64_t fake_gunyah_take_bell(unsigned label)
{
    uint64_t n = 0;

    return read(bell_fd(label), &n, sizeof(n)) == sizeof(n) ? n : 0;
}

uint64_t fake_gunyah_wait_bell(unsigned label)
{
    struct pollfd p = { .fd = bell_fd(label), .events = POLLIN };

    while (poll(&p, 1, -1) != 1) {
    }
    return fake_gunyah_take_bell(label);
}
