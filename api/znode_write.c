// SPDX-License-Identifier: Apache-2.0
// PUT, POST and DELETE of a znode: one command of one op each. What can be decided without the
// state is refused here; everything else is for the state machine, in ZooKeeper's order of errors.
#include "api/handlers.h"
#include "api/lifetime.h"
#include "api/percent.h"
#include "api/precondition.h"
#include "api/reply.h"
#include "api/result.h"
#include "api/submit.h"
#include "base/assert.h"

static struct op op_of(const struct request *request, enum op_type type)
{
    return (struct op){
        .type = (uint8_t)type,
        .kind = ZNODE_PERSISTENT,
        .path = request_path(request),
        .path_length = request->path_length,
        .data = request->body.length > 0 ? request->body.data : NULL,
        .data_length = request->body.length,
        .version = -1,
    };
}

// Encodes into the reply's buffer, which is empty until the reply is made.
static void submit_op(struct request *request, const struct op *op, bool shrinks,
                      void (*finish)(struct request *request))
{
    struct buffer *encoded = &request->reply.body;
    struct command command = {.op_count = 1};
    struct problem problem = {0};

    if (submit_prepare(request, &command, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    command_encode_begin(encoded, &command);
    command_encode_op(encoded, op);
    submit_command(request, encoded, shrinks, finish);
}

// The op that was submitted; it borrows from the submission.
static struct op submitted_op(const struct request *request)
{
    const struct blob *blob = request->submission.command;
    struct command command;
    struct op op;

    ASSERT(command_decode(blob->data, blob->length, &command) == ERROR_OK);
    command_next_op(&command, &op);
    return op;
}

// Takes the op's result, or makes the reply a problem and returns false.
static bool open_op_result(struct request *request, struct op_result *outcome)
{
    struct problem problem = {0};
    struct result result;

    buffer_clear(&request->reply.body);
    if (!result_open(request, &result))
        return false;
    if (result.op_count > 0)
        result_next_op(&result, outcome);
    if (result.error == ERROR_OK && result.op_count > 0)
        return true;
    struct op op = submitted_op(request);
    enum error error = result.error != ERROR_OK ? result.error : ERROR_CORRUPT;
    result_explain(&problem, error, &op, result.op_count > 0 ? outcome : NULL, false);
    reply_problem(request, &problem);
    return false;
}

static void set_location(struct request *request, const char *path, size_t length)
{
    struct buffer *location = &request->reply.location;

    buffer_text(location, "/v1/znodes");
    percent_encode_path(path, length, location);
    buffer_u8(location, '\0');
}

static void finish_write(struct request *request)
{
    struct op_result outcome = {0};

    if (!open_op_result(request, &outcome))
        return;
    bool created = outcome.type == OP_CREATE || (outcome.flags & RESULT_CREATED) != 0;
    bool named = (outcome.flags & RESULT_HAS_PATH) != 0;
    const char *path = named ? outcome.path : request_path(request);
    size_t length = named ? outcome.path_length : request->path_length;
    struct json_writer json = reply_json(request, created ? 201 : 200);
    json_open(&json, '{');
    json_key(&json, "path");
    json_text(&json, path, length);
    json_key(&json, "zxid");
    json_number(&json, request->reply.zxid);
    reply_write_stat(&json, &outcome.stat);
    json_close(&json, '}');
    json_end(&json);
    etag_node(request->reply.etag, &outcome.stat);
    if (created)
        set_location(request, path, length);
}

static void finish_delete(struct request *request)
{
    struct op_result outcome = {0};

    if (!open_op_result(request, &outcome))
        return;
    if (!query_has(&request->query, QUERY_LIMIT)) {
        request->reply.status = 204;
        return;
    }
    struct json_writer json = reply_json(request, 200);
    json_open(&json, '{');
    json_key(&json, "deleted");
    json_number(&json, outcome.deleted);
    json_key(&json, "more");
    json_boolean(&json, (outcome.flags & RESULT_MORE) != 0);
    json_close(&json, '}');
    json_end(&json);
}

static enum error refuse_slash(const struct request *request, struct problem *problem)
{
    if (!request->trailing_slash)
        return ERROR_OK;
    return problem_set(problem, ERROR_BAD_PATH,
                       "the path ends with a slash, which only a POST with ?sequential may have");
}

void znode_put(struct request *request)
{
    struct op op = op_of(request, OP_PUT);
    const struct query *query = &request->query;
    struct problem problem = {0};

    if (refuse_slash(request, &problem) != ERROR_OK ||
        precondition_parse(&request->headers, &op, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    if (query->value[QUERY_PARENTS])
        op.flags |= OP_PARENTS;
    if (query_has(query, QUERY_VERSION)) {
        op.flags |= OP_HAS_VERSION;
        op.version = (int32_t)query->value[QUERY_VERSION];
    }
    submit_op(request, &op, false, finish_write);
}

static enum error set_lifetime(const struct request *request, struct op *op,
                               struct problem *problem)
{
    const struct query *query = &request->query;
    const struct lifetime lifetime = {.ephemeral = query->value[QUERY_EPHEMERAL] != 0,
                                      .container = query->value[QUERY_CONTAINER] != 0,
                                      .has_ttl = query_has(query, QUERY_TTL),
                                      .ttl_ms = query->value[QUERY_TTL]};

    if (lifetime.ephemeral && request->session.id == 0)
        return problem_set(problem, ERROR_SESSION_REQUIRED,
                           "an ephemeral znode needs an owner: the header Curlew-Session with the "
                           "credential that POST /v1/sessions answers");
    return lifetime_apply(&lifetime, ERROR_BAD_QUERY, "the query", op, problem);
}

void znode_post(struct request *request)
{
    struct op op = op_of(request, OP_CREATE);
    const struct query *query = &request->query;
    struct problem problem = {0};
    enum error error = ERROR_OK;

    if (!query->value[QUERY_SEQUENTIAL])
        error = refuse_slash(request, &problem);
    if (error != ERROR_OK || precondition_parse(&request->headers, &op, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    if (query->value[QUERY_PARENTS])
        op.flags |= OP_PARENTS;
    if (query->value[QUERY_SEQUENTIAL])
        op.flags |= OP_SEQUENTIAL;
    if (set_lifetime(request, &op, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    submit_op(request, &op, false, finish_write);
}

static enum error set_delete_limit(const struct request *request, struct op *op,
                                   struct problem *problem)
{
    const struct query *query = &request->query;
    uint32_t most = request->service->limits.delete_nodes;

    op->limit = most;
    if (!query_has(query, QUERY_LIMIT))
        return ERROR_OK;
    if (op->type != OP_DELETE_TREE)
        return problem_set(problem, ERROR_BAD_QUERY, "\"limit\" needs \"recursive\"");
    if (query->value[QUERY_LIMIT] > most)
        return problem_set(problem, ERROR_BAD_QUERY, "\"limit\" is %u; it can be at most %u",
                           (uint32_t)query->value[QUERY_LIMIT], most);
    op->limit = (uint32_t)query->value[QUERY_LIMIT];
    op->flags |= OP_PARTIAL;
    return ERROR_OK;
}

void znode_delete(struct request *request)
{
    const struct query *query = &request->query;
    bool tree = query->value[QUERY_RECURSIVE] != 0;
    struct op op = op_of(request, tree ? OP_DELETE_TREE : OP_DELETE);
    struct problem problem = {0};

    if (refuse_slash(request, &problem) != ERROR_OK ||
        precondition_parse(&request->headers, &op, &problem) != ERROR_OK ||
        set_delete_limit(request, &op, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    if (query_has(query, QUERY_VERSION))
        op.version = (int32_t)query->value[QUERY_VERSION];
    submit_op(request, &op, true, finish_delete);
}
