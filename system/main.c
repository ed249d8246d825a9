/* SPDX-License-Identifier: GPL-2.0-or-later
 * The program: command line, lives of the VM one after the other, exit status. Only here something
 * is printed to stderr or the process ended.
 *
 * Exit status: see util/outcome.c.
 */
#include <glib.h>
#include <limits.h>
#include <linux/close_range.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chardev-tree.h"
#include "chardev/chardev.h"
#include "daemon.h"
#include "displays.h"
#include "drives.h"
#include "export/export.h"
#include "exports.h"
#include "fsdevs.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "models/models.h"
#include "monitor/events.h"
#include "monitor/monitor.h"
#include "nets.h"
#include "notify.h"
#include "objects.h"
#include "options.h"
#include "panic.h"
#include "qtest/qtest.h"
#include "runstate.h"
#include "util/error.h"
#include "util/event.h"
#include "util/outcome.h"
#include "util/target.h"
#include "util/trace.h"
#include "vm.h"

/* Always one line, whatever a file name in it holds. */
static void print_line(const char *text)
{
    g_autofree char *line = g_strdup(text);

    for (char *c = line; *c != '\0'; c++) {
        if (g_ascii_iscntrl(*c)) {
            *c = ' ';
        }
    }
    fprintf(stderr, "%s: %s\n", target_program(), line);
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
    if (config->daemonize && config->nographic) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "-daemonize: excludes -nographic, which needs the terminal");
        return false;
    }
    if (config->machine == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "-machine: is missing, and there is no default ('-machine help' lists all)");
        return false;
    }
    return true;
}

static void emit_caused(const char *event, RunCause cause)
{
    JsonObject *data = json_object_new();

    json_object_set_boolean_member(data, "guest", run_cause_is_guest(cause));
    json_object_set_string_member(data, "reason", run_cause_name(cause));
    event_emit(event, data);
}

/* TRUE: the reset is done, the same life goes on. FALSE: it takes a new one, or order has become
 * an end. */
static bool reset_in_place(Vm *vm, RunOrder *order)
{
    g_autoptr(GError) error = NULL;

    if (!(accel_caps(vm_accel(vm)) & ACCEL_CAP_RESET_IN_PLACE)) {
        return false;
    }
    runstate_clear();
    if (!vm_reset(vm, &error)) {
        order->request = RUN_FAIL;
        order->outcome = OUTCOME_ERROR;
        g_free(order->message);
        order->message = g_strdup(error->message);
        return false;
    }
    if (!runstate_is_running()) {
        runstate_stop(RUN_STATE_PRELAUNCH);
    }
    emit_caused("RESET", order->cause);
    return true;
}

/* TRUE: the end that order asks for is put off, a monitor decides what comes next. */
static bool stay(const VmConfig *config, const RunOrder *order)
{
    bool failed = order->request == RUN_FAIL;

    if (!config->no_shutdown || (!failed && !run_cause_is_guest(order->cause))) {
        return false;
    }
    if (order->message != NULL) {
        print_line(order->message);
    }
    emit_caused("SHUTDOWN", order->cause);
    runstate_stop(failed ? RUN_STATE_INTERNAL_ERROR : RUN_STATE_SHUTDOWN);
    runstate_clear();
    return true;
}

/* Serves the guest and the monitors until this life is over. */
static RunOrder serve(const VmConfig *config, Vm *vm)
{
    while (true) {
        RunOrder order = runstate_wait();
        bool reset = order.request == RUN_RESET;

        if (reset && config->no_reboot) {
            order.request = RUN_QUIT;
        }
        if (order.request == RUN_QUIT && run_cause_is_guest(order.cause)) {
            accel_guest_over(vm_accel(vm), reset);
        }
        if (reset && order.request == RUN_RESET ? !reset_in_place(vm, &order)
                                                : !stay(config, &order)) {
            return order;
        }
        g_free(order.message);
    }
}

/* One life. RUN_RESET: the next one is wanted. */
static RunRequest live(const VmConfig *config, const Serials *serials, Drives *drives,
                       RunCause reset_cause, RunOrder *last, GError **error)
{
    bool first = reset_cause == CAUSE_NONE;
    bool running = first ? !config->stopped : runstate_is_running();
    g_autoptr(Vm) vm = NULL;

    if (!running) {
        clock_stop();
    }
    vm = vm_new(config, serials, drives, running, error);
    if (vm == NULL && runstate_get() == RUN_QUIT) { /* interrupted while it waited */
        g_clear_error(error);
        *last = runstate_wait();
        return RUN_QUIT;
    }
    if (vm == NULL) {
        return RUN_FAIL;
    }
    if (config->dumpdtb != NULL) {
        return RUN_QUIT;
    }
    if (!first) {
        emit_caused("RESET", reset_cause);
    }
    if (running && first) {
        runstate_cont(NULL);
    } else if (!running) {
        runstate_stop(RUN_STATE_PRELAUNCH);
    }
    monitors_set_phase(MONITOR_READY);
    daemon_ready();
    notify_manager("READY=1");
    qtest_ready();
    *last = serve(config, vm);
    qtest_suspend();
    monitors_set_phase(MONITOR_WAIT);
    return last->request;
}

static void quit(void *opaque)
{
    runstate_request(RUN_QUIT, CAUSE_HOST_UI, NULL);
}

/* TRUE: go on and make the machine. */
static bool wait_for_preconfig(void)
{
    g_autofree char *message = NULL;
    RunOrder order;

    monitors_set_phase(MONITOR_PRECONFIG);
    qtest_ready();
    order = runstate_wait();
    message = order.message;
    monitors_set_phase(MONITOR_WAIT);
    qtest_suspend();
    if (order.request == RUN_PRECONFIG_DONE) {
        runstate_clear();
        return true;
    }
    if (message != NULL) {
        print_line(message);
    }
    emit_caused("SHUTDOWN", order.cause);
    return false;
}

static Outcome outcome_of(const GError *error)
{
    return g_error_matches(error, HUMPY_ERROR, HUMPY_ERROR_HYPERVISOR) ? OUTCOME_LOAD
                                                                       : OUTCOME_ERROR;
}

static bool run_lives(const VmConfig *config, const Serials *serials, Drives *drives,
                      Outcome *outcome, GError **error)
{
    RunOrder last = {};
    RunRequest request;

    do {
        g_clear_pointer(&last.message, g_free);
        runstate_clear_reset();
        request = live(config, serials, drives, last.cause, &last, error);
    } while (request == RUN_RESET);
    if (*error == NULL && config->dumpdtb == NULL) {
        emit_caused("SHUTDOWN", last.cause);
    }
    *outcome = *error != NULL ? outcome_of(*error) : last.outcome;
    if (request == RUN_FAIL && *error == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s", last.message);
    } else if (last.message != NULL) {
        print_line(last.message);
    }
    g_free(last.message);
    return request != RUN_FAIL;
}

static bool start_tracing(const VmConfig *config, GError **error)
{
    if (config->trace_file != NULL && !trace_open(config->trace_file, error)) {
        g_prefix_error(error, "-trace file=%s: ", config->trace_file);
        return false;
    }
    for (unsigned i = 0; i < config->traces->len; i++) {
        trace_set(g_ptr_array_index(config->traces, i), true);
    }
    return true;
}

static bool run_machine(const VmConfig *config, const Serials *serials, Drives *drives,
                        Outcome *outcome, GError **error)
{
    if (config->preconfig && !wait_for_preconfig()) {
        return true;
    }
    return run_lives(config, serials, drives, outcome, error);
}

static bool run(const VmConfig *config, Outcome *outcome, GError **error)
{
    bool ok;
    g_autoptr(Drives) drives = NULL;
    g_autoptr(Fsdevs) fsdevs = NULL;
    g_autoptr(Serials) serials = NULL;

    if (!check_config(config, error)) {
        return false;
    }
    if (!start_tracing(config, error)) {
        return false;
    }
    vm_set_config(config);
    runstate_catch_signals();
    runstate_hear_devices();
    chardev_set_quit_handler(quit, NULL);
    chardev_tree_init();
    panic_start(config);
    if (!displays_open(config, error)) {
        return false;
    }
    drives = drives_open(config, error);
    fsdevs = drives != NULL ? fsdevs_open(config, error) : NULL;
    if (fsdevs == NULL) {
        return false;
    }
    if (!objects_create(config, error)) {
        return false;
    }
    serials = serials_open(config, error);
    if (serials == NULL || !monitors_open(config, serials, error) || !qtest_open(config, error)) {
        if (runstate_get() != RUN_QUIT) {
            return false;
        }
        g_clear_error(error); /* interrupted while waiting for a socket's peer */
        return true;
    }
    if (!nets_open(config, error)) {
        return false;
    }
    ok = exports_open(config, error) && run_machine(config, serials, drives, outcome, error);
    notify_manager("STOPPING=1");
    exports_close();
    return ok;
}

int main(int argc, char **argv)
{
    g_autoptr(VmConfig) config = vm_config_new();
    g_autoptr(GError) error = NULL;
    Outcome outcome = OUTCOME_POWEROFF;
    bool ok;

    target_set(HUMPY_TARGET);
    options_set_program(config, HUMPY_PROGRAM);
    /* What was passed on to this program is not for those that it starts. An older kernel cannot do
     * that, and they have it then. */
    close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    setlocale(LC_CTYPE, "");
    g_log_set_default_handler(log_line, NULL);
    hw_register_types();
    models_register();
    ok = options_parse(config, argc, argv, &error);
    if (ok && config->output != NULL) {
        fputs(config->output, stdout);
    } else if (ok) {
        events_start();
        ok = daemon_fork(config, &error) && daemon_write_pidfile(config, &error) &&
             run(config, &outcome, &error);
        daemon_finish();
        qtest_close();
        displays_close();
        monitors_close();
        events_stop();
    }
    nets_close();
    chardev_cleanup();
    if (!ok) {
        print_line(error->message);
        outcome = outcome == OUTCOME_POWEROFF ? OUTCOME_ERROR : outcome;
    }
    if (config->detailed_status && outcome != OUTCOME_POWEROFF) {
        return outcome_row(outcome)->detailed;
    }
    return ok ? machine_guest_exit_status() : EXIT_FAILURE;
}
