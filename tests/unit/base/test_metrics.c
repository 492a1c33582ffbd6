// SPDX-License-Identifier: Apache-2.0
// Counters and histograms, and the text that Prometheus reads of them.
#include "base/exposition.h"
#include <string.h>

#include "tests/unit/cmocka_test.h"

static void expect_text(struct buffer *text, const char *expected)
{
    buffer_u8(text, '\0');
    assert_string_equal((const char *)text->data, expected);
    buffer_deinit(text);
}

static void durations_fall_into_the_bucket_of_their_bound(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_observe(&histogram, 0);
    histogram_observe(&histogram, histogram_bound_ns(0));
    histogram_observe(&histogram, histogram_bound_ns(0) + 1);
    histogram_observe(&histogram, histogram_bound_ns(HISTOGRAM_BOUNDS - 1) + 1);
    assert_int_equal(histogram.buckets[0], 2);
    assert_int_equal(histogram.buckets[1], 1);
    assert_int_equal(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram.sum_ns, 10000200002);
}

static void bounds_rise(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bound_ns(i) > histogram_bound_ns(i - 1));
}

static void a_family_names_its_samples(void **state)
{
    struct buffer text = {0};

    (void)state;
    exposition_family(&text, "peers", "gauge", "Peers that answer.");
    exposition_number(&text, "peers", "state=\"up\"", 2);
    exposition_number(&text, "peers", NULL, 18446744073709551615u);
    expect_text(&text,
                "# HELP peers Peers that answer.\n# TYPE peers gauge\npeers{state=\"up\"} 2\n"
                "peers 18446744073709551615\n");
}

static void seconds_are_exact(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {{0, "t 0\n"},
                {1, "t 0.000000001\n"},
                {250000, "t 0.00025\n"},
                {10000000000, "t 10\n"},
                {1500000000, "t 1.5\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer text = {0};
        exposition_seconds(&text, "t", NULL, rows[i].ns);
        expect_text(&text, rows[i].text);
    }
}

static void buckets_are_cumulative_and_end_with_the_count(void **state)
{
    struct histogram histogram = {0};
    struct buffer text = {0};

    (void)state;
    histogram_observe(&histogram, 100000);
    histogram_observe(&histogram, 20000000000);
    exposition_histogram(&text, "d", "op=\"x\"", &histogram);
    expect_text(&text,
                "d_bucket{op=\"x\",le=\"0.0001\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.00025\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.0005\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.001\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.0025\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.005\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.01\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.025\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.05\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.1\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.25\"} 1\n"
                "d_bucket{op=\"x\",le=\"0.5\"} 1\n"
                "d_bucket{op=\"x\",le=\"1\"} 1\n"
                "d_bucket{op=\"x\",le=\"2.5\"} 1\n"
                "d_bucket{op=\"x\",le=\"5\"} 1\n"
                "d_bucket{op=\"x\",le=\"10\"} 1\n"
                "d_bucket{op=\"x\",le=\"+Inf\"} 2\n"
                "d_sum{op=\"x\"} 20.0001\n"
                "d_count{op=\"x\"} 2\n");
}

static void a_histogram_without_labels(void **state)
{
    struct histogram histogram = {0};
    struct buffer text = {0};

    (void)state;
    exposition_histogram(&text, "d", NULL, &histogram);
    buffer_u8(&text, '\0');
    assert_non_null(
        strstr((const char *)text.data, "d_bucket{le=\"+Inf\"} 0\nd_sum 0\nd_count 0\n"));
    buffer_deinit(&text);
}

static void single_numbers(void **state)
{
    struct buffer text = {0};
    struct counter counter = {0};

    (void)state;
    counter_add(&counter, 2);
    counter_add(&counter, 5);
    exposition_counter(&text, "c_total", "Things.", counter_read(&counter));
    exposition_gauge(&text, "g", "Stuff.", 3);
    expect_text(&text,
                "# HELP c_total Things.\n# TYPE c_total counter\nc_total 7\n"
                "# HELP g Stuff.\n# TYPE g gauge\ng 3\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_fall_into_the_bucket_of_their_bound),
        cmocka_unit_test(bounds_rise),
        cmocka_unit_test(a_family_names_its_samples),
        cmocka_unit_test(seconds_are_exact),
        cmocka_unit_test(buckets_are_cumulative_and_end_with_the_count),
        cmocka_unit_test(a_histogram_without_labels),
        cmocka_unit_test(single_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
