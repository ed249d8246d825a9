/* SPDX-License-Identifier: GPL-2.0-or-later
 * libFuzzer target for the commands of a virtio GPU: sequences of resources, backing, transfers,
 * outputs and cursors with any fields. It must neither crash nor hang nor take more host memory
 * than it may, must answer every command, and must work again after a reset. Input: commands of 24
 * bytes, whose fields are mostly small. Run: tests/fuzz/fuzz-virtio-gpu -max_len=1024 CORPUS
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "display/display.h"
#include "virtio-driver.h"

enum {
    RECORD = 24,
    COMMAND = RAM_BASE + 0x10000,
    ANSWER = RAM_BASE + 0x11000,
    BACKING = RAM_BASE + 0x20000,
    RINGS = RAM_BASE + 0x300000,
    N_ENTRIES = 4,
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Guest *guest;

static GLogWriterOutput drop_message(GLogLevelFlags level, const GLogField *fields, gsize n,
                                     gpointer opaque)
{
    return (level & G_LOG_LEVEL_MESSAGE) != 0 ? G_LOG_WRITER_HANDLED
                                              : g_log_writer_default(level, fields, n, opaque);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    g_log_set_writer_func(drop_message, NULL, NULL);
    guest = guest_new(&guest_kinds[0]);
    guest_plug_ok(
        guest, "virtio-gpu-device",
        (const char *[]){ "max_hostmem=2M", "max_outputs=2", "xres=64", "yres=64", NULL });
    return 0;
}

/* Three values in four are small, so that ids and rectangles meet. */
static uint32_t number(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return (value & 3) != 0 ? value >> 8 & 0x7f : value;
}

/* Any command is at most as long as this, and all begin alike. */
typedef union {
    struct virtio_gpu_ctrl_hdr hdr;
    uint32_t words[24];
} Command;

static void fill(Command *cmd, const uint8_t *record)
{
    static const uint32_t types[] = {
        VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
        VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
        VIRTIO_GPU_CMD_RESOURCE_UNREF,
        VIRTIO_GPU_CMD_SET_SCANOUT,
        VIRTIO_GPU_CMD_RESOURCE_FLUSH,
        VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
        VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
        VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
        VIRTIO_GPU_CMD_GET_EDID,
        VIRTIO_GPU_CMD_UPDATE_CURSOR,
        VIRTIO_GPU_CMD_MOVE_CURSOR,
    };
    unsigned first = sizeof(cmd->hdr) / sizeof(uint32_t);

    memset(cmd, 0, sizeof(*cmd));
    cmd->hdr.type = types[record[0] % G_N_ELEMENTS(types)];
    cmd->hdr.flags = record[1];
    for (unsigned i = 0; i < 8; i++) {
        cmd->words[first + i] = number(record + 2 + i * 2);
    }
    if (cmd->hdr.type == VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING) {
        struct virtio_gpu_mem_entry *entries =
            (void *)((uint8_t *)cmd + sizeof(struct virtio_gpu_resource_attach_backing));

        cmd->words[first + 1] = record[3] % (N_ENTRIES + 2);
        for (unsigned i = 0; i < N_ENTRIES; i++) {
            entries[i].addr = BACKING + number(record + 4 + i * 4) * 4096ull;
            entries[i].length = number(record + 6 + i * 4) << 8;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    guest->next_free = RINGS; /* those of the last run are of no more use */
    guest_start(guest, UINT64_MAX);
    for (; size >= RECORD; data += RECORD, size -= RECORD) {
        Buf bufs[] = { { COMMAND, sizeof(Command) - data[RECORD - 1] % 32, false },
                       { ANSWER, 2048, true } };
        Command cmd;

        fill(&cmd, data);
        memcpy(guest_ptr(guest, COMMAND), &cmd, sizeof(cmd));
        guest_submit(guest, data[0] >= 0xe0, bufs, 2);
        guest_poll(guest, data[0] >= 0xe0);
    }
    pixman_image_unref(console_snapshot(console_find("virtio-gpu-device", 0, NULL)));
    g_assert(guest_rd(guest, R_STATUS) == 0xf);
    return 0;
}
