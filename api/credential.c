// SPDX-License-Identifier: Apache-2.0
// There is one way to write a credential, so that two that differ are two.
#include "api/credential.h"

#include <gnutls/crypto.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/random.h"

static const char digits[] = "0123456789abcdef";

static void prove(const char *secret, size_t length, uint8_t proof[SESSION_PROOF_BYTES])
{
    ASSERT(gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, length, proof) == 0);
}

void credential_make(char secret[SECRET_TEXT_MAX], uint8_t proof[SESSION_PROOF_BYTES])
{
    uint8_t bytes[SECRET_BYTES];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        secret[2 * i] = digits[bytes[i] >> 4];
        secret[2 * i + 1] = digits[bytes[i] & 15];
    }
    secret[SECRET_TEXT_MAX - 1] = '\0';
    prove(secret, SECRET_TEXT_MAX - 1, proof);
}

void session_id_write(char into[SESSION_ID_MAX], uint64_t id)
{
    snprintf(into, SESSION_ID_MAX, "0x%" PRIx64, id);
}

void credential_write(char into[CREDENTIAL_MAX], uint64_t id, const char *secret)
{
    char name[SESSION_ID_MAX];

    session_id_write(name, id);
    snprintf(into, CREDENTIAL_MAX, "%s.%s", name, secret);
}

bool session_id_parse(const char *text, size_t length, uint64_t *id)
{
    if (length < 3 || length >= SESSION_ID_MAX || memcmp(text, "0x", 2) != 0 || text[2] == '0')
        return false;
    *id = 0;
    for (size_t i = 2; i < length; i++) {
        const char *digit = memchr(digits, text[i], 16);
        if (digit == NULL)
            return false;
        *id = *id << 4 | (uint64_t)(digit - digits);
    }
    return true;
}

enum error credential_take(const struct headers *headers, struct credential *credential,
                           struct problem *problem)
{
    const char *text = headers->value[HEADER_CURLEW_SESSION];

    credential->id = 0;
    if (text == NULL)
        return ERROR_OK;
    size_t length = strcspn(text, ".");
    const char *secret = text + length + (text[length] == '.');
    bool whole = headers->count[HEADER_CURLEW_SESSION] == 1 &&
                 strlen(secret) == SECRET_TEXT_MAX - 1 &&
                 strspn(secret, digits) == SECRET_TEXT_MAX - 1;
    if (!whole || !session_id_parse(text, length, &credential->id)) {
        credential->id = 0;
        return problem_set(
            problem, ERROR_BAD_HEADER,
            "Curlew-Session must be, once, the \"credential\" that POST /v1/sessions "
            "has answered");
    }
    prove(secret, SECRET_TEXT_MAX - 1, credential->proof);
    return ERROR_OK;
}
