// SPDX-License-Identifier: Apache-2.0
// A state in a temporary directory, and short ways to say what is executed on it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/state.h"

enum { FIXTURE_OPS = 8 };

// What the last command answered.
struct answer {
    struct blob *blob; // NULL when it was not executed
    struct result result;
    struct op_result ops[FIXTURE_OPS];
};

struct fixture {
    char directory[64];
    struct state *state;
    uint64_t sequence;    // of the next command
    uint64_t log_time_us; // of the next entry
    uint64_t wall_ms;     // of the next entry
    struct command keyed; // key, identity, retention, capacity, actor of the next command
    struct answer last;
    struct buffer batch;
    struct buffer command;
};

int fixture_setup(void **context);
int fixture_teardown(void **context);

struct op op_make(enum op_type type, const char *path);
struct op op_create(const char *path, const char *data);
struct op op_sequential(const char *path);
struct op op_set(const char *path, const char *data, int32_t version);
struct op op_delete(const char *path, int32_t version);
struct op op_check(const char *path, int32_t version);
struct op op_put(const char *path, const char *data);
struct op op_flagged(struct op op, unsigned flags);
struct op op_matching(struct op op, uint64_t mzxid);
struct op op_kind(struct op op, enum znode_kind kind);
struct op op_ttl(const char *path, uint64_t ttl_ms);
struct op op_tree(const char *path, uint32_t limit, unsigned flags);
struct op op_reap(const char *path, enum znode_kind kind, uint64_t mzxid);
// The proof is the one that act_as gives.
struct op op_open(uint32_t timeout_ms);
struct op op_on_session(enum op_type type, uint64_t id);
struct op op_expire(uint64_t id, uint64_t generation);
struct op op_bind(uint64_t id, struct session_binding binding);
struct op op_unbind(uint64_t id, struct session_binding binding);

// Encodes a command into buffer (cleared first).
void encode(struct buffer *into, const struct fixture *fixture, bool multi, const struct op *ops,
            uint32_t count);
// Executes a batch value as the next entry, in a transaction of its own; every result goes to
// receive.
enum error execute_value(struct fixture *fixture, const void *value, size_t length,
                         state_result receive, void *context);
// The same inside an open transaction.
enum error execute_value_open(struct fixture *fixture, const void *value, size_t length,
                              state_result receive, void *context);
// Executes `count` commands of one op each as one entry, without their results.
void run_entry(struct fixture *fixture, const struct op *ops, uint32_t count);
// Executes one command and returns its error.
enum error run(struct fixture *fixture, struct op op);
enum error run_multi(struct fixture *fixture, const struct op *ops, uint32_t count);
#define RUN_MULTI(fixture, ...)                                                                    \
    run_multi(fixture, (const struct op[]){__VA_ARGS__},                                           \
              sizeof((const struct op[]){__VA_ARGS__}) / sizeof(struct op))

// Opens a session and returns its id.
uint64_t open_session(struct fixture *fixture);
// What follows is asked by that session; 0: by none.
void act_as(struct fixture *fixture, uint64_t session);
// The stat of a node that must exist.
struct stat_fields stat_of(struct fixture *fixture, const char *path);
bool exists(struct fixture *fixture, const char *path);
struct state_position position_of(struct fixture *fixture);
// Of all rows but the history's.
uint64_t bytes_of(struct fixture *fixture);
bool same_stat(const struct stat_fields *a, const struct stat_fields *b);
