/* SPDX-License-Identifier: GPL-2.0-or-later
 * Starting a VM: from a plan to humpy-system-*, which takes this process over. So whoever started
 * humpy has the VM's own process, exit status and signals.
 */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config-json.h"
#include "place.h"
#include "run.h"
#include "util/error.h"
#include "verbs.h"

/* humpy-system-ARCH beside this program, in the build's other folder, or wherever PATH says. */
char *run_find_program(const char *arch, GError **error)
{
    g_autofree char *name = g_strconcat("humpy-system-", arch, NULL);
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self != NULL ? g_path_get_dirname(self) : g_strdup(".");
    g_autofree char *beside = g_build_filename(dir, name, NULL);
    g_autofree char *built = g_build_filename(dir, "..", "system", name, NULL);
    char *found;

    if (access(beside, X_OK) == 0) {
        return g_steal_pointer(&beside);
    }
    if (access(built, X_OK) == 0) {
        return g_canonicalize_filename(built, NULL);
    }
    found = g_find_program_in_path(name);
    if (found == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "%s is neither in '%s' nor in a directory of PATH", name, dir);
    }
    return found;
}

static char *make_info(const Plan *plan, char **argv)
{
    g_autoptr(JsonBuilder) b = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(b);
    json_builder_set_member_name(b, "started");
    json_builder_add_int_value(b, g_get_real_time() / G_USEC_PER_SEC);
    json_builder_set_member_name(b, "arch");
    json_builder_add_string_value(b, plan->arch);
    json_builder_set_member_name(b, "cpus");
    json_builder_add_int_value(b, plan->cpus);
    json_builder_set_member_name(b, "memory_mib");
    json_builder_add_int_value(b, plan->memory_mib);
    json_builder_set_member_name(b, "protected");
    json_builder_add_boolean_value(b, plan->is_protected);
    json_builder_set_member_name(b, "command");
    json_builder_begin_array(b);
    for (char **word = argv; *word != NULL; word++) {
        g_autofree char *text = g_utf8_make_valid(*word, -1);

        json_builder_add_string_value(b, text);
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
    root = json_builder_get_root(b);
    return json_to_string(root, TRUE);
}

char *run_quote(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_=,./:@+%";

    return *word != '\0' && strspn(word, plain) == strlen(word) ? g_strdup(word)
                                                                : g_shell_quote(word);
}

static void print_argv(char **argv)
{
    for (char **word = argv; *word != NULL; word++) {
        g_autofree char *quoted = run_quote(*word);

        printf("%s%s", word == argv ? "" : " ", quoted);
    }
    putchar('\n');
}

static int start(Plan *plan, const char *program, GError **error)
{
    g_autoptr(Place) place = place_create(plan->name, error);
    PlanPlace where = { .program = program };
    g_auto(GStrv) argv = NULL;
    g_autofree char *info = NULL;

    if (place == NULL) {
        return -1;
    }
    where.name = place->name;
    where.pidfile = place->pidfile;
    where.qmp = place->qmp;
    where.console_path = place->console;
    where.vsock = place->vsock;
    argv = plan_argv(plan, &where, error);
    if (argv != NULL) {
        info = make_info(plan, argv);
        if (place_write_info(place, info, error)) {
            if (plan->background) {
                printf("%s\n", place->name);
            }
            fflush(NULL);
            execv(program, argv);
            error_set_errno(error, errno, "cannot run '%s'", program);
        }
    }
    place_remove(place);
    return -1;
}

int run_plan(Plan *plan, GError **error)
{
    g_autofree char *program = NULL;

    if (!plan_resolve_files(plan, error)) {
        return -1;
    }
    program = run_find_program(plan->arch, error);
    if (program == NULL) {
        return -1;
    }
    if (plan->dry_run || plan->dump_dtb != NULL) {
        PlanPlace nowhere = { .program = program };
        g_auto(GStrv) argv = plan_argv(plan, &nowhere, error);

        if (argv == NULL) {
            return -1;
        }
        if (plan->dry_run) {
            print_argv(argv);
            return 0;
        }
        execv(program, argv);
        error_set_errno(error, errno, "cannot run '%s'", program);
        return -1;
    }
    return start(plan, program, error);
}

bool check_vm_linux(Request *r, GError **error)
{
    Plan *plan = r->plan;

    if (r->words->len == 0 && plan->firmware == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "KERNEL is missing, or --bios FILE in its place");
        return false;
    }
    if (r->words->len > 0) {
        plan->kernel = g_strdup(g_ptr_array_index(r->words, 0));
    }
    if (r->words->len > 1) {
        if (plan->initrd != NULL) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "INITRD and --initrd are the same thing");
            return false;
        }
        plan->initrd = g_strdup(g_ptr_array_index(r->words, 1));
    }
    return plan_check(plan, error);
}

int run_vm_linux(Request *r, GError **error)
{
    return run_plan(r->plan, error);
}

int run_vm_config(Request *r, GError **error)
{
    const char *path = g_ptr_array_index(r->words, 0);

    if (!config_json_read(path, r->plan, error) || !plan_check(r->plan, error)) {
        g_prefix_error(error, "%s: ", path);
        return -1;
    }
    return run_plan(r->plan, error);
}
