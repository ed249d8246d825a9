/* SPDX-License-Identifier: GPL-2.0-or-later
 * Command line, counting and physical memory of the guest's probe:
 *
 *     probe ports BASE            four bytes of ports that keep what is written
 *     probe memory BASE SIZE      a window that keeps what is written, in every width
 *     probe strings BASE SIZE     the same window, with rep and with locked instructions
 *     probe pci SLOT BAR          an "edu" function in bus 0, its BAR to be placed at BAR
 *     probe compare A B COUNT     cycles for a 4-byte read of memory at A and at B; compare-ports
 *     probe poll-serial DEVICE    lets the kernel's driver poll a 16550 whose interrupt is not
 * there
 *
 * Each ends with a line "probe: WHAT: N checks, M failed" and the status 1 if any failed.
 */
#include "probe.h"

#include <err.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned checks, failures;

static void failed(const char *format, va_list args, const char *more)
{
    failures++;
    if (failures <= 20) {
        printf("probe: failed: ");
        vprintf(format, args);
        printf("%s\n", more);
    }
}

void check(bool good, const char *format, ...)
{
    va_list args;

    checks++;
    if (!good) {
        va_start(args, format);
        failed(format, args, "");
        va_end(args);
    }
}

void check_value(uint64_t got, uint64_t expected, const char *format, ...)
{
    char more[64];
    va_list args;

    checks++;
    if (got != expected) {
        snprintf(more, sizeof(more), " is %#llx, not %#llx", (unsigned long long)got,
                 (unsigned long long)expected);
        va_start(args, format);
        failed(format, args, more);
        va_end(args);
    }
}

volatile uint8_t *map_physical(uint64_t address, size_t size)
{
    int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
    void *window;

    if (fd < 0) {
        err(2, "/dev/mem");
    }
    window = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)address);
    if (window == MAP_FAILED) {
        err(2, "/dev/mem at %#llx", (unsigned long long)address);
    }
    close(fd);
    return window;
}

uint8_t *locked_memory(size_t size)
{
    uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

    if (memory == MAP_FAILED) {
        err(2, "%zu bytes of memory", size);
    }
    memset(memory, 0, size);
    return memory;
}

/* Documentation/admin-guide/mm/pagemap.rst of Linux: bits 54..0 are the frame, 63 says present. */
uint64_t physical_address(const void *memory)
{
    uint64_t address = (uintptr_t)memory, entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || pread(fd, &entry, sizeof(entry), (off_t)(address / PAGE * sizeof(entry))) !=
                      sizeof(entry)) {
        err(2, "/proc/self/pagemap");
    }
    close(fd);
    if (!(entry >> 63 & 1) || (entry & ((1ull << 55) - 1)) == 0) {
        errx(2, "no physical address of %p", memory);
    }
    return (entry & ((1ull << 55) - 1)) * PAGE + address % PAGE;
}

uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* FNV-1a with 64 bits. */
uint64_t checksum(const uint8_t *bytes, size_t size)
{
    uint64_t sum = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    }
    return sum;
}

static void poll_serial(const char *name)
{
    struct serial_struct serial;
    int fd = open(name, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || ioctl(fd, TIOCGSERIAL, &serial) < 0) {
        err(2, "%s", name);
    }
    printf("probe: %s has type %d, port %#x, interrupt %d\n", name, serial.type, serial.port,
           serial.irq);
    serial.irq = 0;
    if (ioctl(fd, TIOCSSERIAL, &serial) < 0) {
        err(2, "%s: setting the interrupt", name);
    }
    close(fd);
}

static uint64_t number(char **argv, int argc, int i)
{
    char *end;
    uint64_t value;

    if (i >= argc) {
        errx(2, "%s needs more numbers", argv[1]);
    }
    value = strtoull(argv[i], &end, 0);
    if (*end != '\0') {
        errx(2, "%s: %s is not a number", argv[1], argv[i]);
    }
    return value;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (iopl(3) != 0) {
        err(2, "iopl");
    }
    if (strcmp(what, "ports") == 0) {
        probe_ports((uint16_t)number(argv, argc, 2));
    } else if (strcmp(what, "memory") == 0) {
        probe_memory(number(argv, argc, 2), number(argv, argc, 3));
    } else if (strcmp(what, "strings") == 0) {
        probe_strings(number(argv, argc, 2), number(argv, argc, 3));
    } else if (strcmp(what, "pci") == 0) {
        probe_pci((unsigned)number(argv, argc, 2), number(argv, argc, 3));
    } else if (strcmp(what, "compare") == 0) {
        probe_compare(number(argv, argc, 2), number(argv, argc, 3),
                      (unsigned)number(argv, argc, 4));
        return 0;
    } else if (strcmp(what, "compare-ports") == 0) {
        probe_compare_ports((uint16_t)number(argv, argc, 2), (uint16_t)number(argv, argc, 3),
                            (unsigned)number(argv, argc, 4));
        return 0;
    } else if (strcmp(what, "poll-serial") == 0 && argc > 2) {
        poll_serial(argv[2]);
        return 0;
    } else {
        errx(2,
             "%s is not known: ports, memory, strings, pci, compare, compare-ports, "
             "poll-serial",
             what);
    }
    printf("probe: %s: %u checks, %u failed\n", what, checks, failures);
    return failures != 0;
}
