// SPDX-License-Identifier: Apache-2.0
// The process_* families are those that Prometheus' own clients have, under the same names.
#include "server/node_metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/exposition.h"
#include "config.h"

enum { LABELS_MAX = 96 };

static const uint64_t ns_per_s = 1000000000;

// ---- Consensus ---------------------------------------------------------------------------------

static void write_identity(struct buffer *text, const struct node_metrics_sources *sources)
{
    exposition_family(text, "curlew_build_info", "gauge", "The version that runs.");
    exposition_number(text, "curlew_build_info", "version=\"" PACKAGE_VERSION "\"", 1);
    exposition_gauge(text, "curlew_node_id", "Number of this node.", sources->identity->node);
    exposition_gauge(text, "curlew_ready", "Whether /readyz answers 200.", sources->ready);
    exposition_gauge(text, "curlew_disk_full", "Whether only reads and deletes are served.",
                     sources->disk_full);
}

static void write_leadership(struct buffer *text, const struct node_metrics_sources *sources,
                             const struct paxos_status *status)
{
    exposition_gauge(text, "curlew_has_leader", "Whether this node knows a leader.",
                     status->leader != 0);
    exposition_gauge(text, "curlew_is_leader", "Whether this node leads and serves.",
                     status->role == PAXOS_LEADER && status->serving);
    exposition_counter(text, "curlew_leader_changes_total", "Leaders that this node has seen.",
                       counter_read(&sources->metrics->elections));
    if (sources->staleness_ms != UINT64_MAX) {
        exposition_family(text, "curlew_staleness_seconds", "gauge",
                          "How old a local read of this node may be.");
        exposition_seconds(text, "curlew_staleness_seconds", NULL, sources->staleness_ms * 1000000);
    }
}

static void write_log(struct buffer *text, const struct paxos_status *status, size_t pending)
{
    uint64_t decided = status->decided, applied = status->applied;

    exposition_gauge(text, "curlew_decided_slot", "Newest slot of the log known as decided.",
                     decided);
    exposition_gauge(text, "curlew_applied_slot", "Newest slot of the log that was executed.",
                     applied);
    exposition_gauge(text, "curlew_apply_lag", "Decided slots that are not executed yet.",
                     decided > applied ? decided - applied : 0);
    exposition_gauge(text, "curlew_proposals_pending",
                     "Commands of this node's clients that are under way.", pending);
}

// ---- Peers -------------------------------------------------------------------------------------

static void peer_labels(char into[LABELS_MAX], const struct core_loop_peer *peer)
{
    snprintf(into, LABELS_MAX, "peer=\"%u\"", (unsigned)peer->node);
}

static void write_peers(struct buffer *text, const struct node_metrics_sources *sources,
                        const struct core_loop_status *status)
{
    char labels[LABELS_MAX];

    exposition_family(text, "curlew_peer_connected", "gauge",
                      "Whether there is a connection to the peer.");
    for (size_t i = 0; i < status->peer_count; i++) {
        peer_labels(labels, &status->peers[i]);
        exposition_number(text, "curlew_peer_connected", labels,
                          status->peers[i].connection.connected);
    }
    exposition_family(text, "curlew_peer_zxid", "gauge", "Position of the peer as last reported.");
    for (size_t i = 0; i < status->peer_count; i++) {
        peer_labels(labels, &status->peers[i]);
        exposition_number(text, "curlew_peer_zxid", labels, status->peers[i].report.zxid);
    }
    exposition_family(text, "curlew_peer_rtt_seconds", "histogram",
                      "Round trips of reports between the loops of two nodes.");
    for (size_t i = 0; i < status->peer_count; i++) {
        peer_labels(labels, &status->peers[i]);
        exposition_histogram(text, "curlew_peer_rtt_seconds", labels,
                             &sources->metrics->round_trip[i]);
    }
}

// ---- Journal, state and disk -------------------------------------------------------------------

static void write_durations(struct buffer *text, const struct node_metrics *metrics)
{
    exposition_family(text, "curlew_wal_fsync_duration_seconds", "histogram",
                      "Writing and flushing one group of the journal.");
    exposition_histogram(text, "curlew_wal_fsync_duration_seconds", NULL, &metrics->flush);
    exposition_family(text, "curlew_apply_duration_seconds", "histogram",
                      "Executing one run of decided entries.");
    exposition_histogram(text, "curlew_apply_duration_seconds", NULL, &metrics->apply);
    exposition_counter(text, "curlew_session_expirations_total",
                       "Sessions that expired while this node led.",
                       counter_read(&metrics->expirations));
}

static void write_state(struct buffer *text, struct live *live)
{
    struct live_view holder;
    uint64_t ephemerals = 0;

    if (live_acquire(live, &holder) != ERROR_OK)
        return;
    struct state_position position = *view_position(holder.view);
    enum error error = view_ephemerals(holder.view, &ephemerals);
    live_release(live, &holder);
    exposition_gauge(text, "curlew_zxid", "Position of the state of this node.", position.zxid);
    exposition_gauge(text, "curlew_znodes", "Znodes, the root included.", position.node_count);
    exposition_gauge(text, "curlew_sessions", "Open sessions of the whole cluster.",
                     position.session_count);
    if (error == ERROR_OK)
        exposition_gauge(text, "curlew_ephemerals", "Ephemeral znodes.", ephemerals);
    exposition_gauge(text, "curlew_idempotency_keys", "Outcomes kept with an Idempotency-Key.",
                     position.key_count);
    exposition_gauge(text, "curlew_data_bytes", "Keys and values of all rows of the state.",
                     position.data_bytes);
    exposition_gauge(text, "curlew_history_zxids", "Changes that streams can be resumed over.",
                     position.history_zxids);
}

static void write_disk(struct buffer *text, const struct node_metrics_sources *sources)
{
    struct journal_statistics journal;
    struct state_room room;
    uint64_t free_bytes;

    journal_statistics(sources->journal, &journal);
    exposition_gauge(text, "curlew_journal_bytes", "Files of the journal, spare ones included.",
                     (journal.segments + journal.spares) * JOURNAL_SEGMENT_BYTES);
    exposition_counter(text, "curlew_journal_written_bytes_total", "Written to the journal.",
                       journal.appended_bytes);
    if (live_room(sources->live, 0, &room) == ERROR_OK)
        exposition_gauge(text, "curlew_store_bytes", "Pages in use of the live tree.",
                         room.used_bytes);
    if (sources->disk->operations->free_bytes(sources->disk, &free_bytes) == ERROR_OK)
        exposition_gauge(text, "curlew_disk_free_bytes",
                         "Free space of the data directory's file system.", free_bytes);
}

// ---- The process -------------------------------------------------------------------------------

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    uint64_t pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count > 3 ? count - 3 : 0; // ".", "..", and the directory itself
}

static uint64_t duration_ns(struct timeval duration)
{
    return (uint64_t)duration.tv_sec * ns_per_s + (uint64_t)duration.tv_usec * 1000;
}

static void write_process(struct buffer *text)
{
    struct rusage usage;

    exposition_gauge(text, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    exposition_gauge(text, "process_open_fds", "Open file descriptors.", count_descriptors());
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    exposition_family(text, "process_cpu_seconds_total", "counter",
                      "Processor time, of the user and of the system.");
    exposition_seconds(text, "process_cpu_seconds_total", NULL,
                       duration_ns(usage.ru_utime) + duration_ns(usage.ru_stime));
}

void node_metrics_write(const struct node_metrics_sources *sources, struct buffer *text)
{
    struct core_loop_status status = {0};

    write_identity(text, sources);
    write_process(text);
    if (sources->loop == NULL) {
        write_leadership(text, sources, &status.paxos);
        return;
    }
    core_loop_status(sources->loop, &status);
    write_leadership(text, sources, &status.paxos);
    write_log(text, &status.paxos, core_loop_outstanding(sources->loop));
    write_peers(text, sources, &status);
    write_durations(text, sources->metrics);
    write_state(text, sources->live);
    write_disk(text, sources);
}
