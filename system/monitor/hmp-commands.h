/* SPDX-License-Identifier: GPL-2.0-or-later
 * The functions of the table in hmp-table.c, by file.
 */
#pragma once

#include "hmp.h"

/* ---- hmp-display.c ---- */
bool hmp_screendump(HmpCall *call, GError **error);

/* ---- hmp-memory.c ---- */
bool hmp_x(HmpCall *call, GError **error);
bool hmp_xp(HmpCall *call, GError **error);
bool hmp_print(HmpCall *call, GError **error);
bool hmp_sum(HmpCall *call, GError **error);
bool hmp_memsave(HmpCall *call, GError **error);
bool hmp_pmemsave(HmpCall *call, GError **error);

/* ---- hmp-net.c ---- */
bool hmp_announce_self(HmpCall *call, GError **error);
bool hmp_hostfwd_add(HmpCall *call, GError **error);
bool hmp_hostfwd_remove(HmpCall *call, GError **error);
bool hmp_netdev_add(HmpCall *call, GError **error);
bool hmp_netdev_del(HmpCall *call, GError **error);
bool hmp_set_link(HmpCall *call, GError **error);
bool hmp_info_network(HmpCall *call, GError **error);
bool hmp_info_usernet(HmpCall *call, GError **error);

/* ---- hmp-objects.c ---- */
bool hmp_device_add(HmpCall *call, GError **error);
bool hmp_device_del(HmpCall *call, GError **error);
bool hmp_object_add(HmpCall *call, GError **error);
bool hmp_object_del(HmpCall *call, GError **error);
bool hmp_qom_list(HmpCall *call, GError **error);
bool hmp_qom_get(HmpCall *call, GError **error);
bool hmp_qom_set(HmpCall *call, GError **error);
bool hmp_info_qtree(HmpCall *call, GError **error);
bool hmp_info_numa(HmpCall *call, GError **error);
bool hmp_info_roms(HmpCall *call, GError **error);
bool hmp_info_iothreads(HmpCall *call, GError **error);
bool hmp_info_memdev(HmpCall *call, GError **error);
bool hmp_info_qom_tree(HmpCall *call, GError **error);

/* ---- hmp-info.c ---- */
bool hmp_info_version(HmpCall *call, GError **error);
bool hmp_info_name(HmpCall *call, GError **error);
bool hmp_info_uuid(HmpCall *call, GError **error);
bool hmp_info_status(HmpCall *call, GError **error);
bool hmp_info_accel(HmpCall *call, GError **error);
bool hmp_info_irq(HmpCall *call, GError **error);
bool hmp_info_kvm(HmpCall *call, GError **error);
bool hmp_info_mtree(HmpCall *call, GError **error);
bool hmp_info_cpus(HmpCall *call, GError **error);
bool hmp_info_block(HmpCall *call, GError **error);
bool hmp_info_chardev(HmpCall *call, GError **error);
bool hmp_info_memory_size(HmpCall *call, GError **error);
bool hmp_info_trace_events(HmpCall *call, GError **error);
bool hmp_info_history(HmpCall *call, GError **error);

/* ---- hmp-pci.c ---- */
bool hmp_info_pci(HmpCall *call, GError **error);
