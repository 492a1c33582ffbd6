// SPDX-License-Identifier: Apache-2.0
// Every mistake in the list is answered with a sentence; nothing is guessed.
#include "server/peer_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { DIGITS_MAX = 5, NUMBER_MAX = 65535 };

// 1..65535 in decimal digits, all of the text; 0 if it is anything else.
static uint16_t parse_number(const char *text, size_t length)
{
    unsigned long value = 0;

    if (length == 0 || length > DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        value = value * 10 + (unsigned long)(text[i] - '0');
    }
    return value <= NUMBER_MAX ? (uint16_t)value : 0;
}

static bool host_is_plausible(const char *host, size_t length)
{
    if (length == 0 || length >= PEER_HOST_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (host[i] <= ' ' || host[i] >= 127 || strchr("/@?#[]\"", host[i]) != NULL)
            return false;
    }
    return true;
}

// Where the port begins, NULL when there is none: a colon outside of brackets.
static const char *find_port(const char *address, const char *end)
{
    const char *colon = memrchr(address, ':', (size_t)(end - address));

    if (colon == NULL || (address[0] == '[' && memchr(colon, ']', (size_t)(end - colon)) != NULL))
        return NULL;
    return colon + 1;
}

static enum error parse_address(const char *address, const char *end, struct peer_entry *entry,
                                struct failure *failure)
{
    const char *port = find_port(address, end);
    const char *host_end = port != NULL ? port - 1 : end;
    bool brackets = address[0] == '[' && host_end > address + 1 && host_end[-1] == ']';
    const char *host = brackets ? address + 1 : address;
    size_t length = (size_t)(host_end - host) - brackets;

    entry->port = port != NULL ? parse_number(port, (size_t)(end - port)) : PEER_PORT_DEFAULT;
    if (!host_is_plausible(host, length) || (!brackets && memchr(host, ':', length) != NULL) ||
        entry->port == 0)
        return failure_set(failure, ERROR_USAGE,
                           "--peers: \"%.*s\" is no address; give HOST, HOST:PORT or [V6]:PORT",
                           (int)(end - address > 300 ? 300 : end - address), address);
    memcpy(entry->host, host, length);
    entry->host[length] = '\0';
    return ERROR_OK;
}

// Returns whether the item names its id.
static bool split_id(const char *item, const char *end, const char **address, uint16_t *node)
{
    const char *equals = memchr(item, '=', (size_t)(end - item));

    *address = equals != NULL ? equals + 1 : item;
    if (equals != NULL)
        *node = parse_number(item, (size_t)(equals - item));
    return equals != NULL;
}

static enum error insert(struct peer_list *list, const struct peer_entry *entry,
                         struct failure *failure)
{
    size_t at = list->count;

    if (peer_list_find(list, entry->node) != NULL)
        return failure_set(failure, ERROR_USAGE, "--peers: node %u is named twice",
                           (unsigned)entry->node);
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].port == entry->port && strcmp(list->entries[i].host, entry->host) == 0)
            return failure_set(failure, ERROR_USAGE,
                               "--peers: nodes %u and %u have the same address",
                               (unsigned)list->entries[i].node, (unsigned)entry->node);
    }
    for (; at > 0 && list->entries[at - 1].node > entry->node; at--)
        list->entries[at] = list->entries[at - 1];
    list->entries[at] = *entry;
    list->count++;
    return ERROR_OK;
}

static enum error parse_item(struct peer_list *list, const char *item, const char *end,
                             bool *numbered, struct failure *failure)
{
    struct peer_entry entry = {.node = (uint16_t)(list->count + 1)};
    const char *address;
    bool first = list->count == 0;

    if (list->count == PAXOS_VOTERS_MAX)
        return failure_set(failure, ERROR_USAGE, "--peers: a cluster has at most %d nodes",
                           PAXOS_VOTERS_MAX);
    bool has_id = split_id(item, end, &address, &entry.node);
    if (first)
        *numbered = has_id;
    if (*numbered != has_id)
        return failure_set(failure, ERROR_USAGE,
                           "--peers: give every node an id (\"1=a,2=b\") or none (\"a,b\")");
    if (entry.node == 0)
        return failure_set(failure, ERROR_USAGE, "--peers: \"%.*s\" has no id from 1 to 65535",
                           (int)(end - item > 300 ? 300 : end - item), item);
    enum error error = parse_address(address, end, &entry, failure);
    return error == ERROR_OK ? insert(list, &entry, failure) : error;
}

enum error peer_list_parse(const char *text, struct peer_list *list, struct failure *failure)
{
    enum error error = ERROR_OK;
    bool numbered = false;

    *list = (struct peer_list){0};
    while (*text != '\0' && error == ERROR_OK) {
        const char *end = strchrnul(text, ',');
        error = parse_item(list, text, end, &numbered, failure);
        text = *end == ',' ? end + 1 : end;
        if (*end == ',' && *text == '\0' && error == ERROR_OK)
            error = failure_set(failure, ERROR_USAGE, "--peers: the list ends with a comma");
    }
    return error;
}

void peer_entry_text(const struct peer_entry *entry, char into[PEER_TEXT_MAX])
{
    bool v6 = strchr(entry->host, ':') != NULL;

    snprintf(into, PEER_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", entry->host, v6 ? "]" : "",
             (unsigned)entry->port);
}

const struct peer_entry *peer_list_find(const struct peer_list *list, uint16_t node)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].node == node)
            return &list->entries[i];
    }
    return NULL;
}

// Names of hosts have no case, and one is the other's beginning, up to a dot.
static bool is_same_host(const char *a, const char *b)
{
    size_t length = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

    return length > 0 && strncasecmp(a, b, length) == 0 &&
           (a[length] == '\0' || a[length] == '.') && (b[length] == '\0' || b[length] == '.');
}

uint16_t peer_list_by_host(const struct peer_list *list, const char *name)
{
    uint16_t found = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (!is_same_host(list->entries[i].host, name))
            continue;
        if (found != 0)
            return 0;
        found = list->entries[i].node;
    }
    return found;
}

struct hash128 peer_list_hash(const struct peer_list *list)
{
    struct buffer ids = {0};

    for (size_t i = 0; i < list->count; i++)
        buffer_u16(&ids, list->entries[i].node);
    struct hash128 hash = hash128(ids.data, ids.length, 0);
    buffer_deinit(&ids);
    return hash;
}
