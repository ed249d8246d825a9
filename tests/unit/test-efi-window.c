/* SPDX-License-Identifier: GPL-2.0-or-later
 * The part of the driver in UEFI that keeps devices to a protected guest's window, run here with
 * boot services of our own: pages are nobody's twice, data gets from one side to the other, and
 * what makes no sense is refused.
 */
#include <glib.h>
#include <string.h>

#include "../../hw/arm/efi/window-driver.h"

enum {
    WINDOW = 2 << 20,
    PAGES = (WINDOW - WINDOW_MAIL) / EFI_PAGE,
};

static struct {
    uint8_t *window;
    EfiIommu *iommu;
    void *pool;
    unsigned spaces, runtime_pages, boot_pages;
    bool spaces_are_full;
} t;

/* ---- services ---- */

static EfiStatus add_memory_space(uint32_t type, uint64_t base, uint64_t size,
                                  uint64_t capabilities)
{
    g_assert_cmpuint(type, ==, EFI_GCD_SYSTEM_MEMORY);
    g_assert_cmphex(base, ==, (uintptr_t)t.window);
    g_assert_cmphex(size, ==, WINDOW);
    g_assert_cmphex(capabilities, ==, EFI_MEMORY_WB);
    t.spaces++;
    return t.spaces_are_full ? EFI_OUT_OF_RESOURCES : EFI_SUCCESS;
}

static EfiStatus set_attributes(uint64_t base, uint64_t size, uint64_t attributes)
{
    g_assert_cmphex(base, ==, (uintptr_t)t.window);
    g_assert_cmphex(size, ==, WINDOW);
    g_assert_cmphex(attributes, ==, EFI_MEMORY_WB);
    return EFI_SUCCESS;
}

static EfiStatus allocate_pages(uint32_t how, uint32_t type, uint64_t n, uint64_t *address)
{
    g_assert_cmpuint(how, ==, EFI_ALLOCATE_ADDRESS);
    if (type == EFI_RUNTIME_SERVICES_DATA) {
        g_assert_cmphex(*address, ==, (uintptr_t)t.window);
        t.runtime_pages += n;
    } else {
        g_assert_cmpuint(type, ==, EFI_BOOT_SERVICES_DATA);
        g_assert_cmphex(*address, ==, (uintptr_t)t.window + WINDOW_MAIL);
        t.boot_pages += n;
    }
    return EFI_SUCCESS;
}

static EfiStatus allocate_pool(uint32_t type, uint64_t size, void **buffer)
{
    g_assert_cmpuint(type, ==, EFI_BOOT_SERVICES_DATA);
    t.pool = *buffer = g_malloc(size);
    memset(t.pool, 0xa5, size);
    return EFI_SUCCESS;
}

static EfiStatus install_protocol(EfiHandle *handle, const EfiGuid *guid, uint32_t type,
                                  void *interface)
{
    static const uint8_t want[16] = { 0xe9, 0x9d, 0x93, 0x4e, 0x48, 0xd9, 0x0f, 0x4b,
                                      0x88, 0xed, 0xe6, 0xe1, 0xce, 0x51, 0x7c, 0x1e };

    g_assert_cmpmem(guid, sizeof(*guid), want, sizeof(want));
    t.iommu = interface;
    return EFI_SUCCESS;
}

static EfiStatus start(void)
{
    const EfiBootServices boot = {
        .allocate_pages = allocate_pages,
        .allocate_pool = allocate_pool,
        .install_protocol = install_protocol,
    };
    const EfiDxeServices dxe = {
        .add_memory_space = add_memory_space,
        .set_memory_space_attributes = set_attributes,
    };

    EfiStatus status = window_add(&dxe, (uintptr_t)t.window, WINDOW);

    return status != EFI_SUCCESS ? status : window_start(&boot, (uintptr_t)t.window, WINDOW);
}

static void set_up(void)
{
    memset(&t, 0, sizeof(t));
    t.window = g_aligned_alloc0(1, WINDOW, EFI_PAGE);
    g_assert_cmphex(start(), ==, EFI_SUCCESS);
}

static void tear_down(void)
{
    g_aligned_free(t.window);
    g_free(t.pool);
}

static bool in_pages(const void *at, uint64_t len)
{
    const uint8_t *p = at;

    return p >= t.window + WINDOW_MAIL && p + len <= t.window + WINDOW;
}

static void *map(uint32_t operation, void *host, uint64_t len, uint8_t **device)
{
    uint64_t address, mapped = len;
    void *mapping;

    g_assert_cmphex(t.iommu->map(t.iommu, operation, host, &mapped, &address, &mapping), ==,
                    EFI_SUCCESS);
    g_assert_cmpuint(mapped, ==, len);
    *device = (uint8_t *)(uintptr_t)address;
    g_assert_true(in_pages(*device, len));
    return mapping;
}

static EfiStatus try_map(uint32_t operation, void *host, uint64_t len)
{
    uint64_t address;
    void *mapping;

    return t.iommu->map(t.iommu, operation, host, &len, &address, &mapping);
}

/* ---- rules ---- */

static void all_of_it_is_taken(void)
{
    set_up();
    g_assert_cmpuint(t.runtime_pages, ==, WINDOW_MAIL / EFI_PAGE);
    g_assert_cmpuint(t.boot_pages, ==, PAGES);
    g_assert_cmphex(t.iommu->revision, ==, 0x10000);
    tear_down();
}

static void a_failure_is_told(void)
{
    memset(&t, 0, sizeof(t));
    t.spaces_are_full = true;
    t.window = g_aligned_alloc0(1, WINDOW, EFI_PAGE);
    g_assert_cmphex(start(), ==, EFI_OUT_OF_RESOURCES);
    g_assert_null(t.iommu);
    tear_down();
}

static void reads_are_copied_in(void)
{
    uint8_t data[5000], *device;
    void *mapping;

    set_up();
    memset(data, 0x3c, sizeof(data));
    for (unsigned operation = EFI_IOMMU_READ; operation < 6; operation += 3) {
        mapping = map(operation, data + 1, 4999, &device);
        g_assert_cmpmem(device, 4999, data + 1, 4999);
        memset(device, 0, 4999); /* what a device writes there goes nowhere */
        g_assert_cmphex(t.iommu->set_attribute(t.iommu, NULL, mapping, 1), ==, EFI_SUCCESS);
        g_assert_cmphex(t.iommu->unmap(t.iommu, mapping), ==, EFI_SUCCESS);
        g_assert_cmphex(data[4999], ==, 0x3c);
    }
    tear_down();
}

static void writes_are_copied_out(void)
{
    uint8_t data[5000] = { 0 }, *device;
    void *mapping;

    set_up();
    for (unsigned operation = EFI_IOMMU_WRITE; operation < 6; operation += 3) {
        mapping = map(operation, data + 3, 4001, &device);
        memset(device, 0x42 + operation, 4096);
        g_assert_cmphex(data[3], !=, 0x42 + operation);
        g_assert_cmphex(t.iommu->unmap(t.iommu, mapping), ==, EFI_SUCCESS);
        g_assert_cmphex(data[2], ==, 0);
        g_assert_cmphex(data[3], ==, 0x42 + operation);
        g_assert_cmphex(data[4003], ==, 0x42 + operation);
        g_assert_cmphex(data[4004], ==, 0);
    }
    tear_down();
}

static void common_buffers_are_pages_of_it(void)
{
    uint8_t data[16], *device;
    void *buffer, *mapping;

    set_up();
    g_assert_cmphex(try_map(EFI_IOMMU_COMMON, data, sizeof(data)), ==, EFI_UNSUPPORTED);
    g_assert_cmphex(t.iommu->allocate_buffer(t.iommu, 0, EFI_BOOT_SERVICES_DATA, 3, &buffer, 0), ==,
                    EFI_SUCCESS);
    g_assert_true(in_pages(buffer, 3 * EFI_PAGE));
    for (unsigned operation = 0; operation < 6; operation++) { /* and stay where they are */
        mapping = map(operation, (uint8_t *)buffer + 8, 3 * EFI_PAGE - 8, &device);
        g_assert_true(device == (uint8_t *)buffer + 8);
        g_assert_cmphex(t.iommu->unmap(t.iommu, mapping), ==, EFI_SUCCESS);
    }
    g_assert_cmphex(t.iommu->free_buffer(t.iommu, 3, buffer), ==, EFI_SUCCESS);
    tear_down();
}

/* Random requests against a model: which page belongs to whom. */
static void pages_are_nobodys_twice(void)
{
    uint8_t owners[PAGES] = { 0 };
    struct {
        uint8_t *at;
        uint64_t n;
    } held[200] = { 0 };

    set_up();
    for (unsigned i = 0; i < 20000; i++) {
        unsigned slot = g_test_rand_int_range(0, G_N_ELEMENTS(held));
        uint64_t n = g_test_rand_int_range(1, 20);
        uint64_t first;
        void *at;

        if (held[slot].at != NULL) {
            first = (held[slot].at - t.window - WINDOW_MAIL) / EFI_PAGE;
            memset(owners + first, 0, held[slot].n);
            g_assert_cmphex(t.iommu->free_buffer(t.iommu, held[slot].n, held[slot].at), ==,
                            EFI_SUCCESS);
            held[slot].at = NULL;
        } else if (t.iommu->allocate_buffer(t.iommu, 0, 4, n, &at, 0) == EFI_SUCCESS) {
            g_assert_true(in_pages(at, n * EFI_PAGE));
            first = ((uint8_t *)at - t.window - WINDOW_MAIL) / EFI_PAGE;
            for (uint64_t page = first; page < first + n; page++) {
                g_assert_cmpuint(owners[page], ==, 0);
                owners[page] = 1;
            }
            held[slot].at = at;
            held[slot].n = n;
        }
    }
    tear_down();
}

static void what_is_full_says_so_and_recovers(void)
{
    uint8_t *data = g_malloc0(WINDOW), *device;
    void *all, *mapping;

    set_up();
    g_assert_cmphex(try_map(EFI_IOMMU_READ, data, WINDOW), ==, EFI_OUT_OF_RESOURCES);
    mapping = map(EFI_IOMMU_READ, data, WINDOW - WINDOW_MAIL, &device);
    g_assert_cmphex(try_map(EFI_IOMMU_READ, data, 1), ==, EFI_OUT_OF_RESOURCES);
    g_assert_cmphex(t.iommu->allocate_buffer(t.iommu, 0, 4, 1, &all, 0), ==, EFI_OUT_OF_RESOURCES);
    g_assert_cmphex(t.iommu->unmap(t.iommu, mapping), ==, EFI_SUCCESS);
    g_assert_cmphex(t.iommu->allocate_buffer(t.iommu, 0, 4, PAGES, &all, 0), ==, EFI_SUCCESS);
    for (unsigned i = 0; i < 4096; i++) { /* mappings themselves run out, too */
        map(EFI_IOMMU_COMMON, all, 1, &device);
    }
    g_assert_cmphex(try_map(EFI_IOMMU_COMMON, all, 1), ==, EFI_OUT_OF_RESOURCES);
    tear_down();
    g_free(data);
}

static void nonsense_is_refused(void)
{
    uint8_t data[64], *device;
    void *mapping, *buffer;

    set_up();
    g_assert_cmphex(try_map(6, data, 64), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(try_map(EFI_IOMMU_READ, NULL, 64), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(try_map(EFI_IOMMU_READ, data, 0), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(try_map(EFI_IOMMU_READ, data, UINT64_MAX), ==, EFI_OUT_OF_RESOURCES);
    g_assert_cmphex(t.iommu->allocate_buffer(t.iommu, 0, 4, 0, &buffer, 0), ==,
                    EFI_OUT_OF_RESOURCES);
    g_assert_cmphex(t.iommu->allocate_buffer(t.iommu, 0, 4, UINT64_MAX, &buffer, 0), ==,
                    EFI_OUT_OF_RESOURCES);
    g_assert_cmphex(t.iommu->free_buffer(t.iommu, 1, data), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(t.iommu->free_buffer(t.iommu, 1, t.window), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(t.iommu->free_buffer(t.iommu, PAGES + 1, t.window + WINDOW_MAIL), ==,
                    EFI_INVALID_PARAMETER);
    g_assert_cmphex(t.iommu->free_buffer(t.iommu, 1, t.window + WINDOW_MAIL + 1), ==,
                    EFI_INVALID_PARAMETER);
    mapping = map(EFI_IOMMU_READ, data, 64, &device);
    g_assert_cmphex(t.iommu->unmap(t.iommu, (uint8_t *)mapping + 1), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(t.iommu->unmap(t.iommu, mapping), ==, EFI_SUCCESS);
    g_assert_cmphex(t.iommu->unmap(t.iommu, mapping), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(t.iommu->unmap(t.iommu, NULL), ==, EFI_INVALID_PARAMETER);
    g_assert_cmphex(t.iommu->set_attribute(t.iommu, NULL, mapping, 0), ==, EFI_INVALID_PARAMETER);
    tear_down();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/efi/window/all-of-it-is-taken", all_of_it_is_taken);
    g_test_add_func("/efi/window/failure-is-told", a_failure_is_told);
    g_test_add_func("/efi/window/reads-are-copied-in", reads_are_copied_in);
    g_test_add_func("/efi/window/writes-are-copied-out", writes_are_copied_out);
    g_test_add_func("/efi/window/common-buffers-are-pages-of-it", common_buffers_are_pages_of_it);
    g_test_add_func("/efi/window/pages-are-nobodys-twice", pages_are_nobodys_twice);
    g_test_add_func("/efi/window/full-says-so-and-recovers", what_is_full_says_so_and_recovers);
    g_test_add_func("/efi/window/nonsense-is-refused", nonsense_is_refused);
    return g_test_run();
}
