// SPDX-License-Identifier: Apache-2.0
// Paths may hold what nobody should find in a log, so a line names the resource and the request's number.
#include "api/timing.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/request.h"
#include "base/log.h"

enum { PHASES_MAX = 4, DIGITS_MAX = 32 };

static const uint64_t ns_per_ms = 1000000;

struct phase {
    const char *name;
    uint64_t ns;
};

// A later phase that was reached closes an earlier one that was not seen.
static void add_phase(struct phase *phases, unsigned *count, const char *name, uint64_t *since_ns,
                      uint64_t until_ns)
{
    if (until_ns < *since_ns)
        return;
    phases[(*count)++] = (struct phase){.name = name, .ns = until_ns - *since_ns};
    *since_ns = until_ns;
}

// The phases that the backend knows, in order.
static unsigned list_phases(const struct request *request, struct phase phases[PHASES_MAX])
{
    const struct timing *timing = &request->timing;
    const struct submission *submission = &request->submission;
    uint64_t since_ns = timing->begun_ns;
    unsigned count = 0;

    if (timing->completed_ns == 0)
        return 0;
    if (submission->received_ns == 0) {
        add_phase(phases, &count, "barrier", &since_ns, timing->completed_ns);
        return count;
    }
    add_phase(phases, &count, "queue", &since_ns, submission->proposed_ns);
    add_phase(phases, &count, "commit", &since_ns, submission->committed_ns);
    add_phase(phases, &count, "execute", &since_ns, timing->completed_ns);
    return count;
}

// Milliseconds with as many digits as a microsecond needs.
static void put_ms(char into[DIGITS_MAX], uint64_t ns)
{
    snprintf(into, DIGITS_MAX, "%" PRIu64 ".%03" PRIu64, ns / ns_per_ms, ns % ns_per_ms / 1000);
}

bool timing_header(const struct request *request, char into[TIMING_MAX])
{
    struct phase phases[PHASES_MAX];
    char digits[DIGITS_MAX];
    unsigned count = list_phases(request, phases);
    size_t length = 0;

    for (unsigned i = 0; i < count; i++) {
        put_ms(digits, phases[i].ns);
        int more = snprintf(into + length, TIMING_MAX - length, "%s%s;dur=%s", i > 0 ? ", " : "",
                            phases[i].name, digits);
        if ((size_t)more >= TIMING_MAX - length)
            return false;
        length += (size_t)more;
    }
    return count > 0;
}

// Long polls and streams were asked to take long; so was a read behind a position that is to come.
static bool is_awaited(const struct request *request)
{
    return query_has(&request->query, QUERY_WAIT) || query_has(&request->query, QUERY_MIN_ZXID) ||
           request->reply.stream != NULL;
}

void timing_log(const struct request *request, uint64_t sent_ns)
{
    const struct timing *timing = &request->timing;
    uint64_t limit_ns = request->service->limits.slow_request_ms * ns_per_ms;
    struct buffer pairs = {0};
    struct phase phases[PHASES_MAX];
    char digits[DIGITS_MAX];

    if (limit_ns == 0 || timing->replied_ns == 0 || sent_ns - timing->begun_ns < limit_ns ||
        is_awaited(request))
        return;
    buffer_printf(&pairs, "request=%s resource=%s status=%d", request->id,
                  request->route != NULL ? request->route->operation : "unknown",
                  request->reply.status);
    put_ms(digits, sent_ns - timing->begun_ns);
    buffer_printf(&pairs, " total_ms=%s", digits);
    unsigned count = list_phases(request, phases);
    for (unsigned i = 0; i < count; i++) {
        put_ms(digits, phases[i].ns);
        buffer_printf(&pairs, " %s_ms=%s", phases[i].name, digits);
    }
    put_ms(digits, sent_ns - timing->replied_ns);
    buffer_printf(&pairs, " send_ms=%s", digits);
    buffer_u8(&pairs, '\0');
    log_write(LOG_WARNING, "slow request", "%s", (const char *)pairs.data);
    buffer_deinit(&pairs);
}
