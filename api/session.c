// SPDX-License-Identifier: Apache-2.0
// Sessions as resources. Opening and closing are changes; a renewal is a read that the leader has to
// hear of first. What a session owns is told to its holder alone; read_begin sees to that the credential
// is right.
#include "api/session.h"

#include <string.h>

#include "api/cursor.h"
#include "api/handlers.h"
#include "api/json_reader.h"
#include "api/precondition.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/result.h"
#include "api/submit.h"
#include "storage/session.h"

enum { ITEMS_DEFAULT = 1000 };

static void write_id(struct json_writer *json, uint64_t id)
{
    char text[SESSION_ID_MAX];

    session_id_write(text, id);
    json_key(json, "id");
    json_string(json, text);
}

static void write_number(struct json_writer *json, const char *key, uint64_t number)
{
    json_key(json, key);
    json_number(json, number);
}

static void submit_session_op(struct request *request, const struct op *op, bool shrinks,
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

// Takes the outcome, or makes the reply a problem and returns false.
static bool open_result(struct request *request, struct result *result)
{
    struct problem problem = {0};

    buffer_clear(&request->reply.body);
    if (!result_open(request, result))
        return false;
    problem.error = result->error;
    if (problem.error != ERROR_OK)
        reply_problem(request, &problem);
    return problem.error == ERROR_OK;
}

// ---- Opening -------------------------------------------------------------------------------------

static enum error parse_timeout(const struct request *request, struct json_document **document,
                                uint32_t *timeout_ms, struct problem *problem)
{
    static const char *const members[] = {"timeout_ms", NULL};
    uint32_t depth = request->service->limits.json_depth;
    int32_t wanted = 0;

    enum error error =
        json_parse(request->body.data, request->body.length, depth, document, problem);
    if (error != ERROR_OK)
        return error;
    struct json_object *root = json_root(*document);
    error = json_check_object(root, members, "the body", problem);
    if (error == ERROR_OK)
        error = json_get_int32(root, "timeout_ms", "the body", &wanted, problem);
    if (error != ERROR_OK)
        return error;
    *timeout_ms = (uint32_t)wanted;
    if (wanted >= SESSION_TIMEOUT_MIN_MS && wanted <= SESSION_TIMEOUT_MAX_MS)
        return ERROR_OK;
    return problem_set(problem, ERROR_BAD_JSON, "\"timeout_ms\" of the body must be from %d to %d",
                       SESSION_TIMEOUT_MIN_MS, SESSION_TIMEOUT_MAX_MS);
}

// The timeout that was submitted.
static uint32_t submitted_timeout(const struct request *request)
{
    const struct blob *blob = request->submission.command;
    struct command command;
    struct op op;

    command_decode(blob->data, blob->length, &command);
    command_next_op(&command, &op);
    return op.session.timeout_ms;
}

static void finish_open(struct request *request)
{
    char name[SESSION_ID_MAX], credential[CREDENTIAL_MAX];
    struct result result;

    if (!open_result(request, &result))
        return;
    session_id_write(name, result.zxid);
    credential_write(credential, result.zxid, request->secret);
    buffer_printf(&request->reply.location, "/v1/sessions/%s", name);
    buffer_u8(&request->reply.location, '\0');
    struct json_writer json = reply_json(request, 201);
    json_open(&json, '{');
    write_id(&json, result.zxid);
    json_key(&json, "credential");
    json_string(&json, credential);
    write_number(&json, "timeout_ms", submitted_timeout(request));
    json_close(&json, '}');
    json_end(&json);
}

// The outcome is kept without the secret, which nobody but the first caller has seen: there is nothing
// to replay. A session that nobody uses ends by itself.
static enum error refuse_key(const struct request *request, struct problem *problem)
{
    if (request->headers.value[HEADER_IDEMPOTENCY_KEY] == NULL)
        return ERROR_OK;
    return problem_set(
        problem, ERROR_BAD_HEADER,
        "a session cannot be opened with an Idempotency-Key: just ask again; one that "
        "is not used ends by itself");
}

void sessions_post(struct request *request)
{
    uint8_t proof[SESSION_PROOF_BYTES];
    struct op op = {.type = OP_SESSION_OPEN, .session.proof = proof};
    struct json_document *document = NULL;
    struct problem problem = {0};

    enum error error = precondition_refuse(&request->headers, &problem);
    if (error == ERROR_OK)
        error = refuse_key(request, &problem);
    if (error == ERROR_OK)
        error = parse_timeout(request, &document, &op.session.timeout_ms, &problem);
    json_free(document);
    if (error != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    credential_make(request->secret, proof);
    submit_session_op(request, &op, false, finish_open);
}

// ---- Pages ---------------------------------------------------------------------------------------

// Of sessions, or of what one owns; `last` is the number of a session or a node.
struct page {
    struct json_writer *json;
    uint32_t count;
    uint32_t most;
    uint64_t last; // listed; at first: before the page
    bool more;     // behind it
};

static enum error page_of(const struct request *request, struct page *page, struct problem *problem)
{
    const struct query *query = &request->query;
    const char *cursor = (const char *)query->text.data;
    uint32_t most = request->service->limits.list_items;
    struct buffer last = {0};

    page->most = most < ITEMS_DEFAULT ? most : ITEMS_DEFAULT;
    if (query_has(query, QUERY_LIMIT)) {
        page->most = (uint32_t)query->value[QUERY_LIMIT];
        if (page->most > most)
            return problem_set(problem, ERROR_BAD_QUERY, "\"limit\" is %u; it can be at most %u",
                               page->most, most);
    }
    if (!query_has(query, QUERY_CURSOR))
        return ERROR_OK;
    bool right = cursor_decode(&last, cursor, query->text.length - 1) &&
                 session_id_parse((const char *)last.data, last.length, &page->last);
    buffer_deinit(&last);
    return right ? ERROR_OK
                 : problem_set(problem, ERROR_BAD_QUERY,
                               "\"cursor\" is not the \"next\" of a page of this list");
}

static void write_next(struct json_writer *json, const struct page *page)
{
    char text[SESSION_ID_MAX];
    struct buffer next = {0};

    if (!page->more)
        return;
    session_id_write(text, page->last);
    cursor_encode(&next, text, strlen(text));
    json_key(json, "next");
    json_text(json, next.data, next.length);
    buffer_deinit(&next);
}

// ---- One session, by its holder ------------------------------------------------------------------

bool session_is_holder(struct request *request)
{
    struct problem problem = {0};
    uint64_t id;

    if (!session_id_parse(request_path(request), request->path_length, &id))
        problem_set(&problem, ERROR_NOT_FOUND,
                    "\"%.100s\" is not the id of a session, such as 0x1f", request_path(request));
    else if (request->session.id != id)
        problem_set(&problem, ERROR_SESSION_DENIED,
                    "only its holder can do this: the header Curlew-Session must have the "
                    "credential of session %s",
                    request_path(request));
    else
        return true;
    reply_problem(request, &problem);
    return false;
}

static void write_session(struct json_writer *json, const struct session_info *info)
{
    write_id(json, info->id);
    write_number(json, "timeout_ms", info->timeout_ms);
    write_number(json, "ctime", info->created_ms);
    write_number(json, "ephemeral_count", info->ephemeral_count);
}

struct owned {
    struct page *page;
    const struct request *request;
};

// A page is also cut by its bytes: paths are long.
static bool write_owned(void *context, uint64_t node, const char *path, size_t length)
{
    const struct owned *owned = context;
    struct page *page = owned->page;
    bool full = page->count == page->most ||
                owned->request->reply.body.length >= owned->request->service->limits.page_bytes;

    page->more = full && page->count > 0;
    if (page->more)
        return false;
    json_text(page->json, path, length);
    page->last = node;
    page->count++;
    return true;
}

// With the page of what the session owns, unless that is NULL.
static enum error describe(struct request *request, struct view *view, struct page *page)
{
    struct owned owned = {.page = page, .request = request};
    struct session_info info;

    enum error error = view_session(view, request->session.id, &info);
    if (error != ERROR_OK)
        return error;
    struct json_writer json = reply_json(request, 200);
    json_open(&json, '{');
    write_session(&json, &info);
    if (page != NULL) {
        page->json = &json;
        json_key(&json, "paths");
        json_open(&json, '[');
        error = view_session_nodes(view, info.id, page->last, write_owned, &owned);
        json_close(&json, ']');
        write_next(&json, page);
    }
    json_close(&json, '}');
    json_end(&json);
    return error;
}

static void reply_session(struct request *request, struct page *page)
{
    struct problem problem = {0};
    struct live_view view;

    if (!read_begin(request, &view))
        return;
    problem.error = describe(request, view.view, page);
    read_end(request, &view);
    if (problem.error != ERROR_OK)
        reply_problem(request, &problem);
}

void session_get(struct request *request)
{
    struct problem problem = {0};
    struct page page = {0};

    if (!session_is_holder(request))
        return;
    if (page_of(request, &page, &problem) != ERROR_OK)
        reply_problem(request, &problem);
    else
        reply_session(request, &page);
}

// The leader hears of the session only once the credential is known to be right: where this node does not
// know the session yet, a barrier comes first.
void session_put(struct request *request)
{
    if (!session_is_holder(request))
        return;
    if (!request->read_waited) {
        read_renewed(request, request->session_known ? request->session.id : 0);
    } else if (request->read.renew == 0) {
        struct live_view view;
        if (!read_begin(request, &view))
            return;
        read_end(request, &view);
        read_renewed(request, request->session.id);
    } else {
        reply_session(request, NULL);
    }
}

static void finish_close(struct request *request)
{
    struct result result;

    if (open_result(request, &result))
        request->reply.status = 204;
}

void session_delete(struct request *request)
{
    struct op op = {.type = OP_SESSION_CLOSE, .session.id = request->session.id};
    struct problem problem = {0};

    if (!session_is_holder(request))
        return;
    if (precondition_refuse(&request->headers, &problem) != ERROR_OK)
        reply_problem(request, &problem);
    else
        submit_session_op(request, &op, true, finish_close);
}

// ---- All sessions --------------------------------------------------------------------------------

static bool write_item(void *context, const struct session_info *info)
{
    struct page *page = context;

    page->more = page->count == page->most;
    if (page->more)
        return false;
    json_open(page->json, '{');
    write_session(page->json, info);
    json_close(page->json, '}');
    page->last = info->id;
    page->count++;
    return true;
}

static enum error list(struct request *request, struct view *view, struct page *page)
{
    struct json_writer json = reply_json(request, 200);

    page->json = &json;
    json_open(&json, '{');
    json_key(&json, "sessions");
    json_open(&json, '[');
    enum error error = view_sessions(view, page->last, write_item, page);
    json_close(&json, ']');
    write_next(&json, page);
    json_close(&json, '}');
    json_end(&json);
    return error;
}

void sessions_get(struct request *request)
{
    struct problem problem = {0};
    struct page page = {0};
    struct live_view view;

    if (page_of(request, &page, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    if (!read_begin(request, &view))
        return;
    problem.error = list(request, view.view, &page);
    read_end(request, &view);
    if (problem.error != ERROR_OK)
        reply_problem(request, &problem);
}
