/* SPDX-License-Identifier: GPL-2.0-or-later
 * Encoding of ACPI machine language: see hw/acpi/aml.h; section numbers are of ACPI 6.4. The
 * length of a block stands before it and has one to four bytes, so it is inserted at its end.
 * Resource descriptors are aml-resource.c's.
 */
#include <string.h>

#include "aml-priv.h"
#include "util/error.h"

enum {
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_DUAL_NAME = 0x2e,
    OP_MULTI_NAME = 0x2f,
    OP_EXT = 0x5b,
    OP_EXT_DEVICE = 0x82,
    OP_IF = 0xa0,
    OP_ELSE = 0xa1,

    METHOD_MAX_ARGS = 7,
    SEGMENT = 4, /* characters */
    MAX_DEPTH = 8,
};

typedef enum { BLOCK_PLAIN, BLOCK_BUFFER, BLOCK_RESOURCES } BlockKind;

struct Aml {
    GByteArray *bytes;
    size_t max;
    bool full;
    unsigned depth;
    struct {
        size_t start; /* where the block's length will be */
        BlockKind kind;
    } block[MAX_DEPTH];
};

Aml *aml_new(size_t max)
{
    Aml *aml = g_new0(Aml, 1);

    aml->bytes = g_byte_array_new();
    aml->max = max;
    return aml;
}

GBytes *aml_finish(Aml *aml, GError **error)
{
    bool full = aml->full;
    size_t max = aml->max;
    GBytes *bytes;

    g_assert(aml->depth == 0);
    bytes = g_byte_array_free_to_bytes(aml->bytes);
    g_free(aml);
    if (full) {
        g_bytes_unref(bytes);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "definitions do not fit into %zu bytes of ACPI machine language", max);
        return NULL;
    }
    return bytes;
}

/* ---- bytes ---- */

void aml_put(Aml *aml, uint64_t value, unsigned size)
{
    uint64_t le = GUINT64_TO_LE(value);

    if (aml->full || aml->bytes->len + size > aml->max) {
        aml->full = true;
        return;
    }
    g_byte_array_append(aml->bytes, (const uint8_t *)&le, size);
}

static void insert(Aml *aml, size_t at, const uint8_t *data, size_t size)
{
    size_t len = aml->bytes->len;

    if (aml->full || len + size > aml->max) {
        aml->full = true;
        return;
    }
    g_byte_array_set_size(aml->bytes, len + size);
    memmove(aml->bytes->data + at + size, aml->bytes->data + at, len - at);
    memcpy(aml->bytes->data + at, data, size);
}

void aml_op(Aml *aml, uint8_t op)
{
    aml_put(aml, op, 1);
}

/* ---- data objects, 20.2.3 ---- */

/* Returns how many bytes; out has room for nine. */
static unsigned encode_int(uint64_t value, uint8_t *out)
{
    uint64_t le = GUINT64_TO_LE(value);
    unsigned size = value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
    static const uint8_t prefix[] = {
        [1] = OP_BYTE, [2] = OP_WORD, [4] = OP_DWORD, [8] = OP_QWORD
    };

    if (value <= 1) {
        out[0] = value == 0 ? AML_ZERO : AML_ONE;
        return 1;
    }
    out[0] = prefix[size];
    memcpy(out + 1, &le, size);
    return 1 + size;
}

void aml_int(Aml *aml, uint64_t value)
{
    uint8_t bytes[9];
    unsigned n = encode_int(value, bytes);

    for (unsigned i = 0; i < n; i++) {
        aml_put(aml, bytes[i], 1);
    }
}

void aml_string(Aml *aml, const char *text)
{
    aml_put(aml, OP_STRING, 1);
    do {
        aml_put(aml, (uint8_t)*text, 1);
    } while (*text++ != '\0');
}

/* 19.6.36: three letters of five bits, four hexadecimal digits, the highest byte first. */
void aml_eisa_id(Aml *aml, const char *id)
{
    uint32_t value = 0;

    g_assert(strlen(id) == 7);
    for (unsigned i = 0; i < 3; i++) {
        value = value << 5 | ((id[i] - 'A' + 1) & 0x1f);
    }
    for (unsigned i = 3; i < 7; i++) {
        value = value << 4 | (unsigned)g_ascii_xdigit_value(id[i]);
    }
    aml_put(aml, OP_DWORD, 1);
    aml_put(aml, GUINT32_SWAP_LE_BE(value), 4);
}

/* ---- names, 20.2.2 ---- */

static void put_segment(Aml *aml, const char *text, size_t len)
{
    g_assert(len >= 1 && len <= SEGMENT);
    for (size_t i = 0; i < SEGMENT; i++) {
        aml_put(aml, i < len ? (uint8_t)text[i] : '_', 1);
    }
}

void aml_path(Aml *aml, const char *path)
{
    g_auto(GStrv) segments = NULL;
    unsigned n;

    if (path[0] == '\\') {
        aml_put(aml, *path++, 1);
    }
    segments = g_strsplit(path, ".", -1);
    n = g_strv_length(segments);
    g_assert(n >= 1 && n <= UINT8_MAX);
    if (n == 2) {
        aml_put(aml, OP_DUAL_NAME, 1);
    } else if (n > 2) {
        aml_put(aml, OP_MULTI_NAME, 1);
        aml_put(aml, n, 1);
    }
    for (unsigned i = 0; i < n; i++) {
        put_segment(aml, segments[i], strlen(segments[i]));
    }
}

void aml_name(Aml *aml, const char *path)
{
    aml_op(aml, OP_NAME);
    aml_path(aml, path);
}

/* ---- blocks ---- */

static void begin(Aml *aml, BlockKind kind)
{
    g_assert(aml->depth < MAX_DEPTH);
    aml->block[aml->depth].start = aml->bytes->len;
    aml->block[aml->depth].kind = kind;
    aml->depth++;
}

/* 20.2.4: the length counts its own bytes. Six bits, or four and further bytes of eight, whose
 * number is in the two highest bits of the first. */
static void insert_length(Aml *aml, size_t start)
{
    size_t body = aml->bytes->len - start;
    unsigned n = 1;
    uint8_t bytes[4];

    while (n < 4 && body + n >= (n == 1 ? (size_t)1 << 6 : (size_t)1 << (4 + 8 * (n - 1)))) {
        n++;
    }
    body += n;
    bytes[0] = n == 1 ? body : (n - 1) << 6 | (body & 0xf);
    for (unsigned i = 1; i < n; i++) {
        bytes[i] = body >> (4 + 8 * (i - 1));
    }
    insert(aml, start, bytes, n);
}

void aml_end(Aml *aml)
{
    size_t start;
    uint8_t size[9];

    g_assert(aml->depth > 0);
    aml->depth--;
    start = aml->block[aml->depth].start;
    if (aml->block[aml->depth].kind == BLOCK_RESOURCES) {
        aml_res_end(aml);
    }
    if (aml->block[aml->depth].kind != BLOCK_PLAIN) {
        insert(aml, start, size, encode_int(aml->bytes->len - start, size));
    }
    insert_length(aml, start);
}

void aml_scope(Aml *aml, const char *path)
{
    aml_op(aml, OP_SCOPE);
    begin(aml, BLOCK_PLAIN);
    aml_path(aml, path);
}

void aml_device(Aml *aml, const char *name)
{
    aml_op(aml, OP_EXT);
    aml_op(aml, OP_EXT_DEVICE);
    begin(aml, BLOCK_PLAIN);
    aml_path(aml, name);
}

void aml_method(Aml *aml, const char *name, unsigned n_args)
{
    g_assert(n_args <= METHOD_MAX_ARGS);
    aml_op(aml, OP_METHOD);
    begin(aml, BLOCK_PLAIN);
    aml_path(aml, name);
    aml_op(aml, n_args | 1 << 3); /* serialized: fields are created in some */
}

void aml_package(Aml *aml, unsigned n_elements)
{
    g_assert(n_elements <= UINT8_MAX);
    aml_op(aml, OP_PACKAGE);
    begin(aml, BLOCK_PLAIN);
    aml_op(aml, n_elements);
}

void aml_if(Aml *aml)
{
    aml_op(aml, OP_IF);
    begin(aml, BLOCK_PLAIN);
}

void aml_else(Aml *aml)
{
    aml_op(aml, OP_ELSE);
    begin(aml, BLOCK_PLAIN);
}

void aml_resources(Aml *aml)
{
    aml_op(aml, OP_BUFFER);
    begin(aml, BLOCK_RESOURCES);
}

void aml_buffer(Aml *aml, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    aml_op(aml, OP_BUFFER);
    begin(aml, BLOCK_BUFFER);
    for (size_t i = 0; i < size; i++) {
        aml_put(aml, bytes[i], 1);
    }
    aml_end(aml);
}

/* 19.6.142: the first three groups are numbers with the lowest byte first. */
void aml_uuid(Aml *aml, const char *uuid)
{
    static const uint8_t order[] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    uint8_t bytes[16], n = 0;

    for (const char *c = uuid; *c != '\0' && n < sizeof(bytes); c++) {
        if (*c != '-') {
            bytes[order[n++]] = g_ascii_xdigit_value(c[0]) << 4 | g_ascii_xdigit_value(c[1]);
            c++;
        }
    }
    g_assert(n == sizeof(bytes));
    aml_buffer(aml, bytes, sizeof(bytes));
}
