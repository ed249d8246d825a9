/* SPDX-License-Identifier: GPL-2.0-or-later
 * The seam below accelerators: which implementation hostdev_open() picks, and what it says when
 * it cannot open. A fake stands for the model so that each cause can be injected.
 */
#include "accel/hostdev.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../accel/hostdev-priv.h"
#include "probe.h"
#include "util/error.h"

static int model_errno;
static int model_opens;

static int model_open(const char *path, int flags)
{
    model_opens++;
    g_assert_cmpint(flags & O_CLOEXEC, !=, 0);
    if (model_errno != 0) {
        errno = model_errno;
        return -1;
    }
    return eventfd(0, EFD_CLOEXEC);
}

static int model_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    errno = ENOTTY;
    return -1;
}

static uint64_t model_memlock(void)
{
    return 4096;
}

static const HostDevOps model_ops = {
    .name = "model",
    .open = model_open,
    .ioctl = model_ioctl,
    .mmap = mmap,
    .munmap = munmap,
    .close = close,
    .memlock_limit = model_memlock,
};

typedef struct {
    char *dir;
    char *node;    /* exists: a plain file stands for the node */
    char *missing; /* does not exist */
} Place;

static void setup(Place *p, gconstpointer data)
{
    p->dir = g_dir_make_tmp("humpy-hostdev-XXXXXX", NULL);
    p->node = g_build_filename(p->dir, "node", NULL);
    p->missing = g_build_filename(p->dir, "missing", NULL);
    g_assert_true(g_file_set_contents(p->node, "x", 1, NULL));
    model_errno = 0;
    model_opens = 0;
    hostdev_register_model(p->node, &model_ops);
    hostdev_register_model(p->missing, &model_ops);
}

static void teardown(Place *p, gconstpointer data)
{
    g_remove(p->node);
    g_rmdir(p->dir);
    g_free(p->dir);
    g_free(p->node);
    g_free(p->missing);
}

static void auto_takes_the_node(Place *p, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HostDev dev;

    g_assert_true(hostdev_open(p->node, HOSTDEV_AUTO, &dev, &error));
    g_assert_no_error(error);
    g_assert_true(dev.ops == &hostdev_kernel_ops);
    g_assert_cmpint(model_opens, ==, 0);
    hostdev_close(dev.ops, dev.fd);
}

static void auto_takes_the_model(Place *p, gconstpointer data)
{
    if (g_test_subprocess()) {
        HostDev dev;

        g_assert_true(hostdev_open(p->missing, HOSTDEV_AUTO, &dev, NULL));
        g_assert_true(dev.ops == &model_ops);
        hostdev_close(dev.ops, dev.fd);
        return;
    }
    if (!can_start_self()) {
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("humpy: there is no */missing on this host, its userspace model "
                              "stands in\n");
}

static bool cannot_run(void)
{
    return false;
}

static void auto_leaves_a_model_that_cannot_run(Place *p, gconstpointer data)
{
    static HostDevOps without;
    g_autoptr(GError) error = NULL;
    HostDev dev;

    without = model_ops;
    without.can_run = cannot_run;
    hostdev_register_model(p->dir, &without);
    g_assert_true(hostdev_open(p->dir, HOSTDEV_MODEL, &dev, NULL));
    hostdev_close(dev.ops, dev.fd);
    model_opens = 0;
    hostdev_register_model(p->missing, &without);
    g_assert_false(hostdev_open(p->missing, HOSTDEV_AUTO, &dev, &error));
    g_assert_cmpint(errno, ==, ENOENT);
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_assert_null(strstr(error->message, "model"));
    g_assert_cmpint(model_opens, ==, 0);
}

static void node_that_refuses(Place *p, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    HostDev dev;

    /* A directory exists, yet cannot be opened for writing. */
    hostdev_register_model(p->dir, &model_ops);
    g_assert_false(hostdev_open(p->dir, HOSTDEV_AUTO, &dev, &error));
    g_assert_cmpint(errno, ==, EISDIR);
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_assert_cmpint(model_opens, ==, 0);
}

static void kernel_choice_ignores_the_model(Place *p, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("cannot open %s: %s", p->missing, g_strerror(ENOENT));
    HostDev dev;

    g_assert_false(hostdev_open(p->missing, HOSTDEV_KERNEL, &dev, &error));
    g_assert_cmpint(errno, ==, ENOENT);
    g_assert_cmpstr(error->message, ==, text);
    g_assert_cmpint(model_opens, ==, 0);
}

static void model_choice_ignores_the_node(Place *p, gconstpointer data)
{
    HostDev dev;

    g_assert_true(hostdev_open(p->node, HOSTDEV_MODEL, &dev, NULL));
    g_assert_true(dev.ops == &model_ops);
    g_assert_cmpint(hostdev_ioctl(dev.ops, dev.fd, 0x4700, 0), ==, -1);
    g_assert_cmpint(errno, ==, ENOTTY);
    hostdev_close(dev.ops, dev.fd);
}

static void model_that_refuses(Place *p, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text =
        g_strdup_printf("cannot open %s (model): %s", p->missing, g_strerror(EACCES));
    HostDev dev;

    model_errno = EACCES;
    g_assert_false(hostdev_open(p->missing, HOSTDEV_MODEL, &dev, &error));
    g_assert_cmpint(errno, ==, EACCES);
    g_assert_cmpstr(error->message, ==, text);
}

static void last_registration(Place *p, gconstpointer data)
{
    static HostDevOps other;
    HostDev dev;

    other = model_ops;
    hostdev_register_model(p->missing, &other);
    g_assert_true(hostdev_open(p->missing, HOSTDEV_MODEL, &dev, NULL));
    g_assert_true(dev.ops == &other);
    hostdev_close(dev.ops, dev.fd);
}

static void no_model(void)
{
    g_autoptr(GError) error = NULL;
    HostDev dev;

    g_assert_false(hostdev_open("/dev/no-such-node", HOSTDEV_MODEL, &dev, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED);
    g_assert_cmpstr(error->message, ==, "this build has no model of /dev/no-such-node");
    g_clear_error(&error);
    g_assert_false(hostdev_open("/dev/no-such-node", HOSTDEV_AUTO, &dev, &error));
    g_assert_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST);
    g_assert_cmpint(errno, ==, ENOENT);
}

/* Pinning is charged against RLIMIT_MEMLOCK unless the process has CAP_IPC_LOCK. */
static void memlock_limit(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
    struct rlimit limit = { .rlim_cur = 65536, .rlim_max = 65536 };

    if (!g_test_subprocess()) {
        if (!can_start_self()) {
            return;
        }
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        return;
    }
    g_assert_cmpint(setrlimit(RLIMIT_MEMLOCK, &limit), ==, 0);
    g_assert_cmpint(syscall(SYS_capget, &header, caps), ==, 0);
    if (caps[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) {
        g_assert_cmpuint(hostdev_kernel_ops.memlock_limit(), ==, UINT64_MAX);
    }
    caps[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
    g_assert_cmpint(syscall(SYS_capset, &header, caps), ==, 0);
    g_assert_cmpuint(hostdev_kernel_ops.memlock_limit(), ==, 65536);
}

static void log_record(void)
{
    g_autofree char *driver = hostdev_kernel_log_message(
        "3,1190,99,-;gunyah_rsc_mgr rm: Failed to configure VM: -22\n SUBSYSTEM=platform\n");
    g_autofree char *old = hostdev_kernel_log_message("3,1,9,-;gh_rsc_mgr: Failed");

    g_assert_cmpstr(driver, ==, "gunyah_rsc_mgr rm: Failed to configure VM: -22");
    g_assert_cmpstr(old, ==, "gh_rsc_mgr: Failed");
    g_assert_null(hostdev_kernel_log_message("6,2,9,-;usb 1-1: new device\n DRIVER=gunyah\n"));
    g_assert_null(hostdev_kernel_log_message("gunyah"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/accel/hostdev/" name, Place, NULL, setup, fn, teardown)
    ADD("auto-takes-a-node-that-exists", auto_takes_the_node);
    ADD("auto-takes-the-model-where-no-node-is-and-says-so", auto_takes_the_model);
    ADD("auto-leaves-a-model-that-cannot-run", auto_leaves_a_model_that_cannot_run);
    ADD("auto-does-not-hide-a-node-that-refuses", node_that_refuses);
    ADD("kernel-ignores-the-model", kernel_choice_ignores_the_model);
    ADD("model-ignores-the-node", model_choice_ignores_the_node);
    ADD("model-error-is-named", model_that_refuses);
    ADD("last-registration-counts", last_registration);
    g_test_add_func("/accel/hostdev/no-model-is-an-error", no_model);
    g_test_add_func("/accel/hostdev/log-line-is-the-drivers-alone", log_record);
    g_test_add_func("/accel/hostdev/memlock-limit-heeds-rlimit-and-cap-ipc-lock", memlock_limit);
    return g_test_run();
}
