/* SPDX-License-Identifier: GPL-2.0-or-later
 * vCPUs of the model: which server a request is for, and the vCPU's half of the slot's protocol. An
 * emulator that breaks its rules has crashed the domain, as on Xen.
 */
#include <string.h>

#include "xen-priv.h"

enum { CF8 = 0xcf8, CFC = 0xcfc, CF8_ENABLE = 1u << 31 };

static uint64_t all_ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

/* ---- the slot ---- */

static uint8_t *state_byte(ioreq_t *slot)
{
    return (uint8_t *)slot + STATE_OFFSET;
}

static unsigned state_of(ioreq_t *slot)
{
    return __atomic_load_n(state_byte(slot), __ATOMIC_ACQUIRE) & STATE_MASK;
}

/* Until the answer is there, or will not come. TRUE: it is. */
static bool wait_for_answer(XenModelDomain *d, Server *s, unsigned vcpu)
{
    uint16_t id = s->id;
    uint64_t seen = s->ports[vcpu].notified;
    unsigned last = STATE_IOREQ_READY;

    for (;;) {
        unsigned state;

        if (d->dead || !s->exists || s->id != id || d->stats.crashed) {
            return false;
        }
        state = state_of(model_slot(s, vcpu));
        if (state < last && state != STATE_IOREQ_NONE) {
            d->stats.crashed = true;
            return false;
        }
        last = MAX(state, last);
        if (state == STATE_IORESP_READY) {
            return true;
        }
        while (s->exists && s->ports[vcpu].notified == seen && !d->dead) {
            pthread_cond_wait(&model_changed, &model_lock);
        }
        seen = s->exists ? s->ports[vcpu].notified : 0;
    }
}

/* All of the slot but state and channel is written before the state. */
static uint64_t submit(XenModelDomain *d, Server *s, unsigned vcpu, const ioreq_t *wanted)
{
    ioreq_t *slot = model_slot(s, vcpu);
    uint8_t *bytes = (uint8_t *)slot;
    uint32_t port = slot->vp_eport;
    uint64_t data = UINT64_MAX;
    ioreq_t whole = *wanted;
    uint8_t flags;

    if (state_of(slot) != STATE_IOREQ_NONE || port != s->ports[vcpu].number) {
        return UINT64_MAX; /* dropped: somebody has tampered with the page */
    }
    whole.vp_eport = port;
    whole.state = STATE_IOREQ_READY;
    memcpy(&flags, (uint8_t *)&whole + STATE_OFFSET, 1);
    memcpy(bytes, &whole, STATE_OFFSET);
    bytes[STATE_OFFSET + 1] = whole.type;
    __atomic_store_n(bytes + STATE_OFFSET, flags, __ATOMIC_RELEASE);
    model_send(&s->ports[vcpu]);
    if (!wait_for_answer(d, s, vcpu)) {
        return UINT64_MAX;
    }
    data = __atomic_load_n(&slot->data, __ATOMIC_RELAXED);
    __atomic_store_n(state_byte(slot), STATE_IOREQ_NONE, __ATOMIC_RELEASE);
    return data;
}

static ioreq_t to_slot(const XenModelRequest *req)
{
    return (ioreq_t){
        .addr = req->addr,
        .data = req->data,
        .count = req->count,
        .size = req->size,
        .data_is_ptr = req->data_is_ptr,
        .dir = req->is_write ? IOREQ_WRITE : IOREQ_READ,
        .df = req->df,
        .type = req->type,
    };
}

/* ---- which server ---- */

static bool wants(const Server *s, const XenModelRequest *req)
{
    uint64_t reach = (uint64_t)(req->count > 0 ? req->count - 1 : 0) * req->size;
    uint64_t first = req->addr, last = req->addr + req->size - 1;

    switch (req->type) {
    case IOREQ_TYPE_PIO:
        return model_has(s, XEN_DMOP_IO_RANGE_PORT, first, last);
    case IOREQ_TYPE_COPY:
        return req->df ? model_has(s, XEN_DMOP_IO_RANGE_MEMORY, first - reach, last)
                       : model_has(s, XEN_DMOP_IO_RANGE_MEMORY, first, last + reach);
    case IOREQ_TYPE_PCI_CONFIG:
        return model_has(s, XEN_DMOP_IO_RANGE_PCI, req->addr >> 32, req->addr >> 32);
    }
    return true;
}

/* The newest is asked first. */
static Server *find_server(XenModelDomain *d, const XenModelRequest *req)
{
    for (unsigned i = MAX_SERVERS; i-- > 0;) {
        Server *s = &d->servers[i];

        if (s->exists && s->enabled && wants(s, req)) {
            return s;
        }
    }
    return NULL;
}

uint64_t xen_model_request(XenModelDomain *d, unsigned vcpu, const XenModelRequest *req)
{
    ioreq_t slot = to_slot(req);
    uint64_t data = UINT64_MAX;
    Server *s;

    pthread_mutex_lock(&model_lock);
    s = find_server(d, req);
    if (s != NULL) {
        data = submit(d, s, vcpu, &slot);
    }
    pthread_mutex_unlock(&model_lock);
    return data & all_ones(req->size);
}

uint64_t xen_model_raw_slot(XenModelDomain *d, unsigned vcpu, const void *ioreq)
{
    uint64_t data = UINT64_MAX;
    ioreq_t slot;

    memcpy(&slot, ioreq, sizeof(slot));
    pthread_mutex_lock(&model_lock);
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        if (d->servers[i].exists && d->servers[i].enabled) {
            data = submit(d, &d->servers[i], vcpu, &slot);
        }
    }
    pthread_mutex_unlock(&model_lock);
    return data;
}

void xen_model_spurious(XenModelDomain *d, unsigned vcpu)
{
    pthread_mutex_lock(&model_lock);
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        if (d->servers[i].exists) {
            model_send(&d->servers[i].ports[vcpu]);
        }
    }
    pthread_mutex_unlock(&model_lock);
}

void xen_model_invalidate(XenModelDomain *d, unsigned vcpu)
{
    ioreq_t slot = { .type = IOREQ_TYPE_INVALIDATE, .size = 4, .data = UINT64_MAX };

    xen_model_raw_slot(d, vcpu, &slot);
}

/* ---- instructions ---- */

static uint64_t port_access(XenModelDomain *d, unsigned vcpu, uint16_t port, unsigned size,
                            bool is_write, uint32_t value)
{
    XenModelRequest req = {
        .type = IOREQ_TYPE_PIO,
        .addr = port,
        .size = size,
        .count = 1,
        .is_write = is_write,
        .data = value,
    };
    uint32_t cf8;

    pthread_mutex_lock(&model_lock);
    if (port == CF8 && size == 4 && is_write) {
        d->cf8 = value;
    }
    cf8 = d->cf8;
    pthread_mutex_unlock(&model_lock);
    if ((port & ~3) == CFC && (cf8 & CF8_ENABLE)) {
        req.type = IOREQ_TYPE_PCI_CONFIG;
        req.addr = (uint64_t)(cf8 >> 8 & 0xffff) << 32 | (cf8 & 0xfc) | (port & 3);
    }
    return xen_model_request(d, vcpu, &req);
}

uint32_t xen_model_in(XenModelDomain *d, unsigned vcpu, uint16_t port, unsigned size)
{
    return port_access(d, vcpu, port, size, false, 0);
}

void xen_model_out(XenModelDomain *d, unsigned vcpu, uint16_t port, uint32_t value, unsigned size)
{
    port_access(d, vcpu, port, size, true, value);
}

/* Powers of two that do not cross the end of a page. */
static unsigned piece(uint64_t addr, unsigned left)
{
    unsigned room = PAGE_SIZE - addr % PAGE_SIZE, n = MIN(left, room);

    return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

static uint64_t memory_access(XenModelDomain *d, unsigned vcpu, uint64_t addr, unsigned size,
                              bool is_write, uint64_t value)
{
    uint64_t result = 0;

    for (unsigned done = 0; done < size;) {
        XenModelRequest req = {
            .type = IOREQ_TYPE_COPY,
            .addr = addr + done,
            .size = piece(addr + done, size - done),
            .count = 1,
            .is_write = is_write,
            .data = value >> done * 8,
        };

        req.data &= all_ones(req.size);
        result |= xen_model_request(d, vcpu, &req) << done * 8;
        done += req.size;
    }
    return result;
}

uint64_t xen_model_read(XenModelDomain *d, unsigned vcpu, uint64_t addr, unsigned size)
{
    return memory_access(d, vcpu, addr, size, false, 0);
}

void xen_model_write(XenModelDomain *d, unsigned vcpu, uint64_t addr, uint64_t value, unsigned size)
{
    memory_access(d, vcpu, addr, size, true, value);
}

uint32_t xen_model_config_read(XenModelDomain *d, unsigned vcpu, unsigned devfn, unsigned reg,
                               unsigned size)
{
    xen_model_out(d, vcpu, CF8, CF8_ENABLE | devfn << 8 | (reg & 0xfc), 4);
    return xen_model_in(d, vcpu, CFC + (reg & 3), size);
}

void xen_model_config_write(XenModelDomain *d, unsigned vcpu, unsigned devfn, unsigned reg,
                            uint32_t value, unsigned size)
{
    xen_model_out(d, vcpu, CF8, CF8_ENABLE | devfn << 8 | (reg & 0xfc), 4);
    xen_model_out(d, vcpu, CFC + (reg & 3), value, size);
}

/* ---- buffered ---- */

/* Both pointers are set back by whole rounds, together, so that an emulator that moves one of them
 * meanwhile is not overwritten. */
static void rebase(struct buffered_iopage *ring)
{
    uint64_t *both = (uint64_t *)ring;
    uint64_t old = __atomic_load_n(both, __ATOMIC_SEQ_CST);

    while ((uint32_t)old >= IOREQ_BUFFER_SLOT_NUM) {
        uint32_t rounds = (uint32_t)old / IOREQ_BUFFER_SLOT_NUM * IOREQ_BUFFER_SLOT_NUM;
        uint64_t fresh =
            (uint64_t)((uint32_t)(old >> 32) - rounds) << 32 | ((uint32_t)old - rounds);

        if (__atomic_compare_exchange_n(both, &old, fresh, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            break;
        }
    }
}

static bool put(XenModelDomain *d, Server *s, uint8_t type, uint64_t addr, uint64_t value,
                unsigned size)
{
    struct buffered_iopage *ring = model_ring(s);
    unsigned n = size == 8 ? 2 : 1;
    buf_ioreq_t slot = {
        .type = type,
        .dir = IOREQ_WRITE,
        .size = size == 8   ? 3
                : size == 4 ? 2
                : size == 2 ? 1
                            : 0,
        .addr = addr,
        .data = value,
    };
    uint32_t write;

    if (ring == NULL || addr > 0xfffff) {
        return false;
    }
    write = ring->write_pointer;
    if (write - __atomic_load_n(&ring->read_pointer, __ATOMIC_ACQUIRE) >
        IOREQ_BUFFER_SLOT_NUM - n) {
        return false;
    }
    ring->buf_ioreq[write % IOREQ_BUFFER_SLOT_NUM] = slot;
    if (n == 2) {
        slot.data = value >> 32;
        ring->buf_ioreq[(write + 1) % IOREQ_BUFFER_SLOT_NUM] = slot;
    }
    __atomic_add_fetch(&ring->write_pointer, n, __ATOMIC_SEQ_CST);
    if (s->buffering == XENLIB_BUFFERING_ATOMIC) {
        rebase(ring);
    }
    if (!d->muted) {
        model_send(&s->ports[d->n_vcpus]);
    }
    return true;
}

bool xen_model_write_buffered(XenModelDomain *d, unsigned vcpu, uint8_t type, uint64_t addr,
                              uint64_t value, unsigned size)
{
    XenModelRequest req = {
        .type = type,
        .addr = addr,
        .size = size,
        .count = 1,
        .is_write = true,
        .data = value,
    };
    bool done = false;
    Server *s;

    pthread_mutex_lock(&model_lock);
    s = find_server(d, &req);
    done = s != NULL && put(d, s, type, addr, value, size);
    pthread_mutex_unlock(&model_lock);
    if (!done) {
        xen_model_request(d, vcpu, &req);
    }
    return done;
}

void xen_model_mute_ring(XenModelDomain *d)
{
    pthread_mutex_lock(&model_lock);
    d->muted = true;
    pthread_mutex_unlock(&model_lock);
}

/* ---- looking ---- */

bool xen_model_has_range(XenModelDomain *d, XenLibRange type, uint64_t first, uint64_t last)
{
    bool found = false;

    pthread_mutex_lock(&model_lock);
    for (unsigned i = 0; i < MAX_SERVERS && !found; i++) {
        found = d->servers[i].exists && d->servers[i].enabled &&
                model_has(&d->servers[i], type, first, last);
    }
    pthread_mutex_unlock(&model_lock);
    return found;
}

unsigned xen_model_n_ranges(XenModelDomain *d, XenLibRange type)
{
    unsigned n = 0;

    pthread_mutex_lock(&model_lock);
    for (unsigned i = 0; i < MAX_SERVERS; i++) {
        n += d->servers[i].exists ? d->servers[i].ranges[type]->len : 0;
    }
    pthread_mutex_unlock(&model_lock);
    return n;
}
