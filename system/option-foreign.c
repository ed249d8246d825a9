/* SPDX-License-Identifier: GPL-2.0-or-later
 * Options of QEMU's that Humpy does not have. Each gets one line that says so, instead of the
 * nearest spelling of something else. Some depend on what the accelerator can do: they are written
 * down here and answered once there is one (vm.c). A value that asks for nothing is taken as it is.
 */
#include <string.h>

#include "options.h"
#include "util/error.h"

#define NO_FIRMWARE "there is no firmware to be loaded yet (a kernel is started with -kernel)"
#define NO_PCI      "there are no PCI and no USB devices yet"
#define USE_DRIVE   "is not understood (disks are given with -drive)"

static const ForeignOption foreign[] = {
    { "s", .cap = ACCEL_CAP_GDB },
    { "gdb", "DEVICE", .none = "none", .cap = ACCEL_CAP_GDB },
    { "incoming", "URI", .cap = ACCEL_CAP_MIGRATION },
    { "loadvm", "TAG", .cap = ACCEL_CAP_MIGRATION },

    { "vga", "TYPE", .none = "none", .why = "there are no displays yet" },
    { "spice", "TEXT", .none = "none", .why = "there are no displays yet" },
    { "sdl full-screen", .why = "there are no displays yet" },
    { "parallel", "DEVICE", .none = "none", .why = "there are no parallel ports" },
    { "audio audiodev soundhw", "TYPE", .none = "none", .why = "there are no sound devices" },
    { "usb", .why = NO_PCI },
    { "usbdevice", "TYPE", .why = NO_PCI },
    { "boot", "ORDER", .why = NO_FIRMWARE },
    { "semihosting", .why = "there is no semihosting" },
    { "semihosting-config", "TEXT", .why = "there is no semihosting" },

    { "hda hdb hdc hdd sd mtdblock fda fdb cdrom", "FILE", .why = USE_DRIVE },
    { "snapshot", .why = "is not supported (copy the image instead)" },
    { "tpmdev", "TYPE", .why = "there is no such device yet" },

    { "rtc", "TEXT", .none = "base=utc", .why = "the clock is always the host's, in UTC" },
    { "icount", "TEXT", .why = "instructions are not counted" },
    { "sandbox", "TEXT", .none = "off", .why = "there is no sandbox yet" },
    { "runas chroot", "TEXT", .why = "is not supported" },
    { "writeconfig", "FILE", .why = "is not supported" },
    { "d D", "TEXT", .why = "is not supported (-trace switches trace events on)" },
    { "smbios acpitable", "TEXT", .why = NO_FIRMWARE },
};

/* TRUE if name is one of names, which are separated by spaces. */
static bool is_among(const char *name, const char *names)
{
    g_auto(GStrv) all = g_strsplit(names, " ", -1);

    return g_strv_contains((const char *const *)all, name);
}

const ForeignOption *foreign_find(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(foreign); i++) {
        if (is_among(name, foreign[i].names)) {
            return &foreign[i];
        }
    }
    return NULL;
}

bool foreign_take(const ForeignOption *option, VmConfig *config, const char *typed, const char *arg,
                  GError **error)
{
    if (option->none != NULL && g_strcmp0(arg, option->none) == 0) {
        return true;
    }
    if (option->cap != 0) {
        Wish *wish = g_new0(Wish, 1);

        wish->cap = option->cap;
        wish->what = g_strjoin(arg != NULL ? " " : "", typed, arg != NULL ? arg : "", NULL);
        g_ptr_array_add(config->wishes, wish);
        return true;
    }
    g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED, option->why);
    return false;
}
