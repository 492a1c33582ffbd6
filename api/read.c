// SPDX-License-Identifier: Apache-2.0
// The position that is reported is the view's own: a later one would make a client skip changes. A read
// that has to wait is parked, and its handler runs again, from its beginning, once it may look.
#include "api/read.h"

#include <inttypes.h>
#include <string.h>

#include "api/dispatch.h"
#include "api/precondition.h"
#include "api/reply.h"
#include "base/clock.h"
#include "storage/session.h"

enum { NS_PER_MS = 1000000, AT_ITS_END_NS = 100 * NS_PER_MS };

static bool is_local(const struct request *request)
{
    return request->query.value[QUERY_CONSISTENCY] == CONSISTENCY_LOCAL;
}

static uint64_t wanted_zxid(const struct request *request)
{
    uint64_t min_zxid = (uint64_t)request->query.value[QUERY_MIN_ZXID];

    return request->query.since.zxid > min_zxid ? request->query.since.zxid : min_zxid;
}

static bool is_alone(const struct request *request)
{
    struct node_status status = {0};

    request->service->backend.status(request->service->backend.context, &status);
    return status.member_count <= 1;
}

// A position that not even a barrier has reached exists nowhere; a node that is read locally may just be
// behind.
static enum error refuse_position(struct request *request, uint64_t zxid, struct problem *problem)
{
    bool behind = is_local(request) && !is_alone(request);

    return problem_set(problem, behind ? ERROR_BEHIND : ERROR_FUTURE_POSITION,
                       "%" PRIu64 " is asked for and %s is at %" PRIu64, wanted_zxid(request),
                       behind ? "this node" : "the cluster", zxid);
}

// ---- Waiting -----------------------------------------------------------------------------------

static void complete(struct read_wait *wait, enum error error)
{
    struct request *request = CONTAINER_OF(wait, struct request, read);

    request->timing.completed_ns = clock_monotonic_ns();
    request->outcome = error;
    request->service->unpark(request);
}

// A leader that was waited for in vain is waited for again while the request has time: a fail-over may
// take longer than others would be held.
static bool may_try_again(const struct request *request)
{
    uint64_t now_ns = clock_monotonic_ns();

    return request->outcome == ERROR_NO_LEADER && now_ns < request->hold_until_ns &&
           now_ns + AT_ITS_END_NS >= request->read.deadline_ns;
}

// BEHIND is told by the handler, which knows where this node is.
static void finish(struct request *request)
{
    struct problem problem = {.error = request->outcome};

    request->read_waited = !may_try_again(request);
    if (!request->read_waited || request->outcome == ERROR_OK || request->outcome == ERROR_BEHIND)
        dispatch_run(request);
    else
        reply_problem(request, &problem);
}

static void wait(struct request *request, bool barrier, uint64_t renew)
{
    struct service *service = request->service;
    uint64_t wait_ms = service->limits.wait_default_ms;
    struct problem problem = {0};

    if (prefer_wait_parse(&request->headers, service->limits.wait_max_ms, &wait_ms, &problem) !=
        ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    request->read = (struct read_wait){.barrier = barrier,
                                       .min_zxid = barrier ? 0 : wanted_zxid(request),
                                       .renew = renew,
                                       .deadline_ns = clock_monotonic_ns() + wait_ms * NS_PER_MS,
                                       .complete = complete};
    request->finish = finish;
    if (service->park(request)) {
        service->backend.read(service->backend.context, &request->read);
        return;
    }
    problem_set(&problem, ERROR_DRAINING, "the server is shutting down and no read may wait");
    reply_problem(request, &problem);
}

void read_renewed(struct request *request, uint64_t session)
{
    wait(request, true, session);
}

// ---- Looking -----------------------------------------------------------------------------------

static bool must_wait_for_barrier(const struct request *request)
{
    const struct api_backend *backend = &request->service->backend;

    return !is_local(request) && !request->read_waited && !backend->read_at_once(backend->context);
}

static void note_staleness(struct request *request)
{
    const struct api_backend *backend = &request->service->backend;

    request->reply.local = is_local(request);
    if (request->reply.local)
        request->reply.staleness_ms = backend->staleness_ms(backend->context);
}

static bool refuse(struct request *request, enum error error)
{
    struct problem problem = {.error = error};

    reply_problem(request, &problem);
    return false;
}

// Only what a barrier has confirmed tells of a session: a node that is behind may not know it yet.
static bool check_session(struct request *request, struct live_view *view)
{
    const struct credential *session = &request->session;
    struct session_info info;

    if (session->id == 0 || is_local(request))
        return true;
    enum error error = view_session(view->view, session->id, &info);
    if (error == ERROR_OK && memcmp(info.proof, session->proof, sizeof info.proof) != 0)
        error = ERROR_SESSION_DENIED;
    if (error == ERROR_OK)
        return true;
    live_release(request->service->live, view);
    return refuse(request, error);
}

// A session that this node knows needs no barrier: what it does not know may be newer than this node.
bool read_admit(struct request *request)
{
    struct live *live = request->service->live;
    struct live_view view;

    if (request->session.id == 0 || request->session_known)
        return true;
    if (must_wait_for_barrier(request)) {
        wait(request, true, 0);
        return false;
    }
    enum error error = live_acquire(live, &view);
    if (error != ERROR_OK)
        return refuse(request, error);
    if (!check_session(request, &view))
        return false;
    live_release(live, &view);
    return true;
}

// The age is asked for first: what is looked at is then not older.
bool read_begin(struct request *request, struct live_view *view)
{
    const struct service *service = request->service;
    struct problem problem = {0};

    if (must_wait_for_barrier(request)) {
        wait(request, true, 0);
        return false;
    }
    note_staleness(request);
    enum error error = live_acquire(service->live, view);
    if (error != ERROR_OK)
        return refuse(request, error);
    uint64_t zxid = view_position(view->view)->zxid;
    reply_set_zxid(request, zxid);
    if (wanted_zxid(request) <= zxid)
        return check_session(request, view);
    live_release(service->live, view);
    if (is_local(request) && !request->read_waited && !is_alone(request)) {
        wait(request, false, 0);
        return false;
    }
    refuse_position(request, zxid, &problem);
    reply_problem(request, &problem);
    return false;
}

void read_end(struct request *request, struct live_view *view)
{
    live_release(request->service->live, view);
}
