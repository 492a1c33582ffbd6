// SPDX-License-Identifier: Apache-2.0
// The face of storage/: what is replicated (command.h, state.h, live.h, path.h) and what is durable
// (disk.h, identity.h, journal.h, checkpoint.h).
#pragma once

#include "storage/checkpoint.h"
#include "storage/command.h"
#include "storage/disk.h"
#include "storage/disk_posix.h"
#include "storage/identity.h"
#include "storage/journal.h"
#include "storage/live.h"
#include "storage/path.h"
#include "storage/state.h"
