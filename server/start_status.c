// SPDX-License-Identifier: Apache-2.0
// Nothing is known of the others yet, but who they are.
#include "server/start_status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void start_status_init(struct start_status *start, uint16_t node, const struct peer_list *list)
{
    *start = (struct start_status){.node = node, .list = list};
    pthread_mutex_init(&start->lock, NULL);
}

void start_status_say(struct start_status *start, const char *format, ...)
{
    va_list arguments;

    pthread_mutex_lock(&start->lock);
    va_start(arguments, format);
    vsnprintf(start->reason, sizeof start->reason, format, arguments);
    va_end(arguments);
    pthread_mutex_unlock(&start->lock);
}

static void add_member(struct node_status *status, uint16_t self, uint16_t node)
{
    status->members[status->member_count++] =
        (struct member_status){.id = node, .role = ROLE_STARTING, .healthy = node == self};
}

void start_status_fill(struct start_status *start, struct node_status *status)
{
    *status = (struct node_status){.node = start->node, .config_epoch = 1, .starting = true};
    for (size_t i = 0; i < start->list->count; i++) {
        const struct peer_entry *entry = &start->list->entries[i];
        add_member(status, start->node, entry->node);
        peer_entry_text(entry, status->members[i].peer);
    }
    if (start->list->count == 0)
        add_member(status, start->node, start->node);
    pthread_mutex_lock(&start->lock);
    memcpy(status->reason, start->reason, sizeof start->reason);
    pthread_mutex_unlock(&start->lock);
}
