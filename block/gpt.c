/* SPDX-License-Identifier: GPL-2.0-or-later
 * See gpt.h. Offsets are those of UEFI 2.10, tables 5.5 and 5.6; the protective MBR is 5.2.3's.
 */
#include "gpt.h"

#include <string.h>
#include <zlib.h>

#include "util/bytes.h"
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
        put_le(p + 2 * i, 2, name[i]);
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

/* What finds partitions by their GUIDs takes any of two that have the same. */
static bool check_unique(const uint8_t *entries, const GptPartition *parts, unsigned i,
                         GError **error)
{
    for (unsigned j = 0; j < i; j++) {
        if (memcmp(entries + i * ENTRY_SIZE + ENTRY_GUID, entries + j * ENTRY_SIZE + ENTRY_GUID,
                   16) == 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                        "partition %u ('%s') has the GUID %s of partition %u ('%s')", i,
                        parts[i].label, parts[i].guid, j, parts[j].label);
            return false;
        }
    }
    return true;
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
        if (parts[i].guid != NULL && !check_unique(entries, parts, i, error)) {
            return false;
        }
        put_le(p + ENTRY_FIRST, 8, parts[i].start / GPT_SECTOR);
        put_le(p + ENTRY_LAST, 8, (parts[i].start + parts[i].length) / GPT_SECTOR - 1);
    }
    return true;
}

static void put_header(uint8_t *p, const uint8_t *entries, const uint8_t *guid, uint64_t sectors,
                       bool first)
{
    memcpy(p, "EFI PART", 8);
    put_le(p + 8, 4, REVISION);
    put_le(p + 12, 4, HEADER_SIZE);
    put_le(p + HEADER_THIS, 8, first ? 1 : sectors - 1);
    put_le(p + HEADER_OTHER, 8, first ? sectors - 1 : 1);
    put_le(p + HEADER_FIRST, 8, GPT_FRONT / GPT_SECTOR);
    put_le(p + HEADER_LAST, 8, sectors - GPT_BACK / GPT_SECTOR - 1);
    memcpy(p + HEADER_GUID, guid, 16);
    put_le(p + HEADER_ENTRIES, 8, first ? 2 : sectors - GPT_BACK / GPT_SECTOR);
    put_le(p + HEADER_N_ENTRIES, 4, GPT_ENTRIES);
    put_le(p + HEADER_ENTRY_SIZE, 4, ENTRY_SIZE);
    put_le(p + HEADER_ENTRIES_CRC, 4, crc32(0, entries, ENTRIES_SIZE));
    put_le(p + HEADER_CRC, 4, crc32(0, p, HEADER_SIZE));
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
    put_le(mbr, 4, 0x00020000); /* starts at cylinder 0, head 0, sector 2 */
    mbr[4] = MBR_PROTECTIVE;
    put_le(mbr + 5, 3, 0xffffff);
    put_le(mbr + 8, 4, 1);
    put_le(mbr + 12, 4, MIN(sectors - 1, UINT32_MAX));
    put_le(front + 510, 2, 0xaa55);
    put_made_guid(guid, parts, n, 0);
    put_header(front + GPT_SECTOR, entries, guid, sectors, true);
    memcpy(back, entries, ENTRIES_SIZE);
    put_header(back + ENTRIES_SIZE, entries, guid, sectors, false);
    return true;
}
