// SPDX-License-Identifier: Apache-2.0
// One file of the fake disk: sparse pages, each with the durable version of its unsynced sectors.
#pragma once

#include "tests/lib/disk_fake.h"

struct fake_inode;

// One reference, owned by the caller.
struct fake_inode *fake_inode_new(void);
struct fake_inode *fake_inode_ref(struct fake_inode *inode);
// Returns the bytes of disk space that became free: the size if this was the last reference, else
// 0.
uint64_t fake_inode_unref(struct fake_inode *inode);
struct fake_inode *fake_inode_clone(const struct fake_inode *inode);

uint64_t fake_inode_size(const struct fake_inode *inode);
// Requires a range within the size.
void fake_inode_read(const struct fake_inode *inode, uint64_t offset, void *into, size_t length);
// Grows the file as needed.
void fake_inode_write(struct fake_inode *inode, uint64_t offset, const void *data, size_t length);
// Writes both the cached and the durable version.
void fake_inode_poke(struct fake_inode *inode, uint64_t offset, const void *data, size_t length);
void fake_inode_sync(struct fake_inode *inode);
// Keeps of the unsynced changes what `choose` wants. Returns the bytes by which the file shrank.
uint64_t fake_inode_crash(struct fake_inode *inode, const char *name, disk_fake_choose choose,
                          void *context);
uint64_t fake_inode_memory(const struct fake_inode *inode);
