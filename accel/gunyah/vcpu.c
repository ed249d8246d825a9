/* SPDX-License-Identifier: GPL-2.0-or-later
 * One turn of the run loop: enter, look at the page, answer. The driver's hazards are met here
 * (facts 1.3): exit_reason is cleared before each entry so that an exit hidden behind EINTR is
 * seen (H1), and immediate_exit is never set at all, for a repeated signal does the same and
 * cannot cost a read its answer (H2). How kicks are sent, and held back, is in accel/vcpu.c.
 */
#define G_LOG_DOMAIN "humpy-gunyah"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "gunyah-priv.h"

enum { MAX_FAULT_REPEATS = 16, MAX_FAULT_PAUSE_SHIFT = 6 };

static const struct {
    AccelEvent event;
    const char *text;
} exit_types[] = {
    [GH_RM_EXIT_TYPE_VM_EXIT] = { ACCEL_EVENT_SHUTDOWN, "the guest exited" },
    [GH_RM_EXIT_TYPE_PSCI_SYSTEM_OFF] = { ACCEL_EVENT_SHUTDOWN, "PSCI SYSTEM_OFF" },
    [GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET] = { ACCEL_EVENT_RESET, "PSCI SYSTEM_RESET" },
    [GH_RM_EXIT_TYPE_PSCI_SYSTEM_RESET2] = { ACCEL_EVENT_RESET, "PSCI SYSTEM_RESET2" },
    [GH_RM_EXIT_TYPE_WDT_BITE] = { ACCEL_EVENT_WATCHDOG, "the watchdog bit" },
    [GH_RM_EXIT_TYPE_HYP_ERROR] = { ACCEL_EVENT_HYPERVISOR, "hypervisor error" },
    [GH_RM_EXIT_TYPE_ASYNC_EXT_ABORT] = { ACCEL_EVENT_HYPERVISOR, "asynchronous external abort" },
    [GH_RM_EXIT_TYPE_VM_FORCE_STOPPED] = { ACCEL_EVENT_STOPPED, "force-stopped" },
};

/* The reason bytes as hex, for whoever knows the firmware. */
static char *reason_text(const struct gh_vm_exit_info *info)
{
    GString *out = g_string_new(NULL);
    uint32_t n = MIN(info->reason_size, GH_VM_MAX_EXIT_REASON_SIZE);

    for (uint32_t i = 0; i < n; i++) {
        g_string_append_printf(out, "%s%02x", i == 0 ? ", reason " : "", info->reason[i]);
    }
    return g_string_free(out, FALSE);
}

static AccelRunResult on_status(AccelGunyah *gh, const struct gh_vcpu_run *page, IoRequest *req,
                                IoReqStats *stats)
{
    const struct gh_vm_exit_info *info = &page->status.exit_info;
    Accel *accel = HUMPY_ACCEL(gh);
    g_autofree char *reason = NULL;

    req->space = IOREQ_VM_STATUS;
    ioreq_dispatch(gh->dispatcher, req, stats);
    switch (page->status.status) {
    case GH_VM_STATUS_LOAD_FAILED:
        accel_report_event(accel, ACCEL_EVENT_LOAD_FAILED,
                           "the resource manager could not load the VM");
        break;
    case GH_VM_STATUS_EXITED:
        reason = reason_text(info);
        if (info->type < G_N_ELEMENTS(exit_types)) {
            accel_report_event(accel, exit_types[info->type].event, "%s%s",
                               exit_types[info->type].text, reason);
        } else {
            accel_report_event(accel, ACCEL_EVENT_HYPERVISOR,
                               "the VM ended with unknown exit type %u%s", info->type, reason);
        }
        break;
    case GH_VM_STATUS_CRASHED:
        accel_report_event(accel, ACCEL_EVENT_CRASH, "the VM crashed");
        break;
    default:
        accel_report_event(accel, ACCEL_EVENT_HYPERVISOR, "the VM is in unknown status %u",
                           page->status.status);
        break;
    }
    return ACCEL_RUN_DONE;
}

static AccelRunResult on_mmio(AccelGunyah *gh, GunyahVcpu *v, const struct gh_vcpu_run *page,
                              IoRequest *req, IoReqStats *stats)
{
    uint32_t len = page->mmio.len;
    uint64_t wire;

    if (len != 1 && len != 2 && len != 4 && len != 8) {
        accel_report_event(HUMPY_ACCEL(gh), ACCEL_EVENT_HYPERVISOR,
                           "vCPU %u: MMIO exit of %u bytes at 0x%" PRIx64, req->origin.vcpu, len,
                           (uint64_t)page->mmio.phys_addr);
        return ACCEL_RUN_DONE;
    }
    req->space = IOREQ_MMIO;
    req->addr = page->mmio.phys_addr;
    req->size = len;
    req->is_write = page->mmio.is_write != 0;
    if (req->is_write) {
        memcpy(&wire, page->mmio.data, sizeof(wire));
        req->data = GUINT64_FROM_LE(wire) & (UINT64_MAX >> (64 - len * 8));
    }
    ioreq_dispatch(gh->dispatcher, req, stats);
    gunyah_irqs_note_access(gh);
    if (req->result == IOREQ_FAULT && gh->features.resume_action) {
        v->run->mmio.resume_action = GH_VCPU_RESUME_FAULT; /* android14 cannot: all-ones */
    }
    if (req->is_write) {
        return ACCEL_RUN_AGAIN;
    }
    wire = GUINT64_TO_LE(req->data);
    memcpy(v->run->mmio.data, &wire, len);
    return ACCEL_RUN_ANSWERED;
}

static const char *fault_advice(int cause)
{
    switch (cause) {
    case ENOMEM:
        return " (the limit of locked memory is charged while the guest runs: ulimit -l unlimited; "
               "or the host is out of memory)";
    case EPERM:
        return " (the VM belongs to another process, or the page is not the guest's to have)";
    case ENOENT:
        return " (no memory was given to the VM there)";
    case EIO:
        return " (this kernel wants anonymous or memfd memory)";
    }
    return "";
}

/* What the kernel lacks may be there in a moment. A kick ends the wait. */
static void pause_before_retry(unsigned repeats)
{
    unsigned ms = 1U << MIN(repeats, MAX_FAULT_PAUSE_SHIFT);
    struct timespec pause = { .tv_nsec = ms * 1000000L };

    nanosleep(&pause, NULL);
}

/* The kernel could not give the guest a page; entering again tries again. */
static AccelRunResult on_page_fault(AccelGunyah *gh, GunyahVcpu *v, const struct gh_vcpu_run *page,
                                    IoRequest *req, IoReqStats *stats)
{
    uint64_t addr = page->page_fault.phys_addr;
    int cause = page->page_fault.attempt < 0 ? -page->page_fault.attempt : 0;

    req->space = IOREQ_PAGE_FAULT;
    req->addr = addr;
    ioreq_dispatch(gh->dispatcher, req, stats);
    if (v->fault_repeats > 0 && v->fault_addr == addr) {
        v->fault_repeats++;
    } else {
        v->fault_addr = addr;
        v->fault_repeats = 1;
    }
    if (v->fault_repeats > MAX_FAULT_REPEATS) {
        accel_report_event(
            HUMPY_ACCEL(gh), ACCEL_EVENT_HYPERVISOR,
            "vCPU %u: no page for the guest at 0x%" PRIx64 " after %d attempts: %s%s",
            req->origin.vcpu, addr, MAX_FAULT_REPEATS, g_strerror(cause), fault_advice(cause));
        return ACCEL_RUN_DONE;
    }
    if (v->fault_repeats > 1) {
        pause_before_retry(v->fault_repeats);
    }
    if (gh->features.resume_action) {
        v->run->page_fault.resume_action = GH_VCPU_RESUME_RETRY;
    }
    return ACCEL_RUN_AGAIN;
}

/* The hypervisor's replies as the driver maps them (facts 1.3). */
static const char *run_advice(int cause)
{
    switch (cause) {
    case ENODEV:
        return "the device tree's /cpus has no such vCPU, or the VM is gone";
    case ENOMEM:
        return "the hypervisor has no memory left";
    case EACCES:
        return "the hypervisor denied it: a capability is gone";
    case EBUSY:
        return "the hypervisor says that the vCPU is busy";
    case EIO:
        return "the hypervisor met an error of an interrupt or message queue";
    case EOPNOTSUPP:
        return "the hypervisor does not know the call: it is older than the driver";
    case EPERM:
        return "the VM belongs to another process";
    }
    return "an error that is not in the driver's table";
}

static AccelRunResult on_run_error(AccelGunyah *gh, unsigned index, int cause)
{
    if (cause == EINTR || cause == EAGAIN) {
        return ACCEL_RUN_AGAIN;
    }
    accel_report_event(HUMPY_ACCEL(gh), ACCEL_EVENT_HYPERVISOR,
                       "vCPU %u: cannot run: %s (%s; look for gunyah and gh_ in dmesg)", index,
                       g_strerror(cause), run_advice(cause));
    return ACCEL_RUN_DONE;
}

AccelRunResult gunyah_vcpu_run(Accel *accel, AccelVcpu *vcpu)
{
    AccelGunyah *gh = HUMPY_ACCEL_GUNYAH(accel);
    GunyahVcpu *v = &gh->vcpus[vcpu->index];
    IoRequest req = {
        .origin = { .backend = gh, .vcpu = vcpu->index },
        .count = 1,
        .step = 1,
        .completion = IOREQ_COMPLETE_IMPLICIT,
    };
    struct gh_vcpu_run page;
    int cause = 0;

    v->run->exit_reason = GH_VCPU_EXIT_UNKNOWN;
    if (hostdev_ioctl(gh->dev.ops, v->fd, GH_VCPU_RUN, 0) != 0) {
        cause = errno;
    }
    memcpy(&page, v->run, sizeof(page)); /* once; from here on only answers touch the page */
    if (cause != 0 && cause != EINTR) {
        return on_run_error(gh, vcpu->index, cause);
    }
    req.raw_type = page.exit_reason;
    if (page.exit_reason != GH_VCPU_EXIT_PAGE_FAULT && page.exit_reason != GH_VCPU_EXIT_UNKNOWN) {
        v->fault_repeats = 0;
    }
    switch (page.exit_reason) {
    case GH_VCPU_EXIT_MMIO:
        return on_mmio(gh, v, &page, &req, &vcpu->stats);
    case GH_VCPU_EXIT_STATUS:
        return on_status(gh, &page, &req, &vcpu->stats);
    case GH_VCPU_EXIT_PAGE_FAULT:
        return on_page_fault(gh, v, &page, &req, &vcpu->stats);
    case GH_VCPU_EXIT_UNKNOWN:
        if (cause == EINTR) {
            return on_run_error(gh, vcpu->index, cause);
        }
        break;
    }
    accel_report_event(accel, ACCEL_EVENT_HYPERVISOR, "vCPU %u: unknown exit reason %u",
                       vcpu->index, page.exit_reason);
    return ACCEL_RUN_DONE;
}
