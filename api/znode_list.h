// SPDX-License-Identifier: Apache-2.0
// Pages of children and subtrees.
#pragma once

#include "api/request.h"

// Answers view=children or view=tree.
void znode_list(struct request *request, enum view_kind kind);
// Makes the reply to view=children from a view that is open.
void znode_list_children(struct request *request, struct view *view);
