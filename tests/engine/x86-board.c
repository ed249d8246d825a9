/* SPDX-License-Identifier: GPL-2.0-or-later
 * The small PC for the x86 payload: its memory, vCPU threads, ends and resets. Devices are in
 * x86-board-io.c.
 */
#include "x86-board.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "x86-board-io.h"

enum {
    START_INFO = 0x9000,
    COMMAND_LINE = 0x9100,
    COMMAND_LINE_SIZE = 0xf00,
    REAL_ENTRY = 0x1000,
    PULSE_RESET = 0xfe,
    TIME_OUT = 170, /* seconds: a vCPU that halts without an interrupt does so for ever */
};

typedef struct {
    X86Board *board;
    EngineVcpu *engine;
    GThread *thread;
} Cpu;

struct X86Board {
    const EngineOps *ops;
    EngineVm *vm;
    unsigned n_cpus;
    Cpu cpus[X86_BOARD_MAX_CPUS];
    uint8_t *ram;
    GBytes *image;
    char *command_line;
    bool real;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t change;
    X86Io io;
    bool ended, resetting;
    X86BoardEnd end;
    unsigned status;
    const char *text;
    int leaving; /* atomic: vCPU threads are to end */
    unsigned exits;
};

X86Board *x86_board_new(unsigned n_cpus, const char *command_line, GError **error)
{
    const EngineVmConfig config = { .n_vcpus = n_cpus, .mmio_limit = UINT64_MAX };
    g_autoptr(X86Board) board = g_new0(X86Board, 1);

    pthread_mutex_init(&board->lock, NULL);
    pthread_cond_init(&board->change, NULL);
    board->ram =
        mmap(NULL, X86_BOARD_RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(board->ram != MAP_FAILED);
    board->command_line =
        g_strdup_printf("exit=0x%x ecam=0x%x bar=0x%x cpus=%u %s", X86_IO_DEBUG_EXIT, X86_IO_ECAM,
                        X86_IO_BAR, n_cpus, command_line);
    g_assert_cmpuint(strlen(board->command_line), <, COMMAND_LINE_SIZE);
    board->ops = engine_for("x86", error);
    board->vm = board->ops ? board->ops->vm_new(&config, error) : NULL;
    if (!board->vm ||
        !board->ops->vm_map(board->vm, 0, X86_BOARD_RAM, board->ram,
                            ENGINE_MAP_READ | ENGINE_MAP_WRITE | ENGINE_MAP_EXEC, error)) {
        return NULL;
    }
    board->io.ops = board->ops;
    board->io.vm = board->vm;
    for (unsigned i = 0; i < n_cpus; i++) {
        board->cpus[i].board = board;
        board->cpus[i].engine = board->ops->vcpu_new(board->vm, i, error);
        if (!board->cpus[i].engine) {
            return NULL;
        }
        board->n_cpus++;
    }
    return g_steal_pointer(&board);
}

void x86_board_free(X86Board *board)
{
    if (!board) {
        return;
    }
    for (unsigned i = 0; i < board->n_cpus; i++) {
        g_assert_null(board->cpus[i].thread);
        board->ops->vcpu_free(board->cpus[i].engine);
    }
    if (board->vm) {
        board->ops->vm_free(board->vm);
    }
    munmap(board->ram, X86_BOARD_RAM);
    g_clear_pointer(&board->image, g_bytes_unref);
    g_free(board->command_line);
    pthread_mutex_destroy(&board->lock);
    pthread_cond_destroy(&board->change);
    g_free(board);
}

uint8_t *x86_board_ram(X86Board *board)
{
    return board->ram;
}

EngineVm *x86_board_vm(X86Board *board)
{
    return board->vm;
}

EngineVcpu *x86_board_vcpu(X86Board *board, unsigned index)
{
    return board->cpus[index].engine;
}

void x86_board_set_output(X86Board *board, GString *text)
{
    board->io.output = text;
}

bool x86_board_load(X86Board *board, const char *file, GError **error)
{
    char *data;
    gsize size;

    if (!g_file_get_contents(file, &data, &size, error)) {
        return false;
    }
    board->image = g_bytes_new_take(data, size);
    g_assert_cmpuint(size, <, X86_BOARD_RAM - X86_BOARD_ENTRY);
    return true;
}

void x86_board_load_bytes(X86Board *board, const void *code, size_t size)
{
    g_clear_pointer(&board->image, g_bytes_unref);
    board->image = g_bytes_new(code, size);
}

/* ---- start ---- */

static void set_registers(X86Board *board)
{
    const EngineX86Segment flat_data = { 0x10, 0xc093, UINT32_MAX, 0 },
                           real_data = { 0, 0x93, UINT16_MAX, 0 },
                           data = board->real ? real_data : flat_data;
    EngineX86Regs regs = {
        .rflags = 2,
        .cr0 = board->real ? 0x10 : 0x11,
        .cs = board->real ? (EngineX86Segment){ 0, 0x9b, UINT16_MAX, 0 }
                          : (EngineX86Segment){ 0x08, 0xc09b, UINT32_MAX, 0 },
        .ss = data,
        .ds = data,
        .es = data,
        .fs = data,
        .gs = data,
        .ldt = { 0, 0x82, UINT16_MAX, 0 },
        .tr = { 0, 0x8b, 0x67, 0 },
        .idt_limit = UINT16_MAX,
    };

    regs.gprs[3] = START_INFO; /* RBX */
    g_assert_true(board->ops->vcpu_set_x86(board->cpus[0].engine, &regs));
    board->ops->vcpu_boot(board->cpus[0].engine, board->real ? REAL_ENTRY : X86_BOARD_ENTRY, 0);
}

/* PVH: struct hvm_start_info, version 1, with a command line and nothing else. */
static void load_memory(X86Board *board)
{
    const uint64_t info[7] = { UINT64_C(1) << 32 | 0x336ec578, 0, 0, COMMAND_LINE };
    gsize size;
    const void *code = g_bytes_get_data(board->image, &size);

    memcpy(board->ram + (board->real ? REAL_ENTRY : X86_BOARD_ENTRY), code, size);
    memcpy(board->ram + START_INFO, info, sizeof(info));
    strcpy((char *)board->ram + COMMAND_LINE, board->command_line);
}

/* ---- vCPUs ---- */

/* [locked] */
static void end(X86Board *board, X86BoardEnd how, unsigned status, const char *text)
{
    if (!board->ended) {
        board->ended = true;
        board->end = how;
        board->status = status;
        board->text = text;
    }
    pthread_cond_broadcast(&board->change);
}

/* [locked] */
static void serve_port(X86Board *board, EngineExit *exit)
{
    if (exit->is_write && exit->gpa == X86_IO_DEBUG_EXIT) {
        end(board, X86_BOARD_STATUS, (unsigned)exit->data, NULL);
    } else if (exit->is_write && exit->gpa == X86_IO_PM1) {
        end(board, X86_BOARD_OFF, 0, NULL);
    } else if (exit->is_write && exit->gpa == X86_IO_KEYBOARD && exit->data == PULSE_RESET) {
        board->resetting = true;
        pthread_cond_broadcast(&board->change);
    } else {
        x86_io_port(&board->io, exit);
    }
}

static bool interrupted(void *opaque)
{
    return g_atomic_int_get(&((X86Board *)opaque)->leaving);
}

static gpointer cpu_thread(gpointer data)
{
    Cpu *cpu = data;
    X86Board *board = cpu->board;
    const EngineRunHooks hooks = { interrupted, board, -1 };
    EngineExit exit = { 0 };

    while (!interrupted(board)) {
        board->ops->vcpu_run(cpu->engine, &exit, &hooks);
        pthread_mutex_lock(&board->lock);
        board->exits++;
        switch (exit.kind) {
        case ENGINE_EXIT_PIO:
            serve_port(board, &exit);
            break;
        case ENGINE_EXIT_MMIO:
            x86_io_mmio(&board->io, &exit);
            break;
        case ENGINE_EXIT_INTERRUPTED:
            break;
        case ENGINE_EXIT_TRIPLE_FAULT:
            end(board, X86_BOARD_TRIPLE_FAULT, 0, NULL);
            break;
        default:
            end(board, X86_BOARD_ERROR, 0, exit.text ? exit.text : "not a PC's exit");
            break;
        }
        pthread_mutex_unlock(&board->lock);
        if (exit.kind == ENGINE_EXIT_TRIPLE_FAULT || exit.kind == ENGINE_EXIT_ERROR) {
            break;
        }
    }
    return NULL;
}

static void start_threads(X86Board *board)
{
    load_memory(board);
    set_registers(board);
    g_atomic_int_set(&board->leaving, 0);
    for (unsigned i = 0; i < board->n_cpus; i++) {
        board->cpus[i].thread = g_thread_new("cpu", cpu_thread, &board->cpus[i]);
    }
}

static void stop_threads(X86Board *board)
{
    g_atomic_int_set(&board->leaving, 1);
    for (unsigned i = 0; i < board->n_cpus; i++) {
        board->ops->vcpu_kick(board->cpus[i].engine);
        g_thread_join(board->cpus[i].thread);
        board->cpus[i].thread = NULL;
    }
}

void x86_board_start(X86Board *board, bool real)
{
    board->real = real;
    x86_io_reset(&board->io);
    start_threads(board);
}

void x86_board_stop(X86Board *board)
{
    pthread_mutex_lock(&board->lock);
    end(board, X86_BOARD_STOPPED, 0, NULL);
    pthread_mutex_unlock(&board->lock);
}

/* [locked] What happens between two lives of the guest. */
static void reset(X86Board *board)
{
    g_autoptr(GError) error = NULL;

    pthread_mutex_unlock(&board->lock);
    stop_threads(board);
    board->ops->vm_reset(board->vm, &error);
    g_assert_no_error(error);
    x86_io_reset(&board->io);
    board->resetting = false;
    start_threads(board);
    pthread_mutex_lock(&board->lock);
}

X86BoardEnd x86_board_wait(X86Board *board)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TIME_OUT;
    pthread_mutex_lock(&board->lock);
    while (!board->ended) {
        if (board->resetting) {
            reset(board);
        } else if (pthread_cond_timedwait(&board->change, &board->lock, &until) == ETIMEDOUT) {
            end(board, X86_BOARD_TIME_OUT, 0, NULL);
        }
    }
    pthread_mutex_unlock(&board->lock);
    stop_threads(board);
    return board->end;
}

unsigned x86_board_status(X86Board *board)
{
    return board->status;
}

const char *x86_board_text(X86Board *board)
{
    return board->text;
}

unsigned x86_board_exits(X86Board *board)
{
    return board->exits;
}
