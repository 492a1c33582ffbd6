// SPDX-License-Identifier: Apache-2.0
// Whoever has the lowest id makes the cluster; the others wait to be given it.
#include "server/founding.h"

#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/genesis.h"
#include "server/network.h"
#include "storage/identity.h"

enum { LOOK_MS = 250, REPORT_LOOKS = 20, LINGER_MS = 500 };

// Another node of the list.
struct other {
    uint16_t node;
    bool reachable;     // a genesis can be sent to it
    struct hello hello; // its newest; node 0: not heard yet
};

struct founding {
    const struct founding_settings *settings;
    struct identity *identity;
    struct failure *failure;
    enum error error;
    uv_loop_t uv;
    uv_timer_t look;
    unsigned looks;
    struct peers *peers;
    struct other others[PAXOS_VOTERS_MAX];
    size_t other_count;
};

static struct other *other_of(struct founding *founding, uint16_t node)
{
    for (size_t i = 0; i < founding->other_count; i++) {
        if (founding->others[i].node == node)
            return &founding->others[i];
    }
    return NULL;
}

static void finish(struct founding *founding, enum error error)
{
    founding->error = error;
    peers_flush(founding->peers);
    peers_close(founding->peers, LINGER_MS);
    uv_close((uv_handle_t *)&founding->look, NULL);
}

static enum error store(struct founding *founding, const struct genesis *genesis)
{
    enum error error =
        identity_found(founding->settings->disk, founding->identity, genesis->cluster,
                       genesis->members, genesis->count, founding->failure);

    if (error == ERROR_OK)
        log_write(LOG_INFO, "the cluster is founded", "members=%zu node=%u", genesis->count,
                  (unsigned)founding->identity->node);
    return error;
}

// ---- The node with the lowest id founds ------------------------------------------------------------

static bool all_are_here_and_blank(const struct founding *founding)
{
    for (size_t i = 0; i < founding->other_count; i++) {
        const struct other *other = &founding->others[i];
        if (!other->reachable || other->hello.node == 0 || !hello_is_blank(&other->hello))
            return false;
    }
    return true;
}

static void give_to_all(struct founding *founding, const struct genesis *genesis)
{
    struct buffer frame = {0};

    genesis_encode(genesis, &frame);
    for (size_t i = 0; i < founding->other_count; i++)
        peers_send(founding->peers, founding->others[i].node, PEER_CONTROL, frame.data,
                   frame.length);
    buffer_deinit(&frame);
}

static void found_if_complete(struct founding *founding)
{
    struct hello hellos[PAXOS_VOTERS_MAX];
    struct genesis genesis;

    if (founding->settings->list->entries[0].node != founding->identity->node ||
        founding->identity->member_count > 0 || !all_are_here_and_blank(founding))
        return;
    for (size_t i = 0; i < founding->other_count; i++)
        hellos[i] = founding->others[i].hello;
    genesis_make(founding->identity, hellos, founding->other_count, &genesis);
    enum error error = store(founding, &genesis);
    if (error == ERROR_OK)
        give_to_all(founding, &genesis);
    finish(founding, error);
}

// ---- Ports -----------------------------------------------------------------------------------------

static void on_hello(void *context, uint64_t token, const struct hello *hello)
{
    struct founding *founding = context;
    struct other *other = other_of(founding, hello->node);
    struct failure why = {0};

    if (other == NULL || genesis_judge(founding->identity, founding->settings->list, hello, &why) ==
                             GENESIS_REFUSE) {
        peers_refuse(founding->peers, token, why.text);
        return;
    }
    other->hello = *hello;
    peers_accept(founding->peers, token);
}

static void on_up(void *context, uint16_t node, enum peer_channel channel)
{
    struct founding *founding = context;
    struct other *other = other_of(founding, node);

    if (other == NULL || channel != PEER_CONTROL)
        return;
    other->reachable = true;
    found_if_complete(founding);
}

static void on_down(void *context, uint16_t node)
{
    struct other *other = other_of(context, node);

    if (other != NULL)
        *other = (struct other){.node = node};
}

static void on_receive(void *context, uint16_t from, enum peer_channel channel, const void *data,
                       size_t length)
{
    struct founding *founding = context;
    struct genesis genesis;
    struct failure why = {0};

    (void)channel;
    if (founding->identity->member_count > 0)
        return;
    enum error error =
        genesis_decode(data, length, founding->identity, founding->settings->list, &genesis, &why);
    if (error == ERROR_OK) {
        finish(founding, store(founding, &genesis));
    } else if (error == ERROR_FOREIGN) {
        char quoted[LOG_QUOTED_MAX];
        log_write(LOG_ERROR, "a genesis was refused", "from=%u reason=%s", (unsigned)from,
                  log_quote(quoted, why.text));
    }
}

static void on_drained(void *context, uint16_t node)
{
    (void)context;
    (void)node;
}

// ---- The wait --------------------------------------------------------------------------------------

// A refusal is more than that somebody is missing.
static bool tell_refusal(const struct founding *founding)
{
    struct peer_state state;

    for (size_t i = 0; i < founding->other_count; i++) {
        peers_state(founding->peers, founding->others[i].node, &state);
        if (state.refused[0] == '\0')
            continue;
        start_status_say(founding->settings->start, "%s", state.refused);
        return true;
    }
    return false;
}

// Whether it could be founded as far as that node is concerned.
static bool is_here(const struct founding *founding, const struct other *other)
{
    struct peer_state state;

    peers_state(founding->peers, other->node, &state);
    return state.connected;
}

// "node 2 (b.example:2190), node 3 (c.example:2190)"
static void list_missing(const struct founding *founding, struct buffer *into)
{
    char place[PEER_TEXT_MAX];

    for (size_t i = 0; i < founding->other_count; i++) {
        const struct other *other = &founding->others[i];
        if (is_here(founding, other))
            continue;
        peer_entry_text(peer_list_find(founding->settings->list, other->node), place);
        buffer_printf(into, "%snode %u (%s)", into->length > 0 ? ", " : "", (unsigned)other->node,
                      place);
    }
    buffer_u8(into, 0);
}

static void tell(const struct founding *founding)
{
    struct buffer missing = {0};

    if (tell_refusal(founding))
        return;
    list_missing(founding, &missing);
    start_status_say(founding->settings->start, "waiting for %s, to found the cluster",
                     missing.length > 1 ? (const char *)missing.data
                                        : "the node of the lowest number");
    buffer_deinit(&missing);
}

static void report(struct founding *founding)
{
    struct buffer missing = {0};
    char quoted[LOG_QUOTED_MAX];

    for (size_t i = 0; i < founding->other_count; i++) {
        struct peer_state state;
        peers_state(founding->peers, founding->others[i].node, &state);
        buffer_printf(&missing, "%snode %u: %s", i > 0 ? "; " : "",
                      (unsigned)founding->others[i].node,
                      state.refused[0] != '\0' ? state.refused
                      : state.connected        ? "is here"
                                               : "cannot be reached");
    }
    buffer_u8(&missing, 0);
    log_write(LOG_WARNING, "waiting for all members, to found the cluster", "members=%s",
              log_quote(quoted, (const char *)missing.data));
    buffer_deinit(&missing);
}

static void on_look(uv_timer_t *look)
{
    struct founding *founding = look->data;

    tell(founding);
    if (++founding->looks % REPORT_LOOKS == 0)
        report(founding);
}

static void note_others(struct founding *founding)
{
    const struct peer_list *list = founding->settings->list;

    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].node != founding->identity->node)
            founding->others[founding->other_count++].node = list->entries[i].node;
    }
}

enum error founding_run(const struct founding_settings *settings, struct identity *identity,
                        struct failure *failure)
{
    struct founding founding = {.settings = settings, .identity = identity, .failure = failure};
    const struct network_settings network = {
        .list = settings->list, .tls = settings->tls, .silence_ms = settings->silence_ms};
    const struct peers_ports ports = {.context = &founding,
                                      .hello = on_hello,
                                      .receive = on_receive,
                                      .up = on_up,
                                      .down = on_down,
                                      .drained = on_drained};
    struct network_addresses addresses;

    note_others(&founding);
    int failed = uv_loop_init(&founding.uv);
    ASSERT(failed == 0);
    struct peers_settings peers_settings = network_peers(&network, identity, &addresses);
    enum error error = peers_open(&founding.uv, &peers_settings, &ports, &founding.peers, failure);
    if (error == ERROR_OK) {
        uv_timer_init(&founding.uv, &founding.look);
        founding.look.data = &founding;
        uv_timer_start(&founding.look, on_look, 0, LOOK_MS);
    }
    uv_run(&founding.uv, UV_RUN_DEFAULT);
    peers_free(founding.peers);
    int busy = uv_loop_close(&founding.uv);
    ASSERT(busy == 0);
    return error != ERROR_OK ? error : founding.error;
}
