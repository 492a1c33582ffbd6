// SPDX-License-Identifier: Apache-2.0
// The options of curlewd. One table in options.c gives name, environment variable, type, default,
// bounds and help; the command line wins over the environment, the environment over the default.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "api/api.h"
#include "base/failure.h"
#include "base/log.h"

enum { OPTIONS_MAX = 64, OPTION_VALUES_MAX = 16, OPTION_TEXT_MAX = 2048 };

// Who gave an option its value, of several who did the last.
enum option_source { OPTION_PRESET, OPTION_ENVIRONMENT, OPTION_COMMAND_LINE };

// A repeatable option; NULL-terminated. In the environment it is one variable with commas between
// the values, which then lie in `text`, so a list must not be copied. The first value on the
// command line replaces those of the environment.
struct option_list {
    const char *values[OPTION_VALUES_MAX + 1];
    size_t count;
    char text[OPTION_TEXT_MAX];
    bool from_environment;
};

struct options {
    const char *data_dir;
    const char *live_dir; // empty: "live" below data_dir
    const char *listen;
    uint64_t id;       // 0: the stored one, that of this host in the list of peers, or 1
    const char *peers; // empty: a cluster of one
    const char *peer_certificate;
    const char *peer_key;
    const char *peer_authority;
    uint64_t heartbeat_ms;
    struct option_list allowed_hosts;
    struct option_list allowed_origins;
    uint64_t map_bytes;
    uint64_t disk_reserve_bytes;
    uint64_t checkpoint_journal_bytes;
    uint64_t max_connections;
    uint64_t max_connections_per_address;
    uint64_t http_workers;
    uint64_t stream_workers;
    uint64_t max_url_bytes;
    uint64_t max_header_bytes;
    uint64_t max_body_bytes;
    uint64_t max_bodies_bytes;
    uint64_t max_json_depth;
    uint64_t max_multi_ops;
    uint64_t max_delete_nodes;
    uint64_t max_list_items;
    uint64_t max_page_bytes;
    uint64_t request_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t wait_default_ms;
    uint64_t wait_max_ms;
    uint64_t key_retention_ms;
    uint64_t key_capacity;
    uint64_t slow_request_ms;
    const char *log_format;
    const char *log_level;
    bool help;
    bool version;
    // For options_log; by row of the table:
    enum option_source sources[OPTIONS_MAX];
    const char *texts[OPTIONS_MAX]; // as given; of a repeatable option the last one
};

// Fills every field. Strings point into argv, the environment, static memory or *options itself.
// Errors: USAGE with
// a sentence that names the option, its near miss, or its bounds.
enum error options_parse(int argc, char **argv, struct options *options, struct failure *failure);
void options_help(FILE *to);
// One line for each option that is not left at its default: its value and who gave it. And a warning for
// each variable of the environment that looks like the misspelt one of an option.
void options_log(const struct options *options);
// The limits that the REST layer enforces.
struct api_limits options_api_limits(const struct options *options);
