/* SPDX-License-Identifier: GPL-2.0-or-later
 * Property tables: one row per property gives the GObject property, its text form on the command
 * line, `-device X,help`, the man page and the docs test. Nothing else is written per property.
 *
 *     static const Prop rtc_props[] = {
 *         PROP_U32("irq", Rtc, irq, 2, 0, 987, "Interrupt line"),
 *     };
 *     props_install(G_OBJECT_CLASS(klass), rtc_props, G_N_ELEMENTS(rtc_props));
 *
 * A row's field type is checked at compile time. Defaults are written into the instance by
 * GObject construction. Strings are owned by the instance and freed by the caller's finalize
 * through props_clear().
 */
#pragma once

#include <glib-object.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    PROP_KIND_BOOL,
    PROP_KIND_U32,
    PROP_KIND_U64,
    PROP_KIND_SIZE, /* uint64_t bytes; text takes K, M, G, T suffixes */
    PROP_KIND_STRING,
    PROP_KIND_ENUM,      /* int field, index into names */
    PROP_KIND_ONOFFAUTO, /* int field: 0 auto, 1 on, 2 off */
} PropKind;

/* Values of a PROP_KIND_ONOFFAUTO field. */
enum { PROP_AUTO, PROP_ON, PROP_OFF };

typedef struct {
    const char *name;
    PropKind kind;
    size_t offset;
    uint64_t def;
    const char *def_str;
    uint64_t min, max;
    const char *const *names; /* ENUM: NULL-terminated */
    const char *help;
} Prop;

#define PROP_FIELD(T, f, type) (offsetof(T, f) + 0 * sizeof(1 ? &((T *)0)->f : (type *)0))

#define PROP_BOOL(n, T, f, d, h)                                                                   \
    {                                                                                              \
        .name = n, .kind = PROP_KIND_BOOL, .offset = PROP_FIELD(T, f, bool), .def = d, .max = 1,   \
        .help = h                                                                                  \
    }
#define PROP_U32(n, T, f, d, lo, hi, h)                                                            \
    {                                                                                              \
        .name = n, .kind = PROP_KIND_U32, .offset = PROP_FIELD(T, f, uint32_t), .def = d,          \
        .min = lo, .max = hi, .help = h                                                            \
    }
#define PROP_U64(n, T, f, d, lo, hi, h)                                                            \
    {                                                                                              \
        .name = n, .kind = PROP_KIND_U64, .offset = PROP_FIELD(T, f, uint64_t), .def = d,          \
        .min = lo, .max = hi, .help = h                                                            \
    }
#define PROP_SIZE(n, T, f, d, lo, hi, h)                                                           \
    {                                                                                              \
        .name = n, .kind = PROP_KIND_SIZE, .offset = PROP_FIELD(T, f, uint64_t), .def = d,         \
        .min = lo, .max = hi, .help = h                                                            \
    }
#define PROP_STRING(n, T, f, d, h)                                                                 \
    {                                                                                              \
        .name = n, .kind = PROP_KIND_STRING, .offset = PROP_FIELD(T, f, char *), .def_str = d,     \
        .help = h                                                                                  \
    }
#define PROP_ENUM(n, T, f, d, names_, h)                                                           \
    {                                                                                              \
        .name = n, .kind = PROP_KIND_ENUM, .offset = PROP_FIELD(T, f, int), .def = d,              \
        .names = names_, .help = h                                                                 \
    }
#define PROP_ONOFFAUTO(n, T, f, h)                                                                 \
    {                                                                                              \
        .name = n, .kind = PROP_KIND_ONOFFAUTO, .offset = PROP_FIELD(T, f, int), .help = h         \
    }

/* [class_init] Installs rows as construct properties of klass and the generic get/set for them.
 * rows must live for ever. */
void props_install(GObjectClass *klass, const Prop *rows, unsigned n);

/* Sets obj's property from its text form. FALSE: *error is UNKNOWN (names the nearest), SYNTAX or
 * RANGE (names the value and what is valid), and nothing changed. */
bool props_set_str(GObject *obj, const char *name, const char *value, GError **error);

/* The row called name, or NULL. */
const Prop *props_find(GObjectClass *klass, const char *name);

/* Text form of a property's value, newly allocated; NULL if there is no such row. */
char *props_get_str(GObject *obj, const char *name);

/* The same of a row's default; NULL: a string that is not there. */
char *props_default_str(const Prop *row);

/* Calls fn once per row of klass and its parents, parents first. */
typedef void (*PropsFn)(const Prop *row, void *opaque);
void props_foreach(GObjectClass *klass, PropsFn fn, void *opaque);

/* "name=<type>  - help (default: x)" lines, one per row, as -device X,help prints them. */
char *props_help(GObjectClass *klass);

/* [finalize] Frees every STRING field of obj. */
void props_clear(GObject *obj);

/* "64M", "1.5G", "4096" to bytes. suffix 0: plain numbers are bytes; 'M': plain numbers are MiB. */
bool props_parse_size(const char *text, char suffix, uint64_t *bytes, GError **error);

/* Decimal or 0x number with nothing behind it. */
bool props_parse_u64(const char *text, uint64_t *value, GError **error);

/* on, yes, true, y or their opposites. FALSE: neither, *value is false then. */
bool props_parse_bool(const char *text, bool *value);
