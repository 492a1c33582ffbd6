// SPDX-License-Identifier: Apache-2.0
// The limits on connections, in total and per address.
#include "tests/unit/api/check.h"

#include <netinet/in.h>

#include "api/admission.h"

static struct sockaddr_in v4(uint32_t address)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(address)}};
}

static void admission_counts_per_address_and_in_total(void **state)
{
    struct admission *admission = admission_new(3, 2);
    struct sockaddr_in one = v4(0x0a000001);
    struct sockaddr_in two = v4(0x0a000002);
    const struct sockaddr *first = (const struct sockaddr *)(const void *)&one;
    const struct sockaddr *second = (const struct sockaddr *)(const void *)&two;

    (void)state;
    assert_int_equal(admission_enter(admission, first), ERROR_OK);
    assert_int_equal(admission_enter(admission, first), ERROR_OK);
    assert_int_equal(admission_enter(admission, first), ERROR_TOO_MANY_REQUESTS);
    assert_int_equal(admission_enter(admission, second), ERROR_OK);
    assert_int_equal(admission_enter(admission, second), ERROR_OVERLOADED);
    admission_leave(admission, first);
    assert_int_equal(admission_enter(admission, second), ERROR_OK);
    admission_free(admission);
}

static void admission_sees_one_ipv4_address_in_both_forms(void **state)
{
    struct admission *admission = admission_new(10, 1);
    struct sockaddr_in plain = v4(0x0a000001);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

    (void)state;
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&mapped.sin6_addr.s6_addr[12], &plain.sin_addr, 4);
    assert_int_equal(admission_enter(admission, (const struct sockaddr *)(const void *)&plain),
                     ERROR_OK);
    assert_int_equal(admission_enter(admission, (const struct sockaddr *)(const void *)&mapped),
                     ERROR_TOO_MANY_REQUESTS);
    admission_free(admission);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admission_counts_per_address_and_in_total),
        cmocka_unit_test(admission_sees_one_ipv4_address_in_both_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
