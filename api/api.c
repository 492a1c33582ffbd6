// SPDX-License-Identifier: Apache-2.0
// Puts the parts together and takes them apart in the opposite order.
#include "api/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/acceptor.h"
#include "api/admission.h"
#include "api/http.h"
#include "api/hub.h"
#include "api/request.h"
#include "base/memory.h"
#include "base/random.h"

struct api {
    struct service service;
    struct admission *admission;
    struct http *http;
    struct acceptor *acceptor;
    uint16_t port;
};

static void init_service(struct service *service, const struct api_options *options,
                         const struct api_backend *backend)
{
    struct node_status status = {0};

    service->backend = *backend;
    service->limits = options->limits;
    service->rules = (struct guard_rules){
        .allowed_hosts = options->allowed_hosts,
        .allowed_origins = options->allowed_origins,
        .header_bytes = options->limits.header_bytes,
    };
    backend->status(backend->context, &status);
    snprintf(service->node, sizeof service->node, "%u", status.node);
    snprintf(service->request_prefix, sizeof service->request_prefix, "%08" PRIx32,
             (uint32_t)random_u64());
    atomic_init(&service->requests, 1);
}

enum error api_start(const struct api_options *options, const struct api_backend *backend,
                     struct api **api, struct failure *failure)
{
    struct api *made = memory_zalloc(sizeof *made);
    struct listener listener;

    enum error error = listener_bind(options->listen, &listener, failure);
    if (error != ERROR_OK) {
        free(made);
        return error;
    }
    init_service(&made->service, options, backend);
    made->port = listener.port;
    made->service.rules.loopback = listener.loopback;
    made->admission =
        admission_new(options->limits.connections, options->limits.connections_per_address);
    error = http_start(&made->service, made->admission, &made->http, failure);
    if (error != ERROR_OK) {
        close(listener.fd);
        admission_free(made->admission);
        free(made);
        return error;
    }
    made->acceptor = acceptor_start(&listener, &made->service, made->admission, made->http);
    *api = made;
    return ERROR_OK;
}

void api_open(struct api *api, struct live *live)
{
    struct service *service = &api->service;
    struct node_status status = {0};

    service->backend.status(service->backend.context, &status);
    service->live = live;
    service->cluster_tag = event_id_tag(status.cluster);
    service->hub = hub_start(live, status.zxid);
    atomic_store(&service->open, true);
}

uint16_t api_port(const struct api *api)
{
    return api->port;
}

void api_drain(struct api *api)
{
    atomic_store(&api->service.draining, true);
    if (api->service.hub != NULL)
        hub_drain(api->service.hub);
}

void api_changed(struct api *api, uint64_t zxid)
{
    if (atomic_load(&api->service.open))
        hub_changed(api->service.hub, zxid);
}

void api_session_changed(struct api *api, uint64_t session)
{
    if (atomic_load(&api->service.open))
        hub_session_changed(api->service.hub, session);
}

void api_stop(struct api *api)
{
    if (api == NULL)
        return;
    api_drain(api);
    acceptor_stop(api->acceptor);
    http_stop(api->http);
    if (api->service.hub != NULL)
        hub_stop(api->service.hub);
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    if (api->service.hub != NULL)
        hub_free(api->service.hub);
    admission_free(api->admission);
    free(api);
}
