/* SPDX-License-Identifier: GPL-2.0-or-later
 * Extended attributes of a local export. Under mapped-xattr the guest neither sees nor changes what
 * the model keeps for itself, and its access lists are kept under other names, so that the host's
 * kernel does not act on them.
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "local-priv.h"

enum { LIST_MAX = 65536 }; /* the kernel's own bound */

#define ACL_PREFIX "system.posix_acl_"

/* The host's name for the guest's, or NULL: not for the guest. */
static char *host_name(const Local *l, const char *name)
{
    if (l->model != LOCAL_MAPPED_XATTR) {
        return g_strdup(name);
    }
    if (g_str_has_prefix(name, LOCAL_META_PREFIX)) {
        return NULL;
    }
    return g_str_has_prefix(name, ACL_PREFIX) ? g_strconcat(LOCAL_META_PREFIX, name, NULL)
                                              : g_strdup(name);
}

/* The guest's name for the host's, or NULL: not for the guest. */
static const char *guest_name(const Local *l, const char *name)
{
    if (l->model != LOCAL_MAPPED_XATTR) {
        return name;
    }
    if (!g_str_has_prefix(name, LOCAL_META_PREFIX)) {
        return g_str_has_prefix(name, ACL_PREFIX) ? NULL : name;
    }
    name += strlen(LOCAL_META_PREFIX);
    return g_str_has_prefix(name, ACL_PREFIX) ? name : NULL;
}

ssize_t local_getxattr(FsDev *fs, const char *path, const char *name, void *buf, size_t size)
{
    Local *l = (Local *)fs;
    g_autofree char *host = host_name(l, name);
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    LocalProcPath proc;
    int result = local_find(l, path, &place);
    ssize_t got;

    if (result != 0) {
        return result;
    }
    if (host == NULL) {
        return -ENODATA;
    }
    proc = local_proc_path(place.fd);
    got = getxattr(proc.text, host, buf, size);
    return got < 0 ? -errno : got;
}

ssize_t local_listxattr(FsDev *fs, const char *path, void *buf, size_t size)
{
    Local *l = (Local *)fs;
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    g_autofree char *all = g_malloc(LIST_MAX);
    LocalProcPath proc;
    int result = local_find(l, path, &place);
    ssize_t len;
    size_t used = 0;

    if (result != 0) {
        return result;
    }
    proc = local_proc_path(place.fd);
    len = listxattr(proc.text, all, LIST_MAX);
    if (len < 0) {
        return -errno;
    }
    for (char *name = all; name < all + len; name += strlen(name) + 1) {
        const char *shown = guest_name(l, name);

        if (shown == NULL) {
            continue;
        }
        if (size != 0) {
            if (strlen(shown) + 1 > size - used) {
                return -ERANGE;
            }
            memcpy((char *)buf + used, shown, strlen(shown) + 1);
        }
        used += strlen(shown) + 1;
    }
    return used;
}

int local_setxattr(FsDev *fs, const char *path, const char *name, const void *value, size_t size,
                   int flags)
{
    Local *l = (Local *)fs;
    g_autofree char *host = host_name(l, name);
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    LocalProcPath proc;
    int result = local_find(l, path, &place);

    if (result != 0) {
        return result;
    }
    if (host == NULL) {
        return -EACCES;
    }
    proc = local_proc_path(place.fd);
    return setxattr(proc.text, host, value, size, flags) == 0 ? 0 : -errno;
}

int local_removexattr(FsDev *fs, const char *path, const char *name)
{
    Local *l = (Local *)fs;
    g_autofree char *host = host_name(l, name);
    g_auto(LocalPlace) place = LOCAL_PLACE_INIT;
    LocalProcPath proc;
    int result = local_find(l, path, &place);

    if (result != 0) {
        return result;
    }
    if (host == NULL) {
        return -EACCES;
    }
    proc = local_proc_path(place.fd);
    return removexattr(proc.text, host) == 0 ? 0 : -errno;
}
