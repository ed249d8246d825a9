/* SPDX-License-Identifier: GPL-2.0-or-later
 * The command line. One table says everything about each option: -help, the man page, and the test
 * that compares the documentation with the program all come from it.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "config.h"

typedef struct {
    const char *name;    /* without dash */
    const char *alias;   /* a second spelling, or NULL */
    const char *arg;     /* synopsis of the argument; NULL: takes none */
    const char *summary; /* one line for -help */
    const char *detail;  /* paragraph for the man page; may be NULL */
    /* Records what was asked for. Errors state the fact; the reader of the command line puts the
     * option as typed in front. arg is NULL where the option takes none. */
    bool (*handler)(VmConfig *config, const char *arg, GError **error);
} Option;

typedef struct {
    const char *title;
    const Option *options; /* up to one without a name */
} OptionSection;

extern const OptionSection *option_sections; /* up to one without a title */

typedef enum { PROGRAM_SYSTEM, PROGRAM_EXPORT } Program;
/* Which program it is: its options and name, and what it takes as given. [main, before all else] */
void options_set_program(VmConfig *config, Program program);

extern const OptionSection option_sections_export[]; /* humpy-export's */

/* Reads argv into config. Stops early, with config->output set, at what only prints. */
bool options_parse(VmConfig *config, int argc, char **argv, GError **error);
const Option *options_find(const char *name); /* name or alias, or NULL */
char *options_help(void);                     /* text of -help */
char *options_dump(void);                     /* JSON text of -dump-options */

/* ---- handlers, by file ---- */
bool option_machine(VmConfig *config, const char *arg, GError **error); /* options-machine.c */
bool option_accel(VmConfig *config, const char *arg, GError **error);
bool option_cpu(VmConfig *config, const char *arg, GError **error);
bool option_smp(VmConfig *config, const char *arg, GError **error);
bool option_vcpu_sched(VmConfig *config, const char *arg, GError **error);
/* Takes 1 to 65535 into *count, which stays where key was not given. */
bool option_take_count(KeyVal *kv, const char *key, uint64_t *count, GError **error);
bool option_android_boot(VmConfig *config, const char *arg, GError **error);
bool option_m(VmConfig *config, const char *arg, GError **error);
bool option_numa(VmConfig *config, const char *arg, GError **error); /* options-objects.c */
bool option_object(VmConfig *config, const char *arg, GError **error);
bool option_readconfig(VmConfig *config, const char *path, GError **error); /* readconfig.c */
bool option_name(VmConfig *config, const char *arg, GError **error);

bool option_mon(VmConfig *config, const char *arg, GError **error); /* options-monitor.c */
bool option_qmp(VmConfig *config, const char *arg, GError **error);
bool option_qmp_pretty(VmConfig *config, const char *arg, GError **error);
bool option_monitor(VmConfig *config, const char *arg, GError **error);
/* humpy-export's, which is what option_mon() is elsewhere, but for QMP */
bool option_monitor_export(VmConfig *config, const char *arg, GError **error);
bool option_action(VmConfig *config, const char *arg, GError **error);
bool option_exit_status(VmConfig *config, const char *arg, GError **error);
bool option_trace(VmConfig *config, const char *arg, GError **error);
bool option_uuid(VmConfig *config, const char *arg, GError **error);

/* ---- option-foreign.c ---- */
typedef struct {
    const char *names; /* separated by spaces */
    const char *arg;   /* synopsis of the argument; NULL: takes none */
    const char *none;  /* the argument that asks for nothing, or NULL */
    AccelCap cap;      /* what it takes, or 0 */
    const char *why;   /* without cap: what is said */
} ForeignOption;

/* The option of QEMU's called name that Humpy does not have, or NULL. */
const ForeignOption *foreign_find(const char *name);
/* TRUE: asks for nothing, or noted down for the accelerator to answer. Else UNSUPPORTED. */
bool foreign_take(const ForeignOption *option, VmConfig *config, const char *typed, const char *arg,
                  GError **error);

/* ---- keyval-json.c ---- */
/* "a=b,c.d=e" or a JSON object {"a": "b", "c": {"d": "e"}}, which means the same. */
KeyVal *keyval_parse_or_json(const char *text, const char *implied_key, GError **error);
KeyVal *keyval_from_json(JsonObject *object, GError **error);
