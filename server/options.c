// SPDX-License-Identifier: Apache-2.0
// One table of options. To add one: a field in struct options and a row here; parsing, environment,
// bounds and --help follow.
#include "server/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "server/peer_list.h"

enum option_type {
    OPTION_TEXT,     // const char *
    OPTION_LIST,     // struct option_list
    OPTION_COUNT,    // uint64_t
    OPTION_BYTES,    // uint64_t; "64MiB", "1GiB", "4096"
    OPTION_DURATION, // uint64_t, milliseconds; "500ms", "10s", "5m", "1h"
    OPTION_FLAG,     // bool, no value
};

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset;
    const char *preset; // default, in the same words as a user would write
    uint64_t minimum;
    uint64_t maximum;
    const char *value; // placeholder in --help
    const char *help;
};

#define PREFIX "CURLEW_" // of variables of the environment
#define MIB    (1ull << 20)
#define GIB    (1ull << 30)
#define ROW(name, type, field, preset, minimum, maximum, value, help)                              \
    {                                                                                              \
        name, type, offsetof(struct options, field), preset, minimum, maximum, value, help         \
    }

static const struct option_row rows[] = {
    ROW("data-dir", OPTION_TEXT, data_dir, "./data", 0, 0, "DIR",
        "where journal and checkpoints are kept"),
    ROW("live-dir", OPTION_TEXT, live_dir, "", 0, 0, "DIR",
        "where the volatile tree lies, a directory of this node alone; default: live in the data "
        "directory"),
    ROW("listen", OPTION_TEXT, listen, "127.0.0.1:2180", 0, 0, "ADDR:PORT",
        "address for clients; port 0 takes a free one"),
    ROW("id", OPTION_COUNT, id, "0", 0, 65535, "N",
        "number of this node; 0: the stored one; for a new directory that of this host's name in "
        "--peers, else 1"),
    ROW("peers", OPTION_TEXT, peers, "", 0, 0, "LIST",
        "the nodes of the cluster, the same on each: 1=HOST:PORT,2=HOST:PORT,... or HOST,HOST,... "
        "for 1,2,... on port 2190; a node listens for the others on its own entry; default: a "
        "cluster of one"),
    ROW("peer-certificate", OPTION_TEXT, peer_certificate, "", 0, 0, "FILE",
        "PEM certificate of this node for the other nodes: they then speak TLS"),
    ROW("peer-key", OPTION_TEXT, peer_key, "", 0, 0, "FILE", "PEM key of that certificate"),
    ROW("peer-authority", OPTION_TEXT, peer_authority, "", 0, 0, "FILE",
        "PEM certificates that those of the other nodes must descend from"),
    ROW("heartbeat", OPTION_DURATION, heartbeat_ms, "100ms", 10, 10000, "TIME",
        "pace of heartbeats; a silent leader is replaced after a few of them"),
    ROW("allowed-host", OPTION_LIST, allowed_hosts, NULL, 0, 0, "NAME",
        "name accepted in the Host header beside addresses and localhost; without one any is, "
        "unless --listen is a loopback address (repeatable)"),
    ROW("cors-origin", OPTION_LIST, allowed_origins, NULL, 0, 0, "ORIGIN",
        "origin whose web pages may read and write (CORS; repeatable)"),
    ROW("map-size", OPTION_BYTES, map_bytes, "64GiB", 16 * MIB, 16384 * GIB, "BYTES",
        "address space for the tree: its largest size"),
    ROW("disk-reserve-bytes", OPTION_BYTES, disk_reserve_bytes, "64MiB", MIB, 1024 * GIB, "BYTES",
        "free space below which only reads and deletes are served, beside what journal and "
        "checkpoint need; likewise for the room of the tree"),
    ROW("checkpoint-journal-bytes", OPTION_BYTES, checkpoint_journal_bytes, "64MiB", 64 << 10,
        1024 * GIB, "BYTES", "journal since the last checkpoint that makes the next one due"),
    ROW("http-workers", OPTION_COUNT, http_workers, "2", 2, 64, "N", "threads that serve requests"),
    ROW("stream-workers", OPTION_COUNT, stream_workers, "1", 1, 64, "N",
        "threads that serve streams and long polls"),
    ROW("max-connections", OPTION_COUNT, max_connections, "10000", 1, 1000000, "N",
        "open connections; above: 503"),
    ROW("max-connections-per-address", OPTION_COUNT, max_connections_per_address, "10000", 1,
        1000000, "N", "open connections of one address; above: 429"),
    ROW("max-url-bytes", OPTION_BYTES, max_url_bytes, "8KiB", 256, 64 << 10, "BYTES",
        "length of a request target; above: 414"),
    ROW("max-header-bytes", OPTION_BYTES, max_header_bytes, "12KiB", 1024, 64 << 10, "BYTES",
        "length of a request's head; above: 431"),
    ROW("max-body-bytes", OPTION_BYTES, max_body_bytes, "1MiB", 1024, 2 * MIB, "BYTES",
        "length of a request's body; above: 413"),
    ROW("max-bodies-bytes", OPTION_BYTES, max_bodies_bytes, "256MiB", MIB, 1024 * GIB, "BYTES",
        "request bodies held in memory at once; above: 503"),
    ROW("max-json-depth", OPTION_COUNT, max_json_depth, "8", 3, 64, "N",
        "nesting of a JSON body; above: 400"),
    ROW("max-multi-ops", OPTION_COUNT, max_multi_ops, "1000", 1, COMMAND_OPS_MAX, "N",
        "operations of one multi; above: 400"),
    ROW("max-delete-nodes", OPTION_COUNT, max_delete_nodes, "10000", 1, 1000000, "N",
        "znodes of one recursive delete; above: 422"),
    ROW("max-list-items", OPTION_COUNT, max_list_items, "10000", 1, 100000, "N",
        "largest limit= of a listing"),
    ROW("max-page-bytes", OPTION_BYTES, max_page_bytes, "4MiB", 4096, 64 * MIB, "BYTES",
        "a page of a listing ends behind the item that passes this size"),
    ROW("request-timeout", OPTION_DURATION, request_timeout_ms, "30s", 100, 3600000, "TIME",
        "time for a request to arrive whole"),
    ROW("idle-timeout", OPTION_DURATION, idle_timeout_ms, "5m", 1000, 86400000, "TIME",
        "time after which a silent connection is closed"),
    ROW("wait-default", OPTION_DURATION, wait_default_ms, "10s", 0, 3600000, "TIME",
        "how long a request may be held while there is no leader"),
    ROW("wait-max", OPTION_DURATION, wait_max_ms, "60s", 0, 3600000, "TIME",
        "bound of the Prefer: wait header"),
    ROW("key-retention", OPTION_DURATION, key_retention_ms, "10m", 1000, 604800000, "TIME",
        "how long the outcome of an Idempotency-Key is kept"),
    ROW("key-capacity", OPTION_COUNT, key_capacity, "1000000", 1, 100000000, "N",
        "kept Idempotency-Key outcomes; above: 429"),
    ROW("slow-request", OPTION_DURATION, slow_request_ms, "500ms", 0, 3600000, "TIME",
        "a request that takes longer is logged with its phases; 0ms: none is"),
    ROW("log-format", OPTION_TEXT, log_format, "logfmt", 0, 0, "FORMAT", "logfmt or json"),
    ROW("log-level", OPTION_TEXT, log_level, "info", 0, 0, "LEVEL",
        "debug, info, warning or error"),
    ROW("help", OPTION_FLAG, help, NULL, 0, 0, NULL, "print this and exit"),
    ROW("version", OPTION_FLAG, version, NULL, 0, 0, NULL, "print the version and exit"),
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0], NAME_MAX_BYTES = 64 };
_Static_assert(sizeof rows / sizeof rows[0] <= OPTIONS_MAX,
               "more options than struct options has room for");
enum { HELP_COLUMN = 36, HELP_WIDTH = 80, HELP_MAX_BYTES = 512 };

static const struct option_row *find_row(const char *name, size_t length)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    }
    return NULL;
}

static size_t minimum_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Levenshtein distance, for the near miss; both texts are cut at NAME_MAX_BYTES.
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1];
    size_t a_length = strnlen(a, NAME_MAX_BYTES), b_length = strnlen(b, NAME_MAX_BYTES);

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = minimum_of(replaced, minimum_of(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

// The option whose name is meant by this one, in the spelling of the command line; NULL when none is
// near.
static const struct option_row *nearest_row(const char *name)
{
    const struct option_row *nearest = &rows[0];

    for (size_t i = 1; i < ROW_COUNT; i++) {
        if (edit_distance(name, rows[i].name) < edit_distance(name, nearest->name))
            nearest = &rows[i];
    }
    return edit_distance(name, nearest->name) > 1 + strlen(nearest->name) / 3 ? NULL : nearest;
}

static enum error unknown_option(const char *argument, struct failure *failure)
{
    char name[NAME_MAX_BYTES + 1];

    snprintf(name, sizeof name, "%s", argument + strspn(argument, "-"));
    name[strcspn(name, "=")] = '\0';
    const struct option_row *nearest = nearest_row(name);
    if (nearest == NULL)
        return failure_set(failure, ERROR_USAGE, "unknown option %s; --help lists them", argument);
    return failure_set(failure, ERROR_USAGE, "unknown option %s: did you mean --%s?", argument,
                       nearest->name);
}

struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit byte_units[] = {
    {"", 1},    {"B", 1},     {"K", 1024},       {"KiB", 1024},       {"M", MIB}, {"MiB", MIB},
    {"G", GIB}, {"GiB", GIB}, {"T", 1024 * GIB}, {"TiB", 1024 * GIB}, {NULL, 0}};
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum option_type type)
{
    if (type == OPTION_BYTES)
        return byte_units;
    return type == OPTION_DURATION ? duration_units : count_units;
}

static bool parse_number(const char *text, const struct unit *units, uint64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    unsigned long long digits = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    for (; units->name != NULL; units++) {
        if (strcmp(units->name, end) == 0 && digits <= UINT64_MAX / units->factor) {
            *number = digits * units->factor;
            return true;
        }
    }
    return false;
}

static const char *example_of(enum option_type type)
{
    if (type == OPTION_BYTES)
        return "a size such as 64MiB";
    return type == OPTION_DURATION ? "a duration such as 500ms, 10s, 5m or 1h" : "a number";
}

static enum error set_number(const struct option_row *row, const char *source, const char *text,
                             uint64_t *field, struct failure *failure)
{
    uint64_t number;

    if (!parse_number(text, units_of(row->type), &number))
        return failure_set(failure, ERROR_USAGE, "%s is \"%s\"; it must be %s", source, text,
                           example_of(row->type));
    if (number < row->minimum || number > row->maximum)
        return failure_set(
            failure, ERROR_USAGE, "%s is \"%s\"; it must be between %" PRIu64 " and %" PRIu64 "%s",
            source, text, row->minimum, row->maximum, row->type == OPTION_DURATION ? " ms" : "");
    *field = number;
    return ERROR_OK;
}

static enum error add_value(struct option_list *list, const char *source, const char *text,
                            struct failure *failure)
{
    if (list->count == OPTION_VALUES_MAX)
        return failure_set(failure, ERROR_USAGE, "%s may be given %d times", source,
                           OPTION_VALUES_MAX);
    list->values[list->count++] = text;
    return ERROR_OK;
}

// Splits at commas; empty values are left out.
static enum error set_list(struct option_list *list, const char *source, const char *text,
                           struct failure *failure)
{
    enum error error = ERROR_OK;
    char *rest = NULL;

    if (strlen(text) >= sizeof list->text)
        return failure_set(failure, ERROR_USAGE, "%s is longer than %zu bytes", source,
                           sizeof list->text - 1);
    memcpy(list->text, text, strlen(text) + 1);
    list->from_environment = true;
    for (char *value = strtok_r(list->text, ",", &rest); value != NULL && error == ERROR_OK;
         value = strtok_r(NULL, ",", &rest))
        error = add_value(list, source, value, failure);
    return error;
}

static void forget_environment(struct option_list *list)
{
    if (list->from_environment)
        *list = (struct option_list){0};
}

static enum error set_value(struct options *options, const struct option_row *row,
                            const char *source, const char *text, struct failure *failure)
{
    void *field = (char *)options + row->offset;

    switch (row->type) {
    case OPTION_TEXT:
        *(const char **)field = text;
        return ERROR_OK;
    case OPTION_LIST:
        forget_environment(field);
        return add_value(field, source, text, failure);
    case OPTION_COUNT:
    case OPTION_BYTES:
    case OPTION_DURATION:
        return set_number(row, source, text, field, failure);
    case OPTION_FLAG:
        *(bool *)field = true;
        return ERROR_OK;
    }
    UNREACHABLE();
}

static void environment_name(const struct option_row *row, char into[NAME_MAX_BYTES])
{
    snprintf(into, NAME_MAX_BYTES, PREFIX "%s", row->name);
    for (char *at = into; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

static enum error set_presets(struct options *options, struct failure *failure)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].preset == NULL)
            continue;
        enum error error = set_value(options, &rows[i], rows[i].name, rows[i].preset, failure);
        if (error != ERROR_OK)
            return error;
    }
    return ERROR_OK;
}

static void note_source(struct options *options, const struct option_row *row,
                        enum option_source source, const char *text)
{
    options->sources[row - rows] = source;
    options->texts[row - rows] = text;
}

static enum error set_from_environment(struct options *options, struct failure *failure)
{
    char name[NAME_MAX_BYTES];

    for (size_t i = 0; i < ROW_COUNT; i++) {
        environment_name(&rows[i], name);
        const char *text = rows[i].type == OPTION_FLAG ? NULL : getenv(name);
        if (text == NULL || text[0] == '\0')
            continue;
        void *field = (char *)options + rows[i].offset;
        enum error error = rows[i].type == OPTION_LIST
                               ? set_list(field, name, text, failure)
                               : set_value(options, &rows[i], name, text, failure);
        if (error != ERROR_OK)
            return error;
        note_source(options, &rows[i], OPTION_ENVIRONMENT, text);
    }
    return ERROR_OK;
}

// "--name value" or "--name=value"; returns how many arguments it took in *taken.
static enum error set_from_argument(struct options *options, char **arguments, int *taken,
                                    struct failure *failure)
{
    const char *name = arguments[0];
    size_t length = strcspn(name, "=");
    char source[NAME_MAX_BYTES];

    *taken = 1;
    if (strncmp(name, "--", 2) != 0)
        return failure_set(failure, ERROR_USAGE,
                           "unexpected argument \"%s\"; options start with --", name);
    const struct option_row *row = find_row(name + 2, length - 2);
    if (row == NULL)
        return unknown_option(name, failure);
    snprintf(source, sizeof source, "--%s", row->name);
    if (row->type == OPTION_FLAG && name[length] == '=')
        return failure_set(failure, ERROR_USAGE, "%s takes no value", source);
    if (row->type == OPTION_FLAG)
        return set_value(options, row, source, NULL, failure);
    const char *text = name[length] == '=' ? name + length + 1 : arguments[1];
    if (text == NULL)
        return failure_set(failure, ERROR_USAGE, "%s needs a value: %s", source, row->value);
    *taken = name[length] == '=' ? 1 : 2;
    note_source(options, row, OPTION_COMMAND_LINE, text);
    return set_value(options, row, source, text, failure);
}

// Half of what TLS needs must not mean none of it.
static enum error check_tls(const struct options *options, struct failure *failure)
{
    bool certificate = options->peer_certificate[0] != '\0';
    bool key = options->peer_key[0] != '\0';
    bool authority = options->peer_authority[0] != '\0';

    if (certificate == key && key == authority)
        return ERROR_OK;
    return failure_set(failure, ERROR_USAGE,
                       "TLS between nodes needs all of --peer-certificate, --peer-key and "
                       "--peer-authority");
}

enum error options_parse(int argc, char **argv, struct options *options, struct failure *failure)
{
    enum log_level level;
    enum log_format format;
    struct peer_list list;
    int taken;

    *options = (struct options){0};
    enum error error = set_presets(options, failure);
    ASSERT(error == ERROR_OK);
    error = set_from_environment(options, failure);
    for (int i = 1; i < argc && error == ERROR_OK; i += taken)
        error = set_from_argument(options, &argv[i], &taken, failure);
    if (error == ERROR_OK && !log_parse_level(options->log_level, &level))
        error = failure_set(failure, ERROR_USAGE,
                            "--log-level is \"%s\"; it must be debug, info, warning or error",
                            options->log_level);
    if (error == ERROR_OK && !log_parse_format(options->log_format, &format))
        error =
            failure_set(failure, ERROR_USAGE, "--log-format is \"%s\"; it must be logfmt or json",
                        options->log_format);
    if (error == ERROR_OK)
        error = check_tls(options, failure);
    return error == ERROR_OK ? peer_list_parse(options->peers, &list, failure) : error;
}

// Prints words from HELP_COLUMN on, broken so that a line fits into HELP_WIDTH.
static void print_wrapped(FILE *to, const char *text)
{
    size_t column = HELP_COLUMN;

    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
            fprintf(to, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            fputc(' ', to);
            column++;
        }
        fwrite(text, 1, length, to);
        column += length;
        text += length + strspn(text + length, " ");
    }
    fputc('\n', to);
}

static void print_row(FILE *to, const struct option_row *row)
{
    bool preset = row->preset != NULL && row->preset[0] != '\0';
    char usage[NAME_MAX_BYTES], help[HELP_MAX_BYTES], variable[NAME_MAX_BYTES] = "";

    snprintf(usage, sizeof usage, "--%s%s%s", row->name, row->value != NULL ? " " : "",
             row->value != NULL ? row->value : "");
    fprintf(to, "  %-*s", HELP_COLUMN - 2, usage);
    if (row->type != OPTION_FLAG)
        environment_name(row, variable);
    snprintf(help, sizeof help, "%s%s%s%s%s%s", row->help, preset ? " [" : "",
             preset ? row->preset : "", preset ? "]" : "", variable[0] != '\0' ? " $" : "",
             variable);
    print_wrapped(to, help);
}

void options_help(FILE *to)
{
    fputs(
        "Usage: curlewd [OPTION]...\n"
        "   or: curlewd health [OPTION]...\n"
        "A coordination service: znodes, versions and transactions over HTTP and JSON.\n"
        "'health' asks the node at --listen on this machine whether it is ready: it\n"
        "prints one line, and its exit status is 0 if so, else 1.\n\n"
        "Each option is followed by its default in brackets and by the variable of the\n"
        "environment that gives it too; a repeatable one takes its values there with\n"
        "commas between them. Both are read at each start; the command line wins.\n\n",
        to);
    for (size_t i = 0; i < ROW_COUNT; i++)
        print_row(to, &rows[i]);
}

static void log_row(const struct options *options, const struct option_row *row)
{
    enum option_source source = options->sources[row - rows];
    char quoted[LOG_QUOTED_MAX], variable[NAME_MAX_BYTES];

    if (source == OPTION_PRESET)
        return;
    environment_name(row, variable);
    log_write(LOG_INFO, "option", "name=--%s value=%s from=%s", row->name,
              log_quote(quoted, options->texts[row - rows]),
              source == OPTION_ENVIRONMENT ? variable : "command-line");
}

static bool is_option_variable(const char *variable)
{
    char name[NAME_MAX_BYTES];

    for (size_t i = 0; i < ROW_COUNT; i++) {
        environment_name(&rows[i], name);
        if (strcmp(name, variable) == 0)
            return true;
    }
    return false;
}

// Nobody can refuse what others put there as well, such as Kubernetes the addresses of a service "curlew".
static void warn_of_variable(const char *assignment)
{
    char variable[NAME_MAX_BYTES], name[NAME_MAX_BYTES], quoted[LOG_QUOTED_MAX];
    size_t length = strcspn(assignment, "=");

    if (strncmp(assignment, PREFIX, sizeof PREFIX - 1) != 0 || length >= sizeof variable)
        return;
    snprintf(variable, sizeof variable, "%.*s", (int)length, assignment);
    snprintf(name, sizeof name, "%s", variable + sizeof PREFIX - 1);
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
    const struct option_row *nearest = nearest_row(name);
    if (nearest == NULL || is_option_variable(variable))
        return;
    environment_name(nearest, name);
    log_write(LOG_WARNING, "a variable of the environment is no option", "variable=%s nearest=%s",
              log_quote(quoted, variable), name);
}

void options_log(const struct options *options)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        log_row(options, &rows[i]);
    for (char **variable = environ; *variable != NULL; variable++)
        warn_of_variable(*variable);
}

struct api_limits options_api_limits(const struct options *options)
{
    return (struct api_limits){
        .connections = (uint32_t)options->max_connections,
        .connections_per_address = (uint32_t)options->max_connections_per_address,
        .workers = (uint32_t)options->http_workers,
        .stream_workers = (uint32_t)options->stream_workers,
        .url_bytes = (uint32_t)options->max_url_bytes,
        .header_bytes = (uint32_t)options->max_header_bytes,
        .body_bytes = (uint32_t)options->max_body_bytes,
        .bodies_bytes = options->max_bodies_bytes,
        .json_depth = (uint32_t)options->max_json_depth,
        .multi_ops = (uint32_t)options->max_multi_ops,
        .delete_nodes = (uint32_t)options->max_delete_nodes,
        .list_items = (uint32_t)options->max_list_items,
        .page_bytes = (uint32_t)options->max_page_bytes,
        .request_timeout_ms = options->request_timeout_ms,
        .idle_timeout_ms = options->idle_timeout_ms,
        .wait_default_ms = options->wait_default_ms,
        .wait_max_ms = options->wait_max_ms,
        .key_retention_ms = options->key_retention_ms,
        .key_capacity = (uint32_t)options->key_capacity,
        .slow_request_ms = options->slow_request_ms,
    };
}
