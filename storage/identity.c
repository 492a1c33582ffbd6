// SPDX-License-Identifier: Apache-2.0
// The identity file: two blocks of 4 KiB, each a whole copy. The copy with version v lies in block
// v mod 2, so the newer one is never overwritten before the next is durable.
//
// A block: magic u64, checksum u64 (XXH3-64 of all bytes behind it), format u32, journal_made u8,
// member_count u8, node u16, version u64, boot_count u64, cluster 16 bytes, incarnation 16 bytes, for
// each of up to 12 members node u16, 6 zeros, incarnation 16 bytes, boot u64, run u64; at 1024 the runs,
// u64 each; zeros. All little-endian.
#include "storage/identity.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"

enum {
    COPY_BYTES = 4096,
    COPIES = 2,
    IDENTITY_FORMAT = 1,
    CHECKSUM_AT = 8,
    CHECKED_AT = 16,
    FORMAT_AT = 16,
    JOURNAL_MADE_AT = 20,
    MEMBER_COUNT_AT = 21,
    NODE_AT = 22,
    VERSION_AT = 24,
    BOOT_AT = 32,
    CLUSTER_AT = 40,
    INCARNATION_AT = 56,
    MEMBERS_AT = 72,
    MEMBER_BYTES = 40,
    MEMBER_INCARNATION_AT = 8,
    MEMBER_BOOT_AT = 24,
    MEMBER_RUN_AT = 32,
    RUNS_AT = 1024,
};

static const char file_name[] = "identity";
static const uint8_t magic[8] = {'C', 'U', 'R', 'L', 'E', 'W', 'I', 'D'};

struct copy {
    bool valid;
    uint32_t format;
    uint64_t version;
    struct identity identity;
};

static void member_encode(uint8_t *at, const struct cluster_member *member)
{
    bytes_put_u16(at, member->node);
    memcpy(at + MEMBER_INCARNATION_AT, member->incarnation, sizeof member->incarnation);
    bytes_put_u64(at + MEMBER_BOOT_AT, member->boot);
    bytes_put_u64(at + MEMBER_RUN_AT, member->run);
}

static void member_decode(const uint8_t *at, struct cluster_member *member)
{
    member->node = bytes_get_u16(at);
    memcpy(member->incarnation, at + MEMBER_INCARNATION_AT, sizeof member->incarnation);
    member->boot = bytes_get_u64(at + MEMBER_BOOT_AT);
    member->run = bytes_get_u64(at + MEMBER_RUN_AT);
}

static void copy_encode(uint8_t *block, const struct identity *identity, uint64_t version)
{
    memset(block, 0, COPY_BYTES);
    memcpy(block, magic, sizeof magic);
    bytes_put_u32(block + FORMAT_AT, IDENTITY_FORMAT);
    block[JOURNAL_MADE_AT] = identity->journal_made;
    bytes_put_u16(block + NODE_AT, identity->node);
    bytes_put_u64(block + VERSION_AT, version);
    bytes_put_u64(block + BOOT_AT, identity->boot_count);
    memcpy(block + CLUSTER_AT, identity->cluster, sizeof identity->cluster);
    memcpy(block + INCARNATION_AT, identity->incarnation, sizeof identity->incarnation);
    block[MEMBER_COUNT_AT] = (uint8_t)identity->member_count;
    for (size_t i = 0; i < identity->member_count; i++)
        member_encode(block + MEMBERS_AT + i * MEMBER_BYTES, &identity->members[i]);
    for (size_t i = 0; i < PAXOS_RUNS_KEPT; i++)
        bytes_put_u64(block + RUNS_AT + i * sizeof(uint64_t), identity->runs.of[i]);
    bytes_put_u64(block + CHECKSUM_AT, hash64(block + CHECKED_AT, COPY_BYTES - CHECKED_AT, 0));
}

static void copy_decode(const uint8_t *block, struct copy *copy)
{
    struct identity *identity = &copy->identity;

    *copy = (struct copy){0};
    copy->valid = memcmp(block, magic, sizeof magic) == 0 &&
                  bytes_get_u64(block + CHECKSUM_AT) ==
                      hash64(block + CHECKED_AT, COPY_BYTES - CHECKED_AT, 0);
    copy->format = bytes_get_u32(block + FORMAT_AT);
    copy->version = bytes_get_u64(block + VERSION_AT);
    identity->journal_made = block[JOURNAL_MADE_AT] != 0;
    identity->node = bytes_get_u16(block + NODE_AT);
    identity->boot_count = bytes_get_u64(block + BOOT_AT);
    memcpy(identity->cluster, block + CLUSTER_AT, sizeof identity->cluster);
    memcpy(identity->incarnation, block + INCARNATION_AT, sizeof identity->incarnation);
    for (size_t i = 0; i < PAXOS_RUNS_KEPT; i++)
        identity->runs.of[i] = bytes_get_u64(block + RUNS_AT + i * sizeof(uint64_t));
    identity->member_count = block[MEMBER_COUNT_AT];
    copy->valid = copy->valid && identity->member_count <= PAXOS_NODES_MAX;
    for (size_t i = 0; copy->valid && i < identity->member_count; i++)
        member_decode(block + MEMBERS_AT + i * MEMBER_BYTES, &identity->members[i]);
}

static void note_name(void *context, const char *name)
{
    bool *any = context;

    (void)name;
    *any = true;
}

static enum error holds_files(struct disk *disk, const char *directory, bool *any)
{
    enum error error = disk->operations->list(disk, directory, note_name, any);

    return error == ERROR_MISSING ? ERROR_OK : error;
}

// The identity file is missing: that is right only where there is nothing else.
static enum error require_blank(struct disk *disk, struct failure *failure)
{
    bool any = false;
    enum error error = holds_files(disk, "journal", &any);

    if (error == ERROR_OK)
        error = holds_files(disk, "checkpoint", &any);
    if (error != ERROR_OK)
        return failure_set(failure, error, "cannot list the data directory: %s",
                           error_entry(error)->title);
    if (any)
        return failure_set(failure, ERROR_CORRUPT,
                           "the data directory holds a journal or checkpoints, but the file "
                           "\"identity\" is missing; put back the whole directory as it was, or "
                           "replace this node by one with a blank directory");
    return ERROR_OK;
}

enum error identity_format(struct disk *disk, uint16_t node, struct identity *identity,
                           struct failure *failure)
{
    uint8_t blocks[COPIES * COPY_BYTES];
    struct disk_file *file;

    ASSERT(node != 0);
    enum error error = disk->operations->open(disk, file_name, DISK_READ, &file);
    if (error == ERROR_OK) {
        disk->operations->close(file);
        return failure_set(failure, ERROR_FOREIGN,
                           "the data directory belongs to a node already (it holds the file "
                           "\"identity\"); give a blank directory");
    }
    error = require_blank(disk, failure);
    if (error != ERROR_OK)
        return error;

    *identity = (struct identity){.node = node};
    random_bytes(identity->incarnation, sizeof identity->incarnation);
    copy_encode(blocks, identity, 0);
    copy_encode(blocks + COPY_BYTES, identity, 1);
    error = disk_replace(disk, "", file_name, blocks, sizeof blocks);
    if (error != ERROR_OK)
        return failure_set(failure, error, "cannot write the file \"identity\": %s",
                           error_entry(error)->title);
    return ERROR_OK;
}

static enum error read_copies(struct disk_file *file, struct copy copies[COPIES],
                              struct failure *failure)
{
    const struct disk_operations *operations = file->disk->operations;
    uint8_t blocks[COPIES * COPY_BYTES];
    uint64_t size;

    // What is acted on must be on the device and not only in a cache.
    enum error error = operations->sync_directory(file->disk, "");
    if (error == ERROR_OK)
        error = operations->sync(file);
    if (error == ERROR_OK)
        error = operations->size(file, &size);
    if (error == ERROR_OK && size != sizeof blocks)
        return failure_set(failure, ERROR_CORRUPT,
                           "the file \"identity\" has %llu bytes instead of %zu; replace this node "
                           "by one with a blank directory",
                           (unsigned long long)size, sizeof blocks);
    if (error == ERROR_OK)
        error = operations->read(file, 0, blocks, sizeof blocks);
    if (error != ERROR_OK)
        return failure_set(failure, error, "cannot read the file \"identity\": %s",
                           error_entry(error)->title);
    for (size_t i = 0; i < COPIES; i++)
        copy_decode(blocks + i * COPY_BYTES, &copies[i]);
    return ERROR_OK;
}

static bool copies_agree(const struct copy copies[COPIES])
{
    const struct identity *a = &copies[0].identity;
    const struct identity *b = &copies[1].identity;
    uint64_t low = copies[0].version < copies[1].version ? copies[0].version : copies[1].version;
    uint64_t high = copies[0].version < copies[1].version ? copies[1].version : copies[0].version;

    return high - low == 1 && a->node == b->node &&
           (a->member_count == 0 || b->member_count == 0 ||
            memcmp(a->cluster, b->cluster, sizeof a->cluster) == 0) &&
           memcmp(a->incarnation, b->incarnation, sizeof a->incarnation) == 0;
}

// Chooses the newer copy.
static enum error choose_copy(const struct copy copies[COPIES], const struct copy **chosen,
                              struct failure *failure)
{
    *chosen = NULL;
    for (size_t i = 0; i < COPIES; i++) {
        const struct copy *copy = &copies[i];
        if (!copy->valid)
            continue;
        if (copy->format != IDENTITY_FORMAT)
            return failure_set(failure, ERROR_FOREIGN,
                               "the file \"identity\" has format version %u; this program reads "
                               "version %u: use the version of curlewd that wrote it",
                               copy->format, (unsigned)IDENTITY_FORMAT);
        if (copy->version % COPIES == i && (*chosen == NULL || copy->version > (*chosen)->version))
            *chosen = copy;
    }
    if (*chosen == NULL || (copies[0].valid && copies[1].valid && !copies_agree(copies)))
        return failure_set(failure, ERROR_CORRUPT,
                           "the file \"identity\" is damaged: %s; replace this node by one with a "
                           "blank directory",
                           *chosen == NULL ? "neither of its two copies is readable"
                                           : "its two copies contradict each other");
    return ERROR_OK;
}

// Writes the identity over the older copy, as the version behind the newest.
static enum error write_next(struct disk_file *file, const struct copy *newest,
                             const struct identity *identity, struct failure *failure)
{
    const struct disk_operations *operations = file->disk->operations;
    uint64_t version = newest->version + 1;
    uint8_t block[COPY_BYTES];

    copy_encode(block, identity, version);
    enum error error = operations->write(file, version % COPIES * COPY_BYTES, block, sizeof block);
    if (error == ERROR_OK)
        error = operations->sync(file);
    if (error != ERROR_OK)
        return failure_set(failure, error, "cannot write the file \"identity\": %s",
                           error_entry(error)->title);
    return ERROR_OK;
}

// Where one copy is unreadable it may have been the newer one, so the boot that it may have counted
// is skipped: a boot_count is never used twice.
static void count_boot(const struct copy copies[COPIES], const struct copy *newest,
                       struct identity *identity)
{
    bool damaged = !copies[0].valid || !copies[1].valid;

    *identity = newest->identity;
    identity->boot_count += damaged ? 2 : 1;
    identity->runs.of[identity->boot_count % PAXOS_RUNS_KEPT] = random_u64();
    if (damaged)
        log_write(LOG_WARNING, "one copy in the identity file was unreadable and is written anew",
                  "file=%s boot_count=%llu", file_name, (unsigned long long)identity->boot_count);
}

static enum error require_node(uint16_t node, const struct copy *copy, struct failure *failure)
{
    if (node == 0 || node == copy->identity.node)
        return ERROR_OK;
    return failure_set(failure, ERROR_FOREIGN,
                       "the data directory belongs to node %u, but node %u was to be started; give "
                       "the directory of node %u, or leave the number out",
                       (unsigned)copy->identity.node, (unsigned)node, (unsigned)node);
}

static enum error open_missing(struct disk *disk, enum error error, struct failure *failure)
{
    if (error != ERROR_MISSING)
        return failure_set(failure, error, "cannot open the file \"identity\": %s",
                           error_entry(error)->title);
    error = require_blank(disk, failure);
    if (error != ERROR_OK)
        return error;
    return failure_set(failure, ERROR_MISSING, "the data directory is blank");
}

enum error identity_boot(struct disk *disk, uint16_t node, struct identity *identity,
                         struct failure *failure)
{
    struct copy copies[COPIES];
    const struct copy *newest;
    struct disk_file *file;
    enum error error = disk->operations->open(disk, file_name, DISK_WRITE, &file);

    if (error != ERROR_OK)
        return open_missing(disk, error, failure);
    error = read_copies(file, copies, failure);
    if (error == ERROR_OK)
        error = choose_copy(copies, &newest, failure);
    if (error == ERROR_OK)
        error = require_node(node, newest, failure);
    if (error == ERROR_OK) {
        count_boot(copies, newest, identity);
        error = write_next(file, newest, identity, failure);
    }
    disk->operations->close(file);
    return error;
}

// Writes the identity, `times` times: after twice both copies hold it.
static enum error update(struct disk *disk, const struct identity *identity, unsigned times,
                         struct failure *failure)
{
    struct copy copies[COPIES];
    const struct copy *newest;
    struct disk_file *file;
    enum error error = disk->operations->open(disk, file_name, DISK_WRITE, &file);

    if (error != ERROR_OK)
        return failure_set(failure, error, "cannot open the file \"identity\": %s",
                           error_entry(error)->title);
    for (; times > 0 && error == ERROR_OK; times--) {
        error = read_copies(file, copies, failure);
        if (error == ERROR_OK)
            error = choose_copy(copies, &newest, failure);
        if (error == ERROR_OK)
            error = write_next(file, newest, identity, failure);
    }
    disk->operations->close(file);
    return error;
}

enum error identity_note_journal(struct disk *disk, struct identity *identity,
                                 struct failure *failure)
{
    identity->journal_made = true;
    return update(disk, identity, 1, failure);
}

// ---- Members -----------------------------------------------------------------------------------

enum error identity_found(struct disk *disk, struct identity *identity, const uint8_t cluster[16],
                          const struct cluster_member *members, size_t count,
                          struct failure *failure)
{
    ASSERT(identity->member_count == 0 && count >= 1 && count <= PAXOS_NODES_MAX);
    memcpy(identity->cluster, cluster, sizeof identity->cluster);
    identity->member_count = count;
    memcpy(identity->members, members, count * sizeof *members);
    const struct cluster_member *self = identity_member(identity, identity->node);
    ASSERT(self != NULL &&
           memcmp(self->incarnation, identity->incarnation, sizeof self->incarnation) == 0);
    return update(disk, identity, COPIES, failure);
}

const struct cluster_member *identity_member(const struct identity *identity, uint16_t node)
{
    for (size_t i = 0; i < identity->member_count; i++) {
        if (identity->members[i].node == node)
            return &identity->members[i];
    }
    return NULL;
}

// Whether the node remembers the run that was met last. One that has been away for more runs than it
// remembers is believed.
static bool remembers(const struct node_met *met, const struct cluster_member *known)
{
    if (known->boot == 0 || met->boot - known->boot >= PAXOS_RUNS_KEPT)
        return true;
    return met->runs.of[known->boot % PAXOS_RUNS_KEPT] == known->run;
}

static enum error check_met(const struct identity *identity, const struct node_met *met,
                            struct failure *failure)
{
    const struct cluster_member *known = identity_member(identity, met->node);

    if (known == NULL || met->node == identity->node)
        return failure_set(failure, ERROR_FOREIGN, "node %u is not another member of this cluster",
                           (unsigned)met->node);
    if (memcmp(known->incarnation, met->incarnation, sizeof met->incarnation) != 0)
        return failure_set(
            failure, ERROR_FOREIGN,
            "node %u has another data directory than at the founding of the cluster: "
            "what it voted for is gone, so it cannot vote again; put its directory back",
            (unsigned)met->node);
    if (met->boot < known->boot || !remembers(met, known))
        return failure_set(
            failure, ERROR_FOREIGN,
            "node %u runs from an older copy of its data directory (this is its "
            "start %" PRIu64 ", and it knows nothing of start %" PRIu64
            ", which was seen): what it voted for since is gone; put the newest back",
            (unsigned)met->node, met->boot, known->boot);
    return ERROR_OK;
}

enum error identity_meet(struct disk *disk, struct identity *identity, const struct node_met *met,
                         struct failure *failure)
{
    enum error error = check_met(identity, met, failure);

    if (error != ERROR_OK)
        return error;
    struct cluster_member *known = (struct cluster_member *)identity_member(identity, met->node);
    if (known->boot == met->boot)
        return ERROR_OK;
    known->boot = met->boot;
    known->run = met->runs.of[met->boot % PAXOS_RUNS_KEPT];
    return update(disk, identity, 1, failure);
}
