/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a machine boots, put together from the files that were named: a kernel and an initial RAM
 * disk, or Android's boot images, whose RAM disks are joined and whose command lines are put in
 * front of the user's.
 */
#pragma once

#include "hw/core/loader.h"
#include "hw/core/machine.h"

typedef struct {
    LoaderStream *kernel;
    GPtrArray *ramdisks;  /* of LoaderStream */
    GBytes *tail;         /* bootconfig behind them, or NULL */
    uint64_t initrd_size; /* of all; 0: there is none */
    char *initrd_name;    /* the option to blame */
    GString *words;       /* of the images; may be empty */
} BootFiles;

/* Opens all that config names; config->kernel is there. Errors start with the option. */
bool boot_files_open(const MachineConfig *config, BootFiles *files, GError **error);
void boot_files_clear(BootFiles *files);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BootFiles, boot_files_clear)
/* The images' words and append (NULL: none) as one command line; NULL: nothing. */
char *boot_files_command_line(const BootFiles *files, const char *append);
/* Copies initrd_size bytes to dest + at, inside dest. Once. */
bool boot_files_copy_initrd(BootFiles *files, const LoaderDest *dest, uint64_t at, GError **error);
