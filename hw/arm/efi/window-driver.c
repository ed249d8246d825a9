/* SPDX-License-Identifier: GPL-2.0-or-later
 * Devices of a protected guest reach no memory but a window, which the firmware does not know. It
 * has a place for somebody who does, made for IOMMUs and encrypted memory: a protocol that its PCI
 * hosts pass all requests for DMA on to. This one hands out pages of the window, and copies what is
 * elsewhere through them.
 *
 * What it keeps about that is outside the window, where the host cannot reach it. It belongs to
 * boot services: an operating system has means of its own for the window, which is free memory to
 * it, but for the mail.
 */
#include "window-driver.h"

enum {
    N_MAPPINGS = 4096,
    WORD_BITS = 64,
};

typedef struct {
    bool used;
    uint32_t operation;
    uint8_t *host;
    uint8_t *device; /* the same as host: nothing to copy */
    uint64_t len;
} Mapping;

typedef struct {
    EfiIommu iommu; /* first: what callers hand back */
    uint64_t base, n_pages;
    Mapping mappings[N_MAPPINGS];
    uint64_t taken[]; /* a bit for each page */
} Window;

/* ---- pages ---- */

static uint64_t pages_of(uint64_t len)
{
    return (len + EFI_PAGE - 1) / EFI_PAGE;
}

static bool is_taken(const Window *w, uint64_t page)
{
    return w->taken[page / WORD_BITS] >> page % WORD_BITS & 1;
}

static void mark(Window *w, uint64_t page, uint64_t n, bool taken)
{
    for (uint64_t i = page; i < page + n; i++) {
        uint64_t bit = UINT64_C(1) << i % WORD_BITS;

        w->taken[i / WORD_BITS] =
            taken ? w->taken[i / WORD_BITS] | bit : w->taken[i / WORD_BITS] & ~bit;
    }
}

/* The first of n free pages in a row; NULL: there are none. */
static uint8_t *take(Window *w, uint64_t n)
{
    uint64_t run = 0;

    for (uint64_t page = 0; page < w->n_pages && n != 0; page++) {
        run = is_taken(w, page) ? 0 : run + 1;
        if (run == n) {
            mark(w, page + 1 - n, n, true);
            return (uint8_t *)(w->base + (page + 1 - n) * EFI_PAGE);
        }
    }
    return NULL;
}

static bool inside(const Window *w, const void *at, uint64_t len)
{
    uint64_t offset = (uint64_t)at - w->base, size = w->n_pages * EFI_PAGE;

    return (uint64_t)at >= w->base && offset < size && len <= size - offset;
}

static EfiStatus allocate_buffer(EfiIommu *iommu, uint32_t how, uint32_t type, uint64_t n,
                                 void **host, uint64_t attributes)
{
    uint8_t *at = take((Window *)iommu, n);

    if (at == NULL) {
        return EFI_OUT_OF_RESOURCES;
    }
    *host = at;
    return EFI_SUCCESS;
}

static EfiStatus free_buffer(EfiIommu *iommu, uint64_t n, void *host)
{
    Window *w = (Window *)iommu;

    if (n > w->n_pages || !inside(w, host, n * EFI_PAGE) || (uint64_t)host % EFI_PAGE != 0) {
        return EFI_INVALID_PARAMETER;
    }
    mark(w, ((uint64_t)host - w->base) / EFI_PAGE, n, false);
    return EFI_SUCCESS;
}

/* ---- mappings ---- */

static Mapping *new_mapping(Window *w)
{
    for (unsigned i = 0; i < N_MAPPINGS; i++) {
        if (!w->mappings[i].used) {
            return &w->mappings[i];
        }
    }
    return NULL;
}

static bool is_mapping(const Window *w, const void *mapping)
{
    uint64_t offset = (uint64_t)mapping - (uint64_t)w->mappings;

    return (uint64_t)mapping >= (uint64_t)w->mappings && offset < sizeof(w->mappings) &&
           offset % sizeof(Mapping) == 0 && ((const Mapping *)mapping)->used;
}

static EfiStatus map(EfiIommu *iommu, uint32_t operation, void *host, uint64_t *len,
                     uint64_t *address, void **mapping)
{
    Window *w = (Window *)iommu;
    Mapping *m = new_mapping(w);
    uint8_t *device = host;

    if (operation >= EFI_IOMMU_N_OPERATIONS || host == NULL || *len == 0) {
        return EFI_INVALID_PARAMETER;
    }
    operation %= EFI_IOMMU_N_OPERATIONS / 2;
    if (m == NULL) {
        return EFI_OUT_OF_RESOURCES;
    }
    if (!inside(w, host, *len)) {
        if (operation == EFI_IOMMU_COMMON) {
            return EFI_UNSUPPORTED;
        }
        device = take(w, pages_of(*len));
        if (device == NULL) {
            return EFI_OUT_OF_RESOURCES;
        }
        if (operation == EFI_IOMMU_READ) {
            memcpy(device, host, *len);
        }
    }
    *m = (Mapping){ true, operation, host, device, *len };
    *address = (uint64_t)device;
    *mapping = m;
    return EFI_SUCCESS;
}

/* Nothing is freed that would change the map of memory: this is called while boot services end. */
static EfiStatus unmap(EfiIommu *iommu, void *mapping)
{
    Window *w = (Window *)iommu;
    Mapping *m = mapping;

    if (!is_mapping(w, mapping)) {
        return EFI_INVALID_PARAMETER;
    }
    if (m->device != m->host) {
        if (m->operation == EFI_IOMMU_WRITE) {
            memcpy(m->host, m->device, m->len);
        }
        mark(w, ((uint64_t)m->device - w->base) / EFI_PAGE, pages_of(m->len), false);
    }
    m->used = false;
    return EFI_SUCCESS;
}

/* All of the window can be read and written at any time. */
static EfiStatus set_attribute(EfiIommu *iommu, EfiHandle device, void *mapping, uint64_t access)
{
    return is_mapping((Window *)iommu, mapping) ? EFI_SUCCESS : EFI_INVALID_PARAMETER;
}

/* ---- start ---- */

EfiStatus window_add(const EfiDxeServices *dxe, uint64_t base, uint64_t size)
{
    EfiStatus status = dxe->add_memory_space(EFI_GCD_SYSTEM_MEMORY, base, size, EFI_MEMORY_WB);

    return status != EFI_SUCCESS ? status
                                 : dxe->set_memory_space_attributes(base, size, EFI_MEMORY_WB);
}

static EfiStatus take_all(const EfiBootServices *boot, uint64_t base, uint64_t size)
{
    uint64_t rest = base + WINDOW_MAIL;
    EfiStatus status = boot->allocate_pages(EFI_ALLOCATE_ADDRESS, EFI_RUNTIME_SERVICES_DATA,
                                            WINDOW_MAIL / EFI_PAGE, &base);

    return status != EFI_SUCCESS
               ? status
               : boot->allocate_pages(EFI_ALLOCATE_ADDRESS, EFI_BOOT_SERVICES_DATA,
                                      (size - WINDOW_MAIL) / EFI_PAGE, &rest);
}

/* At once, before anybody else is given some of it. */
EfiStatus window_start(const EfiBootServices *boot, uint64_t base, uint64_t size)
{
    const EfiGuid guid = {
        0x4e939de9, 0xd948, 0x4b0f, { 0x88, 0xed, 0xe6, 0xe1, 0xce, 0x51, 0x7c, 0x1e }
    };
    uint64_t n_pages = (size - WINDOW_MAIL) / EFI_PAGE;
    uint64_t n_words = (n_pages + WORD_BITS - 1) / WORD_BITS;
    EfiHandle handle = NULL;
    Window *w;
    EfiStatus status = take_all(boot, base, size);

    if (status == EFI_SUCCESS) {
        status = boot->allocate_pool(EFI_BOOT_SERVICES_DATA,
                                     sizeof(*w) + n_words * sizeof(uint64_t), (void **)&w);
    }
    if (status != EFI_SUCCESS) {
        return status;
    }
    w->iommu.revision = EFI_IOMMU_REVISION;
    w->iommu.set_attribute = set_attribute;
    w->iommu.map = map;
    w->iommu.unmap = unmap;
    w->iommu.allocate_buffer = allocate_buffer;
    w->iommu.free_buffer = free_buffer;
    w->base = base + WINDOW_MAIL;
    w->n_pages = n_pages;
    for (unsigned i = 0; i < N_MAPPINGS; i++) {
        w->mappings[i].used = false;
    }
    for (uint64_t i = 0; i < n_words; i++) {
        w->taken[i] = 0;
    }
    return boot->install_protocol(&handle, &guid, 0, &w->iommu);
}
