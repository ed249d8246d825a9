/* SPDX-License-Identifier: GPL-2.0-or-later
 * The qtest commands that carry data, in hex or base64, and memset.
 */
#include <string.h>

#include "../vm.h"
#include "hw/core/machine.h"
#include "qtest-priv.h"

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

/* ---- hex ---- */

/* Two digits for each byte. */
static const char digits[] = "0123456789abcdef";

void qtest_read(const QtestLine *line)
{
    uint64_t addr, len;
    g_autofree uint8_t *bytes = NULL;
    g_autofree char *reply = NULL;
    char *out;

    if (!range(line, &addr, &len)) {
        return;
    }
    if (len == 0) {
        qtest_send("ERR invalid argument size", 25);
        return;
    }
    bytes = g_malloc(len);
    address_space_read(memory(), addr, bytes, len);
    reply = g_malloc(2 * len + 6);
    memcpy(reply, "OK 0x", 5);
    out = reply + 5;
    for (uint64_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    qtest_send(reply, out - reply);
}

/* 0 to 15, or more for what is no digit. */
static uint8_t digit_value[256];

static void fill_digit_values(void)
{
    memset(digit_value, 0xff, sizeof(digit_value));
    for (unsigned i = 0; i < 16; i++) {
        digit_value[(uint8_t)digits[i]] = i;
        digit_value[(uint8_t)g_ascii_toupper(digits[i])] = i;
    }
}

/* As many bytes as hex has; FALSE: something else than digits among them. */
static bool decode(uint8_t *bytes, const char *hex, size_t n)
{
    uint8_t bad = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t high = digit_value[(uint8_t)hex[2 * i]];
        uint8_t low = digit_value[(uint8_t)hex[2 * i + 1]];

        bad |= high | low;
        bytes[i] = high << 4 | (low & 15);
    }
    return (bad & 0xf0) == 0;
}

static bool has_data(const QtestLine *line)
{
    if (line->n > 3 && line->len[3] >= 3) {
        return true;
    }
    qtest_send("ERR invalid argument size", 25);
    return false;
}

void qtest_write(const QtestLine *line)
{
    g_autofree uint8_t *bytes = NULL;
    uint64_t addr, len;
    size_t given;

    if (!range(line, &addr, &len) || !has_data(line)) {
        return;
    }
    if (digit_value['0'] == digit_value['1']) {
        fill_digit_values();
    }
    given = MIN((line->len[3] - 2) / 2, len); /* behind "0x" */
    bytes = g_malloc(MAX(len, 1));
    if (!decode(bytes, line->word[3] + 2, given)) {
        qtest_send("ERR data is not hexadecimal", 27);
        return;
    }
    memset(bytes + given, 0, len - given);
    address_space_write(memory(), addr, bytes, len);
    qtest_send("OK", 2);
}

/* ---- base64 ---- */

void qtest_b64read(const QtestLine *line)
{
    g_autofree uint8_t *bytes = NULL;
    g_autofree char *text = NULL, *reply = NULL;
    uint64_t addr, len;

    if (!range(line, &addr, &len)) {
        return;
    }
    if (len == 0) {
        qtest_send("ERR invalid argument size", 25);
        return;
    }
    bytes = g_malloc(len);
    address_space_read(memory(), addr, bytes, len);
    text = g_base64_encode(bytes, len);
    reply = g_strconcat("OK ", text, NULL);
    qtest_send(reply, strlen(reply));
}

void qtest_b64write(const QtestLine *line)
{
    uint64_t addr, len;
    gsize given;

    if (!range(line, &addr, &len) || !has_data(line)) {
        return;
    }
    g_base64_decode_inplace(line->word[3], &given);
    if (given != len) {
        g_message("qtest: b64write of %" G_GUINT64_FORMAT " bytes has data for %zu", len,
                  (size_t)given);
    }
    address_space_write(memory(), addr, line->word[3], MIN(given, len));
    qtest_send("OK", 2);
}

void qtest_memset(const QtestLine *line)
{
    uint64_t addr, len, value;

    if (range(line, &addr, &len) && qtest_number(line, 3, &value)) {
        address_space_set(memory(), addr, value, len);
        qtest_send("OK", 2);
    }
}
