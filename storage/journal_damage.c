// SPDX-License-Identifier: Apache-2.0
// What a damaged flush group held: told from whichever of its two heads survived.
#include "storage/journal_internal.h"

#include <inttypes.h>
#include <stdio.h>

struct slot_range {
    paxos_slot first; // 0 = empty
    paxos_slot last;
};

static void range_add(struct slot_range *range, paxos_slot slot)
{
    if (range->first == 0 || slot < range->first)
        range->first = slot;
    if (slot > range->last)
        range->last = slot;
}

// Whether every sector that holds payload bytes [from, to) is readable.
static bool is_whole(const struct journal_extent *extent, uint64_t from, uint64_t to)
{
    struct journal_sector sector;

    for (uint64_t i = from / JOURNAL_PAYLOAD_BYTES; i * JOURNAL_PAYLOAD_BYTES < to; i++)
        if (journal_sector_open(extent->sectors + i * JOURNAL_SECTOR, extent->seed,
                                extent->first_number + i, &sector) != JOURNAL_SECTOR_VALID)
            return false;
    return true;
}

static bool open_whole_copy(const struct journal_extent *extent, bool tail,
                            struct journal_group *group)
{
    if (!journal_group_open_copy(extent->sectors, extent->count, tail, group))
        return false;
    uint64_t end = extent->count * JOURNAL_PAYLOAD_BYTES;
    uint64_t head = journal_group_body_offset(group);
    uint64_t from = tail ? end - JOURNAL_FOOTER_BYTES - head : 0;
    if (is_whole(extent, from, tail ? end : head))
        return true;
    journal_group_deinit(group);
    return false;
}

static void find_slots(const struct journal_extent *extent, const struct journal_group *group,
                       struct slot_range *all, struct slot_range *lost)
{
    uint64_t at = journal_group_body_offset(group);

    for (uint32_t i = 0; i < group->count; i++) {
        struct paxos_record record;
        uint32_t length;
        journal_group_record(group, i, &record, &length);
        if (record.type != RECORD_APPEND)
            continue;
        range_add(all, record.entry.slot);
        if (!is_whole(extent, at, at + length))
            range_add(lost, record.entry.slot);
        at += length;
    }
}

void journal_damage_describe(const struct journal_extent *extent, char text[JOURNAL_DAMAGE_MAX])
{
    struct slot_range all = {0};
    struct slot_range lost = {0};
    struct journal_group group;

    if (!open_whole_copy(extent, false, &group) && !open_whole_copy(extent, true, &group)) {
        snprintf(text, JOURNAL_DAMAGE_MAX, "which slots it held is lost with both of its heads");
        return;
    }
    find_slots(extent, &group, &all, &lost);
    journal_group_deinit(&group);
    if (all.first == 0)
        snprintf(text, JOURNAL_DAMAGE_MAX, "it holds no entries");
    else if (lost.first == 0)
        snprintf(text, JOURNAL_DAMAGE_MAX,
                 "it holds slots %" PRIu64 " to %" PRIu64 ", none of whose values is hit",
                 all.first, all.last);
    else
        snprintf(text, JOURNAL_DAMAGE_MAX,
                 "it holds slots %" PRIu64 " to %" PRIu64 ", of which %" PRIu64 " to %" PRIu64
                 " are hit",
                 all.first, all.last, lost.first, lost.last);
}
