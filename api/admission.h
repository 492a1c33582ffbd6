// SPDX-License-Identifier: Apache-2.0
// How many connections there may be, in total and from one address.
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "base/errors.h"

struct admission;

struct admission *admission_new(uint32_t total_max, uint32_t per_address_max);
void admission_free(struct admission *admission);
// Counts a connection in. Errors: OVERLOADED, TOO_MANY_REQUESTS; then it is not counted. IPv4
// addresses in IPv6 form count as IPv4. Thread: any.
enum error admission_enter(struct admission *admission, const struct sockaddr *address);
// Counts out one that was counted in.
void admission_leave(struct admission *admission, const struct sockaddr *address);
