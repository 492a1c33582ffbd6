// SPDX-License-Identifier: Apache-2.0
// The lock that one process takes on a directory or file of its own, so that no second one works in
// the same place.
#pragma once

#include "base/errors.h"

// Locks the open file for as long as it is open. A process that is just ending gets a moment to let
// go. Errors: LOCKED, IO (errno says why).
enum error lock_try(int descriptor);
