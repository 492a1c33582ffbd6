// SPDX-License-Identifier: Apache-2.0
// Sockets between nodes: see the header.
#include "paxos/net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    KEEPALIVE_SECONDS = 5,      // a connection that is silent by nature is probed so often
    NOT_SENT_BYTES = 128 << 10, // what the kernel holds of bulk beside what is under way
};

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
};

void address_text(const struct sockaddr *address, char text[ADDRESS_TEXT_MAX])
{
    bool v6 = address->sa_family == AF_INET6;
    socklen_t length = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    char host[INET6_ADDRSTRLEN], port[8];

    if (getnameinfo(address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(text, ADDRESS_TEXT_MAX, "unknown");
    else
        snprintf(text, ADDRESS_TEXT_MAX, v6 ? "[%s]:%s" : "%s:%s", host, port);
}

void address_of_peer(int fd, char text[ADDRESS_TEXT_MAX])
{
    union any_address address = {0};
    socklen_t length = sizeof address;

    if (getpeername(fd, &address.any, &length) != 0)
        snprintf(text, ADDRESS_TEXT_MAX, "unknown");
    else
        address_text(&address.any, text);
}

bool address_is_own(int fd)
{
    char ours[ADDRESS_TEXT_MAX], theirs[ADDRESS_TEXT_MAX];
    union any_address address = {0};
    socklen_t length = sizeof address;

    if (getsockname(fd, &address.any, &length) != 0)
        return false;
    address_text(&address.any, ours);
    address_of_peer(fd, theirs);
    return strcmp(ours, theirs) == 0;
}

static void set(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

void address_tune(int fd, uint64_t silence_ms)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)silence_ms);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_SECONDS);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
}

void address_tune_bulk(int fd)
{
    set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOT_SENT_BYTES);
}

static int bind_and_listen(const struct addrinfo *info, uint16_t *port)
{
    union any_address bound = {0};
    socklen_t length = sizeof bound;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, &bound.any, &length) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
    return fd;
}

// A name may stand for an address that changes, as in containers, or that only this host can reach, as
// Debian's entry of 127.0.1.1 for the host's own name: then all addresses are listened on.
static const char *host_to_bind(const char *host)
{
    struct in6_addr ignored;

    if (inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1 ||
        strcmp(host, "localhost") == 0)
        return host;
    return NULL;
}

enum error address_listen(const struct peer_address *address, int *fd, uint16_t *port,
                          struct failure *failure)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    char service[8];

    snprintf(service, sizeof service, "%u", address->port);
    int wrong = getaddrinfo(host_to_bind(address->host), service, &hints, &info);
    if (wrong != 0)
        return failure_set(failure, ERROR_IO, "cannot listen for other nodes on %s port %u: %s",
                           address->host, address->port, gai_strerror(wrong));
    int listening = bind_and_listen(info, port);
    int saved = errno;
    freeaddrinfo(info);
    if (listening < 0)
        return failure_set(failure, ERROR_IO, "cannot listen for other nodes on %s port %u: %s",
                           address->host, address->port, strerror(saved));
    *fd = listening;
    return ERROR_OK;
}
