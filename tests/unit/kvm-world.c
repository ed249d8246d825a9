/* SPDX-License-Identifier: GPL-2.0-or-later
 * The machine of kvm-world.h.
 */
#include "kvm-world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/target.h"

static void see(World *w, bool write, uint64_t addr, unsigned size, uint64_t value)
{
    if (w->n_seen < MAX_SEEN) {
        w->seen[w->n_seen] = (Seen){ write, addr, size, value };
    }
    w->n_seen++;
    pthread_cond_broadcast(&w->changed);
}

static MemTxResult on_read(void *opaque, hwaddr offset, uint64_t *value, unsigned size)
{
    World *w = opaque;

    pthread_mutex_lock(&w->lock);
    *value = w->to_read;
    w->to_read += w->step;
    see(w, false, offset, size, 0);
    w->in_read++;
    pthread_cond_broadcast(&w->changed);
    if (w->reading != NULL) {
        pthread_mutex_unlock(&w->lock);
        w->reading(w);
        pthread_mutex_lock(&w->lock);
    }
    while (w->hold_reads) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    w->in_read--;
    pthread_mutex_unlock(&w->lock);
    return MEMTX_OK;
}

static MemTxResult on_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    World *w = opaque;

    pthread_mutex_lock(&w->lock);
    see(w, true, offset, size, value);
    pthread_mutex_unlock(&w->lock);
    if (w->written != NULL) {
        w->written(w);
    }
    return MEMTX_OK;
}

static MemTxResult on_tell(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    World *w = opaque;
    uint32_t word = value;

    pthread_mutex_lock(&w->lock);
    g_array_append_val(w->told, word);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return MEMTX_OK;
}

static MemTxResult on_ask(void *opaque, hwaddr offset, uint64_t *value, unsigned size)
{
    *value = 0;
    return MEMTX_OK;
}

static const MemoryRegionOps device_ops = {
    .read_with_result = on_read,
    .write_with_result = on_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 8, true },
    .impl = { 1, 8, true },
};

static const MemoryRegionOps tell_ops = {
    .read_with_result = on_ask,
    .write_with_result = on_tell,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { 1, 4, true },
    .impl = { 1, 4, true },
};

#if defined(__aarch64__)
static void init_arch(World *w)
{
    target_set(TARGET_AARCH64);
    memory_region_add_subregion(&w->root, TELL_BASE, &w->tell);
    w->boot.entry = CODE_ADDR;
}
#else
static void init_arch(World *w)
{
    static const AccelX86Segment code = { .attributes = 0x9b, .limit = 0xffff };
    static const AccelX86Segment flat = { .attributes = 0x93, .limit = 0xffff };

    target_set(TARGET_X86_64);
    memory_region_add_subregion(&w->io_root, PORT_TELL, &w->tell);
    w->x86 = (AccelX86State){ .rip = CODE_ADDR, .cr0 = 0x10, .cs = code, .data = flat };
    w->boot.x86 = &w->x86;
}
#endif

void world_init(World *w, gconstpointer data)
{
    static const SmallWorldMap map = {
        .ram = { RAM_BASE, RAM_SIZE, NULL },
        .device = { DEVICE_BASE, DEVICE_SIZE, &device_ops },
#if !defined(__aarch64__)
        .ports = { PORT_BASE, PORT_SIZE, &device_ops },
#endif
    };

    memset(w, 0, sizeof(*w));
    small_world_init(&w->small, &map);
    memory_region_init_io(&w->tell, NULL, &tell_ops, w, "tell", 4);
    init_arch(w);
    w->told = g_array_new(false, false, sizeof(uint32_t));
}

void world_clear(World *w, gconstpointer data)
{
    g_clear_object(&w->accel);
    memory_region_del_subregion(w->io != NULL ? &w->io_root : &w->root, &w->tell);
    memory_region_destroy(&w->tell);
    g_array_unref(w->told);
    small_world_clear(&w->small);
}

void world_setup(World *w, const char *text, unsigned n_vcpus)
{
    g_autofree char *whole = g_strconcat("kvm,device=/dev/kvm", text, NULL);
    const char *texts[] = { whole, NULL };
    AccelMachineInfo info = {
        .memory = w->as,
        .io = w->io,
        .n_vcpus = n_vcpus,
        .vm_name = "test-vm",
#if defined(__aarch64__)
        .gicd_base = GICD_BASE,
        .gicr_base = GICR_BASE,
#endif
    };
    GError *error = NULL;

    w->accel = accel_create(texts, &error);
    g_assert_no_error(error);
    accel_setup(w->accel, &info, &error);
    g_assert_no_error(error);
    small_world_listen(&w->small);
}

void world_load(World *w, const uint8_t *code, size_t size)
{
    g_assert_cmpint(address_space_write(w->as, CODE_ADDR, code, size), ==, MEMTX_OK);
}

void world_run(World *w, const uint8_t *code, size_t size)
{
    world_setup(w, "", 1);
    world_load(w, code, size);
    world_start(w);
}

static void assert_alive(World *w)
{
    if (w->n_events != 0) {
        g_error("the VM ended: %s", w->message);
    }
}

uint32_t world_hear(World *w)
{
    uint32_t word;

    pthread_mutex_lock(&w->lock);
    while (w->told->len == w->told_taken) {
        assert_alive(w);
        pthread_cond_wait(&w->changed, &w->lock);
    }
    word = g_array_index(w->told, uint32_t, w->told_taken++);
    pthread_mutex_unlock(&w->lock);
    return word;
}

Seen world_seen(World *w, unsigned i)
{
    Seen seen;

    pthread_mutex_lock(&w->lock);
    g_assert_cmpuint(i, <, MIN(w->n_seen, MAX_SEEN));
    seen = w->seen[i];
    pthread_mutex_unlock(&w->lock);
    return seen;
}

unsigned world_n_seen(World *w)
{
    unsigned n;

    pthread_mutex_lock(&w->lock);
    n = w->n_seen;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void world_assert_seen(World *w, unsigned i, bool write, uint64_t addr, unsigned size,
                       uint64_t value)
{
    Seen seen = world_seen(w, i);

    g_assert_cmpint(seen.write, ==, write);
    g_assert_cmphex(seen.addr, ==, addr);
    g_assert_cmpuint(seen.size, ==, size);
    g_assert_cmphex(seen.value, ==, value);
}

uint32_t world_ram32(World *w, uint64_t addr)
{
    return address_space_ldl_le(w->as, addr, NULL);
}

void world_set_ram32(World *w, uint64_t addr, uint32_t value)
{
    address_space_stl_le(w->as, addr, value, NULL);
}

static void skip(void)
{
    g_test_skip("no /dev/kvm, or one that does not answer");
}

/* User emulation shows the host's node, but passes none of its calls. */
static bool have_kvm(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    bool answers = fd >= 0 ? ioctl(fd, KVM_GET_API_VERSION, 0) >= 0 : errno != ENOENT;

    if (fd >= 0) {
        close(fd);
    }
    return answers;
}

void world_test(const char *path, void (*fn)(World *w, gconstpointer data))
{
    if (have_kvm()) {
        g_test_add(path, World, NULL, world_init, fn, world_clear);
    } else {
        g_test_add_func(path, skip);
    }
}
