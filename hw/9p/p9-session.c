/* SPDX-License-Identifier: GPL-2.0-or-later
 * A session's life, negotiation, and the way of each message to its handler and of the reply back.
 */
#include <errno.h>
#include <string.h>

#include "p9-priv.h"

P9Session *p9_session_new(FsDev *fs)
{
    P9Session *s = g_new0(P9Session, 1);

    s->fs = fsdev_ref(fs);
    s->fids = g_hash_table_new(NULL, NULL);
    pthread_rwlock_init(&s->tree, NULL);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void p9_session_reset(P9Session *s)
{
    p9_fid_remove_all(s);
    s->dialect = P9_NO_VERSION;
    s->msize = 0;
}

void p9_session_free(P9Session *s)
{
    if (s == NULL) {
        return;
    }
    p9_session_reset(s);
    g_hash_table_unref(s->fids);
    pthread_mutex_destroy(&s->lock);
    pthread_rwlock_destroy(&s->tree);
    fsdev_unref(s->fs);
    g_free(s);
}

P9_HANDLER(p9_version)
{
    uint32_t msize = p9_get32(in);
    g_autofree char *version = p9_get_string(in);

    if (in->bad) {
        return -EPROTO;
    }
    p9_session_reset(s);
    if (msize < P9_MSIZE_MIN) {
        return -EMSGSIZE;
    }
    if (strcmp(version, "9P2000.L") == 0) {
        s->dialect = P9_2000_L;
    } else if (strcmp(version, "9P2000.u") == 0) {
        s->dialect = P9_2000_U;
    }
    s->msize = MIN(msize, P9_MSIZE_MAX);
    p9_put32(out, s->msize);
    p9_put_string(out, s->dialect != P9_NO_VERSION ? version : "unknown");
    return 0;
}

P9_HANDLER(p9_flush)
{
    p9_get16(in);
    return in->bad ? -EPROTO : 0; /* the carrier has seen to the message that was meant */
}

P9_HANDLER(p9_auth)
{
    return -EOPNOTSUPP;
}

bool p9_flushed_tag(const P9Message *m, uint16_t *tag)
{
    P9Reader in = { .iov = m->out, .n = m->n_out, .pos = P9_HEADER_SIZE, .end = m->size };

    if (m->size < P9_HEADER_SIZE || m->size > m->out_size) {
        return false;
    }
    *tag = p9_get16(&in);
    return !in.bad;
}

/* ---- dispatch ---- */

enum { IN_L = 1, IN_U = 2, IN_BOTH = 3 };
typedef enum { TREE_UNUSED, TREE_USED, TREE_CHANGED } TreeUse; /* which lock it takes */

typedef struct {
    P9Handler handler;
    uint8_t dialects;
    TreeUse tree;
} Entry;

static const Entry entries[256] = {
    [P9_TVERSION] = { p9_version, 0, TREE_UNUSED },
    [P9_TFLUSH] = { p9_flush, 0, TREE_UNUSED },
    [P9_TAUTH] = { p9_auth, 0, TREE_UNUSED },
    [P9_TATTACH] = { p9_attach, IN_BOTH, TREE_USED },
    [P9_TWALK] = { p9_walk, IN_BOTH, TREE_USED },
    [P9_TCLUNK] = { p9_clunk, IN_BOTH, TREE_USED },
    [P9_TREMOVE] = { p9_remove, IN_BOTH, TREE_USED },
    [P9_TREAD] = { p9_read, IN_BOTH, TREE_UNUSED },
    [P9_TWRITE] = { p9_write, IN_BOTH, TREE_UNUSED },
    [P9_TSTATFS] = { p9_statfs, IN_L, TREE_USED },
    [P9_TLOPEN] = { p9_lopen, IN_L, TREE_USED },
    [P9_TLCREATE] = { p9_lcreate, IN_L, TREE_USED },
    [P9_TSYMLINK] = { p9_symlink, IN_L, TREE_USED },
    [P9_TMKNOD] = { p9_mknod, IN_L, TREE_USED },
    [P9_TRENAME] = { p9_rename, IN_L, TREE_CHANGED },
    [P9_TREADLINK] = { p9_readlink, IN_L, TREE_USED },
    [P9_TGETATTR] = { p9_getattr, IN_L, TREE_USED },
    [P9_TSETATTR] = { p9_setattr, IN_L, TREE_USED },
    [P9_TXATTRWALK] = { p9_xattrwalk, IN_L, TREE_USED },
    [P9_TXATTRCREATE] = { p9_xattrcreate, IN_L, TREE_USED },
    [P9_TREADDIR] = { p9_readdir, IN_L, TREE_UNUSED },
    [P9_TFSYNC] = { p9_fsync, IN_L, TREE_UNUSED },
    [P9_TLOCK] = { p9_lock, IN_L, TREE_UNUSED },
    [P9_TGETLOCK] = { p9_getlock, IN_L, TREE_UNUSED },
    [P9_TLINK] = { p9_link, IN_L, TREE_USED },
    [P9_TMKDIR] = { p9_mkdir, IN_L, TREE_USED },
    [P9_TRENAMEAT] = { p9_renameat, IN_L, TREE_CHANGED },
    [P9_TUNLINKAT] = { p9_unlinkat, IN_L, TREE_USED },
    [P9_TOPEN] = { p9_open, IN_U, TREE_USED },
    [P9_TCREATE] = { p9_create, IN_U, TREE_USED },
    [P9_TSTAT] = { p9_stat, IN_U, TREE_USED },
    [P9_TWSTAT] = { p9_wstat, IN_U, TREE_CHANGED },
};

bool p9_read_header(P9Message *m)
{
    P9Reader in = { .iov = m->out, .n = m->n_out, .end = m->out_size };

    m->size = p9_get32(&in);
    m->type = p9_get8(&in);
    m->tag = p9_get16(&in);
    return !in.bad && m->in_size >= P9_HEADER_SIZE;
}

static int check(const P9Session *s, const P9Message *m, const Entry *e)
{
    uint8_t dialect = s->dialect == P9_2000_L ? IN_L : s->dialect == P9_2000_U ? IN_U : 0;

    if (m->size < P9_HEADER_SIZE || m->size > m->out_size) {
        return -EPROTO;
    }
    if (e->handler == NULL) {
        return -EOPNOTSUPP;
    }
    if (e->dialects == 0) {
        return 0;
    }
    if ((e->dialects & dialect) == 0) {
        return -EOPNOTSUPP;
    }
    return m->size > s->msize ? -EMSGSIZE : 0;
}

static int run(P9Session *s, P9Message *m, P9Writer *out)
{
    const Entry *e = &entries[m->type];
    P9Reader in = { .iov = m->out, .n = m->n_out, .pos = P9_HEADER_SIZE, .end = m->size };
    int result = check(s, m, e);

    if (result != 0) {
        return result;
    }
    if (e->tree == TREE_USED) {
        pthread_rwlock_rdlock(&s->tree);
    } else if (e->tree == TREE_CHANGED) {
        pthread_rwlock_wrlock(&s->tree);
    }
    result = e->handler(s, m, &in, out);
    if (e->tree != TREE_UNUSED) {
        pthread_rwlock_unlock(&s->tree);
    }
    return result == 0 && out->full ? -EMSGSIZE : result;
}

static P9Writer reply_writer(const P9Session *s, const P9Message *m)
{
    uint64_t end = s->msize != 0 ? MIN(m->in_size, s->msize) : MIN(m->in_size, P9_MSIZE_MIN);

    return (P9Writer){ .iov = m->in, .n = m->n_in, .pos = P9_HEADER_SIZE, .end = end };
}

/* 9P2000.u sends text and number, .L (and who has not negotiated yet) the number alone. */
static uint8_t put_error(const P9Session *s, P9Writer *out, int err)
{
    if (s->dialect == P9_2000_U) {
        p9_put_string(out, g_strerror(err));
        p9_put32(out, err);
        return P9_RERROR;
    }
    p9_put32(out, err);
    return P9_RLERROR;
}

bool p9_serve(P9Session *s, P9Message *m)
{
    P9Writer out = reply_writer(s, m);
    uint8_t type = m->type + 1;
    int result = run(s, m, &out);
    P9Writer header;

    m->reply_size = 0;
    if (result == -EINTR && fs_call_is_cancelled(m->call)) {
        return true;
    }
    if (result != 0) {
        out = reply_writer(s, m);
        type = put_error(s, &out, -result);
    }
    if (out.full) {
        return false;
    }
    header = out;
    header.pos = 0;
    p9_put32(&header, out.pos);
    p9_put8(&header, type);
    p9_put16(&header, m->tag);
    m->reply_size = out.pos;
    return true;
}
