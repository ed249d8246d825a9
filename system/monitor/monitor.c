/* SPDX-License-Identifier: GPL-2.0-or-later
 * All monitors: their thread, and whose turn it is in the main thread. Each gets one command run at
 * a time, in turns, when the phase allows it.
 */
#include "monitor.h"

#include "hmp-monitor.h"
#include "qmp-monitor.h"
#include "serials.h"
#include "util/error.h"

static GPtrArray *qmps; /* of QmpMonitor; changed before the thread starts and after it ends */
static GPtrArray *hmps; /* of HmpMonitor; [main] */
static GMainContext *context;
static gint closing; /* atomic; the thread ends */
static GThread *thread;
static GSource *pump; /* in the main context: ready when a command may wait */
static unsigned turn;
static int phase = MONITOR_WAIT; /* atomic */
static QmpMonitor *current;
static GHashTable *named_fds; /* name (char *) to fd + 1; [main] */

/* ---- turns ---- */

void monitor_kick(void)
{
    if (pump != NULL) {
        g_source_set_ready_time(pump, 0);
    }
}

static gboolean run_next(gpointer data)
{
    g_source_set_ready_time(pump, -1);
    if (monitors_phase() == MONITOR_WAIT) {
        return G_SOURCE_CONTINUE;
    }
    for (unsigned i = 0; i < qmps->len; i++) {
        QmpMonitor *outer = current; /* whose command waits and lets others run */
        bool ran;

        current = g_ptr_array_index(qmps, turn++ % qmps->len);
        ran = qmp_monitor_run_one(current);
        current = outer;
        if (ran) {
            monitor_kick(); /* there may be more */
            break;
        }
    }
    return G_SOURCE_CONTINUE;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    return callback(data);
}

static GSourceFuncs pump_funcs = { .dispatch = dispatch };

void monitors_set_phase(MonitorPhase wanted)
{
    g_atomic_int_set(&phase, wanted);
    for (unsigned i = 0; hmps != NULL && i < hmps->len; i++) {
        hmp_monitor_set_ready(g_ptr_array_index(hmps, i), wanted != MONITOR_WAIT);
    }
    monitor_kick();
}

MonitorPhase monitors_phase(void)
{
    return g_atomic_int_get(&phase);
}

QmpMonitor *monitor_current(void)
{
    return current;
}

void monitor_foreach(void (*fn)(QmpMonitor *mon, void *opaque), void *opaque)
{
    for (unsigned i = 0; qmps != NULL && i < qmps->len; i++) {
        fn(g_ptr_array_index(qmps, i), opaque);
    }
}

/* ---- descriptors ---- */

int monitor_take_fd(void)
{
    return current != NULL ? chardev_take_fd(qmp_monitor_chardev(current)) : -1;
}

void monitor_name_fd(const char *name, int fd)
{
    monitor_close_fd(name);
    g_hash_table_insert(named_fds, g_strdup(name), GINT_TO_POINTER(fd + 1));
}

int monitor_take_named_fd(const char *name, GError **error)
{
    int fd = named_fds != NULL ? GPOINTER_TO_INT(g_hash_table_lookup(named_fds, name)) - 1 : -1;

    if (fd < 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "there is no file descriptor named '%s'", name);
        return -1;
    }
    g_hash_table_remove(named_fds, name);
    return fd;
}

bool monitor_close_fd(const char *name)
{
    int fd = monitor_take_named_fd(name, NULL);

    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

/* ---- life ---- */

static gpointer run_thread(gpointer data)
{
    g_main_context_push_thread_default(context);
    while (!g_atomic_int_get(&closing)) {
        g_main_context_iteration(context, TRUE);
    }
    g_main_context_pop_thread_default(context);
    return NULL;
}

static Chardev *find_chardev(const MonitorOption *option, GError **error)
{
    g_autofree char *id = NULL;
    Chardev *chr;

    if (option->device != NULL) {
        id = g_strdup_printf("compat_monitor%u", qmps->len + hmps->len);
        chr = chardev_new_from_short(option->device, id, error);
    } else {
        chr = chardev_find(option->chardev);
        if (chr == NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "there is no chardev '%s'",
                        option->chardev);
        }
    }
    return chr;
}

static bool open_one(const MonitorOption *option, GError **error)
{
    Chardev *chr = find_chardev(option, error);
    bool hmp = option->mode == MONITOR_READLINE;
    void *mon = NULL;

    if (chr != NULL && hmp) {
        mon = hmp_monitor_new(chr, error);
    } else if (chr != NULL) {
        mon = qmp_monitor_new(chr, option->pretty, context, error);
    }
    if (mon == NULL) {
        g_prefix_error(error, "%s: ", option->typed);
        return false;
    }
    g_ptr_array_add(hmp ? hmps : qmps, mon);
    return true;
}

static void start(void)
{
    qmps = g_ptr_array_new();
    hmps = g_ptr_array_new();
    named_fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    context = g_main_context_new();
    g_atomic_int_set(&closing, 0);
    pump = g_source_new(&pump_funcs, sizeof(GSource));
    g_source_set_callback(pump, run_next, NULL, NULL);
    g_source_set_can_recurse(pump, TRUE);
    g_source_attach(pump, NULL);
}

/* -serial mon:stdio */
static bool open_behind_serials(const Serials *serials, GError **error)
{
    for (unsigned i = 0; i < serials->ports->len; i++) {
        const SerialPort *port = &g_array_index(serials->ports, SerialPort, i);
        HmpMonitor *mon;

        if (!port->has_monitor) {
            continue;
        }
        mon = hmp_monitor_new(port->chr, error);
        if (mon == NULL) {
            g_prefix_error(error, "%s: ", port->option);
            return false;
        }
        g_ptr_array_add(hmps, mon);
    }
    return true;
}

bool monitors_open(const VmConfig *config, const Serials *serials, GError **error)
{
    start();
    if (!open_behind_serials(serials, error)) {
        monitors_close();
        return false;
    }
    for (unsigned i = 0; i < config->monitors->len; i++) {
        if (!open_one(g_ptr_array_index(config->monitors, i), error)) {
            monitors_close();
            return false;
        }
    }
    if (qmps->len > 0) {
        thread = g_thread_new("monitor", run_thread, NULL);
    }
    return true;
}

static void close_fds(void)
{
    GHashTableIter iter;
    gpointer fd;

    g_hash_table_iter_init(&iter, named_fds);
    while (g_hash_table_iter_next(&iter, NULL, &fd)) {
        close(GPOINTER_TO_INT(fd) - 1);
    }
    g_clear_pointer(&named_fds, g_hash_table_unref);
}

void monitors_close(void)
{
    if (qmps == NULL) {
        return;
    }
    monitors_set_phase(MONITOR_WAIT);
    if (thread != NULL) {
        g_atomic_int_set(&closing, 1);
        g_main_context_wakeup(context);
        g_thread_join(g_steal_pointer(&thread));
    }
    g_ptr_array_foreach(qmps, (GFunc)(void (*)(void))qmp_monitor_free, NULL);
    g_clear_pointer(&qmps, g_ptr_array_unref);
    g_ptr_array_foreach(hmps, (GFunc)(void (*)(void))hmp_monitor_free, NULL);
    g_clear_pointer(&hmps, g_ptr_array_unref);
    g_source_destroy(pump);
    g_clear_pointer(&pump, g_source_unref);
    g_clear_pointer(&context, g_main_context_unref);
    close_fds();
}
