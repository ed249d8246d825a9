/* SPDX-License-Identifier: GPL-2.0-or-later
 * The memory balloon (virtio 1.2, section 5.5): the guest gives up pages, tells their numbers, and
 * the host gets the memory back; free page reporting does the same without a target. What a
 * driver says of its pages is only believed as far as it costs nobody but itself. Statistics are in
 * virtio-balloon-stats.c. No free page hinting: it serves migration, which there is none of.
 */
#include <endian.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "hw/core/machine.h"
#include "hw/virtio/virtio-balloon.h"
#include "hw/virtio/virtio-transport.h"
#include "util/error.h"
#include "util/event.h"
#include "util/iov.h"
#include "virtio-balloon-priv.h"

enum {
    BALLOON_QUEUE_SIZE = 128,
    BALLOON_REPORTING_QUEUE_SIZE = 32,
    BALLOON_PAGE = 1 << VIRTIO_BALLOON_PFN_SHIFT,
    /* Of one request; Linux sends 256. What is beyond stays with the guest. */
    BALLOON_MAX_PFNS = 16384,
};

DEVICE_DEFINE_TYPE(VirtIOBalloon, virtio_balloon, "virtio-balloon-device", TYPE_VIRTIO_DEVICE)

static VirtIOBalloon *active; /* [main] the realized one */

/* ---- queues ---- */

static void discard_guest(VirtIOBalloon *s, uint64_t gpa, uint64_t len)
{
    AddressSpace *dma = virtio_dma(HUMPY_VIRTIO_DEVICE(s));

    while (len > 0) {
        uint64_t got = len;
        void *host = address_space_map(dma, gpa, &got, true);

        if (host == NULL) {
            return; /* not RAM: nothing to give back */
        }
        memory_discard(host, got);
        address_space_unmap(dma, host, got, false);
        gpa += got;
        len -= got;
    }
}

/* The guest's memory is read in small pieces: it may name as many pages as it likes. */
static void discard_pages(VirtIOBalloon *s, const VirtQueueElement *elem)
{
    uint64_t n = MIN(elem->out_size / sizeof(uint32_t), BALLOON_MAX_PFNS);
    uint64_t first = 0, run = 0;
    uint32_t pfns[256];

    for (uint64_t i = 0; i < n; i++) {
        uint64_t pfn;

        if (i % G_N_ELEMENTS(pfns) == 0) {
            iov_to_buf(elem->out, elem->n_out, i * sizeof(uint32_t), pfns,
                       MIN(n - i, G_N_ELEMENTS(pfns)) * sizeof(uint32_t));
        }
        pfn = le32toh(pfns[i % G_N_ELEMENTS(pfns)]);
        if (run > 0 && pfn == first + run) {
            run++;
            continue;
        }
        discard_guest(s, first * BALLOON_PAGE, run * BALLOON_PAGE);
        first = pfn;
        run = 1;
    }
    discard_guest(s, first * BALLOON_PAGE, run * BALLOON_PAGE);
}

static void serve_inflate(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        discard_pages(HUMPY_VIRTIO_BALLOON(vdev), elem);
        virtio_queue_push(vq, elem, 0);
        virtio_queue_notify(vq);
    }
}

/* Nothing to do: the next touch of a page brings it back. */
static void serve_deflate(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        virtio_queue_push(vq, elem, 0);
        virtio_queue_notify(vq);
    }
}

/* Section 5.5.6.7: the buffers themselves are the free memory. A driver that expects its poison
 * in pages it gets back must not find zeroes. */
static void serve_reporting(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOBalloon *s = HUMPY_VIRTIO_BALLOON(vdev);
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        for (unsigned i = 0; i < elem->n_in && !g_atomic_int_get(&s->poison); i++) {
            memory_discard(elem->in[i].iov_base, elem->in[i].iov_len);
        }
        virtio_queue_push(vq, elem, 0);
        virtio_queue_notify(vq);
    }
}

/* ---- configuration ---- */

static uint64_t actual_bytes(const VirtIOBalloon *s, uint32_t pages)
{
    uint64_t ballooned = (uint64_t)pages * BALLOON_PAGE;

    return s->ram_size - MIN(ballooned, s->ram_size);
}

static uint32_t config_field(VirtIOBalloon *s, size_t offset)
{
    uint32_t value;

    virtio_config_read(HUMPY_VIRTIO_DEVICE(s), offset, &value, sizeof(value));
    return le32toh(value);
}

static void tell_change(VirtIOBalloon *s, uint32_t pages)
{
    JsonObject *data = json_object_new();

    json_object_set_int_member(data, "actual", actual_bytes(s, pages));
    event_emit("BALLOON_CHANGE", data);
}

static void balloon_config_written(VirtIODevice *vdev, uint8_t *config, const uint8_t *before)
{
    VirtIOBalloon *s = HUMPY_VIRTIO_BALLOON(vdev);
    struct virtio_balloon_config written = { 0 }, old = { 0 };
    size_t size = s->page_poison ? sizeof(written)
                                 : offsetof(struct virtio_balloon_config, free_page_hint_cmd_id);

    memcpy(&written, config, size);
    memcpy(&old, before, size);
    written.num_pages = old.num_pages;
    written.free_page_hint_cmd_id = old.free_page_hint_cmd_id;
    if (!virtio_has_feature(vdev, VIRTIO_BALLOON_F_PAGE_POISON)) {
        written.poison_val = old.poison_val;
    }
    memcpy(config, &written, size);
    g_atomic_int_set(&s->poison, written.poison_val != 0);
    if (written.actual != old.actual) {
        tell_change(s, le32toh(written.actual));
    }
}

static void balloon_reset(VirtIODevice *vdev)
{
    VirtIOBalloon *s = HUMPY_VIRTIO_BALLOON(vdev);
    uint32_t zero = 0;

    balloon_stats_reset(s);
    g_atomic_int_set(&s->poison, 0);
    virtio_config_update(vdev, offsetof(struct virtio_balloon_config, actual), &zero, sizeof(zero));
    if (s->page_poison) {
        virtio_config_update(vdev, offsetof(struct virtio_balloon_config, poison_val), &zero,
                             sizeof(zero));
    }
}

/* ---- the monitor's side ---- */

bool balloon_is_active(void)
{
    return active != NULL;
}

void balloon_set_target(uint64_t bytes)
{
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(active);
    uint32_t pages =
        htole32((active->ram_size - MIN(bytes, active->ram_size)) >> VIRTIO_BALLOON_PFN_SHIFT);

    virtio_config_update(vdev, offsetof(struct virtio_balloon_config, num_pages), &pages,
                         sizeof(pages));
}

uint64_t balloon_actual(void)
{
    return actual_bytes(active,
                        config_field(active, offsetof(struct virtio_balloon_config, actual)));
}

/* ---- life cycle ---- */

static bool balloon_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOBalloon *s = HUMPY_VIRTIO_BALLOON(vdev);
    Machine *m = machine_current();
    uint64_t features = 1ull << VIRTIO_BALLOON_F_STATS_VQ;
    size_t size = offsetof(struct virtio_balloon_config, free_page_hint_cmd_id);

    if (active != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "only one balloon device is supported, and there is one already");
        return false;
    }
    s->ram_size = m != NULL ? machine_config(m)->ram_size : 0;
    if (s->deflate_on_oom) {
        features |= 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM;
    }
    if (s->page_poison) {
        features |= 1ull << VIRTIO_BALLOON_F_PAGE_POISON;
        size = sizeof(struct virtio_balloon_config);
    }
    if (s->free_page_reporting) {
        features |= 1ull << VIRTIO_BALLOON_F_REPORTING;
    }
    virtio_init(vdev, &s->props, features, NULL, size);
    virtio_add_queue(vdev, BALLOON_QUEUE_SIZE, serve_inflate);
    virtio_add_queue(vdev, BALLOON_QUEUE_SIZE, serve_deflate);
    balloon_stats_realize(s);
    if (s->free_page_reporting) {
        virtio_add_queue(vdev, BALLOON_REPORTING_QUEUE_SIZE, serve_reporting);
    }
    active = s;
    return true;
}

static void balloon_unrealize(VirtIODevice *vdev)
{
    balloon_stats_unrealize(HUMPY_VIRTIO_BALLOON(vdev));
    active = NULL;
}

static void virtio_balloon_finalize(GObject *obj)
{
    balloon_stats_finalize(HUMPY_VIRTIO_BALLOON(obj));
    G_OBJECT_CLASS(virtio_balloon_parent_class)->finalize(obj);
}

static void virtio_balloon_init(VirtIOBalloon *s)
{
    balloon_stats_init(s);
}

static const Prop virtio_balloon_props[] = {
    VIRTIO_PROPS(VirtIOBalloon, props),
    PROP_BOOL("deflate-on-oom", VirtIOBalloon, deflate_on_oom, false,
              "The guest may take pages back when it runs out of memory"),
    PROP_BOOL("page-poison", VirtIOBalloon, page_poison, true,
              "The guest can say that it fills free pages with a pattern"),
    PROP_BOOL("free-page-reporting", VirtIOBalloon, free_page_reporting, false,
              "The guest tells of pages that became free"),
};

static void virtio_balloon_class_init(VirtIOBalloonClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    G_STATIC_ASSERT(sizeof(struct virtio_balloon_config) == 16);
    G_STATIC_ASSERT(sizeof(struct virtio_balloon_stat) == 10);
    G_OBJECT_CLASS(klass)->finalize = virtio_balloon_finalize;
    props_install(G_OBJECT_CLASS(klass), virtio_balloon_props, G_N_ELEMENTS(virtio_balloon_props));
    balloon_stats_class_init(klass);
    dc->summary = "Memory balloon";
    dc->user_creatable = true;
    vc->device_id = VIRTIO_ID_BALLOON;
    vc->realize = balloon_realize;
    vc->unrealize = balloon_unrealize;
    vc->reset = balloon_reset;
    vc->config_written = balloon_config_written;
}
