// SPDX-License-Identifier: Apache-2.0
// A znode that does not exist is an answer and not a failure: its result has a code. The whole
// reply is bounded by page_bytes, because nothing else bounds what 1,000 gets could add up to.
#include "api/multi_read.h"

#include "api/read.h"
#include "api/reply.h"

struct listing {
    struct json_writer *json;
    const struct request *request;
};

static bool is_full(const struct request *request)
{
    return request->reply.body.length > request->service->limits.page_bytes;
}

static bool visit(void *context, const struct znode *node)
{
    struct listing *listing = context;

    json_text(listing->json, node->name, node->name_length);
    return !is_full(listing->request);
}

static enum error write_get(struct json_writer *json, struct view *view, const struct op *op)
{
    struct znode node;

    enum error error = view_get(view, op->path, op->path_length, true, &node);
    if (error != ERROR_OK)
        return error;
    reply_write_data(json, &node, ENCODING_AUTO);
    reply_write_stat(json, &node.stat);
    return ERROR_OK;
}

static enum error write_children(const struct request *request, struct json_writer *json,
                                 struct view *view, const struct op *op)
{
    struct listing listing = {.json = json, .request = request};
    struct znode node;
    bool more = false;

    enum error error = view_get(view, op->path, op->path_length, false, &node);
    if (error != ERROR_OK)
        return error;
    json_key(json, "children");
    json_open(json, '[');
    error = view_children(view, op->path, op->path_length, NULL, 0, false, visit, &listing, &node,
                          &more);
    json_close(json, ']');
    reply_write_stat(json, &node.stat);
    return error;
}

static enum error write_result(const struct request *request, struct json_writer *json,
                               struct view *view, const struct multi_op *multi_op)
{
    const struct op *op = &multi_op->op;

    json_open(json, '{');
    json_key(json, "op");
    json_string(json, multi_op_name(multi_op->type));
    json_key(json, "path");
    json_text(json, op->path, op->path_length);
    enum error error = multi_op->type == MULTI_GET ? write_get(json, view, op)
                                                   : write_children(request, json, view, op);
    if (error == ERROR_NO_NODE) {
        json_key(json, "code");
        json_string(json, error_entry(error)->code);
        error = ERROR_OK;
    }
    json_close(json, '}');
    return error;
}

static void read_all(struct request *request, struct view *view, const struct multi *multi)
{
    struct problem problem = {0};
    struct json_writer json = reply_json(request, 200);

    json_open(&json, '{');
    json_key(&json, "zxid");
    json_number(&json, request->reply.zxid);
    json_key(&json, "results");
    json_open(&json, '[');
    for (size_t i = 0; i < multi->count && problem.error == ERROR_OK; i++) {
        problem.error = write_result(request, &json, view, &multi->ops[i]);
        if (problem.error == ERROR_OK && is_full(request))
            problem_set(&problem, ERROR_BAD_ARGUMENTS,
                        "the results have more than %u bytes, which is the limit; read fewer "
                        "znodes at once",
                        request->service->limits.page_bytes);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    json_end(&json);
    if (problem.error != ERROR_OK)
        reply_problem(request, &problem);
}

void multi_read(struct request *request, const struct multi *multi)
{
    struct live_view view;

    if (!read_begin(request, &view))
        return;
    read_all(request, view.view, multi);
    read_end(request, &view);
}
