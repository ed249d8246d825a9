/* SPDX-License-Identifier: GPL-2.0-or-later
 * payload-x86 [--smp N] FILE COMMAND-LINE: runs the x86 payload on the engine for x86 guests and
 * exits with the status that it ends with; 3 if it ends in any other way. What it prints is TAP.
 */
#include "x86-board.h"

#include <stdio.h>
#include <unistd.h>

static const char *const end_names[] = { "exit status",  "power off", "triple fault",
                                         "engine error", "stopped",   "time out" };

int main(int argc, char **argv)
{
    gint smp = 1;
    const GOptionEntry options[] = {
        { "smp", 0, 0, G_OPTION_ARG_INT, &smp, "Number of vCPUs", "N" }, { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new("FILE COMMAND-LINE");
    g_autoptr(GError) error = NULL;
    g_autoptr(X86Board) board = NULL;
    X86BoardEnd end;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 3 || smp < 1 ||
        smp > X86_BOARD_MAX_CPUS) {
        fprintf(stderr, "%s\n",
                error ? error->message : "usage: payload-x86 [--smp 1-8] FILE TEXT");
        return 2;
    }
    if (access("/dev/kvm", R_OK | W_OK) < 0) {
        printf("1..0 # SKIP no /dev/kvm\n");
        return 0;
    }
    board = x86_board_new((unsigned)smp, argv[2], &error);
    if (!board || !x86_board_load(board, argv[1], &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    x86_board_start(board, false);
    end = x86_board_wait(board);
    if (end != X86_BOARD_STATUS) {
        printf("Bail out! %s%s%s\n", end_names[end], x86_board_text(board) ? ": " : "",
               x86_board_text(board) ? x86_board_text(board) : "");
        return 3;
    }
    return (int)x86_board_status(board) & 0xff;
}
