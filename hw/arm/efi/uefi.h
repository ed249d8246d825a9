/* SPDX-License-Identifier: GPL-2.0-or-later
 * The part of UEFI that the driver in the guest calls (UEFI 2.10 sections 4.3, 4.4, 4.5; PI 1.7
 * volume 2 section 7.2 and volume 3 section 3.4; EDK2's protocol of IOMMUs): tables by the places
 * of what is used in them. Freestanding arm64 code; nothing of Humpy includes this.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t EfiStatus;
typedef void *EfiHandle;
typedef struct {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
} EfiGuid;

#define EFI_SUCCESS           UINT64_C(0)
#define EFI_ERROR(n)          (UINT64_C(1) << 63 | (n))
#define EFI_INVALID_PARAMETER EFI_ERROR(2)
#define EFI_UNSUPPORTED       EFI_ERROR(3)
#define EFI_BAD_BUFFER_SIZE   EFI_ERROR(4)
#define EFI_DEVICE_ERROR      EFI_ERROR(7)
#define EFI_OUT_OF_RESOURCES  EFI_ERROR(9)
#define EFI_NOT_FOUND         EFI_ERROR(14)

enum {
    EFI_PAGE = 4096,
    EFI_ALLOCATE_ANY = 0,
    EFI_ALLOCATE_ADDRESS = 2,
    EFI_BOOT_SERVICES_DATA = 4,
    EFI_RUNTIME_SERVICES_DATA = 6,
    EFI_TPL_NOTIFY = 16,
    EFI_EVENT_ADDRESS_CHANGE = 0x60000202, /* EVT_SIGNAL_VIRTUAL_ADDRESS_CHANGE */
    EFI_GCD_RESERVED = 1,
    EFI_GCD_SYSTEM_MEMORY = 2,
    EFI_GCD_MMIO = 3,
};
#define EFI_MEMORY_UC      UINT64_C(1)
#define EFI_MEMORY_WB      UINT64_C(8)
#define EFI_MEMORY_RUNTIME (UINT64_C(1) << 63)

typedef struct {
    uint8_t header[24];
    void *clock[4];
    void *set_virtual_address_map;
    EfiStatus (*convert_pointer)(uint64_t disposition, void **address);
} EfiRuntimeServices;

typedef struct {
    uint8_t header[24];
    void *tasks[2];
    EfiStatus (*allocate_pages)(uint32_t how, uint32_t type, uint64_t n, uint64_t *address);
    void *free_pages, *get_memory_map;
    EfiStatus (*allocate_pool)(uint32_t type, uint64_t size, void **buffer);
    void *free_pool;
    EfiStatus (*create_event)(uint32_t type, uint64_t tpl,
                              void (*notify)(void *event, void *opaque), void *opaque,
                              void **event);
    void *events[5];
    EfiStatus (*install_protocol)(EfiHandle *handle, const EfiGuid *guid, uint32_t type,
                                  void *interface);
} EfiBootServices;

typedef struct {
    EfiGuid guid;
    void *table;
} EfiConfigurationTable;

typedef struct {
    uint8_t header[24];
    void *vendor;
    uint64_t revision;
    void *consoles[6];
    EfiRuntimeServices *runtime;
    EfiBootServices *boot;
    uint64_t n_tables;
    EfiConfigurationTable *tables;
} EfiSystemTable;

/* PI: the DXE services table. */
typedef struct {
    uint8_t header[24];
    EfiStatus (*add_memory_space)(uint32_t type, uint64_t base, uint64_t size,
                                  uint64_t capabilities);
    void *others[4];
    EfiStatus (*set_memory_space_attributes)(uint64_t base, uint64_t size, uint64_t attributes);
} EfiDxeServices;

/* PI: EFI_FIRMWARE_VOLUME_BLOCK2_PROTOCOL. */
typedef struct EfiFvb EfiFvb;
struct EfiFvb {
    EfiStatus (*get_attributes)(const EfiFvb *fvb, uint32_t *attributes);
    EfiStatus (*set_attributes)(const EfiFvb *fvb, uint32_t *attributes);
    EfiStatus (*get_physical_address)(const EfiFvb *fvb, uint64_t *address);
    EfiStatus (*get_block_size)(const EfiFvb *fvb, uint64_t lba, uint64_t *size,
                                uint64_t *n_blocks);
    EfiStatus (*read)(const EfiFvb *fvb, uint64_t lba, uint64_t offset, uint64_t *len, void *buf);
    EfiStatus (*write)(const EfiFvb *fvb, uint64_t lba, uint64_t offset, uint64_t *len,
                       const void *buf);
    EfiStatus (*erase_blocks)(const EfiFvb *fvb, ...);
    EfiHandle parent;
};

/* EDK2's MdeModulePkg/Include/Protocol/IoMmu.h: what its PCI hosts hand their devices' DMA to. */
typedef struct EfiIommu EfiIommu;
struct EfiIommu {
    uint64_t revision;
    EfiStatus (*set_attribute)(EfiIommu *iommu, EfiHandle device, void *mapping, uint64_t access);
    EfiStatus (*map)(EfiIommu *iommu, uint32_t operation, void *host, uint64_t *len,
                     uint64_t *address, void **mapping);
    EfiStatus (*unmap)(EfiIommu *iommu, void *mapping);
    EfiStatus (*allocate_buffer)(EfiIommu *iommu, uint32_t how, uint32_t type, uint64_t n,
                                 void **host, uint64_t attributes);
    EfiStatus (*free_buffer)(EfiIommu *iommu, uint64_t n, void *host);
};

enum {
    EFI_IOMMU_REVISION = 0x10000,
    /* Operations; three more, for addresses above 4 GiB, follow in the same order. */
    EFI_IOMMU_READ = 0, /* by the device */
    EFI_IOMMU_WRITE = 1,
    EFI_IOMMU_COMMON = 2,
    EFI_IOMMU_N_OPERATIONS = 6,
};

_Static_assert(offsetof(EfiRuntimeServices, convert_pointer) == 64, "");
_Static_assert(offsetof(EfiBootServices, allocate_pages) == 40, "");
_Static_assert(offsetof(EfiBootServices, allocate_pool) == 64, "");
_Static_assert(offsetof(EfiBootServices, create_event) == 80, "");
_Static_assert(offsetof(EfiBootServices, install_protocol) == 128, "");
_Static_assert(offsetof(EfiSystemTable, runtime) == 88, "");
_Static_assert(offsetof(EfiSystemTable, tables) == 112, "");
_Static_assert(offsetof(EfiDxeServices, set_memory_space_attributes) == 64, "");
