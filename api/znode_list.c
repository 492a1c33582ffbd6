// SPDX-License-Identifier: Apache-2.0
// A page ends after `limit` items or behind the item that makes it larger than page_bytes. Names
// and details of children are two arrays, so the second grows beside the first.
#include "api/znode_list.h"

#include "api/cursor.h"
#include "api/read.h"
#include "api/reply.h"

enum { ITEMS_DEFAULT = 1000 };

struct page {
    struct request *request;
    struct json_writer names; // children: the names; tree: unused
    struct json_writer nodes; // the objects of `nodes`
    struct buffer details;    // what `nodes` writes to for children
    struct buffer last;       // name or path of the last item
    uint32_t items;
    uint32_t items_max;
    bool children;
    bool with_nodes;
    bool with_data;
};

static enum error page_begin(struct page *page, struct request *request, enum view_kind kind,
                             struct problem *problem)
{
    const struct query *query = &request->query;
    uint32_t most = request->service->limits.list_items;
    const char *cursor = (const char *)query->text.data;

    page->request = request;
    page->children = kind == VIEW_CHILDREN;
    page->with_nodes = !page->children || query->value[QUERY_DETAIL] != DETAIL_NONE;
    page->with_data = query->value[QUERY_DETAIL] == DETAIL_DATA;
    page->items_max = most < ITEMS_DEFAULT ? most : ITEMS_DEFAULT;
    if (query_has(query, QUERY_LIMIT)) {
        page->items_max = (uint32_t)query->value[QUERY_LIMIT];
        if (page->items_max > most)
            return problem_set(problem, ERROR_BAD_QUERY, "\"limit\" is %u; it can be at most %u",
                               page->items_max, most);
    }
    if (query_has(query, QUERY_CURSOR) &&
        !cursor_decode(&page->last, cursor, query->text.length - 1))
        return problem_set(problem, ERROR_BAD_QUERY,
                           "\"cursor\" is not the \"next\" of a page of this list");
    return ERROR_OK;
}

static void page_deinit(struct page *page)
{
    buffer_deinit(&page->details);
    buffer_deinit(&page->last);
}

static void write_path(struct page *page, const struct znode *node)
{
    const struct request *request = page->request;
    struct buffer path = {0};

    json_key(&page->nodes, "path");
    if (!page->children) {
        json_text(&page->nodes, node->name, node->name_length);
        return;
    }
    if (request->path_length > 1)
        buffer_append(&path, request->path.data, request->path_length);
    buffer_text(&path, "/");
    buffer_append(&path, node->name, node->name_length);
    json_text(&page->nodes, path.data, path.length);
    buffer_deinit(&path);
}

static bool page_full(const struct page *page)
{
    const struct request *request = page->request;
    size_t bytes = request->reply.body.length + page->details.length;

    return page->items == page->items_max ||
           (page->items > 0 && bytes >= request->service->limits.page_bytes);
}

// Refuses the node that does not fit any more, so that `next` is given only when there is more.
static bool visit(void *context, const struct znode *node)
{
    struct page *page = context;
    const struct request *request = page->request;

    if (page_full(page))
        return false;
    if (page->children)
        json_text(&page->names, node->name, node->name_length);
    if (page->with_nodes) {
        json_open(&page->nodes, '{');
        write_path(page, node);
        if (page->with_data)
            reply_write_data(&page->nodes, node,
                             (enum encoding_kind)request->query.value[QUERY_ENCODING]);
        reply_write_stat(&page->nodes, &node->stat);
        json_close(&page->nodes, '}');
    }
    buffer_clear(&page->last);
    buffer_append(&page->last, node->name, node->name_length);
    page->items++;
    return true;
}

static struct json_writer begin_document(struct page *page)
{
    struct request *request = page->request;
    struct json_writer json = reply_json(request, 200);

    json_open(&json, '{');
    json_key(&json, "path");
    json_text(&json, request_path(request), request->path_length);
    json_key(&json, page->children ? "children" : "nodes");
    json_open(&json, '[');
    page->names.into = json.into;
    page->nodes.into = page->children ? &page->details : json.into;
    return json;
}

static void end_document(struct page *page, struct json_writer *json, bool more,
                         const struct stat_fields *stat)
{
    struct buffer next = {0};

    json_close(json, ']');
    if (page->children && page->with_nodes) {
        json_key(json, "nodes");
        json_open(json, '[');
        buffer_append(json->into, page->details.data, page->details.length);
        json_close(json, ']');
    }
    if (page->children)
        reply_write_stat(json, stat);
    if (more) {
        cursor_encode(&next, page->last.data, page->last.length);
        json_key(json, "next");
        json_text(json, next.data, next.length);
        buffer_deinit(&next);
    }
    json_close(json, '}');
    json_end(json);
}

static enum error walk(struct page *page, struct view *view, struct znode *parent, bool *more)
{
    struct request *request = page->request;
    const struct query *query = &request->query;
    const char *path = request_path(request);
    const char *after = query_has(query, QUERY_CURSOR) ? (const char *)page->last.data : NULL;
    size_t after_length = page->last.length;
    struct buffer start = page->last;

    page->last = (struct buffer){0};
    uint32_t depth =
        query_has(query, QUERY_DEPTH) ? (uint32_t)query->value[QUERY_DEPTH] : UINT32_MAX;
    enum error error = page->children
                           ? view_children(view, path, request->path_length, after, after_length,
                                           page->with_data, visit, page, parent, more)
                           : view_tree(view, path, request->path_length, after, after_length, depth,
                                       false, visit, page, more);
    buffer_deinit(&start);
    return error;
}

static void list(struct page *page, struct view *view)
{
    struct request *request = page->request;
    struct problem problem = {0};
    struct znode parent;
    bool more = false;

    bool tagged = page->children && !page->with_nodes;
    struct json_writer json = begin_document(page);
    problem.error = walk(page, view, &parent, &more);
    if (problem.error == ERROR_NO_NODE)
        problem_set(&problem, ERROR_NO_NODE, "%.400s does not exist", request_path(request));
    if (problem.error != ERROR_OK) {
        reply_problem(request, &problem);
        return;
    }
    end_document(page, &json, more, &parent.stat);
    if (tagged) {
        etag_children(request->reply.etag, &parent.stat);
        reply_check_unchanged(request);
    }
    if (page->children && request->method == METHOD_HEAD)
        reply_set_curlew_stat(request, &parent.stat);
}

void znode_list_children(struct request *request, struct view *view)
{
    struct page page = {0};
    struct problem problem = {0};

    if (page_begin(&page, request, VIEW_CHILDREN, &problem) != ERROR_OK)
        reply_problem(request, &problem);
    else
        list(&page, view);
    page_deinit(&page);
}

void znode_list(struct request *request, enum view_kind kind)
{
    struct page page = {0};
    struct problem problem = {0};
    struct live_view view;

    if (page_begin(&page, request, kind, &problem) != ERROR_OK) {
        reply_problem(request, &problem);
    } else if (read_begin(request, &view)) {
        list(&page, view.view);
        read_end(request, &view);
    }
    page_deinit(&page);
}
