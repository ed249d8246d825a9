/* SPDX-License-Identifier: GPL-2.0-or-later
 * The kernel's VDUSE nodes as functions: one for each ioctl, with one line for each way in which
 * the kernel refuses. What is done with them is in vduse.c and vduse-serve.c.
 *
 * Threads: [any], but for open and close.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "accel/hostdev.h"
#include "linux/vduse.h"
#include "util/fd.h"

#define VDUSE_CONTROL_PATH "/dev/vduse/control"

/* Who answers: the kernel, unless a test says otherwise. [main, before all else] */
void vduse_node_set_host(const HostDevOps *ops);

/* FALSE: RANGE, why the kernel would not take such a name. */
bool vduse_node_check_name(const char *name, GError **error);

/* ---- the control node ---- */

/* Opened, at the newest version that both sides know. -1: HOST error. */
int vduse_control_open(uint64_t *version, GError **error);
typedef enum { VDUSE_CREATED, VDUSE_EXISTS, VDUSE_REFUSED } VduseCreated;
/* EXISTS: there is one of that name, no error is set. */
VduseCreated vduse_control_create(int control, const struct vduse_dev_config *config,
                                  GError **error);
/* FALSE: CONFLICT where it is still attached or open, else HOST. */
bool vduse_control_destroy(int control, const char *name, GError **error);

/* ---- a device's node ---- */
typedef struct {
    const char *name; /* borrowed */
    int fd;
} VduseNode;

/* CONFLICT: another process serves it. */
bool vduse_node_open(VduseNode *node, const char *name, GError **error);
void vduse_node_close(VduseNode *node); /* once or more */

bool vduse_node_get_features(const VduseNode *node, uint64_t *features, GError **error);
bool vduse_node_set_config(const VduseNode *node, const void *config, size_t len, GError **error);
bool vduse_node_setup_queue(const VduseNode *node, unsigned n, unsigned max_size, GError **error);
bool vduse_node_queue_info(const VduseNode *node, unsigned n, struct vduse_vq_info *info,
                           GError **error);
bool vduse_node_set_kick(const VduseNode *node, unsigned n, int fd, GError **error);
/* The region around addr: a new descriptor, the caller's, or -1. */
int vduse_node_iotlb_fd(const VduseNode *node, uint64_t addr, struct vduse_iotlb_entry *entry,
                        GError **error);

/* 0 or errno. EINVAL: the driver is not there yet (or no more). */
int vduse_node_interrupt(const VduseNode *node, unsigned n);
int vduse_node_interrupt_config(const VduseNode *node);

/* 0; EAGAIN: there is none; else errno. */
int vduse_node_read(const VduseNode *node, struct vduse_dev_request *request);
int vduse_node_answer(const VduseNode *node, const struct vduse_dev_response *response);

void *vduse_node_map(int fd, uint64_t length, int prot, uint64_t offset); /* or MAP_FAILED */
void vduse_node_unmap(void *host, uint64_t length);

/* The kernel gave the device up: nothing but its end is left. */
bool vduse_node_is_broken(const VduseNode *node);

/* How long the kernel waits for an answer, in milliseconds; 0: for ever. */
unsigned vduse_node_timeout_ms(const char *name);
