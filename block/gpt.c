/* SPDX-License-Identifier: GPL-2.0-or-later
 * See gpt.h. Offsets are those of UEFI 2.10, tables 5.5 and 5.6; the protective MBR is 5.2.3's.
 */
#include "gpt.h"

#include <string.h>
#include <zlib.h>

#include "util/error.h"

enum {
    MBR_PARTITION = 446,
    MBR_PROTECTIVE = 0xee,

    HEADER_SIZE = 92,
    HEADER_CRC = 16,
    HEADER_THIS = 24,
    HEADER_OTHER = 32,
    HEADER_FIRST = 40,
    HEADER_LAST = 48,
    HEADER_GUID = 56,
    HEADER_ENTRIES = 72,
    HEADER_N_ENTRIES = 80,
    HEADER_ENTRY_SIZE = 84,
    HEADER_ENTRIES_CRC = 88,
    REVISION = 0x10000,

    ENTRY_SIZE = 128,
    ENTRY_GUID = 16,
    ENTRY_FIRST = 32,
    ENTRY_LAST = 40,
    ENTRY_NAME = 56,
    NAME_UNITS = 36,
    ENTRIES_SIZE = GPT_ENTRIES * ENTRY_SIZE,
    ENTRIES_SECTORS = ENTRIES_SIZE / GPT_SECTOR,
};

#define LINUX_DATA "0fc63daf-8483-4772-8e79-3d69d8477de4"

static void put(uint8_t *p, uint64_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        p[i] = value >> 8 * i;
    }
}

/* The first three groups of a GUID are numbers, little endian; the others are bytes. */
static void put_guid(uint8_t *p, const char *text)
{
    static const uint8_t places[] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    unsigned nibble = 0;

    for (; *text != '\0' && nibble < 32; text++) {
        if (*text != '-') {
            uint8_t *byte = &p[places[nibble / 2]];

            *byte = *byte << 4 | g_ascii_xdigit_value(*text);
            nibble++;
        }
    }
}

/* A name-based UUID (RFC 4122, version 5) of all that makes this disk. */
static void put_made_guid(uint8_t *p, const GptPartition *parts, unsigned n, unsigned salt)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    uint8_t digest[20];
    gsize len = sizeof(digest);

    g_checksum_update(sum, (const guchar *)&salt, sizeof(salt));
    for (unsigned i = 0; i < n; i++) {
        g_checksum_update(sum, (const guchar *)parts[i].label, strlen(parts[i].label) + 1);
        g_checksum_update(sum, (const guchar *)&parts[i].start, sizeof(parts[i].start));
        g_checksum_update(sum, (const guchar *)&parts[i].length, sizeof(parts[i].length));
    }
    g_checksum_get_digest(sum, digest, &len);
    memcpy(p, digest, 16);
    p[7] = (p[7] & 0x0f) | 0x50;
    p[8] = (p[8] & 0x3f) | 0x80;
}

static bool put_name(uint8_t *p, const char *label, GError **error)
{
    glong units = 0;
    g_autofree gunichar2 *name = g_utf8_to_utf16(label, -1, NULL, &units, NULL);

    if (name == NULL || units > NAME_UNITS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "label '%s' is %s", label,
                    name == NULL ? "no UTF-8" : "longer than a partition table's 36 characters");
        return false;
    }
    for (glong i = 0; i < units; i++) {
        put(p + 2 * i, name[i], 2);
    }
    return true;
}

static bool check_guid(const char *guid, GError **error)
{
    if (guid == NULL || g_uuid_string_is_valid(guid)) {
        return true;
    }
    g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                "'%s' is not a GUID of 8, 4, 4, 4 and 12 hexadecimal digits", guid);
    return false;
}

static bool put_entries(uint8_t *entries, const GptPartition *parts, unsigned n, GError **error)
{
    for (unsigned i = 0; i < n; i++) {
        uint8_t *p = entries + i * ENTRY_SIZE;

        if (!check_guid(parts[i].guid, error) || !check_guid(parts[i].type_guid, error) ||
            !put_name(p + ENTRY_NAME, parts[i].label, error)) {
            return false;
        }
        put_guid(p, parts[i].type_guid != NULL ? parts[i].type_guid : LINUX_DATA);
        if (parts[i].guid != NULL) {
            put_guid(p + ENTRY_GUID, parts[i].guid);
        } else {
            put_made_guid(p + ENTRY_GUID, parts, n, i + 1);
        }
        put(p + ENTRY_FIRST, parts[i].start / GPT_SECTOR, 8);
        put(p + ENTRY_LAST, (parts[i].start + parts[i].length) / GPT_SECTOR - 1, 8);
    }
    return true;
}

static void put_header(uint8_t *p, const uint8_t *entries, const uint8_t *guid, uint64_t sectors,
                       bool first)
{
    memcpy(p, "EFI PART", 8);
    put(p + 8, REVISION, 4);
    put(p + 12, HEADER_SIZE, 4);
    put(p + HEADER_THIS, first ? 1 : sectors - 1, 8);
    put(p + HEADER_OTHER, first ? sectors - 1 : 1, 8);
    put(p + HEADER_FIRST, GPT_FRONT / GPT_SECTOR, 8);
    put(p + HEADER_LAST, sectors - GPT_BACK / GPT_SECTOR - 1, 8);
    memcpy(p + HEADER_GUID, guid, 16);
    put(p + HEADER_ENTRIES, first ? 2 : sectors - GPT_BACK / GPT_SECTOR, 8);
    put(p + HEADER_N_ENTRIES, GPT_ENTRIES, 4);
    put(p + HEADER_ENTRY_SIZE, ENTRY_SIZE, 4);
    put(p + HEADER_ENTRIES_CRC, crc32(0, entries, ENTRIES_SIZE), 4);
    put(p + HEADER_CRC, crc32(0, p, HEADER_SIZE), 4);
}

bool gpt_build(const GptPartition *parts, unsigned n, uint64_t size, uint8_t *front, uint8_t *back,
               GError **error)
{
    uint8_t *entries = front + 2 * GPT_SECTOR, *mbr = front + MBR_PARTITION;
    uint64_t sectors = size / GPT_SECTOR;
    uint8_t guid[16];

    if (n == 0 || n > GPT_ENTRIES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "a disk of %u partitions cannot be made, only of 1 to %d", n, GPT_ENTRIES);
        return false;
    }
    memset(front, 0, GPT_FRONT);
    memset(back, 0, GPT_BACK);
    if (!put_entries(entries, parts, n, error)) {
        return false;
    }
    put(mbr, 0x00020000, 4); /* starts at cylinder 0, head 0, sector 2 */
    mbr[4] = MBR_PROTECTIVE;
    put(mbr + 5, 0xffffff, 3);
    put(mbr + 8, 1, 4);
    put(mbr + 12, MIN(sectors - 1, UINT32_MAX), 4);
    put(front + 510, 0xaa55, 2);
    put_made_guid(guid, parts, n, 0);
    put_header(front + GPT_SECTOR, entries, guid, sectors, true);
    memcpy(back, entries, ENTRIES_SIZE);
    put_header(back + ENTRIES_SIZE, entries, guid, sectors, false);
    return true;
}
