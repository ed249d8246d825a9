/* SPDX-License-Identifier: GPL-2.0-or-later
 * NOR flash with Intel's basic command set (JEP137 command set 1; Intel StrataFlash J3 datasheet
 * 290667 for what each command does). Several chips may lie side by side on the bus: a driver
 * writes the same command to all, so they act as one here, the lowest lane's command counts, and
 * what they answer is repeated in every lane.
 *
 * Programming and erasing take no time. Lock bits are volatile: clear at power-on. Not here:
 * protection registers, suspended operations (there is nothing to suspend).
 * Registers run in vCPU threads under the device's lock.
 */
#include <string.h>

#include "pflash-priv.h"
#include "util/error.h"

enum {
    CMD_WORD = 0x40,
    CMD_WORD_ALT = 0x10,
    CMD_ERASE = 0x20,
    CMD_CLEAR_STATUS = 0x50,
    CMD_LOCK_SETUP = 0x60,
    CMD_STATUS = 0x70,
    CMD_IDENTIFY = 0x90,
    CMD_QUERY = 0x98,
    CMD_SUSPEND = 0xb0,
    CMD_CONFIRM = 0xd0,
    CMD_BUFFER = 0xe8,
    CMD_ARRAY = 0xff,
    LOCK_SET = 0x01,

    SR_READY = 0x80,
    SR_ERASE_ERROR = 0x20,
    SR_PROGRAM_ERROR = 0x10,
    SR_SEQUENCE_ERROR = SR_ERASE_ERROR | SR_PROGRAM_ERROR,
    SR_LOCKED = 0x02,

    IDENTIFY_MASK = 0xff, /* of the word within a block */
    IDENTIFY_LOCK = 2,
};

DEVICE_DEFINE_TYPE(PflashCfi01, pflash_cfi01, "cfi_pflash01", TYPE_DEVICE)

static void set_mode(PflashCfi01 *s, PflashMode mode)
{
    s->mode = mode;
    memory_region_rom_device_set_romd(&s->mr, mode == PFLASH_ARRAY);
}

/* ---- reading ---- */

/* The bus word in which every chip says value. */
static uint32_t in_all_lanes(const PflashCfi01 *s, uint32_t value)
{
    unsigned bits = s->width / s->lanes * 8;
    uint32_t word = 0;

    for (unsigned i = 0; i < s->lanes; i++) {
        word |= value << i * bits;
    }
    return word;
}

static uint32_t identify(const PflashCfi01 *s, uint64_t word)
{
    switch (word & IDENTIFY_MASK) {
    case 0:
        return s->ident[0] << 8 | s->ident[1];
    case 1:
        return s->ident[2] << 8 | s->ident[3];
    case IDENTIFY_LOCK:
        return s->locked[word * s->width / s->sector_length];
    default:
        return 0;
    }
}

static uint32_t read_word(const PflashCfi01 *s, uint64_t word)
{
    switch (s->mode) {
    case PFLASH_IDENTIFY:
        return in_all_lanes(s, identify(s, word));
    case PFLASH_QUERY:
        word &= IDENTIFY_MASK;
        return in_all_lanes(s, word < PFLASH_QUERY_SIZE ? s->query[word] : 0);
    default: /* a buffer is always free: its extended status is the same */
        return in_all_lanes(s, s->status);
    }
}

static uint64_t pflash_read(void *opaque, hwaddr offset, unsigned size)
{
    PflashCfi01 *s = opaque;
    uint64_t value = 0;

    if (s->mode == PFLASH_ARRAY) {
        memcpy(&value, s->data + offset, size);
        return GUINT64_FROM_LE(value);
    }
    for (unsigned i = 0; i < size; i += s->width) {
        hwaddr at = offset + i;

        value |= (uint64_t)(read_word(s, at / s->width) >> at % s->width * 8) << i * 8;
    }
    return value;
}

/* ---- writing ---- */

/* Refuses a change of offset's block; error is the bit for what was tried. */
static bool may_change(PflashCfi01 *s, uint64_t offset, uint8_t error)
{
    if (pflash_is_writable(s) && !s->locked[offset / s->sector_length]) {
        return true;
    }
    s->status |= SR_LOCKED | error;
    return false;
}

static void erase(PflashCfi01 *s, uint64_t offset, uint8_t cmd)
{
    if (cmd != CMD_CONFIRM) {
        s->status |= SR_SEQUENCE_ERROR;
    } else if (may_change(s, offset, SR_ERASE_ERROR) &&
               !pflash_erase(s, offset / s->sector_length)) {
        s->status |= SR_ERASE_ERROR;
    }
    set_mode(s, PFLASH_STATUS);
}

static void change_lock(PflashCfi01 *s, uint64_t offset, uint8_t cmd)
{
    if (cmd == LOCK_SET || cmd == CMD_CONFIRM) {
        s->locked[offset / s->sector_length] = cmd == LOCK_SET;
    } else {
        s->status |= SR_SEQUENCE_ERROR;
    }
    set_mode(s, PFLASH_STATUS);
}

static void program(PflashCfi01 *s, uint64_t offset, const uint8_t *buf, size_t len)
{
    if (may_change(s, offset, SR_PROGRAM_ERROR) && !pflash_program(s, offset, buf, len)) {
        s->status |= SR_PROGRAM_ERROR;
    }
    set_mode(s, PFLASH_STATUS);
}

static void begin_buffer(PflashCfi01 *s, uint64_t value)
{
    /* Words of one chip; each bus word brings one to every chip. */
    s->words_left = (value & 0xffff) + 1;
    s->window_known = false;
    if ((uint64_t)s->words_left * s->width > s->buffer_size) {
        s->status |= SR_SEQUENCE_ERROR;
        set_mode(s, PFLASH_STATUS);
        return;
    }
    memset(s->buffer, 0xff, s->buffer_size);
    s->mode = PFLASH_BUFFER_DATA;
}

/* The first word says where the buffer goes; none may lie outside. */
static void fill_buffer(PflashCfi01 *s, uint64_t offset, const uint8_t *bytes, unsigned size)
{
    if (!s->window_known) {
        s->window = offset & ~(uint64_t)(s->buffer_size - 1);
        s->window_known = true;
    }
    if (offset < s->window || offset + size > s->window + s->buffer_size) {
        s->status |= SR_SEQUENCE_ERROR;
        set_mode(s, PFLASH_STATUS);
        return;
    }
    memcpy(s->buffer + (offset - s->window), bytes, size);
    if (--s->words_left == 0) {
        s->mode = PFLASH_BUFFER_CONFIRM;
    }
}

static void command(PflashCfi01 *s, uint8_t cmd)
{
    switch (cmd) {
    case CMD_WORD:
    case CMD_WORD_ALT:
        set_mode(s, PFLASH_WORD);
        break;
    case CMD_ERASE:
        set_mode(s, PFLASH_ERASE_SETUP);
        break;
    case CMD_CLEAR_STATUS:
        s->status = SR_READY;
        set_mode(s, PFLASH_ARRAY);
        break;
    case CMD_LOCK_SETUP:
        set_mode(s, PFLASH_LOCK_SETUP);
        break;
    case CMD_STATUS:
    case CMD_SUSPEND:
    case CMD_CONFIRM: /* resumes what is not suspended */
        set_mode(s, PFLASH_STATUS);
        break;
    case CMD_IDENTIFY:
        set_mode(s, PFLASH_IDENTIFY);
        break;
    case CMD_QUERY:
        set_mode(s, PFLASH_QUERY);
        break;
    case CMD_BUFFER:
        set_mode(s, PFLASH_BUFFER_COUNT);
        break;
    default: /* CMD_ARRAY, and what other command sets call reset */
        set_mode(s, PFLASH_ARRAY);
        break;
    }
}

static void pflash_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    PflashCfi01 *s = opaque;
    uint64_t le = GUINT64_TO_LE(value);
    uint8_t bytes[8];

    memcpy(bytes, &le, sizeof(bytes));
    switch (s->mode) {
    case PFLASH_ERASE_SETUP:
        erase(s, offset, value);
        break;
    case PFLASH_LOCK_SETUP:
        change_lock(s, offset, value);
        break;
    case PFLASH_WORD:
        program(s, offset, bytes, size);
        break;
    case PFLASH_BUFFER_COUNT:
        begin_buffer(s, value);
        break;
    case PFLASH_BUFFER_DATA:
        fill_buffer(s, offset, bytes, size);
        break;
    case PFLASH_BUFFER_CONFIRM:
        if ((uint8_t)value == CMD_CONFIRM) {
            program(s, s->window, s->buffer, s->buffer_size);
        } else {
            s->status |= SR_SEQUENCE_ERROR;
            set_mode(s, PFLASH_STATUS);
        }
        break;
    default:
        command(s, value);
        break;
    }
}

static const MemoryRegionOps pflash_ops = {
    .read = pflash_read,
    .write = pflash_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

/* ---- life cycle ---- */

static bool is_power_of_2(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* What the query structure can tell and the memory API can map. */
static bool check_geometry(PflashCfi01 *s, GError **error)
{
    enum { MIN_SECTOR = 4096, MAX_SECTOR = 8 << 20, MAX_BLOCKS = 65536 };
    const uint64_t max_size = UINT64_C(1) << 30;

    if ((s->width != 1 && s->width != 2 && s->width != 4) ||
        (s->device_width != 0 && (s->device_width > s->width || s->width % s->device_width != 0))) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "width is %u and device-width %u; width must be 1, 2 or 4, and device-width 0 "
                    "or what divides it",
                    s->width, s->device_width);
        return false;
    }
    s->lanes = s->device_width != 0 ? s->width / s->device_width : 1;
    s->size = s->num_blocks * s->sector_length;
    if (s->num_blocks == 0 || s->num_blocks > MAX_BLOCKS || !is_power_of_2(s->sector_length) ||
        s->sector_length < MIN_SECTOR || s->sector_length > MAX_SECTOR || s->size > max_size ||
        !is_power_of_2(s->size)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "num-blocks is %u and sector-length %" G_GUINT64_FORMAT
                    "; sectors must have 4 KiB to 8 MiB, and both and their product, up to 1 GiB, "
                    "be powers of two",
                    s->num_blocks, s->sector_length);
        return false;
    }
    return true;
}

static bool pflash_cfi01_realize(Device *dev, GError **error)
{
    PflashCfi01 *s = HUMPY_PFLASH_CFI01(dev);

    if (s->name == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "property 'name' is missing");
        return false;
    }
    if (!check_geometry(s, error) ||
        !memory_region_init_rom_device(&s->mr, G_OBJECT(dev), &pflash_ops, s, s->name, s->size,
                                       error)) {
        return false;
    }
    s->data = memory_region_get_ram_ptr(&s->mr);
    if (!pflash_open(s, error)) {
        memory_region_destroy(&s->mr);
        return false;
    }
    s->locked = g_new0(uint8_t, s->num_blocks);
    s->buffer_size = s->lanes << PFLASH_BUFFER_LOG2;
    pflash_make_query(s);
    device_add_mmio(dev, &s->mr);
    return true;
}

static void pflash_cfi01_unrealize(Device *dev)
{
    PflashCfi01 *s = HUMPY_PFLASH_CFI01(dev);

    memory_region_destroy(&s->mr);
    pflash_close(s);
    g_clear_pointer(&s->locked, g_free);
}

static void pflash_cfi01_reset(Device *dev)
{
    PflashCfi01 *s = HUMPY_PFLASH_CFI01(dev);

    s->status = SR_READY;
    memset(s->locked, 0, s->num_blocks);
    set_mode(s, PFLASH_ARRAY);
}

bool pflash_load(PflashCfi01 *s, const void *data, size_t len, GError **error)
{
    if (len > s->size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "%zu bytes are more than the %" G_GUINT64_FORMAT " of flash '%s'", len, s->size,
                    s->name);
        return false;
    }
    memcpy(s->data, data, len);
    return true;
}

static const Prop pflash_cfi01_props[] = {
    PROP_STRING("drive", PflashCfi01, drive, NULL, "Node name or id of the drive with the content"),
    PROP_U32("num-blocks", PflashCfi01, num_blocks, 0, 0, UINT32_MAX, "Number of erase blocks"),
    PROP_U64("sector-length", PflashCfi01, sector_length, 0, 0, UINT32_MAX,
             "Bytes of one erase block of all chips together"),
    PROP_U32("width", PflashCfi01, width, 4, 1, 4, "Bytes of a bus access"),
    PROP_U32("device-width", PflashCfi01, device_width, 0, 0, 4,
             "Bytes of an access to one chip; 0: width"),
    PROP_U32("id0", PflashCfi01, ident[0], 0, 0, 0xff, "Manufacturer, upper byte"),
    PROP_U32("id1", PflashCfi01, ident[1], 0, 0, 0xff, "Manufacturer, lower byte"),
    PROP_U32("id2", PflashCfi01, ident[2], 0, 0, 0xff, "Device, upper byte"),
    PROP_U32("id3", PflashCfi01, ident[3], 0, 0, 0xff, "Device, lower byte"),
    PROP_STRING("name", PflashCfi01, name, NULL, "Name of the memory region"),
};

static void pflash_cfi01_init(PflashCfi01 *s)
{
}

static void pflash_cfi01_class_init(PflashCfi01Class *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    dc->summary = "Parallel NOR flash, Intel command set";
    dc->bus = "System";
    dc->realize = pflash_cfi01_realize;
    dc->unrealize = pflash_cfi01_unrealize;
    dc->reset = pflash_cfi01_reset;
    props_install(G_OBJECT_CLASS(klass), pflash_cfi01_props, G_N_ELEMENTS(pflash_cfi01_props));
}
