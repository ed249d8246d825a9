/* SPDX-License-Identifier: GPL-2.0-or-later
 * Signals as a system call sees them: blocked while it runs, pending where it looks, handled when
 * it returns. What RUN does about them is in vcpu.c.
 */
#include <string.h>
#include <sys/signalfd.h>

#include "gunyah-priv.h"

/* Signals the thread's own instructions raise stay as they are. */
static const int synchronous[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };

/* The kernel throws these away when they are sent, unless they are blocked. */
static bool is_ignored(int sig)
{
    struct sigaction action;

    if (sigaction(sig, NULL, &action) < 0) {
        return true;
    }
    if (action.sa_handler == SIG_IGN) {
        return true;
    }
    return action.sa_handler == SIG_DFL &&
           (sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH || sig == SIGCONT);
}

/* Lowest signal that is pending and that the caller had not blocked; 0: none. */
int vcpu_signal_pending(const GhVcpu *vcpu)
{
    const struct timespec now = { 0 };
    sigset_t pending, one;

    if (sigpending(&pending) < 0 || sigisemptyset(&pending)) {
        return 0;
    }
    for (int sig = 1; sig < NSIG; sig++) {
        if (sigismember(&pending, sig) != 1 || sigismember(&vcpu->caller_mask, sig) == 1) {
            continue;
        }
        if (!is_ignored(sig)) {
            return sig;
        }
        sigemptyset(&one);
        sigaddset(&one, sig);
        sigtimedwait(&one, NULL, &now);
    }
    return 0;
}

/* What may interrupt: all but the caller's mask. Rarely changes from call to call. */
static void watch_signals(GhVcpu *vcpu, const sigset_t *all)
{
    sigset_t watched = *all;

    for (int sig = 1; sig < NSIG; sig++) {
        if (sigismember(&vcpu->caller_mask, sig) == 1) {
            sigdelset(&watched, sig);
        }
    }
    signalfd(vcpu->signals, &watched, 0);
    vcpu->watched_mask = vcpu->caller_mask;
    vcpu->watching = true;
}

/* Blocks everything, and has vcpu->signals report what the caller would have let through. */
void vcpu_block_signals(GhVcpu *vcpu)
{
    sigset_t all;

    sigfillset(&all);
    for (unsigned i = 0; i < G_N_ELEMENTS(synchronous); i++) {
        sigdelset(&all, synchronous[i]);
    }
    sigemptyset(&vcpu->caller_mask); /* the C library fills in what the kernel has */
    pthread_sigmask(SIG_SETMASK, &all, &vcpu->caller_mask);
    if (!vcpu->watching ||
        memcmp(&vcpu->caller_mask, &vcpu->watched_mask, sizeof(vcpu->caller_mask)) != 0) {
        watch_signals(vcpu, &all);
    }
}

/* TRUE if the kernel would restart the call after the handler of sig. */
bool vcpu_restarts_after(int sig)
{
    struct sigaction action;

    return sigaction(sig, NULL, &action) == 0 &&
           (action.sa_handler == SIG_DFL || action.sa_flags & SA_RESTART);
}
