/* SPDX-License-Identifier: GPL-2.0-or-later
 * ramfb: 28 bytes, big endian, that the guest writes by fw_cfg DMA name address, format, size and
 * stride of a frame buffer. From then on what is in that memory is the picture. The guest says
 * nothing when it draws, so the memory is looked at when somebody looks at the console, and rows
 * that are as they were are left out.
 *
 * The file is written in a vCPU thread, the picture updated in the main context; lock is between.
 */
#include "hw/display/ramfb.h"

#include <pthread.h>
#include <string.h>

#include "display/display.h"

#define FILE_NAME "etc/ramfb"

/* DRM's names of pixel formats: the components from the highest bits down in a little-endian word.
 */
#define FOURCC(a, b, c, d)                                                                         \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define FOURCC_XRGB8888 FOURCC('X', 'R', '2', '4')
#define FOURCC_ARGB8888 FOURCC('A', 'R', '2', '4')
#define FOURCC_XBGR8888 FOURCC('X', 'B', '2', '4')
#define FOURCC_ABGR8888 FOURCC('A', 'B', '2', '4')
#define FOURCC_RGB888   FOURCC('R', 'G', '2', '4')
#define FOURCC_RGB565   FOURCC('R', 'G', '1', '6')

enum { MAX_SIDE = 4096, MIN_SIDE = 16, MAX_STRIDE = MAX_SIDE * 4 };

typedef struct {
    uint64_t addr;
    uint32_t fourcc, flags, width, height, stride;
} __attribute__((packed)) RamfbFile;
G_STATIC_ASSERT(sizeof(RamfbFile) == 28);

typedef struct {
    uint64_t addr;
    pixman_format_code_t format; /* 0: nothing is set up */
    unsigned width, height, stride;
} RamfbMode;

struct _Ramfb {
    Device parent_instance;
    FwCfg *fw_cfg;
    AddressSpace *memory;
    Console *con;
    pthread_mutex_t lock;
    RamfbMode wanted; /* lock */
    bool is_new;      /* lock: wanted has not been shown yet */

    /* [main] */
    RamfbMode shown;
    uint8_t *rows; /* content of the frame buffer as shown */
};

DEVICE_DEFINE_TYPE(Ramfb, ramfb, "ramfb", TYPE_DEVICE)

static pixman_format_code_t pixel_format(uint32_t fourcc)
{
    switch (fourcc) {
    case FOURCC_XRGB8888:
    case FOURCC_ARGB8888:
        return PIXMAN_x8r8g8b8;
    case FOURCC_XBGR8888:
    case FOURCC_ABGR8888:
        return PIXMAN_x8b8g8r8;
    case FOURCC_RGB888:
        return PIXMAN_r8g8b8;
    case FOURCC_RGB565:
        return PIXMAN_r5g6b5;
    default:
        return 0;
    }
}

/* FALSE: not a mode that can be shown. */
static bool read_mode(Ramfb *s, const uint8_t *data, RamfbMode *mode)
{
    RamfbFile file;
    uint64_t row;

    memcpy(&file, data, sizeof(file));
    *mode = (RamfbMode){
        .addr = GUINT64_FROM_BE(file.addr),
        .format = pixel_format(GUINT32_FROM_BE(file.fourcc)),
        .width = GUINT32_FROM_BE(file.width),
        .height = GUINT32_FROM_BE(file.height),
        .stride = GUINT32_FROM_BE(file.stride),
    };
    if (mode->format == 0 || mode->width < MIN_SIDE || mode->width > MAX_SIDE ||
        mode->height < MIN_SIDE || mode->height > MAX_SIDE) {
        return false;
    }
    row = (uint64_t)mode->width * PIXMAN_FORMAT_BPP(mode->format) / 8;
    if (mode->stride == 0) {
        mode->stride = row;
    }
    return mode->stride >= row && mode->stride <= MAX_STRIDE && mode->stride % 4 == 0 &&
           address_space_access_valid(s->memory, mode->addr, (uint64_t)mode->stride * mode->height,
                                      false);
}

/* In a vCPU thread, with fw_cfg's lock. A mode that cannot be shown leaves the old one. */
static bool file_written(void *opaque, const uint8_t *data, size_t size)
{
    Ramfb *s = opaque;
    RamfbMode mode;

    if (!read_mode(s, data, &mode)) {
        return true; /* as on QEMU */
    }
    pthread_mutex_lock(&s->lock);
    s->wanted = mode;
    s->is_new = true;
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* ---- the picture, [main] ---- */

static void take_mode(Ramfb *s)
{
    bool is_new;

    pthread_mutex_lock(&s->lock);
    is_new = s->is_new;
    s->is_new = false;
    if (is_new) {
        s->shown = s->wanted;
    }
    pthread_mutex_unlock(&s->lock);
    if (is_new) {
        g_free(s->rows);
        s->rows = g_malloc0((size_t)s->shown.stride * s->shown.height);
        console_resize(s->con, s->shown.width, s->shown.height);
        console_blank(s->con); /* which is what rows says */
    }
}

/* FALSE: the guest has taken the memory away; the old content stays. */
static bool read_row(Ramfb *s, unsigned y, uint8_t *to)
{
    hwaddr at = s->shown.addr + (uint64_t)y * s->shown.stride;

    for (uint64_t left = s->shown.stride, part; left > 0; left -= part) {
        void *host;

        part = left;
        host = address_space_map(s->memory, at, &part, false);
        if (host == NULL) {
            return false;
        }
        memcpy(to, host, part);
        address_space_unmap(s->memory, host, part, false);
        to += part;
        at += part;
    }
    return true;
}

static void draw_rows(Ramfb *s, unsigned from, unsigned to)
{
    pixman_image_t *image = pixman_image_create_bits(
        s->shown.format, s->shown.width, s->shown.height, (uint32_t *)s->rows, s->shown.stride);

    if (image != NULL) {
        console_draw(s->con, image, 0, from, 0, from, s->shown.width, to - from);
        pixman_image_unref(image);
    }
}

static void ramfb_update(void *opaque)
{
    Ramfb *s = opaque;
    unsigned first = 0; /* of the rows that have changed and are not drawn yet */
    uint8_t fresh[MAX_STRIDE];

    take_mode(s);
    for (unsigned y = 0; y < s->shown.height; y++) {
        uint8_t *row = s->rows + (size_t)y * s->shown.stride;

        if (!read_row(s, y, fresh) || memcmp(row, fresh, s->shown.stride) == 0) {
            if (first < y) {
                draw_rows(s, first, y);
            }
            first = y + 1;
            continue;
        }
        memcpy(row, fresh, s->shown.stride);
    }
    if (first < s->shown.height) {
        draw_rows(s, first, s->shown.height);
    }
}

static const ConsoleOps ramfb_console = { .update = ramfb_update };

/* ---- life cycle ---- */

static bool ramfb_realize(Device *dev, GError **error)
{
    Ramfb *s = HUMPY_RAMFB(dev);

    s->con = console_new(device_id(dev) != NULL ? device_id(dev) : device_type(dev), 0,
                         &ramfb_console, s);
    return true;
}

static void ramfb_unrealize(Device *dev)
{
    Ramfb *s = HUMPY_RAMFB(dev);

    if (s->fw_cfg != NULL) {
        fw_cfg_remove_file(s->fw_cfg, FILE_NAME);
        s->fw_cfg = NULL;
    }
    g_clear_pointer(&s->con, console_free);
    g_clear_pointer(&s->rows, g_free);
    s->shown = (RamfbMode){};
}

/* The next firmware has not set anything up. */
static void ramfb_reset(Device *dev)
{
    Ramfb *s = HUMPY_RAMFB(dev);

    pthread_mutex_lock(&s->lock);
    s->is_new = false;
    pthread_mutex_unlock(&s->lock);
    s->shown = (RamfbMode){};
    g_clear_pointer(&s->rows, g_free);
    console_blank(s->con);
}

bool ramfb_connect(Ramfb *s, FwCfg *fw_cfg, AddressSpace *memory, GError **error)
{
    s->memory = memory;
    if (!fw_cfg_add_writable(fw_cfg, FILE_NAME, sizeof(RamfbFile), file_written, s, error)) {
        return false;
    }
    s->fw_cfg = fw_cfg;
    return true;
}

static void ramfb_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_RAMFB(obj)->lock);
    G_OBJECT_CLASS(ramfb_parent_class)->finalize(obj);
}

static void ramfb_init(Ramfb *s)
{
    pthread_mutex_init(&s->lock, NULL);
}

static void ramfb_class_init(RamfbClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Frame buffer in guest memory, set up by firmware";
    dc->bus = "System";
    dc->user_creatable = true;
    dc->realize = ramfb_realize;
    dc->unrealize = ramfb_unrealize;
    dc->reset = ramfb_reset;
    G_OBJECT_CLASS(klass)->finalize = ramfb_finalize;
}
