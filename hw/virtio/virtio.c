/* SPDX-License-Identifier: GPL-2.0-or-later
 * The virtio device base class: life cycle, feature negotiation, device status and configuration
 * bytes (virtio 1.2, chapters 2 and 3). Rings are in queue.c, their set-up is in queue-setup.c,
 * registers are in the transports.
 */
#include <linux/virtio_config.h>
#include <string.h>

#include "hw/core/bus.h"
#include "hw/virtio/iothread-object.h"
#include "util/error.h"
#include "util/trace.h"
#include "virtio-priv.h"

typedef VirtIOCore VirtIODevicePrivate; /* the name GObject's macro wants */
G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE(VirtIODevice, virtio_device, TYPE_DEVICE)

VirtIOCore *virtio_core(VirtIODevice *vdev)
{
    return virtio_device_get_instance_private(vdev);
}

/* ---- what device models call ---- */

void virtio_init(VirtIODevice *vdev, const VirtIOProps *props, uint64_t features,
                 const void *config, size_t config_size)
{
    VirtIOCore *core = virtio_core(vdev);

    core->offered = features;
    if (props->indirect_desc) {
        core->offered |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
    }
    if (props->event_idx) {
        core->offered |= 1ull << VIRTIO_RING_F_EVENT_IDX;
    }
    if (props->packed) { /* a bit that a legacy interface cannot show */
        core->offered |= 1ull << VIRTIO_F_RING_PACKED;
    }
    g_free(core->config);
    core->config = g_malloc0(MAX(config_size, 1));
    core->config_size = config_size;
    if (config != NULL) {
        memcpy(core->config, config, config_size);
    }
}

VirtQueue *virtio_add_queue(VirtIODevice *vdev, unsigned size, VirtQueueHandler handler)
{
    VirtIOCore *core = virtio_core(vdev);
    VirtQueue *vq;

    g_assert(size > 0 && size <= VIRTIO_QUEUE_MAX && (size & (size - 1)) == 0);
    g_assert(core->queues->len < VIRTIO_MAX_QUEUES);
    vq = queue_new(vdev, core->queues->len, size, handler);
    g_ptr_array_add(core->queues, vq);
    return vq;
}

VirtQueue *virtio_queue(VirtIODevice *vdev, unsigned index)
{
    GPtrArray *queues = virtio_core(vdev)->queues;

    return index < queues->len ? g_ptr_array_index(queues, index) : NULL;
}

unsigned virtio_queue_index(VirtQueue *vq)
{
    return vq->index;
}

bool virtio_has_feature(VirtIODevice *vdev, unsigned bit)
{
    return (virtio_core(vdev)->accepted & (1ull << bit)) != 0;
}

IoThread *virtio_iothread(VirtIODevice *vdev)
{
    return virtio_core(vdev)->iothread;
}

const char *virtio_user_id(VirtIODevice *vdev)
{
    const char *id = device_id(HUMPY_DEVICE(vdev));
    Bus *bus = device_parent_bus(HUMPY_DEVICE(vdev));

    return id == NULL && bus != NULL ? device_id(bus_parent(bus)) : id;
}

AddressSpace *virtio_dma(VirtIODevice *vdev)
{
    return virtio_core(vdev)->dma;
}

/* [core->lock] */
static void notify_config(VirtIOCore *core)
{
    if ((core->status & VIRTIO_CONFIG_S_DRIVER_OK) != 0) {
        core->ops->notify_config(core->ops_opaque);
    }
}

void virtio_config_update(VirtIODevice *vdev, size_t offset, const void *data, size_t len)
{
    VirtIOCore *core = virtio_core(vdev);

    g_assert(offset <= core->config_size && len <= core->config_size - offset);
    pthread_mutex_lock(&core->lock);
    if (memcmp(core->config + offset, data, len) != 0) {
        memcpy(core->config + offset, data, len);
        core->generation++;
        notify_config(core);
    }
    pthread_mutex_unlock(&core->lock);
}

void virtio_error(VirtIODevice *vdev, const char *fmt, ...)
{
    VirtIOCore *core = virtio_core(vdev);
    const char *id = virtio_user_id(vdev);
    g_autofree char *text = NULL;
    bool first_ever, first;
    va_list ap;

    g_atomic_int_set(&core->running, 0);
    pthread_mutex_lock(&core->lock);
    first = !core->broken;
    first_ever = !core->logged;
    core->broken = true;
    core->logged = true;
    if (first && virtio_has_feature(vdev, VIRTIO_F_VERSION_1)) {
        core->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
        notify_config(core);
    }
    pthread_mutex_unlock(&core->lock);
    if (first_ever) { /* a guest can do this at will: it must not fill the log */
        va_start(ap, fmt);
        text = g_strdup_vprintf(fmt, ap);
        va_end(ap);
        g_message("%s%s%s: the driver broke a rule, the device stops until it is reset: %s",
                  device_type(HUMPY_DEVICE(vdev)), id != NULL ? " " : "", id != NULL ? id : "",
                  text);
    }
}

/* ---- features and status ---- */

uint16_t virtio_device_id(VirtIODevice *vdev)
{
    return HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev)->device_id;
}

static gint platform_required;

void virtio_require_platform(bool required)
{
    g_atomic_int_set(&platform_required, required);
}

bool virtio_platform_is_required(void)
{
    return g_atomic_int_get(&platform_required);
}

static uint64_t offered(const VirtIOCore *core)
{
    if (!virtio_platform_is_required()) {
        return core->offered;
    }
    return (core->offered & ~(1ull << VIRTIO_F_NOTIFY_ON_EMPTY | 1ull << VIRTIO_F_ANY_LAYOUT)) |
           1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM;
}

uint64_t virtio_offered_features(VirtIODevice *vdev)
{
    return offered(virtio_core(vdev));
}

void virtio_offer_features(VirtIODevice *vdev, uint64_t bits)
{
    virtio_core(vdev)->offered |= bits;
}

uint64_t virtio_accepted_features(VirtIODevice *vdev)
{
    return virtio_core(vdev)->accepted;
}

void virtio_accept_features(VirtIODevice *vdev, uint64_t features)
{
    VirtIOCore *core = virtio_core(vdev);

    if ((virtio_status(vdev) & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)) == 0) {
        core->accepted = features & offered(core);
        core->accepted_too_much = (features & ~offered(core)) != 0;
    }
}

static bool is_modern(const VirtIOCore *core)
{
    return !core->legacy && (offered(core) & (1ull << VIRTIO_F_VERSION_1)) != 0;
}

static bool features_acceptable(const VirtIOCore *core)
{
    if (virtio_platform_is_required() &&
        (core->accepted & (1ull << VIRTIO_F_ACCESS_PLATFORM)) == 0) {
        return false;
    }
    return !core->accepted_too_much &&
           (!is_modern(core) || (core->accepted & (1ull << VIRTIO_F_VERSION_1)) != 0);
}

uint8_t virtio_status(VirtIODevice *vdev)
{
    VirtIOCore *core = virtio_core(vdev);
    uint8_t status;

    pthread_mutex_lock(&core->lock);
    status = core->status;
    pthread_mutex_unlock(&core->lock);
    return status;
}

/* Waits until no handler runs; with running cleared none starts work again. */
static void drain(VirtIOCore *core)
{
    g_atomic_int_set(&core->running, 0);
    for (unsigned i = 0; i < core->queues->len; i++) {
        VirtQueue *vq = g_ptr_array_index(core->queues, i);

        queue_lock_idle(vq);
        queue_unlock(vq);
    }
}

static void run(VirtIOCore *core)
{
    if (core->no_dma) {
        return;
    }
    g_atomic_int_set(&core->running, 1);
    for (unsigned i = 0; i < core->queues->len; i++) {
        virtio_queue_kick(g_ptr_array_index(core->queues, i));
    }
}

static void start(VirtIODevice *vdev)
{
    VirtIOCore *core = virtio_core(vdev);
    VirtIODeviceClass *klass = HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev);
    bool broken;

    pthread_mutex_lock(&core->lock);
    broken = core->broken;
    pthread_mutex_unlock(&core->lock);
    if (broken) {
        return;
    }
    if (klass->started != NULL) {
        klass->started(vdev);
    }
    run(core);
}

void virtio_set_legacy(VirtIODevice *vdev, bool legacy)
{
    virtio_core(vdev)->legacy = legacy;
}

void virtio_allow_dma(VirtIODevice *vdev, bool allowed)
{
    VirtIOCore *core = virtio_core(vdev);
    bool started;

    core->no_dma = !allowed;
    if (!allowed) {
        drain(core);
        return;
    }
    pthread_mutex_lock(&core->lock);
    started = (core->status & VIRTIO_CONFIG_S_DRIVER_OK) != 0 && !core->broken;
    pthread_mutex_unlock(&core->lock);
    if (started) {
        run(core);
    }
}

void virtio_set_status(VirtIODevice *vdev, uint8_t status)
{
    VirtIOCore *core = virtio_core(vdev);
    uint8_t old;

    TRACE(virtio_set_status, "%s 0x%02x", device_type(HUMPY_DEVICE(vdev)), status);
    if (status == 0) {
        virtio_reset(vdev);
        return;
    }
    pthread_mutex_lock(&core->lock);
    old = core->status;
    if ((status & ~old & VIRTIO_CONFIG_S_FEATURES_OK) != 0 && !features_acceptable(core)) {
        status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
    }
    if (is_modern(core) && (status & VIRTIO_CONFIG_S_FEATURES_OK) == 0) {
        status &= ~VIRTIO_CONFIG_S_DRIVER_OK; /* section 3.1.1: not without step 5 */
    }
    if (core->legacy && virtio_platform_is_required()) {
        status &= ~VIRTIO_CONFIG_S_DRIVER_OK; /* it would hand over memory that is out of reach */
    }
    status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
    core->status = status | (old & VIRTIO_CONFIG_S_NEEDS_RESET);
    pthread_mutex_unlock(&core->lock);
    if ((status & ~old & VIRTIO_CONFIG_S_DRIVER_OK) != 0) {
        start(vdev);
    } else if ((old & ~status & VIRTIO_CONFIG_S_DRIVER_OK) != 0) {
        drain(core);
    }
}

void virtio_reset(VirtIODevice *vdev)
{
    VirtIOCore *core = virtio_core(vdev);
    VirtIODeviceClass *klass = HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev);

    drain(core);
    pthread_mutex_lock(&core->lock);
    core->status = 0;
    core->broken = false;
    pthread_mutex_unlock(&core->lock);
    if (klass->reset != NULL) {
        klass->reset(vdev);
    }
    core->accepted = 0;
    core->accepted_too_much = false;
    core->legacy = false;
    for (unsigned i = 0; i < core->queues->len; i++) {
        VirtQueue *vq = g_ptr_array_index(core->queues, i);

        queue_lock_idle(vq);
        queue_reset(vq);
        queue_unlock(vq);
    }
}

/* ---- configuration bytes ---- */

size_t virtio_config_size(VirtIODevice *vdev)
{
    return virtio_core(vdev)->config_size;
}

void virtio_config_read(VirtIODevice *vdev, uint64_t offset, void *buf, size_t len)
{
    VirtIOCore *core = virtio_core(vdev);

    memset(buf, 0, len);
    if (offset < core->config_size) {
        pthread_mutex_lock(&core->lock);
        memcpy(buf, core->config + offset, MIN(len, core->config_size - offset));
        pthread_mutex_unlock(&core->lock);
    }
}

void virtio_config_write(VirtIODevice *vdev, uint64_t offset, const void *buf, size_t len)
{
    VirtIOCore *core = virtio_core(vdev);
    VirtIODeviceClass *klass = HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev);
    g_autofree uint8_t *before = NULL;

    if (klass->config_written == NULL || offset >= core->config_size) {
        return;
    }
    pthread_mutex_lock(&core->lock);
    before = g_memdup2(core->config, core->config_size);
    memcpy(core->config + offset, buf, MIN(len, core->config_size - offset));
    klass->config_written(vdev, core->config, before);
    pthread_mutex_unlock(&core->lock);
}

uint32_t virtio_config_generation(VirtIODevice *vdev)
{
    VirtIOCore *core = virtio_core(vdev);
    uint32_t generation;

    pthread_mutex_lock(&core->lock);
    generation = core->generation;
    pthread_mutex_unlock(&core->lock);
    return generation;
}

/* ---- life cycle ---- */

void virtio_attach(VirtIODevice *vdev, const VirtIOTransportOps *ops, void *opaque,
                   AddressSpace *dma)
{
    VirtIOCore *core = virtio_core(vdev);

    g_assert(!device_is_realized(HUMPY_DEVICE(vdev)) && core->ops == NULL);
    core->ops = ops;
    core->ops_opaque = opaque;
    core->dma = dma;
}

void virtio_use_queue_threads(VirtIODevice *vdev)
{
    virtio_core(vdev)->thread_per_queue = true;
}

void virtio_detach(VirtIODevice *vdev)
{
    VirtIOCore *core = virtio_core(vdev);

    g_assert(!device_is_realized(HUMPY_DEVICE(vdev)));
    core->ops = NULL;
    core->dma = NULL;
}

static bool take_iothread(VirtIODevice *vdev, GError **error)
{
    VirtIOCore *core = virtio_core(vdev);
    VirtIODeviceClass *klass = HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev);
    const char *shared = klass->iothread != NULL ? klass->iothread(vdev) : NULL;
    const char *name = device_id(HUMPY_DEVICE(vdev));
    UserObject *owner;

    if (shared == NULL) {
        core->iothread =
            iothread_new(name != NULL ? name : device_type(HUMPY_DEVICE(vdev)), NULL, error);
        return core->iothread != NULL;
    }
    owner = user_object_find(shared, TYPE_IOTHREAD_OBJECT, error);
    if (owner == NULL) {
        g_prefix_error(error, "iothread: ");
        return false;
    }
    user_object_use(owner);
    core->iothread_owner = g_object_ref(owner);
    core->iothread = iothread_object_thread(HUMPY_IOTHREAD_OBJECT(owner));
    return true;
}

static void release_iothread(VirtIOCore *core)
{
    if (core->iothread_owner != NULL) {
        user_object_unuse(core->iothread_owner);
        g_clear_object(&core->iothread_owner);
        core->iothread = NULL;
    }
    g_clear_pointer(&core->iothread, iothread_free);
}

static void stop_queues(VirtIOCore *core)
{
    for (unsigned i = 0; i < core->queues->len; i++) {
        queue_stop_watch(g_ptr_array_index(core->queues, i));
    }
}

static void virtio_device_unrealize(Device *dev)
{
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(dev);
    VirtIOCore *core = virtio_core(vdev);
    VirtIODeviceClass *klass = HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev);

    virtio_reset(vdev);
    stop_queues(core);
    if (klass->unrealize != NULL) {
        klass->unrealize(vdev);
    }
    g_ptr_array_set_size(core->queues, 0);
    release_iothread(core);
}

static bool start_queues(VirtIOCore *core, GError **error)
{
    for (unsigned i = 0; i < core->queues->len; i++) {
        if (!queue_start_watch(g_ptr_array_index(core->queues, i), error)) {
            return false;
        }
    }
    return true;
}

static bool virtio_device_realize(Device *dev, GError **error)
{
    VirtIODevice *vdev = HUMPY_VIRTIO_DEVICE(dev);
    VirtIOCore *core = virtio_core(vdev);

    if (core->ops == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "%s needs a virtio-bus to be plugged into", device_type(dev));
        return false;
    }
    if (!take_iothread(vdev, error)) {
        return false;
    }
    if (!HUMPY_VIRTIO_DEVICE_GET_CLASS(vdev)->realize(vdev, error)) {
        g_ptr_array_set_size(core->queues, 0);
        release_iothread(core);
        return false;
    }
    if (!start_queues(core, error)) {
        virtio_device_unrealize(dev);
        return false;
    }
    return true;
}

static void virtio_device_reset(Device *dev)
{
    virtio_reset(HUMPY_VIRTIO_DEVICE(dev));
}

static void virtio_device_finalize(GObject *obj)
{
    VirtIOCore *core = virtio_core(HUMPY_VIRTIO_DEVICE(obj));

    g_ptr_array_unref(core->queues);
    g_free(core->config);
    pthread_mutex_destroy(&core->lock);
    G_OBJECT_CLASS(virtio_device_parent_class)->finalize(obj);
}

static void virtio_device_init(VirtIODevice *vdev)
{
    VirtIOCore *core = virtio_core(vdev);

    pthread_mutex_init(&core->lock, NULL);
    core->queues = g_ptr_array_new_with_free_func((GDestroyNotify)queue_free);
}

static void virtio_device_class_init(VirtIODeviceClass *klass)
{
    DeviceClass *dc = HUMPY_DEVICE_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_device_finalize;
    dc->bus = "virtio-bus";
    dc->realize = virtio_device_realize;
    dc->unrealize = virtio_device_unrealize;
    dc->reset = virtio_device_reset;
}
