// SPDX-License-Identifier: Apache-2.0
// The sentences name what was asked and what was found, so that nobody has to ask again to know.
#include "api/result.h"

#include <inttypes.h>
#include <stddef.h>

#include "api/etag.h"
#include "api/reply.h"
#include "storage/path.h"

enum { SHOWN_BYTES = 300 };

bool result_open(struct request *request, struct result *result)
{
    struct problem problem = {0};

    problem.error = request->outcome;
    if (problem.error == ERROR_OK)
        problem.error = result_decode(request->result->data, request->result->length, result);
    if (problem.error != ERROR_OK) {
        reply_problem(request, &problem);
        return false;
    }
    reply_set_zxid(request, result->zxid);
    request->reply.replayed = result->replayed;
    return true;
}

struct subject {
    int length;
    const char *text;
};

static struct subject subject_of(const struct op *op)
{
    size_t shown = op->path_length < SHOWN_BYTES ? op->path_length : SHOWN_BYTES;

    return (struct subject){.length = (int)shown, .text = op->path};
}

static void explain_no_node(struct problem *problem, const struct op *op, bool multi)
{
    struct subject path = subject_of(op);
    bool creates = op->type == OP_CREATE || (op->type == OP_PUT && !(op->flags & OP_HAS_VERSION));

    if (creates)
        problem_set(problem, ERROR_NO_NODE, "the parent of %.*s does not exist%s", path.length,
                    path.text, multi ? "" : "; ?parents creates missing ancestors");
    else
        problem_set(problem, ERROR_NO_NODE, "%.*s does not exist", path.length, path.text);
}

static void explain_precondition(struct problem *problem, const struct op *op,
                                 const struct op_result *outcome)
{
    struct subject path = subject_of(op);
    char etag[ETAG_MAX];

    if (op->flags & OP_MUST_NOT_EXIST) {
        problem_set(problem, ERROR_PRECONDITION_FAILED,
                    "%.*s exists, and If-None-Match: * says that it must not", path.length,
                    path.text);
    } else if (problem->has_current) {
        etag_raw(etag, outcome->stat.mzxid);
        problem_set(problem, ERROR_PRECONDITION_FAILED,
                    "%.*s has the entity tag %s, which is not in If-Match", path.length, path.text,
                    etag);
    } else {
        problem_set(problem, ERROR_PRECONDITION_FAILED,
                    "%.*s does not exist, and If-Match says that it must", path.length, path.text);
    }
}

static void explain_version(struct problem *problem, const struct op *op,
                            const struct op_result *outcome)
{
    struct subject path = subject_of(op);

    if (problem->has_current)
        problem_set(problem, ERROR_BAD_VERSION, "%.*s is at version %" PRId32 ", you gave %" PRId32,
                    path.length, path.text, outcome->stat.version, op->version);
    else
        problem_set(problem, ERROR_BAD_VERSION, "%.*s is not at version %" PRId32, path.length,
                    path.text, op->version);
}

static void explain_path(struct problem *problem, const struct op *op)
{
    struct subject path = subject_of(op);
    const char *reason = NULL;

    if (op->flags & OP_SEQUENTIAL)
        path_validate_prefix(op->path, op->path_length, &reason);
    else
        path_validate(op->path, op->path_length, &reason);
    problem_set(problem, ERROR_BAD_PATH, "%.*s is not a valid path%s%s", path.length, path.text,
                reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static void explain_arguments(struct problem *problem, enum error error, const struct op *op)
{
    struct subject path = subject_of(op);

    if (path_is_reserved(op->path, op->path_length))
        problem_set(problem, error, "%.*s is read-only: clients cannot change /zookeeper",
                    path.length, path.text);
    else if (path_is_special(op->path, op->path_length))
        problem_set(problem, error, "%.*s always exists and cannot be deleted", path.length,
                    path.text);
}

void result_explain(struct problem *problem, enum error error, const struct op *op,
                    const struct op_result *outcome, bool multi)
{
    struct subject path = subject_of(op);

    problem->error = error;
    problem->path = op->path;
    problem->path_length = op->path_length;
    bool precondition = error == ERROR_BAD_VERSION || error == ERROR_PRECONDITION_FAILED;
    if (precondition && outcome != NULL && (outcome->flags & RESULT_HAS_STAT)) {
        problem->has_current = true;
        problem->current_version = outcome->stat.version;
        problem->current_mzxid = outcome->stat.mzxid;
    }
    if (error == ERROR_NO_NODE)
        explain_no_node(problem, op, multi);
    else if (error == ERROR_NODE_EXISTS)
        problem_set(problem, error, "%.*s exists already", path.length, path.text);
    else if (error == ERROR_NOT_EMPTY)
        problem_set(problem, error, "%.*s has children%s", path.length, path.text,
                    multi ? "" : "; ?recursive deletes them too");
    else if (error == ERROR_TOO_MANY_NODES)
        problem_set(problem, error,
                    "%.*s and what is below it are more than %" PRIu32
                    " znodes; &limit=N deletes up to N at a time",
                    path.length, path.text, op->limit);
    else if (error == ERROR_BAD_VERSION)
        explain_version(problem, op, outcome);
    else if (error == ERROR_PRECONDITION_FAILED)
        explain_precondition(problem, op, outcome);
    else if (error == ERROR_BAD_PATH)
        explain_path(problem, op);
    else if (error == ERROR_BAD_ARGUMENTS || error == ERROR_NO_AUTH)
        explain_arguments(problem, error, op);
}
