// libevent's core and the socket calls of the loop, for Swift. Buffers are ours.
#pragma once
// Ahead of any event2 header: Debian's event-config.h defines _GNU_SOURCE, which changes fd_set and
// makes this module clash with Glibc in debug and sanitizer builds.
#include <sys/types.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/socket.h>
#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Each function gives a result of 0 or above, or the negated errno: errno is read in the same call,
// as Swift may run code that changes it between two statements.

// Declared here because <sys/socket.h> shows it under _GNU_SOURCE only.
extern int accept4(int, struct sockaddr *, socklen_t *, int);

// recv(2); 0 is the end of the peer's output.
static inline ssize_t holdfast_receive(int fd, void *bytes, size_t count) {
    ssize_t result;
    do result = recv(fd, bytes, count, 0); while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

// send(2), without SIGPIPE.
static inline ssize_t holdfast_send(int fd, const void *bytes, size_t count) {
    ssize_t result;
    do result = send(fd, bytes, count, MSG_NOSIGNAL); while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

// accept4(2): a descriptor that does not block and is not inherited by children.
static inline int holdfast_accept(int fd) {
    int result;
    do result = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

// eventfd(2) that does not block.
static inline int holdfast_eventfd(void) {
    int result = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return result < 0 ? -errno : result;
}

// Adds 1 to an eventfd. A full counter is as good: the reader wakes either way.
static inline void holdfast_eventfd_signal(int fd) { (void)eventfd_write(fd, 1); }

// Sets an eventfd back to 0.
static inline void holdfast_eventfd_clear(int fd) {
    eventfd_t value;
    (void)eventfd_read(fd, &value);
}

// Fills an address from numeric text of IPv4 or IPv6; gives its length, or -EINVAL.
static inline int holdfast_address(const char *host, uint16_t port, struct sockaddr_storage *out) {
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return (int)sizeof *four;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        return (int)sizeof *six;
    }
    return -EINVAL;
}

// 4 or 6 for numeric text of that family, else 0; *loopback tells whether it names this machine.
static inline int holdfast_address_family(const char *host, int *loopback) {
    struct sockaddr_storage address;
    int length = holdfast_address(host, 0, &address);
    *loopback = 0;
    if (length < 0) return 0;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
        *loopback = ntohl(four->sin_addr.s_addr) >> 24 == 127;
        return 4;
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
    *loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    return 6;
}

// A listening socket that does not block. What accepted sockets inherit is set here once: no delay,
// and a bound on what the kernel holds for a peer that does not read. With shared, several sockets
// of this user may listen on the port, and the kernel spreads connections over them.
static inline int holdfast_listen(
    const char *host, uint16_t port, int shared, int backlog, int send_byte_count) {
    struct sockaddr_storage address;
    int length = holdfast_address(host, port, &address);
    if (length < 0) return length;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int on = 1, off = 0;
    int failed = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0;
    if (!failed && shared) failed = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0;
    if (!failed && address.ss_family == AF_INET6)
        failed = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0;
    if (!failed) failed = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0;
    if (!failed && send_byte_count > 0)
        failed = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_byte_count, sizeof send_byte_count) < 0;
    if (!failed) failed = bind(fd, (struct sockaddr *)&address, (socklen_t)length) < 0;
    if (!failed) failed = listen(fd, backlog) < 0;
    if (!failed) return fd;
    int error = errno;
    close(fd);
    return -error;
}

// Fills the address of a socket in the file system; gives its length, or -ENAMETOOLONG.
static inline int holdfast_local_address(const char *path, struct sockaddr_un *out) {
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof out->sun_path) return -ENAMETOOLONG;
    memcpy(out->sun_path, path, length);
    return (int)sizeof *out;
}

// connect(2) to a socket in the file system, blocking; gives the descriptor.
static inline int holdfast_connect_local(const char *path) {
    struct sockaddr_un address;
    int length = holdfast_local_address(path, &address);
    if (length < 0) return length;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&address, (socklen_t)length) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

// A listening socket in the file system that does not block, with this mode before anybody can
// connect. A file that stands there is -EADDRINUSE, whatever it is.
static inline int holdfast_listen_local(
    const char *path, mode_t mode, int backlog, int send_byte_count) {
    struct sockaddr_un address;
    int length = holdfast_local_address(path, &address);
    if (length < 0) return length;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int failed = 0;
    if (send_byte_count > 0)
        failed = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_byte_count, sizeof send_byte_count) < 0;
    if (!failed) failed = bind(fd, (struct sockaddr *)&address, (socklen_t)length) < 0;
    int is_bound = !failed;
    if (!failed) failed = chmod(path, mode) < 0;
    if (!failed) failed = listen(fd, backlog) < 0;
    if (!failed) return fd;
    int error = errno;
    if (is_bound) unlink(path);
    close(fd);
    return -error;
}

// Whether path is a socket: 1, 0, or the negated errno; identity is that of the file.
static inline int holdfast_is_socket(const char *path, uint64_t *device, uint64_t *inode) {
    struct stat status;
    if (lstat(path, &status) < 0) return -errno;
    *device = status.st_dev;
    *inode = status.st_ino;
    return S_ISSOCK(status.st_mode) ? 1 : 0;
}

// The port a socket is bound to.
static inline int holdfast_local_port(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -EAFNOSUPPORT;
}

// Writes the peer's numeric address into text of at least 46 bytes; gives its port.
static inline int holdfast_peer(int fd, char *text, size_t count) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
    if (address.ss_family == AF_INET) {
        struct sockaddr_in *four = (struct sockaddr_in *)&address;
        if (!inet_ntop(AF_INET, &four->sin_addr, text, (socklen_t)count)) return -errno;
        return ntohs(four->sin_port);
    }
    if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
        if (!inet_ntop(AF_INET6, &six->sin6_addr, text, (socklen_t)count)) return -errno;
        return ntohs(six->sin6_port);
    }
    return -EAFNOSUPPORT;
}

// The network of the peer: its IPv4 address, or the first half of its IPv6 one; 0 for none.
static inline uint64_t holdfast_peer_network(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    uint64_t network = 0;
    if (getpeername(fd, (struct sockaddr *)&address, &length) < 0) return 0;
    if (address.ss_family == AF_INET) return ((struct sockaddr_in *)&address)->sin_addr.s_addr;
    if (address.ss_family != AF_INET6) return 0;
    const struct in6_addr *six = &((struct sockaddr_in6 *)&address)->sin6_addr;
    // An IPv4 peer of a socket that takes both.
    int is_four = IN6_IS_ADDR_V4MAPPED(six);
    memcpy(&network, six->s6_addr + (is_four ? 12 : 0), is_four ? 4 : 8);
    return network;
}

// A socket on its way to an address, not blocking: connected, or connecting until it is writable.
static inline int holdfast_connect(const char *host, uint16_t port) {
    struct sockaddr_storage address;
    int length = holdfast_address(host, port, &address);
    if (length < 0) return length;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int on = 1;
    int failed = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0;
    if (!failed)
        failed = connect(fd, (struct sockaddr *)&address, (socklen_t)length) < 0
            && errno != EINPROGRESS;
    if (!failed) return fd;
    int error = errno;
    close(fd);
    return -error;
}

// 0 when a socket that was connecting is connected, else the negated errno of its failure.
static inline int holdfast_connected(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
    return -error;
}

// getaddrinfo(3): writes the numeric addresses of a name, each ended by a newline, into text that
// has room for count bytes; blocks. Gives 0, or an EAI code.
static inline int holdfast_resolve(const char *name, char *text, size_t count) {
    struct addrinfo hints, *found = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    int result = getaddrinfo(name, NULL, &hints, &found);
    if (result != 0) return result;
    size_t used = 0;
    for (struct addrinfo *one = found; one; one = one->ai_next) {
        char host[NI_MAXHOST];
        if (getnameinfo(one->ai_addr, one->ai_addrlen, host, sizeof host, NULL, 0,
                NI_NUMERICHOST) != 0)
            continue;
        size_t length = strlen(host);
        if (used + length + 2 > count) break;
        memcpy(text + used, host, length);
        text[used + length] = '\n';
        used += length + 1;
    }
    text[used] = 0;
    freeaddrinfo(found);
    return used > 0 ? 0 : EAI_NONAME;
}
