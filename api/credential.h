// SPDX-License-Identifier: Apache-2.0
// Credentials of sessions as clients hold them: "0x<id>.<secret>", both hexadecimal. What leaves the
// api is only the SHA-256 of the secret (the proof); the secret itself is in no log, command or state.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/headers.h"
#include "api/problem.h"
#include "storage/command.h"

enum {
    SECRET_BYTES = 16,
    SECRET_TEXT_MAX = 2 * SECRET_BYTES + 1, // with the NUL
    SESSION_ID_MAX = 19,                    // "0x", 16 digits, NUL
    CREDENTIAL_MAX = SESSION_ID_MAX + SECRET_TEXT_MAX,
};

struct credential {
    uint64_t id; // 0: none was given
    uint8_t proof[SESSION_PROOF_BYTES];
};

// Makes a new secret and its proof.
void credential_make(char secret[SECRET_TEXT_MAX], uint8_t proof[SESSION_PROOF_BYTES]);
void credential_write(char into[CREDENTIAL_MAX], uint64_t id, const char *secret);
// Takes the header Curlew-Session. Errors: BAD_HEADER; the detail does not repeat what was sent.
enum error credential_take(const struct headers *headers, struct credential *credential,
                           struct problem *problem);

void session_id_write(char into[SESSION_ID_MAX], uint64_t id);
// Reads "0x" and up to 16 lower-case digits, the first of which is not 0. Returns false for anything else.
bool session_id_parse(const char *text, size_t length, uint64_t *id);
