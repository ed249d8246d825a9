/* SPDX-License-Identifier: GPL-2.0-or-later
 * Options of QEMU's that Humpy does not have. Each gets one line that says so, instead of the
 * nearest spelling of something else. Some depend on what the accelerator can do: they are written
 * down here and answered once there is one (vm.c). A value that asks for nothing is taken as it is.
 */
#include <string.h>

#include "options.h"
#include "util/error.h"

#define USE_DRIVE "is not understood (disks are given with -drive)"
#define NO_WINDOW "there are no windows (-vnc shows displays)"
#define NO_USB    "there are no USB devices"
#define NO_TABLES "nothing can be added to the guest's tables"

static const ForeignOption foreign[] = {
    { "s", .cap = ACCEL_CAP_GDB },
    { "gdb", "DEVICE", .none = "none", .cap = ACCEL_CAP_GDB },
    { "incoming", "URI", .cap = ACCEL_CAP_MIGRATION },
    { "loadvm", "TAG", .cap = ACCEL_CAP_MIGRATION },

    { "vga", "TYPE", .none = "none",
      .why = "there is no VGA (-device virtio-gpu-pci is a display)" },
    { "spice", "TEXT", .none = "none", .why = NO_WINDOW },
    { "sdl full-screen", .why = NO_WINDOW },
    { "parallel", "DEVICE", .none = "none", .why = "there are no parallel ports" },
    { "audio audiodev soundhw", "TYPE", .none = "none", .why = "there are no sound devices" },
    { "usb", .why = NO_USB },
    { "usbdevice", "TYPE", .why = NO_USB },
    { "boot", "ORDER",
      .why = "firmware keeps its own order (-bios); a kernel is started with -kernel" },
    { "semihosting", .why = "there is no semihosting" },
    { "semihosting-config", "TEXT", .why = "there is no semihosting" },

    { "hda hdb hdc hdd sd mtdblock fda fdb cdrom", "FILE", .why = USE_DRIVE },
    { "snapshot", .why = "is not supported (-drive snapshot=on is)" },
    { "tpmdev", "TYPE", .why = "there is no TPM" },

    { "rtc", "TEXT", .none = "base=utc", .why = "the clock is always the host's, in UTC" },
    { "icount", "TEXT", .why = "instructions are not counted" },
    { "sandbox", "TEXT", .none = "off", .why = "there is no sandbox" },
    { "runas chroot", "TEXT", .why = "is not supported" },
    { "writeconfig", "FILE", .why = "is not supported" },
    { "d D", "TEXT", .why = "is not supported (-trace switches trace events on)" },
    { "smbios acpitable", "TEXT", .why = NO_TABLES },
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
