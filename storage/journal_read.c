// SPDX-License-Identifier: Apache-2.0
// Reading back: follows the log through its records as recovery does, from the segment that holds the
// wanted slot on, and keeps what the log has from that slot on until it is known to be final.
//
// Only groups whose flush has returned are read. They are never rewritten, so what does not read back
// whole is damage.
#include "storage/journal_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "storage/journal_internal.h"

enum {
    READ_AHEAD = 256 << 10, // bytes of one read, unless a group is larger
    FIRST_ENTRIES = 64,
};

struct journal_reader {
    struct journal *journal; // borrowed

    // The place.
    uint64_t sequence;      // of the segment
    struct disk_file *file; // NULL: not opened yet
    struct journal_seed seed;
    uint64_t at;    // where the next group begins
    uint64_t flush; // of the group before it, 0 = none was read yet
    uint8_t *bytes; // owned: [bytes_at, bytes_at + bytes_length) of the file
    size_t bytes_capacity;
    uint64_t bytes_at;
    size_t bytes_length;

    // The log at that place.
    struct journal_rules rules;
    paxos_slot unseen; // what it has up to here was written before the place where reading began
    paxos_slot final;  // what it has up to here will never be replaced by anything else
    paxos_slot next;   // first slot that was not handed out yet
    struct entry *entries; // owned: what it has from there on, with a reference to each value
    size_t count;
    size_t capacity;
};

// ---- What the log has --------------------------------------------------------------------------

static void push(struct journal_reader *reader, const struct entry *entry)
{
    if (reader->count == reader->capacity) {
        reader->capacity = reader->capacity > 0 ? 2 * reader->capacity : FIRST_ENTRIES;
        reader->entries =
            memory_realloc(reader->entries, reader->capacity * sizeof *reader->entries);
    }
    reader->entries[reader->count++] = *entry;
}

static void drop_from(struct journal_reader *reader, size_t count)
{
    while (reader->count > count)
        blob_unref(reader->entries[--reader->count].value);
}

// After a record that is no entry: what was cut off goes, and all of it where the log begins anew behind
// a checkpoint.
static void follow_cut(struct journal_reader *reader, bool anew)
{
    paxos_slot last = reader->rules.scalars.last;

    if (anew || last < reader->next)
        drop_from(reader, 0);
    else if (last - reader->next + 1 < reader->count)
        drop_from(reader, (size_t)(last - reader->next + 1));
    if (anew || last < reader->unseen)
        reader->unseen = anew ? 0 : last;
}

static const char *take_record(struct journal_reader *reader, const uint8_t *sectors,
                               const struct journal_group *group, uint32_t index, uint64_t *body)
{
    struct paxos_record record;
    uint32_t length;

    journal_group_record(group, index, &record, &length);
    const char *reason = journal_rules_record(&reader->rules, &record);
    if (reason != NULL)
        return reason;
    if (record.type != RECORD_APPEND) {
        follow_cut(reader, record.type == RECORD_INSTALL);
    } else if (record.entry.slot == reader->next + reader->count) {
        reason = journal_group_value(sectors, *body, length, &record.entry);
        push(reader, &record.entry);
    }
    *body += length;
    return reason;
}

static const char *take_records(struct journal_reader *reader, const uint8_t *sectors,
                                const struct journal_group *group)
{
    uint64_t body = journal_group_body_offset(group);
    bool first = !reader->rules.started;
    const char *reason = journal_rules_begin(&reader->rules, &group->scalars, false, false);

    if (first)
        reader->unseen = reader->rules.scalars.last;
    for (uint32_t i = 0; i < group->count && reason == NULL; i++)
        reason = take_record(reader, sectors, group, i, &body);
    if (reason == NULL)
        reason = journal_rules_end(&reader->rules);
    if (group->scalars.decided > reader->final)
        reader->final = group->scalars.decided;
    return reason;
}

// Whether the log has gone past the wanted slot without an entry for it.
static bool was_skipped(const struct journal_reader *reader)
{
    return reader->count == 0 && reader->next > reader->unseen &&
           reader->next <= reader->rules.scalars.last;
}

// ---- Groups ------------------------------------------------------------------------------------

static enum error damaged(const struct journal_reader *reader, const char *reason)
{
    char name[JOURNAL_NAME_MAX];
    char quoted[LOG_QUOTED_MAX];

    journal_segment_name(name, reader->sequence, "");
    log_write(LOG_ERROR, "the journal cannot be read back as it was written",
              "file=%s offset=%" PRIu64 " reason=%s", name, reader->at, log_quote(quoted, reason));
    return ERROR_CORRUPT;
}

// Has the next `need` bytes in memory, and some of those behind them that are there up to `end`.
static enum error fill(struct journal_reader *reader, uint64_t need, uint64_t end)
{
    if (reader->at >= reader->bytes_at &&
        reader->at + need <= reader->bytes_at + reader->bytes_length)
        return ERROR_OK;
    uint64_t wanted = need > READ_AHEAD ? need : READ_AHEAD;
    if (wanted > reader->bytes_capacity || reader->bytes_capacity > READ_AHEAD) {
        free(reader->bytes);
        reader->bytes = memory_alloc((size_t)wanted);
        reader->bytes_capacity = (size_t)wanted;
    }
    if (wanted > end - reader->at)
        wanted = end - reader->at;
    reader->bytes_at = reader->at;
    reader->bytes_length = 0;
    enum error error = reader->file->disk->operations->read(reader->file, reader->at, reader->bytes,
                                                            (size_t)wanted);
    if (error == ERROR_OK)
        reader->bytes_length = (size_t)wanted;
    return error;
}

// Reads the next group into memory: *sectors points to it.
static enum error load_group(struct journal_reader *reader, uint64_t end, const uint8_t **sectors,
                             struct journal_sector *first)
{
    uint64_t number = reader->at / JOURNAL_SECTOR;
    enum error error = fill(reader, JOURNAL_SECTOR, end);

    if (error != ERROR_OK)
        return error;
    *sectors = reader->bytes + (reader->at - reader->bytes_at);
    if (journal_sector_open(*sectors, &reader->seed, number, first) != JOURNAL_SECTOR_VALID)
        return damaged(reader, "the checksum of a sector is wrong");
    uint64_t bytes = (uint64_t)first->sectors * JOURNAL_SECTOR;
    if (bytes > end - reader->at || (reader->flush != 0 && first->flush != reader->flush + 1))
        return damaged(reader, "another group stands there");
    error = fill(reader, bytes, end);
    if (error != ERROR_OK)
        return error;
    *sectors = reader->bytes + (reader->at - reader->bytes_at);
    if (!journal_group_is_whole(*sectors, bytes, &reader->seed, number, first))
        return damaged(reader, "the checksum of a sector is wrong");
    return ERROR_OK;
}

static enum error read_group(struct journal_reader *reader, uint64_t end)
{
    struct journal_sector first;
    struct journal_group group;
    const uint8_t *sectors;
    const char *reason;

    enum error error = load_group(reader, end, &sectors, &first);
    if (error != ERROR_OK)
        return error;
    if (journal_group_open(sectors, first.sectors, &group, &reason) != ERROR_OK)
        return damaged(reader, reason);
    reason = take_records(reader, sectors, &group);
    journal_group_deinit(&group);
    if (reason != NULL)
        return damaged(reader, reason);
    reader->at += (uint64_t)first.sectors * JOURNAL_SECTOR;
    reader->flush = first.flush;
    return was_skipped(reader) ? ERROR_MISSING : ERROR_OK;
}

// ---- Segments ----------------------------------------------------------------------------------

static void leave_segment(struct journal_reader *reader)
{
    if (reader->file != NULL)
        reader->journal->disk->operations->close(reader->file);
    reader->file = NULL;
}

static void enter_segment(struct journal_reader *reader, uint64_t sequence)
{
    reader->sequence = sequence;
    journal_seed_init(&reader->seed, &reader->journal->identity, sequence);
    reader->at = JOURNAL_HEADER_BYTES;
    reader->bytes_length = 0;
}

static enum error open_segment(struct journal_reader *reader)
{
    struct disk *disk = reader->journal->disk;
    char name[JOURNAL_NAME_MAX];

    journal_segment_name(name, reader->sequence, "");
    return disk->operations->open(disk, name, DISK_READ, &reader->file);
}

// Reads one group, or goes to the next segment; *ended: all that is durable was read.
static enum error read_on(struct journal_reader *reader, bool *ended)
{
    enum error error = ERROR_OK;
    uint64_t end;
    bool newest;

    if (!journal_segment_extent(reader->journal, reader->sequence, &end, &newest))
        return ERROR_MISSING;
    *ended = reader->at == end && newest;
    if (*ended)
        return ERROR_OK;
    if (reader->at == end) {
        leave_segment(reader);
        enter_segment(reader, reader->sequence + 1);
        return ERROR_OK;
    }
    if (reader->file == NULL)
        error = open_segment(reader);
    return error == ERROR_OK ? read_group(reader, end) : error;
}

// ---- The whole ---------------------------------------------------------------------------------

enum error journal_reader_open(struct journal *journal, paxos_slot from,
                               struct journal_reader **reader)
{
    uint64_t sequence = journal_segment_of(journal, from);

    ASSERT(from > 0);
    if (sequence == 0)
        return ERROR_MISSING;
    *reader = memory_zalloc(sizeof **reader);
    (*reader)->journal = journal;
    (*reader)->next = from;
    enter_segment(*reader, sequence);
    return ERROR_OK;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (reader == NULL)
        return;
    leave_segment(reader);
    drop_from(reader, 0);
    free(reader->entries);
    free(reader->bytes);
    free(reader);
}

paxos_slot journal_reader_slot(const struct journal_reader *reader)
{
    return reader->next;
}

// How many entries can be handed out; *full: it would be no more if more were read.
static size_t count_ready(const struct journal_reader *reader, paxos_slot executed, size_t capacity,
                          size_t bytes_max, bool *full)
{
    paxos_slot to = reader->final < executed ? reader->final : executed;
    size_t count = 0;
    size_t bytes = 0;

    while (count < reader->count && count < capacity && reader->next + count <= to) {
        bytes += reader->entries[count].value->length;
        if (count > 0 && bytes > bytes_max)
            break;
        count++;
    }
    *full = count == capacity || bytes > bytes_max || reader->next + count > executed;
    return count;
}

enum error journal_reader_next(struct journal_reader *reader, paxos_slot executed,
                               struct entry *entries, size_t capacity, size_t bytes_max,
                               size_t *count)
{
    enum error error = ERROR_OK;
    bool ended = false;
    bool full;

    ASSERT(capacity > 0);
    *count = count_ready(reader, executed, capacity, bytes_max, &full);
    while (!full && !ended && error == ERROR_OK) {
        error = read_on(reader, &ended);
        if (ended && reader->final < executed)
            reader->final = executed;
        *count = count_ready(reader, executed, capacity, bytes_max, &full);
    }
    if (error == ERROR_OK && ended && *count == 0)
        error = ERROR_MISSING;
    if (error != ERROR_OK || *count == 0) {
        *count = 0;
        return error;
    }
    memcpy(entries, reader->entries, *count * sizeof *entries);
    reader->count -= *count;
    memmove(reader->entries, reader->entries + *count, reader->count * sizeof *entries);
    reader->next += *count;
    return ERROR_OK;
}
