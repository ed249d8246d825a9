/* SPDX-License-Identifier: GPL-2.0-or-later
 * The qtest commands that carry data, in hex or base64, and memset.
 */
#include <string.h>

#include "../vm.h"
#include "hw/core/machine.h"
#include "qtest-priv.h"

enum {
    PREFIX = 8,
    PART = 48 << 10, /* bytes of memory at a time; whole groups of base64 */
    KEPT = 4 << 20,  /* a buffer up to this is not freed */
};

static AddressSpace *memory(void)
{
    return machine_memory(vm_machine(vm_current()));
}

static bool range(const QtestLine *line, uint64_t *addr, uint64_t *len)
{
    if (!qtest_number(line, 1, addr) || !qtest_number(line, 2, len)) {
        return false;
    }
    if (*len > QTEST_MAX_DATA) {
        qtest_sendf("ERR length is more than %d", QTEST_MAX_DATA);
        return false;
    }
    return true;
}

/* Both directions through one buffer, which stays for the next command unless it is large. */
static uint8_t *buffer(size_t len)
{
    static uint8_t *bytes;
    static size_t room;

    if (len > room || room > KEPT) {
        g_free(bytes);
        room = MAX(len, 4096);
        bytes = g_malloc(room);
    }
    return bytes;
}

/* ---- hex ---- */

/* Two digits for each byte. */
static const char digits[] = "0123456789abcdef";

static size_t encode_hex(char *out, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return 2 * n;
}

/* What is in memory, in parts so that the client takes one while the next is made. */
static void reply_with_data(const QtestLine *line, const char *prefix,
                            size_t (*encode)(char *out, const uint8_t *bytes, size_t n))
{
    static char out[PREFIX + 2 * PART + 1];
    size_t n = strlen(prefix);
    uint64_t addr, len;
    uint8_t *bytes;

    if (!range(line, &addr, &len)) {
        return;
    }
    if (len == 0) {
        qtest_send("ERR invalid argument size");
        return;
    }
    bytes = buffer(len);
    address_space_read(memory(), addr, bytes, len);
    memcpy(out, prefix, n);
    qtest_begin_line();
    for (size_t done = 0; done < len; done += PART) {
        n += encode(out + n, bytes + done, MIN(len - done, PART));
        if (done + PART >= len) {
            out[n++] = '\n';
        }
        qtest_send_part(out, n);
        n = 0;
    }
    qtest_end_line();
}

void qtest_read(const QtestLine *line)
{
    reply_with_data(line, "OK 0x", encode_hex);
}

/* 0 to 15; what is no digit adds to bad. No table, so that the compiler can do many at once. */
static inline uint8_t digit_value(uint8_t c, uint8_t *bad)
{
    *bad |= (uint8_t)(c - '0') > 9 && (uint8_t)((c | 0x20) - 'a') > 5;
    return (c & 15) + (c >> 6) * 9;
}

/* As many bytes as hex has; FALSE: something else than digits among them. */
static bool decode_hex(uint8_t *bytes, const char *hex, size_t n)
{
    uint8_t bad = 0;

    for (size_t i = 0; i < n; i++) {
        bytes[i] = digit_value(hex[2 * i], &bad) << 4 | digit_value(hex[2 * i + 1], &bad);
    }
    return bad == 0;
}

static bool has_data(const QtestLine *line)
{
    if (line->n > 3 && line->len[3] >= 3) {
        return true;
    }
    qtest_send("ERR invalid argument size");
    return false;
}

void qtest_write(const QtestLine *line)
{
    uint64_t addr, len;
    uint8_t *bytes;
    size_t given;

    if (!range(line, &addr, &len) || !has_data(line)) {
        return;
    }
    given = MIN((line->len[3] - 2) / 2, len); /* behind "0x" */
    bytes = buffer(len);
    if (!decode_hex(bytes, line->word[3] + 2, given)) {
        qtest_send("ERR data is not hexadecimal");
        return;
    }
    memset(bytes + given, 0, len - given);
    address_space_write(memory(), addr, bytes, len);
    qtest_send("OK");
}

/* ---- base64 ---- */

static char base64_digit(unsigned value)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[value & 63];
}

/* Twelve bits at a time: two digits, as they stand in memory. */
static void fill_base64_pairs(uint16_t *pairs)
{
    for (unsigned i = 0; i < 4096; i++) {
        char pair[2] = { base64_digit(i >> 6), base64_digit(i) };

        memcpy(&pairs[i], pair, 2);
    }
}

static size_t encode_base64(char *out, const uint8_t *bytes, size_t n)
{
    static uint16_t pairs[4096];
    char *start = out;
    size_t i = 0;

    if (pairs[0] == 0) {
        fill_base64_pairs(pairs);
    }
    for (; i + 8 <= n; i += 6, out += 8) {
        uint64_t six;

        memcpy(&six, bytes + i, 8); /* and two that do not count */
        six = GUINT64_FROM_BE(six);
        memcpy(out, &pairs[six >> 52], 2);
        memcpy(out + 2, &pairs[six >> 40 & 4095], 2);
        memcpy(out + 4, &pairs[six >> 28 & 4095], 2);
        memcpy(out + 6, &pairs[six >> 16 & 4095], 2);
    }
    for (; i < n; i += 3, out += 4) {
        uint32_t three =
            bytes[i] << 16 | (i + 1 < n ? bytes[i + 1] << 8 : 0) | (i + 2 < n ? bytes[i + 2] : 0);

        memcpy(out, &pairs[three >> 12], 2);
        memcpy(out + 2, &pairs[three & 4095], 2);
        out[2] = i + 1 < n ? out[2] : '=';
        out[3] = i + 2 < n ? out[3] : '=';
    }
    return out - start;
}

void qtest_b64read(const QtestLine *line)
{
    reply_with_data(line, "OK ", encode_base64);
}

/* The first four digits at a time, up to one that is none or the padding; the rest is GLib's. */
static size_t decode_base64(uint8_t *out, const char *text, size_t n)
{
    static uint8_t values[256];
    uint8_t *start = out;
    int state = 0;
    guint save = 0;

    if (values[0] == 0) {
        memset(values, 0xff, sizeof(values));
        for (unsigned i = 0; i < 64; i++) {
            values[(uint8_t)base64_digit(i)] = i;
        }
    }
    for (; n >= 4; n -= 4, text += 4, out += 3) {
        uint8_t a = values[(uint8_t)text[0]], b = values[(uint8_t)text[1]];
        uint8_t c = values[(uint8_t)text[2]], d = values[(uint8_t)text[3]];

        if ((a | b | c | d) & 0xc0) {
            break;
        }
        out[0] = a << 2 | b >> 4;
        out[1] = b << 4 | c >> 2;
        out[2] = c << 6 | d;
    }
    return out - start + g_base64_decode_step(text, n, out, &state, &save);
}

void qtest_b64write(const QtestLine *line)
{
    uint64_t addr, len;
    uint8_t *bytes;
    size_t given;

    if (!range(line, &addr, &len) || !has_data(line)) {
        return;
    }
    bytes = buffer(line->len[3] / 4 * 3 + 3);
    given = decode_base64(bytes, line->word[3], line->len[3]);
    if (given != len) {
        g_message("qtest: b64write of %" G_GUINT64_FORMAT " bytes has data for %zu", len, given);
    }
    address_space_write(memory(), addr, bytes, MIN(given, len));
    qtest_send("OK");
}

void qtest_memset(const QtestLine *line)
{
    uint64_t addr, len, value;

    if (range(line, &addr, &len) && qtest_number(line, 3, &value)) {
        address_space_set(memory(), addr, value, len);
        qtest_send("OK");
    }
}
