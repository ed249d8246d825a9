/* SPDX-License-Identifier: GPL-2.0-or-later
 * Numbers of vendors, devices and classes (PCI Code and ID Assignment) that Humpy's functions
 * carry.
 */
#pragma once

enum {
    PCI_VENDOR_VIRTIO = 0x1af4,
    PCI_VENDOR_REDHAT = 0x1b36,

    /* of PCI_VENDOR_REDHAT */
    PCI_DEVICE_HOST_BRIDGE = 0x0008,
    PCI_DEVICE_ROOT_PORT = 0x000c,
    PCI_DEVICE_PVPANIC = 0x0011,
    /* subsystem of what is no virtio transport, of PCI_VENDOR_VIRTIO */
    PCI_SUBSYSTEM_PLAIN = 0x1100,

    PCI_CLASS_OTHER = 0x00ff,
    PCI_CLASS_SCSI = 0x0100,
    PCI_CLASS_ETHERNET = 0x0200,
    PCI_CLASS_DISPLAY = 0x0380,
    PCI_CLASS_HOST_BRIDGE = 0x0600,
    PCI_CLASS_PCI_BRIDGE = 0x0604,
    PCI_CLASS_COMMUNICATION = 0x0780,
    PCI_CLASS_SYSTEM_OTHER = 0x0880,
    PCI_CLASS_INPUT_KEYBOARD = 0x0900,
    PCI_CLASS_INPUT_MOUSE = 0x0902,
    PCI_CLASS_INPUT = 0x0980,
};
