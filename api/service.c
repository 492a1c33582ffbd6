// SPDX-License-Identifier: Apache-2.0
// The resources about the service itself: what it is, whether it lives, who is in the cluster.
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/handlers.h"
#include "api/openapi.h"
#include "api/reply.h"

static void get_status(struct request *request, struct node_status *status)
{
    memset(status, 0, sizeof *status);
    request->service->backend.status(request->service->backend.context, status);
    reply_set_zxid(request, status->zxid);
}

static void write_member(struct json_writer *json, const char *key, const char *value)
{
    json_key(json, key);
    json_string(json, value);
}

void root_get(struct request *request)
{
    struct json_writer json = reply_json(request, 200);

    json_open(&json, '{');
    write_member(&json, "name", "curlew");
    write_member(&json, "version", PACKAGE_VERSION);
    write_member(&json, "about", "a coordination service that you talk to with curl");
    write_member(&json, "write", "curl --data-binary hello http://HOST/v1/znodes/greeting");
    write_member(&json, "read", "curl http://HOST/v1/znodes/greeting");
    write_member(&json, "list", "curl 'http://HOST/v1/znodes?view=children'");
    json_key(&json, "resources");
    json_open(&json, '{');
    write_member(&json, "znodes", "/v1/znodes");
    write_member(&json, "multi", "/v1/multi");
    write_member(&json, "watch", "/v1/watch");
    write_member(&json, "sessions", "/v1/sessions");
    write_member(&json, "cluster", "/v1/cluster");
    write_member(&json, "live", "/livez");
    write_member(&json, "ready", "/readyz?verbose");
    write_member(&json, "metrics", "/metrics");
    write_member(&json, "contract", "/openapi.yaml");
    json_close(&json, '}');
    json_close(&json, '}');
    json_end(&json);
}

static void reply_health(struct request *request)
{
    struct json_writer json = reply_json(request, 200);

    json_open(&json, '{');
    write_member(&json, "status", "ok");
    json_close(&json, '}');
    json_end(&json);
}

void livez_get(struct request *request)
{
    reply_health(request);
}

static enum error readiness(const struct request *request, const struct node_status *status)
{
    if (status->draining || atomic_load(&request->service->draining))
        return ERROR_DRAINING;
    if (status->serving)
        return ERROR_OK;
    if (status->starting)
        return ERROR_STARTING;
    return status->leader == 0 ? ERROR_NO_LEADER : ERROR_STARTING;
}

void readyz_get(struct request *request)
{
    struct problem problem = {0};
    struct node_status status;

    get_status(request, &status);
    problem.error = readiness(request, &status);
    if (problem.error == ERROR_OK) {
        reply_health(request);
        return;
    }
    if (request->query.value[QUERY_VERBOSE] && status.reason[0] != '\0')
        problem_set(&problem, problem.error, "%s", status.reason);
    reply_problem(request, &problem);
}

static const char *role_name(enum member_role role)
{
    static const char *const names[] = {
        [ROLE_STARTING] = "starting", [ROLE_FOLLOWER] = "follower", [ROLE_CANDIDATE] = "candidate",
        [ROLE_LEADER] = "leader",     [ROLE_LEARNER] = "learner",
    };

    return names[role];
}

static void write_members(struct json_writer *json, const struct node_status *status)
{
    json_key(json, "members");
    json_open(json, '[');
    for (size_t i = 0; i < status->member_count; i++) {
        const struct member_status *member = &status->members[i];
        json_open(json, '{');
        json_key(json, "id");
        json_number(json, member->id);
        write_member(json, "role", role_name(member->role));
        write_member(json, "peer", member->peer);
        json_key(json, "zxid");
        json_number(json, member->zxid);
        json_key(json, "lag_zxids");
        json_number(json, member->lag_zxids);
        json_key(json, "healthy");
        json_boolean(json, member->healthy);
        json_key(json, "disk_full");
        json_boolean(json, member->disk_full);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void write_cluster_id(struct json_writer *json, const uint8_t cluster[16])
{
    char text[33];

    for (size_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", cluster[i]);
    write_member(json, "cluster_id", text);
}

void cluster_get(struct request *request)
{
    struct node_status status;
    char ballot[32];

    get_status(request, &status);
    struct json_writer json = reply_json(request, 200);
    json_open(&json, '{');
    write_cluster_id(&json, status.cluster);
    json_key(&json, "node");
    json_number(&json, status.node);
    json_key(&json, "leader");
    if (status.leader != 0)
        json_number(&json, status.leader);
    else
        json_null(&json);
    snprintf(ballot, sizeof ballot, "%" PRIu64 ".%u", status.ballot.round, status.ballot.node);
    write_member(&json, "ballot", ballot);
    json_key(&json, "config_epoch");
    json_number(&json, status.config_epoch);
    json_key(&json, "zxid");
    json_number(&json, status.zxid);
    write_members(&json, &status);
    json_close(&json, '}');
    json_end(&json);
}

void openapi_get(struct request *request)
{
    request->reply.status = 200;
    request->reply.content_type = "application/yaml";
    request->reply.fixed = openapi_text;
    request->reply.fixed_length = openapi_length;
}

void problem_get(struct request *request)
{
    struct problem problem = {0};

    enum error error = error_by_slug(request_path(request));
    if (error == ERROR_COUNT || error == ERROR_OK) {
        problem_set(&problem, ERROR_NOT_FOUND, "there is no problem of the kind \"%.100s\"",
                    request_path(request));
        reply_problem(request, &problem);
        return;
    }
    struct json_writer json = reply_json(request, 200);
    json_open(&json, '{');
    problem_write_kind(&json, error);
    json_close(&json, '}');
    json_end(&json);
}
