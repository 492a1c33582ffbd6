// SPDX-License-Identifier: Apache-2.0
// A poll looks, and if nothing is new it waits in the hub, which refuses it when something came since
// it looked: then it looks again. Its time being up is not enough to say that nothing has changed:
// unless the read is local, a barrier must have passed after that.
#include "api/poll.h"

#include <string.h>

#include "api/dispatch.h"
#include "api/read.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/memory.h"
#include "storage/history.h"
#include "storage/path.h"

struct poll {
    struct hub_wait wait;
    struct hub_key keys[2];
    struct request *request;
    enum poll_subject subject;
    poll_answer answer;
    bool has_since; // else the first look sets it
    uint64_t since;
    bool last_look; // the time is up: this look decides
    unsigned reasons;
};

// ---- Whether there is something new ------------------------------------------------------------

struct search {
    const struct request *request;
    bool found;
};

static bool compare(void *context, const struct change *change)
{
    struct search *search = context;

    search->found = change->path_length == search->request->path_length &&
                    memcmp(change->path, request_path(search->request), change->path_length) == 0;
    return !search->found;
}

// Whether nothing can have been created below the deepest ancestor that exists.
static bool ancestors_unchanged(struct view *view, const char *path, size_t length, uint64_t since)
{
    enum error error = ERROR_NO_NODE;
    struct znode ancestor;

    while (error == ERROR_NO_NODE && length > 1) {
        length = path_parent_length(path, length);
        error = view_get(view, path, length, false, &ancestor);
    }
    return error == ERROR_OK && ancestor.stat.pzxid <= since;
}

// An absent znode was absent all the time unless the history tells, or does not know.
static enum error absent_differs(const struct request *request, struct view *view, uint64_t since,
                                 bool *differs)
{
    struct search search = {.request = request};

    *differs = false;
    if (ancestors_unchanged(view, request_path(request), request->path_length, since))
        return ERROR_OK;
    *differs = true;
    if (view_history_start(view) > since)
        return ERROR_OK;
    enum error error = view_changes(view, since, compare, &search);
    *differs = search.found;
    return error;
}

static enum error look(const struct poll *poll, struct view *view, bool *differs)
{
    const struct request *request = poll->request;
    struct znode node;

    enum error error = view_get(view, request_path(request), request->path_length, false, &node);
    if (error == ERROR_NO_NODE)
        return absent_differs(request, view, poll->since, differs);
    uint64_t newest = poll->subject == POLL_CHILDREN ? node.stat.pzxid : node.stat.mzxid;
    *differs = newest > poll->since;
    return error;
}

// ---- Waiting -----------------------------------------------------------------------------------

static void wake(struct hub_wait *wait, unsigned reasons)
{
    struct poll *poll = CONTAINER_OF(wait, struct poll, wait);

    poll->reasons |= reasons;
    poll->request->service->unpark_later(poll->request);
}

static void gone(struct request *request)
{
    hub_end(request->service->hub, &request->poll->wait);
}

static void refuse_draining(struct request *request)
{
    struct problem problem = {0};

    problem_set(&problem, ERROR_DRAINING, "the server is shutting down and no request may wait");
    reply_problem(request, &problem);
}

static void finish(struct request *request)
{
    struct poll *poll = request->poll;
    unsigned reasons = poll->reasons;

    poll->reasons = 0;
    if ((reasons & HUB_GONE) != 0) {
        request->reply.hang_up = true;
        return;
    }
    if ((reasons & HUB_DRAINING) != 0) {
        refuse_draining(request);
        return;
    }
    if ((reasons & HUB_DEADLINE) != 0) {
        poll->last_look = true;
        request->read_waited = false;
    }
    dispatch_run(request);
}

// Parks until the hub knows more than `zxid`. Parking comes first: the hub may wake at once.
static void wait(struct poll *poll, uint64_t zxid)
{
    struct request *request = poll->request;
    struct service *service = request->service;

    request->finish = finish;
    request->gone = gone;
    if (!service->park(request)) {
        request->gone = NULL;
        refuse_draining(request);
        return;
    }
    enum hub_added added = hub_add(service->hub, &poll->wait, zxid);
    if (added == HUB_ADDED)
        return;
    if (added != HUB_LATE)
        poll->reasons |= added == HUB_ENDED ? HUB_GONE : HUB_DRAINING;
    service->unpark(request);
}

// ---- The poll ----------------------------------------------------------------------------------

static void add_key(struct poll *poll, enum hub_kind kind)
{
    poll->keys[poll->wait.key_count++] = (struct hub_key){
        .path = request_path(poll->request), .length = poll->request->path_length, .kind = kind};
}

static struct poll *begin(struct request *request, enum poll_subject subject, poll_answer answer)
{
    uint64_t wait_ns = (uint64_t)request->query.value[QUERY_WAIT] * 1000000;
    struct poll *poll = memory_zalloc(sizeof *poll);

    poll->request = request;
    poll->subject = subject;
    poll->answer = answer;
    poll->has_since = query_has(&request->query, QUERY_SINCE);
    poll->since = request->query.since.zxid;
    poll->last_look = wait_ns == 0;
    poll->wait.keys = poll->keys;
    add_key(poll, subject == POLL_NODE ? HUB_NODE : HUB_PRESENCE);
    if (subject == POLL_CHILDREN)
        add_key(poll, HUB_CHILDREN);
    poll->wait.deadline_ns = clock_monotonic_ns() + wait_ns;
    poll->wait.wake = wake;
    request->hold_until_ns = poll->wait.deadline_ns;
    request->poll = poll;
    return poll;
}

// What the GET would say decides between 304 and 204.
static void answer_unchanged(struct poll *poll, struct view *view)
{
    struct reply *reply = &poll->request->reply;

    poll->answer(poll->request, view);
    if (reply->status == 304)
        return;
    reply->status = 204;
    reply->content_type = NULL;
    reply->raw = false;
    reply->etag[0] = reply->curlew_stat[0] = '\0';
    reply->retry_after_s = 0;
    buffer_clear(&reply->body);
}

// Returns false when there is nothing to say yet; *zxid is how far it has looked.
static bool look_and_answer(struct poll *poll, struct view *view, uint64_t *zxid)
{
    struct problem problem = {0};
    bool differs = false;

    *zxid = view_position(view)->zxid;
    if (!poll->has_since)
        poll->since = *zxid;
    poll->has_since = true;
    problem.error = look(poll, view, &differs);
    if (problem.error != ERROR_OK)
        reply_problem(poll->request, &problem);
    else if (differs)
        poll->answer(poll->request, view);
    else if (poll->last_look)
        answer_unchanged(poll, view);
    return problem.error != ERROR_OK || differs || poll->last_look;
}

void poll_get(struct request *request, enum poll_subject subject, poll_answer answer)
{
    struct poll *poll = request->poll;
    struct live_view live;
    uint64_t zxid;

    if (poll == NULL)
        poll = begin(request, subject, answer);
    if (!read_begin(request, &live))
        return;
    bool answered = look_and_answer(poll, live.view, &zxid);
    read_end(request, &live);
    if (!answered)
        wait(poll, zxid);
}
