/* SPDX-License-Identifier: GPL-2.0-or-later
 * A writer of ACPI machine language (ACPI 6.4, chapter 20) and of resource descriptors (6.4). Calls
 * append in the order of the grammar: an operator, then its operands. What opens a block is closed
 * by aml_end(). Too much for the space is noted and told by aml_finish(), so that the writing code
 * needs no checks; wrong nesting is a mistake in the program.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Aml Aml;

/* Writes at most max bytes. */
Aml *aml_new(size_t max);
/* What was written; frees aml. NULL: it did not fit (RANGE). */
GBytes *aml_finish(Aml *aml, GError **error);

/* Single bytes of the encoding: operators and the names of locals and arguments. */
enum {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_LOCAL0 = 0x60,
    AML_ARG0 = 0x68,
    AML_STORE = 0x70, /* value, target */
    AML_AND = 0x7b,   /* a, b, target (AML_ZERO: none) */
    AML_OR = 0x7d,
    AML_CREATE_DWORD_FIELD = 0x8a, /* buffer, byte index, name */
    AML_NOT = 0x92,                /* logical */
    AML_EQUAL = 0x93,
    AML_RETURN = 0xa4,
};
void aml_op(Aml *aml, uint8_t op);

/* Paths are given as in ASL: "\\_SB", "PCI0", "\\_SB.PCI0"; segments of up to four characters. */
void aml_path(Aml *aml, const char *path);
void aml_name(Aml *aml, const char *path); /* its value follows */
void aml_int(Aml *aml, uint64_t value);
void aml_string(Aml *aml, const char *text);
void aml_eisa_id(Aml *aml, const char *id);               /* "PNP0501" */
void aml_buffer(Aml *aml, const void *data, size_t size); /* complete */
void aml_uuid(Aml *aml, const char *uuid);                /* as ToUUID() */

/* ---- blocks ---- */
void aml_scope(Aml *aml, const char *path);
void aml_device(Aml *aml, const char *name);
void aml_method(Aml *aml, const char *name, unsigned n_args);
void aml_package(Aml *aml, unsigned n_elements); /* at most 255, which follow */
void aml_if(Aml *aml);                           /* condition, then what is done */
void aml_else(Aml *aml);
void aml_resources(Aml *aml); /* a template, filled by the calls below */
void aml_end(Aml *aml);

/* ---- resource descriptors ---- */
typedef enum { AML_LEVEL_HIGH = 0, AML_EDGE_HIGH = 1 << 1 } AmlTrigger;

void aml_res_ports(Aml *aml, uint16_t port, uint8_t size);
void aml_res_isa_irq(Aml *aml, unsigned irq); /* edge, active high */
void aml_res_gsi(Aml *aml, uint32_t gsi, AmlTrigger trigger, bool shared);
void aml_res_memory32(Aml *aml, uint32_t base, uint32_t size);
/* Windows that a bridge passes on; size 0 writes nothing. */
void aml_res_bus_window(Aml *aml, uint16_t first, uint32_t n);
void aml_res_port_window(Aml *aml, uint16_t first, uint32_t size);
void aml_res_memory_window32(Aml *aml, uint32_t base, uint32_t size);
void aml_res_memory_window64(Aml *aml, uint64_t base, uint64_t size);
