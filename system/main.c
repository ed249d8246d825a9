/* SPDX-License-Identifier: GPL-2.0-or-later
 * The program: command line, lives of the VM one after the other, exit status. Only here something
 * is printed to stderr or the process ended.
 *
 * Exit status: 0 the guest powered off, was reset under -no-reboot, or the user ended it (signal,
 * Ctrl-A x); 1 an error on the command line, of the host or of the hypervisor, or a guest crash.
 */
#include <glib.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "chardev/chardev.h"
#include "drives.h"
#include "hw/core/device.h"
#include "models/models.h"
#include "options.h"
#include "runstate.h"
#include "util/error.h"
#include "vm.h"

#define PROGRAM "humpy-system-aarch64"

/* Always one line, whatever a file name in it holds. */
static void print_line(const char *text)
{
    g_autofree char *line = g_strdup(text);

    for (char *c = line; *c != '\0'; c++) {
        if (g_ascii_iscntrl(*c)) {
            *c = ' ';
        }
    }
    fprintf(stderr, PROGRAM ": %s\n", line);
}

static void log_line(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    if (level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)) {
        return;
    }
    print_line(message);
}

static bool check_config(const VmConfig *config, GError **error)
{
    if (config->machine == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "-machine: is missing, and there is no default ('-machine help' lists all)");
        return false;
    }
    return true;
}

/* One life. RUN_RESET: the next one is wanted. */
static RunRequest live(const VmConfig *config, const Serials *serials, const Drives *drives,
                       GError **error)
{
    g_autoptr(Vm) vm = vm_new(config, serials, drives, error);
    g_autofree char *message = NULL;
    RunRequest request;

    if (vm == NULL) {
        return RUN_FAIL;
    }
    if (config->dumpdtb != NULL) {
        return RUN_QUIT;
    }
    request = runstate_wait(&message);
    if (request == RUN_FAIL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s", message);
    } else if (message != NULL) {
        print_line(message);
    }
    return request;
}

static void quit(void *opaque)
{
    runstate_request(RUN_QUIT, NULL);
}

static bool run(const VmConfig *config, GError **error)
{
    g_autoptr(Drives) drives = NULL;
    g_autoptr(Serials) serials = NULL;
    RunRequest request;

    if (!check_config(config, error)) {
        return false;
    }
    runstate_catch_signals();
    chardev_set_quit_handler(quit, NULL);
    drives = drives_open(config, error);
    if (drives == NULL) {
        return false;
    }
    serials = serials_open(config, error);
    if (serials == NULL && runstate_get() == RUN_QUIT) {
        g_clear_error(error); /* interrupted while waiting for a socket's peer */
        return true;
    }
    if (serials == NULL) {
        return false;
    }
    do {
        runstate_clear_reset();
        request = live(config, serials, drives, error);
    } while (request == RUN_RESET && !config->no_reboot);
    return request != RUN_FAIL;
}

int main(int argc, char **argv)
{
    g_autoptr(VmConfig) config = vm_config_new();
    g_autoptr(GError) error = NULL;
    bool ok;

    setlocale(LC_CTYPE, "");
    g_log_set_default_handler(log_line, NULL);
    hw_register_types();
    models_register();
    ok = options_parse(config, argc, argv, &error);
    if (ok && config->output != NULL) {
        fputs(config->output, stdout);
    } else if (ok) {
        ok = run(config, &error);
    }
    chardev_cleanup();
    if (!ok) {
        print_line(error->message);
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
