/* SPDX-License-Identifier: GPL-2.0-or-later
 * Keys from a chardev through readline into hmp.c, and the text back.
 */
#include "hmp-monitor.h"

#include <string.h>

#include "hmp.h"
#include "monitor-out.h"
#include "readline.h"

#define PROMPT "(qemu) " /* what scripts that drive QEMU's monitor wait for */
#define BANNER "Humpy " HUMPY_VERSION " monitor - type 'help' for more information\n"

enum { ROOM = 4096 };

struct HmpMonitor {
    Chardev *chr;
    bool on_mux;
    bool greeted;
    bool ready;
    MonitorOut *out;
    Readline *readline;
};

static HmpMonitor *current; /* whose line runs */

static void show(void *opaque, const char *text, size_t len)
{
    HmpMonitor *mon = opaque;

    monitor_out_send(mon->out, text, len);
}

/* A terminal in raw mode needs CR before LF. */
static void print(HmpMonitor *mon, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *all = g_strjoinv("\r\n", lines);

    show(mon, all, strlen(all));
}

static void run_line(void *opaque, const char *line)
{
    HmpMonitor *mon = opaque;
    g_autofree char *text = NULL;

    current = mon;
    text = hmp_run(line);
    current = NULL;
    print(mon, text);
    readline_show(mon->readline);
}

static void complete(void *opaque, const char *line, GPtrArray *words)
{
    hmp_complete(line, words);
}

static const ReadlineOps readline_ops = { show, run_line, complete };

const char *hmp_monitor_history(unsigned n)
{
    return current != NULL ? readline_history(current->readline, n) : NULL;
}

/* ---- the chardev's front end ---- */

static size_t can_receive(void *opaque)
{
    HmpMonitor *mon = opaque;

    return mon->ready && !monitor_out_is_full(mon->out) ? ROOM : 0;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    HmpMonitor *mon = opaque;

    for (size_t i = 0; i < len; i++) {
        readline_key(mon->readline, buf[i]);
    }
}

static void greet(HmpMonitor *mon)
{
    if (!mon->greeted) {
        print(mon, BANNER);
        mon->greeted = true;
    }
    readline_show(mon->readline);
}

static void event(void *opaque, ChardevEvent what)
{
    HmpMonitor *mon = opaque;

    switch (what) {
    case CHARDEV_OPENED:
        if (!mon->on_mux) {
            mon->greeted = false;
            monitor_out_reset(mon->out);
            readline_reset(mon->readline);
            greet(mon);
        }
        break;
    case CHARDEV_FOCUS:
        print(mon, "\n");
        greet(mon);
        break;
    case CHARDEV_BLURRED:
        print(mon, "\n");
        break;
    case CHARDEV_RESIZED:
    case CHARDEV_CLOSED:
    case CHARDEV_BREAK:
        break;
    }
}

static const ChardevFrontend frontend = {
    .can_receive = can_receive,
    .receive = receive,
    .event = event,
};

/* ---- life ---- */

void hmp_monitor_set_ready(HmpMonitor *mon, bool ready)
{
    mon->ready = ready;
    if (ready) {
        chardev_accept_input(mon->chr);
    }
}

static void drained(void *opaque)
{
    HmpMonitor *mon = opaque;

    chardev_accept_input(mon->chr);
}

HmpMonitor *hmp_monitor_new(Chardev *chr, GError **error)
{
    HmpMonitor *mon = g_new0(HmpMonitor, 1);
    bool ok;

    mon->chr = chr;
    mon->on_mux = chardev_is_mux(chr);
    mon->out = monitor_out_new(chr, NULL, drained, mon);
    mon->readline = readline_new(PROMPT, &readline_ops, mon);
    ok = mon->on_mux ? chardev_attach_monitor(chr, &frontend, mon, error)
                     : chardev_attach(chr, &frontend, mon, error);
    if (!ok) {
        mon->chr = NULL;
        hmp_monitor_free(mon);
        return NULL;
    }
    return mon;
}

void hmp_monitor_free(HmpMonitor *mon)
{
    if (mon->chr != NULL && mon->on_mux) {
        chardev_detach_monitor(mon->chr);
    } else if (mon->chr != NULL) {
        chardev_detach(mon->chr);
    }
    monitor_out_free(mon->out);
    readline_free(mon->readline);
    g_free(mon);
}
