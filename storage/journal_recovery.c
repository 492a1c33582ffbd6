// SPDX-License-Identifier: Apache-2.0
// Opening a journal: reads every group, tells the end and a torn tail from damage, replays.
//
// At any time at most one group is written and not yet flushed, and it lies directly behind the
// last whole one: at the place where it fits. So behind whole group n there may be, anywhere, only
// zeros (a clean end) or zeros and valid sectors of one incomplete group n+1 at that place (a torn
// tail: its flush never returned, so nothing was promised on it). Everything else is damage.
#include "storage/journal_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

// The files of the directory.
struct listing {
    uint64_t *sequences;
    size_t count;
    uint64_t *unfinished; // of ".new" files
    size_t unfinished_count;
};

struct recovery {
    struct journal *journal;
    const struct journal_handler *handler;
    struct failure *failure;
    uint8_t *bytes; // the segment that is looked at, whole
    size_t index;   // of that segment in the table
    char name[JOURNAL_NAME_MAX];
    struct journal_seed seed;

    uint64_t next_flush;    // 0: not known before the first group
    uint64_t boot_count;    // of the last group
    uint64_t previous_rest; // bytes behind the last group of the segment before: a group that
                            // would fit there cannot begin in this one
    bool started;           // handler.start was called
    bool ended;             // a torn group was found: only zeros may follow

    size_t used_count; // segments up to the one that holds the last group
    uint64_t position; // behind the last group
    bool torn;         // a torn group was found:
    uint64_t torn_sequence;
    uint64_t torn_at;
    uint64_t torn_bytes;
};

// ---- The directory -----------------------------------------------------------------------------

static void add_sequence(uint64_t **list, size_t *count, uint64_t sequence)
{
    *list = memory_realloc(*list, (*count + 1) * sizeof **list);
    (*list)[(*count)++] = sequence;
}

static void visit_name(void *context, const char *name)
{
    struct listing *listing = context;
    char quoted[LOG_QUOTED_MAX];
    uint64_t sequence;
    bool unfinished;

    if (!journal_parse_name(name, &sequence, &unfinished))
        log_write(LOG_WARNING, "unknown file in the journal's directory is ignored", "file=%s",
                  log_quote(quoted, name));
    else if (unfinished)
        add_sequence(&listing->unfinished, &listing->unfinished_count, sequence);
    else
        add_sequence(&listing->sequences, &listing->count, sequence);
}

static int compare_sequences(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static enum error remove_unfinished(struct disk *disk, const struct listing *listing)
{
    enum error error = ERROR_OK;

    for (size_t i = 0; i < listing->unfinished_count && error == ERROR_OK; i++) {
        char name[JOURNAL_NAME_MAX];
        journal_segment_name(name, listing->unfinished[i], ".new");
        error = disk->operations->remove(disk, name);
    }
    return error;
}

static enum error fill_table(struct recovery *recovery, const struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        uint64_t sequence = listing->sequences[i];
        if (i > 0 && sequence != listing->sequences[i - 1] + 1) {
            char name[JOURNAL_NAME_MAX];
            journal_segment_name(name, listing->sequences[i - 1] + 1, "");
            return failure_set(recovery->failure, ERROR_CORRUPT,
                               "%s: is missing, though there are segments before and behind it",
                               name);
        }
        journal_table_add(recovery->journal, sequence);
    }
    return ERROR_OK;
}

static enum error make_first_segment(struct journal *journal)
{
    enum error error =
        journal_segment_make(journal->disk, &journal->identity, 1, journal->segment_bytes);

    if (error == ERROR_OK)
        journal_table_add(journal, 1);
    return error;
}

static enum error list_segments(struct recovery *recovery, struct listing *listing)
{
    struct disk *disk = recovery->journal->disk;
    enum error error = disk->operations->make_directory(disk, "journal");

    if (error == ERROR_OK)
        error = disk->operations->list(disk, "journal", visit_name, listing);
    if (error == ERROR_OK)
        error = remove_unfinished(disk, listing);
    if (error == ERROR_OK)
        error = disk->operations->sync_directory(disk, "journal");
    if (error == ERROR_OK && listing->count == 0 && recovery->journal->identity.journal_made)
        return failure_set(recovery->failure, ERROR_CORRUPT,
                           "the directory \"journal\" is empty, but this node has had a journal; "
                           "put it back, or replace this node by one with a blank directory");
    if (error == ERROR_OK && listing->count == 0)
        error = make_first_segment(recovery->journal);
    if (error != ERROR_OK)
        return failure_set(recovery->failure, error, "the directory \"journal\": %s",
                           error_entry(error)->title);
    if (listing->count > 0)
        qsort(listing->sequences, listing->count, sizeof *listing->sequences, compare_sequences);
    return fill_table(recovery, listing);
}

// ---- One file ----------------------------------------------------------------------------------

static enum error io_failure(struct recovery *recovery, enum error error)
{
    return failure_set(recovery->failure, error, "%s: %s", recovery->name,
                       error_entry(error)->title);
}

static enum error read_segment(struct recovery *recovery, struct disk_file *file)
{
    const struct disk_operations *operations = file->disk->operations;
    struct journal *journal = recovery->journal;
    uint64_t size = 0;

    // What is acted on must be on the device and not only in a cache.
    enum error error = operations->sync(file);
    if (error == ERROR_OK)
        error = operations->size(file, &size);
    if (error == ERROR_OK && size < JOURNAL_HEADER_BYTES)
        return failure_set(recovery->failure, ERROR_CORRUPT,
                           "%s: has only %" PRIu64 " bytes, less than a segment's header",
                           recovery->name, size);
    if (error == ERROR_OK)
        error = operations->read(file, 0, recovery->bytes, JOURNAL_HEADER_BYTES);
    if (error != ERROR_OK)
        return io_failure(recovery, error);
    error =
        journal_header_check(recovery->bytes, &journal->identity,
                             journal->segments[recovery->index].sequence, size, recovery->failure);
    if (error != ERROR_OK)
        return error;
    if (size != journal->segment_bytes)
        return failure_set(recovery->failure, ERROR_FOREIGN,
                           "%s: is a segment of %" PRIu64 " bytes; this program uses %u",
                           recovery->name, size, journal->segment_bytes);
    error = operations->read(file, 0, recovery->bytes, journal->segment_bytes);
    return error == ERROR_OK ? ERROR_OK : io_failure(recovery, error);
}

static enum error load_segment(struct recovery *recovery, size_t index)
{
    struct journal *journal = recovery->journal;
    uint64_t sequence = journal->segments[index].sequence;
    struct disk_file *file;

    recovery->index = index;
    journal_segment_name(recovery->name, sequence, "");
    journal_seed_init(&recovery->seed, &journal->identity, sequence);
    enum error error =
        journal->disk->operations->open(journal->disk, recovery->name, DISK_WRITE, &file);
    if (error != ERROR_OK)
        return io_failure(recovery, error);
    error = read_segment(recovery, file);
    journal->disk->operations->close(file);
    return error;
}

static enum journal_sector_state sector_at(struct recovery *recovery, uint64_t at,
                                           struct journal_sector *sector)
{
    return journal_sector_open(recovery->bytes + at, &recovery->seed, at / JOURNAL_SECTOR, sector);
}

// ---- Replay of a whole group -------------------------------------------------------------------

static enum error group_failure(struct recovery *recovery, uint64_t at, const char *reason)
{
    return failure_set(recovery->failure, ERROR_CORRUPT,
                       "%s: byte %" PRIu64 ": flush %" PRIu64 " is whole by its checksums, but %s",
                       recovery->name, at, recovery->next_flush, reason);
}

// Decodes, checks and reports one record; *body is the payload offset of its value.
static enum error replay_record(struct recovery *recovery, uint64_t at,
                                const struct journal_group *group, uint32_t index, uint64_t *body)
{
    const uint8_t *sectors = recovery->bytes + at;
    struct journal_segment *segment = &recovery->journal->segments[recovery->index];
    struct paxos_record record;
    const char *reason = NULL;
    uint32_t length;

    journal_group_record(group, index, &record, &length);
    if (record.type == RECORD_APPEND) {
        reason = journal_group_value(sectors, *body, length, &record.entry);
        *body += length;
        journal_segment_note(segment, record.entry.slot);
    }
    if (reason == NULL)
        reason = journal_rules_record(&recovery->journal->rules, &record);
    enum error error = reason != NULL ? group_failure(recovery, at, reason)
                                      : recovery->handler->record(recovery->handler->context,
                                                                  &record, recovery->failure);
    blob_unref(record.entry.value);
    return error;
}

static enum error replay_start(struct recovery *recovery, const struct paxos_scalars *scalars)
{
    if (recovery->started)
        return ERROR_OK;
    recovery->started = true;
    return recovery->handler->start(recovery->handler->context, scalars, recovery->failure);
}

// The group's decided mark, less what its own records may replace. A group that installs a checkpoint
// may carry a mark that only the checkpoint's history reaches.
static paxos_slot settled_slot(const struct journal_group *group)
{
    paxos_slot settled = group->scalars.decided;
    struct paxos_record record;
    uint32_t length;

    for (uint32_t i = 0; i < group->count; i++) {
        journal_group_record(group, i, &record, &length);
        bool cuts = record.type == RECORD_SYNC || record.type == RECORD_LEARN;
        if (cuts && record.slot < settled)
            settled = record.slot;
        if (record.type == RECORD_INSTALL)
            settled = 0;
    }
    return settled;
}

static enum error replay_begin(struct recovery *recovery, const struct journal_group *group)
{
    const struct journal_handler *handler = recovery->handler;
    enum error error = replay_start(recovery, &group->scalars);

    if (error != ERROR_OK || handler->group_begin == NULL)
        return error;
    return handler->group_begin(handler->context, settled_slot(group), recovery->failure);
}

static enum error replay_records(struct recovery *recovery, uint64_t at,
                                 const struct journal_group *group)
{
    struct journal_rules *rules = &recovery->journal->rules;
    bool genesis = recovery->next_flush == 1;
    uint64_t body = journal_group_body_offset(group);
    const char *reason = journal_rules_begin(rules, &group->scalars, genesis, true);

    if (reason != NULL)
        return group_failure(recovery, at, reason);
    enum error error = replay_begin(recovery, group);
    for (uint32_t i = 0; i < group->count && error == ERROR_OK; i++)
        error = replay_record(recovery, at, group, i, &body);
    if (error != ERROR_OK)
        return error;
    reason = journal_rules_end(rules);
    if (reason != NULL)
        return group_failure(recovery, at, reason);
    return recovery->handler->group_end(recovery->handler->context, group->scalars.decided,
                                        recovery->failure);
}

static enum error replay_group(struct recovery *recovery, uint64_t at, uint64_t sectors)
{
    struct journal_group group;
    const char *reason;

    if (journal_group_open(recovery->bytes + at, sectors, &group, &reason) != ERROR_OK)
        return group_failure(recovery, at, reason);
    enum error error = replay_records(recovery, at, &group);
    journal_group_deinit(&group);
    return error;
}

// ---- Telling whole, torn and damaged -----------------------------------------------------------

// Whether a sector may belong to the group that comes next, if it begins at `base`.
static const char *complain_about_group(const struct recovery *recovery, uint64_t base,
                                        const struct journal_sector *sector)
{
    uint64_t bytes = (uint64_t)sector->sectors * JOURNAL_SECTOR;

    if (sector->flush == 0 || sector->sectors == 0 ||
        sector->sectors % JOURNAL_BLOCK_SECTORS != 0 ||
        bytes > recovery->journal->segment_bytes - base)
        return "its number or size is impossible";
    if (base == JOURNAL_HEADER_BYTES && bytes <= recovery->previous_rest)
        return "it would have fitted into the segment before";
    if (sector->boot_count < recovery->boot_count)
        return "it was written by an earlier start than what lies before it";
    if (sector->boot_count >= recovery->journal->identity.boot_count)
        return "the file \"identity\" does not know of the start that wrote it";
    return NULL;
}

// Replays the groups from the segment's start up to the first place that holds no whole next group.
static enum error replay_groups(struct recovery *recovery, uint64_t *at)
{
    struct journal_segment *segment = &recovery->journal->segments[recovery->index];
    struct journal_sector first;
    enum error error = ERROR_OK;

    while (error == ERROR_OK && *at < recovery->journal->segment_bytes &&
           journal_group_is_whole(recovery->bytes + *at, recovery->journal->segment_bytes - *at,
                                  &recovery->seed, *at / JOURNAL_SECTOR, &first)) {
        if (recovery->next_flush == 0)
            recovery->next_flush = first.flush;
        if (first.flush != recovery->next_flush)
            break;
        const char *complaint = complain_about_group(recovery, *at, &first);
        if (complaint != NULL)
            return group_failure(recovery, *at, complaint);
        error = replay_group(recovery, *at, first.sectors);
        uint64_t bytes = (uint64_t)first.sectors * JOURNAL_SECTOR;
        *at += bytes;
        segment->bytes += bytes;
        recovery->boot_count = first.boot_count;
        recovery->next_flush++;
        recovery->used_count = recovery->index + 1;
        recovery->position = *at;
    }
    return error;
}

// A sector that is neither zero nor has its checksum. `base` is where the next group begins.
static enum error bad_sector(struct recovery *recovery, uint64_t base, uint64_t bad)
{
    char damage[JOURNAL_DAMAGE_MAX];
    struct journal_sector sector;

    for (uint64_t at = base; at < recovery->journal->segment_bytes; at += JOURNAL_SECTOR) {
        if (sector_at(recovery, at, &sector) != JOURNAL_SECTOR_VALID)
            continue;
        if (sector.flush != recovery->next_flush ||
            at - base != (uint64_t)sector.index * JOURNAL_SECTOR ||
            complain_about_group(recovery, base, &sector) != NULL ||
            bad - base >= (uint64_t)sector.sectors * JOURNAL_SECTOR)
            break;
        struct journal_extent extent = {
            .sectors = recovery->bytes + base,
            .first_number = base / JOURNAL_SECTOR,
            .count = sector.sectors,
            .seed = &recovery->seed,
        };
        journal_damage_describe(&extent, damage);
        return failure_set(recovery->failure, ERROR_CORRUPT,
                           "%s: byte %" PRIu64 ": the checksum of a sector of flush %" PRIu64
                           " is wrong; %s",
                           recovery->name, bad, recovery->next_flush, damage);
    }
    return failure_set(recovery->failure, ERROR_CORRUPT,
                       "%s: byte %" PRIu64 ": the checksum of a sector is wrong", recovery->name,
                       bad);
}

// A valid sector behind the last whole group, which ends at `base`.
static enum error check_torn_sector(struct recovery *recovery, uint64_t base, uint64_t at,
                                    const struct journal_sector *sector)
{
    const char *complaint;

    if (recovery->ended || sector->flush != recovery->next_flush)
        return failure_set(recovery->failure, ERROR_CORRUPT,
                           "%s: byte %" PRIu64 ": flush %" PRIu64 " stands here, but flush %" PRIu64
                           " before it is missing or not whole",
                           recovery->name, at, sector->flush, recovery->next_flush);
    if (at - base != (uint64_t)sector->index * JOURNAL_SECTOR || sector->index >= sector->sectors)
        complaint = "it lies at the wrong place";
    else
        complaint = complain_about_group(recovery, base, sector);
    uint64_t bytes = (uint64_t)sector->sectors * JOURNAL_SECTOR;
    if (complaint == NULL && recovery->torn &&
        (bytes != recovery->torn_bytes || sector->boot_count != recovery->boot_count))
        complaint = "its sectors contradict each other";
    if (complaint != NULL)
        return failure_set(recovery->failure, ERROR_CORRUPT,
                           "%s: byte %" PRIu64 ": a sector of flush %" PRIu64
                           " is whole by its checksum, but %s",
                           recovery->name, at, sector->flush, complaint);
    recovery->torn = true;
    recovery->torn_sequence = recovery->journal->segments[recovery->index].sequence;
    recovery->torn_at = base;
    recovery->torn_bytes = bytes;
    recovery->boot_count = sector->boot_count;
    return ERROR_OK;
}

// Looks at everything behind the last whole group of the segment.
static enum error classify_rest(struct recovery *recovery, uint64_t base)
{
    struct journal_sector sector;
    enum error error = ERROR_OK;

    for (uint64_t at = base; at < recovery->journal->segment_bytes && error == ERROR_OK;
         at += JOURNAL_SECTOR) {
        enum journal_sector_state state = sector_at(recovery, at, &sector);
        if (state == JOURNAL_SECTOR_BAD)
            error = bad_sector(recovery, base, at);
        else if (state == JOURNAL_SECTOR_VALID)
            error = check_torn_sector(recovery, base, at, &sector);
    }
    return error;
}

// The first group of a journal without its beginning is not whole: for the description of what is
// wrong the first readable sector says which group that is.
static void guess_flush(struct recovery *recovery)
{
    struct journal_sector sector;

    for (uint64_t at = JOURNAL_HEADER_BYTES; at < recovery->journal->segment_bytes;
         at += JOURNAL_SECTOR)
        if (sector_at(recovery, at, &sector) == JOURNAL_SECTOR_VALID) {
            recovery->next_flush = sector.flush;
            return;
        }
}

static enum error scan_segment(struct recovery *recovery)
{
    uint64_t at = JOURNAL_HEADER_BYTES;
    enum error error = ERROR_OK;

    if (!recovery->ended)
        error = replay_groups(recovery, &at);
    bool without_beginning = recovery->next_flush == 0;
    if (without_beginning)
        guess_flush(recovery);
    if (error == ERROR_OK)
        error = classify_rest(recovery, at);
    if (error != ERROR_OK)
        return error;
    if (without_beginning)
        return failure_set(recovery->failure, ERROR_CORRUPT,
                           "%s: byte %" PRIu64
                           ": the oldest segment begins without a whole group, "
                           "though segments before it were removed",
                           recovery->name, at);
    recovery->ended |= recovery->torn;
    recovery->previous_rest = recovery->journal->segment_bytes - at;
    return ERROR_OK;
}

// ---- The whole ---------------------------------------------------------------------------------

static enum error scan_segments(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    enum error error = ERROR_OK;

    recovery->used_count = 1;
    recovery->position = JOURNAL_HEADER_BYTES;
    recovery->next_flush = journal->segments[0].sequence == 1 ? 1 : 0;
    for (size_t i = 0; i < journal->segment_count && error == ERROR_OK; i++) {
        error = load_segment(recovery, i);
        if (error == ERROR_OK)
            error = scan_segment(recovery);
    }
    if (error != ERROR_OK)
        return error;
    const struct paxos_scalars none = {0};
    return replay_start(recovery, &none);
}

// Zeroes what is left of a group whose flush never returned.
static enum error repair_torn(struct recovery *recovery)
{
    struct disk *disk = recovery->journal->disk;
    struct disk_file *file;

    if (!recovery->torn)
        return ERROR_OK;
    journal_segment_name(recovery->name, recovery->torn_sequence, "");
    enum error error = disk->operations->open(disk, recovery->name, DISK_WRITE, &file);
    if (error != ERROR_OK)
        return io_failure(recovery, error);
    uint8_t *zeros = memory_zalloc((size_t)recovery->torn_bytes);
    error = disk->operations->write(file, recovery->torn_at, zeros, (size_t)recovery->torn_bytes);
    free(zeros);
    if (error == ERROR_OK)
        error = disk->operations->sync(file);
    disk->operations->close(file);
    if (error != ERROR_OK)
        return io_failure(recovery, error);
    log_write(LOG_INFO, "a write that was under way at the last stop is dropped",
              "file=%s offset=%" PRIu64 " bytes=%" PRIu64, recovery->name, recovery->torn_at,
              recovery->torn_bytes);
    return ERROR_OK;
}

static enum error open_newest(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    uint64_t sequence = journal->segments[recovery->used_count - 1].sequence;

    journal->used_count = recovery->used_count;
    journal->position = recovery->position;
    journal->flush = recovery->next_flush - 1;
    journal_seed_init(&journal->seed, &journal->identity, sequence);
    journal_segment_name(recovery->name, sequence, "");
    enum error error =
        journal->disk->operations->open(journal->disk, recovery->name, DISK_WRITE, &journal->file);
    return error == ERROR_OK ? ERROR_OK : io_failure(recovery, error);
}

enum error journal_recover(struct journal *journal, const struct journal_handler *handler,
                           struct failure *failure)
{
    struct recovery recovery = {.journal = journal, .handler = handler, .failure = failure};
    struct listing listing = {0};
    enum error error = list_segments(&recovery, &listing);

    free(listing.sequences);
    free(listing.unfinished);
    if (error != ERROR_OK)
        return error;
    recovery.bytes = memory_alloc(journal->segment_bytes);
    error = scan_segments(&recovery);
    free(recovery.bytes);
    journal_rules_forget(&journal->rules);
    if (error == ERROR_OK)
        error = repair_torn(&recovery);
    if (error == ERROR_OK)
        error = open_newest(&recovery);
    return error;
}
