// SPDX-License-Identifier: Apache-2.0
// The position that is reported is the view's own: a later one would make a client skip changes.
#include "api/read.h"

#include <inttypes.h>

#include "api/reply.h"

static enum error refuse_position(struct request *request, uint64_t wanted, uint64_t zxid,
                                  struct problem *problem)
{
    struct node_status status = {0};

    request->service->backend.status(request->service->backend.context, &status);
    bool alone = status.member_count <= 1;
    return problem_set(problem, alone ? ERROR_FUTURE_POSITION : ERROR_BEHIND,
                       "min_zxid is %" PRIu64 " and %s is at %" PRIu64, wanted,
                       alone ? "the cluster" : "this node", zxid);
}

static enum error open_view(struct request *request, struct live_view *view,
                            struct problem *problem)
{
    const struct api_backend *backend = &request->service->backend;
    uint64_t wanted = (uint64_t)request->query.value[QUERY_MIN_ZXID];
    enum error error = ERROR_OK;

    request->reply.local = request->query.value[QUERY_CONSISTENCY] == CONSISTENCY_LOCAL;
    if (!request->reply.local)
        error = backend->read_allowed(backend->context);
    if (error == ERROR_OK)
        error = live_acquire(backend->live, view);
    if (error != ERROR_OK) {
        problem->error = error;
        return error;
    }
    uint64_t zxid = view_position(view->view)->zxid;
    reply_set_zxid(request, zxid);
    if (wanted <= zxid)
        return ERROR_OK;
    live_release(backend->live, view);
    return refuse_position(request, wanted, zxid, problem);
}

bool read_begin(struct request *request, struct live_view *view)
{
    struct problem problem = {0};

    if (open_view(request, view, &problem) == ERROR_OK)
        return true;
    reply_problem(request, &problem);
    return false;
}

void read_end(struct request *request, struct live_view *view)
{
    live_release(request->service->backend.live, view);
}
