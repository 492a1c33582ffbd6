// SPDX-License-Identifier: Apache-2.0
// A closed-loop HTTP load generator: N keep-alive connections, one request under way on each.
// Prints one JSON line with requests per second, latency percentiles and the monotonic time of its end.
// It shares the machine with the server, so what it does per request is as little as possible.
//
// Usage: load HOST:PORT[,HOST:PORT]... CONNECTIONS SECONDS METHOD PATH [BODY_BYTES]; the connections
// are spread over the servers. "%u" in PATH is replaced by a random number below KEYS (environment,
// default 100000). Also from the environment:
//
// RATE     requests per second of all connections together, spread evenly (as fast as they can)
// LIMIT    replies after which it ends (none)
// BODY     the body of each request, in place of BODY_BYTES
// HEADERS  a file of header lines; request N has the line N of it, and behind the last comes the first
// REPLIES  a file to which the bodies of all replies are written
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    SERVERS_MAX = 7,
    CONNECTIONS_MAX = 4096,
    SAMPLES_MAX = 8 << 20,
    REPLY_MAX = 8 << 20,
    REQUEST_MAX = 65536
};

struct connection {
    int fd;
    uint64_t sent_ns;
    char *reply;
    size_t length;
    size_t capacity;
};

struct load {
    struct sockaddr_in servers[SERVERS_MAX];
    size_t server_count;
    bool numbered;       // there is a number in the request
    char *request;       // the one sent last
    size_t front_length; // bytes before the number
    char *tail;          // what stands behind it
    size_t tail_length;
    size_t tail_head;   // of that up to where more header lines go
    char *headers;      // the lines of HEADERS, each with its "\r\n"
    char *next_header;  // the line for the next request
    FILE *replies;      // NULL: not kept
    uint64_t period_ns; // 0: as fast as they can
    uint64_t next_ns;   // when the next request is due
    size_t limit;
    size_t sent;
    struct connection *idle[CONNECTIONS_MAX];
    size_t idle_count;
    unsigned keys;
    uint64_t seed;
    char host[64];
    struct connection connections[CONNECTIONS_MAX];
    uint32_t *samples_us10; // latency in tenths of a microsecond
    size_t sample_count;
    size_t errors;
};

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static unsigned draw(struct load *load)
{
    load->seed = load->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(load->seed >> 33) % load->keys;
}

static void write_body(struct load *load, const char *body, size_t body_bytes)
{
    char *at = load->tail + load->tail_head;

    memcpy(at, "\r\n", 2);
    if (body != NULL)
        memcpy(at + 2, body, body_bytes);
    else
        memset(at + 2, 'x', body_bytes);
    load->tail_length = load->tail_head + 2 + body_bytes;
}

// Puts the request together but for the number that stands for "%u" and a line of HEADERS.
static void prepare(struct load *load, const char *method, const char *path, size_t body_bytes)
{
    const char *mark = strstr(path, "%u");
    int front = mark != NULL ? (int)(mark - path) : (int)strlen(path);
    const char *body = getenv("BODY");
    if (body != NULL)
        body_bytes = strlen(body);
    char *tail = calloc(1, REQUEST_MAX + body_bytes);

    load->request = calloc(1, REQUEST_MAX + body_bytes);
    load->front_length =
        (size_t)snprintf(load->request, REQUEST_MAX, "%s %.*s", method, front, path);
    size_t length = (size_t)snprintf(tail, REQUEST_MAX, "%s HTTP/1.1\r\nHost: %s\r\n",
                                     mark != NULL ? mark + 2 : "", load->host);
    if (strcmp(method, "GET") != 0)
        length += (size_t)snprintf(tail + length, REQUEST_MAX - length, "Content-Length: %zu\r\n",
                                   body_bytes);
    load->tail = tail;
    load->tail_head = length;
    write_body(load, body, body_bytes);
    load->numbered = mark != NULL;
    if (!load->numbered)
        memcpy(load->request + load->front_length, tail, load->tail_length);
}

static char *append(char *at, const char *bytes, size_t length)
{
    memcpy(at, bytes, length);
    return at + length;
}

static char *append_header(struct load *load, char *at)
{
    size_t length = (size_t)(strchr(load->next_header, '\n') + 1 - load->next_header);

    at = append(at, load->next_header, length);
    load->next_header += length;
    if (*load->next_header == '\0')
        load->next_header = load->headers;
    return at;
}

static size_t write_request(struct load *load)
{
    char *at = load->request + load->front_length;

    if (!load->numbered && load->headers == NULL)
        return load->front_length + load->tail_length;
    if (load->numbered)
        at += snprintf(at, 12, "%u", draw(load));
    at = append(at, load->tail, load->tail_head);
    if (load->headers != NULL)
        at = append_header(load, at);
    at = append(at, load->tail + load->tail_head, load->tail_length - load->tail_head);
    return (size_t)(at - load->request);
}

static void send_request(struct load *load, struct connection *connection)
{
    size_t length = write_request(load);

    connection->sent_ns = now_ns();
    connection->length = 0;
    if (send(connection->fd, load->request, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("send");
    load->sent++;
}

// Sends what is due on connections that wait for nothing.
static void send_due(struct load *load)
{
    while (load->idle_count > 0 && load->sent < load->limit) {
        if (load->period_ns > 0 && now_ns() < load->next_ns)
            return;
        load->next_ns += load->period_ns;
        send_request(load, load->idle[--load->idle_count]);
    }
}

static void open_connection(const struct sockaddr_in *server, struct connection *connection,
                            int epoll)
{
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection->fd, (const struct sockaddr *)server, sizeof *server) != 0)
        die("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event);
    connection->capacity = 4096;
    connection->reply = malloc(connection->capacity);
}

// Whether the reply is complete; *ok tells whether its status is 2xx, *content its body.
static bool reply_complete(struct connection *connection, bool *ok, const char **content)
{
    static const char field[] = "Content-Length:";
    const char *end = connection->reply + connection->length;
    const char *line = connection->reply;
    size_t body = 0;

    *ok = connection->length > 9 && connection->reply[9] == '2';
    while (line < end && *line != '\r') {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (next == NULL)
            return false;
        if ((*line | 0x20) == 'c' && strncasecmp(line, field, sizeof field - 1) == 0)
            body = strtoul(line + sizeof field - 1, NULL, 10);
        line = next + 1;
    }
    *content = line + 2;
    return end - line >= 2 && (size_t)(end - line) >= body + 2;
}

static void receive(struct load *load, struct connection *connection)
{
    bool ok;
    const char *content;

    if (connection->length + 1 == connection->capacity) {
        connection->capacity *= 2;
        connection->reply = realloc(connection->reply, connection->capacity);
    }
    ssize_t got = recv(connection->fd, connection->reply + connection->length,
                       connection->capacity - 1 - connection->length, 0);
    if (got <= 0)
        die("recv");
    connection->length += (size_t)got;
    connection->reply[connection->length] = '\0';
    if (!reply_complete(connection, &ok, &content))
        return;
    load->errors += !ok;
    if (load->replies != NULL)
        fputs(content, load->replies);
    if (load->sample_count < SAMPLES_MAX)
        load->samples_us10[load->sample_count++] =
            (uint32_t)((now_ns() - connection->sent_ns) / 100);
    load->idle[load->idle_count++] = connection;
    send_due(load);
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static double percentile(const struct load *load, double part)
{
    if (load->sample_count == 0)
        return 0;
    return load->samples_us10[(size_t)((double)(load->sample_count - 1) * part)] / 10.0;
}

static void run(struct load *load, unsigned connections, double seconds)
{
    struct epoll_event events[256];
    int epoll = epoll_create1(0);

    for (unsigned i = 0; i < connections; i++)
        open_connection(&load->servers[i % load->server_count], &load->connections[i], epoll);
    uint64_t started_ns = now_ns();
    uint64_t until_ns = started_ns + (uint64_t)(seconds * 1e9);
    load->next_ns = started_ns;
    for (unsigned i = 0; i < connections; i++)
        load->idle[load->idle_count++] = &load->connections[i];
    while (now_ns() < until_ns && load->sample_count < load->limit) {
        send_due(load);
        int count = epoll_wait(epoll, events, 256, load->period_ns > 0 ? 1 : 100);
        for (int i = 0; i < count; i++)
            receive(load, events[i].data.ptr);
    }
    double elapsed = (double)(now_ns() - started_ns) / 1e9;
    qsort(load->samples_us10, load->sample_count, sizeof *load->samples_us10, compare_samples);
    printf(
        "{\"rate\":%.0f,\"requests\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
        "\"errors\":%zu,\"end_ms\":%.3f}\n",
        (double)load->sample_count / elapsed, load->sample_count, percentile(load, 0.5),
        percentile(load, 0.99), percentile(load, 1.0), load->errors, (double)now_ns() / 1e6);
}

// Takes the list apart, in place.
static bool parse_servers(struct load *load, char *list)
{
    for (char *one = strtok(list, ","); one != NULL; one = strtok(NULL, ",")) {
        struct sockaddr_in *server = &load->servers[load->server_count];
        char *colon = strchr(one, ':');
        if (colon == NULL || load->server_count == SERVERS_MAX)
            return false;
        if (load->server_count++ == 0)
            snprintf(load->host, sizeof load->host, "%s", one);
        *colon = '\0';
        server->sin_family = AF_INET;
        server->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
        if (inet_pton(AF_INET, one, &server->sin_addr) != 1)
            return false;
    }
    return load->server_count > 0;
}

static size_t number_from(const char *name, size_t usual)
{
    const char *text = getenv(name);

    return text != NULL ? strtoul(text, NULL, 10) : usual;
}

// A file whose lines end with "\n" becomes header lines.
static char *read_headers(const char *name)
{
    FILE *file = fopen(name, "r");
    char *headers = NULL;
    char *line = NULL;
    size_t room = 0;
    size_t length = 0;

    if (file == NULL)
        die(name);
    FILE *into = open_memstream(&headers, &length);
    for (ssize_t got; (got = getline(&line, &room, file)) > 0;)
        fprintf(into, "%.*s\r\n", (int)got - 1, line);
    fclose(into);
    fclose(file);
    free(line);
    return headers;
}

static void take_environment(struct load *load)
{
    size_t rate = number_from("RATE", 0);

    load->keys = (unsigned)number_from("KEYS", 100000);
    load->limit = number_from("LIMIT", SIZE_MAX);
    load->period_ns = rate > 0 ? 1000000000u / rate : 0;
    if (getenv("HEADERS") != NULL)
        load->next_header = load->headers = read_headers(getenv("HEADERS"));
    if (getenv("REPLIES") != NULL && (load->replies = fopen(getenv("REPLIES"), "w")) == NULL)
        die("REPLIES");
}

int main(int argc, char **argv)
{
    static struct load load;

    if (argc < 6 || !parse_servers(&load, argv[1]))
        return 64;
    unsigned connections = (unsigned)strtoul(argv[2], NULL, 10);
    if (connections == 0 || connections > CONNECTIONS_MAX)
        return 64;
    prepare(&load, argv[4], argv[5], argc > 6 ? strtoul(argv[6], NULL, 10) : 0);
    take_environment(&load);
    load.seed = 1;
    load.samples_us10 = malloc(SAMPLES_MAX * sizeof *load.samples_us10);
    run(&load, connections, strtod(argv[3], NULL));
    if (load.replies != NULL)
        fclose(load.replies);
    return 0;
}
