// SPDX-License-Identifier: Apache-2.0
// The frame has a checksum of its own, like all of this directory.
#include "server/report.h"

#include "server/forward.h"

enum {
    CHECKSUM_BYTES = 8,
    FLAG_SERVING = 1,
    FLAG_DISK_FULL = 2,
    FLAG_DRAINING = 4,
    FLAG_CONFIRMED = 8
};

void report_encode(const struct report *report, struct buffer *into)
{
    buffer_clear(into);
    buffer_u8(into, FRAME_REPORT);
    buffer_u8(into, (uint8_t)report->role);
    buffer_u8(into, (uint8_t)((report->serving ? FLAG_SERVING : 0) |
                              (report->disk_full ? FLAG_DISK_FULL : 0) |
                              (report->draining ? FLAG_DRAINING : 0) |
                              (report->confirmed ? FLAG_CONFIRMED : 0)));
    buffer_u64(into, report->ballot.round);
    buffer_u16(into, report->ballot.node);
    buffer_u64(into, report->zxid);
    buffer_u64(into, report->applied);
    buffer_u64(into, report->confirmed_age_us);
    buffer_u64(into, report->confirmed_decided);
    buffer_u64(into, report->sent_us);
    buffer_u64(into, report->echo_us);
    buffer_u64(into, report->held_us);
    buffer_u64(into, hash64(into->data, into->length, 0));
}

enum error report_decode(const void *data, size_t length, struct report *report)
{
    struct reader reader;

    if (length < CHECKSUM_BYTES || bytes_get_u64((const uint8_t *)data + length - CHECKSUM_BYTES) !=
                                       hash64(data, length - CHECKSUM_BYTES, 0))
        return ERROR_CORRUPT;
    reader_init(&reader, data, length - CHECKSUM_BYTES);
    uint8_t kind = reader_u8(&reader);
    uint8_t role = reader_u8(&reader);
    uint8_t flags = reader_u8(&reader);
    *report = (struct report){.role = (enum paxos_role)role,
                              .serving = flags & FLAG_SERVING,
                              .disk_full = flags & FLAG_DISK_FULL,
                              .draining = flags & FLAG_DRAINING,
                              .confirmed = flags & FLAG_CONFIRMED};
    report->ballot.round = reader_u64(&reader);
    report->ballot.node = reader_u16(&reader);
    report->zxid = reader_u64(&reader);
    report->applied = reader_u64(&reader);
    report->confirmed_age_us = reader_u64(&reader);
    report->confirmed_decided = reader_u64(&reader);
    report->sent_us = reader_u64(&reader);
    report->echo_us = reader_u64(&reader);
    report->held_us = reader_u64(&reader);
    bool right = reader_done(&reader) && kind == FRAME_REPORT && role <= PAXOS_LEADER;
    return right ? ERROR_OK : ERROR_CORRUPT;
}

uint64_t report_round_trip_us(const struct report *report, uint64_t now_us)
{
    if (report->echo_us == 0 || report->echo_us > now_us ||
        report->held_us > now_us - report->echo_us)
        return 0;
    return now_us - report->echo_us - report->held_us;
}

// While one report waits to be caught up with, a newer one does not replace it: else a node that is
// always a little behind would never become fresh.
void freshness_note(struct freshness *freshness, const struct report *leader, uint64_t now_us)
{
    if (!leader->confirmed || leader->confirmed_age_us >= now_us || freshness->waiting_us != 0)
        return;
    freshness->waiting_us = now_us - leader->confirmed_age_us;
    freshness->waiting_for = leader->confirmed_decided;
}

void freshness_executed(struct freshness *freshness, paxos_slot slot)
{
    if (freshness->waiting_us == 0 || slot < freshness->waiting_for)
        return;
    if (freshness->waiting_us > freshness->fresh_us)
        freshness->fresh_us = freshness->waiting_us;
    freshness->waiting_us = 0;
}

uint64_t freshness_age_us(uint64_t fresh_us, uint64_t now_us)
{
    if (fresh_us == 0)
        return UINT64_MAX;
    return now_us > fresh_us ? now_us - fresh_us : 0;
}
