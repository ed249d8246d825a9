/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside models/gunyah: the objects behind the descriptors, the VM and its parts. The
 * kernel functions return 0 or a positive result, or -errno, like the kernel's own.
 *
 * Lock order: status_lock, fn_lock, mm_lock, io_lock; a vCPU's run lock before none of them but
 * below status_lock's readers. The object table's lock is innermost.
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/gunyah.h>

#include "../common/log.h"
#include "../common/object.h"
#include "../common/user.h"
#include "models/engine.h"
#include "models/gunyah-model.h"

enum {
    GH_MAX_PARCELS = 64,
    GH_MAX_VCPUS = 8,
    GH_N_SPIS = 960,
    GH_DTB_MAX = 2 << 20,
};

/* ---- knobs.c ---- */

typedef enum { REV_B2, REV_ANDROID14, REV_ANDROID15, REV_V17 } Revision;

enum { HAZARD_H1 = 1, HAZARD_H2 = 2, HAZARD_H3 = 4, HAZARD_EAGAIN = 8 };
enum { POLICY_ANY, POLICY_LEND, POLICY_SHARE };
enum { TRUSTED_OFF, TRUSTED_CHECK, TRUSTED_ACCEPT };

typedef enum { END_OFF, END_WATCHDOG, END_ABORT, END_STOPPED, END_CRASH, END_LOAD } End;

/* Where the resource manager can be told to fail; also the words of dmesg. */
typedef enum {
    STEP_NONE,
    STEP_VMID,
    STEP_PARCEL,
    STEP_CONFIGURE,
    STEP_AUTHENTICATE,
    STEP_INIT,
    STEP_RESOURCES,
    STEP_START,
} Step;

typedef struct {
    Revision rev;
    char engine[16]; /* "" for the best one */
    uint64_t memlock;
    unsigned teardown_ms;
    unsigned capacity;
    uint32_t capacity_code;
    int policy;
    bool share_exec;
    Step fail_step;
    uint32_t fail_code;
    int pin_errno; /* 0: none */
    int run_errno; /* 0: none */
    int end;       /* End: how a guest's SYSTEM_OFF is told */
    unsigned hazards;
    unsigned page_faults;
    int extension;
    int trusted;      /* TRUSTED_*: the driver's manager, and what images are taken */
    bool auth_einval; /* SET_AUTH_TYPE obeys and answers EINVAL */
    uint64_t cma;     /* bytes of contiguous memory; 0: no node for it */
    char pvmfw[256];  /* "": none, "on": our own, else a file */
    bool log;
} Knobs;

extern ModelState gunyah_model;
extern GunyahModelStats gunyah_model_counters;
#define model_log(...)     model_logf(&gunyah_model, __VA_ARGS__)
#define MODEL_COUNT(field) MODEL_ADD(gunyah_model_counters.field)

/* ---- what a descriptor of ours is (models/common/object.h) ---- */

enum { OBJECT_DEVICE, OBJECT_VM, OBJECT_VCPU, OBJECT_GUEST_MEM, OBJECT_CMA_NODE, OBJECT_CMA_MEM };

/* ---- memory.c ---- */

typedef struct {
    uint64_t addr, size;
    uint64_t view; /* offset into the view */
    int prot;
    bool moved; /* private pages: the view holds the only mapping */
} TakenRange;

typedef struct {
    uint32_t label;
    uint32_t flags; /* GH_MEM_ALLOW_* */
    uint64_t gpa;   /* as the caller said */
    uint64_t size;
    uint64_t hva; /* 0 for v17's files */
    bool lend;
    uint64_t offset;    /* v17: into the file */
    uint32_t map_flags; /* v17: GH_MAP_* */
    GArray *vmas;       /* of Vma: what backs it, clipped */
    uint8_t *view;      /* the model's own mapping, or hva if it shares the caller's; NULL: none */
    int absent;         /* android15: errno that touching its pages comes to; 0: they are there */
    bool own_view;
    bool given;       /* the resource manager has it */
    uint64_t ipa;     /* where the resource manager placed it */
    bool placed;      /* ipa is valid */
    bool auto_placed; /* at an address of the resource manager's choice */
    bool firmware;    /* where the protected-VM firmware is */
    bool no_exec;     /* accepted without execute rights */
    bool mapped;      /* in the engine */
    GArray *taken;    /* of TakenRange: what the caller lost */
    uint64_t charged; /* bytes of memlock */
} Mapping;

struct GhVm;
int mem_add(struct GhVm *vm, const struct gh_userspace_memory_region *region, bool lend);
/* fd is a guest-memory file and args have been checked against it. */
int mem_add_file(struct GhVm *vm, const struct gh_map_mem_args *args, int fd);
/* Takes such a range, or one end of it, away again; flags must be those it was mapped with. */
int mem_trim_file(struct GhVm *vm, const struct gh_map_mem_args *args, int fd);
int mem_unmap_file(struct GhVm *vm, const struct gh_map_mem_args *args);
int mem_reclaim_range(struct GhVm *vm, const struct gh_address_range *range);
/* FALSE: beyond the memlock limit. */
bool mem_charge(struct GhVm *vm, Mapping *m);
/* Whether anybody but the model has any of its pages mapped. */
bool mem_is_mapped(const Mapping *m);
/* Takes a lent mapping's pages from the caller. */
int mem_take(Mapping *m);
void mem_give_back(Mapping *m);
void mem_free(Mapping *m);
/* android15 maps what the host keeps without execute rights. */
bool mem_shared_without_exec(const struct GhVm *vm, const Mapping *m);
void mem_unmap_engine(struct GhVm *vm, Mapping *m);
/* Mappings of the model's own, which lending never takes. */
void lend_register_view(const uint8_t *view, uint64_t size);
void lend_forget_view(const uint8_t *view);
/* With mm_lock: mapping that holds all of [gpa, gpa + size). */
Mapping *mem_find(struct GhVm *vm, uint64_t gpa, uint64_t size);
/* With mm_lock: into the engine, where the resource manager placed it. 0 or -errno */
int mem_map_engine(struct GhVm *vm, Mapping *m);

/* ---- functions.c, irqfd.c, ioeventfd.c ---- */

typedef struct GhVcpu GhVcpu;

typedef struct {
    uint32_t label;
    bool level;
    int epoll;  /* watches the eventfd without holding it open */
    bool bound; /* the doorbell is there */
    uint32_t spi;
    struct GhVm *vm;
} Irqfd;

typedef struct {
    struct gh_fn_ioeventfd_arg arg;
    int fd; /* our own */
} Ioeventfd;

int fn_add(struct GhVm *vm, const struct gh_fn_desc *desc);
int fn_remove(struct GhVm *vm, const struct gh_fn_desc *desc);
/* With fn_lock: matches vCPUs and doorbells to tickets. */
void fn_populate(struct GhVm *vm);
void fn_remove_all(struct GhVm *vm);

int irqfd_add(struct GhVm *vm, const void *arg, uint32_t size);
bool irqfd_remove(struct GhVm *vm, uint32_t label);
void irqfd_populate(struct GhVm *vm);
void irqfd_remove_all(struct GhVm *vm);
int eventfd_check(int fd); /* 0, -EBADF, -EINVAL */

int ioeventfd_add(struct GhVm *vm, const void *arg, uint32_t size);
bool ioeventfd_remove(struct GhVm *vm, const struct gh_fn_ioeventfd_arg *key);
void ioeventfd_remove_all(struct GhVm *vm);
/* TRUE if an eventfd took the write. [vcpu] */
bool ioeventfd_write(struct GhVm *vm, uint64_t addr, uint32_t len, uint64_t data);

/* ---- vcpu.c ---- */

typedef enum { VCPU_READY, VCPU_MMIO_READ, VCPU_MMIO_WRITE, VCPU_DOWN } VcpuState;

struct GhVcpu {
    Object obj;
    grefcount refs; /* the file, the function list */
    struct GhVm *vm;
    uint32_t id;
    struct gh_vcpu_run *page;
    EngineVcpu *engine; /* the hypervisor's vCPU; NULL: not populated. Under the run lock */
    int running;        /* run lock: 0 free, 1 held; waiters poll run_free */
    int waiters;
    int run_free; /* eventfd */
    int signals;  /* signalfd of what may interrupt; polled only by the thread that runs */
    sigset_t caller_mask;
    sigset_t watched_mask; /* caller_mask that signals was made for */
    bool watching;
    VcpuState state;
    EngineExit exit;
    unsigned page_faults;
    bool eagain_turn;
};

int vcpu_add(struct GhVm *vm, const void *arg, uint32_t size);
bool vcpu_remove(struct GhVm *vm, uint32_t id);
void vcpu_populate(GhVcpu *vcpu, EngineVcpu *engine);
void vcpu_unref(GhVcpu *vcpu);
long vcpu_ioctl(GhVcpu *vcpu, unsigned long request);

/* vcpu-signals.c: the mask to restore is vcpu->caller_mask, taken under the run lock. */
void vcpu_block_signals(GhVcpu *vcpu);
int vcpu_signal_pending(const GhVcpu *vcpu);
bool vcpu_restarts_after(int sig);

/* ---- rm.c, rm-dt.c ---- */

typedef enum {
    RM_OK = 0,
    RM_NO_MEMORY = 1,
    RM_NO_RESOURCE = 2,
    RM_DENIED = 3,
    RM_INVALID = 4,
    RM_BUSY = 5,
    RM_ARGUMENT_INVALID = 6,
    RM_VALIDATE_FAILED = 8,
    RM_MEM_INVALID = 10,
    RM_LAST = 0x11,
    RM_UNIMPLEMENTED = -1,
} RmError;

int rm_errno(uint32_t code); /* the kernel's translation, positive */

typedef struct {
    uint32_t label;
    uint32_t spi;
    uint32_t flags; /* third cell */
    bool has_spi;
    char *node; /* name below /hypervisor */
} RmBell;

typedef struct {
    uint32_t label;
    uint64_t base;
    bool allocate;
    char *node;
} RmShm;

typedef struct {
    char *image_name;
    uint64_t base; /* rounded up to 2 MiB */
    uint64_t size_max;
    uint64_t fw_address, fw_size_max; /* size 0: not said */
    unsigned n_cpus;
    bool proxy; /* vCPUs are run through GH_FN_VCPU */
    bool has_gic_reg;
    char *gic_path;
    uint64_t gicd_base, gicr_base;
    GArray *bells; /* of RmBell */
    GArray *shms;  /* of RmShm */
} RmConfig;

RmConfig *rm_config_parse(const void *fdt, RmError *code);
/* rm-vdev.c: the children of gunyah-vm-config's vdevices node. */
RmError rm_vdevices_parse(const void *fdt, int node, RmConfig *config);
/* Says what is wrong with the tree in dmesg; returns code. */
RmError rm_bad_tree(RmError code, const char *what);
void rm_config_free(RmConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmConfig, rm_config_free)

/* rm-firmware.c: with mm_lock. The parcel for the firmware and its content; NULL with *code. */
Mapping *rm_firmware_load(struct GhVm *vm, const RmConfig *config, const Mapping *image,
                          RmError *code);
/* Wipes what a guest that had a firmware, or was trusted, leaves behind in lent memory. */
void rm_sanitise(struct GhVm *vm);

/* rm-vmid.c: sets vm->vmid, to wanted unless that is 0. */
RmError rm_alloc_vmid(struct GhVm *vm, unsigned wanted);
void rm_free_vmid(struct GhVm *vm);

/* rm-image.c: Android 15 and 16. FALSE: START ends before it has begun. */
bool rm_begins(struct GhVm *vm);
/* With mm_lock: the mapping that holds the image; else NULL with -errno. */
Mapping *rm_find_image(struct GhVm *vm, int *ret);
/* With mm_lock. The ranges that the resource manager is told. */
RmError rm_check_image(const struct GhVm *vm, const Mapping *image);

/* rm-trusted.c: trusted VMs, of whoever calls GH_VM_ANDROID_SET_AUTH_TYPE. */
long rm_set_auth_type(struct GhVm *vm, const struct gh_auth_desc *desc);
/* With mm_lock. Looks at the image by knob trusted-vm=; sets vm->trusted_entry. */
RmError rm_trusted_authenticate(struct GhVm *vm, const Mapping *image);

/* rm-place.c: with mm_lock. Gives each parcel its address. */
RmError rm_place(struct GhVm *vm, const RmConfig *config, Mapping *image, const void *fdt);
/* rm-overlay.c: a new tree with the resource manager's additions, packed; g_free() it. */
RmError rm_overlay(struct GhVm *vm, const RmConfig *config, const void *fdt, uint64_t room,
                   void **out);

/* The whole of GH_VM_START after the state check, with status_lock: 0 or -errno. */
int rm_start(struct GhVm *vm);
void rm_release(struct GhVm *vm);

/* ---- vm.c ---- */

typedef enum {
    VM_NO_STATE,
    VM_LOADING, /* VMID allocated */
    VM_INIT_FAILED,
    VM_RUNNING,
    VM_EXITED,
    VM_CRASHED,
} VmStatus;

typedef struct GhVm GhVm;
struct GhVm {
    Object obj;
    Knobs knobs;
    gint files; /* VM file and vCPU files */
    pthread_rwlock_t status_lock;
    gint status; /* VmStatus; written under status_lock or exit_lock, read atomically */
    pthread_mutex_t exit_lock;
    struct gh_vm_exit_info exit_info;

    pthread_mutex_t mm_lock;
    GList *mappings; /* of Mapping, newest first */

    struct gh_vm_dtb_config dtb;
    struct gh_vm_firmware_config fw;
    bool fw_set;
    struct gh_qtvm_auth_arg trusted;
    bool trusted_set;
    uint64_t trusted_entry;  /* offset into the image; set by authentication */
    const Mapping *firmware; /* or NULL: the guest starts at its image */
    GArray *boot_regs;       /* of struct gh_vm_boot_context; for VMs nobody vouches for */

    pthread_mutex_t fn_lock;
    GPtrArray *vcpus;  /* of GhVcpu */
    GPtrArray *irqfds; /* of Irqfd */
    GThread *irq_thread;
    int irq_epoll, irq_stop;

    pthread_rwlock_t io_lock;
    GPtrArray *ioeventfds; /* of Ioeventfd */

    unsigned vmid; /* 0: none */
    int absent;    /* android15: errno of pages that cannot be had; found when they are touched */
    RmConfig *config;
    const EngineOps *ops;
    EngineVm *engine;
    EngineVcpu *engine_vcpus[GH_MAX_VCPUS];
};

int vm_create(const Knobs *knobs);
unsigned vm_live_count(void);
long vm_ioctl(GhVm *vm, unsigned long request, uintptr_t arg);
/* One file less; the last one tears down. */
void vm_put_file(GhVm *vm);
/* Ends it for good; every vCPU leaves the guest. [any] */
void vm_down(GhVm *vm, VmStatus status, int type, const void *reason, unsigned n);
/* Blocks until no teardown is under way. */
void vm_wait_teardowns(void);
