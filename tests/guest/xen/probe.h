/* SPDX-License-Identifier: GPL-2.0-or-later
 * A program for a Linux guest that makes accesses to devices from user space, as root, so that
 * which instruction makes them is chosen here: what its parts share. No access is made here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/io.h> /* value before port */

enum { PAGE = 4096 };

/* Counts a check; prints a line when it fails. */
__attribute__((format(printf, 2, 3))) void check(bool good, const char *format, ...);
void check_value(uint64_t got, uint64_t expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* size bytes of physical address space, or the end of the program. */
volatile uint8_t *map_physical(uint64_t address, size_t size);
/* Memory that stays where it is, and where that is (its first page). */
uint8_t *locked_memory(size_t size);
uint64_t physical_address(const void *memory);

/* The same numbers in each run. */
uint32_t next_random(uint32_t *state);
uint64_t checksum(const uint8_t *bytes, size_t size);

/* What each word on the command line does with its numbers. */
void probe_ports(uint16_t base);
void probe_memory(uint64_t base, size_t size);
void probe_strings(uint64_t base, size_t size);
void probe_pci(unsigned slot, uint64_t bar);
void probe_compare(uint64_t first, uint64_t second, unsigned count);
void probe_compare_ports(uint16_t first, uint16_t second, unsigned count);
