/* SPDX-License-Identifier: GPL-2.0-or-later
 * The human monitor's view of guest memory: x, xp, print, sum. Numbers and formats as gdb and
 * QEMU's monitor have them.
 */
#include <string.h>

#include "hmp-commands.h"
#include "hw/core/machine.h"
#include "util/error.h"
#include "vm.h"

enum { MAX_COUNT = 65536 }; /* items in one x or xp */

/* ---- expressions: numbers, + - * / ( ) ---- */

typedef struct {
    const char *at;
    GError *error;
    unsigned depth;
} Expr;

static int64_t sum_of(Expr *e);

static void fail_expr(Expr *e, const char *text)
{
    if (e->error == NULL) {
        e->error =
            g_error_new(HUMPY_ERROR, HUMPY_ERROR_SYNTAX, "expression: %s at '%.40s'", text, e->at);
    }
    e->at = "";
}

static void skip_space(Expr *e)
{
    e->at += strspn(e->at, " \t");
}

static int64_t number_of(Expr *e)
{
    char *end;
    int64_t value;

    skip_space(e);
    if (*e->at == '-' || *e->at == '+' || *e->at == '~' || *e->at == '(') {
        char sign = *e->at++;

        if (++e->depth > 64) {
            fail_expr(e, "too deeply nested");
            return 0;
        }
        value = sign == '(' ? sum_of(e) : number_of(e);
        if (sign == '(') {
            skip_space(e);
            if (*e->at != ')') {
                fail_expr(e, "')' is missing");
                return 0;
            }
            e->at++;
        }
        e->depth--;
        return sign == '-' ? (int64_t)(0 - (uint64_t)value) : sign == '~' ? ~value : value;
    }
    if (*e->at == '$') {
        fail_expr(e, "registers cannot be read");
        return 0;
    }
    value = (int64_t)g_ascii_strtoull(e->at, &end, 0);
    if (end == e->at) {
        fail_expr(e, "a number is expected");
        return 0;
    }
    e->at = end;
    return value;
}

static int64_t product_of(Expr *e)
{
    int64_t value = number_of(e);

    while (true) {
        int64_t other;
        char op;

        skip_space(e);
        op = *e->at;
        if (op != '*' && op != '/' && op != '%') {
            return value;
        }
        e->at++;
        other = number_of(e);
        if (op == '*') {
            value = (int64_t)((uint64_t)value * (uint64_t)other);
        } else if (other == 0 || other == -1) {
            if (other == 0) {
                fail_expr(e, "division by zero");
                return 0;
            }
            value = op == '/' ? (int64_t)(0 - (uint64_t)value) : 0;
        } else {
            value = op == '/' ? value / other : value % other;
        }
    }
}

static int64_t sum_of(Expr *e)
{
    int64_t value = product_of(e);

    while (true) {
        char op;

        skip_space(e);
        op = *e->at;
        if (op != '+' && op != '-') {
            return value;
        }
        e->at++;
        if (op == '+') {
            value = (int64_t)((uint64_t)value + (uint64_t)product_of(e));
        } else {
            value = (int64_t)((uint64_t)value - (uint64_t)product_of(e));
        }
    }
}

static bool evaluate(const char *text, int64_t *value, GError **error)
{
    Expr e = { .at = text };

    *value = sum_of(&e);
    skip_space(&e);
    if (e.error == NULL && *e.at != '\0') {
        fail_expr(&e, "unexpected text");
    }
    if (e.error != NULL) {
        g_propagate_error(error, e.error);
        return false;
    }
    return true;
}

/* ---- formats ---- */

typedef struct {
    unsigned count;
    char format; /* x d u o c */
    unsigned size;
} Format;

/* "/8xw" at the start of *text, which moves behind it. */
static bool take_format(const char **text, Format *f, GError **error)
{
    const char *c = *text;

    if (*c != '/') {
        return true;
    }
    c++;
    if (g_ascii_isdigit(*c)) {
        char *end;
        guint64 count = g_ascii_strtoull(c, &end, 10);

        if (count > MAX_COUNT) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "the count is %d at most",
                        MAX_COUNT);
            return false;
        }
        f->count = count;
        c = end;
    }
    for (; *c != '\0' && *c != ' ' && *c != '\t'; c++) {
        static const char sizes[] = "bhwg";
        const char *size = strchr(sizes, *c);

        if (size != NULL) {
            f->size = 1u << (size - sizes);
        } else if (strchr("xduoc", *c) != NULL) {
            f->format = *c;
        } else {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                        *c == 'i' ? "there is no disassembler"
                                  : "'%c' is no format (x d u o c) and no size (b h w g)",
                        *c);
            return false;
        }
    }
    *text = c + strspn(c, " \t");
    return true;
}

static void append_char(GString *out, unsigned char c)
{
    if (c == '\'' || c == '\\') {
        g_string_append_printf(out, "'\\%c'", c);
    } else if (g_ascii_isprint(c)) {
        g_string_append_printf(out, "'%c'", c);
    } else if (c == '\n' || c == '\r') {
        g_string_append_printf(out, "'\\%c'", c == '\n' ? 'n' : 'r');
    } else {
        g_string_append_printf(out, "'\\x%02x'", c);
    }
}

static void append_value(GString *out, const Format *f, uint64_t value)
{
    unsigned unused = 64 - 8 * f->size;

    switch (f->format) {
    case 'd':
        g_string_append_printf(out, "%" G_GINT64_FORMAT, (int64_t)(value << unused) >> unused);
        break;
    case 'u':
        g_string_append_printf(out, "%" G_GUINT64_FORMAT, value);
        break;
    case 'o':
        g_string_append_printf(out, "%#" G_GINT64_MODIFIER "o", value);
        break;
    case 'c':
        append_char(out, value);
        break;
    default:
        g_string_append_printf(out, "0x%0*" G_GINT64_MODIFIER "x", (int)(2 * f->size), value);
        break;
    }
}

static void dump(GString *out, AddressSpace *as, const Format *f, hwaddr addr)
{
    unsigned per_line = f->format == 'c' ? 8 : 16 / f->size;

    for (unsigned i = 0; i < f->count; i++, addr += f->size) {
        uint8_t bytes[8] = {};
        uint64_t value = 0;

        if (i % per_line == 0) {
            g_string_append_printf(out, "%s%016" G_GINT64_MODIFIER "x:", i > 0 ? "\n" : "", addr);
        }
        if (address_space_read(as, addr, bytes, f->size) != 0) {
            g_string_append(out, "\nCannot access memory\n");
            return;
        }
        for (unsigned b = f->size; b-- > 0;) {
            value = value << 8 | bytes[b];
        }
        g_string_append_c(out, ' ');
        append_value(out, f, value);
    }
    g_string_append_c(out, '\n');
}

static Machine *machine(GError **error)
{
    if (vm_current() == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, "there is no machine yet");
        return NULL;
    }
    return vm_machine(vm_current());
}

static bool examine(HmpCall *call, Machine *m, GError **error)
{
    Format f = { 1, 'x', 4 };
    const char *text = call->rest;
    int64_t addr;

    if (!take_format(&text, &f, error) || !evaluate(text, &addr, error)) {
        return false;
    }
    if (f.format == 'c') {
        f.size = 1;
    }
    dump(call->out, machine_memory(m), &f, addr);
    return true;
}

bool hmp_xp(HmpCall *call, GError **error)
{
    Machine *m = machine(error);

    return m != NULL && examine(call, m, error);
}

bool hmp_x(HmpCall *call, GError **error)
{
    Machine *m = machine(error);

    if (m == NULL) {
        return false;
    }
    /* Without vCPUs nothing is translated: virtual addresses are physical ones. */
    if (accel_caps(machine_accel(m)) & ACCEL_CAP_VCPUS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "accelerator '%s' cannot translate virtual addresses (xp takes physical ones)",
                    accel_name(machine_accel(m)));
        return false;
    }
    return examine(call, m, error);
}

bool hmp_print(HmpCall *call, GError **error)
{
    Format f = { 1, 'd', 8 };
    const char *text = call->rest;
    int64_t value;

    if (!take_format(&text, &f, error) || !evaluate(text, &value, error)) {
        return false;
    }
    f.size = f.format == 'c' ? 1 : 8;
    if (f.format == 'x') {
        g_string_append_printf(call->out, "%#" G_GINT64_MODIFIER "x", value);
    } else {
        append_value(call->out, &f, f.format == 'c' ? (uint8_t)value : (uint64_t)value);
    }
    g_string_append_c(call->out, '\n');
    return true;
}

/* The BSD checksum of memory, as sum(1) has it. */
bool hmp_sum(HmpCall *call, GError **error)
{
    Machine *m = machine(error);
    int64_t addr, size;
    uint16_t sum = 0;

    if (m == NULL || !evaluate(call->words[0], &addr, error) ||
        !evaluate(call->words[1], &size, error)) {
        return false;
    }
    if (size < 0 || size > 1 << 30) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "the size is 0 to 1 GiB");
        return false;
    }
    for (int64_t i = 0; i < size; i++) {
        uint8_t byte = 0;

        address_space_read(machine_memory(m), addr + i, &byte, 1);
        sum = (sum >> 1) | (sum << 15);
        sum += byte;
    }
    g_string_append_printf(call->out, "%05d\n", sum);
    return true;
}

static bool hmp_save_memory(HmpCall *call, const char *command, GError **error)
{
    JsonObject *args = json_object_new();
    int64_t addr, size;

    if (!evaluate(call->words[0], &addr, error) || !evaluate(call->words[1], &size, error)) {
        json_object_unref(args);
        return false;
    }
    json_object_set_int_member(args, "val", addr);
    json_object_set_int_member(args, "size", size);
    json_object_set_string_member(args, "filename", call->words[2]);
    return hmp_qmp(command, args, NULL, error);
}

bool hmp_memsave(HmpCall *call, GError **error)
{
    return hmp_save_memory(call, "memsave", error);
}

bool hmp_pmemsave(HmpCall *call, GError **error)
{
    return hmp_save_memory(call, "pmemsave", error);
}
