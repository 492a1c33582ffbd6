// SPDX-License-Identifier: Apache-2.0
// From an address as people write it to a listening socket.
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/acceptor.h"

enum { HOST_MAX_BYTES = 255 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
};

// Splits "host:port" and "[v6]:port".
static bool split(const char *listen, char host[HOST_MAX_BYTES + 1], const char **port)
{
    const char *colon = strrchr(listen, ':');
    size_t length = colon != NULL ? (size_t)(colon - listen) : 0;

    if (length == 0 || length > HOST_MAX_BYTES || colon[1] == '\0')
        return false;
    if (strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return false;
    bool bracketed = listen[0] == '[' && listen[length - 1] == ']';
    if (!bracketed && memchr(listen, ':', length) != NULL)
        return false;
    snprintf(host, HOST_MAX_BYTES + 1, "%.*s", (int)(bracketed ? length - 2 : length),
             bracketed ? listen + 1 : listen);
    *port = colon + 1;
    return true;
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static bool bind_and_listen(const struct addrinfo *info, struct listener *listener)
{
    union address bound;
    socklen_t length = sizeof bound;
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, &bound.any, &length) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return false;
    }
    listener->fd = fd;
    listener->port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
    listener->loopback = is_loopback(&bound);
    return true;
}

enum error listener_bind(const char *listen, struct listener *listener, struct failure *failure)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    char host[HOST_MAX_BYTES + 1];
    const char *port;

    if (!split(listen, host, &port))
        return failure_set(failure, ERROR_USAGE,
                           "cannot listen on \"%s\": it must be ADDRESS:PORT or [IPv6]:PORT",
                           listen);
    int wrong = getaddrinfo(host, port, &hints, &info);
    if (wrong != 0)
        return failure_set(failure, ERROR_USAGE, "cannot listen on %s: %s", listen,
                           gai_strerror(wrong));
    bool ok = bind_and_listen(info, listener);
    int saved = errno;
    freeaddrinfo(info);
    if (ok)
        return ERROR_OK;
    return failure_set(failure, ERROR_IO, "cannot listen on %s: %s", listen, strerror(saved));
}
