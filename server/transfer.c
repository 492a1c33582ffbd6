// SPDX-License-Identifier: Apache-2.0
// A checkpoint is named by slot and tag in every frame, so what is left of an earlier transfer, of a
// restarted peer or of another one is told apart and ignored.
#include "server/transfer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "server/transfer_frame.h"

enum {
    PEERS_MAX = PAXOS_VOTERS_MAX + PAXOS_LEARNERS_MAX,
    LEARN_BYTES = 1 << 20, // values of one LEARN, but for the first
    IDLE_SECONDS = 5,      // after which what is kept for a peer is given back
    GIVE_UP_SILENCES = 8,  // without a range after which the giving peer is given up
    PAUSE_SILENCES = 16,   // without taking an offer after a checkpoint was installed or refused
};

#define IDLE_NS (IDLE_SECONDS * UINT64_C(1000000000))

// What is kept for a peer that is behind.
struct outgoing {
    uint16_t node; // 0: free
    uint64_t used_ns;
    struct journal_reader *reader; // NULL: none is open
    struct entry *entries; // owned: of the last LEARN, for a peer that had no room for all of them
    size_t count;
    paxos_slot offered; // checkpoint that was offered last
    paxos_slot gone;    // checkpoint that it wanted and that is no longer there, 0 = none
};

// The checkpoint that is being received.
struct incoming {
    struct checkpoint_part *part; // NULL: none
    uint16_t from;
    struct checkpoint_file file;
    struct ballot ballot;
    uint64_t offset;   // how much of it is there
    uint64_t asked_ns; // when the next range was last asked for
    uint64_t heard_ns; // when the last one came
};

struct transfer {
    struct transfer_settings settings;
    struct transfer_ports ports;
    uint64_t now_ns; // as last heard
    struct outgoing outgoing[PEERS_MAX];
    struct incoming incoming;
    struct checkpoint_info received; // handed to the port last, slot 0 = none
    struct ballot received_ballot;
    uint64_t pause_until_ns; // no offer up to paused_slot is taken before
    paxos_slot paused_slot;
    uint64_t malformed;
    struct buffer frame; // scratch
    uint8_t *range;      // scratch, TRANSFER_RANGE_BYTES
};

struct transfer *transfer_new(const struct transfer_settings *settings,
                              const struct transfer_ports *ports)
{
    struct transfer *transfer = memory_zalloc(sizeof *transfer);

    transfer->settings = *settings;
    transfer->ports = *ports;
    return transfer;
}

static void send_frame(struct transfer *transfer, uint16_t to, const struct transfer_frame *frame)
{
    transfer_frame_encode(&transfer->frame, frame);
    transfer->ports.send(transfer->ports.context, to, transfer->frame.data, transfer->frame.length);
}

// ---- Peers that are behind -----------------------------------------------------------------------

static void drop_entries(struct outgoing *outgoing)
{
    while (outgoing->count > 0)
        blob_unref(outgoing->entries[--outgoing->count].value);
}

static void close_reader(struct outgoing *outgoing)
{
    journal_reader_close(outgoing->reader);
    outgoing->reader = NULL;
}

static void forget_outgoing(struct outgoing *outgoing)
{
    drop_entries(outgoing);
    close_reader(outgoing);
    free(outgoing->entries);
    *outgoing = (struct outgoing){0};
}

// The place of a peer; the one that was not used for longest goes when there is none left.
static struct outgoing *outgoing_of(struct transfer *transfer, uint16_t node)
{
    struct outgoing *oldest = &transfer->outgoing[0];

    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct outgoing *outgoing = &transfer->outgoing[i];
        if (outgoing->node == node) {
            outgoing->used_ns = transfer->now_ns;
            return outgoing;
        }
        if (oldest->node != 0 && (outgoing->node == 0 || outgoing->used_ns < oldest->used_ns))
            oldest = outgoing;
    }
    forget_outgoing(oldest);
    oldest->node = node;
    oldest->used_ns = transfer->now_ns;
    return oldest;
}

// Has the entries from `from` on, of which *index is the first, in outgoing->entries.
static enum error load_entries(struct transfer *transfer, struct outgoing *outgoing,
                               paxos_slot from, paxos_slot executed, size_t *index)
{
    enum error error = ERROR_OK;

    *index = 0;
    if (outgoing->count > 0 && from >= outgoing->entries[0].slot &&
        from - outgoing->entries[0].slot < outgoing->count) {
        *index = (size_t)(from - outgoing->entries[0].slot);
        return ERROR_OK;
    }
    drop_entries(outgoing);
    if (outgoing->reader != NULL && journal_reader_slot(outgoing->reader) != from)
        close_reader(outgoing);
    if (outgoing->reader == NULL)
        error = journal_reader_open(transfer->settings.journal, from, &outgoing->reader);
    if (error != ERROR_OK)
        return error;
    if (outgoing->entries == NULL)
        outgoing->entries = memory_alloc(MESSAGE_ENTRIES_MAX * sizeof *outgoing->entries);
    error = journal_reader_next(outgoing->reader, executed, outgoing->entries, MESSAGE_ENTRIES_MAX,
                                LEARN_BYTES, &outgoing->count);
    if (error != ERROR_OK)
        close_reader(outgoing);
    return error;
}

static const struct entry *entry_of(const void *context, paxos_slot slot)
{
    const struct entry *entries = context;

    return &entries[slot - entries[0].slot];
}

static void send_learn(struct transfer *transfer, uint16_t to, const struct entry *entries,
                       size_t count, struct ballot ballot)
{
    struct paxos_message message = {.type = MESSAGE_LEARN,
                                    .epoch = transfer->settings.epoch,
                                    .from = transfer->settings.identity->node,
                                    .to = to,
                                    .boot = transfer->settings.identity->boot_count,
                                    .ballot = ballot,
                                    .slot = entries[0].slot - 1,
                                    .hash = entries[0].prev_hash,
                                    .entry_count = (uint32_t)count};

    buffer_clear(&transfer->frame);
    buffer_u8(&transfer->frame, FRAME_PAXOS);
    paxos_message_encode(&transfer->frame, &message, entry_of, entries);
    transfer->ports.send(transfer->ports.context, to, transfer->frame.data, transfer->frame.length);
}

// A checkpoint that was made since the core asked may hold what was decided in a later ballot than the
// one that the offer names.
static enum error send_offer(struct transfer *transfer, struct outgoing *outgoing, paxos_slot from,
                             struct ballot ballot, paxos_slot executed)
{
    struct transfer_frame frame = {.kind = FRAME_OFFER, .ballot = ballot, .gone = outgoing->gone};
    paxos_slot slot = transfer->ports.newest_checkpoint(transfer->ports.context);

    if (slot < from || slot > executed) // none, or no newer than what the peer has
        return ERROR_OK;
    enum error error = checkpoint_find(transfer->settings.disk, slot, &frame.file);
    if (error == ERROR_MISSING)
        return ERROR_OK; // a newer one has just taken its place
    if (error != ERROR_OK)
        return error;
    if (outgoing->offered != slot)
        log_write(LOG_INFO, "a peer is far behind and is offered a checkpoint",
                  "peer=%u from=%" PRIu64 " slot=%" PRIu64 " bytes=%" PRIu64,
                  (unsigned)outgoing->node, from, slot, frame.file.bytes);
    outgoing->offered = slot;
    send_frame(transfer, outgoing->node, &frame);
    return ERROR_OK;
}

// Replaying very many entries takes longer than loading the state that they have made.
static bool is_far_behind(const struct transfer *transfer, paxos_slot from)
{
    uint64_t most = transfer->settings.entries_max;

    return most > 0 && transfer->ports.newest_checkpoint(transfer->ports.context) >= from + most;
}

enum error transfer_lagging(struct transfer *transfer, uint16_t to, paxos_slot from,
                            struct ballot ballot, paxos_slot executed)
{
    size_t index;

    if (from == 0 || from > executed)
        return ERROR_OK;
    struct outgoing *outgoing = outgoing_of(transfer, to);
    enum error error = is_far_behind(transfer, from)
                           ? ERROR_MISSING
                           : load_entries(transfer, outgoing, from, executed, &index);
    if (error == ERROR_MISSING)
        return send_offer(transfer, outgoing, from, ballot, executed);
    if (error != ERROR_OK)
        return error;
    send_learn(transfer, to, outgoing->entries + index, outgoing->count - index, ballot);
    return ERROR_OK;
}

// A range that a peer wants. If the file is gone, the next offer says so: only with the next demand of
// the core there is a ballot in which this node leads, for the offer to name.
static enum error on_want(struct transfer *transfer, uint16_t from,
                          const struct transfer_frame *want)
{
    struct disk *disk = transfer->settings.disk;
    struct transfer_frame range = *want;
    struct checkpoint_file file;
    size_t length = want->length;

    enum error error = checkpoint_find(disk, want->file.slot, &file);
    if (error == ERROR_OK && file.tag != want->file.tag)
        error = ERROR_MISSING;
    if (error == ERROR_OK) {
        if (transfer->range == NULL)
            transfer->range = memory_alloc(TRANSFER_RANGE_BYTES);
        error = checkpoint_read(disk, want->file.slot, want->offset, transfer->range, &length);
    }
    if (error == ERROR_MISSING) {
        outgoing_of(transfer, from)->gone = want->file.slot;
        return ERROR_OK;
    }
    if (error != ERROR_OK || length == 0)
        return error;
    range.kind = FRAME_RANGE;
    range.length = (uint32_t)length;
    range.data = transfer->range;
    send_frame(transfer, from, &range);
    return ERROR_OK;
}

// ---- Receiving -----------------------------------------------------------------------------------

static uint32_t wanted_length(const struct incoming *incoming)
{
    uint64_t left = incoming->file.bytes - incoming->offset;

    return left < TRANSFER_RANGE_BYTES ? (uint32_t)left : TRANSFER_RANGE_BYTES;
}

static void ask(struct transfer *transfer)
{
    struct incoming *incoming = &transfer->incoming;

    send_frame(transfer, incoming->from,
               &(struct transfer_frame){.kind = FRAME_WANT,
                                        .file = incoming->file,
                                        .offset = incoming->offset,
                                        .length = wanted_length(incoming)});
    incoming->asked_ns = transfer->now_ns;
}

// Ends the transfer. The part's file stays if `part` was not taken away before.
static void end_incoming(struct transfer *transfer)
{
    checkpoint_part_close(transfer->incoming.part);
    transfer->incoming = (struct incoming){0};
}

// Of checkpoints up to this slot: a later one may be what is needed next.
static void pause_offers(struct transfer *transfer, paxos_slot slot)
{
    transfer->paused_slot = slot;
    transfer->pause_until_ns = transfer->now_ns + PAUSE_SILENCES * transfer->settings.silence_ns;
}

static enum error give_back_room(struct transfer *transfer)
{
    struct incoming *incoming = &transfer->incoming;

    log_write(LOG_WARNING, "no room for the checkpoint of a peer",
              "peer=%u slot=%" PRIu64 " bytes=%" PRIu64 " reserve_bytes=%" PRIu64,
              (unsigned)incoming->from, incoming->file.slot, incoming->file.bytes,
              transfer->settings.reserve_bytes);
    enum error error = incoming->part != NULL ? checkpoint_part_drop(incoming->part) : ERROR_OK;
    incoming->part = NULL;
    end_incoming(transfer);
    pause_offers(transfer, UINT64_MAX);
    return error;
}

static void install(struct transfer *transfer, paxos_slot executed)
{
    pause_offers(transfer, transfer->received.position.applied);
    if (transfer->received.position.applied > executed)
        transfer->ports.install(transfer->ports.context, &transfer->received,
                                transfer->received_ballot);
}

// A checkpoint that is offered though it is here: the core had no use for it when it was handed over, or
// is still loading it.
static enum error install_again(struct transfer *transfer, paxos_slot executed)
{
    struct checkpoint_file file;
    enum error error =
        checkpoint_find(transfer->settings.disk, transfer->received.position.applied, &file);

    if (error == ERROR_OK)
        install(transfer, executed);
    if (error != ERROR_MISSING)
        return error;
    transfer->received = (struct checkpoint_info){0}; // pruned: the next offer brings it again
    return ERROR_OK;
}

static enum error finish(struct transfer *transfer, paxos_slot executed)
{
    struct incoming *incoming = &transfer->incoming;
    struct failure failure = {{0}};
    struct checkpoint_info info;
    char quoted[LOG_QUOTED_MAX];
    struct ballot ballot = incoming->ballot;

    enum error error =
        checkpoint_part_finish(incoming->part, transfer->settings.identity, &info, &failure);
    incoming->part = NULL;
    end_incoming(transfer);
    if (error == ERROR_MISSING)
        return ERROR_OK; // a checkpoint of our own has overtaken it
    if (error == ERROR_CORRUPT || error == ERROR_FOREIGN) {
        log_write(LOG_WARNING, "the checkpoint of a peer is not taken", "reason=%s",
                  log_quote(quoted, failure.text));
        pause_offers(transfer, UINT64_MAX);
        return ERROR_OK;
    }
    if (error != ERROR_OK)
        return error;
    log_write(LOG_INFO, "checkpoint received", "slot=%" PRIu64 " bytes=%" PRIu64,
              info.position.applied, info.bytes);
    transfer->received = info;
    transfer->received_ballot = ballot;
    install(transfer, executed);
    return ERROR_OK;
}

// Asks for the next range, or ends when there is none.
static enum error go_on(struct transfer *transfer, paxos_slot executed)
{
    struct incoming *incoming = &transfer->incoming;

    incoming->heard_ns = transfer->now_ns;
    if (incoming->offset == incoming->file.bytes)
        return finish(transfer, executed);
    ask(transfer);
    return ERROR_OK;
}

static enum error has_room(const struct transfer *transfer, bool *enough)
{
    const struct incoming *incoming = &transfer->incoming;
    struct disk *disk = transfer->settings.disk;
    uint64_t needed = incoming->file.bytes - incoming->offset;
    uint64_t available = 0;

    enum error error = disk->operations->free_bytes(disk, &available);
    *enough = available >= transfer->settings.reserve_bytes &&
              available - transfer->settings.reserve_bytes >= needed;
    return error;
}

static enum error start(struct transfer *transfer, uint16_t from,
                        const struct transfer_frame *offer, paxos_slot executed)
{
    struct incoming *incoming = &transfer->incoming;
    bool enough = true;

    *incoming = (struct incoming){.from = from, .file = offer->file, .ballot = offer->ballot};
    enum error error = checkpoint_part_open(transfer->settings.disk, &offer->file, &incoming->part,
                                            &incoming->offset);
    if (error == ERROR_OK)
        error = has_room(transfer, &enough);
    if (error == ERROR_DISK_FULL || (error == ERROR_OK && !enough))
        return give_back_room(transfer);
    if (error != ERROR_OK) {
        end_incoming(transfer);
        // Pruned in between: the next offer does it.
        return error == ERROR_MISSING ? ERROR_OK : error;
    }
    log_write(LOG_INFO, "receiving a checkpoint",
              "peer=%u slot=%" PRIu64 " bytes=%" PRIu64 " present_bytes=%" PRIu64, (unsigned)from,
              offer->file.slot, offer->file.bytes, incoming->offset);
    return go_on(transfer, executed);
}

// Another offer is taken only when the one that is being received has lost its giver, or its giver says
// that it is gone.
static enum error on_offer(struct transfer *transfer, uint16_t from,
                           const struct transfer_frame *offer, paxos_slot executed)
{
    struct incoming *incoming = &transfer->incoming;

    bool paused = transfer->now_ns < transfer->pause_until_ns;
    if (offer->file.slot <= executed || (paused && offer->file.slot <= transfer->paused_slot))
        return ERROR_OK;
    if (incoming->part != NULL) {
        if (from != incoming->from || offer->gone != incoming->file.slot)
            return ERROR_OK;
        end_incoming(transfer);
    }
    if (offer->file.slot <= transfer->received.position.applied)
        return install_again(transfer, executed);
    return start(transfer, from, offer, executed);
}

static enum error on_range(struct transfer *transfer, uint16_t from,
                           const struct transfer_frame *range, paxos_slot executed)
{
    struct incoming *incoming = &transfer->incoming;

    if (incoming->part == NULL || from != incoming->from ||
        range->file.slot != incoming->file.slot || range->file.tag != incoming->file.tag ||
        range->offset != incoming->offset || range->length != wanted_length(incoming))
        return ERROR_OK;
    enum error error = checkpoint_part_write(incoming->part, range->data, range->length);
    if (error == ERROR_DISK_FULL)
        return give_back_room(transfer);
    if (error != ERROR_OK)
        return error;
    incoming->offset += range->length;
    return go_on(transfer, executed);
}

enum error transfer_receive(struct transfer *transfer, uint16_t from, const void *data,
                            size_t length, paxos_slot executed, uint64_t now_ns)
{
    struct transfer_frame frame;

    transfer->now_ns = now_ns;
    if (transfer_frame_decode(data, length, &frame) != ERROR_OK) {
        transfer->malformed++;
        return ERROR_OK;
    }
    switch (frame.kind) {
    case FRAME_OFFER:
        return on_offer(transfer, from, &frame, executed);
    case FRAME_WANT:
        return on_want(transfer, from, &frame);
    default:
        return on_range(transfer, from, &frame, executed);
    }
}

// ---- Time ----------------------------------------------------------------------------------------

enum error transfer_tick(struct transfer *transfer, uint64_t now_ns)
{
    struct incoming *incoming = &transfer->incoming;
    uint64_t silence_ns = transfer->settings.silence_ns;

    transfer->now_ns = now_ns;
    if (incoming->part != NULL && now_ns - incoming->heard_ns >= GIVE_UP_SILENCES * silence_ns) {
        log_write(LOG_WARNING, "the peer that gives a checkpoint is silent",
                  "peer=%u slot=%" PRIu64 " bytes=%" PRIu64 " present_bytes=%" PRIu64,
                  (unsigned)incoming->from, incoming->file.slot, incoming->file.bytes,
                  incoming->offset);
        end_incoming(transfer);
    }
    if (incoming->part != NULL && now_ns - incoming->asked_ns >= silence_ns)
        ask(transfer);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct outgoing *outgoing = &transfer->outgoing[i];
        if (outgoing->node != 0 && now_ns - outgoing->used_ns >= IDLE_NS)
            forget_outgoing(outgoing);
    }
    return ERROR_OK;
}

bool transfer_receiving(const struct transfer *transfer, uint64_t *received, uint64_t *total)
{
    *received = transfer->incoming.offset;
    *total = transfer->incoming.file.bytes;
    return transfer->incoming.part != NULL;
}

uint64_t transfer_malformed(const struct transfer *transfer)
{
    return transfer->malformed;
}

void transfer_free(struct transfer *transfer)
{
    if (transfer == NULL)
        return;
    end_incoming(transfer);
    for (size_t i = 0; i < PEERS_MAX; i++)
        forget_outgoing(&transfer->outgoing[i]);
    buffer_deinit(&transfer->frame);
    free(transfer->range);
    free(transfer);
}
