/* SPDX-License-Identifier: GPL-2.0-or-later
 * See program.h. For qemu-aarch64 harness and program become one static ELF file whose standard
 * output is the results; for the engine they are put into RAM, with page tables beside them.
 */
#include "program.h"

#include "gen.h"
#include "layout.h"
#include "payload-vm.h"
#include "util/error.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SLOT_SIZE = 2048,
    CODE_OFFSET = 0x10000,
    STATE_OFFSET = CODE_OFFSET + PROGRAM_MAX * SLOT_SIZE,
    IMAGE_SIZE = STATE_OFFSET + PROGRAM_MAX * STATE_SIZE,
};

G_STATIC_ASSERT(GEN_MAX_WORDS * 4 <= SLOT_SIZE);
G_STATIC_ASSERT(PROGRAM_ENTRIES + PROGRAM_MAX * 16 <= CODE_OFFSET);
G_STATIC_ASSERT(PROGRAM + IMAGE_SIZE <= CONTEXT);
G_STATIC_ASSERT(RESULTS + PROGRAM_MAX * 2 * STATE_SIZE <= WINDOW);

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof(value));
}

Program *program_new(uint64_t first, unsigned step, unsigned count, unsigned n_groups)
{
    Program *program = g_new0(Program, 1);
    g_autofree Gen *gen = g_new(Gen, 1);

    g_assert(count <= PROGRAM_MAX);
    program->image = g_malloc0(IMAGE_SIZE);
    program->size = IMAGE_SIZE;
    program->count = count;
    put64(program->image + PROGRAM_COUNT, count);
    for (unsigned i = 0; i < count; i++) {
        uint64_t seed = first + (uint64_t)i * step;
        unsigned slot = seed / GEN_KINDS % PROGRAM_MAX;
        unsigned code = CODE_OFFSET + slot * SLOT_SIZE, state = STATE_OFFSET + slot * STATE_SIZE;

        gen_sequence(gen, seed, n_groups, PROGRAM + code);
        memcpy(program->image + code, gen->words, gen->n_words * 4);
        gen_state(program->image + state, seed, PROGRAM + code);
        put64(program->image + PROGRAM_ENTRIES + i * 16, PROGRAM + code);
        put64(program->image + PROGRAM_ENTRIES + i * 16 + 8, PROGRAM + state);
    }
    return program;
}

void program_free(Program *program)
{
    if (program != NULL) {
        g_free(program->image);
        g_free(program);
    }
}

static GByteArray *elf_file(const Program *program, const char *harness, gsize harness_size)
{
    enum { HEADERS = 4096 };
    gsize program_at = HEADERS + (harness_size + 4095) / 4096 * 4096;
    Elf64_Ehdr ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                     EV_CURRENT },
                        .e_type = ET_EXEC,
                        .e_machine = EM_AARCH64,
                        .e_version = EV_CURRENT,
                        .e_entry = HARNESS,
                        .e_phoff = sizeof(Elf64_Ehdr),
                        .e_ehsize = sizeof(Elf64_Ehdr),
                        .e_phentsize = sizeof(Elf64_Phdr),
                        .e_phnum = 3 };
    Elf64_Phdr phdrs[3] = {
        { .p_offset = HEADERS, .p_vaddr = HARNESS, .p_filesz = harness_size },
        { .p_offset = program_at, .p_vaddr = PROGRAM, .p_filesz = program->size },
        { .p_vaddr = CONTEXT, .p_memsz = WINDOW + 4096 - CONTEXT },
    };
    GByteArray *file = g_byte_array_new();

    for (unsigned i = 0; i < 3; i++) {
        phdrs[i].p_type = PT_LOAD;
        phdrs[i].p_flags = PF_R | PF_W | PF_X;
        phdrs[i].p_align = 4096;
        phdrs[i].p_paddr = phdrs[i].p_vaddr;
        phdrs[i].p_memsz = MAX(phdrs[i].p_memsz, phdrs[i].p_filesz);
    }
    g_byte_array_set_size(file, program_at + program->size);
    memset(file->data, 0, file->len);
    memcpy(file->data, &ehdr, sizeof(ehdr));
    memcpy(file->data + sizeof(ehdr), phdrs, sizeof(phdrs));
    memcpy(file->data + HEADERS, harness, harness_size);
    memcpy(file->data + program_at, program->image, program->size);
    put64(file->data + program_at + PROGRAM_ITERATIONS, 1);
    return file;
}

/* By hand, without GSubprocess: its worker thread's locks are opaque to the thread sanitizer. */
static bool run_into(const char *qemu, const char *path, const char *output, GError **error)
{
    char *argv[] = { (char *)qemu, (char *)"-cpu", (char *)"cortex-a57", (char *)path, NULL };
    posix_spawn_file_actions_t actions;
    int err, status;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    err = posix_spawnp(&pid, qemu, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (err != 0) {
        error_set_errno(error, err, "cannot run %s", qemu);
        return false;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            error_set_errno(error, errno, "cannot wait for %s", qemu);
            return false;
        }
    }
    return g_spawn_check_wait_status(status, error);
}

static uint8_t *run_elf(const char *qemu, const char *path, gsize expected, GError **error)
{
    g_autofree char *output = g_strconcat(path, ".out", NULL), *results = NULL;
    gsize size;

    if (run_into(qemu, path, output, error) &&
        g_file_get_contents(output, &results, &size, error) && size != expected) {
        g_clear_pointer(&results, g_free);
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "%s gave %zu bytes instead of %zu", qemu,
                    size, expected);
    }
    g_unlink(output);
    return (uint8_t *)g_steal_pointer(&results);
}

uint8_t *program_run_qemu(const Program *program, const char *qemu, const char *harness,
                          GError **error)
{
    g_autofree char *code = NULL, *path = NULL;
    g_autoptr(GByteArray) file = NULL;
    uint8_t *results = NULL;
    gsize size;
    int fd;

    if (!g_file_get_contents(harness, &code, &size, error)) {
        return NULL;
    }
    fd = g_file_open_tmp("humpy-random-XXXXXX", &path, error);
    if (fd < 0) {
        return NULL;
    }
    file = elf_file(program, code, size);
    if (fchmod(fd, 0700) != 0 || write(fd, file->data, file->len) != (ssize_t)file->len) {
        error_set_errno(error, errno, "cannot write %s", path);
        close(fd);
        g_unlink(path);
        return NULL;
    }
    close(fd);
    results = run_elf(qemu, path, (gsize)program->count * 2 * STATE_SIZE, error);
    g_unlink(path);
    return results;
}

/* Identity for RAM in 2 MiB blocks, and the debug ports. For EL0 everything is writable but the
 * harness, so that EL1 can still execute its vectors. */
static void build_tables(PayloadVm *vm, unsigned el)
{
    enum {
        VALID_BLOCK = 1,
        TABLE = 3,
        NORMAL = 1 << 2,
        USER = 1 << 6,
        RO = 1 << 7,
        INNER = 3 << 8,
        AF = 1 << 10
    };
    uint8_t *l1 = payload_vm_ram(vm, TABLES, 0x2000), *l2 = l1 + 0x1000;

    put64(l1, VALID_BLOCK | AF | UINT64_C(3) << 53);
    put64(l1 + 8, (TABLES + 0x1000) | TABLE);
    for (uint64_t gpa = PAYLOAD_RAM; gpa < PAYLOAD_RAM + PAYLOAD_RAM_SIZE; gpa += 0x200000) {
        uint64_t entry = gpa | VALID_BLOCK | NORMAL | INNER | AF;

        if (el == 0) {
            entry |= gpa == HARNESS ? USER | RO : USER;
        }
        put64(l2 + ((gpa - PAYLOAD_RAM) >> 21) * 8, entry);
    }
}

uint8_t *program_run_engine(const Program *program, const char *harness, unsigned el,
                            unsigned iterations, GError **error)
{
    g_autoptr(PayloadVm) vm = payload_vm_new("a64", 1, error);
    gsize size = (gsize)program->count * 2 * STATE_SIZE;
    PayloadResult result;
    uint8_t *image;

    if (vm == NULL || !payload_vm_load(vm, harness, HARNESS, error)) {
        return NULL;
    }
    image = payload_vm_ram(vm, PROGRAM, program->size);
    memcpy(image, program->image, program->size);
    put64(image + PROGRAM_ITERATIONS, iterations);
    put64(image + PROGRAM_EL, el);
    build_tables(vm, el);
    result = payload_vm_run(vm, HARNESS);
    if (result.end != PAYLOAD_END_STATUS || result.status != 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_HOST, "the engine ended with %d, status %u%s%s",
                    result.end, result.status, result.text != NULL ? ", " : "",
                    result.text != NULL ? result.text : "");
        return NULL;
    }
    return g_memdup2(payload_vm_ram(vm, RESULTS, size), size);
}
