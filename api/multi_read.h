// SPDX-License-Identifier: Apache-2.0
// A multi of reads: everything from one view.
#pragma once

#include "api/multi_parse.h"
#include "api/request.h"

void multi_read(struct request *request, const struct multi *multi);
