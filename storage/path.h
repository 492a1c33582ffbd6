// SPDX-License-Identifier: Apache-2.0
// Znode paths: ZooKeeper's rules P1-P12 (PathUtils.validatePath) and one more: a component is at
// most ZNODE_NAME_MAX bytes, because it is part of a key.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/errors.h"

enum {
    ZNODE_NAME_MAX = 500,
    ZNODE_PATH_MAX = 65535, // bytes; depth is free
};

// ERROR_OK, or ERROR_BAD_PATH with *reason set to a sentence without a full stop ("a component is
// exactly \".\"", ...). The text need not end with NUL. reason may be NULL.
enum error path_validate(const char *path, size_t length, const char **reason);
// The same rules for the prefix of a sequential create, which may end with '/' (rule P13: the check
// runs on the final name).
enum error path_validate_prefix(const char *path, size_t length, const char **reason);
// Length of the parent's path: "/a/b" -> 2, "/a" -> 1. Requires a path that starts with '/'.
size_t path_parent_length(const char *path, size_t length);
// Rule P25: "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config".
bool path_is_special(const char *path, size_t length);
// At or below "/zookeeper": clients cannot change anything there.
bool path_is_reserved(const char *path, size_t length);
