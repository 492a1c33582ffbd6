// SPDX-License-Identifier: Apache-2.0
// The encoding of a state's position, as it stands in the meta table and in a checkpoint's header.
// Private to storage/.
#pragma once

#include "base/bytes.h"
#include "storage/state.h"

enum { POSITION_BYTES = 150 };

void position_write(struct buffer *into, const struct state_position *position);
void position_read(struct reader *reader, struct state_position *position);
