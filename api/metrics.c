// SPDX-License-Identifier: Apache-2.0
// The kind of a request is that of its handler, so that a new handler does not compile without one.
#include "api/metrics.h"

#include <stdio.h>

#include "api/handlers.h"
#include "api/routes.h"

enum {
    KIND_OF_znode_get = KIND_READ,
    KIND_OF_znode_put = KIND_WRITE,
    KIND_OF_znode_post = KIND_WRITE,
    KIND_OF_znode_delete = KIND_DELETE,
    KIND_OF_multi_post = KIND_MULTI,
    KIND_OF_watch_get = KIND_WATCH,
    KIND_OF_sessions_get = KIND_SESSION,
    KIND_OF_sessions_post = KIND_SESSION,
    KIND_OF_session_get = KIND_SESSION,
    KIND_OF_session_put = KIND_SESSION,
    KIND_OF_session_stream_get = KIND_WATCH,
    KIND_OF_session_delete = KIND_SESSION,
    KIND_OF_cluster_get = KIND_SERVICE,
    KIND_OF_livez_get = KIND_SERVICE,
    KIND_OF_readyz_get = KIND_SERVICE,
    KIND_OF_metrics_get = KIND_SERVICE,
    KIND_OF_openapi_get = KIND_SERVICE,
    KIND_OF_problem_get = KIND_SERVICE,
    KIND_OF_root_get = KIND_SERVICE,
};

static const uint8_t kinds[] = {
#define KIND_ROW(method_, pattern_, operation_, handler_, queries_, body_) KIND_OF_##handler_,
    ROUTE_TABLE(KIND_ROW)
#undef KIND_ROW
};

static const char *const kind_names[KIND_COUNT] = {"read",  "write",   "delete", "multi",
                                                   "watch", "session", "service"};
static const char *const result_names[RESULT_COUNT] = {"done", "refused", "failed"};

static enum request_kind kind_of(const struct request *request)
{
    if (request->route == NULL)
        return KIND_SERVICE;
    if (query_has(&request->query, QUERY_WAIT))
        return KIND_WATCH;
    return kinds[request->route - route_at(0)];
}

static enum request_result result_of(int status)
{
    if (status >= 500)
        return RESULT_FAILED;
    return status >= 400 ? RESULT_REFUSED : RESULT_DONE;
}

void metrics_replied(const struct request *request)
{
    struct api_metrics *metrics = &request->service->metrics;
    const struct timing *timing = &request->timing;

    histogram_observe(&metrics->requests[kind_of(request)][result_of(request->reply.status)],
                      timing->replied_ns - timing->begun_ns);
    if (request->reply.replayed)
        counter_add(&metrics->replays, 1);
}

// ---- GET /metrics ------------------------------------------------------------------------------

static void write_requests(struct buffer *text, const struct api_metrics *metrics)
{
    char labels[64];

    exposition_family(text, "curlew_request_duration_seconds", "histogram",
                      "From the head of a request to its reply, or to the first byte of a stream.");
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        for (size_t result = 0; result < RESULT_COUNT; result++) {
            snprintf(labels, sizeof labels, "op=\"%s\",result=\"%s\"", kind_names[kind],
                     result_names[result]);
            exposition_histogram(text, "curlew_request_duration_seconds", labels,
                                 &metrics->requests[kind][result]);
        }
    }
}

static void write_failures(struct buffer *text, const struct api_metrics *metrics)
{
    static const enum error reasons[] = {ERROR_NO_LEADER, ERROR_OUTCOME_UNKNOWN, ERROR_DISK_FULL,
                                         ERROR_OVERLOADED, ERROR_DRAINING};
    char labels[64];

    exposition_family(text, "curlew_proposals_failed_total", "counter",
                      "Writes of this node's clients that were not executed, or perhaps not.");
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        snprintf(labels, sizeof labels, "reason=\"%s\"", error_entry(reasons[i])->slug);
        exposition_number(text, "curlew_proposals_failed_total", labels,
                          counter_read(&metrics->submissions_failed[reasons[i]]));
    }
}

static void write_watchers(struct buffer *text, struct service *service)
{
    struct hub_counts counts = {0};

    if (atomic_load(&service->open))
        hub_count(service->hub, &counts);
    exposition_family(text, "curlew_watchers", "gauge", "Who waits for changes on this node.");
    exposition_number(text, "curlew_watchers", "kind=\"stream\"", counts.streams);
    exposition_number(text, "curlew_watchers", "kind=\"long_poll\"", counts.polls);
    exposition_gauge(text, "curlew_session_streams",
                     "Streams of sessions that hang on a connection to this node.",
                     counts.sessions);
    exposition_counter(text, "curlew_watch_events_sent_total",
                       "Events of changes that were written to streams.",
                       counter_read(&service->metrics.events));
    exposition_counter(text, "curlew_watch_resets_total",
                       "Streams that could not be resumed and began with a new snapshot.",
                       counter_read(&service->metrics.resets));
}

static void write_connections(struct buffer *text, const struct api_metrics *metrics)
{
    uint64_t closed = counter_read(&metrics->closed);
    uint64_t opened = counter_read(&metrics->opened);

    exposition_gauge(text, "curlew_connections", "Open connections of clients.",
                     opened > closed ? opened - closed : 0);
    exposition_counter(text, "curlew_connections_total", "Connections of clients so far.", opened);
    exposition_counter(text, "curlew_connections_refused_total",
                       "Connections above --max-connections or --max-connections-per-address.",
                       counter_read(&metrics->refused));
}

static void write_own(struct buffer *text, struct service *service)
{
    write_requests(text, &service->metrics);
    write_failures(text, &service->metrics);
    exposition_counter(text, "curlew_idempotent_replays_total",
                       "Replies that repeated the outcome kept with an Idempotency-Key.",
                       counter_read(&service->metrics.replays));
    exposition_gauge(text, "curlew_request_bodies_bytes", "Request bodies held in memory.",
                     atomic_load_explicit(&service->bodies, memory_order_relaxed));
    write_connections(text, &service->metrics);
    write_watchers(text, service);
}

void metrics_get(struct request *request)
{
    struct service *service = request->service;

    request->reply.status = 200;
    request->reply.content_type = EXPOSITION_TYPE;
    service->backend.metrics(service->backend.context, &request->reply.body);
    write_own(&request->reply.body, service);
}
