/* SPDX-License-Identifier: GPL-2.0-or-later
 * The command line: what is understood, and one clear line for what is not. Errors that need a
 * machine or a file are in tests/functional/test_bad_input.py.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "drives.h"
#include "hw/core/device.h"
#include "options.h"
#include "util/error.h"

/* NULL-terminated words after the program's name. */
static VmConfig *parse(const char *const *words, GError **error)
{
    g_autoptr(VmConfig) config = vm_config_new();
    g_autoptr(GPtrArray) argv = g_ptr_array_new();

    g_ptr_array_add(argv, (void *)"humpy-system-aarch64");
    for (const char *const *word = words; *word != NULL; word++) {
        g_ptr_array_add(argv, (void *)*word);
    }
    if (!options_parse(config, argv->len, (char **)argv->pdata, error)) {
        return NULL;
    }
    return g_steal_pointer(&config);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static VmConfig *parse_ok(const char *const *words)
{
    GError *error = NULL;
    VmConfig *config = parse(words, &error);

    g_assert_no_error(error);
    return config;
}

static void check_error(const char *const *words, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmConfig) config = parse(words, &error);

    g_assert_null(config);
    g_assert_error(error, HUMPY_ERROR, error->code);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_two_dashes_are_one(void)
{
    g_autoptr(VmConfig) config = parse_ok(WORDS("--kernel", "a", "-append", "b c"));

    g_assert_cmpstr(config->kernel, ==, "a");
    g_assert_cmpstr(config->append, ==, "b c");
}

static void test_last_of_a_kind_wins(void)
{
    g_autoptr(VmConfig) config =
        parse_ok(WORDS("-kernel", "a", "-m", "1G", "-kernel", "b", "-m", "size=512"));

    g_assert_cmpstr(config->kernel, ==, "b");
    g_assert_cmpuint(config->ram_size, ==, 512 << 20);
}

static void test_lists_keep_their_order(void)
{
    g_autoptr(VmConfig) config = parse_ok(WORDS("-serial", "null", "-serial", "stdio"));

    g_assert_cmpuint(config->serials->len, ==, 2);
    g_assert_cmpstr(g_ptr_array_index(config->serials, 0), ==, "null");
    g_assert_cmpstr(g_ptr_array_index(config->serials, 1), ==, "stdio");
}

static void test_memory_is_rounded_up(void)
{
    g_autoptr(VmConfig) config = parse_ok(WORDS("-m", "1000001K"));

    g_assert_cmpuint(config->ram_size % 8192, ==, 0);
    g_assert_cmpuint(config->ram_size, >, 1000001 * UINT64_C(1024));
}

static void check_smp(const char *text, unsigned cpus, unsigned max)
{
    g_autoptr(VmConfig) config = parse_ok(WORDS("-smp", text));

    g_assert_cmpuint(config->smp, ==, cpus);
    g_assert_cmpuint(config->max_cpus, ==, max);
}

static void test_smp_fills_in_what_is_missing(void)
{
    check_smp("4", 4, 4);
    check_smp("cpus=2,maxcpus=8", 2, 8);
    check_smp("sockets=2,cores=3", 6, 6);
    check_smp("8,cores=4", 8, 8);
    check_smp("maxcpus=3", 3, 3);
}

static void test_asking_for_nothing_is_fine(void)
{
    g_autoptr(VmConfig) config =
        parse_ok(WORDS("-net", "none", "-nic", "none", "-monitor", "none", "-vga", "none",
                       "-parallel", "none", "-gdb", "none", "-m", "1G,maxmem=1G,slots=1"));

    g_assert_cmpuint(config->wishes->len, ==, 0);
    g_assert_null(config->more_ram);
}

/* Whether it can be had is the accelerator's word. */
static void test_wishes_are_kept_for_the_accelerator(void)
{
    g_autoptr(VmConfig) config =
        parse_ok(WORDS("-s", "-incoming", "tcp:0:1", "-m", "1G,slots=1,maxmem=2G"));
    const Wish *wish;

    g_assert_cmpuint(config->wishes->len, ==, 2);
    wish = g_ptr_array_index(config->wishes, 0);
    g_assert_cmpuint(wish->cap, ==, ACCEL_CAP_GDB);
    g_assert_cmpstr(wish->what, ==, "-s");
    wish = g_ptr_array_index(config->wishes, 1);
    g_assert_cmpuint(wish->cap, ==, ACCEL_CAP_MIGRATION);
    g_assert_cmpstr(wish->what, ==, "-incoming tcp:0:1");
    g_assert_cmpstr(config->more_ram, ==, "1G,slots=1,maxmem=2G");
}

/* None may also be one of ours: it would never be found. */
static void test_foreign_options_are_foreign(void)
{
    static const char *const names[] = { "s",   "gdb",  "usb",    "sdl",
                                         "vga", "boot", "loadvm", "snapshot" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_nonnull(foreign_find(names[i]));
        g_assert_null(options_find(names[i]));
    }
}

static void test_help_and_version_stop_early(void)
{
    static const char *const names[] = { "-help", "--help", "-h", "--version", NULL };

    for (const char *const *name = names; *name != NULL; name++) {
        g_autoptr(VmConfig) config = parse_ok(WORDS(*name, "-nonsense"));

        g_assert_nonnull(config->output);
    }
}

static void test_errors_name_option_and_cause(void)
{
    check_error(WORDS("disk.img"), "'disk.img' is not an option (disks are given with -drive)");
    check_error(WORDS("-"), "'-' is not an option (disks are given with -drive)");
    check_error(WORDS("-kernle", "x"),
                "-kernle: there is no such option (did you mean '-kernel'?)");
    check_error(WORDS("--xyzzyplugh"), "--xyzzyplugh: there is no such option (-help lists all)");
    check_error(WORDS("-kernel"), "-kernel: its argument is missing (FILE)");
    check_error(WORDS("-m", "lots"),
                "-m lots: 'lots' is not a size (a number with an optional suffix K, M, G or T)");
    check_error(WORDS("-m", "0"), "-m 0: '0' is not a size for memory");
    check_error(WORDS("-m", "1G,slots=2"), "-m 1G,slots=2: slots needs maxmem");
    check_error(WORDS("-m", "1G,maxmem=512M"),
                "-m 1G,maxmem=512M: maxmem is 512M but must not be below the size");
    check_error(WORDS("-mon", "mode=control"), "-mon mode=control: chardev is missing");
    check_error(WORDS("-uuid", "7"),
                "-uuid 7: is not a UUID (12345678-1234-1234-1234-123456789abc)");
    check_error(WORDS("-gdb"), "-gdb: its argument is missing (DEVICE)");
    check_error(WORDS("-m", "1G,sise=2"),
                "-m 1G,sise=2: property 'sise' is not known (did you mean 'size'?)");
    check_error(WORDS("-smp", "0"), "-smp 0: cpus is '0' but must be 1 to 65535");
    check_error(WORDS("-smp", "many"), "-smp many: cpus: 'many' is not a number");
    check_error(WORDS("-smp", "4,maxcpus=2"), "-smp 4,maxcpus=2: cpus is 4 but maxcpus only 2");
    check_error(
        WORDS("-smp", "5,cores=2"),
        "-smp 5,cores=2: sockets * clusters * cores * threads cannot be 5 with those given, "
        "which make 2");
    check_error(WORDS("-accel", "gunyah,hots=model"),
                "-accel gunyah,hots=model: property 'hots' is not known (did you mean 'host'?)");
    check_error(WORDS("-machine", "accel=gunyah", "-accel", "gunyah"),
                "-accel gunyah: accel= of -machine and the option -accel exclude each other");
    check_error(WORDS("-accel", "gunyah", "-M", "accel=gunyah"),
                "-M accel=gunyah: accel= and the option -accel exclude each other");
    check_error(WORDS("-display", "gtk"),
#ifdef HAVE_VNC
                "-display gtk: display 'gtk' is not known (valid: none, vnc)");
#else
                "-display gtk: display 'gtk' is not known (valid: none)");
#endif
    check_error(WORDS("-device", "{\"driver\": [1]}"),
                "-device {\"driver\": [1]}: the device type is missing");
    check_error(WORDS("-device", "id=x"), "-device id=x: the device type is missing");
    check_error(WORDS("-name", "a\xff"), "-name: its argument is not UTF-8 text");
}

/* The man page and -help come from the table: each row must be fit for both. */
static void test_table_rows_are_complete(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (const OptionSection *s = option_sections; s->title != NULL; s++) {
        for (const Option *o = s->options; o->name != NULL; o++) {
            g_assert_true(g_hash_table_add(seen, (void *)o->name));
            g_assert_true(o->alias == NULL || g_hash_table_add(seen, (void *)o->alias));
            g_assert_nonnull(o->summary);
            g_assert_nonnull(o->handler);
            g_assert_false(g_str_has_suffix(o->summary, "."));
            g_assert_true(o->detail == NULL || g_str_has_suffix(o->detail, "."));
        }
    }
}

static void test_json_is_the_same_as_text(void)
{
    g_autoptr(KeyVal) json = keyval_parse_or_json(
        "{\"driver\": \"raw\", \"file\": {\"filename\": \"a,b\"}, \"ro\": true, \"n\": 7}", NULL,
        NULL);
    g_autoptr(KeyVal) text =
        keyval_parse_or_json("raw,file.filename=a,,b,ro=on,n=7", "driver", NULL);

    g_assert_cmpuint(json->pairs->len, ==, text->pairs->len);
    for (unsigned i = 0; i < text->pairs->len; i++) {
        const KeyValPair *pair = g_ptr_array_index(text->pairs, i);

        g_assert_cmpstr(keyval_get(json, pair->key), ==, pair->value);
    }
}

/* ---- drives ---- */

typedef struct {
    char *path;
} Image;

static void image_setup(Image *image, gconstpointer data)
{
    int fd = g_file_open_tmp("humpy-image-XXXXXX", &image->path, NULL);

    g_assert_cmpint(ftruncate(fd, 1 << 20), ==, 0);
    close(fd);
}

static void image_teardown(Image *image, gconstpointer data)
{
    g_unlink(image->path);
    g_free(image->path);
}

static Drives *open_drives(const char *option, const char *format, const char *path, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(format, "@", -1);
    g_autofree char *text = g_strjoinv(path, parts);
    g_autoptr(VmConfig) config = parse_ok(WORDS(option, text));

    return drives_open(config, error);
}

static void test_drive_makes_its_device(Image *image, gconstpointer data)
{
    GError *error = NULL;
    g_autoptr(Drives) drives =
        open_drives("-drive", "file=@,format=raw,id=d0", image->path, &error);
    const DriveDevice *device;

    g_assert_no_error(error);
    g_assert_cmpuint(drives_devices(drives)->len, ==, 1);
    device = g_ptr_array_index(drives_devices(drives), 0);
    g_assert_cmpstr(device->device, ==, "virtio-blk-device,drive=d0");
    g_assert_nonnull(block_find("d0"));
}

static void test_drive_id_and_node_name(Image *image, gconstpointer data)
{
    GError *error = NULL;
    g_autoptr(Drives) drives =
        open_drives("-drive", "if=none,file=@,format=raw,id=d0,node-name=n0", image->path, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(drives_devices(drives)->len, ==, 0);
    g_assert_cmpstr(drives_node_name(drives, "d0"), ==, "n0");
    g_assert_cmpstr(drives_node_name(drives, "n0"), ==, "n0");
}

static void test_drives_close_their_files(Image *image, gconstpointer data)
{
    for (unsigned round = 0; round < 2; round++) {
        GError *error = NULL;
        Drives *drives = open_drives("-drive", "@,format=raw,id=d0", image->path, &error);

        g_assert_no_error(error);
        drives_close(drives);
        g_assert_null(block_find("d0"));
    }
}

static void check_drive_error(Image *image, const char *option, const char *format,
                              const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Drives) drives = open_drives(option, format, image->path, &error);
    g_auto(GStrv) parts = g_strsplit(message, "@", -1);
    g_autofree char *expected = g_strjoinv(image->path, parts);

    g_assert_null(drives);
    g_assert_cmpstr(error->message, ==, expected);
}

static void test_drive_errors(Image *image, gconstpointer data)
{
    check_drive_error(image, "-drive", "format=raw",
                      "-drive format=raw: property 'file' is missing");
    check_drive_error(image, "-drive", "file=@,format=qcow3",
                      "-drive file=@,format=qcow3: format 'qcow3' is not known (did you mean "
                      "'qcow2'?)");
    check_drive_error(image, "-drive", "file=@,format=sparse",
                      "-drive file=@,format=sparse: '@' is a sparse image, which cannot be written "
                      "to (read-only=on uses it so, driver=overlay or snapshot=on keeps what is "
                      "written elsewhere)");
    check_drive_error(image, "-drive", "file=@,format=sparse,snapshot=on",
                      "-drive file=@,format=sparse,snapshot=on: '@' is no whole sparse image: it "
                      "does not begin with 0xed26ff3a");
    check_drive_error(image, "-drive", "file=@,cach=none",
                      "-drive file=@,cach=none: property 'cach' is not known (did you mean "
                      "'cache'?)");
    check_drive_error(
        image, "-drive", "file=@,if=ide",
        "-drive file=@,if=ide: interface 'ide' is not known (valid: virtio, pflash, none)");
    check_drive_error(image, "-drive", "file=@,media=cdrom",
                      "-drive file=@,media=cdrom: media=cdrom is not supported (only media=disk)");
    check_drive_error(image, "-drive", "file=@,discard=maybe",
                      "-drive file=@,discard=maybe: discard is 'maybe' but must be one of: ignore, "
                      "unmap");
    check_drive_error(image, "-drive", "file=@,id=1",
                      "-drive file=@,id=1: id '1' is not valid (a letter, then letters, digits, "
                      "'-', '.' or '_')");
}

static void test_other_formats_are_refused(Image *image, gconstpointer data)
{
    GError *error = NULL;
    g_autoptr(Drives) drives = NULL;

    g_assert_true(g_file_set_contents(image->path, "QFI\xfb....", 8, NULL));
    check_drive_error(
        image, "-drive", "file=@",
        "-drive file=@: '@' looks like a qcow2 image (format=qcow2 uses it as one, format=raw as "
        "it is)");
    drives = open_drives("-drive", "file=@,format=raw", image->path, &error);
    g_assert_no_error(error);
}

static void test_blockdev_raw_on_file(Image *image, gconstpointer data)
{
    g_autofree char *file =
        g_strdup_printf("driver=file,filename=%s,node-name=f0,read-only=on", image->path);
    g_autoptr(VmConfig) config =
        parse_ok(WORDS("-blockdev", file, "-blockdev", "raw,file=f0,node-name=d0"));
    GError *error = NULL;
    g_autoptr(Drives) drives = drives_open(config, &error);

    g_assert_no_error(error);
    g_assert_nonnull(drives);
    g_assert_nonnull(block_find("d0"));
    g_assert_true(block_is_read_only(block_find("d0")));
    g_assert_null(block_find("f0")); /* opened once, as the upper node */
}

static void test_blockdev_json(Image *image, gconstpointer data)
{
    GError *error = NULL;
    g_autoptr(Drives) drives =
        open_drives("-blockdev",
                    "{\"driver\": \"raw\", \"node-name\": \"d0\", \"file\": {\"driver\": \"file\", "
                    "\"filename\": \"@\"}, \"cache\": {\"no-flush\": true}}",
                    image->path, &error);

    g_assert_no_error(error);
    g_assert_nonnull(drives);
    g_assert_nonnull(block_find("d0"));
}

static void test_blockdev_errors(Image *image, gconstpointer data)
{
    check_drive_error(image, "-blockdev", "driver=raw,file=f9,node-name=d0",
                      "-blockdev driver=raw,file=f9,node-name=d0: there is no node 'f9' before it "
                      "that a raw node can sit on");
    check_drive_error(image, "-blockdev", "driver=row,node-name=d0",
                      "-blockdev driver=row,node-name=d0: driver 'row' is not known (did you mean "
                      "'raw'?)");
    check_drive_error(image, "-blockdev", "driver=file,filename=@",
                      "-blockdev driver=file,filename=@: property 'node-name' is missing");
    check_drive_error(image, "-blockdev", "driver=file,node-name=d0",
                      "-blockdev driver=file,node-name=d0: property 'filename' is missing");
    check_drive_error(image, "-blockdev", "{\"driver\": ",
                      "-blockdev {\"driver\": : JSON: the text ends inside a value at byte 11");
}

static void add(const char *path, void (*fn)(Image *image, gconstpointer data))
{
    g_test_add(path, Image, NULL, image_setup, fn, image_teardown);
}

static VmConfig *read_config(const char *content, GError **error)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("config-XXXXXX", &path, NULL);
    VmConfig *config;

    close(fd);
    g_assert_true(g_file_set_contents(path, content, -1, NULL));
    config = parse(WORDS("-readconfig", path), error);
    g_unlink(path);
    return config;
}

static void test_readconfig_stands_for_options(void)
{
    GError *error = NULL;
    g_autoptr(VmConfig) config = read_config("# comment\n\n[object \"rng0\"]\n"
                                             "  qom-type = \"rng-builtin\"\n"
                                             "[smp-opts]\r\n cpus=\"4\"\n"
                                             "[memory]\n  size = \"1G\"\n"
                                             "[drive \"d\"]\n  file = \"a,b\"c\"",
                                             &error);

    g_assert_no_error(error);
    g_assert_cmpstr(g_ptr_array_index(config->objects, 0), ==, "id=rng0,qom-type=rng-builtin");
    g_assert_cmpuint(config->smp, ==, 4);
    g_assert_cmpuint(config->ram_size, ==, 1 << 30);
    g_assert_cmpstr(g_ptr_array_index(config->drives, 0), ==, "id=d,file=a,,b\"c");
}

static void test_readconfig_errors_name_the_line(void)
{
    static const char *const rows[][2] = {
        { "a = \"b\"", "line 1: there is no section" },
        { "[device\n", "line 1: a section is" },
        { "[device \"x]\n", "line 1: the id" },
        { "\n[]\n", "line 2: a section is" },
        { "[device]x\n", "line 1: a section is" },
        { "[device]\nx\n", "line 2: neither" },
        { "[device]\n= \"x\"\n", "line 2: neither" },
        { "[device]\nx = y\n", "line 2: a value" },
        { "[device]\nx = \"\n", "line 2: a value" },
        { "[device]\nx = \"a\" b\n", "line 2: a value" },
        { "[nonesuch]\n", "line 1: there is no option" },
        { "[nographic]\n", "line 1: there is no option" },
        { "\n[smp-opts]\ncpus = \"0\"\n", "line 2: cpus is '0'" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VmConfig) config = read_config(rows[i][0], &error);

        g_assert_null(config);
        if (strstr(error->message, rows[i][1]) == NULL) {
            g_error("'%s' is not in: %s", rows[i][1], error->message);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    hw_register_types();
    g_test_add_func("/options/two-dashes-are-one", test_two_dashes_are_one);
    g_test_add_func("/options/last-of-a-kind-wins", test_last_of_a_kind_wins);
    g_test_add_func("/options/lists-keep-their-order", test_lists_keep_their_order);
    g_test_add_func("/options/memory-is-rounded-up", test_memory_is_rounded_up);
    g_test_add_func("/options/smp-fills-in-what-is-missing", test_smp_fills_in_what_is_missing);
    g_test_add_func("/options/asking-for-nothing-is-fine", test_asking_for_nothing_is_fine);
    g_test_add_func("/options/wishes-are-kept-for-the-accelerator",
                    test_wishes_are_kept_for_the_accelerator);
    g_test_add_func("/options/foreign-options-are-foreign", test_foreign_options_are_foreign);
    g_test_add_func("/options/help-and-version-stop-early", test_help_and_version_stop_early);
    g_test_add_func("/options/errors-name-option-and-cause", test_errors_name_option_and_cause);
    g_test_add_func("/options/table-rows-are-complete", test_table_rows_are_complete);
    g_test_add_func("/options/json-is-the-same-as-text", test_json_is_the_same_as_text);
    add("/options/drive/makes-its-device", test_drive_makes_its_device);
    add("/options/drive/id-and-node-name", test_drive_id_and_node_name);
    add("/options/drive/closes-its-file", test_drives_close_their_files);
    add("/options/drive/errors", test_drive_errors);
    add("/options/drive/other-formats-are-refused", test_other_formats_are_refused);
    add("/options/blockdev/raw-on-file", test_blockdev_raw_on_file);
    add("/options/blockdev/json", test_blockdev_json);
    add("/options/blockdev/errors", test_blockdev_errors);
    g_test_add_func("/options/readconfig-stands-for-options", test_readconfig_stands_for_options);
    g_test_add_func("/options/readconfig-errors-name-the-line",
                    test_readconfig_errors_name_the_line);
    return g_test_run();
}
