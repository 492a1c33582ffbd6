// SPDX-License-Identifier: Apache-2.0
// GET and HEAD of a znode: value, stat, or bytes. Lists are in znode_list.c. The view is open only
// while the reply is written into memory, never while it is sent.
#include "api/accept.h"
#include "api/handlers.h"
#include "api/poll.h"
#include "api/precondition.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/znode_list.h"

static enum error check_fits(const struct request *request, enum view_kind view,
                             struct problem *problem)
{
    const struct query *query = &request->query;
    bool list = view == VIEW_CHILDREN || view == VIEW_TREE;

    if (!list && (query_has(query, QUERY_LIMIT) || query_has(query, QUERY_CURSOR)))
        return problem_set(problem, ERROR_BAD_QUERY,
                           "\"limit\" and \"cursor\" need view=children or view=tree");
    if (view != VIEW_CHILDREN && query_has(query, QUERY_DETAIL))
        return problem_set(problem, ERROR_BAD_QUERY, "\"detail\" needs view=children");
    if (view != VIEW_TREE && query_has(query, QUERY_DEPTH))
        return problem_set(problem, ERROR_BAD_QUERY, "\"depth\" needs view=tree");
    if (view != VIEW_DATA && query->value[QUERY_RAW])
        return problem_set(problem, ERROR_BAD_QUERY, "\"raw\" needs the data view");
    bool data = view == VIEW_DATA || query->value[QUERY_DETAIL] == DETAIL_DATA;
    if (query_has(query, QUERY_ENCODING) && (!data || query->value[QUERY_RAW]))
        return problem_set(problem, ERROR_BAD_QUERY,
                           "\"encoding\" needs a reply with data, and not raw");
    if (request->trailing_slash)
        return problem_set(problem, ERROR_BAD_PATH, "the path ends with a slash");
    return ERROR_OK;
}

// A poll is for one thing that has one position.
static enum error check_poll(const struct request *request, enum view_kind view,
                             struct problem *problem)
{
    const struct query *query = &request->query;
    uint32_t tag = request->service->cluster_tag;

    if (!poll_wanted(request) && query_has(query, QUERY_SINCE))
        return problem_set(problem, ERROR_BAD_QUERY, "\"since\" needs \"wait\"");
    if (!poll_wanted(request))
        return ERROR_OK;
    if (view == VIEW_TREE || query_has(query, QUERY_DETAIL) || query_has(query, QUERY_CURSOR))
        return problem_set(problem, ERROR_BAD_QUERY,
                           "\"wait\" takes neither view=tree nor \"detail\" nor \"cursor\"; "
                           "GET /v1/watch watches subtrees");
    if (query->since.has_tag && query->since.tag != tag)
        return problem_set(problem, ERROR_FUTURE_POSITION,
                           "\"since\" is a position of another cluster");
    return ERROR_OK;
}

static void write_raw(struct request *request, const struct znode *node)
{
    struct reply *reply = &request->reply;

    reply->status = 200;
    reply->content_type = "application/octet-stream";
    reply->raw = true;
    buffer_append(&reply->body, node->data, node->stat.data_length);
    reply_set_curlew_stat(request, &node->stat);
}

static void write_json(struct request *request, const struct znode *node, bool with_data)
{
    struct json_writer json = reply_json(request, 200);

    json_open(&json, '{');
    json_key(&json, "path");
    json_text(&json, request_path(request), request->path_length);
    if (with_data)
        reply_write_data(&json, node, (enum encoding_kind)request->query.value[QUERY_ENCODING]);
    reply_write_stat(&json, &node->stat);
    json_close(&json, '}');
    json_end(&json);
    if (request->method == METHOD_HEAD)
        reply_set_curlew_stat(request, &node->stat);
}

static void get_node(struct request *request, struct view *view, bool raw, bool with_data)
{
    struct problem problem = {0};
    struct znode node;

    problem.error = view_get(view, request_path(request), request->path_length, with_data, &node);
    if (problem.error == ERROR_NO_NODE)
        problem_set(&problem, ERROR_NO_NODE, "%.400s does not exist", request_path(request));
    if (problem.error == ERROR_OK)
        problem.error = precondition_read(&request->headers, &node.stat, &problem);
    if (problem.error != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    if (raw)
        etag_raw(request->reply.etag, node.stat.mzxid);
    else
        etag_node(request->reply.etag, &node.stat);
    if (raw)
        write_raw(request, &node);
    else
        write_json(request, &node, with_data);
    reply_check_unchanged(request);
}

static bool wants_raw(const struct request *request)
{
    return query_has(&request->query, QUERY_RAW)
               ? request->query.value[QUERY_RAW] != 0
               : accept_prefers_bytes(request->headers.value[HEADER_ACCEPT]);
}

static void answer(struct request *request, struct view *view)
{
    bool with_data = request->query.value[QUERY_VIEW] == VIEW_DATA;

    get_node(request, view, with_data && wants_raw(request), with_data);
}

void znode_get(struct request *request)
{
    enum view_kind kind = (enum view_kind)request->query.value[QUERY_VIEW];
    struct problem problem = {0};
    struct live_view view;

    if (check_fits(request, kind, &problem) != ERROR_OK ||
        check_poll(request, kind, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    bool list = kind == VIEW_CHILDREN || kind == VIEW_TREE;
    if (poll_wanted(request)) {
        poll_get(request, list ? POLL_CHILDREN : POLL_NODE, list ? znode_list_children : answer);
    } else if (list) {
        znode_list(request, kind);
    } else if (read_begin(request, &view)) {
        answer(request, view.view);
        read_end(request, &view);
    }
}
