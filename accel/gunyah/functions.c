/* SPDX-License-Identifier: GPL-2.0-or-later
 * The three functions a VM can be given: vCPUs with their run pages, irqfds for wired SPIs, and
 * ioeventfds for what the memory API's listener reports. An ioeventfd the driver cannot express
 * next to its neighbours stays with the memory API, which signals it when the exit is dispatched.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "gunyah-priv.h"
#include "util/error.h"

static int add_function(AccelGunyah *gh, uint32_t type, const void *arg, uint32_t size)
{
    struct gh_fn_desc desc = { .type = type, .arg_size = size, .arg = (uintptr_t)arg };

    return gunyah_vm_ioctl(gh, GH_VM_ADD_FUNCTION, &desc);
}

static int remove_function(AccelGunyah *gh, uint32_t type, const void *arg, uint32_t size)
{
    struct gh_fn_desc desc = { .type = type, .arg_size = size, .arg = (uintptr_t)arg };

    return gunyah_vm_ioctl(gh, GH_VM_REMOVE_FUNCTION, &desc);
}

static const char *function_advice(int cause)
{
    switch (cause) {
    case ENOENT:
        return " (the kernel lacks this function: is its module loaded?)";
    case EEXIST:
        return " (already added)";
    case ENOMEM:
        return " (the host is out of memory)";
    }
    return "";
}

/* ---- vCPUs ---- */

static bool create_vcpu(AccelGunyah *gh, unsigned index, GError **error)
{
    struct gh_fn_vcpu_arg arg = { .id = index };
    GunyahVcpu *v = &gh->vcpus[index];
    const HostDevOps *ops = gh->dev.ops;
    void *page;
    int size;

    v->fd = add_function(gh, GH_FN_VCPU, &arg, sizeof(arg));
    if (v->fd < 0) {
        int cause = errno;

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot add vCPU %u: %s%s", index,
                    g_strerror(cause), function_advice(cause));
        return false;
    }
    /* The kernel's page size, which need not be 4096. */
    size = hostdev_ioctl(ops, v->fd, GH_VCPU_MMAP_SIZE, 0);
    if (size < 0) {
        error_set_errno(error, errno, "cannot learn the size of vCPU %u's run page", index);
        return false;
    }
    if ((size_t)size < sizeof(struct gh_vcpu_run)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "vCPU %u's run page has %d bytes but must have at least %zu", index, size,
                    sizeof(struct gh_vcpu_run));
        return false;
    }
    page = hostdev_mmap(ops, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (page == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map vCPU %u's run page", index);
        return false;
    }
    v->run = page;
    v->run_size = size;
    return true;
}

bool gunyah_vcpus_create(AccelGunyah *gh, GError **error)
{
    gh->vcpus = g_new0(GunyahVcpu, gh->n_vcpus);
    for (unsigned i = 0; i < gh->n_vcpus; i++) {
        gh->vcpus[i].fd = -1;
    }
    for (unsigned i = 0; i < gh->n_vcpus; i++) {
        if (!create_vcpu(gh, i, error)) {
            return false;
        }
    }
    return true;
}

void gunyah_vcpus_close(AccelGunyah *gh)
{
    for (unsigned i = 0; gh->vcpus != NULL && i < gh->n_vcpus; i++) {
        GunyahVcpu *v = &gh->vcpus[i];

        if (v->run != NULL) {
            hostdev_munmap(gh->dev.ops, v->run, v->run_size);
        }
        if (v->fd >= 0) {
            hostdev_close(gh->dev.ops, v->fd);
        }
    }
    g_clear_pointer(&gh->vcpus, g_free);
}

/* ---- irqfds ---- */

bool gunyah_irqfd_add(AccelGunyah *gh, const GunyahLine *line, GError **error)
{
    struct gh_fn_irqfd_arg arg = {
        .fd = line->fd,
        .label = line->spi,
        .flags = line->mode == ACCEL_IRQ_LEVEL ? GH_IRQFD_FLAGS_LEVEL : 0,
    };

    if (add_function(gh, GH_FN_IRQFD, &arg, sizeof(arg)) != 0) {
        int cause = errno;

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "cannot add the doorbell of SPI %u: %s%s",
                    line->spi, g_strerror(cause), function_advice(cause));
        return false;
    }
    return true;
}

/* ---- ioeventfds ---- */

static void fill_ioeventfd(struct gh_fn_ioeventfd_arg *arg, const GunyahIoeventfd *io)
{
    *arg = (struct gh_fn_ioeventfd_arg){
        .datamatch = io->match ? io->data : 0,
        .addr = io->addr,
        .len = io->len,
        .fd = io->fd,
        .flags = io->match ? GH_IOEVENTFD_FLAGS_DATAMATCH : 0,
    };
}

/* The driver's own rule for duplicates: at one address a plain one tolerates no other, and a
 * matching one no equal. */
static bool driver_takes(AccelGunyah *gh, const GunyahIoeventfd *io)
{
    if (io->match && io->len == 0) {
        return false;
    }
    for (unsigned i = 0; i < gh->ioeventfds->len; i++) {
        const GunyahIoeventfd *other = &g_array_index(gh->ioeventfds, GunyahIoeventfd, i);

        if (other != io && other->in_kernel && other->addr == io->addr &&
            (!io->match || !other->match || (other->len == io->len && other->data == io->data))) {
            return false;
        }
    }
    return true;
}

/* 0 or an errno. Leaves out what the driver would refuse. */
static int install(AccelGunyah *gh, GunyahIoeventfd *io)
{
    struct gh_fn_ioeventfd_arg arg;

    if (!driver_takes(gh, io)) {
        g_debug("ioeventfd at 0x%" PRIx64 " stays in user space", io->addr);
        return 0;
    }
    fill_ioeventfd(&arg, io);
    if (add_function(gh, GH_FN_IOEVENTFD, &arg, sizeof(arg)) != 0) {
        return errno;
    }
    io->in_kernel = true;
    return 0;
}

static void warn_io(AccelGunyah *gh, const char *what, uint64_t addr, int cause)
{
    if (!gh->warned_io) {
        gh->warned_io = true;
        g_warning("cannot %s the notify address 0x%" PRIx64 ": %s", what, addr, g_strerror(cause));
    }
}

static void on_eventfd_add(MemoryListener *l, const MemoryRegionSection *section, bool match_data,
                           uint64_t data, int fd)
{
    AccelGunyah *gh = (AccelGunyah *)((char *)l - offsetof(AccelGunyah, listener));
    GunyahIoeventfd io = {
        .addr = section->offset_within_address_space,
        .len = section->size,
        .match = match_data,
        .data = data,
        .fd = fd,
    };

    pthread_mutex_lock(&gh->io_lock);
    g_array_append_val(gh->ioeventfds, io);
    if (gh->io_live) {
        int cause =
            install(gh, &g_array_index(gh->ioeventfds, GunyahIoeventfd, gh->ioeventfds->len - 1));

        if (cause != 0) {
            warn_io(gh, "register", io.addr, cause);
        }
    }
    pthread_mutex_unlock(&gh->io_lock);
}

/* Takes record i out of the driver. Early kernels compare only the address and so remove its
 * neighbours too: they are put back, and one that had no room may now have it. */
static void uninstall(AccelGunyah *gh, unsigned i)
{
    GunyahIoeventfd gone = g_array_index(gh->ioeventfds, GunyahIoeventfd, i);
    struct gh_fn_ioeventfd_arg arg;

    g_array_remove_index(gh->ioeventfds, i);
    if (!gone.in_kernel) {
        return;
    }
    fill_ioeventfd(&arg, &gone);
    if (remove_function(gh, GH_FN_IOEVENTFD, &arg, sizeof(arg)) != 0) {
        warn_io(gh, "remove", gone.addr, errno);
        return;
    }
    for (unsigned j = 0; j < gh->ioeventfds->len; j++) {
        GunyahIoeventfd *io = &g_array_index(gh->ioeventfds, GunyahIoeventfd, j);
        int cause;

        if (io->addr != gone.addr) {
            continue;
        }
        io->in_kernel = false;
        cause = install(gh, io);
        if (cause == EEXIST) {
            io->in_kernel = true; /* this kernel compares everything: it had never left */
        } else if (cause != 0) {
            warn_io(gh, "register", io->addr, cause);
        }
    }
}

static void on_eventfd_del(MemoryListener *l, const MemoryRegionSection *section, bool match_data,
                           uint64_t data, int fd)
{
    AccelGunyah *gh = (AccelGunyah *)((char *)l - offsetof(AccelGunyah, listener));

    pthread_mutex_lock(&gh->io_lock);
    for (unsigned i = 0; i < gh->ioeventfds->len; i++) {
        const GunyahIoeventfd *io = &g_array_index(gh->ioeventfds, GunyahIoeventfd, i);

        if (io->addr == section->offset_within_address_space && io->len == section->size &&
            io->match == match_data && (!match_data || io->data == data) && io->fd == fd) {
            uninstall(gh, i);
            break;
        }
    }
    pthread_mutex_unlock(&gh->io_lock);
}

bool gunyah_ioeventfds_create(AccelGunyah *gh, GError **error)
{
    bool ok = true;

    pthread_mutex_lock(&gh->io_lock);
    for (unsigned i = 0; ok && i < gh->ioeventfds->len; i++) {
        GunyahIoeventfd *io = &g_array_index(gh->ioeventfds, GunyahIoeventfd, i);
        int cause = install(gh, io);

        if (cause != 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                        "cannot register the notify address 0x%" PRIx64 ": %s%s", io->addr,
                        g_strerror(cause), function_advice(cause));
            ok = false;
        }
    }
    gh->io_live = ok;
    pthread_mutex_unlock(&gh->io_lock);
    return ok;
}

void gunyah_ioeventfds_detach(AccelGunyah *gh)
{
    pthread_mutex_lock(&gh->io_lock);
    gh->io_live = false;
    for (unsigned i = 0; i < gh->ioeventfds->len; i++) {
        g_array_index(gh->ioeventfds, GunyahIoeventfd, i).in_kernel = false;
    }
    pthread_mutex_unlock(&gh->io_lock);
}

void gunyah_functions_init(AccelGunyah *gh)
{
    pthread_mutex_init(&gh->io_lock, NULL);
    gh->ioeventfds = g_array_new(false, false, sizeof(GunyahIoeventfd));
    gh->listener.eventfd_add = on_eventfd_add;
    gh->listener.eventfd_del = on_eventfd_del;
}
