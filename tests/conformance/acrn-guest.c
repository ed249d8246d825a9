/* SPDX-License-Identifier: GPL-2.0-or-later
 * The device model of acrn-guest.h, after acrn-dm's loop: ATTACH, look at every slot, answer,
 * NOTIFY.
 */
#include "acrn-guest.h"

#include <string.h>
#include <unistd.h>

#include "models/acrn-model.h"
#include "models/engine.h"

enum {
    UART = 0x3f8,
    UART_LSR = 5,
    UART_LSR_EMPTY = 0x60,
    START_INFO = 0x9000,
    COMMAND_LINE = 0x9100,
    RBX_OFFSET = 3,
};

static bool can_run(void)
{
    const EngineOps *kvm = acrn_on_model ? engine_get("kvm", NULL) : NULL;

    if (acrn_on_model && (kvm == NULL || g_strcmp0(kvm->guest, "x86") != 0)) {
        g_test_skip("this host's KVM does not execute x86 code");
        return false;
    }
    if (acrn_on_model && access("/dev/kvm", R_OK | W_OK) < 0) {
        g_test_skip("no /dev/kvm below the model");
        return false;
    }
    return true;
}

static AcrnGuest *guest_new(unsigned vcpus)
{
    AcrnGuest *guest = g_new0(AcrnGuest, 1);

    acrn_configure("engine=kvm");
    guest->vm = acrn_vm_new(vcpus, 0, true);
    acrn_configure("engine=script");
    guest->output = g_string_new(NULL);
    acrn_ok(guest->vm, ACRN_IOCTL_CREATE_IOREQ_CLIENT, NULL);
    return guest;
}

AcrnGuest *acrn_guest_new(unsigned vcpus, const void *code, size_t size)
{
    AcrnGuest *guest;

    if (!can_run()) {
        return NULL;
    }
    guest = guest_new(vcpus);
    memcpy(guest->vm->ram + GUEST_CODE, code, size);
    guest->regs.vcpu_regs.rip = GUINT64_TO_LE(GUEST_CODE);
    guest->regs.vcpu_regs.cr0 = GUINT64_TO_LE(0x30);
    guest->regs.vcpu_regs.cs_ar = GUINT32_TO_LE(0x9f);
    guest->regs.vcpu_regs.cs_limit = GUINT32_TO_LE(0xffff);
    return guest;
}

static void put_start_info(uint8_t *ram, const char *command_line)
{
    const uint64_t info[7] = { UINT64_C(1) << 32 | 0x336ec578, 0, 0, COMMAND_LINE };

    memcpy(ram + START_INFO, info, sizeof(info));
    strcpy((char *)ram + COMMAND_LINE, command_line);
}

AcrnGuest *acrn_guest_payload(unsigned vcpus, const char *command_line)
{
    g_autofree char *path =
        g_test_build_filename(G_TEST_BUILT, "guest", "x86", "payload-x86.bin", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *image = NULL;
    AcrnGuest *guest;
    gsize size;

    if (!can_run()) {
        return NULL;
    }
    if (!g_file_get_contents(path, &image, &size, &error)) {
        g_test_skip(error->message);
        return NULL;
    }
    g_assert_cmpuint(size, <=, ACRN_TEST_RAM - GUEST_IMAGE);
    guest = guest_new(vcpus);
    memcpy(guest->vm->ram + GUEST_IMAGE, image, size);
    put_start_info(guest->vm->ram, command_line);
    guest->regs.vcpu_regs.gprs.rbx = GUINT64_TO_LE(START_INFO);
    guest->regs.vcpu_regs.rip = GUINT64_TO_LE(GUEST_IMAGE);
    guest->regs.vcpu_regs.cr0 = GUINT64_TO_LE(0x31);
    guest->regs.vcpu_regs.cs_sel = GUINT16_TO_LE(0x10);
    guest->regs.vcpu_regs.cs_ar = GUINT32_TO_LE(0xc09b);
    guest->regs.vcpu_regs.cs_limit = GUINT32_TO_LE(UINT32_MAX);
    guest->regs.vcpu_regs.ds_sel = guest->regs.vcpu_regs.es_sel = guest->regs.vcpu_regs.ss_sel =
        GUINT16_TO_LE(0x18);
    return guest;
}

void acrn_guest_free(AcrnGuest *guest)
{
    acrn_vm_free(guest->vm);
    g_string_free(guest->output, TRUE);
    g_free(guest);
}

void acrn_guest_start(AcrnGuest *guest)
{
    acrn_ok(guest->vm, ACRN_IOCTL_SET_VCPU_REGS, &guest->regs);
    acrn_ok(guest->vm, ACRN_IOCTL_START_VM, NULL);
}

void acrn_guest_reset(AcrnGuest *guest)
{
    acrn_ok(guest->vm, ACRN_IOCTL_PAUSE_VM, NULL);
    acrn_ok(guest->vm, ACRN_IOCTL_CLEAR_VM_IOREQ, NULL);
    acrn_ok(guest->vm, ACRN_IOCTL_RESET_VM, NULL);
}

static void serve(AcrnGuest *guest, struct acrn_io_request *req)
{
    struct acrn_pio_request *pio = &req->reqs.pio_request;
    bool write = pio->direction == ACRN_IOREQ_DIR_WRITE;

    if (req->type == ACRN_IOREQ_TYPE_PORTIO && pio->address >= UART && pio->address < UART + 8) {
        if (write && pio->address == UART) {
            g_string_append_c(guest->output, (char)pio->value);
        }
        pio->value = pio->address == UART + UART_LSR ? UART_LSR_EMPTY : pio->value;
    } else if (req->type == ACRN_IOREQ_TYPE_PORTIO && write && pio->address == GUEST_EXIT) {
        guest->ended = true;
        guest->status = pio->value;
    } else if (guest->serve) {
        guest->serve(guest, req);
    } else if (!write) {
        req->reqs.mmio_request.value = UINT64_MAX;
    }
}

void acrn_guest_step(AcrnGuest *guest)
{
    acrn_ok(guest->vm, ACRN_IOCTL_ATTACH_IOREQ_CLIENT, NULL);
    for (unsigned i = 0; i < guest->vm->vcpus; i++) {
        if (acrn_state(guest->vm, i) == ACRN_IOREQ_STATE_PROCESSING &&
            !acrn_slot(guest->vm, i)->kernel_handled) {
            serve(guest, acrn_slot(guest->vm, i));
            guest->requests++;
            acrn_finish(guest->vm, i);
        }
    }
}

void acrn_guest_run(AcrnGuest *guest)
{
    while (!guest->ended) {
        acrn_guest_step(guest);
    }
    if (guest->status) {
        g_test_message("%s", guest->output->str);
    }
}
