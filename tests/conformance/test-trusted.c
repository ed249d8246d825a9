/* SPDX-License-Identifier: GPL-2.0-or-later
 * SET_AUTH_TYPE and Qualcomm's trusted VMs on the Android 15 and 16 family: what the driver and its
 * manager say, and which images the resource manager of the model starts. The images are built
 * here, by the documented format.
 */
#include <elf.h>
#include <string.h>

#include "gunyah.h"

#define REV     "rev=android15,trusted-vm="
#define CHECK   REV "check"
#define ACCEPT  REV "accept"
#define VM_ID   45
#define PAS_ID  28
#define LINK_AT 0x40000000ULL /* where the image's addresses begin */
#define CODE_AT 0x4000
#define ENTRY   (CODE_AT + 0x40)

enum { N_SEGMENTS = 3, HEAD, HASHES = 1, CODE, HASHES_AT = 4096, CODE_SIZE = 0x300 };

/* ---- images ---- */

typedef struct {
    unsigned version; /* of the hash segment's header */
    bool narrow;      /* ELF32 */
    GChecksumType sum;
    uint64_t entry;
    bool no_hashes; /* no segment is the one */
    bool no_head;   /* the header has no segment */
} Image;

static const Image plain = { 3, false, G_CHECKSUM_SHA256, ENTRY, false, false };

static void put_segment_32(uint8_t *at, unsigned i, uint32_t flags, uint64_t offset, uint64_t size)
{
    const Elf32_Phdr p = { .p_type = i == 2 ? PT_LOAD : PT_NULL,
                           .p_offset = offset,
                           .p_paddr = LINK_AT + offset,
                           .p_filesz = size,
                           .p_memsz = size,
                           .p_flags = flags << 24 };

    memcpy(at + sizeof(Elf32_Ehdr) + i * sizeof(p), &p, sizeof(p));
}

static void put_segment_64(uint8_t *at, unsigned i, uint32_t flags, uint64_t offset, uint64_t size)
{
    const Elf64_Phdr p = { .p_type = i == 2 ? PT_LOAD : PT_NULL,
                           .p_offset = offset,
                           .p_paddr = LINK_AT + offset,
                           .p_filesz = size,
                           .p_memsz = size,
                           .p_flags = flags << 24 };

    memcpy(at + sizeof(Elf64_Ehdr) + i * sizeof(p), &p, sizeof(p));
}

static size_t put_head(uint8_t *at, const Image *image)
{
    const Elf32_Ehdr narrow = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
                                             ELFDATA2LSB },
                                .e_entry = LINK_AT + image->entry,
                                .e_phoff = sizeof(narrow),
                                .e_phentsize = sizeof(Elf32_Phdr),
                                .e_phnum = N_SEGMENTS };
    const Elf64_Ehdr wide = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
                                           ELFDATA2LSB },
                              .e_entry = LINK_AT + image->entry,
                              .e_phoff = sizeof(wide),
                              .e_phentsize = sizeof(Elf64_Phdr),
                              .e_phnum = N_SEGMENTS };

    memcpy(at, image->narrow ? (const void *)&narrow : &wide,
           image->narrow ? sizeof(narrow) : sizeof(wide));
    return image->narrow ? sizeof(narrow) + N_SEGMENTS * sizeof(Elf32_Phdr)
                         : sizeof(wide) + N_SEGMENTS * sizeof(Elf64_Phdr);
}

/* Where the table begins in the hash segment: behind header and metadata of that version. */
static size_t put_hash_head(uint8_t *at, unsigned version, uint32_t table_size)
{
    uint32_t words[12] = { 0, version, 0, 0, 0, table_size };

    if (version == 6) {
        words[10] = 120;
        words[11] = 64;
    } else if (version == 7) {
        words[2] = 24;
        words[4] = 224;
    }
    memcpy(at, words, version == 6 ? 48 : 40);
    return version == 6 ? 48 + 184 : version == 7 ? 40 + 248 : 40;
}

static void put_hash(uint8_t *at, const void *bytes, size_t n, GChecksumType kind)
{
    g_autoptr(GChecksum) sum = g_checksum_new(kind);
    gsize len = (gsize)g_checksum_type_get_length(kind);

    g_checksum_update(sum, bytes, (gssize)n);
    g_checksum_get_digest(sum, at, &len);
}

static void put_image(uint8_t *at, const Image *image)
{
    void (*put)(uint8_t *, unsigned, uint32_t, uint64_t, uint64_t) =
        image->narrow ? put_segment_32 : put_segment_64;
    const size_t len = (size_t)g_checksum_type_get_length(image->sum);
    size_t head, table;

    memset(at, 0, CODE_AT);
    memset(at + CODE_AT, 0x5a, CODE_SIZE);
    head = put_head(at, image);
    put(at, 0, 7, 0, image->no_head ? 0 : head);
    put(at, 1, image->no_hashes ? 0 : 2, HASHES_AT, 1024);
    put(at, 2, 0, CODE_AT, CODE_SIZE);
    table = put_hash_head(at + HASHES_AT, image->version, (uint32_t)(N_SEGMENTS * len));
    put_hash(at + HASHES_AT + table, at, head, image->sum);
    put_hash(at + HASHES_AT + table + 2 * len, at + CODE_AT, CODE_SIZE, image->sum);
}

/* ---- VMs ---- */

static int set_auth(Vm *vm, uint32_t type, const void *arg, uint32_t size)
{
    const struct gh_auth_desc desc = { .type = type, .arg_size = size, .arg = (uintptr_t)arg };

    return vm_call(vm, GH_VM_ANDROID_SET_AUTH_TYPE, &desc);
}

static int set_trusted(Vm *vm, uint16_t vm_id, uint64_t gpa, uint64_t size)
{
    const struct gh_qtvm_auth_arg arg = {
        .vm_id = vm_id, .pas_id = PAS_ID, .guest_phys_addr = gpa, .size = size
    };

    return set_auth(vm, GH_AUTH_QCOM_TRUSTED_VM, &arg, sizeof(arg));
}

/* All but START; the whole of RAM is the image's range. */
static Vm *trusted_vm(const char *knobs, const Image *image, bool lend)
{
    Vm *vm = vm_new(knobs);

    prepare(vm, &(DtSpec){ .n_cpus = 1 }, lend);
    put_image(vm->ram, image);
    assert_ok(set_trusted(vm, VM_ID, RAM_GPA, RAM_SIZE));
    return vm;
}

/* ---- the call ---- */

static void test_other_revisions(void)
{
    static const char *const revisions[] = { "rev=android14,trusted-vm=check",
                                             "rev=v17,trusted-vm=check" };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(revisions); i++) {
        g_autoptr(Vm) vm = vm_new(revisions[i]);

        assert_errno(vm_call(vm, GH_VM_ANDROID_SET_AUTH_TYPE, NULL), ENOTTY);
        assert_errno(set_trusted(vm, VM_ID, RAM_GPA, RAM_SIZE), ENOTTY);
    }
}

static void test_no_manager(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new("rev=android15");
    assert_errno(vm_call(vm, GH_VM_ANDROID_SET_AUTH_TYPE, NULL), EFAULT);
    assert_errno(set_trusted(vm, VM_ID, RAM_GPA, RAM_SIZE), ENOENT);
    assert_errno(set_auth(vm, GH_AUTH_QCOM_TRUSTED_VM, NULL, 9999), ENOENT);
}

static void test_other_types(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(CHECK);
    assert_errno(set_auth(vm, GH_AUTH_ANDROID_PVM, NULL, 0), ENOENT);
    assert_errno(set_auth(vm, 2, NULL, 0), ENOENT);
    assert_errno(set_auth(vm, UINT32_MAX, NULL, 0), ENOENT);
}

static void test_argument(void)
{
    const struct gh_qtvm_auth_arg arg = { .vm_id = VM_ID };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(CHECK);
    assert_errno(set_auth(vm, GH_AUTH_QCOM_TRUSTED_VM, NULL, sizeof(arg) + 1), EINVAL);
    assert_errno(set_auth(vm, GH_AUTH_QCOM_TRUSTED_VM, NULL, sizeof(arg)), EFAULT);
    assert_errno(set_trusted(vm, VM_ID, UINT64_MAX, 2), EOVERFLOW);
    assert_ok(set_trusted(vm, VM_ID, UINT64_MAX - 1, 1));
    assert_ok(set_auth(vm, GH_AUTH_QCOM_TRUSTED_VM, &arg, 2)); /* less of it is taken */
    assert_ok(set_auth(vm, GH_AUTH_QCOM_TRUSTED_VM, NULL, 0));
}

static void test_last_counts(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(ACCEPT);
    prepare(vm, &(DtSpec){ .n_cpus = 1 }, true);
    assert_ok(set_trusted(vm, VM_ID, 0x1000, 0x1000));
    assert_ok(set_trusted(vm, VM_ID, RAM_GPA, RAM_SIZE));
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_ok(set_trusted(vm, VM_ID, 0x1000, 0x1000)); /* to no effect */
}

/* The driver's first versions do what they are told and answer EINVAL nevertheless. */
static void test_einval(void)
{
    const Image image = plain;
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = vm_new(CHECK ",auth-einval=on");
    prepare(vm, &(DtSpec){ .n_cpus = 1 }, true);
    put_image(vm->ram, &image);
    assert_errno(set_trusted(vm, VM_ID, RAM_GPA, RAM_SIZE), EINVAL);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_guest_saw("boot 0 pc=0x80004040 x0=0x80100000");
}

/* ---- START: the driver's part ---- */

/* START answers with what comes of a driver that forgets the error; nothing has begun. */
static void test_dtb_behind(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(CHECK, &plain, true);
    assert_ok(set_trusted(vm, VM_ID, RAM_GPA, DTB_GPA - RAM_GPA + 4096));
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
    assert_dmesg_has("DTB is outside the image parcel");
    assert_ok(set_trusted(vm, VM_ID, RAM_GPA, DTB_GPA - RAM_GPA + DTB_ROOM));
    assert_ok(vm_call(vm, GH_VM_START, NULL));
}

static void check_range(uint64_t gpa, uint64_t size, int expected, const char *said)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(ACCEPT, &plain, true);
    assert_ok(set_trusted(vm, VM_ID, gpa, size));
    assert_errno(vm_call(vm, GH_VM_START, NULL), expected);
    assert_dmesg_has(said);
    assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV); /* for good */
}

static void test_dtb_before(void)
{
    check_range(RAM_GPA + 0x200000, 0x100000, EINVAL, "Failed to configure VM: -22");
}

static void test_no_region(void)
{
    check_range(RAM_GPA + 0x1000000, 0x1000000, ENOENT,
                "Failed to allocate parcel for the config image: -2");
}

static void test_beyond_region(void)
{
    check_range(RAM_GPA, RAM_SIZE + 4096, EFAULT,
                "Failed to allocate parcel for the config image: -14");
}

static void test_short(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(ACCEPT, &plain, true);
    write_dtb((uint8_t *)vm->ram + 0, &(DtSpec){ .n_cpus = 1 });
    assert_ok(set_dtb(vm, RAM_GPA, 4096));
    assert_ok(set_trusted(vm, VM_ID, RAM_GPA, 4096));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
    assert_dmesg_has("Failed to configure VM");
}

/* ---- START: the resource manager's part ---- */

static void test_vm_ids(void)
{
    static const uint16_t refused[] = { 3, 64, 128, 0xffff };

    if (model_only()) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(Vm) vm = trusted_vm(ACCEPT, &plain, true);

        assert_ok(set_trusted(vm, refused[i], RAM_GPA, RAM_SIZE));
        assert_errno(vm_call(vm, GH_VM_START, NULL), ENODEV);
        assert_dmesg_has("Failed to allocate VMID");
        assert_ok(set_trusted(vm, 0, RAM_GPA, RAM_SIZE)); /* any */
        assert_ok(vm_call(vm, GH_VM_START, NULL));
    }
}

static void test_vm_id_is_one_vms(void)
{
    g_autoptr(Vm) first = NULL;
    g_autoptr(Vm) second = NULL;

    if (model_only()) {
        return;
    }
    first = trusted_vm(ACCEPT, &plain, true);
    assert_ok(vm_call(first, GH_VM_START, NULL));
    second = trusted_vm(ACCEPT, &plain, true);
    assert_errno(vm_call(second, GH_VM_START, NULL), ENODEV);
    g_clear_pointer(&first, vm_free);
    assert_ok(vm_call(second, GH_VM_START, NULL));
}

static void test_shared(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(CHECK, &plain, false);
    assert_errno(vm_call(vm, GH_VM_START, NULL), EPERM);
    assert_dmesg_has("the image of a trusted VM must be lent");
}

static void test_firmware(void)
{
    const struct gh_vm_firmware_config fw = { .guest_phys_addr = RAM_GPA, .size = 4096 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(CHECK ",pvmfw=on", &plain, true);
    assert_ok(vm_call(vm, GH_VM_ANDROID_SET_FW_CONFIG, &fw));
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
    assert_dmesg_has("Failed to configure firmware");
}

static void check_codes(unsigned code, int expected)
{
    g_autofree char *knobs = g_strdup_printf(CHECK ",fail=authenticate:%u", code);
    g_autofree char *said = g_strdup_printf("Failed to Authenticate VM: %d", -expected);
    g_autoptr(Vm) vm = trusted_vm(knobs, &plain, true);

    assert_errno(vm_call(vm, GH_VM_START, NULL), expected);
    assert_dmesg_has(said);
}

static void test_codes(void)
{
    if (model_only()) {
        return;
    }
    check_codes(1, ENOMEM);
    check_codes(2, ENODEV);
    check_codes(3, EPERM);
    check_codes(5, EBUSY);
    check_codes(8, EINVAL);
    check_codes(0x12, EBADMSG);
    check_codes(UINT32_MAX, EOPNOTSUPP);
}

/* Where the image says, or at its first byte; the boot context is not asked. */
static void check_entry(const char *knobs, const Image *image, const char *booted)
{
    const struct gh_vm_boot_context pc = { .reg = GH_BOOT_CONTEXT_REG(GH_BOOT_CONTEXT_SET_PC, 0),
                                           .value = RAM_GPA + 0x123000 };
    const struct gh_vm_boot_context x3 = { .reg = GH_BOOT_CONTEXT_REG(GH_BOOT_CONTEXT_SET_X, 3),
                                           .value = 42 };
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(knobs, image, true);
    assert_ok(vm_call(vm, GH_VM_SET_BOOT_CONTEXT, &pc));
    assert_ok(vm_call(vm, GH_VM_SET_BOOT_CONTEXT, &x3));
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    assert_guest_saw(booted);
    g_assert_false(guest_saw("set 0 reg3=0x2a"));
}

static void test_accepted(void)
{
    check_entry(ACCEPT, &plain, "boot 0 pc=0x80000000 x0=0x80100000");
}

static void test_checked(void)
{
    check_entry(CHECK, &plain, "boot 0 pc=0x80004040 x0=0x80100000");
}

static void test_formats(void)
{
    static const unsigned versions[] = { 3, 5, 6, 7 };

    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(versions); i++) {
        const Image image = { .version = versions[i / 2],
                              .narrow = i % 2,
                              .sum = i / 2 < 2 ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA384,
                              .entry = ENTRY };

        check_entry(CHECK, &image, "boot 0 pc=0x80004040 x0=0x80100000");
    }
}

/* Spoils one byte of a good image; -1: none. */
static void check_refused(const Image *image, int at, const char *said)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(CHECK, image, true);
    if (at >= 0) {
        ((uint8_t *)vm->ram)[at] ^= 0x10;
    }
    assert_errno(vm_call(vm, GH_VM_START, NULL), EINVAL);
    assert_dmesg_has("Failed to Authenticate VM: -22");
    assert_dmesg_has(said);
}

static void test_refused(void)
{
    const Image no_hashes = { 3, false, G_CHECKSUM_SHA256, ENTRY, true, false };
    const Image no_head = { 3, false, G_CHECKSUM_SHA256, ENTRY, false, true };
    const Image nowhere = { 3, false, G_CHECKSUM_SHA256, 0, false, false };
    const Image odd = { 4, false, G_CHECKSUM_SHA256, ENTRY, false, false };
    const Image md5 = { 3, false, G_CHECKSUM_MD5, ENTRY, false, false };

    check_refused(&plain, 0, "does not begin with a little-endian ELF header");
    check_refused(&plain, EI_DATA, "does not begin with a little-endian ELF header");
    check_refused(&plain, offsetof(Elf64_Ehdr, e_phentsize), "its program headers are not in");
    check_refused(&plain, offsetof(Elf64_Ehdr, e_phoff) + 3, "its program headers are not in");
    check_refused(&plain, offsetof(Elf64_Ehdr, e_entry), "segment 0 has another hash");
    check_refused(&plain, CODE_AT, "segment 2 has another hash");
    check_refused(&plain, CODE_AT + CODE_SIZE - 1, "segment 2 has another hash");
    check_refused(&plain,
                  sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_offset) + 7,
                  "segment 2 is not inside it");
    check_refused(&plain, HASHES_AT + 4 * 5 + 1, "table of hashes is not inside");
    check_refused(&plain, HASHES_AT + 4 * 5, "table of hashes has");
    check_refused(&no_hashes, -1, "it has no hash segment");
    check_refused(&no_head, -1, "no segment holds its ELF header");
    check_refused(&nowhere, -1, "its entry is in none of its segments");
    check_refused(&odd, -1, "of version 4");
    check_refused(&md5, -1, "table of hashes has");
}

/* Metadata is from anywhere: whatever it says, START has an errno or a VM. */
static void test_damaged(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());

    if (model_only()) {
        return;
    }
    for (unsigned round = 0; round < 300; round++) {
        const Image image = { .version = (unsigned)g_rand_int_range(rand, 3, 8),
                              .narrow = g_rand_boolean(rand),
                              .sum = g_rand_boolean(rand) ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA384,
                              .entry = ENTRY };
        g_autoptr(Vm) vm = trusted_vm(CHECK, &image, true);
        uint8_t *bytes = vm->ram;

        for (int n = g_rand_int_range(rand, 1, 6); n > 0; n--) {
            const bool head = g_rand_boolean(rand);
            const int at = head ? g_rand_int_range(rand, 0, 64 + N_SEGMENTS * 56)
                                : HASHES_AT + g_rand_int_range(rand, 0, 48);

            bytes[at] = (uint8_t)g_rand_int(rand);
        }
        if (vm_call(vm, GH_VM_START, NULL) < 0) {
            g_assert_cmpstr(g_strerror(errno), ==, g_strerror(EINVAL));
        }
    }
}

/* ---- the end ---- */

static void test_wiped(void)
{
    g_autoptr(Vm) vm = NULL;

    if (model_only()) {
        return;
    }
    vm = trusted_vm(CHECK, &plain, true);
    assert_ok(vm_call(vm, GH_VM_START, NULL));
    vm_close(&vm->vm);
    gunyah_model_settle();
    g_assert_cmphex(*((uint8_t *)vm->ram + CODE_AT), ==, 0);
}

void add_trusted_tests(void)
{
    g_test_add_func("/android14/auth/set-auth-type-is-enotty", test_other_revisions);
    g_test_add_func("/android15/auth/without-manager-is-enoent", test_no_manager);
    g_test_add_func("/android15/auth/other-types-are-enoent", test_other_types);
    g_test_add_func("/android15/auth/einval-efault-eoverflow-in-order", test_argument);
    g_test_add_func("/android15/auth/last-call-counts", test_last_counts);
    g_test_add_func("/android15/auth/first-versions-obey-and-say-einval", test_einval);
    g_test_add_func("/android15/trusted/dtb-behind-the-image-is-enodev", test_dtb_behind);
    g_test_add_func("/android15/trusted/dtb-before-the-image-is-einval", test_dtb_before);
    g_test_add_func("/android15/trusted/image-without-region-is-enoent", test_no_region);
    g_test_add_func("/android15/trusted/image-beyond-region-is-efault", test_beyond_region);
    g_test_add_func("/android15/trusted/image-without-metadata-is-einval", test_short);
    g_test_add_func("/android15/trusted/vm-id-that-is-not-there-is-enodev", test_vm_ids);
    g_test_add_func("/android15/trusted/vm-id-is-one-vms", test_vm_id_is_one_vms);
    g_test_add_func("/android15/trusted/shared-image-is-eperm", test_shared);
    g_test_add_func("/android15/trusted/firmware-with-it-is-einval", test_firmware);
    g_test_add_func("/android15/trusted/authenticate-codes", test_codes);
    g_test_add_func("/android15/trusted/accepted-is-entered-at-its-first-byte", test_accepted);
    g_test_add_func("/android15/trusted/checked-is-entered-where-it-says", test_checked);
    g_test_add_func("/android15/trusted/metadata-formats", test_formats);
    g_test_add_func("/android15/trusted/refused-images", test_refused);
    g_test_add_func("/android15/trusted/damaged-metadata-is-an-errno-or-a-vm", test_damaged);
    g_test_add_func("/android15/trusted/memory-is-wiped-at-the-end", test_wiped);
}
