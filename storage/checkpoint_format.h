// SPDX-License-Identifier: Apache-2.0
// The file format of checkpoints, shared by the writer and the reader. Private to storage/.
//
// All integers are little-endian.
//   header   "CURLEWCK", u32 format version, cluster (16), u16 node, incarnation (16), position
//            (position.c), u64 checksum of what stands before it
//   chunks   u32 payload length > 0, u32 rows, u64 checksum, payload
//   row      u8 table, u16 key length, u32 value length, key, value
//   trailer  u32 0, u32 0, u64 rows, u64 chunks, digest (16), u64 checksum of what stands before it
// A chunk's checksum covers its payload, its length, its rows and its number. The digest is folded
// from the checksums of the header and of every chunk in order, so that the trailer vouches for the
// whole file. Rows are sorted by table and key; the meta table is left out, because the position in
// the header says all that it holds.
#pragma once

#include "paxos/types.h"
#include "storage/checkpoint.h"
#include "storage/position.h"

enum {
    CHECKPOINT_FORMAT = 1,
    CHECKPOINT_HEADER_BYTES = 8 + 4 + 16 + 2 + 16 + POSITION_BYTES + 8,
    CHECKPOINT_CHUNK_HEADER_BYTES = 16,
    CHECKPOINT_CHUNK_BYTES = 64 << 10,    // a chunk ends with the row that reaches this
    CHECKPOINT_CHUNK_BYTES_MAX = 8 << 20, // no row comes near it
    CHECKPOINT_ROW_HEADER_BYTES = 7,
    CHECKPOINT_TRAILER_BYTES = 4 + 4 + 8 + 8 + 16 + 8,
    CHECKPOINT_NAME_MAX = 64,
};

#define CHECKPOINT_DIRECTORY "checkpoint"
#define CHECKPOINT_MAGIC     "CURLEWCK"

// What is folded over a file as it is written or read.
struct checkpoint_sum {
    struct hash128 digest;
    uint64_t chunks;
    uint64_t rows;
};

// "checkpoint/<slot>", and the name under which it is written.
void checkpoint_name(char name[CHECKPOINT_NAME_MAX], paxos_slot slot, bool temporary);
uint64_t checkpoint_chunk_checksum(uint64_t number, uint32_t rows, const void *payload,
                                   size_t length);
// checkpoint_verify of a file that does not have its name yet.
enum error checkpoint_verify_name(struct disk *disk, const struct identity *identity,
                                  const char *name, paxos_slot slot, struct checkpoint_info *info,
                                  struct failure *failure);
// Removes the parts (checkpoint_transfer.h) of slots up to that one, but for the one that is named, if
// any, without the directory.
enum error checkpoint_remove_parts(struct disk *disk, const char *kept, paxos_slot up_to);
void checkpoint_sum_add(struct checkpoint_sum *sum, uint64_t checksum);
