/* SPDX-License-Identifier: GPL-2.0-or-later
 * Shared inside accel/gunyah: the accelerator object and what its files offer each other.
 *
 *   gunyah.c     type, properties, opening the node, telling the UAPI families apart
 *   vm.c         one VM from CREATE_VM to START, with retries; taking it down in order
 *   patience.c   how long a refused start is tried again
 *   memory.c     RAM: what the listener saw, cut into regions, given to the driver
 *   functions.c  vCPU, irqfd and ioeventfd functions
 *   irq.c        interrupt lines, and level lines that have to be rung again
 *   vcpu.c       the run loop's one turn
 *   trusted.c    VMs with an identity of their own, whose image is signed
 *   reclaim.c    pages that the guest gives up
 *   sigbus.c     what is said when this program touches lent memory
 *   dt.c         /gunyah-vm-config
 *
 * Lock order: the memory API's topology lock, io_lock; a line's lock, irqs.wake_lock. None is
 * held while a device's ops run.
 */
#pragma once

#include <linux/gunyah.h>
#include <pthread.h>

#include "accel/accel-impl.h"
#include "accel/hostdev.h"

#define TYPE_ACCEL_GUNYAH accel_gunyah_get_type()
G_DECLARE_FINAL_TYPE(AccelGunyah, accel_gunyah, HUMPY, ACCEL_GUNYAH, Accel)

enum {
    GUNYAH_FIRMWARE_SIZE = 4 << 20, /* what pvmfw needs at most */
    GUNYAH_MAX_PARCELS = 64,
    GUNYAH_MAX_SPI = 987, /* INTID 1019 is the last SPI */
    GUNYAH_IMAGE_ALIGN = 2 << 20,
};
#define GUNYAH_MMIO_LIMIT (1ULL << 30) /* the open resource manager's address map */

/* What the probe found. */
typedef struct {
    const char *name; /* "android14", "android15", "v14", "v17" */
    bool share;       /* GH_VM_SET_USER_MEM_REGION */
    bool lend;        /* GH_VM_ANDROID_LEND_USER_MEM */
    bool boot_context;
    bool resume_action;    /* the byte means something */
    bool fw_config;        /* GH_VM_ANDROID_SET_FW_CONFIG */
    bool no_timer_wakeups; /* the property of that name is known */
    bool reclaim;          /* GH_VM_RECLAIM_REGION */
    bool late_teardown;    /* a VM is taken down after close(), not in it */
    bool guest_mem;        /* GH_CREATE_GUEST_MEM and GH_VM_MAP_MEM instead of share and lend */
} GunyahFeatures;

/* RAM as the listener saw it. */
typedef struct {
    uint64_t gpa, size;
    uint8_t *host;
    MemoryRegion *mr;
    int fd; /* of the RAM, or -1; borrowed */
    uint64_t fd_offset;
    const char *name; /* borrowed from the region */
    bool readonly;
} GunyahRam;

/* A piece of it that becomes one call and one parcel. */
typedef struct {
    uint32_t label;
    uint64_t gpa, size;
    uint8_t *host;
    int fd;
    uint64_t fd_offset;
    bool image;  /* holds kernel and DTB */
    bool window; /* stays shared where the rest is lent */
    bool apart;  /* lent, but not right behind the rest that is */
} GunyahRegion;

typedef struct {
    uint64_t addr;
    uint32_t len;
    bool match;
    uint64_t data;
    int fd;
    bool in_kernel; /* else exits reach the memory API, which signals fd itself */
} GunyahIoeventfd;

typedef struct {
    pthread_mutex_t lock; /* guards fd, latched and the writing of level */
    unsigned spi;
    AccelIrqMode mode;
    int fd; /* eventfd, -1 while there is no VM */
    bool level;
    bool latched; /* EDGE: rose before START */
    uint64_t rises;
    uint64_t accesses_at_rise;

    /* The re-check thread's own. */
    uint64_t seen_rises, seen_accesses;
    int64_t since, next_ring, interval;
    bool touched;
} GunyahLine;

typedef struct {
    GPtrArray *lines; /* of GunyahLine, in order of connection; fixed once started */
    GunyahLine *by_spi[GUNYAH_MAX_SPI + 1];
    bool started;
    unsigned n_high; /* level lines that are high */
    uint64_t accesses;

    GThread *thread;
    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    bool quit;
    bool resting; /* the thread sleeps longer than one tick: wake it */
} GunyahIrqs;

typedef struct {
    int fd; /* -1: none */
    struct gh_vcpu_run *run;
    size_t run_size;

    /* The vCPU thread's own. */
    uint64_t fault_addr;
    unsigned fault_repeats;
} GunyahVcpu;

struct _AccelGunyah {
    Accel parent_instance;

    /* Properties. */
    int host;
    char *device, *fd_text, *cma_path;
    uint64_t chunk_size;
    bool lend, pvmfw;
    char *trusted_id_text, *trusted_pas_text;
    int protect, dma_window; /* AccelProtect, AccelWindow */
    uint64_t swiotlb_size;
    uint32_t start_retries, relaunch_timeout;
    char *base_address_text, *size_max_text;

    bool has_base_address, has_size_max;
    bool trusted; /* the image is signed, and started under its own identity: */
    uint16_t trusted_id;
    uint32_t trusted_pas;
    uint64_t base_address, size_max;

    HostDev dev;
    HostDev cma; /* node for contiguous memory; fd -1: RAM is Humpy's own */
    int vm_fd;   /* -1: none */
    GunyahFeatures features;

    const AccelMachineInfo *info;
    IoReqDispatcher *dispatcher;
    MemoryListener listener;
    bool lending; /* RAM is lent in this attempt, but for a window if there is one */
    bool wants_protection;
    bool started;   /* START has succeeded; read in any thread */
    bool detaching; /* the listener is being taken off */
    bool sealing;   /* gunyah_memory_seal() is changing sections */

    GArray *ram; /* of GunyahRam; guarded by the topology lock until start */
    bool warned_late;
    bool warned_reclaim; /* [any] under the gate's lock */

    pthread_mutex_t io_lock;
    GArray *ioeventfds; /* of GunyahIoeventfd */
    bool io_live;       /* there is a VM to register with */
    bool warned_io;

    GunyahVcpu *vcpus;
    unsigned n_vcpus;
    GunyahIrqs irqs;
};

static inline int gunyah_vm_ioctl(AccelGunyah *gh, unsigned long request, const void *arg)
{
    return hostdev_ioctl(gh->dev.ops, gh->vm_fd, request, (uintptr_t)arg);
}

static inline bool gunyah_is_started(AccelGunyah *gh)
{
    return __atomic_load_n(&gh->started, __ATOMIC_ACQUIRE);
}

/* gunyah.c */
bool gunyah_create_vm(AccelGunyah *gh, GError **error); /* errno is the cause */

/* vm.c */
bool gunyah_start(Accel *accel, const AccelBootInfo *boot, GError **error);
/* Closes what the VM has, eventfds first. vCPU threads are gone. */
void gunyah_vm_close(AccelGunyah *gh);

/* patience.c */
typedef enum {
    GUNYAH_STEP_CREATE,
    GUNYAH_STEP_MEMORY,
    GUNYAH_STEP_OTHER,
    GUNYAH_STEP_START
} GunyahStep;

typedef struct {
    unsigned attempt, retries;
    bool relaunch; /* waits by the clock */
    gint64 began, told;
} GunyahPatience;

void gunyah_patience_init(GunyahPatience *p, AccelGunyah *gh);
/* What protected=auto came to: said after each start, and asked by a reboot, which does not try
 * again what is known. */
void gunyah_settle(AccelGunyah *gh);
bool gunyah_has_settled(AccelGunyah *gh, bool *lending);
/* Whether that errno of that step may go away by itself. */
bool gunyah_patience_has_hope(const GunyahPatience *p, GunyahStep step, int cause);
/* Pauses before another attempt. FALSE: no more of them. cause: for who waits. [main] */
bool gunyah_patience_wait(GunyahPatience *p, const AccelGunyah *gh, const char *cause);

/* memory.c */
void gunyah_memory_init(AccelGunyah *gh);
/* Whether the VM to be built is to have its RAM to itself: by property, or because of protect. */
void gunyah_set_lending(AccelGunyah *gh, bool protect);
/* Cuts the RAM seen so far into regions; checks everything that can be checked before pinning.
 * image_base is the start of the RAM that holds kernel and DTB. New GArray of GunyahRegion. */
GArray *gunyah_memory_plan(AccelGunyah *gh, uint64_t image_base, GError **error);
/* RAM moves into files of the driver's at registration: a second VM cannot have it. */
bool gunyah_memory_moves(const AccelGunyah *gh);
/* errno is the cause of a failure. */
bool gunyah_memory_register(AccelGunyah *gh, const GArray *regions, GError **error);
/* After START of lent RAM: no device may read or write it any more. */
void gunyah_memory_seal(AccelGunyah *gh);

/* reclaim.c */
/* From setup to teardown: what the guest gives up is asked for, or stays. */
void gunyah_reclaim_begin(AccelGunyah *gh);
void gunyah_reclaim_end(AccelGunyah *gh);

/* sigbus.c */
/* Makes a touch of what is lent among regions say so before it ends the program. One VM at a time;
 * forget is idempotent. [main] */
void gunyah_sigbus_watch(const GArray *regions);
void gunyah_sigbus_forget(void);

/* functions.c */
void gunyah_functions_init(AccelGunyah *gh);
bool gunyah_vcpus_create(AccelGunyah *gh, GError **error);
void gunyah_vcpus_close(AccelGunyah *gh);
bool gunyah_irqfd_add(AccelGunyah *gh, const GunyahLine *line, GError **error);
/* Registers what the listener has seen, and from now on what it sees. */
bool gunyah_ioeventfds_create(AccelGunyah *gh, GError **error);
void gunyah_ioeventfds_detach(AccelGunyah *gh);

/* irq.c */
/* How long a level line stays high without any access before it is rung again. Only tests change
 * it. */
extern int64_t gunyah_irq_idle_us;
void gunyah_irqs_init(AccelGunyah *gh);
void gunyah_irqs_clear(AccelGunyah *gh);
bool gunyah_irq_connect(Accel *accel, unsigned gsi, AccelIrqMode mode, GError **error);
void gunyah_irq_set(Accel *accel, unsigned gsi, bool level);
/* An eventfd and an irqfd function per line. */
bool gunyah_irqs_create(AccelGunyah *gh, GError **error);
/* After START: rings what was raised before, and begins to watch level lines. */
bool gunyah_irqs_start(AccelGunyah *gh, GError **error);
void gunyah_irqs_stop(AccelGunyah *gh);
/* Closes the eventfds; nothing is written to them afterwards. */
void gunyah_irqs_close(AccelGunyah *gh);
/* [vcpu] The guest has accessed a device. */
void gunyah_irqs_note_access(AccelGunyah *gh);

/* vcpu.c */
AccelRunResult gunyah_vcpu_run(Accel *accel, AccelVcpu *vcpu);

/* trusted.c */
/* Reads the two properties; with them there must be all that such a VM needs. */
bool gunyah_trusted_parse(AccelGunyah *gh, GError **error);
bool gunyah_trusted_probe(AccelGunyah *gh, bool known, GError **error);
/* Before START, memory being registered. */
bool gunyah_trusted_set(AccelGunyah *gh, const GArray *regions, GError **error);
/* What may be wrong with the image or the identity if START fails so; NULL: nothing that is known.
 */
const char *gunyah_trusted_advice(const AccelGunyah *gh, int cause);

/* dt.c */
bool gunyah_fdt_fixup(Accel *accel, void *fdt, const AccelFdtInfo *info, GError **error);
uint64_t gunyah_dtb_room(Accel *accel, uint64_t dtb_size);
