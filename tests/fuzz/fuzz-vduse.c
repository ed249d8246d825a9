/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a hostile kernel, or a driver behind it, says to a VDUSE export: messages of any bytes in
 * any order, regions of the IOTLB that are not what they seem, rings full of anything. Every
 * message has to get its answer.
 */
#include <string.h>

#include "block/block.h"
#include "export/export.h"
#include "fake-vduse.h"
#include "hw/core/device.h"
#include "util/event.h"

enum { MAX_OPS = 64 };
#define F_USUAL (3ull << 32)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const uint8_t *data;
    size_t left;
} Input;

static void take(Input *in, void *into, size_t len)
{
    size_t n = MIN(len, in->left);

    memset(into, 0, len);
    memcpy(into, in->data, n);
    in->data += n;
    in->left -= n;
}

static uint8_t take8(Input *in)
{
    uint8_t value;

    take(in, &value, 1);
    return value;
}

static uint16_t take16(Input *in)
{
    uint16_t value;

    take(in, &value, 2);
    return value;
}

static GLogWriterOutput drop_message(GLogLevelFlags level, const GLogField *fields, gsize n,
                                     gpointer opaque)
{
    return (level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_WARNING | G_LOG_LEVEL_DEBUG)) != 0
               ? G_LOG_WRITER_HANDLED
               : g_log_writer_default(level, fields, n, opaque);
}

static void ignore_event(const char *name, JsonObject *data, void *opaque)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    BlockOptions options = BLOCK_OPTIONS_INIT;
    g_autoptr(KeyVal) kv =
        keyval_parse("vduse-blk,id=e,name=n,node-name=d,writable=on,num-queues=2,"
                     "inflight-log=/dev/shm/humpy-fuzz-vduse",
                     "type", NULL);

    g_log_set_writer_func(drop_message, NULL, NULL);
    hw_register_types();
    event_set_listener(ignore_event, NULL);
    fake_vduse_start();
    options.driver = BLOCK_DRIVER_NULL;
    options.node_name = "d";
    options.size = 1 << 20;
    g_assert(block_open(&options, NULL) != NULL);
    g_assert(export_add(kv, NULL));
    return 0;
}

static void lie(Input *in)
{
    static struct vduse_iotlb_entry entry;

    fake_vduse_set_lie("n", NULL);
    take(in, &entry, sizeof(entry));
    if ((entry.perm & 0x80) != 0) { /* nearly true */
        entry.start &= 0xffff;
        entry.last = (entry.last & 0x1fffff) + entry.start;
        entry.offset &= 0xffff;
        entry.perm &= 3;
    }
    fake_vduse_set_lie("n", &entry);
}

static void message(Input *in)
{
    struct vduse_dev_request request = { 0 };
    struct vduse_dev_response response;

    request.type = take8(in) % 6;
    take(in, &request.padding, 1 + take8(in) % 16);
    g_assert(fake_vduse_ask("n", &request, &response));
}

static void submit(Input *in)
{
    unsigned n = take8(in) % 4 + 1;
    FakeBuf bufs[4];

    for (unsigned i = 0; i < n; i++) {
        bufs[i].addr = take16(in) * 0x20ull;
        bufs[i].len = take16(in);
        bufs[i].write = take8(in) & 1;
    }
    fake_vduse_submit("n", take8(in) % 2, bufs, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = { data, size };

    fake_vduse_set_lie("n", NULL);
    g_assert(fake_vduse_attach("n", F_USUAL | (uint64_t)(take8(&in) & 0x30) << 24));
    for (unsigned i = 0; i < MAX_OPS && in.left > 0; i++) {
        switch (take8(&in) % 8) {
        case 0:
            message(&in);
            break;
        case 1:
            lie(&in);
            break;
        case 2:
            fake_vduse_update_iotlb("n", take16(&in) * 0x1000ull, take16(&in) * 0x8000ull);
            break;
        case 3:
            fake_vduse_memory("n", FAKE_RING_IOVA)[take16(&in) % FAKE_RING_SIZE] = take8(&in);
            break;
        case 4:
            fake_vduse_memory("n", take16(&in))[0] = take8(&in);
            break;
        case 5:
            fake_vduse_attach("n", F_USUAL | (uint64_t)take8(&in) << 24);
            break;
        default:
            if (fake_vduse_is_ready("n")) {
                submit(&in);
            }
            break;
        }
    }
    g_assert(fake_vduse_queue_state("n", 0) >= 0); /* it goes on, whatever there was */
    fake_vduse_set_status("n", 0);
    return 0;
}
