/* SPDX-License-Identifier: GPL-2.0-or-later
 * Life and death of the command line's record.
 */
#include "config.h"

static void wish_free(gpointer data)
{
    Wish *wish = data;

    g_free(wish->what);
    g_free(wish);
}

static void monitor_option_free(void *data)
{
    MonitorOption *option = data;

    g_free(option->typed);
    g_free(option->chardev);
    g_free(option->device);
    g_free(option);
}

VmConfig *vm_config_new(void)
{
    VmConfig *config = g_new0(VmConfig, 1);

    config->accels = g_ptr_array_new_with_free_func(g_free);
    config->fsdevs = g_ptr_array_new_with_free_func(g_free);
    config->drives = g_ptr_array_new_with_free_func(g_free);
    config->blockdevs = g_ptr_array_new_with_free_func(g_free);
    config->devices = g_ptr_array_new_with_free_func(g_free);
    config->objects = g_ptr_array_new_with_free_func(g_free);
    config->numas = g_ptr_array_new_with_free_func(g_free);
    config->globals = g_ptr_array_new_with_free_func(g_free);
    config->chardevs = g_ptr_array_new_with_free_func(g_free);
    config->serials = g_ptr_array_new_with_free_func(g_free);
    config->fw_cfgs = g_ptr_array_new_with_free_func(g_free);
    config->exports = g_ptr_array_new_with_free_func(g_free);
    config->netdevs = g_ptr_array_new_with_free_func(g_free);
    config->nics = g_ptr_array_new_with_free_func(g_free);
    config->nets = g_ptr_array_new_with_free_func(g_free);
    config->wishes = g_ptr_array_new_with_free_func(wish_free);
    config->traces = g_ptr_array_new_with_free_func(g_free);
    config->monitors = g_ptr_array_new_with_free_func(monitor_option_free);
    config->machine_properties = keyval_parse("", NULL, NULL);
    return config;
}

void vm_config_free(VmConfig *config)
{
    if (config == NULL) {
        return;
    }
    g_ptr_array_unref(config->accels);
    g_ptr_array_unref(config->fsdevs);
    g_ptr_array_unref(config->drives);
    g_ptr_array_unref(config->blockdevs);
    g_ptr_array_unref(config->devices);
    g_ptr_array_unref(config->globals);
    g_ptr_array_unref(config->objects);
    g_ptr_array_unref(config->exports);
    g_ptr_array_unref(config->numas);
    g_ptr_array_unref(config->chardevs);
    g_ptr_array_unref(config->serials);
    g_ptr_array_unref(config->fw_cfgs);
    g_ptr_array_unref(config->netdevs);
    g_ptr_array_unref(config->nics);
    g_ptr_array_unref(config->nets);
    g_ptr_array_unref(config->wishes);
    g_ptr_array_unref(config->monitors);
    g_ptr_array_unref(config->traces);
    g_free(config->trace_file);
    g_free(config->pidfile);
    g_free(config->qtest);
    g_free(config->qtest_log);
    g_free(config->uuid);
    keyval_free(config->machine_properties);
    g_free(config->machine);
    g_free(config->dumpdtb);
    g_free(config->memory_backend);
    g_free(config->mem_path);
    g_free(config->cpu);
    g_free(config->vcpu_sched);
    g_free(config->more_ram);
    g_free(config->name);
    g_free(config->kernel);
    g_free(config->initrd);
    g_free(config->vendor_boot);
    g_free(config->init_boot);
    g_free(config->bootconfig);
    g_free(config->append);
    g_free(config->dtb);
    g_free(config->vnc);
    g_free(config->bios);
    g_free(config->output);
    g_free(config);
}
