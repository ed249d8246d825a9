/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a virtual machine shall be, whoever said it: options of 'humpy vm run-linux', a
 * configuration file, crosvm's words. plan-argv.c makes the words of humpy-system-* of it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *label, *path, *guid; /* guid: or NULL */
    char *format;              /* or NULL: what it looks like */
    uint64_t size;             /* bytes; 0: the image's */
    bool writable;
} PlanPartition;

typedef struct {
    char *image;           /* or NULL: */
    GPtrArray *partitions; /* of PlanPartition */
    char *format;          /* or NULL: what it looks like */
    char *overlay;         /* file that takes what is written, or NULL */
    bool temporary;        /* what is written is lost at the end */
    bool writable;
    bool direct; /* bypasses the host's page cache */
    char *id;    /* serial number, or NULL */
} PlanDisk;

typedef struct {
    char *words; /* what stands after -netdev, without id */
    char *mac;   /* the card's address, or NULL */
} PlanNet;

typedef struct {
    char *name; /* NULL: the first free of vm0, vm1, ... */
    char *arch; /* NULL: the kernel's */
    char *kernel, *initrd, *dtb, *firmware;
    char *vendor_boot, *init_boot, *bootconfig;
    GString *params; /* kernel command line */
    GPtrArray *disks;
    GPtrArray *nets;   /* of PlanNet */
    GPtrArray *shares; /* of char *: what stands after -virtfs */
    uint64_t memory_mib, swiotlb_mib;
    unsigned cpus;
    bool is_protected;
    bool trusted;        /* Qualcomm's: a signed image in the place of kernel or firmware, with */
    uint16_t trusted_id; /* an identity of its own */
    uint32_t trusted_pas;
    bool pvmfw;            /* a protected VM starts with the resource manager's firmware */
    char *accel, *machine; /* what stands after -accel, properties after -machine NAME; or NULL */
    char *console;         /* stdio, none, pty, or a path */
    char *console_device;  /* ttyS0 (the serial port), hvc0; NULL: as params say */
    char *log;             /* file that takes what the console says, or NULL */
    uint64_t log_size;     /* bytes after which it is put aside; 0: never */
    unsigned log_count;    /* how many are kept besides; 0: the program's default */
    char *dump_dtb;
    bool background, dry_run;
    bool page_reporting; /* the balloon tells of free pages */
    bool no_rng, no_balloon, no_reboot, no_console_word, no_pvpanic, watchdog;
    uint64_t vsock_cid; /* 0: none */
    GString *sched;     /* what stands after -vcpu-sched; empty: nothing */
    bool hugepages;
    char *confine;    /* directory that all files must be in, or NULL */
    GPtrArray *words; /* of char *: added as they are */
} Plan;

enum { PLAN_SWIOTLB_MIB = 64, PLAN_MEMORY_MIB = 512 };

Plan *plan_new(void);
void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

PlanDisk *plan_add_disk(Plan *plan, const char *image); /* image: or NULL */
PlanPartition *plan_add_partition(PlanDisk *disk);
/* FILE[,ro][,overlay=FILE][,temporary][,format=FORMAT][,direct][,id=SERIAL] */
bool plan_add_disk_text(Plan *plan, const char *text, GError **error);
/* user[,...], tap[,...]: as after -netdev, but for the id. */
bool plan_add_net(Plan *plan, const char *text, GError **error);
/* The same without a check. mac: or NULL. */
void plan_add_net_words(Plan *plan, char *words, const char *mac); /* takes words */
void plan_add_params(Plan *plan, const char *params);
bool plan_set_memory(Plan *plan, const char *text, GError **error);  /* MiB, or with a suffix */
bool plan_set_swiotlb(Plan *plan, const char *text, GError **error); /* the same */
bool plan_set_log_size(Plan *plan, const char *text, GError **error);
bool plan_set_log_count(Plan *plan, const char *text, GError **error);
bool plan_set_cpus(Plan *plan, const char *text, GError **error);
bool plan_set_arch(Plan *plan, const char *text, GError **error);
/* stdio, none, pty, unix:PATH, FILE */
bool plan_set_console(Plan *plan, const char *text, GError **error);
/* one_cpu, match_host, cpu_count=N */
bool plan_set_cpu_topology(Plan *plan, const char *text, GError **error);
/* Checks both numbers; either may be NULL, but not one of them alone. */
bool plan_set_trusted(Plan *plan, const char *id, const char *pas, GError **error);
/* As after -vcpu-sched; more than one: together. */
void plan_add_sched(Plan *plan, const char *text);
/* crosvm's: CPUs for all vCPUs (0,2-3), or VCPU=CPUS with colons between them. */
bool plan_set_cpu_affinity(Plan *plan, const char *text, GError **error);
/* What only shows when all is known: kernel or firmware, initrd with a kernel, ... */
bool plan_check(Plan *plan, GError **error);

/* ---- plan-files.c ---- */
/* Looks at every file: that it is there, and inside plan->confine, where its name is then replaced
 * by that of a descriptor which stays open. Also finds arch. */
bool plan_resolve_files(Plan *plan, GError **error);

/* ---- plan-argv.c ---- */
typedef struct {
    const char *program;
    const char *name;                                 /* of the VM */
    const char *pidfile, *qmp, *console_path, *vsock; /* or NULL: not kept track of */
} PlanPlace;
/* NULL-terminated words, the program's first. */
char **plan_argv(const Plan *plan, const PlanPlace *place, GError **error);

/* ---- plan-disks.c ---- */
/* The JSON text after -blockdev for the disk called node. */
char *plan_disk_blockdev(const PlanDisk *disk, const char *node);

/* ---- plan-image.c ---- */
bool plan_check_format(const char *format, GError **error);
/* Sets *format, if it is NULL, to what the image at path looks like; the user calls it name. */
bool plan_find_format(const Plan *plan, const char *name, const char *path, char **format,
                      GError **error);
