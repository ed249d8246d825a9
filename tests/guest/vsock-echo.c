/* SPDX-License-Identifier: GPL-2.0-or-later
 * A guest's program for the vsock test: "connect PORT TEXT" sends TEXT to the host's port and
 * prints what comes back until the end; "listen PORT" takes one connection and sends everything
 * back.
 */
#include <sys/socket.h>

#include <linux/vm_sockets.h> /* needs the one above */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int write_all(int fd, const char *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, buf, len);

        if (n <= 0) {
            return -1;
        }
        buf += n;
        len -= n;
    }
    return 0;
}

static int copy(int from, int to)
{
    char buf[65536];
    ssize_t n;

    while ((n = read(from, buf, sizeof(buf))) > 0) {
        if (write_all(to, buf, n) != 0) {
            return -1;
        }
    }
    return n == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK };
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0), peer;

    if (argc < 3 || fd < 0) {
        return fail("socket");
    }
    address.svm_port = strtoul(argv[2], NULL, 10);
    if (strcmp(argv[1], "connect") == 0) {
        address.svm_cid = VMADDR_CID_HOST;
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
            return fail("connect");
        }
        if (write_all(fd, argv[3], strlen(argv[3])) != 0 || shutdown(fd, SHUT_WR) != 0) {
            return fail("write");
        }
        return copy(fd, STDOUT_FILENO) == 0 ? 0 : fail("read");
    }
    address.svm_cid = VMADDR_CID_ANY;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1) != 0) {
        return fail("listen");
    }
    puts("vsock-echo: listening");
    fflush(stdout);
    peer = accept(fd, NULL, NULL);
    if (peer < 0) {
        return fail("accept");
    }
    return copy(peer, peer) == 0 ? 0 : fail("echo");
}
