/* SPDX-License-Identifier: GPL-2.0-or-later
 * For hostmem.c: huge pages, and what to say where there are none. [main]
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* FALSE: fd has huge pages, and size is no multiple of theirs. */
bool hugepages_check(int fd, uint64_t size, GError **error);
/* size bytes of fd could not be mapped: if it has huge pages, *error tells of those instead. */
void hugepages_explain(int fd, uint64_t size, GError **error);
/* A memfd of huge pages of that size (0: the default) could not be made. */
void hugepages_explain_size(uint64_t page, int cause, GError **error);
/* Advises transparent huge pages; one line tells when the host is set up not to give any. */
bool hugepages_advise(void *host, uint64_t size, GError **error);
