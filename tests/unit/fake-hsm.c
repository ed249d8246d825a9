/* SPDX-License-Identifier: GPL-2.0-or-later
 * The fake of fake-hsm.h.
 */
#include "fake-hsm.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

FakeHsm fake_hsm;

static FakeHsm *const k = &fake_hsm;

static void note(const char *word)
{
    g_string_append_printf(k->log, "%s%s", k->log->len > 0 ? " " : "", word);
}

static int refuse(int err)
{
    errno = err;
    return -1;
}

static bool injected(unsigned long request)
{
    if (k->fail.err == 0 || k->fail.request != request) {
        return false;
    }
    if (k->fail.after > 0) {
        k->fail.after--;
        return false;
    }
    return true;
}

static uint32_t state_of(unsigned vcpu)
{
    return __atomic_load_n(&k->page->req_slot[vcpu].processed, __ATOMIC_ACQUIRE);
}

static void set_state(unsigned vcpu, uint32_t state)
{
    __atomic_store_n(&k->page->req_slot[vcpu].processed, state, __ATOMIC_RELEASE);
}

/* ---- calls ---- */

static int create_vm(struct acrn_vm_creation *args)
{
    g_assert_cmpint(k->state, ==, FAKE_NONE);
    g_assert_cmpuint(args->ioreq_buf % 4096, ==, 0);
    g_assert_cmpuint(args->reserved0 | args->reserved1, ==, 0);
    args->vmid = 1;
    args->vcpu_num = k->vcpus != 0 ? k->vcpus : (unsigned)__builtin_popcountll(args->cpu_affinity);
    k->creation = *args;
    k->page = (void *)(uintptr_t)args->ioreq_buf;
    for (unsigned i = 0; i < ACRN_IO_REQUEST_MAX; i++) {
        set_state(i, ACRN_IOREQ_STATE_FREE);
    }
    k->state = FAKE_CREATED;
    return 0;
}

static int attach(void)
{
    g_assert_cmpuint(k->attached, ==, 0); /* what DESTROY frees may be waited on by one only */
    k->attached++;
    while (k->client && k->open_slots == 0 && k->spurious == 0) {
        pthread_cond_wait(&k->changed, &k->lock);
    }
    if (k->spurious > 0) {
        k->spurious--;
    }
    k->attached--;
    pthread_cond_broadcast(&k->changed);
    return k->client ? 0 : refuse(ENODEV);
}

static int notify(const struct acrn_ioreq_notify *args)
{
    g_assert_cmpuint(args->reserved, ==, 0);
    g_assert_cmpuint(args->vcpu, <, k->creation.vcpu_num);
    k->open_slots &= ~(1U << args->vcpu);
    k->finished[args->vcpu]++;
    set_state(args->vcpu, ACRN_IOREQ_STATE_COMPLETE);
    pthread_cond_broadcast(&k->changed);
    return 0;
}

static int ioeventfd(const struct acrn_ioeventfd *args)
{
    g_assert_cmpuint(args->reserved, ==, 0);
    if (!(args->flags & ACRN_IOEVENTFD_FLAG_DEASSIGN)) {
        g_array_append_val(k->ioeventfds, *args);
        return 0;
    }
    for (unsigned i = 0; i < k->ioeventfds->len; i++) { /* by eventfd alone, the first */
        if (g_array_index(k->ioeventfds, struct acrn_ioeventfd, i).fd == args->fd) {
            g_array_remove_index(k->ioeventfds, i);
            return 0;
        }
    }
    return 0;
}

static int clear_requests(void)
{
    for (unsigned i = 0; i < k->creation.vcpu_num; i++) {
        if (k->open_slots & 1U << i) {
            set_state(i, ACRN_IOREQ_STATE_COMPLETE);
        }
    }
    k->open_slots = 0;
    pthread_cond_broadcast(&k->changed);
    return 0;
}

static int change_state(const char *word, unsigned from, FakeVmState to)
{
    note(word);
    if (!(from & 1U << k->state)) {
        return refuse(EPERM);
    }
    k->state = to;
    return 0;
}

static int reset_vm(void)
{
    int ret = change_state("reset", 1U << FAKE_PAUSED, FAKE_CREATED);

    for (unsigned i = 0; ret == 0 && i < ACRN_IO_REQUEST_MAX; i++) {
        set_state(i, ACRN_IOREQ_STATE_FREE);
    }
    return ret;
}

static int destroy_client(void)
{
    note("-client");
    k->client = false;
    pthread_cond_broadcast(&k->changed);
    return 0;
}

static int assign(const char *word, GArray *list, const void *device, int change, FakeVmState state)
{
    note(word);
    g_assert_cmpint(k->state, ==, state);
    g_array_append_vals(list, device, 1);
    k->assigned += change;
    return 0;
}

static int call(unsigned long request, uintptr_t arg)
{
    void *p = (void *)arg;
    uint64_t value = arg;

    switch (request) {
    case ACRN_IOCTL_CREATE_VM:
        note("create");
        return create_vm(p);
    case ACRN_IOCTL_DESTROY_VM:
        return change_state("destroy", 1U << FAKE_PAUSED, FAKE_NONE);
    case ACRN_IOCTL_START_VM:
        return change_state("start", 1U << FAKE_CREATED, FAKE_STARTED);
    case ACRN_IOCTL_PAUSE_VM:
        return change_state("pause", ~0U, FAKE_PAUSED);
    case ACRN_IOCTL_RESET_VM:
        return reset_vm();
    case ACRN_IOCTL_SET_VCPU_REGS:
        note("regs");
        k->regs = *(struct acrn_vcpu_regs *)p;
        return 0;
    case ACRN_IOCTL_SET_MEMSEG:
        note("seg");
        g_array_append_vals(k->segments, p, 1);
        return 0;
    case ACRN_IOCTL_CREATE_IOREQ_CLIENT:
        note("client");
        k->client = true;
        return 0;
    case ACRN_IOCTL_DESTROY_IOREQ_CLIENT:
        return destroy_client();
    case ACRN_IOCTL_ATTACH_IOREQ_CLIENT:
        return attach();
    case ACRN_IOCTL_NOTIFY_REQUEST_FINISH:
        return notify(p);
    case ACRN_IOCTL_CLEAR_VM_IOREQ:
        note("clear");
        return clear_requests();
    case ACRN_IOCTL_ASSIGN_PCIDEV:
        return assign("pci", k->pci, p, 1, FAKE_CREATED);
    case ACRN_IOCTL_DEASSIGN_PCIDEV:
        return assign("-pci", k->pci, p, -1, FAKE_PAUSED);
    case ACRN_IOCTL_ASSIGN_MMIODEV:
        return assign("mmio", k->mmio, p, 1, FAKE_CREATED);
    case ACRN_IOCTL_DEASSIGN_MMIODEV:
        return assign("-mmio", k->mmio, p, -1, FAKE_PAUSED);
    case ACRN_IOCTL_IOEVENTFD:
        return ioeventfd(p);
    case ACRN_IOCTL_SET_IRQLINE:
        g_array_append_val(k->lines, value);
        return 0;
    case ACRN_IOCTL_INJECT_MSI:
        g_array_append_vals(k->messages, p, 1);
        return 0;
    }
    return refuse(ENOTTY);
}

static int fake_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    int ret;

    pthread_mutex_lock(&k->lock);
    if (injected(request)) {
        note("FAIL");
        ret = refuse(k->fail.err);
    } else {
        ret = call(request, arg);
    }
    pthread_mutex_unlock(&k->lock);
    return ret;
}

static int fake_open(const char *path, int flags)
{
    k->open_fds++;
    return eventfd(0, EFD_CLOEXEC);
}

/* A VM that is not paused would be used after it is freed. */
static int fake_close(int fd)
{
    pthread_mutex_lock(&k->lock);
    note("close");
    g_assert_true(k->state == FAKE_NONE || k->state == FAKE_PAUSED);
    g_assert_false(k->client);
    g_assert_cmpuint(k->attached, ==, 0);
    g_assert_cmpint(k->assigned, ==, 0);
    k->page = NULL;
    k->open_fds--;
    pthread_mutex_unlock(&k->lock);
    return close(fd);
}

static void *fake_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    errno = ENODEV;
    return MAP_FAILED;
}

static int fake_munmap(void *addr, size_t length)
{
    return refuse(EINVAL);
}

static uint64_t fake_memlock(void)
{
    return UINT64_MAX;
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

/* ---- what tests do ---- */

void fake_hsm_reset(void)
{
    memset(k, 0, sizeof(*k));
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    k->log = g_string_new(NULL);
    k->segments = g_array_new(false, false, sizeof(struct acrn_vm_memmap));
    k->ioeventfds = g_array_new(false, false, sizeof(struct acrn_ioeventfd));
    k->pci = g_array_new(false, false, sizeof(struct acrn_pcidev));
    k->mmio = g_array_new(false, false, sizeof(struct acrn_mmiodev));
    k->lines = g_array_new(false, false, sizeof(uint64_t));
    k->messages = g_array_new(false, false, sizeof(struct acrn_msi_entry));
    hostdev_register_model(FAKE_HSM_PATH, &fake_ops);
}

void fake_hsm_clear(void)
{
    g_assert_cmpuint(k->open_fds, ==, 0);
    g_string_free(k->log, true);
    g_array_unref(k->segments);
    g_array_unref(k->ioeventfds);
    g_array_unref(k->pci);
    g_array_unref(k->mmio);
    g_array_unref(k->lines);
    g_array_unref(k->messages);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->changed);
}

void fake_hsm_fail(unsigned long request, int err, unsigned after)
{
    pthread_mutex_lock(&k->lock);
    k->fail.request = request;
    k->fail.err = err;
    k->fail.after = after;
    pthread_mutex_unlock(&k->lock);
}

char *fake_hsm_take_log(void)
{
    char *text;

    pthread_mutex_lock(&k->lock);
    text = g_strdup(k->log->str);
    g_string_truncate(k->log, 0);
    pthread_mutex_unlock(&k->lock);
    return text;
}

void fake_hsm_post(unsigned vcpu, const struct acrn_io_request *req)
{
    struct acrn_io_request *slot = &k->page->req_slot[vcpu];

    g_assert_cmpuint(state_of(vcpu), ==, ACRN_IOREQ_STATE_FREE);
    __atomic_store_n(&slot->type, req->type, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->completion_polling, req->completion_polling, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < G_N_ELEMENTS(req->reqs.data); i++) {
        __atomic_store_n(&slot->reqs.data[i], req->reqs.data[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&slot->kernel_handled, req->kernel_handled, __ATOMIC_RELAXED);
    set_state(vcpu, ACRN_IOREQ_STATE_PROCESSING);
    pthread_mutex_lock(&k->lock);
    k->open_slots |= 1U << vcpu;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

uint64_t fake_hsm_answer(unsigned vcpu)
{
    uint64_t value;

    pthread_mutex_lock(&k->lock);
    while (state_of(vcpu) != ACRN_IOREQ_STATE_COMPLETE) {
        pthread_cond_wait(&k->changed, &k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    value = __atomic_load_n(&k->page->req_slot[vcpu].reqs.mmio_request.value, __ATOMIC_RELAXED);
    set_state(vcpu, ACRN_IOREQ_STATE_FREE);
    return value;
}

void fake_hsm_wait_finished(unsigned vcpu, unsigned times)
{
    pthread_mutex_lock(&k->lock);
    while (k->finished[vcpu] < times) {
        pthread_cond_wait(&k->changed, &k->lock);
    }
    pthread_mutex_unlock(&k->lock);
}

uint64_t fake_hsm_ask(unsigned vcpu, const struct acrn_io_request *req)
{
    fake_hsm_post(vcpu, req);
    return fake_hsm_answer(vcpu);
}

struct acrn_io_request fake_mmio(uint32_t direction, uint64_t addr, uint64_t size, uint64_t value)
{
    return (struct acrn_io_request){
        .type = ACRN_IOREQ_TYPE_MMIO,
        .reqs.mmio_request = { .direction = direction,
                               .address = addr,
                               .size = size,
                               .value = value },
    };
}

struct acrn_io_request fake_pio(uint32_t direction, uint64_t port, uint64_t size, uint32_t value)
{
    return (struct acrn_io_request){
        .type = ACRN_IOREQ_TYPE_PORTIO,
        .reqs.pio_request = { .direction = direction,
                              .address = port,
                              .size = size,
                              .value = value },
    };
}
