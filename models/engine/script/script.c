/* SPDX-License-Identifier: GPL-2.0-or-later
 * The scripted engine behind EngineOps: no CPU, no interrupt controller, only the exits, sleeps
 * and RAM accesses a script lists. For protocol tests; see include/models/engine-script.h.
 */
#include "models/engine-script.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../engine-priv.h"
#include "parse.h"
#include "util/error.h"

enum { N_SPIS_MAX = 960 };

typedef struct {
    uint64_t gpa, size;
    uint8_t *host;
    unsigned flags;
} Map;

struct EngineVcpu {
    EngineVm *vm;
    unsigned index;
    guint pc; /* next step */
    bool powered;
    bool reading; /* the step before pc waits for its answer */
    int kicked;   /* atomic */
    int wake;     /* eventfd */
};

struct EngineVm {
    EngineVmConfig config;
    Script *script;
    pthread_mutex_t lock; /* maps, pending, powered */
    GArray *maps;
    bool pending[N_SPIS_MAX];
    EngineVcpu *vcpus[SCRIPT_MAX_VCPUS];
};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* script_text and log_text */
static char *script_text;
static bool script_text_set;
static GString *log_text;

static void G_GNUC_PRINTF(1, 2) log_event(const char *fmt, ...)
{
    va_list args;

    pthread_mutex_lock(&log_lock);
    if (!log_text) {
        log_text = g_string_new(NULL);
    }
    va_start(args, fmt);
    g_string_append_vprintf(log_text, fmt, args);
    va_end(args);
    g_string_append_c(log_text, '\n');
    pthread_mutex_unlock(&log_lock);
}

bool engine_script_set(const char *text, GError **error)
{
    g_autoptr(Script) script = script_parse(text, error);

    if (!script) {
        return false;
    }
    pthread_mutex_lock(&log_lock);
    g_free(script_text);
    script_text = g_strdup(text);
    script_text_set = true;
    pthread_mutex_unlock(&log_lock);
    return true;
}

char *engine_script_take_log(void)
{
    char *text;

    pthread_mutex_lock(&log_lock);
    text = log_text ? g_string_free(log_text, FALSE) : g_strdup("");
    log_text = NULL;
    pthread_mutex_unlock(&log_lock);
    return text;
}

static EngineVm *script_vm_new(const EngineVmConfig *config, GError **error)
{
    g_autofree char *text = NULL;
    Script *script;
    EngineVm *vm;

    pthread_mutex_lock(&log_lock);
    text = g_strdup(script_text_set ? script_text : g_getenv("HUMPY_ENGINE_SCRIPT"));
    pthread_mutex_unlock(&log_lock);
    script = script_parse(text, error);
    if (!script) {
        return NULL;
    }
    vm = g_new0(EngineVm, 1);
    vm->config = *config;
    vm->script = script;
    vm->maps = g_array_new(FALSE, TRUE, sizeof(Map));
    pthread_mutex_init(&vm->lock, NULL);
    return vm;
}

static void script_vm_free(EngineVm *vm)
{
    if (!vm) {
        return;
    }
    script_free(vm->script);
    g_array_unref(vm->maps);
    pthread_mutex_destroy(&vm->lock);
    g_free(vm);
}

static bool script_vm_map(EngineVm *vm, uint64_t gpa, uint64_t size, void *host, unsigned flags,
                          GError **error)
{
    Map map = { gpa, size, host, flags };

    pthread_mutex_lock(&vm->lock);
    g_array_append_val(vm->maps, map);
    pthread_mutex_unlock(&vm->lock);
    log_event("map 0x%" PRIx64 "+0x%" PRIx64 " %c%c%c", gpa, size,
              flags & ENGINE_MAP_READ ? 'r' : '-', flags & ENGINE_MAP_WRITE ? 'w' : '-',
              flags & ENGINE_MAP_EXEC ? 'x' : '-');
    return true;
}

static bool script_vm_unmap(EngineVm *vm, uint64_t gpa, uint64_t size, GError **error)
{
    bool found = false;

    pthread_mutex_lock(&vm->lock);
    for (guint i = 0; i < vm->maps->len && !found; i++) {
        const Map *map = &g_array_index(vm->maps, Map, i);

        if (map->gpa == gpa && map->size == size) {
            g_array_remove_index_fast(vm->maps, i);
            found = true;
        }
    }
    pthread_mutex_unlock(&vm->lock);
    if (!found) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN, "no mapping at 0x%" PRIx64, gpa);
        return false;
    }
    log_event("unmap 0x%" PRIx64 "+0x%" PRIx64, gpa, size);
    return true;
}

static void wake(EngineVcpu *vcpu)
{
    const uint64_t one = 1;

    /* Only a full counter could fail, and then the sleeper is awake anyway. */
    if (vcpu && write(vcpu->wake, &one, sizeof(one)) < 0) {
        return;
    }
}

static void script_vm_pend_spi(EngineVm *vm, unsigned spi)
{
    if (spi >= vm->config.n_spis || spi >= N_SPIS_MAX) {
        return;
    }
    pthread_mutex_lock(&vm->lock);
    vm->pending[spi] = true;
    pthread_mutex_unlock(&vm->lock);
    for (unsigned i = 0; i < SCRIPT_MAX_VCPUS; i++) {
        wake(vm->vcpus[i]);
    }
}

/* An edge is what a sleeper notices. */
static void script_vm_set_line(EngineVm *vm, unsigned gsi, bool level)
{
    log_event("line %u %s", gsi, level ? "high" : "low");
    if (level) {
        script_vm_pend_spi(vm, gsi);
    }
}

static void script_vm_msi(EngineVm *vm, uint64_t addr, uint32_t data)
{
    log_event("msi 0x%" PRIx64 " 0x%x", addr, data);
    script_vm_pend_spi(vm, data & 0xff);
}

static EngineVcpu *script_vcpu_new(EngineVm *vm, unsigned index, GError **error)
{
    EngineVcpu *vcpu;
    int fd;

    if (index >= SCRIPT_MAX_VCPUS || vm->vcpus[index]) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "vCPU %u cannot be made", index);
        return NULL;
    }
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        error_set_errno(error, errno, "eventfd for vCPU %u", index);
        return NULL;
    }
    vcpu = g_new0(EngineVcpu, 1);
    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->wake = fd;
    vm->vcpus[index] = vcpu;
    return vcpu;
}

static void script_vcpu_free(EngineVcpu *vcpu)
{
    if (!vcpu) {
        return;
    }
    vcpu->vm->vcpus[vcpu->index] = NULL;
    close(vcpu->wake);
    g_free(vcpu);
}

static void power_on(EngineVcpu *vcpu)
{
    pthread_mutex_lock(&vcpu->vm->lock);
    vcpu->powered = true;
    pthread_mutex_unlock(&vcpu->vm->lock);
    wake(vcpu);
}

static void script_vcpu_boot(EngineVcpu *vcpu, uint64_t pc, uint64_t x0)
{
    log_event("boot %u pc=0x%" PRIx64 " x0=0x%" PRIx64, vcpu->index, pc, x0);
    power_on(vcpu);
}

static bool script_vcpu_set_reg(EngineVcpu *vcpu, unsigned reg, uint64_t value)
{
    if (reg > 32) {
        return false;
    }
    log_event("set %u reg%u=0x%" PRIx64, vcpu->index, reg, value);
    return true;
}

/* TRUE if the sleep ended for a reason of the guest's, FALSE to leave with INTERRUPTED. */
static bool sleep_until(EngineVcpu *vcpu, bool (*ready)(EngineVcpu *vcpu),
                        const EngineRunHooks *hooks)
{
    for (;;) {
        struct pollfd fds[2] = { { vcpu->wake, POLLIN, 0 }, { hooks->wake_fd, POLLIN, 0 } };
        uint64_t count;

        if (g_atomic_int_compare_and_exchange(&vcpu->kicked, true, false) ||
            hooks->interrupted(hooks->opaque)) {
            return false;
        }
        if (ready && ready(vcpu)) {
            return true;
        }
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return false;
        }
        if (fds[0].revents && read(vcpu->wake, &count, sizeof(count)) < 0) {
            continue;
        }
    }
}

static bool is_powered(EngineVcpu *vcpu)
{
    bool powered;

    pthread_mutex_lock(&vcpu->vm->lock);
    powered = vcpu->powered;
    pthread_mutex_unlock(&vcpu->vm->lock);
    return powered;
}

/* Acknowledges and logs what is pending. */
static bool take_interrupts(EngineVcpu *vcpu)
{
    g_autoptr(GString) line = g_string_new(NULL);

    pthread_mutex_lock(&vcpu->vm->lock);
    for (unsigned spi = 0; spi < N_SPIS_MAX; spi++) {
        if (vcpu->vm->pending[spi]) {
            vcpu->vm->pending[spi] = false;
            g_string_append_printf(line, " %u", spi);
        }
    }
    pthread_mutex_unlock(&vcpu->vm->lock);
    if (!line->len) {
        return false;
    }
    log_event("%u irq%s", vcpu->index, line->str);
    return true;
}

/* The RAM behind [gpa, gpa + len), or NULL. */
static uint8_t *find_ram(EngineVm *vm, uint64_t gpa, unsigned len)
{
    uint8_t *host = NULL;

    pthread_mutex_lock(&vm->lock);
    for (guint i = 0; i < vm->maps->len && !host; i++) {
        const Map *map = &g_array_index(vm->maps, Map, i);

        if (gpa >= map->gpa && len <= map->size && gpa - map->gpa <= map->size - len) {
            host = map->host + (gpa - map->gpa);
        }
    }
    pthread_mutex_unlock(&vm->lock);
    return host;
}

static void log_read(EngineVcpu *vcpu, const Step *step, uint64_t value)
{
    uint64_t mask = step->len == 8 ? UINT64_MAX : (1ULL << (8 * step->len)) - 1;

    log_event("%u %c%u 0x%" PRIx64 " = 0x%" PRIx64, vcpu->index, step->port ? 'i' : 'r', step->len,
              step->addr, value & mask);
}

/* TRUE if the access is an exit. */
static bool do_access(EngineVcpu *vcpu, const Step *step, EngineExit *exit)
{
    uint8_t *host = step->port ? NULL : find_ram(vcpu->vm, step->addr, step->len);
    uint64_t value = 0;

    if (step->kind == STEP_WRITE) {
        log_event("%u %c%u 0x%" PRIx64 " 0x%" PRIx64, vcpu->index, step->port ? 'o' : 'w',
                  step->len, step->addr, step->data);
    }
    if (host && step->kind == STEP_WRITE) {
        memcpy(host, &step->data, step->len);
        return false;
    }
    if (host) {
        memcpy(&value, host, step->len);
        log_read(vcpu, step, value);
        return false;
    }
    if (!step->port && step->addr >= vcpu->vm->config.mmio_limit) {
        log_event("%u abort 0x%" PRIx64, vcpu->index, step->addr);
        return false;
    }
    *exit = (EngineExit){ .kind = step->port ? ENGINE_EXIT_PIO : ENGINE_EXIT_MMIO,
                          .gpa = step->addr,
                          .data = step->kind == STEP_WRITE ? step->data : 0,
                          .len = step->len,
                          .is_write = step->kind == STEP_WRITE };
    vcpu->reading = step->kind == STEP_READ;
    return true;
}

/* TRUE if the step left an exit behind. */
static bool do_step(EngineVcpu *vcpu, const Step *step, EngineExit *exit,
                    const EngineRunHooks *hooks)
{
    bool (*ready)(EngineVcpu *) = step->kind == STEP_WFI ? take_interrupts : NULL;

    switch (step->kind) {
    case STEP_WRITE:
    case STEP_READ:
        vcpu->pc++;
        return do_access(vcpu, step, exit);
    case STEP_WFI:
    case STEP_SPIN: /* no host time burnt: nobody can tell the difference */
        exit->kind = ENGINE_EXIT_INTERRUPTED;
        if (!sleep_until(vcpu, ready, hooks)) {
            return true;
        }
        vcpu->pc++;
        return false;
    case STEP_ON:
        vcpu->pc++;
        if (vcpu->vm->vcpus[step->addr]) {
            power_on(vcpu->vm->vcpus[step->addr]);
        }
        return false;
    case STEP_OFF:
        exit->kind = ENGINE_EXIT_SYSTEM_OFF;
        return true;
    case STEP_RESET:
        exit->kind = ENGINE_EXIT_SYSTEM_RESET;
        return true;
    case STEP_RESET2:
        exit->kind = ENGINE_EXIT_SYSTEM_RESET2;
        return true;
    case STEP_ERROR:
        *exit = (EngineExit){ .kind = ENGINE_EXIT_ERROR, .text = "the script says so" };
        return true;
    case STEP_LOOP:
        vcpu->pc = 0;
        exit->kind = ENGINE_EXIT_INTERRUPTED;
        return hooks->interrupted(hooks->opaque);
    }
    return false;
}

static void script_vcpu_run(EngineVcpu *vcpu, EngineExit *exit, const EngineRunHooks *hooks)
{
    const GArray *steps = vcpu->vm->script->steps[vcpu->index];

    if (exit->fault) {
        log_event("%u fault 0x%" PRIx64, vcpu->index, exit->gpa);
        exit->fault = false;
        vcpu->reading = false;
    }
    if (vcpu->reading) {
        log_read(vcpu, &g_array_index(steps, Step, vcpu->pc - 1), exit->data);
        vcpu->reading = false;
    }
    for (;;) {
        exit->kind = ENGINE_EXIT_INTERRUPTED;
        if (g_atomic_int_compare_and_exchange(&vcpu->kicked, true, false)) {
            return;
        }
        if (!is_powered(vcpu)) {
            if (!sleep_until(vcpu, is_powered, hooks)) {
                return;
            }
        } else if (vcpu->pc == steps->len) {
            if (!sleep_until(vcpu, NULL, hooks)) {
                return;
            }
        } else if (do_step(vcpu, &g_array_index(steps, Step, vcpu->pc), exit, hooks)) {
            return;
        }
    }
}

static void script_vcpu_kick(EngineVcpu *vcpu)
{
    g_atomic_int_set(&vcpu->kicked, true);
    wake(vcpu);
}

const EngineOps engine_script_ops = {
    .name = "script",
    .vm_new = script_vm_new,
    .vm_free = script_vm_free,
    .vm_map = script_vm_map,
    .vm_unmap = script_vm_unmap,
    .vm_pend_spi = script_vm_pend_spi,
    .vm_set_line = script_vm_set_line,
    .vm_msi = script_vm_msi,
    .vcpu_new = script_vcpu_new,
    .vcpu_free = script_vcpu_free,
    .vcpu_boot = script_vcpu_boot,
    .vcpu_set_reg = script_vcpu_set_reg,
    .vcpu_run = script_vcpu_run,
    .vcpu_kick = script_vcpu_kick,
};
