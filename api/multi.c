// SPDX-License-Identifier: Apache-2.0
// POST /v1/multi: several writes as one command, or several reads from one view.
#include "api/handlers.h"
#include "api/multi_parse.h"
#include "api/multi_read.h"
#include "api/precondition.h"
#include "api/reply.h"
#include "api/result.h"
#include "api/submit.h"
#include "base/assert.h"

static const char *name_of(uint8_t type)
{
    switch (type) {
    case OP_CHECK:
        return multi_op_name(MULTI_CHECK);
    case OP_CREATE:
        return multi_op_name(MULTI_CREATE);
    case OP_SET:
        return multi_op_name(MULTI_SET);
    case OP_DELETE:
        return multi_op_name(MULTI_DELETE);
    default:
        UNREACHABLE();
    }
}

static void write_result_head(struct json_writer *json, const struct op *op,
                              const struct op_result *outcome)
{
    bool named = (outcome->flags & RESULT_HAS_PATH) != 0;

    json_open(json, '{');
    json_key(json, "op");
    json_string(json, name_of(op->type));
    json_key(json, "path");
    json_text(json, named ? outcome->path : op->path,
              named ? outcome->path_length : op->path_length);
}

// The ops that were submitted; they borrow from the submission.
static struct command submitted_command(const struct request *request)
{
    const struct blob *blob = request->submission.command;
    struct command command;

    ASSERT(command_decode(blob->data, blob->length, &command) == ERROR_OK);
    return command;
}

static void reply_results(struct request *request, struct result *result)
{
    struct command command = submitted_command(request);
    struct json_writer json = reply_json(request, 200);
    struct op_result outcome;
    struct op op;

    json_open(&json, '{');
    json_key(&json, "zxid");
    json_number(&json, result->zxid);
    json_key(&json, "results");
    json_open(&json, '[');
    for (uint32_t i = 0; i < result->op_count && i < command.op_count; i++) {
        result_next_op(result, &outcome);
        command_next_op(&command, &op);
        write_result_head(&json, &op, &outcome);
        bool changed = op.type == OP_CREATE || op.type == OP_SET;
        if (changed && (outcome.flags & RESULT_HAS_STAT))
            reply_write_stat(&json, &outcome.stat);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    json_end(&json);
}

// Finds the failing op and describes it. The result is taken by value: its ops are read again
// after.
static void explain_failure(struct result result, struct command command, struct problem *problem)
{
    struct op_result outcome;
    struct op op;

    problem->error = result.error;
    for (uint32_t i = 0; i < result.op_count && i < command.op_count; i++) {
        result_next_op(&result, &outcome);
        command_next_op(&command, &op);
        if (i == result.failed_op)
            result_explain(problem, result.error, &op, &outcome, true);
    }
}

static void reply_failure(struct request *request, struct result *result)
{
    struct command command = submitted_command(request);
    struct problem problem = {0};
    struct op_result outcome;
    struct op op;

    explain_failure(*result, command, &problem);
    struct json_writer json = reply_problem_open(request, &problem);
    if (result->failed_op < result->op_count) {
        json_key(&json, "failed_op");
        json_number(&json, result->failed_op);
        json_key(&json, "results");
        json_open(&json, '[');
        for (uint32_t i = 0; i < result->op_count && i < command.op_count; i++) {
            result_next_op(result, &outcome);
            command_next_op(&command, &op);
            write_result_head(&json, &op, &outcome);
            json_key(&json, "code");
            json_string(&json, error_entry(outcome.error)->code);
            json_close(&json, '}');
        }
        json_close(&json, ']');
    }
    json_close(&json, '}');
    json_end(&json);
}

static void finish_multi(struct request *request)
{
    struct result result;

    buffer_clear(&request->reply.body);
    if (!result_open(request, &result))
        return;
    if (result.error == ERROR_OK)
        reply_results(request, &result);
    else
        reply_failure(request, &result);
}

static enum error check_owner(const struct request *request, const struct multi *multi,
                              struct problem *problem)
{
    for (size_t i = 0; i < multi->count && request->session.id == 0; i++) {
        if (multi->ops[i].op.kind == ZNODE_EPHEMERAL)
            return problem_set(
                problem, ERROR_SESSION_REQUIRED,
                "ops[%zu] is ephemeral and needs an owner: the header Curlew-Session", i);
    }
    return ERROR_OK;
}

static void submit_writes(struct request *request, const struct multi *multi)
{
    struct buffer *encoded = &request->reply.body;
    struct command command = {.multi = true, .op_count = (uint32_t)multi->count};
    struct problem problem = {0};
    bool shrinks = true;

    if (check_owner(request, multi, &problem) != ERROR_OK ||
        submit_prepare(request, &command, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    command_encode_begin(encoded, &command);
    for (size_t i = 0; i < multi->count; i++) {
        command_encode_op(encoded, &multi->ops[i].op);
        shrinks &= multi->ops[i].type == MULTI_DELETE || multi->ops[i].type == MULTI_CHECK;
    }
    submit_command(request, encoded, shrinks, finish_multi);
}

void multi_post(struct request *request)
{
    const struct api_limits *limits = &request->service->limits;
    const struct multi_limits bounds = {.json_depth = limits->json_depth, .ops = limits->multi_ops};
    struct problem problem = {0};
    struct multi multi = {0};

    enum error error = precondition_refuse(&request->headers, &problem);
    if (error == ERROR_OK)
        error = multi_parse(request->body.data, request->body.length, &bounds, &multi, &problem);
    if (error != ERROR_OK)
        reply_problem(request, &problem);
    else if (multi.reads)
        multi_read(request, &multi);
    else
        submit_writes(request, &multi);
    multi_free(&multi);
}
