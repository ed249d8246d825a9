/* SPDX-License-Identifier: GPL-2.0-or-later
 * The block device (virtio 1.2, section 5.2) as a device: properties, configuration, features and
 * life cycle. How requests are served is in virtio-blk-io.c.
 */
#include <endian.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "util/error.h"
#include "virtio-blk-priv.h"

enum {
    BLK_AUTO = UINT32_MAX, /* discard_granularity: follow the logical block size */
    BLK_MAX_SECTORS = INT32_MAX / BLOCK_SECTOR_SIZE, /* of one discard or zero request */
    BLK_CONFIG_SIZE = offsetof(struct virtio_blk_config, unused1) + 3,
};

DEVICE_DEFINE_TYPE(VirtIOBlk, virtio_blk, "virtio-blk-device", TYPE_VIRTIO_DEVICE)

static bool is_power_of_2(uint32_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

static bool check_properties(VirtIOBlk *s, GError **error)
{
    const struct {
        const char *name;
        uint32_t value;
    } powers[] = {
        { "logical_block_size", s->logical_block_size },
        { "physical_block_size", s->physical_block_size },
        { "queue-size", s->queue_size },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(powers); i++) {
        if (!is_power_of_2(powers[i].value)) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "%s is %u but must be a power of two", powers[i].name, powers[i].value);
            return false;
        }
    }
    if (s->physical_block_size < s->logical_block_size) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "physical_block_size is %u but must not be below logical_block_size, %u",
                    s->physical_block_size, s->logical_block_size);
        return false;
    }
    if (s->discard_granularity != BLK_AUTO && s->discard_granularity % s->logical_block_size != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "discard_granularity is %u but must be a multiple of logical_block_size, %u",
                    s->discard_granularity, s->logical_block_size);
        return false;
    }
    if (s->serial != NULL && strlen(s->serial) > VIRTIO_BLK_ID_BYTES) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "serial is '%s' but must not be longer than %u bytes", s->serial,
                    VIRTIO_BLK_ID_BYTES);
        return false;
    }
    return true;
}

static bool take_drive(VirtIOBlk *s, GError **error)
{
    const char *id = device_id(HUMPY_DEVICE(s));
    BlockBackend *blk;

    if (s->drive == NULL) {
        g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "drive property not set");
        return false;
    }
    blk = block_find(s->drive);
    if (blk == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "drive '%s' is not known", s->drive);
        return false;
    }
    if (!block_claim(blk, id != NULL ? id : device_type(HUMPY_DEVICE(s)), error)) {
        return false;
    }
    s->blk = block_ref(blk);
    return true;
}

static void fill_config(const VirtIOBlk *s, struct virtio_blk_config *c)
{
    uint32_t granularity =
        s->discard_granularity == BLK_AUTO ? s->logical_block_size : s->discard_granularity;
    enum { HEADS = 16, SECTORS = 63, CYLINDERS_MAX = 16383 };

    c->capacity = htole64(s->sectors);
    /* Room for the request's header and status in a ring without indirect tables. */
    c->seg_max = htole32(s->queue_size - 2);
    c->geometry.cylinders = htole16(MIN(s->sectors / (HEADS * SECTORS), CYLINDERS_MAX));
    c->geometry.heads = HEADS;
    c->geometry.sectors = SECTORS;
    c->blk_size = htole32(s->logical_block_size);
    c->physical_block_exp = __builtin_ctz(s->physical_block_size / s->logical_block_size);
    c->min_io_size = htole16(s->min_io_size / s->logical_block_size);
    c->opt_io_size = htole32(s->opt_io_size / s->logical_block_size);
    c->wce = s->write_cache;
    c->num_queues = htole16(s->num_queues);
    c->max_discard_sectors = htole32(s->max_discard_sectors);
    c->max_discard_seg = htole32(1);
    c->discard_sector_alignment = htole32(granularity / BLOCK_SECTOR_SIZE);
    c->max_write_zeroes_sectors = htole32(s->max_write_zeroes_sectors);
    c->max_write_zeroes_seg = htole32(1);
    c->write_zeroes_may_unmap = 1;
}

static uint64_t features(const VirtIOBlk *s)
{
    uint64_t bits = 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_GEOMETRY |
                    1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_TOPOLOGY;

    if (s->write_cache || s->config_wce) {
        bits |= 1ull << VIRTIO_BLK_F_FLUSH;
    }
    if (s->config_wce) {
        bits |= 1ull << VIRTIO_BLK_F_CONFIG_WCE;
    }
    if (s->num_queues > 1) {
        bits |= 1ull << VIRTIO_BLK_F_MQ;
    }
    if (s->read_only || block_is_read_only(s->blk)) {
        return bits | 1ull << VIRTIO_BLK_F_RO;
    }
    if (s->discard) {
        bits |= 1ull << VIRTIO_BLK_F_DISCARD;
    }
    if (s->write_zeroes) {
        bits |= 1ull << VIRTIO_BLK_F_WRITE_ZEROES;
    }
    return bits;
}

static uint64_t whole_sectors(const VirtIOBlk *s)
{
    return block_length(s->blk) / s->logical_block_size * s->logical_block_size / BLOCK_SECTOR_SIZE;
}

/* [main] Section 5.2.6: the driver is told and reads the capacity again. */
static void resized(void *opaque)
{
    VirtIOBlk *s = opaque;
    uint64_t sectors = whole_sectors(s), capacity = htole64(sectors);

    __atomic_store_n(&s->sectors, sectors, __ATOMIC_RELAXED);
    virtio_config_update(HUMPY_VIRTIO_DEVICE(s), offsetof(struct virtio_blk_config, capacity),
                         &capacity, sizeof(capacity));
}

static void stop_backend(VirtIOBlk *s)
{
    iothread_unwatch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), s->watch);
    s->watch = 0;
    g_clear_pointer(&s->bq, block_queue_free);
    g_clear_pointer(&s->run_watch, run_watch_free);
    g_clear_pointer(&s->lanes, g_free);
    block_release(s->blk);
    g_clear_pointer(&s->blk, block_unref);
}

static bool start_backend(VirtIOBlk *s, GError **error)
{
    s->lanes = g_new(VirtIOBlkLane, s->num_queues);
    for (unsigned i = 0; i < s->num_queues; i++) {
        virtio_blk_list_init(&s->lanes[i].done);
        virtio_blk_list_init(&s->lanes[i].stopped);
        virtio_blk_list_init(&s->lanes[i].retry);
    }
    s->run_watch = run_watch_new(virtio_blk_resumed, s);
    s->bq = block_queue_new(s->blk, error);
    if (s->bq != NULL) {
        s->watch = iothread_watch(virtio_iothread(HUMPY_VIRTIO_DEVICE(s)), block_queue_fd(s->bq),
                                  virtio_blk_done, s, error);
    }
    if (s->watch == 0) {
        stop_backend(s);
        return false;
    }
    return true;
}

static bool virtio_blk_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOBlk *s = HUMPY_VIRTIO_BLK(vdev);
    struct virtio_blk_config config = { 0 };

    if (!check_properties(s, error) || !take_drive(s, error) || !start_backend(s, error)) {
        return false;
    }
    s->sectors = whole_sectors(s);
    s->write_cache =
        s->write_cache_prop == 0 ? !block_is_writethrough(s->blk) : s->write_cache_prop == 1;
    fill_config(s, &config);
    virtio_init(vdev, &s->props, features(s), &config, BLK_CONFIG_SIZE);
    block_set_resize_handler(s->blk, resized, s);
    for (unsigned i = 0; i < s->num_queues; i++) {
        virtio_add_queue(vdev, s->queue_size, virtio_blk_serve_queue);
    }
    return true;
}

static void virtio_blk_unrealize(VirtIODevice *vdev)
{
    stop_backend(HUMPY_VIRTIO_BLK(vdev));
}

/* Section 5.2.6.2: who negotiated neither FLUSH nor CONFIG_WCE cannot ask for stable storage and
 * gets it with every write. */
static void virtio_blk_started(VirtIODevice *vdev)
{
    VirtIOBlk *s = HUMPY_VIRTIO_BLK(vdev);
    bool on = virtio_has_feature(vdev, VIRTIO_BLK_F_CONFIG_WCE)
                  ? s->wce
                  : virtio_has_feature(vdev, VIRTIO_BLK_F_FLUSH);

    g_atomic_int_set(&s->writeback, on);
}

static void virtio_blk_config_written(VirtIODevice *vdev, uint8_t *config, const uint8_t *before)
{
    VirtIOBlk *s = HUMPY_VIRTIO_BLK(vdev);
    uint8_t wce = config[offsetof(struct virtio_blk_config, wce)] & 1;

    memcpy(config, before, BLK_CONFIG_SIZE);
    if (virtio_has_feature(vdev, VIRTIO_BLK_F_CONFIG_WCE)) {
        config[offsetof(struct virtio_blk_config, wce)] = wce;
        s->wce = wce != 0;
        g_atomic_int_set(&s->writeback, wce);
    }
}

static void virtio_blk_reset(VirtIODevice *vdev)
{
    VirtIOBlk *s = HUMPY_VIRTIO_BLK(vdev);
    uint8_t wce = s->write_cache;

    virtio_blk_drop_all(s);
    s->wce = s->write_cache;
    virtio_config_update(vdev, offsetof(struct virtio_blk_config, wce), &wce, 1);
}

static const char *virtio_blk_iothread(VirtIODevice *vdev)
{
    return HUMPY_VIRTIO_BLK(vdev)->iothread;
}

static void virtio_blk_finalize(GObject *obj)
{
    pthread_mutex_destroy(&HUMPY_VIRTIO_BLK(obj)->lock);
    G_OBJECT_CLASS(virtio_blk_parent_class)->finalize(obj);
}

static void virtio_blk_init(VirtIOBlk *s)
{
    pthread_mutex_init(&s->lock, NULL);
}

static const Prop virtio_blk_props[] = {
    VIRTIO_PROPS(VirtIOBlk, props),
    PROP_STRING("drive", VirtIOBlk, drive, NULL, "Node name or id of the drive"),
    PROP_STRING("iothread", VirtIOBlk, iothread, NULL,
                "Id of the iothread that serves it; else it has one of its own"),
    PROP_STRING("serial", VirtIOBlk, serial, NULL, "Serial number, at most 20 bytes"),
    PROP_U32("logical_block_size", VirtIOBlk, logical_block_size, 512, 512, 2 << 20,
             "Smallest unit the guest may transfer"),
    PROP_U32("physical_block_size", VirtIOBlk, physical_block_size, 512, 512, 2 << 20,
             "Unit the disk works in"),
    PROP_U32("min_io_size", VirtIOBlk, min_io_size, 0, 0, 2 << 20, "Preferred smallest request"),
    PROP_U32("opt_io_size", VirtIOBlk, opt_io_size, 0, 0, UINT32_MAX, "Preferred request size"),
    PROP_U32("discard_granularity", VirtIOBlk, discard_granularity, BLK_AUTO, 0, BLK_AUTO,
             "Unit of discards"),
    PROP_ONOFFAUTO("write-cache", VirtIOBlk, write_cache_prop,
                   "Volatile write cache at reset; auto: unless the drive is writethrough"),
    PROP_ENUM("rerror", VirtIOBlk, rerror, BLOCK_ON_ERROR_AUTO, block_on_error_names,
              "What becomes of a read that fails; auto: what the drive says, else report"),
    PROP_ENUM(
        "werror", VirtIOBlk, werror, BLOCK_ON_ERROR_AUTO, block_on_error_names,
        "What becomes of a write or flush that fails; auto: what the drive says, else enospc"),
    PROP_BOOL("config-wce", VirtIOBlk, config_wce, true, "Guest may switch the write cache"),
    PROP_BOOL("read-only", VirtIOBlk, read_only, false, "Refuse writes, whatever the drive takes"),
    PROP_BOOL("request-merging", VirtIOBlk, request_merging, true,
              "Serve neighbouring requests in one go"),
    PROP_U32("num-queues", VirtIOBlk, num_queues, 1, 1, VIRTIO_MAX_QUEUES, "Request queues"),
    PROP_U32("queue-size", VirtIOBlk, queue_size, 256, 4, VIRTIO_QUEUE_MAX,
             "Entries of each queue, a power of two"),
    PROP_BOOL("discard", VirtIOBlk, discard, true, "Offer discards"),
    PROP_BOOL("write-zeroes", VirtIOBlk, write_zeroes, true, "Offer writing zeroes"),
    PROP_U32("max-discard-sectors", VirtIOBlk, max_discard_sectors, BLK_MAX_SECTORS, 1,
             BLK_MAX_SECTORS, "Largest discard in units of 512 bytes"),
    PROP_U32("max-write-zeroes-sectors", VirtIOBlk, max_write_zeroes_sectors, BLK_MAX_SECTORS, 1,
             BLK_MAX_SECTORS, "Largest zero request in units of 512 bytes"),
};

static void virtio_blk_class_init(VirtIOBlkClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_STATIC_ASSERT(BLK_CONFIG_SIZE == 60);
    G_OBJECT_CLASS(klass)->finalize = virtio_blk_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_blk_props, G_N_ELEMENTS(virtio_blk_props));
    dc->summary = "Block device";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_BLOCK;
    vc->realize = virtio_blk_realize;
    vc->unrealize = virtio_blk_unrealize;
    vc->reset = virtio_blk_reset;
    vc->drain = virtio_blk_drain;
    vc->started = virtio_blk_started;
    vc->iothread = virtio_blk_iothread;
    vc->config_written = virtio_blk_config_written;
}
