/* SPDX-License-Identifier: GPL-2.0-or-later
 * The Gunyah conformance suite's fixture: one VM through HostDevOps, with RAM, a device tree and
 * vCPUs. Tests speak the kernel's interface only; those that need a guest or a knob say so with
 * model_only() and are skipped on a kernel.
 */
#pragma once

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include <linux/gunyah.h>

#include "accel/hostdev.h"
#include "models/engine-script.h"
#include "models/gunyah-model.h"

#define RAM_GPA  0x80000000ULL
#define RAM_SIZE (4ULL << 20)
#define DTB_GPA  (RAM_GPA + (1ULL << 20))
#define DTB_ROOM (64ULL << 10)
#define DEVICE   0x9000000ULL /* an address nobody claims, below 1 GiB */

extern const HostDevOps *host;

/* TRUE (and the test is marked skipped) on a kernel. */
bool model_only(void);

typedef struct {
    int dev, vm;
    void *ram; /* RAM_SIZE bytes, shared memory */
    int vcpu[8];
    struct gh_vcpu_run *run[8];
} Vm;

/* Opens the device with these knobs (model: "engine=script," is put before) and makes a VM. */
Vm *vm_new(const char *knobs);
void vm_free(Vm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)

/* Only the device. */
int device_open(const char *knobs);

int vm_call(Vm *vm, unsigned long request, const void *arg);
/* Closes and forgets one descriptor. */
void vm_close(int *fd);

void *map_shared(uint64_t size);
void *map_private(uint64_t size);

int add_region(Vm *vm, uint32_t label, uint64_t gpa, uint64_t size, const void *hva, bool lend);
int add_function(Vm *vm, uint32_t type, const void *arg, uint32_t size);
int remove_function(Vm *vm, uint32_t type, const void *arg, uint32_t size);
int add_vcpu(Vm *vm, uint32_t id); /* and maps its page */
int add_irqfd(Vm *vm, int fd, uint32_t label, uint32_t flags);
int add_ioeventfd(Vm *vm, int fd, uint64_t addr, uint32_t len, uint32_t flags, uint64_t data);
int set_dtb(Vm *vm, uint64_t gpa, uint64_t size);

/* Device trees */
enum { DT_CPUS_MAX = 8 };
typedef struct {
    uint64_t base;   /* gunyah-vm-config/memory/base-address; 0: RAM_GPA */
    unsigned n_cpus; /* 0: 1 */
    uint32_t bells[4];
    unsigned n_bells; /* doorbells with label n and interrupt n */
    struct {
        uint32_t label;
        uint64_t base;
    } shms[8];
    unsigned n_shms;
    void (*edit)(void *fdt); /* last touch; the tree has room */
} DtSpec;

/* Writes the tree to RAM + offset of DTB_GPA; its size. */
uint32_t write_dtb(void *at, const DtSpec *spec);

/* RAM as the image region (label 0), device tree, DTB config: all but START. */
void prepare(Vm *vm, const DtSpec *spec, bool lend);
/* prepare() with vCPU 0 (all of spec's with many), script set, and a START that must succeed. */
void start(Vm *vm, const DtSpec *spec, const char *script);

/* prepare() with shared RAM and START; its result. */
int prepare_and_start(Vm *vm, const DtSpec *spec);

int run(Vm *vm, unsigned vcpu);

/* 0, or the signal that reading *at raised. */
int touch(const volatile uint8_t *at);

/* The call fails with exactly this errno. */
#define assert_errno(call, expected)                                                               \
    G_STMT_START                                                                                   \
    {                                                                                              \
        errno = 0;                                                                                 \
        g_assert_cmpint((call), ==, -1);                                                           \
        g_assert_cmpstr(g_strerror(errno), ==, g_strerror(expected));                              \
    }                                                                                              \
    G_STMT_END
/* A range that wraps. The drivers mean EOVERFLOW; those that have been read compare a sum that has
 * wrapped by then, and take the range: on a kernel either will do. */
#define assert_wraps(call)                                                                         \
    G_STMT_START                                                                                   \
    {                                                                                              \
        errno = 0;                                                                                 \
        if ((call) == -1 || host == &gunyah_model_ops) {                                           \
            g_assert_cmpstr(g_strerror(errno), ==, g_strerror(EOVERFLOW));                         \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END
#define assert_ok(call)                                                                            \
    G_STMT_START                                                                                   \
    {                                                                                              \
        int assert_ok_ret = (call);                                                                \
                                                                                                   \
        if (assert_ok_ret < 0) {                                                                   \
            g_error("%s: %s\n%s", #call, g_strerror(errno), gunyah_model_take_dmesg());            \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END

/* TRUE if line is in the scripted guest's log (taken and kept until the VM is freed). */
bool guest_saw(const char *line);
/* TRUE if text is in dmesg since the VM was made. */
bool dmesg_has(const char *text);
/* Both, for a message. */
const char *vm_logs(void);

#define assert_guest_saw(line)                                                                     \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if (!guest_saw(line)) {                                                                    \
            g_error("the guest did not see '%s'\n%s", line, vm_logs());                            \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END
#define assert_dmesg_has(text)                                                                     \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if (!dmesg_has(text)) {                                                                    \
            g_error("dmesg does not say '%s'\n%s", text, vm_logs());                               \
        }                                                                                          \
    }                                                                                              \
    G_STMT_END

/* Adds the test below /android14, and below the other families, where it needs the model to be one
 * of them: vm_new() and device_open() see to it. */
void add_for_android(const char *name, GTestFunc fn); /* with user memory regions */
void add_for_all(const char *name, GTestFunc fn);

void add_device_tests(void);
void add_memory_tests(void);
void add_function_tests(void);
void add_start_tests(void);
void add_rm_tests(void);
void add_rm_guest_tests(void);
void add_run_tests(void);
void add_irq_tests(void);
void add_hazard_tests(void);
void add_teardown_tests(void);
void add_android15_tests(void);
void add_v17_tests(void);
void add_protected_tests(void);
void add_trusted_tests(void);
void add_start15_tests(void);
void add_lend_random_tests(void);
