// SPDX-License-Identifier: Apache-2.0
// The journal's hot path: one append is one write and one flush.
#include "storage/journal.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/memory.h"
#include "storage/journal_internal.h"

enum {
    BUFFER_STEP = 64 << 10, // the group buffer grows by multiples of it
    BUFFER_KEEP = 1 << 20,  // and is given back above this
    HEAD_KEEP = 64 << 10,   // the same for the scratch memory of heads
    SEGMENT_BYTES_MIN = 2 * JOURNAL_ALIGNMENT,
};

// The largest group that callers may make fits into a segment: values and two heads in sectors that
// carry 480 of 512 bytes, and the padding of a block.
_Static_assert((JOURNAL_GROUP_BYTES_MAX +
                2LL * (JOURNAL_GROUP_HEADER_BYTES +
                       (long long)JOURNAL_GROUP_RECORDS_MAX * JOURNAL_RECORD_HEADER_BYTES)) /
                           JOURNAL_PAYLOAD_BYTES * JOURNAL_SECTOR +
                       2LL * JOURNAL_ALIGNMENT + JOURNAL_HEADER_BYTES <
                   JOURNAL_SEGMENT_BYTES,
               "a group fits into a segment");

// ---- The group buffer --------------------------------------------------------------------------

// Mapped and not from the heap: it is aligned, and a large one goes back to the kernel at once.
static void sectors_release(struct journal *journal)
{
    if (journal->sectors != NULL)
        munmap(journal->sectors, journal->sectors_capacity);
    journal->sectors = NULL;
    journal->sectors_capacity = 0;
}

static void sectors_reserve(struct journal *journal, size_t bytes)
{
    if (bytes <= journal->sectors_capacity)
        return;
    sectors_release(journal);
    size_t capacity = (bytes + BUFFER_STEP - 1) / BUFFER_STEP * BUFFER_STEP;
    void *pages = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(pages != MAP_FAILED);
    journal->sectors = pages;
    journal->sectors_capacity = capacity;
}

static void release_excess(struct journal *journal)
{
    if (journal->sectors_capacity > BUFFER_KEEP)
        sectors_release(journal);
    if (journal->head.capacity > HEAD_KEEP)
        buffer_deinit(&journal->head);
}

// ---- Life --------------------------------------------------------------------------------------

enum error journal_open(struct disk *disk, const struct identity *identity,
                        const struct journal_handler *handler, struct journal **journal,
                        struct failure *failure)
{
    return journal_open_sized(disk, identity, handler, JOURNAL_SEGMENT_BYTES, journal, failure);
}

enum error journal_open_sized(struct disk *disk, const struct identity *identity,
                              const struct journal_handler *handler, uint32_t segment_bytes,
                              struct journal **journal, struct failure *failure)
{
    ASSERT(segment_bytes % JOURNAL_ALIGNMENT == 0 && segment_bytes >= SEGMENT_BYTES_MIN);
    struct journal *opened = memory_zalloc(sizeof *opened);

    opened->disk = disk;
    opened->identity = *identity;
    opened->segment_bytes = segment_bytes;
    pthread_mutex_init(&opened->table, NULL);
    pthread_mutex_init(&opened->making, NULL);
    enum error error = journal_recover(opened, handler, failure);
    if (error != ERROR_OK) {
        journal_close(opened);
        return error;
    }
    *journal = opened;
    return ERROR_OK;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->file != NULL)
        journal->disk->operations->close(journal->file);
    journal_rules_forget(&journal->rules);
    sectors_release(journal);
    buffer_deinit(&journal->head);
    free(journal->segments);
    pthread_mutex_destroy(&journal->table);
    pthread_mutex_destroy(&journal->making);
    free(journal);
}

// ---- Appending ---------------------------------------------------------------------------------

static void require(const char *complaint)
{
    if (complaint != NULL)
        assert_failed(complaint, __FILE__, __LINE__, "journal_append");
}

// What recovery would refuse must not be written.
static void require_rules(struct journal *journal, const struct paxos_record *records, size_t count,
                          const struct paxos_scalars *scalars)
{
    bool genesis = journal->flush == 0;

    ASSERT(count <= JOURNAL_GROUP_RECORDS_MAX);
    require(journal_rules_begin(&journal->rules, scalars, genesis, false));
    for (size_t i = 0; i < count; i++) {
        if (records[i].type == RECORD_APPEND)
            ASSERT(records[i].entry.value->length <= PAXOS_VALUE_MAX);
        require(journal_rules_record(&journal->rules, &records[i]));
    }
    require(journal_rules_end(&journal->rules));
}

// Goes on in the next segment. The table follows when the group is durable, so that the segment
// before it cannot be removed earlier.
static enum error enter_next_segment(struct journal *journal)
{
    const struct disk_operations *operations = journal->disk->operations;
    char name[JOURNAL_NAME_MAX];
    bool enough;

    enum error error = journal_spare_make(journal, 1, &enough);
    if (error != ERROR_OK)
        return error;
    pthread_mutex_lock(&journal->table);
    uint64_t sequence = journal->segments[journal->used_count].sequence;
    pthread_mutex_unlock(&journal->table);

    operations->close(journal->file);
    journal->file = NULL;
    journal_segment_name(name, sequence, "");
    error = operations->open(journal->disk, name, DISK_WRITE, &journal->file);
    journal_seed_init(&journal->seed, &journal->identity, sequence);
    journal->position = JOURNAL_HEADER_BYTES;
    return error;
}

static void seal_group(struct journal *journal, uint64_t sectors)
{
    uint64_t number = journal->position / JOURNAL_SECTOR;
    struct journal_sector sector = {
        .flush = journal->flush + 1,
        .boot_count = journal->identity.boot_count,
        .sectors = (uint32_t)sectors,
    };

    for (uint32_t i = 0; i < sectors; i++) {
        sector.index = i;
        journal_sector_seal(journal->sectors + (size_t)i * JOURNAL_SECTOR, &sector, &journal->seed,
                            number + i);
    }
}

static enum error write_group(struct journal *journal, size_t bytes)
{
    const struct disk_operations *operations = journal->disk->operations;
    enum error error = operations->write(journal->file, journal->position, journal->sectors, bytes);

    return error == ERROR_OK ? operations->sync(journal->file) : error;
}

static void note_group(struct journal *journal, bool entered, size_t bytes,
                       const struct paxos_record *records, size_t count)
{
    pthread_mutex_lock(&journal->table);
    journal->used_count += entered;
    struct journal_segment *segment = &journal->segments[journal->used_count - 1];
    segment->bytes += bytes;
    for (size_t i = 0; i < count; i++)
        if (records[i].type == RECORD_APPEND)
            journal_segment_note(segment, records[i].entry.slot);
    journal->appended_bytes += bytes;
    journal->flushes++;
    pthread_mutex_unlock(&journal->table);
    journal->position += bytes;
    journal->flush++;
}

enum error journal_append(struct journal *journal, const struct paxos_record *records, size_t count,
                          const struct paxos_scalars *scalars)
{
    enum error error = (enum error)atomic_load(&journal->failed);

    if (error != ERROR_OK)
        return error;
    require_rules(journal, records, count, scalars);
    uint64_t body = journal_group_body(records, count);
    uint64_t sectors = journal_group_sectors(count, body);
    size_t bytes = (size_t)sectors * JOURNAL_SECTOR;
    ASSERT(body <= JOURNAL_GROUP_BYTES_MAX);
    ASSERT(bytes <= journal->segment_bytes - JOURNAL_HEADER_BYTES);

    bool enter = bytes > journal->segment_bytes - journal->position;
    if (enter)
        error = enter_next_segment(journal);
    if (error == ERROR_OK) {
        sectors_reserve(journal, bytes);
        journal_group_encode(journal->sectors, sectors, records, count, scalars, &journal->head);
        seal_group(journal, sectors);
        error = write_group(journal, bytes);
    }
    if (error == ERROR_OK)
        note_group(journal, enter, bytes, records, count);
    release_excess(journal);
    return journal_latch(journal, error);
}
