// SPDX-License-Identifier: Apache-2.0
// Credentials: one spelling each, and nothing of the secret in what leaves.
#include "api/credential.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/api/check.h"
#include "tests/unit/cmocka_test.h"

#define SECRET "00112233445566778899aabbccddeeff"

static enum error take(const char *text, struct credential *credential, struct problem *problem)
{
    struct headers headers = {0};

    if (text != NULL)
        headers_add(&headers, "curlew-session", 14, text, strlen(text));
    return credential_take(&headers, credential, problem);
}

static void what_was_made_is_taken(void **state)
{
    char secret[SECRET_TEXT_MAX], text[CREDENTIAL_MAX];
    uint8_t proof[SESSION_PROOF_BYTES];
    struct credential credential;
    struct problem problem = {0};

    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        credential_make(secret, proof);
        credential_write(text, UINT64_MAX >> shift, secret);
        assert_int_equal(take(text, &credential, &problem), ERROR_OK);
        assert_int_equal(credential.id, UINT64_MAX >> shift);
        assert_memory_equal(credential.proof, proof, sizeof proof);
    }
    assert_int_equal(take(NULL, &credential, &problem), ERROR_OK);
    assert_int_equal(credential.id, 0);
}

// The hash as another program computes it.
static void proof_is_the_sha256_of_the_text(void **state)
{
    static const uint8_t expected[] = {0x59, 0x47, 0xd7, 0xc3};
    struct credential credential;
    struct problem problem = {0};

    (void)state;
    assert_int_equal(take("0x1." SECRET, &credential, &problem), ERROR_OK);
    assert_memory_equal(credential.proof, expected, sizeof expected);
}

static void other_texts_are_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        ".",
                                        "0x1",
                                        "0x1.",
                                        "0x." SECRET,
                                        "0x0." SECRET,
                                        "0x01." SECRET,
                                        "1." SECRET,
                                        "0X1." SECRET,
                                        "0xA." SECRET,
                                        "0x11111111111111111." SECRET,
                                        "0x1." SECRET "0",
                                        "0x1." SECRET " ",
                                        " 0x1." SECRET,
                                        "0x1.0011223344556677889 aabbccddeef",
                                        "0x1.00112233445566778899AABBCCDDEEFF",
                                        "0x1.." SECRET};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct credential credential = {.id = 7};
        struct problem problem = {0};
        assert_int_equal(take(wrong[i], &credential, &problem), ERROR_BAD_HEADER);
        assert_int_equal(credential.id, 0);
        assert_null(strstr(problem.detail, "0011"));
    }
}

static void two_headers_are_refused(void **state)
{
    struct headers headers = {0};
    struct credential credential;
    struct problem problem = {0};

    (void)state;
    for (int i = 0; i < 2; i++)
        headers_add(&headers, "Curlew-Session", 14, "0x1." SECRET, strlen("0x1." SECRET));
    assert_int_equal(credential_take(&headers, &credential, &problem), ERROR_BAD_HEADER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_taken),
        cmocka_unit_test(proof_is_the_sha256_of_the_text),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(two_headers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
