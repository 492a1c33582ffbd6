// SPDX-License-Identifier: Apache-2.0
// The identity file: which cluster and node a data directory belongs to, and how often it was
// started. Two checksummed copies in one file, written alternately, so that a crash while one is
// written leaves the other.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"
#include "storage/disk.h"

// Formats a blank directory: random cluster and incarnation, boot_count 0, durable on return.
// A directory that holds journal or checkpoint files but no identity is not blank: CORRUPT.
enum error identity_format(struct disk *disk, uint16_t node, struct identity *identity,
                           struct failure *failure);
// Reads the identity and makes boot_count + 1 durable before it returns it. node is the number that
// the operator gave, 0 for none: another one than the stored is FOREIGN.
// Errors: MISSING (blank directory), CORRUPT (both copies unreadable), FOREIGN (another format
// version or node), IO.
enum error identity_boot(struct disk *disk, uint16_t node, struct identity *identity,
                         struct failure *failure);
// Notes durably that the journal was made. Requires an identity that identity_boot returned.
enum error identity_note_journal(struct disk *disk, struct identity *identity,
                                 struct failure *failure);
