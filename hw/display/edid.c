/* SPDX-License-Identifier: GPL-2.0-or-later
 * Makes the EDID base block (VESA E-EDID standard 1.4, section 3) of a monitor with one preferred
 * size, 60 Hz, sRGB colours and 100 dots per inch.
 */
#include "edid.h"

#include <string.h>

enum {
    HZ = 60,
    /* Reduced blanking (VESA CVT), which keeps the pixel clock of large modes within 16 bits. */
    H_BLANK = 160,
    H_FRONT = 48,
    H_SYNC = 32,
    V_BLANK = 31,
    V_FRONT = 3,
    V_SYNC = 6,
    DESCRIPTORS = 54,
    DESCRIPTOR_SIZE = 18,
};

/* Section 3.10.2: sizes are split into low bytes and shared high nibbles. */
static void detailed_timing(uint8_t *d, unsigned width, unsigned height)
{
    unsigned clock = (width + H_BLANK) * (height + V_BLANK) / 10000 * HZ;
    unsigned mm_w = width * 254 / 1000, mm_h = height * 254 / 1000;

    clock = clock < UINT16_MAX ? clock : UINT16_MAX;
    d[0] = clock;
    d[1] = clock >> 8;
    d[2] = width;
    d[3] = H_BLANK;
    d[4] = (width >> 8 & 0xf) << 4 | H_BLANK >> 8;
    d[5] = height;
    d[6] = V_BLANK;
    d[7] = (height >> 8 & 0xf) << 4 | V_BLANK >> 8;
    d[8] = H_FRONT;
    d[9] = H_SYNC;
    d[10] = V_FRONT << 4 | V_SYNC;
    d[12] = mm_w;
    d[13] = mm_h;
    d[14] = (mm_w >> 8 & 0xf) << 4 | (mm_h >> 8 & 0xf);
    d[17] = 0x18; /* digital, separate syncs */
}

/* Section 3.10.3: a descriptor that is not a timing. */
static void descriptor(uint8_t *d, uint8_t tag, const char *text)
{
    size_t len = strlen(text);

    d[3] = tag;
    memset(d + 5, ' ', DESCRIPTOR_SIZE - 5);
    memcpy(d + 5, text, len);
    d[5 + len] = '\n';
}

static void range_limits(uint8_t *d)
{
    descriptor(d, 0xfd, "");
    d[5] = 50; /* Hz */
    d[6] = 125;
    d[7] = 30; /* kHz */
    d[8] = 160;
    d[9] = UINT16_MAX / 1000; /* in 10 MHz */
    d[10] = 1;                /* only the limits above */
    d[11] = '\n';
}

static uint8_t centimetres(unsigned pixels)
{
    unsigned cm = pixels * 254 / 10000;

    return cm == 0 ? 1 : cm > 255 ? 255 : cm;
}

void edid_make(uint8_t block[EDID_SIZE], unsigned width, unsigned height)
{
    static const uint8_t header[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    /* sRGB primaries and white point (section 3.7). */
    static const uint8_t srgb[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
    unsigned maker = ('H' - '@') << 10 | ('P' - '@') << 5 | ('Y' - '@');
    uint8_t sum = 0;

    memset(block, 0, EDID_SIZE);
    memcpy(block, header, sizeof(header));
    block[8] = maker >> 8;
    block[9] = maker;
    block[10] = 1;  /* product */
    block[17] = 34; /* 2024 */
    block[18] = 1;
    block[19] = 4;
    block[20] = 0xa5; /* digital, 8 bits per colour, DisplayPort */
    block[21] = centimetres(width);
    block[22] = centimetres(height);
    block[23] = 120;  /* gamma 2.2 */
    block[24] = 0x06; /* sRGB; the first timing is the native one */
    memcpy(block + 25, srgb, sizeof(srgb));
    block[35] = 0x21;          /* 640x480, 800x600 */
    block[36] = 0x08;          /* 1024x768 */
    memset(block + 38, 1, 16); /* no standard timings */
    detailed_timing(block + DESCRIPTORS, width, height);
    range_limits(block + DESCRIPTORS + DESCRIPTOR_SIZE);
    descriptor(block + DESCRIPTORS + 2 * DESCRIPTOR_SIZE, 0xfc, "Humpy");
    descriptor(block + DESCRIPTORS + 3 * DESCRIPTOR_SIZE, 0x10, "");
    memset(block + DESCRIPTORS + 3 * DESCRIPTOR_SIZE + 5, 0, DESCRIPTOR_SIZE - 5);
    for (unsigned i = 0; i < EDID_SIZE - 1; i++) {
        sum += block[i];
    }
    block[EDID_SIZE - 1] = -sum;
}
