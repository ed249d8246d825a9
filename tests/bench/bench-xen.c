/* SPDX-License-Identifier: GPL-2.0-or-later
 * The least that serving a Xen guest's accesses takes, with libxendevicemodel and a loop: in dom0,
 *
 *     bench-xen DOMAIN MEMORY PORTS
 *
 * serves 64 KiB of memory at MEMORY and four ports at PORTS that keep what is written, and creates
 * the file /run/bench-xen when it does. One thread, which waits for all vCPUs' event channels. No
 * code of Humpy's: it is what Humpy is compared with, and tells faults of the machine below from
 * Humpy's. Ends with the domain, or by a signal.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include <xen/hvm/dm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>

enum { MEMORY_SIZE = 64 << 10, N_PORTS = 4, MAX_VCPUS = 128, MAX_ITEMS = 4096, PAGE = 4096 };

static xendevicemodel_handle *dm;
static xenevtchn_handle *evtchn;
static xenforeignmemory_handle *foreign;
static domid_t domain;
static uint64_t memory_base, port_base;
static uint8_t memory[MEMORY_SIZE], ports[N_PORTS];
static struct ioreq *slots;
static evtchn_port_t local_ports[MAX_VCPUS];
static unsigned n_vcpus;

static int check(int result, const char *what)
{
    if (result < 0) {
        err(1, "%s", what);
    }
    return result;
}

/* Where the device keeps the bytes of one item; NULL for what was never asked for. */
static uint8_t *find(unsigned type, uint64_t address, unsigned size)
{
    uint64_t offset = address - (type == IOREQ_TYPE_PIO ? port_base : memory_base);
    uint64_t length = type == IOREQ_TYPE_PIO ? N_PORTS : MEMORY_SIZE;

    if (offset >= length || size > length - offset) {
        return NULL;
    }
    return (type == IOREQ_TYPE_PIO ? ports : memory) + offset;
}

/* The page of the guest that is mapped, for as long as one request lasts. */
static struct {
    uint8_t *bytes;
    xen_pfn_t frame;
} mapped;

static void unmap_guest(void)
{
    if (mapped.bytes != NULL) {
        xenforeignmemory_unmap(foreign, mapped.bytes, 1);
        mapped.bytes = NULL;
    }
}

static uint8_t *map_guest(xen_pfn_t frame)
{
    int error = 0;

    if (mapped.bytes == NULL || mapped.frame != frame) {
        unmap_guest();
        mapped.bytes =
            xenforeignmemory_map(foreign, domain, PROT_READ | PROT_WRITE, 1, &frame, &error);
        mapped.frame = frame;
        if (mapped.bytes == NULL || error != 0) {
            errx(1, "guest frame %#llx cannot be mapped", (unsigned long long)frame);
        }
    }
    return mapped.bytes;
}

static void access_guest(uint64_t address, uint8_t *bytes, unsigned size, bool to_guest)
{
    while (size > 0) {
        unsigned at = address % PAGE, part = size < PAGE - at ? size : PAGE - at;
        uint8_t *guest = map_guest(address / PAGE) + at;

        memcpy(to_guest ? guest : bytes, to_guest ? bytes : guest, part);
        address += part;
        bytes += part;
        size -= part;
    }
}

static uint64_t serve(struct ioreq req)
{
    uint64_t value = req.data;
    int64_t step = req.df ? -(int64_t)req.size : (int64_t)req.size;

    if (req.type != IOREQ_TYPE_PIO && req.type != IOREQ_TYPE_COPY) {
        return value; /* an invalidation: nothing is kept mapped */
    }
    if (req.size > 8 || req.count > MAX_ITEMS) {
        errx(1, "%u items of %u bytes", req.count, req.size);
    }
    for (uint32_t i = 0; i < req.count; i++) {
        uint64_t address = req.addr + (req.type == IOREQ_TYPE_COPY ? (uint64_t)(step * i) : 0);
        uint8_t *place = find(req.type, address, req.size);

        if (place == NULL) {
            errx(1, "an access to %#llx, which was not asked for", (unsigned long long)address);
        }
        if (req.data_is_ptr) {
            access_guest(req.data + (uint64_t)(step * i), place, req.size, req.dir == IOREQ_READ);
        } else if (req.dir == IOREQ_READ) {
            value = 0;
            memcpy(&value, place, req.size);
        } else {
            memcpy(place, &req.data, req.size);
        }
    }
    unmap_guest();
    return value;
}

/* The state shares its byte with other fields. */
enum { STATE_OFFSET = 30, STATE_MASK = 0xf };

static void set_state(uint8_t *byte, uint8_t state)
{
    uint8_t rest = __atomic_load_n(byte, __ATOMIC_RELAXED) & ~STATE_MASK;

    __atomic_store_n(byte, rest | state, __ATOMIC_RELEASE);
}

static void answer(unsigned vcpu)
{
    uint8_t *byte = (uint8_t *)&slots[vcpu] + STATE_OFFSET;
    struct ioreq req;
    uint64_t value;

    if ((__atomic_load_n(byte, __ATOMIC_ACQUIRE) & STATE_MASK) != STATE_IOREQ_READY) {
        return;
    }
    req = slots[vcpu];
    set_state(byte, STATE_IOREQ_INPROCESS);
    value = serve(req);
    if (req.dir == IOREQ_READ && !req.data_is_ptr) {
        slots[vcpu].data = value;
    }
    set_state(byte, STATE_IORESP_READY);
    check(xenevtchn_notify(evtchn, local_ports[vcpu]), "notifying the guest");
}

static void map_range(ioservid_t id, bool is_memory, uint64_t start, uint64_t size)
{
    check(xendevicemodel_map_io_range_to_ioreq_server(dm, domain, id, is_memory, start,
                                                      start + size - 1),
          "asking for a range");
}

static void start(void)
{
    void *page = NULL;
    ioservid_t id;

    dm = xendevicemodel_open(NULL, 0);
    evtchn = xenevtchn_open(NULL, 0);
    foreign = xenforeignmemory_open(NULL, 0);
    if (dm == NULL || evtchn == NULL || foreign == NULL) {
        err(1, "no access to Xen");
    }
    check(xendevicemodel_nr_vcpus(dm, domain, &n_vcpus), "the number of vCPUs");
    if (n_vcpus > MAX_VCPUS) {
        errx(1, "%u vCPUs, more than %d", n_vcpus, MAX_VCPUS);
    }
    check(xendevicemodel_create_ioreq_server(dm, domain, HVM_IOREQSRV_BUFIOREQ_OFF, &id),
          "creating a server");
    if (xenforeignmemory_map_resource(foreign, domain, XENMEM_resource_ioreq_server, id,
                                      XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page,
                                      PROT_READ | PROT_WRITE, 0) == NULL) {
        err(1, "mapping the requests");
    }
    slots = page;
    map_range(id, true, memory_base, MEMORY_SIZE);
    map_range(id, false, port_base, N_PORTS);
    check(xendevicemodel_set_ioreq_server_state(dm, domain, id, 1), "starting the server");
    for (unsigned i = 0; i < n_vcpus; i++) {
        int port = xenevtchn_bind_interdomain(evtchn, domain, slots[i].vp_eport);

        local_ports[i] = (evtchn_port_t)check(port, "binding an event channel");
    }
}

int main(int argc, char **argv)
{
    int ready;

    if (argc != 4) {
        errx(1, "Usage: bench-xen DOMAIN MEMORY PORTS");
    }
    domain = (domid_t)strtoul(argv[1], NULL, 0);
    memory_base = strtoull(argv[2], NULL, 0);
    port_base = strtoull(argv[3], NULL, 0);
    start();
    ready = check(open("/run/bench-xen", O_CREAT | O_WRONLY | O_CLOEXEC, 0644), "/run/bench-xen");
    close(ready);
    for (;;) {
        int port = check(xenevtchn_pending(evtchn), "waiting for an event");

        check(xenevtchn_unmask(evtchn, (evtchn_port_t)port), "unmasking an event");
        for (unsigned i = 0; i < n_vcpus; i++) {
            if (local_ports[i] == (evtchn_port_t)port) {
                answer(i);
            }
        }
    }
}
