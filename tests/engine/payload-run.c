/* SPDX-License-Identifier: GPL-2.0-or-later
 * payload-run [--engine NAME] [--smp N] FILE: runs a flat bare-metal image on an arm64 engine and
 * exits with the status that it writes to its exit port; 3 if it ends in any other way. What it
 * prints is TAP. Where the engine is KVM and there is none, it says that it is skipped.
 */
#include "payload-vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const end_names[] = { [PAYLOAD_END_STATUS] = "exit status",
                                         [PAYLOAD_END_OFF] = "system off",
                                         [PAYLOAD_END_RESET] = "system reset",
                                         [PAYLOAD_END_ERROR] = "engine error",
                                         [PAYLOAD_END_STOPPED] = "stopped" };

int main(int argc, char **argv)
{
    gint smp = 1;
    g_autofree char *chosen = NULL;
    const char *engine;
    const GOptionEntry options[] = {
        { "engine", 0, 0, G_OPTION_ARG_STRING, &chosen, "a64 (the default) or kvm", "NAME" },
        { "smp", 0, 0, G_OPTION_ARG_INT, &smp, "Number of vCPUs", "N" },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("FILE");
    g_autoptr(GError) error = NULL;
    g_autoptr(PayloadVm) vm = NULL;
    PayloadResult result;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 || smp < 1 ||
        smp > PAYLOAD_MAX_CPUS) {
        fprintf(stderr, "%s\n",
                error != NULL ? error->message
                              : "usage: payload-run [--engine NAME] [--smp 1-8] FILE");
        return 2;
    }
    engine = chosen != NULL ? chosen : "a64";
    if (g_str_equal(engine, "kvm") && access("/dev/kvm", R_OK | W_OK) != 0) {
        printf("1..0 # SKIP no /dev/kvm\n");
        return 0;
    }
    vm = payload_vm_new(engine, smp, &error);
    if (vm == NULL || !payload_vm_load(vm, argv[1], PAYLOAD_ENTRY, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    result = payload_vm_run(vm, PAYLOAD_ENTRY);
    if (result.end != PAYLOAD_END_STATUS) {
        printf("Bail out! %s%s%s\n", end_names[result.end], result.text != NULL ? ": " : "",
               result.text != NULL ? result.text : "");
        return 3;
    }
    return result.status & 0xff;
}
