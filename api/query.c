// SPDX-License-Identifier: Apache-2.0
// The table gives each parameter its syntax and bounds; bounds that are options of the daemon are
// checked where they are used.
#include "api/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/percent.h"
#include "storage/session.h"

enum { NAME_MAX_BYTES = 32, LIST_MAX_BYTES = 256, NEAR_MISS_EDITS = 2 };

enum kind { FLAG, NUMBER, DURATION, CHOICE, POSITION, TEXT, PATHS };

struct parameter {
    const char *name;
    enum kind kind;
    int64_t least; // NUMBER; DURATION, in milliseconds
    int64_t most;
    const char *choices[5]; // CHOICE: the value is the index; a NULL in front has no name
    int64_t first_choice;   // value of choices[0]
};

static const struct parameter parameters[QUERY_COUNT] = {
    [QUERY_RAW] = {.name = "raw", .kind = FLAG},
    [QUERY_VIEW] = {.name = "view",
                    .kind = CHOICE,
                    .choices = {"data", "stat", "children", "tree"},
                    .first_choice = VIEW_DATA},
    [QUERY_DETAIL] = {.name = "detail",
                      .kind = CHOICE,
                      .choices = {"stat", "data"},
                      .first_choice = DETAIL_STAT},
    [QUERY_ENCODING] = {.name = "encoding",
                        .kind = CHOICE,
                        .choices = {"utf8", "base64"},
                        .first_choice = ENCODING_AUTO},
    [QUERY_DEPTH] = {.name = "depth", .kind = NUMBER, .least = 0, .most = UINT32_MAX},
    [QUERY_LIMIT] = {.name = "limit", .kind = NUMBER, .least = 1, .most = UINT32_MAX},
    [QUERY_CURSOR] = {.name = "cursor", .kind = TEXT},
    [QUERY_CONSISTENCY] = {.name = "consistency",
                           .kind = CHOICE,
                           .choices = {"linearizable", "local"},
                           .first_choice = CONSISTENCY_LINEARIZABLE},
    [QUERY_MIN_ZXID] = {.name = "min_zxid",
                        .kind = NUMBER,
                        .least = 0,
                        .most = (INT64_C(1) << 53) - 1},
    [QUERY_PARENTS] = {.name = "parents", .kind = FLAG},
    [QUERY_SEQUENTIAL] = {.name = "sequential", .kind = FLAG},
    [QUERY_VERSION] = {.name = "version", .kind = NUMBER, .least = INT32_MIN, .most = INT32_MAX},
    [QUERY_RECURSIVE] = {.name = "recursive", .kind = FLAG},
    [QUERY_VERBOSE] = {.name = "verbose", .kind = FLAG},
    [QUERY_WAIT] = {.name = "wait", .kind = DURATION, .least = 0, .most = 3600000},
    [QUERY_SINCE] = {.name = "since", .kind = POSITION},
    [QUERY_PATH] = {.name = "path", .kind = PATHS},
    [QUERY_INITIAL] = {.name = "initial", .kind = FLAG},
    [QUERY_DATA] = {.name = "data", .kind = FLAG},
    [QUERY_EPHEMERAL] = {.name = "ephemeral", .kind = FLAG},
    [QUERY_CONTAINER] = {.name = "container", .kind = FLAG},
    [QUERY_TTL] = {.name = "ttl", .kind = DURATION, .least = 1, .most = TTL_MAX_MS},
    [QUERY_GRACE] = {.name = "grace", .kind = DURATION, .least = 0, .most = SESSION_TIMEOUT_MAX_MS},
};

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

// Levenshtein distance. Requires that both are at most NAME_MAX_BYTES long.
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1];
    size_t b_length = strlen(b);

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_length; j++) {
            size_t replaced = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least_of(replaced, row[j] + 1, diagonal + 1);
        }
    }
    return row[b_length];
}

static const char *near_miss(const char *name, uint32_t allowed)
{
    const char *nearest = NULL;
    size_t nearest_distance = NEAR_MISS_EDITS + 1;

    for (unsigned i = 0; i < QUERY_COUNT; i++) {
        if ((allowed >> i & 1) == 0)
            continue;
        size_t distance = edit_distance(name, parameters[i].name);
        if (distance < nearest_distance && distance < strlen(parameters[i].name)) {
            nearest = parameters[i].name;
            nearest_distance = distance;
        }
    }
    return nearest;
}

static void list_allowed(char into[LIST_MAX_BYTES], uint32_t allowed)
{
    size_t length = 0;

    into[0] = '\0';
    for (unsigned i = 0; i < QUERY_COUNT; i++) {
        if ((allowed >> i & 1) != 0)
            length += (size_t)snprintf(into + length, LIST_MAX_BYTES - length, "%s%s",
                                       length > 0 ? ", " : "", parameters[i].name);
    }
}

// What says how a znode is created is easily put into a PUT, which would then make a persistent one.
static bool is_for_creates(const char *name)
{
    static const unsigned creating[] = {QUERY_SEQUENTIAL, QUERY_EPHEMERAL, QUERY_CONTAINER,
                                        QUERY_TTL};

    for (size_t i = 0; i < sizeof creating / sizeof creating[0]; i++) {
        if (strcmp(name, parameters[creating[i]].name) == 0)
            return true;
    }
    return false;
}

static enum error refuse_unknown(const char *name, uint32_t allowed, struct problem *problem)
{
    char known[LIST_MAX_BYTES];

    if (is_for_creates(name))
        return problem_set(problem, ERROR_BAD_QUERY,
                           "there is no query parameter \"%s\" here: it belongs to a POST on the "
                           "znode that is to be created",
                           name);
    const char *meant = near_miss(name, allowed);

    if (meant != NULL)
        return problem_set(problem, ERROR_BAD_QUERY,
                           "there is no query parameter \"%s\" here; did you mean \"%s\"?", name,
                           meant);
    list_allowed(known, allowed);
    if (known[0] == '\0')
        return problem_set(problem, ERROR_BAD_QUERY,
                           "there is no query parameter \"%s\" here: this request takes none",
                           name);
    return problem_set(problem, ERROR_BAD_QUERY,
                       "there is no query parameter \"%s\" here; there are: %s", name, known);
}

static enum error parse_flag(const struct parameter *parameter, const char *text, int64_t *value,
                             struct problem *problem)
{
    bool on = text[0] == '\0' || strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0;
    bool off = strcmp(text, "0") == 0 || strcasecmp(text, "false") == 0;

    *value = on;
    if (on || off)
        return ERROR_OK;
    return problem_set(problem, ERROR_BAD_QUERY,
                       "the flag \"%s\" is \"%s\"; it is on when bare, 1 or true, and off when 0 "
                       "or false",
                       parameter->name, text);
}

// Decimal digits with at most a minus sign before them.
static bool parse_integer(const char *text, int64_t *value)
{
    bool negative = text[0] == '-';
    const char *digits = text + negative;
    size_t count = strspn(digits, "0123456789");
    int64_t sum = 0;

    if (count == 0 || count > 18 || digits[count] != '\0')
        return false;
    for (size_t i = 0; i < count; i++)
        sum = sum * 10 + (digits[i] - '0');
    *value = negative ? -sum : sum;
    return true;
}

static enum error parse_number(const struct parameter *parameter, const char *text, int64_t *value,
                               struct problem *problem)
{
    if (parse_integer(text, value) && *value >= parameter->least && *value <= parameter->most)
        return ERROR_OK;
    if (parameter->most == UINT32_MAX)
        return problem_set(problem, ERROR_BAD_QUERY,
                           "\"%s\" is \"%s\"; it must be a whole number, at least %" PRId64,
                           parameter->name, text, parameter->least);
    return problem_set(problem, ERROR_BAD_QUERY,
                       "\"%s\" is \"%s\"; it must be a whole number from %" PRId64 " to %" PRId64,
                       parameter->name, text, parameter->least, parameter->most);
}

// A whole number and a unit. Returns false for anything else, and for what does not fit.
static bool parse_duration_ms(const char *text, int64_t *value)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = strspn(text, "0123456789");
    int64_t number = 0;

    if (digits == 0 || digits > 9)
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (text[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].name) == 0) {
            *value = number * units[i].factor;
            return true;
        }
    }
    return false;
}

static enum error parse_duration(const struct parameter *parameter, const char *text,
                                 int64_t *value, struct problem *problem)
{
    if (!parse_duration_ms(text, value))
        return problem_set(problem, ERROR_BAD_QUERY,
                           "\"%s\" is \"%s\"; it must be a duration with its unit, such as 500ms, "
                           "30s, 5m or 1h",
                           parameter->name, text);
    if (*value >= parameter->least && *value <= parameter->most)
        return ERROR_OK;
    if (*value < parameter->least)
        return problem_set(problem, ERROR_BAD_QUERY,
                           "\"%s\" is \"%s\"; it must be at least %" PRId64 "ms", parameter->name,
                           text, parameter->least);
    return problem_set(problem, ERROR_BAD_QUERY, "\"%s\" is \"%s\"; it can be at most %" PRId64 "s",
                       parameter->name, text, parameter->most / 1000);
}

static enum error parse_position(const struct parameter *parameter, const char *text,
                                 struct event_id *id, struct problem *problem)
{
    if (event_id_parse(text, id))
        return ERROR_OK;
    return problem_set(problem, ERROR_BAD_QUERY,
                       "\"%s\" is \"%s\"; it must be a zxid or the id of an event", parameter->name,
                       text);
}

static enum error refuse_choice(const struct parameter *parameter, const char *text,
                                struct problem *problem)
{
    char choices[LIST_MAX_BYTES];
    size_t length = 0;

    for (size_t i = 0; parameter->choices[i] != NULL; i++)
        length += (size_t)snprintf(choices + length, sizeof choices - length, "%s%s",
                                   length > 0 ? ", " : "", parameter->choices[i]);
    return problem_set(problem, ERROR_BAD_QUERY, "\"%s\" is \"%s\"; it can be: %s", parameter->name,
                       text, choices);
}

static enum error parse_choice(const struct parameter *parameter, const char *text, int64_t *value,
                               struct problem *problem)
{
    for (size_t i = 0; parameter->choices[i] != NULL; i++) {
        if (strcmp(parameter->choices[i], text) == 0) {
            *value = parameter->first_choice + (int64_t)i;
            return ERROR_OK;
        }
    }
    return refuse_choice(parameter, text, problem);
}

static enum error parse_value(struct query *query, const struct parameter *parameter,
                              const char *text, struct problem *problem)
{
    int64_t *value = &query->value[parameter - parameters];

    switch (parameter->kind) {
    case FLAG:
        return parse_flag(parameter, text, value, problem);
    case NUMBER:
        return parse_number(parameter, text, value, problem);
    case CHOICE:
        return parse_choice(parameter, text, value, problem);
    case DURATION:
        return parse_duration(parameter, text, value, problem);
    case POSITION:
        return parse_position(parameter, text, &query->since, problem);
    case PATHS:
        buffer_append(&query->paths, text, strlen(text) + 1);
        (*value)++;
        return ERROR_OK;
    case TEXT:
        *value = 1;
        return ERROR_OK;
    }
    return ERROR_OK;
}

static enum error decode(const char *text, size_t length, const char *what, struct buffer *into,
                         struct problem *problem)
{
    buffer_clear(into);
    const char *wrong = percent_decode(text, length, PERCENT_QUERY, into);
    buffer_u8(into, '\0');
    if (wrong == NULL)
        return ERROR_OK;
    return problem_set(problem, ERROR_BAD_QUERY, "the %s \"%.*s\" in the query %s", what,
                       (int)(length > 100 ? 100 : length), text, wrong);
}

static enum error find_parameter(struct query *query, struct buffer *text, uint32_t allowed,
                                 unsigned *index, struct problem *problem)
{
    if (text->length > NAME_MAX_BYTES)
        text->data[NAME_MAX_BYTES] = '\0';
    const char *name = (const char *)text->data;
    for (*index = 0; *index < QUERY_COUNT; (*index)++) {
        if ((allowed >> *index & 1) != 0 && strcmp(name, parameters[*index].name) == 0)
            break;
    }
    if (*index == QUERY_COUNT)
        return refuse_unknown(name, allowed, problem);
    if ((query->given >> *index & 1) != 0 && parameters[*index].kind != PATHS)
        return problem_set(problem, ERROR_BAD_QUERY,
                           "the query parameter \"%s\" is given more than once", name);
    query->given |= 1u << *index;
    return ERROR_OK;
}

static enum error parse_item(struct query *query, const char *item, size_t length, uint32_t allowed,
                             struct problem *problem)
{
    struct buffer *scratch = &query->scratch;
    const char *equals = memchr(item, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - item) : length;
    size_t value_length = equals != NULL ? length - name_length - 1 : 0;
    unsigned index;

    enum error error = decode(item, name_length, "name", scratch, problem);
    if (error == ERROR_OK)
        error = find_parameter(query, scratch, allowed, &index, problem);
    if (error != ERROR_OK)
        return error;
    struct buffer *text = parameters[index].kind == TEXT ? &query->text : scratch;
    error = decode(item + length - value_length, value_length, "value", text, problem);
    if (error != ERROR_OK)
        return error;
    return parse_value(query, &parameters[index], (const char *)text->data, problem);
}

enum error query_parse(struct query *query, const char *text, size_t length, uint32_t allowed,
                       struct problem *problem)
{
    const char *end = text + length;
    enum error error = ERROR_OK;

    query->given = 0;
    memset(query->value, 0, sizeof query->value);
    query->since = (struct event_id){0};
    buffer_clear(&query->text);
    buffer_clear(&query->paths);
    while (text < end && error == ERROR_OK) {
        const char *next = memchr(text, '&', (size_t)(end - text));
        size_t item_length = (size_t)((next != NULL ? next : end) - text);
        if (item_length > 0)
            error = parse_item(query, text, item_length, allowed, problem);
        text += item_length + 1;
    }
    return error;
}

void query_deinit(struct query *query)
{
    buffer_deinit(&query->text);
    buffer_deinit(&query->paths);
    buffer_deinit(&query->scratch);
}
