/* SPDX-License-Identifier: GPL-2.0-or-later
 * Numbers of the 9P protocol: 9P2000 (Plan 9 manual, section 5) with the extensions 9P2000.u and
 * 9P2000.L (diod's protocol description). Numbers on the wire are little endian.
 */
#pragma once

#include <stdint.h>

enum {
    P9_RLERROR = 7,
    P9_TSTATFS = 8,
    P9_TLOPEN = 12,
    P9_TLCREATE = 14,
    P9_TSYMLINK = 16,
    P9_TMKNOD = 18,
    P9_TRENAME = 20,
    P9_TREADLINK = 22,
    P9_TGETATTR = 24,
    P9_TSETATTR = 26,
    P9_TXATTRWALK = 30,
    P9_TXATTRCREATE = 32,
    P9_TREADDIR = 40,
    P9_TFSYNC = 50,
    P9_TLOCK = 52,
    P9_TGETLOCK = 54,
    P9_TLINK = 70,
    P9_TMKDIR = 72,
    P9_TRENAMEAT = 74,
    P9_TUNLINKAT = 76,
    P9_TVERSION = 100,
    P9_TAUTH = 102,
    P9_TATTACH = 104,
    P9_RERROR = 107,
    P9_TFLUSH = 108,
    P9_TWALK = 110,
    P9_TOPEN = 112,
    P9_TCREATE = 114,
    P9_TREAD = 116,
    P9_TWRITE = 118,
    P9_TCLUNK = 120,
    P9_TREMOVE = 122,
    P9_TSTAT = 124,
    P9_TWSTAT = 126,
};

enum {
    P9_HEADER_SIZE = 7,
    P9_QID_SIZE = 13,
    P9_WALK_MAX = 16,
    P9_MSIZE_MIN = 4096,
    P9_MSIZE_MAX = 1 << 20,
    P9_IO_HEADER = 24, /* of the largest message that carries data */
    P9_NO_UID = UINT32_MAX,

    P9_QT_DIR = 0x80,
    P9_QT_APPEND = 0x40,
    P9_QT_SYMLINK = 0x02,
    P9_QT_FILE = 0x00,

    P9_GETATTR_BASIC = 0x7ff,

    P9_SETATTR_MODE = 1 << 0,
    P9_SETATTR_UID = 1 << 1,
    P9_SETATTR_GID = 1 << 2,
    P9_SETATTR_SIZE = 1 << 3,
    P9_SETATTR_ATIME = 1 << 4,
    P9_SETATTR_MTIME = 1 << 5,
    P9_SETATTR_CTIME = 1 << 6,
    P9_SETATTR_ATIME_SET = 1 << 7,
    P9_SETATTR_MTIME_SET = 1 << 8,

    P9_LOCK_TYPE_READ = 0,
    P9_LOCK_TYPE_WRITE = 1,
    P9_LOCK_TYPE_UNLOCK = 2,
    P9_LOCK_FLAG_BLOCK = 1,
    P9_LOCK_FLAG_RECLAIM = 2,
    P9_LOCK_SUCCESS = 0,
    P9_LOCK_BLOCKED = 1,

    P9_AT_REMOVEDIR = 0x200,

    P9_XATTR_CREATE = 1,
    P9_XATTR_REPLACE = 2,
    P9_XATTR_MAX = 65536,
};

/* Flags of Tlopen and Tlcreate: those of Linux on most machines. */
enum {
    P9_L_ACCESS = 03,
    P9_L_EXCL = 0200,
    P9_L_TRUNC = 01000,
    P9_L_APPEND = 02000,
    P9_L_DSYNC = 010000,
    P9_L_DIRECTORY = 0200000,
    P9_L_SYNC = 04000000,
};

/* 9P2000.u: modes of Topen and Tcreate, permission bits. */
enum {
    P9_O_ACCESS = 0x03,
    P9_O_EXEC = 0x03,
    P9_O_TRUNC = 0x10,
    P9_O_CLOSE_EXEC = 0x20,
    P9_O_REMOVE_ON_CLOSE = 0x40,
    P9_O_EXCL = 0x1000,
};
#define P9_DM_DIR        UINT32_C(0x80000000)
#define P9_DM_SYMLINK    UINT32_C(0x02000000)
#define P9_DM_LINK       UINT32_C(0x01000000)
#define P9_DM_DEVICE     UINT32_C(0x00800000)
#define P9_DM_NAMED_PIPE UINT32_C(0x00200000)
#define P9_DM_SOCKET     UINT32_C(0x00100000)
#define P9_DM_SETUID     UINT32_C(0x00080000)
#define P9_DM_SETGID     UINT32_C(0x00040000)
