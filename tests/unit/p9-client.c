/* SPDX-License-Identifier: GPL-2.0-or-later
 * See p9-client.h.
 */
#include "p9-client.h"

#include <string.h>

static void put(GByteArray *m, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = value >> (8 * i);

        g_byte_array_append(m, &byte, 1);
    }
}

static void fix_size(GByteArray *m)
{
    for (unsigned i = 0; i < 4; i++) {
        m->data[i] = m->len >> (8 * i);
    }
}

GByteArray *p9c_message_va(uint8_t type, uint16_t tag, const char *format, va_list ap)
{
    GByteArray *m = g_byte_array_new();
    const char *text;

    put(m, 0, 4);
    put(m, type, 1);
    put(m, tag, 2);
    for (; *format != '\0'; format++) {
        switch (*format) {
        case 'b':
            put(m, va_arg(ap, unsigned), 1);
            break;
        case 'w':
            put(m, va_arg(ap, unsigned), 2);
            break;
        case 'd':
            put(m, va_arg(ap, unsigned), 4);
            break;
        case 'q':
            put(m, va_arg(ap, uint64_t), 8);
            break;
        case 's':
            text = va_arg(ap, const char *);
            put(m, strlen(text), 2);
            g_byte_array_append(m, (const uint8_t *)text, strlen(text));
            break;
        default:
            g_assert_not_reached();
        }
    }
    fix_size(m);
    return m;
}

GByteArray *p9c_message(uint8_t type, uint16_t tag, const char *format, ...)
{
    GByteArray *m;
    va_list ap;

    va_start(ap, format);
    m = p9c_message_va(type, tag, format, ap);
    va_end(ap);
    return m;
}

void p9c_append(GByteArray *message, const void *data, size_t len)
{
    g_byte_array_append(message, data, len);
    fix_size(message);
}

static uint64_t get(P9cReply *r, unsigned size)
{
    uint64_t value = 0;

    g_assert_cmpuint(r->len - r->pos, >=, size);
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)r->data[r->pos++] << (8 * i);
    }
    return value;
}

void p9c_read(P9cReply *r, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    for (; *format != '\0'; format++) {
        size_t len;

        switch (*format) {
        case 'b':
            *va_arg(ap, uint8_t *) = get(r, 1);
            break;
        case 'w':
            *va_arg(ap, uint16_t *) = get(r, 2);
            break;
        case 'd':
            *va_arg(ap, uint32_t *) = get(r, 4);
            break;
        case 'q':
            *va_arg(ap, uint64_t *) = get(r, 8);
            break;
        case 's':
            len = get(r, 2);
            g_assert_cmpuint(r->len - r->pos, >=, len);
            *va_arg(ap, char **) = g_strndup((const char *)r->data + r->pos, len);
            r->pos += len;
            break;
        default:
            g_assert_not_reached();
        }
    }
    va_end(ap);
}
