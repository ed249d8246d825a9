/* SPDX-License-Identifier: GPL-2.0-or-later
 * memsave and pmemsave: guest memory into a file of the host's.
 */
#include <errno.h>
#include <fcntl.h>

#include "hw/core/machine.h"
#include "qapi-commands.h"
#include "util/error.h"
#include "util/fd.h"
#include "vm.h"

enum { CHUNK = 64 << 10 };

static bool write_all(int fd, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, buf, len);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            buf += n;
            len -= n;
        }
    }
    return true;
}

static bool copy_out(AddressSpace *as, hwaddr addr, uint64_t size, int fd, const char *filename,
                     GError **error)
{
    g_autofree uint8_t *buf = g_malloc(CHUNK);

    while (size > 0) {
        size_t n = MIN(size, CHUNK);

        if (address_space_read(as, addr, buf, n) != 0) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                        "there is no memory at 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER
                        "x, or it is lent to the guest",
                        addr, addr + n - 1);
            return false;
        }
        if (!write_all(fd, buf, n)) {
            error_set_errno(error, errno, "cannot write to '%s'", filename);
            return false;
        }
        addr += n;
        size -= n;
    }
    return true;
}

static void save(JsonObject *args, GError **error)
{
    const char *filename = json_object_get_string_member(args, "filename");
    uint64_t addr = json_object_get_int_member(args, "val");
    uint64_t size = json_object_get_int_member(args, "size");
    g_auto(Fd) fd = -1;

    if (size > 0 && addr + size - 1 < addr) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "the range goes beyond the end of the address space");
        return;
    }
    /* O_NONBLOCK: a FIFO that nobody reads is an error, not something to wait for. */
    fd = open(filename, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot open '%s' for writing", filename);
        return;
    }
    copy_out(machine_memory(vm_machine(vm_current())), addr, size, fd, filename, error);
}

JsonNode *qmp_pmemsave(JsonObject *args, GError **error)
{
    save(args, error);
    return NULL;
}

JsonNode *qmp_memsave(JsonObject *args, GError **error)
{
    Accel *accel = vm_accel(vm_current());

    /* Without vCPUs nothing is translated: virtual addresses are physical ones. */
    if (accel_caps(accel) & ACCEL_CAP_VCPUS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "accelerator '%s' cannot translate virtual addresses (pmemsave takes physical "
                    "ones)",
                    accel_name(accel));
        return NULL;
    }
    save(args, error);
    return NULL;
}
