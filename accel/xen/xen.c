/* SPDX-License-Identifier: GPL-2.0-or-later
 * -accel xen: an ioreq server for a domain that the toolstack has built. The type, its properties,
 * and the server's life: handles, pages, ranges, enabling, event channels, threads, and back.
 *
 * The domain runs by itself, from before this program until after it. Paused means that its
 * accesses to our devices wait.
 */
#define G_LOG_DOMAIN "humpy-xen"

#include <errno.h>
#include <string.h>

#include "../accel-priv.h"
#include "util/error.h"
#include "util/props.h"
#include "util/target.h"
#include "xen-priv.h"

G_DEFINE_FINAL_TYPE(AccelXen, accel_xen, TYPE_ACCEL)

enum { HOST_KERNEL, HOST_MODEL, NO_DOMID = 0x7ff0 };

static const char *const host_names[] = { "kernel", "model", NULL };

static const AccelCapReason missing_caps[] = {
    { ACCEL_CAP_IRQCHIP, "only messages reach a domain that is not HVM" },
    { ACCEL_CAP_VCPUS, "the domain's vCPUs are the toolstack's" },
    { ACCEL_CAP_HOTPLUG_VCPU, "the domain's vCPUs are the toolstack's" },
    { ACCEL_CAP_GDB, "the domain's vCPUs are the toolstack's" },
    { ACCEL_CAP_REGISTERS, "the domain's vCPUs are the toolstack's" },
    { ACCEL_CAP_LATE_RAM, "the domain's memory is the toolstack's" },
    { ACCEL_CAP_MIGRATION, "migrating a domain is the toolstack's" },
    { 0, NULL },
};

/* ---- handles ---- */

static bool choose_lib(AccelXen *xen, GError **error)
{
#if defined(__aarch64__)
    Target ours = TARGET_AARCH64;
#else
    Target ours = TARGET_X86_64;
#endif

    xen->lib = xen->host == HOST_MODEL ? xenlib_model() : &xenlib_xen;
    if (xen->lib == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, "this build has no model of Xen");
        return false;
    }
    if (xen->host == HOST_KERNEL && target_current() != ours) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "%s has no devices for the domains of this host, which are of its own "
                    "architecture",
                    target_program());
        return false;
    }
    if (xen->domid == NO_DOMID) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "domid is missing: the number of the domain, as 'xl domid NAME' prints it");
        return false;
    }
    return true;
}

static const char *domain_advice(int cause)
{
    switch (cause) {
    case ESRCH:
        return " (there is no such domain)";
    case EPERM:
    case EACCES:
        return " (this domain or this user may not emulate devices for it)";
    case EOPNOTSUPP:
    case ENOSYS:
        return " (this takes Xen 4.17)";
    case EINVAL:
        return " (it is neither HVM nor PVH)";
    }
    return "";
}

static bool open_domain(AccelXen *xen, GError **error)
{
    xen->handle = xen->lib->open(xen->domid, error);
    if (xen->handle == NULL) {
        return false;
    }
    if (xen->lib->nr_vcpus(xen->handle, &xen->n_vcpus) != 0) {
        int cause = errno;

        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                    "cannot ask for the vCPUs of domain %u: %s%s", xen->domid, g_strerror(cause),
                    domain_advice(cause));
        return false;
    }
    if (xen->n_vcpus == 0 || xen->n_vcpus > XEN_MAX_VCPUS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "domain %u has %u vCPUs", xen->domid,
                    xen->n_vcpus);
        return false;
    }
    xen->domain_type = xen->lib->domain_type(xen->handle);
    if (!xen_has_lines(xen)) {
        accel_drop_caps(HUMPY_ACCEL(xen), ACCEL_CAP_IRQCHIP);
    }
    return true;
}

static void xen_close(Accel *accel)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (xen->handle != NULL) {
        xen_foreign_close(xen);
        xen->lib->close(xen->handle);
    }
    xen->handle = NULL;
}

static bool xen_open(Accel *accel, GError **error)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (target_current() != TARGET_X86_64) {
        xen->buffered = false; /* Xen on Arm has no buffered requests */
    }
    if (choose_lib(xen, error) && open_domain(xen, error)) {
        return true;
    }
    xen_close(accel);
    return false;
}

/* ---- the domain's end ---- */

/* A domain that is being destroyed stays for as long as somebody has its pages, but loses its
 * servers at once. */
static bool is_gone(AccelXen *xen)
{
    uint32_t port;

    if (xen->lib->server_info(xen->handle, xen->server, NULL, NULL, &port) == 0 ||
        (errno != ENOENT && errno != ESRCH)) {
        return false;
    }
    if (!__atomic_exchange_n(&xen->gone, true, __ATOMIC_RELAXED)) {
        g_message("domain %u is gone", xen->domid);
    }
    return true;
}

static void report_gone(AccelXen *xen)
{
    accel_report_event(HUMPY_ACCEL(xen), ACCEL_EVENT_SHUTDOWN, "domain %u is gone", xen->domid);
}

static gboolean look_after_domain(gpointer opaque)
{
    AccelXen *xen = opaque;

    if (!is_gone(xen)) {
        return G_SOURCE_CONTINUE;
    }
    report_gone(xen);
    return G_SOURCE_REMOVE;
}

void xen_report_trouble(AccelXen *xen, const char *what, int cause)
{
    if (is_gone(xen)) {
        report_gone(xen);
    } else {
        accel_report_event(HUMPY_ACCEL(xen), ACCEL_EVENT_CRASH, "%s of domain %u: %s", what,
                           xen->domid, g_strerror(cause));
    }
}

/* Xen's events about other domains reach only the toolstack. */
static void start_watch(AccelXen *xen)
{
    xen->watch = g_timeout_source_new_seconds(1);
    g_source_set_callback(xen->watch, look_after_domain, xen, NULL);
    g_source_attach(xen->watch, NULL);
}

static void stop_watch(AccelXen *xen)
{
    if (xen->watch != NULL) {
        g_source_destroy(xen->watch);
    }
    g_clear_pointer(&xen->watch, g_source_unref);
}

static void xen_guest_over(Accel *accel, bool reset)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (!__atomic_load_n(&xen->gone, __ATOMIC_RELAXED) &&
        xen->lib->shutdown(xen->handle, reset ? SHUTDOWN_reboot : SHUTDOWN_poweroff) != 0) {
        g_warning("-accel xen: cannot shut domain %u down: %s", xen->domid, g_strerror(errno));
    }
}

/* ---- the server ---- */

static bool create_server(AccelXen *xen, GError **error)
{
    uint16_t id;
    int cause;

    if (xen->lib->create_server(xen->handle,
                                xen->buffered ? XENLIB_BUFFERING_ATOMIC : XENLIB_BUFFERING_OFF,
                                &id) == 0) {
        xen->server = id;
        return true;
    }
    cause = errno;
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST,
                "cannot create an ioreq server for domain %u: %s%s", xen->domid, g_strerror(cause),
                cause == ENOSPC ? " (it has 8 already)" : domain_advice(cause));
    return false;
}

/* From here on a fault of ours cannot reach beyond the one domain. */
static bool restrict_handles(AccelXen *xen, GError **error)
{
    if (xen->restrict_wish == PROP_OFF || xen->lib->restrict_all(xen->handle) == 0) {
        return true;
    }
    if (xen->restrict_wish == PROP_ON) {
        error_set_errno(error, errno, "restrict=on: cannot restrict the handles to domain %u",
                        xen->domid);
        return false;
    }
    g_message("-accel xen: handles are not restricted to domain %u: %s", xen->domid,
              g_strerror(errno));
    return true;
}

static void xen_teardown(Accel *accel)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (xen->server != XEN_NO_SERVER && xen->started) {
        xen->lib->set_server_state(xen->handle, xen->server, false);
    }
    stop_watch(xen);
    xen_serve_stop(xen);
    xen_ranges_unfollow(xen);
    xen_foreign_hide(xen);
    xen_pages_unmap(xen);
    if (xen->server != XEN_NO_SERVER && xen->lib->destroy_server(xen->handle, xen->server) != 0) {
        g_debug("cannot destroy the ioreq server: %s", g_strerror(errno)); /* the domain is gone */
    }
    xen->server = XEN_NO_SERVER;
    xen->started = false;
    g_clear_pointer(&xen->dispatcher, ioreq_dispatcher_free);
}

static bool xen_setup(Accel *accel, const AccelMachineInfo *info, GError **error)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    xen->info = info;
    if (info->n_vcpus != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "the machine has CPUs, which domain %u brings itself: -machine xen-devices has "
                    "none",
                    xen->domid);
        return false;
    }
    if (!create_server(xen, error) || !xen_pages_map(xen, error) || !xen_serve_open(xen, error) ||
        !restrict_handles(xen, error)) {
        xen_teardown(accel);
        return false;
    }
    xen->dispatcher = ioreq_dispatcher_new(info->memory, info->io);
    ioreq_dispatcher_set_pci_config(xen->dispatcher, info->pci_config, info->pci_opaque);
    if (info->system != NULL) {
        xen_foreign_show(xen, info->system);
    }
    xen_ranges_follow(xen);
    return true;
}

/* The numbers of the event channels are there once the server is enabled, not before. */
static bool xen_start(Accel *accel, const AccelBootInfo *boot, GError **error)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(accel);

    if (xen->range_error != NULL) {
        g_propagate_error(error, g_steal_pointer(&xen->range_error));
        return false;
    }
    xen_serve_pause(xen); /* until the core says resume */
    if (xen->buffered &&
        xen->lib->server_info(xen->handle, xen->server, NULL, NULL, &xen->buffered_port) != 0) {
        error_set_errno(error, errno, "cannot find the event channel of buffered requests");
        return false;
    }
    if (xen->lib->set_server_state(xen->handle, xen->server, true) != 0) {
        error_set_errno(error, errno, "cannot enable the ioreq server of domain %u", xen->domid);
        return false;
    }
    xen->started = true;
    start_watch(xen);
    return xen_serve_start(xen, error);
}

static void xen_set_dirty_log(Accel *accel, bool on)
{
    __atomic_store_n(&HUMPY_ACCEL_XEN(accel)->dirty_log, on, __ATOMIC_RELAXED);
}

static void xen_pause(Accel *accel)
{
    xen_serve_pause(HUMPY_ACCEL_XEN(accel));
}

static void xen_resume(Accel *accel)
{
    xen_serve_resume(HUMPY_ACCEL_XEN(accel));
}

/* ---- type ---- */

static void accel_xen_finalize(GObject *object)
{
    AccelXen *xen = HUMPY_ACCEL_XEN(object);

    xen_ranges_clear(xen);
    xen_foreign_clear(xen);
    xen_serve_clear(xen);
    G_OBJECT_CLASS(accel_xen_parent_class)->finalize(object);
}

static void accel_xen_init(AccelXen *xen)
{
    xen->server = XEN_NO_SERVER;
    xen_ranges_init(xen);
    xen_foreign_init(xen);
    xen_serve_init(xen);
}

static const Prop xen_props[] = {
    PROP_ENUM("host", AccelXen, host, HOST_KERNEL, host_names,
              "Xen's libraries, or the userspace model"),
    PROP_U32("domid", AccelXen, domid, NO_DOMID, 0, NO_DOMID, "number of the domain"),
    PROP_BOOL("buffered", AccelXen, buffered, true,
              "take writes that the guest does not wait for, where Xen makes such"),
    PROP_SIZE("map-cache", AccelXen, map_cache, 256 << 20, 2 << 20, UINT64_C(1) << 40,
              "how much of the domain's memory may be mapped at a time"),
    PROP_ONOFFAUTO("restrict", AccelXen, restrict_wish,
                   "once open, handles work for this domain only; auto: if the kernel can"),
};

static void accel_xen_class_init(AccelXenClass *klass)
{
    AccelClass *ac = HUMPY_ACCEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = accel_xen_finalize;
    props_install(G_OBJECT_CLASS(klass), xen_props, G_N_ELEMENTS(xen_props));
    ac->name = "xen";
    ac->summary = "devices for a domain of the Xen host that this runs on, or of a model of Xen";
    ac->caps = ACCEL_CAP_IRQCHIP | ACCEL_CAP_RESET_IN_PLACE | ACCEL_CAP_MSI | ACCEL_CAP_HIGH_MMIO |
               ACCEL_CAP_PAUSE;
    ac->cap_reasons = missing_caps;
    ac->open = xen_open;
    ac->close = xen_close;
    ac->setup = xen_setup;
    ac->teardown = xen_teardown;
    ac->irq_connect = xen_irq_connect;
    ac->irq_set = xen_irq_set;
    ac->msi = xen_msi;
    ac->pci_irq = xen_pci_irq;
    ac->guest_over = xen_guest_over;
    ac->set_dirty_log = xen_set_dirty_log;
    ac->pci_function = xen_pci_function;
    ac->start = xen_start;
    ac->pause = xen_pause;
    ac->resume = xen_resume;
}
