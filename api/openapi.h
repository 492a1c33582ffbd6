// SPDX-License-Identifier: Apache-2.0
// The contract of this build, made from openapi/openapi.yaml by the build.
#pragma once

#include <stddef.h>

extern const unsigned char openapi_text[];
extern const size_t openapi_length;
