/* SPDX-License-Identifier: GPL-2.0-or-later
 * The record of requests in flight: a device dies at any moment between taking and returning, and
 * the one after it gets exactly the requests that the driver still waits for, in their order.
 */
#include <string.h>

#include "hw/virtio/virtio-transport.h"
#include "util/error.h"
#include "virtio-driver.h"

/* ---- a device that keeps what it takes until it is told to return it ---- */

enum { HOLD_QUEUE_SIZE = 8 };

#define TYPE_VIRTIO_HOLD virtio_hold_get_type()
G_DECLARE_FINAL_TYPE(VirtIOHold, virtio_hold, HUMPY, VIRTIO_HOLD, VirtIODevice)
struct _VirtIOHold {
    VirtIODevice parent;
    VirtIOProps props;
    VirtQueueElement *held[64]; /* in the order taken; with the queue locked */
    unsigned n;
    bool unpop; /* puts the newest one back once */
};
DEVICE_DEFINE_TYPE(VirtIOHold, virtio_hold, "virtio-hold-device", TYPE_VIRTIO_DEVICE)

static void hold_serve(VirtIODevice *vdev, VirtQueue *vq)
{
    VirtIOHold *s = HUMPY_VIRTIO_HOLD(vdev);
    VirtQueueElement *elem;

    while ((elem = virtio_queue_pop(vq)) != NULL) {
        if (s->unpop) {
            s->unpop = false;
            virtio_queue_unpop(vq, elem);
        } else {
            s->held[s->n++] = elem;
        }
    }
}

static bool hold_realize(VirtIODevice *vdev, GError **error)
{
    VirtIOHold *s = HUMPY_VIRTIO_HOLD(vdev);

    virtio_init(vdev, &s->props, 0, NULL, 0);
    virtio_add_queue(vdev, HOLD_QUEUE_SIZE, hold_serve);
    return true;
}

static void hold_reset(VirtIODevice *vdev)
{
    VirtIOHold *s = HUMPY_VIRTIO_HOLD(vdev);

    while (s->n > 0) {
        virtio_queue_drop(virtio_queue(vdev, 0), s->held[--s->n]);
    }
}

static void virtio_hold_init(VirtIOHold *s)
{
}

static const Prop virtio_hold_props[] = {
    VIRTIO_PROPS(VirtIOHold, props),
};

static void virtio_hold_class_init(VirtIOHoldClass *klass)
{
    VirtIODeviceClass *vc = HUMPY_VIRTIO_DEVICE_CLASS(klass);

    props_install(G_OBJECT_CLASS(klass), virtio_hold_props, G_N_ELEMENTS(virtio_hold_props));
    vc->device_id = 60;
    vc->realize = hold_realize;
    vc->reset = hold_reset;
}

/* ---- the driver's side ---- */

typedef struct {
    Guest *g;
    void *log;
    size_t log_len;
    unsigned waiting[HOLD_QUEUE_SIZE]; /* heads the driver waits for, in their order */
    unsigned n_waiting;
    uint16_t taken; /* used entries the driver has seen */
    uint64_t desc, avail, used;
} World;

static VirtIODevice *vdev(World *w)
{
    return HUMPY_VIRTIO_DEVICE(w->g->dev);
}

static VirtIOHold *hold(World *w)
{
    return HUMPY_VIRTIO_HOLD(w->g->dev);
}

static void begin(World *w)
{
    *w = (World){ .g = guest_new(&guest_kinds[0]) };
    guest_plug_ok(w->g, "virtio-hold-device", NULL);
    w->log_len = virtio_queue_log_size(HOLD_QUEUE_SIZE);
    w->log = g_malloc0(w->log_len);
    guest_negotiate(w->g, UINT64_MAX & ~(1ull << F_NOTIFY_ON_EMPTY));
    virtio_queue_set_log(vdev(w), 0, w->log);
    virtio_queue_set_avail_index(vdev(w), 0, 0);
    guest_setup_queue(w->g, 0, HOLD_QUEUE_SIZE);
    guest_driver_ok(w->g);
}

static void end(World *w)
{
    guest_free(w->g);
    g_free(w->log);
}

/* Heads are the driver's choice: not in order. */
static void submit(World *w)
{
    Buf buf = { guest_alloc(w->g, 16, 16), 16, true };
    bool busy[HOLD_QUEUE_SIZE] = {};
    unsigned head;

    for (unsigned i = 0; i < w->n_waiting; i++) {
        busy[w->waiting[i]] = true;
    }
    do {
        head = g_test_rand_int_range(0, HOLD_QUEUE_SIZE);
    } while (busy[head]);
    guest_desc(w->g, w->g->queues[0].desc, head, buf.gpa, buf.len, D_WRITE, 0);
    guest_publish(w->g, 0, head);
    w->waiting[w->n_waiting++] = head;
}

static void serve(World *w)
{
    virtio_queue_notify_device(vdev(w), 0);
    guest_barrier(w->g);
}

/* Returns the device's element i and lets the driver see it. */
static void give_back(World *w, unsigned i)
{
    VirtQueue *vq = virtio_queue(vdev(w), 0);
    VirtIOHold *s = hold(w);
    unsigned head;

    g_assert_true(virtio_queue_enter(vq));
    head = s->held[i]->head;
    virtio_queue_push(vq, s->held[i], 16);
    s->n--;
    memmove(&s->held[i], &s->held[i + 1], (s->n - i) * sizeof(s->held[0]));
    virtio_queue_leave(vq);
    g_assert_cmpuint(guest_poll(w->g, 0).id, ==, head);
    for (unsigned k = 0; k < w->n_waiting; k++) {
        if (w->waiting[k] == head) {
            w->n_waiting--;
            memmove(&w->waiting[k], &w->waiting[k + 1], (w->n_waiting - k) * sizeof(w->waiting[0]));
            return;
        }
    }
    g_assert_not_reached();
}

/* The process dies and another one begins, with the record as it was. */
static bool restart(World *w, GError **error)
{
    uint64_t features = virtio_accepted_features(vdev(w));
    VirtQueueAddresses addr;
    bool ok;

    virtio_queue_addresses(vdev(w), 0, &addr);
    virtio_queue_set_log(vdev(w), 0, NULL);
    guest_unplug(w->g);
    guest_plug_ok(w->g, "virtio-hold-device", NULL);
    virtio_accept_features(vdev(w), features);
    virtio_queue_set_log(vdev(w), 0, w->log);
    virtio_queue_set_size(vdev(w), 0, HOLD_QUEUE_SIZE);
    virtio_queue_set_addresses(vdev(w), 0, &addr);
    virtio_queue_set_ready(vdev(w), 0, true);
    ok = virtio_queue_recover(vdev(w), 0, error);
    if (ok) {
        virtio_set_status(vdev(w), 0xf);
        g_assert_cmpuint(virtio_status(vdev(w)) & ~S_NEEDS_RESET, ==, 0xf);
        serve(w);
    }
    return ok;
}

static void check_has_all(World *w)
{
    g_assert_cmpuint(hold(w)->n, ==, w->n_waiting);
    for (unsigned i = 0; i < w->n_waiting; i++) {
        g_assert_cmpuint(hold(w)->held[i]->head, ==, w->waiting[i]);
    }
}

/* ---- tests ---- */

static void test_in_flight(void)
{
    World w;

    begin(&w);
    for (unsigned i = 0; i < 5; i++) {
        submit(&w);
    }
    serve(&w);
    give_back(&w, 3);
    give_back(&w, 1);
    g_assert_true(restart(&w, NULL));
    check_has_all(&w);
    give_back(&w, 0);
    g_assert_true(restart(&w, NULL));
    check_has_all(&w);
    end(&w);
}

/* Died after the driver could see the used index, before the mark was cleared. */
static void test_returned_but_marked(void)
{
    g_autofree void *before = NULL;
    World w;

    begin(&w);
    submit(&w);
    submit(&w);
    serve(&w);
    before = g_memdup2(w.log, w.log_len);
    give_back(&w, 0);
    memcpy(w.log, before, w.log_len);
    g_assert_true(restart(&w, NULL));
    check_has_all(&w);
    end(&w);
}

static void test_put_back(void)
{
    World w;

    begin(&w);
    hold(&w)->unpop = true;
    submit(&w);
    submit(&w);
    serve(&w);
    check_has_all(&w);
    g_assert_true(restart(&w, NULL));
    check_has_all(&w);
    virtio_queue_set_log(vdev(&w), 0, w.log);
    end(&w);
}

static void test_reset_forgets(void)
{
    World w;

    begin(&w);
    submit(&w);
    serve(&w);
    virtio_reset(vdev(&w));
    w.n_waiting = 0;
    for (size_t i = sizeof(uint64_t); i < w.log_len; i++) { /* behind size and used index */
        g_assert_cmpuint(((uint8_t *)w.log)[i], ==, 0);
    }
    end(&w);
}

/* Whatever is in a file that somebody else wrote. */
static void test_garbage(void)
{
    for (unsigned i = 0; i < 200; i++) {
        g_autoptr(GError) error = NULL;
        World w;

        begin(&w);
        submit(&w);
        serve(&w);
        for (size_t k = i % 2 == 0 ? 4 : 0; k < w.log_len; k++) {
            ((uint8_t *)w.log)[k] = g_test_rand_int_range(0, 256);
        }
        if (!restart(&w, &error)) {
            g_assert_nonnull(strstr(error->message, "the record of requests in flight"));
        } else {
            g_assert_cmpuint(hold(&w)->n, <=, HOLD_QUEUE_SIZE);
        }
        end(&w);
    }
}

static void test_random(void)
{
    g_autofree void *before = NULL;
    World w;

    begin(&w);
    before = g_memdup2(w.log, w.log_len);
    for (unsigned i = 0; i < 3000; i++) {
        switch (g_test_rand_int_range(0, 8)) {
        case 0:
        case 1:
        case 2:
            if (w.n_waiting < HOLD_QUEUE_SIZE) {
                submit(&w);
            }
            break;
        case 3:
            serve(&w);
            check_has_all(&w);
            break;
        case 4:
        case 5:
            if (hold(&w)->n > 0) {
                give_back(&w, g_test_rand_int_range(0, hold(&w)->n));
            }
            break;
        case 6:
            g_assert_true(restart(&w, NULL));
            check_has_all(&w);
            break;
        case 7:
            if (hold(&w)->n > 0) { /* dies inside of returning it */
                memcpy(before, w.log, w.log_len);
                give_back(&w, g_test_rand_int_range(0, hold(&w)->n));
                memcpy(w.log, before, w.log_len);
                g_assert_true(restart(&w, NULL));
                check_has_all(&w);
            }
            break;
        }
        w.g->next_free = MIN(w.g->next_free, RAM_BASE + RAM_SIZE / 2);
    }
    end(&w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    hw_register_types();
    virtio_hold_get_type();
    g_test_add_func("/virtio/queue-log/in-flight-comes-again", test_in_flight);
    g_test_add_func("/virtio/queue-log/returned-does-not", test_returned_but_marked);
    g_test_add_func("/virtio/queue-log/put-back", test_put_back);
    g_test_add_func("/virtio/queue-log/reset-forgets", test_reset_forgets);
    g_test_add_func("/virtio/queue-log/garbage", test_garbage);
    g_test_add_func("/virtio/queue-log/random", test_random);
    return g_test_run();
}
