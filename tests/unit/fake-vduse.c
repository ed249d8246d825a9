/* SPDX-License-Identifier: GPL-2.0-or-later
 * See fake-vduse.h.
 */
#include "fake-vduse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../export/vduse-node.h"

enum { BOUNCE, SECOND, RING, N_REGIONS, DRIVER_OK = 4 };

typedef struct {
    uint64_t iova, size;
    int fd;
    uint8_t *map;
} FakeRegion;

typedef struct {
    uint16_t max_size;
    bool ready;
    uint64_t desc, avail, used;
    int kick;
    uint16_t avail_idx, next_desc;
    unsigned irqs;
} FakeQueue;

typedef struct {
    struct vduse_dev_config *config; /* and its bytes */
    int node, kernel;                /* both ends; -1: not open */
    uint8_t status;
    uint64_t features;
    uint32_t next_id;
    FakeRegion regions[N_REGIONS];
    const struct vduse_iotlb_entry *lie;
    unsigned get_fd_calls, config_irqs, refused_irqs;
    bool refuse_irqs;
    FakeQueue queues[FAKE_MAX_QUEUES];
} FakeDevice;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static GHashTable *devices; /* by name */
static unsigned long fail_request;
static int fail_err;
static uint64_t newest, version;

static FakeDevice *find(const char *name)
{
    return g_hash_table_lookup(devices, name);
}

static FakeDevice *find_fd(int fd)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, devices);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((FakeDevice *)value)->node == fd) {
            return value;
        }
    }
    return NULL;
}

/* ---- devices ---- */

static void fill_region(FakeRegion *r, uint64_t iova, uint64_t size)
{
    r->iova = iova;
    r->size = size;
    r->fd = memfd_create("fake-vduse", MFD_CLOEXEC);
    g_assert(r->fd >= 0 && ftruncate(r->fd, (size + 4095) & ~4095ull) == 0);
    r->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    g_assert(r->map != MAP_FAILED);
}

static void clear_region(FakeRegion *r)
{
    munmap(r->map, r->size);
    close(r->fd);
}

static void free_device(gpointer data)
{
    FakeDevice *d = data;

    for (unsigned i = 0; i < N_REGIONS; i++) {
        clear_region(&d->regions[i]);
    }
    for (unsigned i = 0; i < FAKE_MAX_QUEUES; i++) {
        if (d->queues[i].kick >= 0) {
            close(d->queues[i].kick);
        }
    }
    if (d->kernel >= 0) {
        close(d->kernel);
    }
    g_free(d->config);
    g_free(d);
}

static int create(const struct vduse_dev_config *c)
{
    FakeDevice *d;

    if (c->name[0] == '\0' || c->vq_align > 4096 || c->config_size > 4096 || c->vq_num == 0 ||
        c->vq_num > FAKE_MAX_QUEUES || (c->device_id != 1 && c->device_id != 2) ||
        (c->features & 1ull << 33) == 0 || (c->device_id == 2 && (c->features & 1ull << 11) != 0) ||
        (c->device_id == 1 && (c->features & 1ull << 17) != 0)) {
        return EINVAL;
    }
    if (find(c->name) != NULL) {
        return EEXIST;
    }
    d = g_new0(FakeDevice, 1);
    d->config = g_memdup2(c, sizeof(*c) + c->config_size);
    d->node = d->kernel = -1;
    fill_region(&d->regions[BOUNCE], 0, FAKE_BOUNCE_SIZE);
    fill_region(&d->regions[SECOND], FAKE_BOUNCE_SIZE, FAKE_SECOND_SIZE);
    fill_region(&d->regions[RING], FAKE_RING_IOVA, FAKE_RING_SIZE);
    for (unsigned i = 0; i < FAKE_MAX_QUEUES; i++) {
        d->queues[i].kick = -1;
    }
    g_hash_table_insert(devices, g_strdup(c->name), d);
    return 0;
}

static int open_device(FakeDevice *d)
{
    int ends[2];

    if (d == NULL) {
        errno = ENOENT;
        return -1;
    }
    if (d->node >= 0) {
        errno = EBUSY;
        return -1;
    }
    g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    d->node = ends[0];
    d->kernel = ends[1];
    return d->node;
}

static int fake_open(const char *path, int flags)
{
    int fd;

    pthread_mutex_lock(&lock);
    if (fail_err != 0 && fail_request == 0) {
        errno = fail_err;
        fail_err = 0;
        fd = -1;
    } else if (strcmp(path, VDUSE_CONTROL_PATH) == 0) {
        version = 0;
        fd = eventfd(0, EFD_CLOEXEC);
    } else {
        fd = open_device(find(path + strlen("/dev/vduse/")));
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static int fake_close(int fd)
{
    FakeDevice *d;

    pthread_mutex_lock(&lock);
    d = find_fd(fd);
    if (d != NULL) {
        close(d->kernel);
        d->node = d->kernel = -1;
    }
    pthread_mutex_unlock(&lock);
    return close(fd);
}

/* ---- ioctls ---- */

static int control_ioctl(unsigned long request, void *arg)
{
    FakeDevice *d;

    switch (request) {
    case VDUSE_SET_API_VERSION:
        if (*(uint64_t *)arg > newest) {
            return EINVAL;
        }
        version = *(uint64_t *)arg;
        return 0;
    case VDUSE_CREATE_DEV:
        return create(arg);
    case VDUSE_DESTROY_DEV:
        d = find(arg);
        if (d == NULL) {
            return EINVAL;
        }
        if (d->node >= 0 || d->status != 0) {
            return EBUSY;
        }
        g_hash_table_remove(devices, arg);
        return 0;
    default:
        return EINVAL;
    }
}

static FakeRegion *region_at(FakeDevice *d, uint64_t iova)
{
    for (unsigned i = 0; i < N_REGIONS; i++) {
        FakeRegion *r = &d->regions[i];

        if (iova >= r->iova && iova - r->iova < r->size) {
            return r;
        }
    }
    return NULL;
}

static int get_fd(FakeDevice *d, struct vduse_iotlb_entry *e, int *fd)
{
    FakeRegion *r = e->start <= e->last ? region_at(d, e->start) : NULL;

    d->get_fd_calls++;
    pthread_cond_broadcast(&changed);
    if (r == NULL) {
        return EINVAL;
    }
    *fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    if (d->lie != NULL) {
        *e = *d->lie;
    } else {
        *e = (struct vduse_iotlb_entry){ .start = r->iova,
                                         .last = r->iova + r->size - 1,
                                         .perm = VDUSE_ACCESS_RW };
    }
    return 0;
}

static int inject(FakeDevice *d, unsigned *count)
{
    if (d->refuse_irqs || (d->status & DRIVER_OK) == 0) {
        d->refused_irqs++;
        pthread_cond_broadcast(&changed);
        return EINVAL;
    }
    ++*count;
    pthread_cond_broadcast(&changed);
    return 0;
}

static int set_kick(FakeDevice *d, const struct vduse_vq_eventfd *e)
{
    FakeQueue *q = &d->queues[e->index];

    if (q->kick >= 0) {
        close(q->kick);
    }
    q->kick = e->fd >= 0 ? fcntl(e->fd, F_DUPFD_CLOEXEC, 0) : -1;
    return 0;
}

static int queue_info(FakeDevice *d, struct vduse_vq_info *info)
{
    FakeQueue *q = &d->queues[info->index];

    info->num = FAKE_QUEUE_SIZE;
    info->desc_addr = q->desc;
    info->driver_addr = q->avail;
    info->device_addr = q->used;
    info->split.avail_index = 0;
    info->ready = q->ready;
    return 0;
}

static int set_config(FakeDevice *d, const struct vduse_config_data *data)
{
    if (data->length == 0 || data->offset > d->config->config_size ||
        data->length > d->config->config_size - data->offset) {
        return EINVAL;
    }
    memcpy(d->config->config + data->offset, data->buffer, data->length);
    return 0;
}

static int device_ioctl(FakeDevice *d, unsigned long request, void *arg, int *result)
{
    bool indexed = request == VDUSE_VQ_SETUP || request == VDUSE_VQ_GET_INFO ||
                   request == VDUSE_VQ_SETUP_KICKFD || request == VDUSE_VQ_INJECT_IRQ;

    if (indexed && *(uint32_t *)arg >= d->config->vq_num) {
        return EINVAL;
    }
    switch (request) {
    case VDUSE_VQ_SETUP:
        d->queues[*(uint32_t *)arg].max_size = ((struct vduse_vq_config *)arg)->max_size;
        return 0;
    case VDUSE_VQ_GET_INFO:
        return queue_info(d, arg);
    case VDUSE_VQ_SETUP_KICKFD:
        return set_kick(d, arg);
    case VDUSE_VQ_INJECT_IRQ:
        return inject(d, &d->queues[*(uint32_t *)arg].irqs);
    case VDUSE_DEV_INJECT_CONFIG_IRQ:
        return inject(d, &d->config_irqs);
    case VDUSE_DEV_GET_FEATURES:
        *(uint64_t *)arg = d->features;
        return 0;
    case VDUSE_DEV_SET_CONFIG:
        return set_config(d, arg);
    case VDUSE_IOTLB_GET_FD:
        return get_fd(d, arg, result);
    default:
        return ENOTTY;
    }
}

static int fake_ioctl(int fd, unsigned long request, uintptr_t arg)
{
    int err, result = 0;

    pthread_mutex_lock(&lock);
    if (fail_err != 0 && fail_request == request) {
        err = fail_err;
        fail_err = 0;
    } else if (find_fd(fd) == NULL) {
        err = control_ioctl(request, (void *)arg);
    } else {
        err = device_ioctl(find_fd(fd), request, (void *)arg, &result);
    }
    pthread_mutex_unlock(&lock);
    errno = err;
    return err != 0 ? -1 : result;
}

static const HostDevOps fake_ops = {
    .name = "fake",
    .open = fake_open,
    .ioctl = fake_ioctl,
    .mmap = mmap,
    .munmap = munmap,
    .close = fake_close,
};

const HostDevOps *fake_vduse_ops(void)
{
    return &fake_ops;
}

void fake_vduse_start(void)
{
    devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_device);
    newest = 0;
    fail_err = 0;
    vduse_node_set_host(&fake_ops);
}

void fake_vduse_stop(void)
{
    g_clear_pointer(&devices, g_hash_table_unref);
    vduse_node_set_host(&hostdev_kernel_ops);
}

void fake_vduse_fail(unsigned long request, int err)
{
    pthread_mutex_lock(&lock);
    fail_request = request;
    fail_err = err;
    pthread_mutex_unlock(&lock);
}

uint64_t fake_vduse_version(void)
{
    return version;
}

void fake_vduse_set_newest(uint64_t v)
{
    newest = v;
}

bool fake_vduse_is_ready(const char *name)
{
    return find(name)->queues[0].ready;
}

bool fake_vduse_exists(const char *name)
{
    return find(name) != NULL;
}

bool fake_vduse_is_open(const char *name)
{
    return find(name)->node >= 0;
}

const struct vduse_dev_config *fake_vduse_config(const char *name)
{
    return find(name)->config;
}

const uint8_t *fake_vduse_config_bytes(const char *name)
{
    return find(name)->config->config;
}

/* ---- messages ---- */

bool fake_vduse_ask(const char *name, struct vduse_dev_request *request,
                    struct vduse_dev_response *response)
{
    FakeDevice *d = find(name);

    /* A kernel is not interrupted by the fuzzer's alarm. */
    request->request_id = d->next_id++;
    return TEMP_FAILURE_RETRY(send(d->kernel, request, sizeof(*request), MSG_NOSIGNAL)) ==
               sizeof(*request) &&
           TEMP_FAILURE_RETRY(recv(d->kernel, response, sizeof(*response), 0)) ==
               sizeof(*response) &&
           response->request_id == request->request_id;
}

bool fake_vduse_set_status(const char *name, uint8_t status)
{
    struct vduse_dev_request request = { .type = VDUSE_SET_STATUS, .s.status = status };
    struct vduse_dev_response response;
    FakeDevice *d = find(name);
    bool ok = fake_vduse_ask(name, &request, &response) && response.result == VDUSE_REQ_RESULT_OK;

    pthread_mutex_lock(&lock);
    if (ok || status == 0) {
        d->status = status;
    }
    if (status == 0) {
        d->features = 0;
        for (unsigned i = 0; i < FAKE_MAX_QUEUES; i++) {
            FakeQueue *q = &d->queues[i];
            int kick = q->kick;

            *q = (FakeQueue){ .max_size = q->max_size, .kick = -1 };
            if (kick >= 0) {
                close(kick);
            }
        }
    }
    pthread_mutex_unlock(&lock);
    return ok;
}

bool fake_vduse_update_iotlb(const char *name, uint64_t start, uint64_t last)
{
    struct vduse_dev_request request = { .type = VDUSE_UPDATE_IOTLB, .iova = { start, last } };
    struct vduse_dev_response response;

    return fake_vduse_ask(name, &request, &response) && response.result == VDUSE_REQ_RESULT_OK;
}

int fake_vduse_queue_state(const char *name, unsigned n)
{
    struct vduse_dev_request request = { .type = VDUSE_GET_VQ_STATE, .vq_state.index = n };
    struct vduse_dev_response response;

    g_assert_true(fake_vduse_ask(name, &request, &response));
    return response.result == VDUSE_REQ_RESULT_OK ? response.vq_state.split.avail_index : -1;
}

static void set_up_rings(FakeDevice *d)
{
    for (unsigned i = 0; i < d->config->vq_num; i++) {
        FakeQueue *q = &d->queues[i];
        uint64_t base = FAKE_RING_IOVA + i * 0x400;

        q->desc = base;
        q->avail = base + sizeof(struct vring_desc) * FAKE_QUEUE_SIZE;
        q->used = q->avail + 64;
        q->ready = true;
    }
    memset(d->regions[RING].map, 0, FAKE_RING_SIZE);
}

bool fake_vduse_attach(const char *name, uint64_t features)
{
    FakeDevice *d = find(name);
    bool ok = fake_vduse_set_status(name, 0) && fake_vduse_set_status(name, 1) &&
              fake_vduse_set_status(name, 3);

    pthread_mutex_lock(&lock);
    d->features = features;
    pthread_mutex_unlock(&lock);
    if (!ok || !fake_vduse_set_status(name, 0xb)) {
        return false;
    }
    pthread_mutex_lock(&lock);
    set_up_rings(d);
    pthread_mutex_unlock(&lock);
    return fake_vduse_set_status(name, 0xf);
}

void fake_vduse_break(const char *name)
{
    FakeDevice *d = find(name);

    pthread_mutex_lock(&lock);
    shutdown(d->kernel, SHUT_RDWR);
    d->status = 0;
    pthread_mutex_unlock(&lock);
}

/* ---- memory and driver ---- */

uint8_t *fake_vduse_memory(const char *name, uint64_t iova)
{
    FakeRegion *r = region_at(find(name), iova);

    return r->map + (iova - r->iova);
}

void fake_vduse_resize(const char *name, uint64_t iova, uint64_t size)
{
    g_assert(ftruncate(region_at(find(name), iova)->fd, size) == 0);
}

void fake_vduse_replace_bounce(const char *name)
{
    FakeDevice *d = find(name);

    pthread_mutex_lock(&lock);
    clear_region(&d->regions[BOUNCE]);
    fill_region(&d->regions[BOUNCE], 0, FAKE_BOUNCE_SIZE);
    pthread_mutex_unlock(&lock);
}

unsigned fake_vduse_get_fd_calls(const char *name)
{
    unsigned n;

    pthread_mutex_lock(&lock);
    n = find(name)->get_fd_calls;
    pthread_mutex_unlock(&lock);
    return n;
}

void fake_vduse_wait_get_fd(const char *name, unsigned n)
{
    FakeDevice *d = find(name);

    pthread_mutex_lock(&lock);
    while (d->get_fd_calls < n) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

void fake_vduse_set_lie(const char *name, const struct vduse_iotlb_entry *lie)
{
    pthread_mutex_lock(&lock);
    find(name)->lie = lie;
    pthread_mutex_unlock(&lock);
}

void fake_vduse_submit(const char *name, unsigned n, const FakeBuf *bufs, unsigned count)
{
    FakeDevice *d = find(name);
    FakeQueue *q = &d->queues[n];
    struct vring_desc *desc = (struct vring_desc *)fake_vduse_memory(name, q->desc);
    struct vring_avail *avail = (struct vring_avail *)fake_vduse_memory(name, q->avail);
    uint16_t head = q->next_desc;

    for (unsigned i = 0; i < count; i++) {
        desc[q->next_desc] = (struct vring_desc){
            .addr = bufs[i].addr,
            .len = bufs[i].len,
            .flags =
                (bufs[i].write ? VRING_DESC_F_WRITE : 0) | (i + 1 < count ? VRING_DESC_F_NEXT : 0),
            .next = (q->next_desc + 1) % FAKE_QUEUE_SIZE,
        };
        q->next_desc = (q->next_desc + 1) % FAKE_QUEUE_SIZE;
    }
    avail->ring[q->avail_idx % FAKE_QUEUE_SIZE] = head;
    __atomic_store_n(&avail->idx, ++q->avail_idx, __ATOMIC_SEQ_CST);
    if (q->kick >= 0) {
        g_assert(eventfd_write(q->kick, 1) == 0);
    }
}

void fake_vduse_wait_used(const char *name, unsigned n, uint16_t idx)
{
    FakeDevice *d = find(name);
    struct vring_used *used = (struct vring_used *)fake_vduse_memory(name, d->queues[n].used);

    pthread_mutex_lock(&lock);
    while (__atomic_load_n(&used->idx, __ATOMIC_SEQ_CST) != idx) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

void fake_vduse_wait_irqs(const char *name, int n, unsigned count)
{
    FakeDevice *d = find(name);
    const unsigned *irqs = n < 0 ? &d->config_irqs : &d->queues[n].irqs;

    pthread_mutex_lock(&lock);
    while (*irqs < count) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

void fake_vduse_refuse_irqs(const char *name, bool refuse)
{
    pthread_mutex_lock(&lock);
    find(name)->refuse_irqs = refuse;
    pthread_mutex_unlock(&lock);
}

void fake_vduse_wait_refused(const char *name)
{
    FakeDevice *d = find(name);

    pthread_mutex_lock(&lock);
    while (d->refused_irqs == 0) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}
