// SPDX-License-Identifier: Apache-2.0
// Queues that are gone through from end to end: each has as many entries as requests wait.
#include "server/renewals.h"

static struct renewal *take(struct fifo *queue)
{
    struct fifo_link *link = fifo_pop(queue);

    return link != NULL ? CONTAINER_OF(link, struct renewal, link) : NULL;
}

uint32_t renewals_ask(struct renewals *renewals, uint64_t *ids, uint32_t most, uint64_t now_ns,
                      uint64_t *number)
{
    struct renewal *renewal;
    uint32_t count = 0;

    *number = ++renewals->number;
    while (count < most && (renewal = take(&renewals->fresh)) != NULL) {
        renewal->number = *number;
        renewal->asked_ns = now_ns;
        ids[count++] = renewal->wait->renew;
        fifo_push(&renewals->asked, &renewal->link);
    }
    return count;
}

void renewals_noted(struct renewals *renewals, uint64_t number, struct ballot ballot,
                    const uint64_t *ids, uint32_t count, struct fifo *noted)
{
    struct fifo all = fifo_take(&renewals->asked);
    struct renewal *renewal;
    uint32_t at = 0;

    while ((renewal = take(&all)) != NULL) {
        bool is_noted = at < count && renewal->number == number && renewal->wait->renew == ids[at];
        if (is_noted) {
            renewal->ballot = ballot;
            at++;
        }
        fifo_push(is_noted ? noted : &renewals->asked, &renewal->link);
    }
}

void renewals_rewind(struct renewals *renewals, uint64_t asked_before_ns)
{
    struct fifo all = fifo_take(&renewals->asked);
    struct renewal *renewal;

    while ((renewal = take(&all)) != NULL) {
        bool again = renewal->asked_ns < asked_before_ns;
        fifo_push(again ? &renewals->fresh : &renewals->asked, &renewal->link);
    }
}

static void expire(struct fifo *queue, uint64_t now_ns, struct fifo *expired)
{
    struct fifo all = fifo_take(queue);
    struct renewal *renewal;

    while ((renewal = take(&all)) != NULL)
        fifo_push(renewal->wait->deadline_ns <= now_ns ? expired : queue, &renewal->link);
}

void renewals_expire(struct renewals *renewals, uint64_t now_ns, struct fifo *expired)
{
    expire(&renewals->fresh, now_ns, expired);
    expire(&renewals->asked, now_ns, expired);
}
