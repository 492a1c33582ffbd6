// SPDX-License-Identifier: Apache-2.0
// Holds many streams of changes (Server-Sent Events) open and counts what comes. It shares the machine
// with the server, so it looks at no more than the kind of each event.
//
// Usage: streams HOST:PORT STREAMS PATH; "%u" in PATH is the number of the stream. When each has had
// its first bookmark it prints {"ready":N}. Then it takes commands, one per line, and answers each with
// one line of JSON: "zero" sets the counters to 0; "count" tells them; "until N" tells them once N
// changes have come. It ends with its input.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    STREAMS_MAX = 20000,
    OPENING_MAX = 100,
    REQUEST_MAX = 4096,
    LINE_MAX = 64,
    READ_MAX = 65536
};

// Where in a chunked reply the next byte stands.
enum place { HEAD, SIZE, DATA, DATA_END };

struct stream {
    int fd;
    enum place place;
    size_t left;         // of DATA or DATA_END
    size_t size;         // read so far of SIZE
    size_t head_matched; // of the empty line that ends the head
    char line[LINE_MAX]; // the beginning of the current line of DATA
    size_t line_length;
    bool ready;
    uint64_t changes;
};

struct counters {
    uint64_t changes;
    uint64_t resets;
    uint64_t lost; // streams that the server has closed
    uint64_t last_ns;
};

struct client {
    struct sockaddr_in server;
    const char *host;
    const char *path;
    int epoll;
    struct stream *streams;
    unsigned count;
    unsigned opened;
    unsigned ready;
    struct counters counters;
    uint64_t until; // 0: nobody waits
    char command[256];
    size_t command_length;
};

static void die(const char *what)
{
    fprintf(stderr, "streams: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// ---- What comes --------------------------------------------------------------------------------

static bool is_event(const struct stream *stream, const char *kind)
{
    size_t length = strlen(kind);

    return stream->line_length >= 7 + length && memcmp(stream->line, "event: ", 7) == 0 &&
           memcmp(stream->line + 7, kind, length) == 0;
}

static void end_line(struct client *client, struct stream *stream)
{
    if (is_event(stream, "bookmark") && !stream->ready) {
        stream->ready = true;
        client->ready++;
    } else if (is_event(stream, "c") || is_event(stream, "deleted")) {
        stream->changes++;
        client->counters.changes++;
        client->counters.last_ns = now_ns();
    } else if (is_event(stream, "reset")) {
        client->counters.resets++;
    }
    stream->line_length = 0;
}

static void take_data(struct client *client, struct stream *stream, const char *data, size_t length)
{
    const char *end = data + length;

    while (data < end) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        size_t part = (size_t)((stop != NULL ? stop : end) - data);
        size_t room = LINE_MAX - stream->line_length;
        size_t kept = part < room ? part : room;
        memcpy(stream->line + stream->line_length, data, kept);
        stream->line_length += kept;
        if (stop != NULL)
            end_line(client, stream);
        data += part + (stop != NULL);
    }
}

static void take_head(struct stream *stream, char byte)
{
    static const char end[] = "\r\n\r\n";

    stream->head_matched =
        byte == end[stream->head_matched] ? stream->head_matched + 1 : byte == '\r';
    if (stream->head_matched == 4)
        stream->place = SIZE;
}

static void take_size(struct stream *stream, char byte)
{
    if (byte == '\n') {
        stream->place = DATA;
        stream->left = stream->size;
        stream->size = 0;
    } else if (byte != '\r') {
        char digit[2] = {byte, '\0'};
        stream->size = stream->size * 16 + strtoul(digit, NULL, 16);
    }
}

static void take(struct client *client, struct stream *stream, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t part = length - at < stream->left ? length - at : stream->left;
        switch (stream->place) {
        case HEAD:
            take_head(stream, bytes[at++]);
            break;
        case SIZE:
            take_size(stream, bytes[at++]);
            break;
        case DATA:
            take_data(client, stream, bytes + at, part);
            at += part;
            stream->left -= part;
            if (stream->left == 0) {
                stream->place = DATA_END;
                stream->left = 2;
            }
            break;
        case DATA_END:
            at += part;
            stream->left -= part;
            if (stream->left == 0)
                stream->place = SIZE;
            break;
        }
    }
}

static void receive(struct client *client, struct stream *stream)
{
    static char bytes[READ_MAX];
    ssize_t got = recv(stream->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (got > 0) {
        take(client, stream, bytes, (size_t)got);
    } else if (got == 0 || errno != EAGAIN) {
        client->counters.lost++;
        close(stream->fd);
    }
}

// ---- Commands ----------------------------------------------------------------------------------

static void tell(struct client *client)
{
    const struct counters *counters = &client->counters;
    unsigned reached = 0;

    for (unsigned i = 0; i < client->count; i++)
        reached += client->streams[i].changes > 0;
    printf("{\"changes\":%" PRIu64 ",\"resets\":%" PRIu64 ",\"lost\":%" PRIu64
           ",\"last_ns\":%" PRIu64 ",\"reached\":%u}\n",
           counters->changes, counters->resets, counters->lost, counters->last_ns, reached);
    fflush(stdout);
}

static void zero(struct client *client)
{
    client->counters = (struct counters){0};
    for (unsigned i = 0; i < client->count; i++)
        client->streams[i].changes = 0;
}

static void obey(struct client *client, const char *command)
{
    if (strncmp(command, "until ", 6) == 0) {
        client->until = strtoull(command + 6, NULL, 10);
        return;
    }
    if (strcmp(command, "zero") == 0)
        zero(client);
    tell(client);
}

static void read_commands(struct client *client)
{
    char *end;
    ssize_t got = read(STDIN_FILENO, client->command + client->command_length,
                       sizeof client->command - 1 - client->command_length);

    if (got <= 0)
        exit(0);
    client->command_length += (size_t)got;
    client->command[client->command_length] = '\0';
    while ((end = strchr(client->command, '\n')) != NULL) {
        *end = '\0';
        obey(client, client->command);
        client->command_length -= (size_t)(end + 1 - client->command);
        memmove(client->command, end + 1, client->command_length + 1);
    }
}

// ---- Life --------------------------------------------------------------------------------------

static size_t write_request(const struct client *client, unsigned number, char *request)
{
    const char *mark = strstr(client->path, "%u");
    int front = mark != NULL ? (int)(mark - client->path) : (int)strlen(client->path);
    char digits[12] = "";

    if (mark != NULL)
        snprintf(digits, sizeof digits, "%u", number);
    return (size_t)snprintf(request, REQUEST_MAX, "GET %.*s%s%s HTTP/1.1\r\nHost: %s\r\n\r\n",
                            front, client->path, digits, mark != NULL ? mark + 2 : "",
                            client->host);
}

static void open_stream(struct client *client)
{
    struct stream *stream = &client->streams[client->opened];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
    char request[REQUEST_MAX];
    size_t length = write_request(client, client->opened, request);

    client->opened++;
    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream->fd < 0 ||
        connect(stream->fd, (const struct sockaddr *)&client->server, sizeof client->server) != 0)
        die("connect");
    if (send(stream->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("send");
    epoll_ctl(client->epoll, EPOLL_CTL_ADD, stream->fd, &event);
}

static void look(struct client *client)
{
    struct epoll_event events[1024];
    int count = epoll_wait(client->epoll, events, 1024, -1);

    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL)
            read_commands(client);
        else
            receive(client, events[i].data.ptr);
    }
    if (client->until != 0 && client->counters.changes >= client->until) {
        client->until = 0;
        tell(client);
    }
}

static void open_all(struct client *client)
{
    while (client->ready < client->count) {
        while (client->opened < client->count && client->opened < client->ready + OPENING_MAX)
            open_stream(client);
        look(client);
        if (client->counters.lost > 0)
            die("a stream was closed");
    }
    printf("{\"ready\":%u}\n", client->ready);
    fflush(stdout);
}

static bool parse_server(struct client *client, const char *text)
{
    char host[64];
    const char *colon = strchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    client->host = text;
    client->server.sin_family = AF_INET;
    client->server.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return inet_pton(AF_INET, host, &client->server.sin_addr) == 1;
}

int main(int argc, char **argv)
{
    static struct client client;
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};

    if (argc != 4 || !parse_server(&client, argv[1]))
        return 64;
    client.count = (unsigned)strtoul(argv[2], NULL, 10);
    client.path = argv[3];
    if (client.count == 0 || client.count > STREAMS_MAX)
        return 64;
    client.streams = calloc(client.count, sizeof *client.streams);
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    open_all(&client);
    if (epoll_ctl(client.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
        die("standard input");
    for (;;)
        look(&client);
}
