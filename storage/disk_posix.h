// SPDX-License-Identifier: Apache-2.0
// The real file system below one data directory.
#pragma once

#include "base/failure.h"
#include "storage/disk.h"

// Makes the directory (mode 0700) if it is absent, opens it and locks it against a second process
// (flock on the file "lock", tried for 250 ms because the kernel may release a killed owner's lock
// late). Errors: LOCKED, IO with a sentence. Ownership: disk_posix_close.
enum error disk_posix_open(const char *directory, struct disk **disk, struct failure *failure);
// Releases the lock; NULL is allowed. All files must be closed.
void disk_posix_close(struct disk *disk);
