/* SPDX-License-Identifier: GPL-2.0-or-later
 * -object arm-confidential-guest: what a user wants of a guest whose memory is lent to it. The
 * machine (confidential-guest-support=ID) and the accelerator make it so; see virt-protect.c.
 */
#include "hw/arm/confidential.h"

#include "hw/core/device.h" /* DEVICE_DEFINE_TYPE */
#include "util/props.h"

struct _ArmConfidentialGuest {
    UserObject parent_instance;
    uint64_t swiotlb_size;
    int dma_window; /* AccelWindow */
};

DEVICE_DEFINE_TYPE(ArmConfidentialGuest, arm_confidential_guest, "arm-confidential-guest",
                   TYPE_USER_OBJECT)

void arm_confidential_guest_wishes(ArmConfidentialGuest *guest, AccelProtection *wanted)
{
    wanted->mode = ACCEL_PROTECT_ON;
    if (guest->swiotlb_size != 0) {
        wanted->window_size = guest->swiotlb_size;
    }
    if (guest->dma_window != ACCEL_WINDOW_AUTO) {
        wanted->window = (AccelWindow)guest->dma_window;
    }
}

static const Prop confidential_props[] = {
    PROP_SIZE("swiotlb-size", ArmConfidentialGuest, swiotlb_size, 0, 0, 1ULL << 30,
              "Memory that devices and host can reach; 0: the accelerator's setting, or 64M"),
    PROP_ENUM("dma-window", ArmConfidentialGuest, dma_window, ACCEL_WINDOW_AUTO, accel_window_names,
              "How the kernel is kept to it: restricted-dma-pool, memory zone, or what suits it"),
};

static void arm_confidential_guest_init(ArmConfidentialGuest *guest)
{
}

static void arm_confidential_guest_class_init(ArmConfidentialGuestClass *klass)
{
    props_install(G_OBJECT_CLASS(klass), confidential_props, G_N_ELEMENTS(confidential_props));
    HUMPY_USER_OBJECT_CLASS(klass)->summary = "A guest whose memory the host cannot reach";
}
