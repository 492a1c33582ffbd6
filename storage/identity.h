// SPDX-License-Identifier: Apache-2.0
// The identity file: which cluster and node a data directory belongs to, how often it was started, who
// the other members are and which of their runs this node has met. Two checksummed copies in one file, written alternately, so that a crash while one is
// written leaves the other.
#pragma once

#include "base/failure.h"
#include "paxos/types.h"
#include "storage/disk.h"

// Formats a blank directory: random incarnation, no cluster yet, boot_count 0, durable on return.
// A directory that holds journal or checkpoint files but no identity is not blank: CORRUPT.
enum error identity_format(struct disk *disk, uint16_t node, struct identity *identity,
                           struct failure *failure);
// Reads the identity and makes boot_count + 1 durable before it returns it. node is the number that
// the operator gave, 0 for none: another one than the stored is FOREIGN.
// Errors: MISSING (blank directory), CORRUPT (both copies unreadable), FOREIGN (another format
// version or node), IO.
enum error identity_boot(struct disk *disk, uint16_t node, struct identity *identity,
                         struct failure *failure);
// Genesis: makes the node a member of this cluster, durably. The members are in ascending order of
// node and this one, with its incarnation, is among them (asserted). Requires an identity that
// identity_boot returned and that belongs to no cluster yet (asserted).
enum error identity_found(struct disk *disk, struct identity *identity, const uint8_t cluster[16],
                          const struct cluster_member *members, size_t count,
                          struct failure *failure);
// The member of that number, NULL when there is none.
const struct cluster_member *identity_member(const struct identity *identity, uint16_t node);
// Another member has introduced itself: notes its boot_count durably, if it is a new one, before this node
// believes a word of it. Errors: FOREIGN with a sentence (no member; another incarnation: its disk was
// blank; an older boot_count, or the same of another run: its disk was rolled back), IO.
enum error identity_meet(struct disk *disk, struct identity *identity, const struct node_met *met,
                         struct failure *failure);
// Notes durably that the journal was made. Requires an identity that identity_boot returned.
enum error identity_note_journal(struct disk *disk, struct identity *identity,
                                 struct failure *failure);
