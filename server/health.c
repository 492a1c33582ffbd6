// SPDX-License-Identifier: Apache-2.0
// The bound on time is an alarm, since a look-up of a name cannot be bounded in another way.
#include "server/health.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/json_reader.h"

enum { GIVE_UP_S = 2, HOST_MAX = 256, REQUEST_MAX = 512, REPLY_MAX = 8192, JSON_DEPTH = 8 };

struct question {
    char host[HOST_MAX];
    const char *port;
    char reply[REPLY_MAX]; // NUL-terminated
    size_t length;
};

static void give_up(int received)
{
    static const char line[] = "not ready: no answer after 2 s\n";

    (void)received;
    if (write(STDOUT_FILENO, line, sizeof line - 1) < 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_FAILURE);
}

static enum error find_place(const char *listen, struct question *question, struct failure *failure)
{
    const char *colon = strrchr(listen, ':');
    size_t length = colon != NULL ? (size_t)(colon - listen) : 0;
    bool brackets = length > 2 && listen[0] == '[' && listen[length - 1] == ']';

    if (length == 0 || length >= HOST_MAX || strtoul(colon + 1, NULL, 10) == 0)
        return failure_set(failure, ERROR_USAGE, "--listen is \"%.300s\", which names no port",
                           listen);
    snprintf(question->host, HOST_MAX, "%.*s", (int)(brackets ? length - 2 : length),
             brackets ? listen + 1 : listen);
    if (strcmp(question->host, "0.0.0.0") == 0)
        snprintf(question->host, HOST_MAX, "127.0.0.1");
    else if (strcmp(question->host, "::") == 0)
        snprintf(question->host, HOST_MAX, "::1");
    question->port = colon + 1;
    return ERROR_OK;
}

static enum error reach(const struct question *question, int *fd, struct failure *failure)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *info = NULL;

    int wrong = getaddrinfo(question->host, question->port, &hints, &info);
    if (wrong != 0)
        return failure_set(failure, ERROR_IO, "%s: %s", question->host, gai_strerror(wrong));
    *fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = *fd >= 0 && connect(*fd, info->ai_addr, info->ai_addrlen) == 0;
    int saved = errno;
    freeaddrinfo(info);
    if (ok)
        return ERROR_OK;
    if (*fd >= 0)
        close(*fd);
    return failure_set(failure, ERROR_IO, "nothing answers at %s port %s: %s", question->host,
                       question->port, strerror(saved));
}

static enum error converse(int fd, struct question *question, struct failure *failure)
{
    bool v6 = strchr(question->host, ':') != NULL;
    char request[REQUEST_MAX];
    ssize_t got = 0;

    int length =
        snprintf(request, sizeof request,
                 "GET /readyz?verbose HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n\r\n",
                 v6 ? "[" : "", question->host, v6 ? "]" : "", question->port);
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        return failure_set(failure, ERROR_IO, "the connection is closed before the question");
    do {
        question->length += (size_t)got;
        got = recv(fd, question->reply + question->length, REPLY_MAX - 1 - question->length, 0);
    } while (got > 0);
    question->reply[question->length] = '\0';
    if (got < 0 || question->length == 0)
        return failure_set(failure, ERROR_IO, "the connection is closed without an answer");
    return ERROR_OK;
}

// The sentence of a problem; anything may listen there, so it is only taken from what is right.
static void explain(const struct question *question, struct failure *failure)
{
    const char *body = strstr(question->reply, "\r\n\r\n");
    struct json_string_value text = {.text = "", .length = 0};
    struct json_document *document = NULL;
    enum json_presence presence;
    struct problem problem = {0};

    failure_set(failure, ERROR_STARTING, "what answers at %s port %s is no node of Curlew",
                question->host, question->port);
    if (body == NULL ||
        json_parse(body + 4, strlen(body + 4), JSON_DEPTH, &document, &problem) != ERROR_OK)
        return;
    struct json_object *root = json_root(document);
    json_get_string(root, "title", false, "the reply", &text, &presence, &problem);
    json_get_string(root, "detail", false, "the reply", &text, &presence, &problem);
    if (text.length > 0)
        failure_set(failure, ERROR_STARTING, "%s", text.text);
    json_free(document);
}

static enum error ask(const char *listen, struct question *question, struct failure *failure)
{
    int fd = -1;
    enum error error = find_place(listen, question, failure);

    if (error == ERROR_OK)
        error = reach(question, &fd, failure);
    if (error != ERROR_OK)
        return error;
    error = converse(fd, question, failure);
    close(fd);
    if (error != ERROR_OK || strncmp(question->reply, "HTTP/1.1 200 ", 13) == 0)
        return error;
    explain(question, failure);
    return ERROR_STARTING;
}

int health_run(const struct options *options)
{
    struct question question = {.length = 0};
    struct failure failure = {0};

    signal(SIGALRM, give_up);
    alarm(GIVE_UP_S);
    if (ask(options->listen, &question, &failure) == ERROR_OK) {
        puts("ready");
        return EXIT_SUCCESS;
    }
    for (char *at = failure.text; *at != '\0'; at++)
        *at = iscntrl((unsigned char)*at) ? ' ' : *at;
    printf("not ready: %s\n", failure.text);
    return EXIT_FAILURE;
}
