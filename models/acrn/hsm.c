/* SPDX-License-Identifier: GPL-2.0-or-later
 * /dev/acrn_hsm behind HostDevOps: one descriptor, one VM; the calls by number, each checked as
 * the driver checks it and handed to the hypervisor. A negative hypercall result goes to the
 * caller as it is: -1 is EPERM.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "acrn-priv.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static GPtrArray *list; /* of Hsm: those with a VM and no one else's */
static pthread_mutex_t work_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_wanted = PTHREAD_COND_INITIALIZER;
static bool work_due, work_started;

/* ---- the callback's work, one thread for all VMs ---- */

static gpointer work_thread(gpointer unused)
{
    for (;;) {
        pthread_mutex_lock(&work_lock);
        while (!work_due) {
            pthread_cond_wait(&work_wanted, &work_lock);
        }
        work_due = false;
        pthread_mutex_unlock(&work_lock);
        pthread_mutex_lock(&list_lock);
        for (guint i = 0; i < list->len; i++) {
            Hsm *hsm = g_ptr_array_index(list, i);

            pthread_mutex_lock(&hsm->lock);
            hsm_dispatch(hsm);
            pthread_mutex_unlock(&hsm->lock);
        }
        pthread_mutex_unlock(&list_lock);
    }
    return NULL;
}

/* The work where the callback came, on the vCPU's thread. FALSE: somebody has a lock that it needs,
 * who may be waiting for that very vCPU. */
static bool work_here(void)
{
    bool all = true;

    if (pthread_mutex_trylock(&list_lock) != 0) {
        return false;
    }
    for (guint i = 0; i < list->len; i++) {
        Hsm *hsm = g_ptr_array_index(list, i);

        if (pthread_mutex_trylock(&hsm->lock) == 0) {
            hsm_dispatch(hsm);
            pthread_mutex_unlock(&hsm->lock);
        } else {
            all = false;
        }
    }
    pthread_mutex_unlock(&list_lock);
    return all;
}

void hsm_callback(void)
{
    if (work_here()) {
        return;
    }
    pthread_mutex_lock(&work_lock);
    work_due = true;
    pthread_cond_signal(&work_wanted);
    pthread_mutex_unlock(&work_lock);
}

static void start_work(void)
{
    sigset_t all, old;

    pthread_mutex_lock(&list_lock);
    if (!work_started) {
        list = g_ptr_array_new();
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        g_thread_unref(g_thread_new("acrn-work", work_thread, NULL));
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        work_started = true;
    }
    pthread_mutex_unlock(&list_lock);
}

/* ---- life of a VM ---- */

/* [locked] What the hypervisor and the page know of it. */
static long enter_vm(Hsm *hsm, struct acrn_vm_creation *args)
{
    struct acrn_ioreq_buffer buffer = { .ioreq_buf = args->ioreq_buf & ~(uint64_t)(ACRN_PAGE - 1) };

    if (hv_call(ACRN_HC_CREATE_VM, (uintptr_t)args, 0) < 0) {
        return -EINVAL;
    }
    if (hsm->vmid != ACRN_INVALID_VMID) { /* the old VM's entry is taken: both are lost */
        acrn_log("hsm: a second VM on one descriptor: it is destroyed and the first forgotten");
        hv_call(ACRN_HC_PAUSE_VM, args->vmid, 0);
        hv_call(ACRN_HC_DESTROY_VM, args->vmid, 0);
        hsm->vmid = ACRN_INVALID_VMID;
        return -EINVAL;
    }
    if (!hsm_page_writable(buffer.ioreq_buf) ||
        hv_call(ACRN_HC_SET_IOREQ_BUFFER, args->vmid, (uintptr_t)&buffer) < 0) {
        hv_call(ACRN_HC_PAUSE_VM, args->vmid, 0);
        hv_call(ACRN_HC_DESTROY_VM, args->vmid, 0);
        return -EINVAL;
    }
    hsm->page = (void *)(uintptr_t)buffer.ioreq_buf;
    hsm->vmid = args->vmid;
    hsm->n_vcpus = args->vcpu_num;
    hsm->n_segments = 0;
    hsm->pci_latch = 0;
    return 0;
}

static long create_vm(Hsm *hsm, uintptr_t arg)
{
    struct acrn_vm_creation args;
    long ret;

    if (user_copy_from(&args, arg, sizeof(args)) < 0) {
        return -EFAULT;
    }
    if (args.reserved0 || args.reserved1) {
        return -EINVAL;
    }
    pthread_mutex_lock(&list_lock);
    pthread_mutex_lock(&hsm->lock);
    ret = enter_vm(hsm, &args);
    if (hsm->vmid == ACRN_INVALID_VMID) {
        g_ptr_array_remove(list, hsm);
    } else if (ret == 0) {
        g_ptr_array_add(list, hsm);
    }
    pthread_mutex_unlock(&hsm->lock);
    pthread_mutex_unlock(&list_lock);
    return ret == 0 && user_copy_to(arg, &args, sizeof(args)) < 0 ? -EFAULT : ret;
}

static long destroy_vm(Hsm *hsm)
{
    long ret;

    pthread_mutex_lock(&list_lock);
    pthread_mutex_lock(&hsm->lock);
    ret = hv_call(ACRN_HC_DESTROY_VM, hsm->vmid, 0);
    if (ret == 0) {
        g_ptr_array_remove(list, hsm);
        hsm_client_destroy(hsm);
        hsm->vmid = ACRN_INVALID_VMID;
        hsm->page = NULL;
    }
    pthread_mutex_unlock(&hsm->lock);
    pthread_mutex_unlock(&list_lock);
    if (ret == 0) {
        hsm_eventfds_close(hsm);
    }
    return ret;
}

/* close() destroys. The hypervisor keeps a VM that runs, and the driver forgets it all the same,
 * with its place in the list: memory that is freed is used from then on. */
static void last_close(Object *obj)
{
    Hsm *hsm = (Hsm *)obj;

    if (hsm->vmid != ACRN_INVALID_VMID && destroy_vm(hsm) < 0) {
        acrn_log("hsm: vm %u closed without PAUSE: the kernel frees what it still uses", hsm->vmid);
        ACRN_COUNT(closed_running);
        hv_call(ACRN_HC_PAUSE_VM, hsm->vmid, 0);
        destroy_vm(hsm);
    }
    hsm_eventfds_close(hsm);
    close(hsm->client_event);
    g_array_unref(hsm->ioeventfds);
    g_array_unref(hsm->irqfds);
    pthread_mutex_destroy(&hsm->lock);
    g_free(hsm);
}

static long set_vcpu_regs(Hsm *hsm, uintptr_t arg)
{
    struct acrn_vcpu_regs regs;

    if (user_copy_from(&regs, arg, sizeof(regs)) < 0) {
        return -EFAULT;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(regs.reserved); i++) {
        if (regs.reserved[i]) {
            return -EINVAL;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(regs.vcpu_regs.reserved_32); i++) {
        if (regs.vcpu_regs.reserved_32[i]) {
            return -EINVAL;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(regs.vcpu_regs.reserved_64); i++) {
        if (regs.vcpu_regs.reserved_64[i]) {
            return -EINVAL;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(regs.vcpu_regs.gdt.reserved); i++) {
        if (regs.vcpu_regs.gdt.reserved[i] || regs.vcpu_regs.idt.reserved[i]) {
            return -EINVAL;
        }
    }
    return hv_call(ACRN_HC_SET_VCPU_REGS, hsm->vmid, (uintptr_t)&regs);
}

/* ---- calls that only carry an argument ---- */

static long carry(Hsm *hsm, uint64_t nr, uintptr_t arg, size_t size)
{
    uint8_t bytes[256];

    g_assert(size <= sizeof(bytes));
    if (user_copy_from(bytes, arg, size) < 0) {
        return -EFAULT;
    }
    return hv_call(nr, hsm->vmid, (uintptr_t)bytes);
}

static long intr_monitor(Hsm *hsm, uintptr_t arg)
{
    uintptr_t page = arg & ~(uintptr_t)(ACRN_PAGE - 1);

    if (!hsm_page_writable(page)) {
        return -EFAULT;
    }
    return hv_call(ACRN_HC_VM_INTR_MONITOR, hsm->vmid, page);
}

/* No CPU of the model has states to tell: the counts are 0, and asking for more than there are is
 * the hypervisor's to refuse. */
static long cpu_state(uintptr_t arg)
{
    uint64_t value;

    if (user_copy_from(&value, arg, sizeof(value)) < 0) {
        return -EFAULT;
    }
    switch (value & 0xff) {
    case ACRN_PMCMD_GET_PX_CNT:
    case ACRN_PMCMD_GET_CX_CNT:
        value = 0;
        return user_copy_to(arg, &value, sizeof(value)) < 0 ? -EFAULT : 0;
    case ACRN_PMCMD_GET_PX_DATA:
    case ACRN_PMCMD_GET_CX_DATA:
        return -EPERM;
    default:
        return 0;
    }
}

/* [locked] */
static long vm_ioctl(Hsm *hsm, unsigned long request, uintptr_t arg)
{
    struct acrn_ioeventfd ioeventfd;
    struct acrn_irqfd irqfd;
    struct acrn_ioreq_notify notify;

    switch (request) {
    case ACRN_IOCTL_START_VM:
        return hv_call(ACRN_HC_START_VM, hsm->vmid, 0);
    case ACRN_IOCTL_PAUSE_VM:
        return hv_call(ACRN_HC_PAUSE_VM, hsm->vmid, 0);
    case ACRN_IOCTL_RESET_VM:
        return hv_call(ACRN_HC_RESET_VM, hsm->vmid, 0);
    case ACRN_IOCTL_SET_VCPU_REGS:
        return set_vcpu_regs(hsm, arg);
    case ACRN_IOCTL_SET_MEMSEG:
        return hsm_set_segment(hsm, arg);
    case ACRN_IOCTL_UNSET_MEMSEG:
        return hsm_unset_segment(hsm, arg);
    case ACRN_IOCTL_INJECT_MSI:
        return carry(hsm, ACRN_HC_INJECT_MSI, arg, sizeof(struct acrn_msi_entry));
    case ACRN_IOCTL_SET_IRQLINE:
        return hv_call(ACRN_HC_SET_IRQLINE, hsm->vmid, arg);
    case ACRN_IOCTL_VM_INTR_MONITOR:
        return intr_monitor(hsm, arg);
    case ACRN_IOCTL_NOTIFY_REQUEST_FINISH:
        return user_copy_from(&notify, arg, sizeof(notify)) < 0 ? -EFAULT
                                                                : hsm_notify(hsm, &notify);
    case ACRN_IOCTL_CREATE_IOREQ_CLIENT:
        return hsm_client_create(hsm);
    case ACRN_IOCTL_DESTROY_IOREQ_CLIENT:
        hsm_client_destroy(hsm);
        return 0;
    case ACRN_IOCTL_SET_PTDEV_INTR:
        return carry(hsm, ACRN_HC_SET_PTDEV_INTR, arg, sizeof(struct acrn_ptdev_irq));
    case ACRN_IOCTL_RESET_PTDEV_INTR:
        return carry(hsm, ACRN_HC_RESET_PTDEV_INTR, arg, sizeof(struct acrn_ptdev_irq));
    case ACRN_IOCTL_ASSIGN_PCIDEV:
        return carry(hsm, ACRN_HC_ASSIGN_PCIDEV, arg, sizeof(struct acrn_pcidev));
    case ACRN_IOCTL_DEASSIGN_PCIDEV:
        return carry(hsm, ACRN_HC_DEASSIGN_PCIDEV, arg, sizeof(struct acrn_pcidev));
    case ACRN_IOCTL_ASSIGN_MMIODEV:
        return carry(hsm, ACRN_HC_ASSIGN_MMIODEV, arg, sizeof(struct acrn_mmiodev));
    case ACRN_IOCTL_DEASSIGN_MMIODEV:
        return carry(hsm, ACRN_HC_DEASSIGN_MMIODEV, arg, sizeof(struct acrn_mmiodev));
    case ACRN_IOCTL_CREATE_VDEV:
        return carry(hsm, ACRN_HC_CREATE_VDEV, arg, sizeof(struct acrn_vdev));
    case ACRN_IOCTL_DESTROY_VDEV:
        return carry(hsm, ACRN_HC_DESTROY_VDEV, arg, sizeof(struct acrn_vdev));
    case ACRN_IOCTL_PM_GET_CPU_STATE:
        return cpu_state(arg);
    case ACRN_IOCTL_IOEVENTFD:
        return user_copy_from(&ioeventfd, arg, sizeof(ioeventfd)) < 0
                   ? -EFAULT
                   : hsm_ioeventfd(hsm, &ioeventfd);
    case ACRN_IOCTL_IRQFD:
        return user_copy_from(&irqfd, arg, sizeof(irqfd)) < 0 ? -EFAULT : hsm_irqfd(hsm, &irqfd);
    default:
        return -ENOTTY;
    }
}

static long dispatch(Object *obj, unsigned long request, uintptr_t arg)
{
    Hsm *hsm = (Hsm *)obj;
    bool has_vm;
    long ret;

    if (request == ACRN_IOCTL_CREATE_VM) {
        return create_vm(hsm, arg);
    }
    pthread_mutex_lock(&hsm->lock);
    has_vm = hsm->vmid != ACRN_INVALID_VMID;
    pthread_mutex_unlock(&hsm->lock);
    if (!has_vm) {
        return -EINVAL;
    }
    switch (request) { /* these wait, or take the list first */
    case ACRN_IOCTL_DESTROY_VM:
        return destroy_vm(hsm);
    case ACRN_IOCTL_ATTACH_IOREQ_CLIENT:
        return hsm_client_attach(hsm);
    case ACRN_IOCTL_CLEAR_VM_IOREQ:
        hsm_clear_requests(hsm);
        return 0;
    }
    pthread_mutex_lock(&hsm->lock);
    ret = vm_ioctl(hsm, request, arg);
    pthread_mutex_unlock(&hsm->lock);
    return ret;
}

/* ---- the node ---- */

static int device_open(const char *path, int flags)
{
    AcrnKnobs knobs;
    Hsm *hsm;
    int fd;

    if (strcmp(path, ACRN_MODEL_PATH) != 0) {
        errno = ENOENT;
        return -1;
    }
    if (!model_knobs(&acrn_model, &knobs)) {
        errno = EINVAL;
        return -1;
    }
    start_work();
    hsm = g_new0(Hsm, 1);
    hsm->obj.model = &acrn_model_ops;
    hsm->obj.last_close = last_close;
    hsm->vmid = ACRN_INVALID_VMID;
    hsm->ioeventfds = g_array_new(FALSE, FALSE, sizeof(Ioeventfd));
    hsm->irqfds = g_array_new(FALSE, FALSE, sizeof(Irqfd));
    hsm->irq_epoll = hsm->irq_stop = -1;
    pthread_mutex_init(&hsm->lock, NULL);
    hsm->knobs = knobs;
    hsm->client_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fd = hsm->client_event < 0 ? -errno : object_install(&hsm->obj, "acrn_hsm", 0, NULL);
    if (fd < 0) {
        last_close(&hsm->obj);
        errno = -fd;
        return -1;
    }
    return fd;
}

static int model_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    return object_ioctl(&acrn_model_ops, fd, request, arg, dispatch);
}

static void *model_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    errno = ENODEV;
    return MAP_FAILED;
}

/* What is pinned is not counted by this driver. */
static uint64_t model_memlock_limit(void)
{
    return UINT64_MAX;
}

bool acrn_model_owns(int fd)
{
    return object_is_of(&acrn_model_ops, fd);
}

const HostDevOps acrn_model_ops = {
    .name = "model",
    .open = device_open,
    .ioctl = model_ioctl,
    .mmap = model_mmap,
    .munmap = object_munmap,
    .close = object_close,
    .memlock_limit = model_memlock_limit,
};
