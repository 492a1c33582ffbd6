// SPDX-License-Identifier: Apache-2.0
// The life of segment files beside the hot path: made ahead as spares, removed when a checkpoint
// has made them superfluous, counted.
#include "storage/journal_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    FILL_BYTES = 128 << 10,        // of one write
    FILL_BYTES_PER_SYNC = 1 << 20, // so that a flush of the journal never queues behind a lot
};

// ---- Making ------------------------------------------------------------------------------------

static enum error fill(struct disk_file *file, const struct identity *identity, uint64_t sequence,
                       uint32_t segment_bytes)
{
    const struct disk_operations *operations = file->disk->operations;
    uint8_t *chunk = memory_zalloc(FILL_BYTES);
    enum error error = ERROR_OK;

    journal_header_encode(chunk, identity, sequence, segment_bytes);
    for (uint32_t at = 0; at < segment_bytes && error == ERROR_OK; at += FILL_BYTES) {
        uint32_t rest = segment_bytes - at;
        error = operations->write(file, at, chunk, rest < FILL_BYTES ? rest : FILL_BYTES);
        if (at == 0)
            memset(chunk, 0, JOURNAL_HEADER_BYTES);
        if (error == ERROR_OK && (at + FILL_BYTES) % FILL_BYTES_PER_SYNC == 0)
            error = operations->sync(file);
    }
    if (error == ERROR_OK)
        error = operations->sync(file);
    free(chunk);
    return error;
}

static enum error make_unfinished(struct disk *disk, const struct identity *identity,
                                  uint64_t sequence, uint32_t segment_bytes, const char *name)
{
    struct disk_file *file;
    enum error error = disk->operations->remove(disk, name);

    if (error != ERROR_OK && error != ERROR_MISSING)
        return error;
    error = disk->operations->open(disk, name, DISK_CREATE, &file);
    if (error != ERROR_OK)
        return error;
    error = fill(file, identity, sequence, segment_bytes);
    disk->operations->close(file);
    if (error == ERROR_DISK_FULL)
        disk->operations->remove(disk, name);
    return error;
}

enum error journal_segment_make(struct disk *disk, const struct identity *identity,
                                uint64_t sequence, uint32_t segment_bytes)
{
    char name[JOURNAL_NAME_MAX];
    char unfinished[JOURNAL_NAME_MAX];

    journal_segment_name(name, sequence, "");
    journal_segment_name(unfinished, sequence, ".new");
    enum error error = make_unfinished(disk, identity, sequence, segment_bytes, unfinished);
    if (error == ERROR_OK)
        error = disk->operations->rename(disk, unfinished, name);
    if (error == ERROR_OK)
        error = disk->operations->sync_directory(disk, "journal");
    return error;
}

void journal_table_add(struct journal *journal, uint64_t sequence)
{
    size_t count = journal->segment_count + 1;

    journal->segments = memory_realloc(journal->segments, count * sizeof *journal->segments);
    journal->segments[count - 1] = (struct journal_segment){.sequence = sequence};
    journal->segment_count = count;
}

void journal_segment_note(struct journal_segment *segment, paxos_slot slot)
{
    if (segment->lowest == 0 || slot < segment->lowest)
        segment->lowest = slot;
    if (slot > segment->highest)
        segment->highest = slot;
}

enum error journal_latch(struct journal *journal, enum error error)
{
    int none = ERROR_OK;

    if (error != ERROR_OK)
        atomic_compare_exchange_strong(&journal->failed, &none, (int)error);
    return error;
}

enum error journal_spare_make(struct journal *journal, unsigned wanted, bool *enough)
{
    enum error error = ERROR_OK;

    pthread_mutex_lock(&journal->making);
    pthread_mutex_lock(&journal->table);
    *enough = journal->segment_count - journal->used_count >= wanted;
    uint64_t sequence = journal->segments[journal->segment_count - 1].sequence + 1;
    pthread_mutex_unlock(&journal->table);

    if (!*enough) {
        error = journal_segment_make(journal->disk, &journal->identity, sequence,
                                     journal->segment_bytes);
        pthread_mutex_lock(&journal->table);
        if (error == ERROR_OK)
            journal_table_add(journal, sequence);
        pthread_mutex_unlock(&journal->table);
    }
    pthread_mutex_unlock(&journal->making);
    return error;
}

enum error journal_make_spares(struct journal *journal, unsigned wanted)
{
    enum error error = (enum error)atomic_load(&journal->failed);
    bool enough = false;

    while (error == ERROR_OK && !enough)
        error = journal_spare_make(journal, wanted, &enough);
    // A full disk leaves no half-made file, and what is written already does not depend on it.
    return error == ERROR_DISK_FULL ? error : journal_latch(journal, error);
}

// ---- Removing ----------------------------------------------------------------------------------

// The oldest segment, unless it is the newest in use or holds something above the slot.
static bool take_oldest(struct journal *journal, paxos_slot slot, uint64_t *sequence)
{
    bool found = journal->used_count > 1 && journal->segments[0].highest <= slot;

    if (found) {
        *sequence = journal->segments[0].sequence;
        memmove(journal->segments, journal->segments + 1,
                (journal->segment_count - 1) * sizeof *journal->segments);
        journal->segment_count--;
        journal->used_count--;
    }
    return found;
}

// One directory sync per file: otherwise a crash could bring back an older one without a younger,
// which would look like a segment lost in the middle.
static enum error remove_segment(struct disk *disk, uint64_t sequence)
{
    char name[JOURNAL_NAME_MAX];

    journal_segment_name(name, sequence, "");
    enum error error = disk->operations->remove(disk, name);
    if (error == ERROR_OK)
        error = disk->operations->sync_directory(disk, "journal");
    return error;
}

enum error journal_trim(struct journal *journal, paxos_slot slot)
{
    enum error error = (enum error)atomic_load(&journal->failed);
    uint64_t sequence = 0;
    bool found = true;

    while (error == ERROR_OK && found) {
        pthread_mutex_lock(&journal->table);
        found = take_oldest(journal, slot, &sequence);
        pthread_mutex_unlock(&journal->table);
        if (found)
            error = remove_segment(journal->disk, sequence);
    }
    return journal_latch(journal, error);
}

// ---- Finding -----------------------------------------------------------------------------------

// A slot's final entry stands behind every entry of a lower slot that was later cut off and written
// again, and no segment behind it has an entry at or below the slot.
uint64_t journal_segment_of(struct journal *journal, paxos_slot slot)
{
    uint64_t sequence = 0;
    bool empty = true;

    pthread_mutex_lock(&journal->table);
    for (size_t i = journal->used_count; i-- > 0 && sequence == 0;) {
        const struct journal_segment *segment = &journal->segments[i];
        empty &= segment->lowest == 0;
        if (segment->lowest != 0 && segment->lowest <= slot)
            sequence = segment->sequence;
    }
    if (empty)
        sequence = journal->segments[journal->used_count - 1].sequence;
    pthread_mutex_unlock(&journal->table);
    return sequence;
}

bool journal_segment_extent(struct journal *journal, uint64_t sequence, uint64_t *end, bool *newest)
{
    bool found = false;

    pthread_mutex_lock(&journal->table);
    uint64_t first = journal->segments[0].sequence;
    if (sequence >= first && sequence - first < journal->used_count) {
        *end = JOURNAL_HEADER_BYTES + journal->segments[sequence - first].bytes;
        *newest = sequence - first == journal->used_count - 1;
        found = true;
    }
    pthread_mutex_unlock(&journal->table);
    return found;
}

// ---- Counting ----------------------------------------------------------------------------------

uint64_t journal_bytes_since(struct journal *journal, paxos_slot slot)
{
    uint64_t bytes = 0;

    pthread_mutex_lock(&journal->table);
    for (size_t i = 0; i < journal->used_count; i++)
        if (journal->segments[i].highest > slot)
            bytes += journal->segments[i].bytes;
    pthread_mutex_unlock(&journal->table);
    return bytes;
}

void journal_statistics(struct journal *journal, struct journal_statistics *statistics)
{
    pthread_mutex_lock(&journal->table);
    *statistics = (struct journal_statistics){
        .segments = journal->used_count,
        .spares = journal->segment_count - journal->used_count,
        .appended_bytes = journal->appended_bytes,
        .flushes = journal->flushes,
    };
    pthread_mutex_unlock(&journal->table);
}
