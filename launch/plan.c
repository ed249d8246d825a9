/* SPDX-License-Identifier: GPL-2.0-or-later
 * Filling a plan and checking it. What it becomes is in plan-argv.c and plan-disks.c.
 */
#include "plan.h"

#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/keyval.h"
#include "util/props.h"

enum { MAX_CPUS = 8, MAX_MIB = 255 << 10, MIN_LOG_SIZE = 512, MAX_LOG_COUNT = 1000 };

static void partition_free(gpointer data)
{
    PlanPartition *p = data;

    g_free(p->label);
    g_free(p->path);
    g_free(p->guid);
    g_free(p->format);
    g_free(p);
}

static void disk_free(gpointer data)
{
    PlanDisk *d = data;

    g_free(d->image);
    g_free(d->format);
    g_free(d->overlay);
    g_free(d->id);
    g_ptr_array_unref(d->partitions);
    g_free(d);
}

static void net_free(gpointer data)
{
    PlanNet *net = data;

    g_free(net->words);
    g_free(net->mac);
    g_free(net);
}

Plan *plan_new(void)
{
    Plan *plan = g_new0(Plan, 1);

    plan->params = g_string_new(NULL);
    plan->sched = g_string_new(NULL);
    plan->disks = g_ptr_array_new_with_free_func(disk_free);
    plan->nets = g_ptr_array_new_with_free_func(net_free);
    plan->shares = g_ptr_array_new_with_free_func(g_free);
    plan->words = g_ptr_array_new_with_free_func(g_free);
    return plan;
}

void plan_free(Plan *plan)
{
    char **const texts[] = {
        &plan->name,        &plan->arch,      &plan->kernel,     &plan->initrd,
        &plan->dtb,         &plan->firmware,  &plan->accel,      &plan->machine,
        &plan->vendor_boot, &plan->init_boot, &plan->bootconfig, &plan->console,
        &plan->log,         &plan->dump_dtb,  &plan->confine,    &plan->console_device,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_free(*texts[i]);
    }
    g_string_free(plan->params, TRUE);
    g_string_free(plan->sched, TRUE);
    g_ptr_array_unref(plan->disks);
    g_ptr_array_unref(plan->nets);
    g_ptr_array_unref(plan->shares);
    g_ptr_array_unref(plan->words);
    g_free(plan);
}

PlanDisk *plan_add_disk(Plan *plan, const char *image)
{
    PlanDisk *d = g_new0(PlanDisk, 1);

    d->image = g_strdup(image);
    d->partitions = g_ptr_array_new_with_free_func(partition_free);
    g_ptr_array_add(plan->disks, d);
    return d;
}

PlanPartition *plan_add_partition(PlanDisk *disk)
{
    PlanPartition *p = g_new0(PlanPartition, 1);

    g_ptr_array_add(disk->partitions, p);
    return p;
}

bool plan_add_disk_text(Plan *plan, const char *text, GError **error)
{
    static const char *const keys[] = { "path", "ro",     "overlay", "temporary",
                                        "id",   "format", "direct",  NULL };
    g_autoptr(KeyVal) kv = keyval_parse(text, "path", error);
    const char *path;
    bool read_only = false;
    PlanDisk *d;

    if (kv == NULL || !keyval_check_keys(kv, keys, error)) {
        return false;
    }
    path = keyval_take(kv, "path");
    if (path == NULL || *path == '\0') {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the image's path is missing");
        return false;
    }
    d = plan_add_disk(plan, path);
    d->overlay = g_strdup(keyval_take(kv, "overlay"));
    d->format = g_strdup(keyval_take(kv, "format"));
    d->id = g_strdup(keyval_take(kv, "id"));
    if (d->format != NULL && !plan_check_format(d->format, error)) {
        return false;
    }
    if (!keyval_take_bool(kv, "ro", &read_only, error) ||
        !keyval_take_bool(kv, "temporary", &d->temporary, error) ||
        !keyval_take_bool(kv, "direct", &d->direct, error)) {
        return false;
    }
    d->writable = !read_only;
    if (read_only && (d->temporary || d->overlay != NULL)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "ro excludes overlay and temporary, which are about what is written");
        return false;
    }
    if (d->temporary && d->overlay != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT,
                    "overlay and temporary exclude each other");
        return false;
    }
    return true;
}

bool plan_add_net(Plan *plan, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", error);

    if (kv == NULL) {
        return false;
    }
    if (keyval_get(kv, "type") == NULL || keyval_get(kv, "id") != NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                    "is not TYPE[,PROP=VALUE...] without an id, such as 'user' or 'tap,ifname=t0'");
        return false;
    }
    plan_add_net_words(plan, g_strdup(text), NULL);
    return true;
}

void plan_add_net_words(Plan *plan, char *words, const char *mac)
{
    PlanNet *net = g_new(PlanNet, 1);

    *net = (PlanNet){ words, g_strdup(mac) };
    g_ptr_array_add(plan->nets, net);
}

void plan_add_params(Plan *plan, const char *params)
{
    if (*params != '\0') {
        g_string_append_printf(plan->params, "%s%s", plan->params->len > 0 ? " " : "", params);
    }
}

static bool parse_mib(const char *text, uint64_t min, uint64_t *mib, GError **error)
{
    uint64_t bytes;

    if (!props_parse_size(text, 'M', &bytes, error)) {
        return false;
    }
    if (bytes % (1 << 20) != 0 || bytes >> 20 < min || bytes >> 20 > MAX_MIB) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "'%s' is not a whole number of MiB from %" G_GUINT64_FORMAT " to %d", text, min,
                    MAX_MIB);
        return false;
    }
    *mib = bytes >> 20;
    return true;
}

bool plan_set_memory(Plan *plan, const char *text, GError **error)
{
    return parse_mib(text, 1, &plan->memory_mib, error);
}

bool plan_set_swiotlb(Plan *plan, const char *text, GError **error)
{
    return parse_mib(text, 0, &plan->swiotlb_mib, error);
}

bool plan_set_log_size(Plan *plan, const char *text, GError **error)
{
    if (!props_parse_size(text, 'M', &plan->log_size, error)) {
        return false;
    }
    if (plan->log_size < MIN_LOG_SIZE) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is less than %d bytes", text,
                    MIN_LOG_SIZE);
        return false;
    }
    return true;
}

bool plan_set_log_count(Plan *plan, const char *text, GError **error)
{
    uint64_t n;

    if (!props_parse_u64(text, &n, NULL) || n < 1 || n > MAX_LOG_COUNT) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is not a number from 1 to %d",
                    text, MAX_LOG_COUNT);
        return false;
    }
    plan->log_count = n;
    return true;
}

bool plan_set_cpus(Plan *plan, const char *text, GError **error)
{
    uint64_t n;

    if (!props_parse_u64(text, &n, NULL) || n < 1 || n > MAX_CPUS) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE, "'%s' is not a number from 1 to %d",
                    text, MAX_CPUS);
        return false;
    }
    plan->cpus = n;
    return true;
}

bool plan_set_cpu_topology(Plan *plan, const char *text, GError **error)
{
    static const char *const names[] = { "one_cpu", "match_host", "cpu_count=N", NULL };

    if (strcmp(text, "one_cpu") == 0) {
        plan->cpus = 1;
        return true;
    }
    if (strcmp(text, "match_host") == 0) {
        plan->cpus = CLAMP(sysconf(_SC_NPROCESSORS_ONLN), 1, MAX_CPUS);
        return true;
    }
    if (g_str_has_prefix(text, "cpu_count=")) {
        return plan_set_cpus(plan, text + strlen("cpu_count="), error);
    }
    error_set_unknown(error, "CPU topology", text, names);
    return false;
}

bool plan_set_arch(Plan *plan, const char *text, GError **error)
{
    static const char *const names[] = { "aarch64", "x86_64", NULL };

    if (!g_strv_contains(names, text)) {
        error_set_unknown(error, "architecture", text, names);
        return false;
    }
    g_free(plan->arch);
    plan->arch = g_strdup(text);
    return true;
}

bool plan_set_console(Plan *plan, const char *text, GError **error)
{
    static const char *const names[] = { "stdio", "none", "pty", NULL };
    const char *near = strpbrk(text, "./") == NULL ? error_nearest(text, names) : NULL;

    if (*text == '\0' || strcmp(text, "unix:") == 0) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING, "the path is missing");
        return false;
    }
    if (near != NULL && !g_strv_contains(names, text)) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNKNOWN,
                    "'%s' is nearly '%s'; a file of this name is './%s'", text, near, text);
        return false;
    }
    g_free(plan->console);
    plan->console = g_strdup(text);
    return true;
}

bool plan_set_trusted(Plan *plan, const char *id, const char *pas, GError **error)
{
    uint64_t vm_id, pas_id;

    if (id == NULL && pas == NULL) {
        return true;
    }
    if (id == NULL || pas == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "a trusted VM has both, a VM ID and a PAS ID: the %s ID is missing",
                    id == NULL ? "VM" : "PAS");
        return false;
    }
    if (!props_parse_u64(id, &vm_id, NULL) || vm_id < 1 || vm_id > UINT16_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "VM ID '%s' is not a number from 1 to %d", id, UINT16_MAX);
        return false;
    }
    if (!props_parse_u64(pas, &pas_id, NULL) || pas_id > UINT32_MAX) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_RANGE,
                    "PAS ID '%s' is not a number from 0 to %u", pas, UINT32_MAX);
        return false;
    }
    plan->trusted = true;
    plan->trusted_id = vm_id;
    plan->trusted_pas = pas_id;
    return true;
}

void plan_add_sched(Plan *plan, const char *text)
{
    g_string_append_printf(plan->sched, "%s%s", plan->sched->len > 0 ? "," : "", text);
}

static bool is_cpu_list(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789-,") == strlen(text);
}

bool plan_set_cpu_affinity(Plan *plan, const char *text, GError **error)
{
    g_auto(GStrv) groups = g_strsplit(text, strchr(text, '=') != NULL ? ":" : "\n", -1);

    for (char **group = groups; *group != NULL; group++) {
        g_auto(GStrv) parts = g_strsplit(*group, "=", 2);
        const char *vcpu = parts[0] != NULL && parts[1] != NULL ? parts[0] : NULL;
        const char *cpus = vcpu != NULL ? parts[1] : *group;
        g_autofree char *word = NULL, *list = NULL;
        uint64_t n;

        if (!is_cpu_list(cpus) || (vcpu != NULL && !props_parse_u64(vcpu, &n, NULL))) {
            g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_SYNTAX,
                        "'%s' is neither CPUs such as 0,2-3 nor VCPU=CPUS with colons between them",
                        text);
            return false;
        }
        list = g_strdelimit(g_strdup(cpus), ",", ':');
        word = vcpu != NULL ? g_strdup_printf("affinity.%s=%s", vcpu, list)
                            : g_strdup_printf("affinity=%s", list);
        plan_add_sched(plan, word);
    }
    return true;
}

static bool conflict(GError **error, const char *text)
{
    g_set_error_literal(error, HUMPY_ERROR, HUMPY_ERROR_CONFLICT, text);
    return false;
}

static bool check_console(const Plan *plan, GError **error)
{
    bool on_terminal = plan->console == NULL || strcmp(plan->console, "stdio") == 0;

    if (plan->background && plan->console != NULL && on_terminal) {
        return conflict(error, "a VM in the background cannot have its console on the terminal "
                               "('humpy vm console' shows it)");
    }
    return true;
}

/* Its image goes where a kernel goes, whatever it is called: nothing runs before it. */
static bool check_trusted(Plan *plan, GError **error)
{
    if (!plan->trusted) {
        return true;
    }
    if (!plan->is_protected) {
        return conflict(error,
                        "a trusted VM, with an identity of its own, must be a protected one");
    }
    if (plan->kernel == NULL && plan->initrd == NULL) {
        plan->kernel = g_steal_pointer(&plan->firmware);
    }
    return true;
}

bool plan_check(Plan *plan, GError **error)
{
    if (!check_trusted(plan, error)) {
        return false;
    }
    if (plan->kernel == NULL && plan->firmware == NULL) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_MISSING,
                    "there is neither a kernel nor a bootloader");
        return false;
    }
    if (plan->kernel != NULL && plan->firmware != NULL) {
        return conflict(error, "kernel and bootloader exclude each other");
    }
    if (plan->firmware != NULL && plan->initrd != NULL) {
        return conflict(error, "initrd and bootloader exclude each other");
    }
    if (plan->kernel == NULL &&
        (plan->vendor_boot != NULL || plan->init_boot != NULL || plan->bootconfig != NULL)) {
        return conflict(error, "vendor-boot, init-boot and bootconfig need a kernel");
    }
    if (plan->kernel == NULL && plan->params->len > 0) {
        g_warning("params are for a kernel; the bootloader does not get '%s'", plan->params->str);
    }
    if (!plan->is_protected && plan->swiotlb_mib != 0) {
        return conflict(error, "swiotlb is the window of a protected VM (see --protected)");
    }
    if (!plan->is_protected && plan->pvmfw) {
        return conflict(error, "pvmfw is the firmware of a protected VM (see --protected)");
    }
    if (plan->is_protected && plan->swiotlb_mib == 0) {
        plan->swiotlb_mib = PLAN_SWIOTLB_MIB;
    }
    if (plan->is_protected && plan->accel != NULL && !g_str_has_prefix(plan->accel, "gunyah")) {
        g_set_error(error, HUMPY_ERROR, HUMPY_ERROR_UNSUPPORTED,
                    "accelerator '%s' has no protected VMs, only gunyah has", plan->accel);
        return false;
    }
    if (plan->log == NULL && (plan->log_size != 0 || plan->log_count != 0)) {
        return conflict(error, "log-size and log-count are about a log (see --log)");
    }
    if (plan->log_size == 0 && plan->log_count != 0) {
        return conflict(error, "log-count needs log-size, or no log is ever put aside");
    }
    if (plan->memory_mib == 0) {
        plan->memory_mib = PLAN_MEMORY_MIB;
    }
    if (plan->cpus == 0) {
        plan->cpus = 1;
    }
    return check_console(plan, error);
}
