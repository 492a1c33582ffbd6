// SPDX-License-Identifier: Apache-2.0
// What must be true, checked from outside while the cluster runs. Each failure names its oracle:
// agreement, digest, durability, vote, amnesia, one-leader, completeness, phase-1, promise, acknowledged, refused, unknown-once,
// real-time, read-content, silence, early-expiry, model, history, ...
#pragma once

#include "base/blob.h"
#include "paxos/message.h"
#include "storage/command.h"
#include "storage/state.h"
#include "tests/sim/node.h"

void oracle_make(struct world *world);
void oracle_free(struct world *world);

// ---- oracle_log.c: one value per slot, one state per slot --------------------------------------

// A node takes this entry for decided: invariants 6, 8.
void oracle_decided(struct node *node, const struct entry *entry);
// It is about to execute it: that it was decided, and that its own disk holds it.
void oracle_executing(struct node *node, const struct entry *entry);
// It has executed it; results is a hash of what the commands answered: invariant 21.
void oracle_executed(struct node *node, paxos_slot slot, const struct state_position *position,
                     uint64_t results);
// A state that came from recovery or a checkpoint stands at this position.
void oracle_position(struct node *node, const struct state_position *position);
// Whether its log goes on with something else than what was decided.
bool oracle_contradicts(const struct node *node);
// Highest slot that was decided anywhere, and its entry. Requires 1 <= slot <= that.
paxos_slot oracle_last(const struct world *world);
const struct entry *oracle_entry(const struct world *world, paxos_slot slot);
struct hash128 oracle_digest(const struct world *world, paxos_slot slot, bool *known);

// ---- oracle_disk.c: what disks and votes say ---------------------------------------------------

// The node has recovered: the disk says what it must. Invariants 12, 14.
void oracle_recovered(struct node *node);
// A message leaves: what it claims is true of the disk. Invariant 13.
void oracle_sent(struct node *node, const struct paxos_message *message);

// ---- oracle_election.c: who may lead -----------------------------------------------------------

// Bytes that a node is given.
void oracle_delivered(struct node *node, const uint8_t *data, size_t length);
// After a step: invariants 2, 3, 4, 9.
void oracle_stepped(struct node *node);

// ---- oracle_history.c: what clients were told --------------------------------------------------

// All clients are done: replays the decided log on a fresh state and compares. Invariants 31, 34.
void oracle_check_history(struct world *world);

// ---- oracle_session.c: how sessions end --------------------------------------------------------

// A node proposes this by itself.
void oracle_proposed(struct world *world, const struct blob *command);
bool oracle_was_proposed(const struct world *world, uint64_t command_hash);
// All clients are done: this session was ended at this slot because it was silent.
void oracle_expired(struct world *world, uint64_t session, uint32_t timeout_ms, paxos_slot slot);

// ---- oracle_watch.c: what watchers were told ---------------------------------------------------

struct model;
// starts: by zxid up to last_zxid, how far the history reached back in the state that stood there;
// UINT64_MAX where none did.
void oracle_check_watchers(struct world *world, const struct model *model, const uint64_t *starts,
                           uint64_t last_zxid);

// ---- oracle_register.c -------------------------------------------------------------------------

// All clients are done: what they saw of each znode has an order that real time allows.
void oracle_check_registers(struct world *world);
