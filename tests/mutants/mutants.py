# SPDX-License-Identifier: Apache-2.0
"""Bugs on purpose: each must be caught by the simulator, or the simulator is worth nothing. The sources
are copied with every mutation built in beside the original; the environment variable CURLEW_MUTANT
chooses one when the program starts, so one binary holds them all. Nothing of this is shipped.

  mutants.py sources              the sources that are mutated
  mutants.py generate SRC OUT     writes the mutated copies into OUT, '/' in names becoming '_'
  mutants.py run SIM [SEED]       runs the simulator on each mutant until it is caught; a mutant that
                                  outlives its budget of seeds, counted from SEED, is a failure
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

E, S = 'expression', 'statement'
TIMEOUT_S = 120  # of one mutant; none comes near it

# (name, file, kind, original text, which must occur once, and what the mutant does instead)
MUTANTS = [
    ('promise_before_it_is_durable', 'paxos/acceptor.c', S, 'fill_claim(paxos, &note->promise);',
     'fill_claim(paxos, &note->promise); note->promised = false;'
     ' if (paxos->output->message_count < PAXOS_MESSAGES_OUT_MAX)'
     ' paxos->output->messages[paxos->output->message_count++] = note->promise;'),
    ('vote_before_it_is_durable', 'paxos/acceptor.c', S,
     'append_from(paxos, message, same);\n        paxos__note(paxos)->accepted = true;',
     'append_from(paxos, message, same); struct paxos_message *vote ='
     ' paxos__message(paxos, message->from, MESSAGE_ACCEPTED, message->ballot);'
     ' if (vote != NULL) { vote->last = paxos->log.last; vote->hash = paxos->log.last_hash; }'),
    ('own_vote_before_it_is_durable', 'paxos/replication.c', E,
     'ballot_equal(paxos->durable_ballot, paxos->own) ? paxos->durable : 0', 'paxos->log.last'),
    ('quorum_too_small', 'paxos/paxos.c', E, 'config->voter_count / 2 + 1', '(config->voter_count + 1) / 2'),
    ('vote_of_another_ballot_counts', 'paxos/replication.c', E,
     '!ballot_equal(message->ballot, paxos->own) ||\n        message->last > paxos->log.last',
     'message->last > paxos->log.last'),
    ('best_log_by_length_alone', 'paxos/proposer.c', E, 'ballot_compare(peer->log_ballot, log_ballot)', '0'),
    ('own_log_is_always_best', 'paxos/proposer.c', E, 'best_promise(paxos)', '(const struct peer *)NULL'),
    ('promise_to_a_lower_ballot', 'paxos/acceptor.c', S, '', None),
    ('sync_of_a_lower_ballot', 'paxos/acceptor.c', S, '', None),
    ('accept_of_a_ballot_that_is_not_the_logs', 'paxos/acceptor.c', S,
     'paxos__request_prepare(paxos, message->from);\n        return;\n    }\n    yield_to',
     None),
    ('durability_by_slot', 'paxos/paxos.c', S, 'if (note->last > slot)\n            note->last = slot;', '(void)note;'),
    ('executes_what_is_not_durable', 'paxos/paxos.c', E,
     'paxos->decided < paxos->durable ? paxos->decided : paxos->durable', 'paxos->decided'),
    ('decided_of_a_log_that_is_not_ours', 'paxos/election.c', S,
     'paxos__request_prepare(paxos, message->from);\n        return;',
     'paxos__request_prepare(paxos, message->from);'),
    ('learn_raises_the_logs_ballot', 'paxos/acceptor.c', S, 'learn->ballot = message->ballot;',
     'learn->ballot = message->ballot; paxos->log_ballot = paxos->promised;'),
    ('learn_does_not_raise_the_promise', 'paxos/acceptor.c', E,
     '!ballot_less(paxos->promised, ballot)', 'true'),
    ('teaches_what_is_not_decided', 'paxos/replication.c', E,
     'count_entries(paxos, peer->decided + 1, paxos->decided)',
     'count_entries(paxos, peer->decided + 1, paxos->log.last)'),
    ('follower_keeps_its_whole_log', 'paxos/replication.c', E,
     'keep < paxos->log.last ? keep : paxos->log.last',
     'peer->last < paxos->log.last ? peer->last : paxos->log.last'),
    ('differences_are_overlooked', 'paxos/acceptor.c', S, '*differs = true;', '*differs = false;'),
    ('read_before_the_first_entry', 'paxos/reads.c', E,
     'paxos->decided > paxos->start_slot ? paxos->decided : paxos->start_slot', 'paxos->decided'),
    ('read_without_a_round', 'paxos/reads.c', E,
     '1 + (size_t)__builtin_popcount(paxos->check_acks) >= paxos->quorum', 'true'),
    ('read_round_of_any_number', 'paxos/reads.c', E, 'message->round != paxos->check_round', 'false'),
    ('read_answer_of_an_earlier_question', 'server/read_queue.c', E,
     'answer->read != queue->number', 'false'),
    ('read_before_it_is_executed', 'server/read_queue.c', E, 'read_of(link)->slot <= applied', 'true'),
    ('recovery_executes_everything', 'paxos/recovery.c', S, '*from = *to = 0;', '*from = *to = 0; decided = paxos->log.last;'),
    ('command_runs_twice', 'storage/execute.c', E, 'origin.sequence == progress.next',
     'origin.sequence <= progress.next'),
    ('gap_is_executed', 'storage/execute.c', E, 'origin.sequence == progress.next', 'origin.sequence >= progress.next'),
    ('says_not_applied_of_what_was_sent', 'server/replica.c', S,
     'answer(replica, submission, ERROR_OUTCOME_UNKNOWN, NULL);\n    read_queue_expire',
     None),
    ('nothing_is_sent_again', 'server/replica.c', S, 'replica->sent = oldest;\n    replica->progress_ns', None),
    ('journal_without_a_flush', 'storage/journal.c', E, 'operations->sync(journal->file)', 'ERROR_OK'),
    ('always_happy', 'paxos/election.c', S, 'count_unhappy_leadership(paxos);\n    if',
     None),
    ('leader_without_a_quorum_is_happy', 'paxos/election.c', E, 'followers >= paxos->quorum || better', 'true'),
    ('nothing_is_retransmitted', 'paxos/replication.c', E,
     'paxos->now_us < peer->heard_us + paxos->config.retransmit_us', 'true'),
    ('candidate_never_asks_again', 'paxos/proposer.c', E,
     'paxos->now_us < paxos->sent_us + paxos->config.heartbeat_us / 2', 'true'),
    ('first_decision_before_the_log_is_synced', 'paxos/paxos.c', S, 'paxos->durable_ballot = note->log_ballot;',
     'paxos->durable_ballot = paxos->promised;'),
    ('heartbeat_overwrites_the_promised_claim', 'paxos/election.c', S,
     'see_ballot(paxos, message->leader);\n    if (paxos->role == PAXOS_LEADER &&',
     None),
    ('promise_of_a_learner_counts', 'paxos/proposer.c', S,
     '*decided = paxos->decided;\n    for', None),
    ('vote_of_a_learner_counts', 'paxos/replication.c', S, 'if (!paxos->peers[i].voter)\n            continue;\n        size_t at', None),
    ('learned_is_executed_before_its_promise_is_durable', 'paxos/paxos.c', E,
     'ballot_less(paxos->durable_promise, paxos->promised)', 'false'),
    ('only_voter_hands_over_to_nobody', 'paxos/replication.c', E, 'paxos->config.voter_count == 1', 'paxos->peer_count == 0'),
    ('promise_is_forgotten_in_the_journal', 'paxos/acceptor.c', S,
     'yield_to(paxos, message, 0);\n    paxos__record(paxos, RECORD_PROMISE)->ballot = message->ballot;',
     'yield_to(paxos, message, 0);'
     ' paxos__record(paxos, RECORD_PROMISE)->ballot = paxos->output->scalars.promised;'),
    # Sessions.
    ('touch_is_ignored', 'server/session_keeper.c', S,
     'session_clock_touch(keeper->clock, id);\n    return true;', 'return true;'),
    ('touches_are_for_nobody', 'server/session_keeper.c', E,
     'count > 0 && has_leader(status)', 'false'),
    ('end_is_given_up_while_it_may_come_about', 'server/session_keeper.c', E, 'UINT64_MAX,\n', None),
    ('renewal_although_its_end_is_under_way', 'server/session_keeper.c', E, '', None),
    ('renewal_without_a_barrier', 'server/session_keeper.c', S,
     'keeper->ports.barrier(keeper->ports.context, &renewal->read);',
     'barrier_passed(&renewal->read, ERROR_OK);'),
    ('new_leader_gives_nobody_the_full_time', 'server/session_keeper.c', S,
     'session_clock_restart(keeper->clock);', ''),
    ('clock_counts_stalls', 'server/session_clock.c', S, '', None),
    ('time_is_a_step_short', 'server/session_clock.c', E,
     'clock->step + session->steps + 1', 'clock->step + session->steps'),
    ('end_that_another_leader_asked_for', 'storage/session.c', E,
     'ballot_compare(op->session.leader, stamp->ballot) == 0', 'true'),
    ('end_of_a_session_that_was_bound_since', 'storage/session.c', E,
     'op->session.generation == info->generation', 'true'),
    ('late_end_of_a_connection_closes', 'storage/session.c', E,
     'same_binding(&op->session.binding, &info->binding)', 'true'),
    ('ephemeral_is_left_behind', 'storage/session.c', E, 'remove_ephemeral(tree, node, stamp)', 'ERROR_OK'),
    ('session_closes_and_is_still_there', 'storage/session.c', E,
     'table_remove(tree->transaction, TABLE_SESSION, session_key(key, id))', 'ERROR_OK'),
    ('session_that_is_gone_may_ask', 'storage/execute.c', E, 'actor == ERROR_SESSION_DENIED', None),
    # Watches.
    ('history_begins_one_too_early', 'storage/history.c', S, 'position->history_start = zxid;\n    return error;\n}\n\nenum error history_trim', None),
    ('history_splits_a_transaction', 'storage/history.c', S, 'change->last = reader_left(reader) == 0;', 'change->last = true;'),
    ('history_is_lost_with_a_checkpoint', 'storage/state.c', S, 'state->position = *position;\n    return state_commit(state);',
     'state->position = *position; state->position.history_start = position->zxid; return state_commit(state);'),
    ('resumes_one_too_late', 'api/watch.c', S, 'watch->position = watch->since;', 'watch->position = watch->since + 1;'),
    ('resumes_before_it_is_there', 'api/watch.c', E, '!is_reached(watch) && !pass_barrier(watch, tick)', 'false'),
    ('slow_reader_is_not_reset', 'api/watch_read.c', S, '', None),
    ('id_in_the_middle_of_a_transaction', 'api/watch_read.c', S,
     'event_close(&watch->writer, false);\n        watch->position = change->zxid - 1;',
     'event_close(&watch->writer, true); watch->position = change->zxid - 1;'),
    ('snapshot_without_what_changed_meanwhile', 'api/watch_read.c', S, '', None),
    ('snapshot_does_not_ask_the_hub', 'api/watch_read.c', S, '', None),
    ('rest_of_a_range_is_not_read', 'api/watch_read.c', S, 'watch->last = range.last;', 'watch->last = range.first;'),
    ('hub_tells_only_where_a_gap_begins', 'api/hub.c', E, 'note(hub, wait, first, UINT64_MAX)', 'note(hub, wait, first, first)'),
    ('hub_forgets_parents', 'api/hub.c', E, 'change->path_length > 1', 'change->path_length > 3'),
]

# How long a mutant may live: seeds, the mode they are run in and further options. Most die in the first
# few; where more are stated, it is about three times what was seen to be needed.
USUAL = (60, 'safety')
BUDGETS = {
    'vote_of_another_ballot_counts': (200, 'safety'),
    'best_log_by_length_alone': (300, 'safety'),
    'durability_by_slot': (1300, 'safety'),
    'learn_does_not_raise_the_promise': (150, 'safety'),
    'teaches_what_is_not_decided': (200, 'safety'),
    'follower_keeps_its_whole_log': (150, 'safety'),
    'differences_are_overlooked': (700, 'safety'),
    'read_without_a_round': (150, 'safety'),
    'read_round_of_any_number': (1300, 'safety'),
    'read_answer_of_an_earlier_question': (200, 'safety'),
    'nothing_is_sent_again': (100, 'liveness'),
    'leader_without_a_quorum_is_happy': (400, 'liveness'),
    'candidate_never_asks_again': (150, 'safety'),
    'heartbeat_overwrites_the_promised_claim': (400, 'safety'),
    'vote_of_a_learner_counts': (200, 'safety'),
    'learned_is_executed_before_its_promise_is_durable': (400, 'safety'),
    'session_that_is_gone_may_ask': (150, 'safety'),
    'touches_are_for_nobody': (60, 'quiet'),
    'end_is_given_up_while_it_may_come_about': (1800, 'safety'),
    'renewal_although_its_end_is_under_way': (600, 'safety'),
    'new_leader_gives_nobody_the_full_time': (150, 'safety'),
    'clock_counts_stalls': (150, 'safety'),
    'end_that_another_leader_asked_for': (150, 'safety'),
    'end_of_a_session_that_was_bound_since': (400, 'safety'),
    'id_in_the_middle_of_a_transaction': (1200, 'safety'),
    'snapshot_without_what_changed_meanwhile': (300, 'safety'),
    'hub_tells_only_where_a_gap_begins': (150, 'safety'),
    'only_voter_hands_over_to_nobody': (900, 'safety', '--nodes', '1'),
}

# Mutants whose text is easier to give as a whole.
WHOLE = {
    'end_is_given_up_while_it_may_come_about': (
        '.deadline_ns = UINT64_MAX,\n', '.deadline_ns = MUTANT ? now_ns + 1000000000 : UINT64_MAX,\n'),
    'renewal_although_its_end_is_under_way': (
        'if (ending != NULL && ballot_compare(ending->ballot, keeper->ballot) == 0)\n        return false;',
        'if (!MUTANT && ending != NULL && ballot_compare(ending->ballot, keeper->ballot) == 0)\n        return false;'),
    'clock_counts_stalls': (
        '    clock->part_ns += elapsed_ns < SESSION_STEP_NS ? elapsed_ns : SESSION_STEP_NS;\n    if (clock->part_ns',
        '    clock->part_ns += MUTANT || elapsed_ns < SESSION_STEP_NS ? elapsed_ns : SESSION_STEP_NS;\n'
        '    while (MUTANT && clock->part_ns >= 2 * SESSION_STEP_NS) {\n        clock->part_ns -= SESSION_STEP_NS;\n'
        '        clock->step++;\n        look_at_bucket(clock, expired, context);\n    }\n    if (clock->part_ns'),
    'session_that_is_gone_may_ask': (
        'if (actor != ERROR_OK) {', 'if (actor != ERROR_OK && !MUTANT) {'),
    'history_begins_one_too_early': (
        'position->history_start = zxid;\n    return error;\n}\n\nenum error history_trim',
        'position->history_start = MUTANT ? zxid - 1 : zxid;\n    return error;\n}\n\nenum error history_trim'),
    'slow_reader_is_not_reset': (
        'static enum stream_step follow(struct watch *watch, struct view *view)\n{\n    bool full = false;\n\n    if (',
        'static enum stream_step follow(struct watch *watch, struct view *view)\n{\n    bool full = false;\n\n    if (!MUTANT && '),
    'snapshot_does_not_ask_the_hub': (
        '    while (step == STREAM_IDLE && (watch->behind || take_range(watch))) {',
        '    bool was_behind = watch->behind;\n'
        '    while (step == STREAM_IDLE && (watch->behind || (!(MUTANT && was_behind) && take_range(watch)))) {'),
    'snapshot_without_what_changed_meanwhile': (
        'enum error error = read_changes(watch, view, &full);\n    if (error == ERROR_OK && !full)\n        error = list_page',
        'enum error error = MUTANT ? ERROR_OK : read_changes(watch, view, &full);\n    if (error == ERROR_OK && !full)\n        error = list_page'),
    'promise_to_a_lower_ballot': (
        'void paxos__on_prepare(struct paxos *paxos, const struct paxos_message *message)\n{\n    if (',
        'void paxos__on_prepare(struct paxos *paxos, const struct paxos_message *message)\n{\n    if (!MUTANT && '),
    'sync_of_a_lower_ballot': (
        '    paxos_slot end = message->slot + message->entry_count;\n    bool differs;\n\n    if (ballot_less(',
        '    paxos_slot end = message->slot + message->entry_count;\n    bool differs;\n\n    if (!MUTANT && ballot_less('),
    'accept_of_a_ballot_that_is_not_the_logs': (
        'paxos__request_prepare(paxos, message->from);\n        return;\n    }\n    yield_to',
        'if (MUTANT && ballot_equal(message->ballot, paxos->promised)) paxos->log_ballot = message->ballot;\n'
        '        else {\n        paxos__request_prepare(paxos, message->from);\n        return;\n        }\n    }\n    yield_to'),
    'says_not_applied_of_what_was_sent': (
        'answer(replica, submission, ERROR_OUTCOME_UNKNOWN, NULL);\n    read_queue_expire',
        'answer(replica, submission, MUTANT ? ERROR_NO_LEADER : ERROR_OUTCOME_UNKNOWN, NULL);\n    read_queue_expire'),
    'nothing_is_sent_again': (
        'replica->sent = oldest;\n    replica->progress_ns',
        'if (!MUTANT) replica->sent = oldest;\n    replica->progress_ns'),
    'heartbeat_overwrites_the_promised_claim': (
        'see_ballot(paxos, message->leader);\n    if (paxos->role == PAXOS_LEADER &&',
        'see_ballot(paxos, message->leader);\n    if (MUTANT) { peer->log_ballot = message->log_ballot;'
        ' peer->last = message->last; peer->decided = message->decided; }\n    if (paxos->role == PAXOS_LEADER &&'),
    'promise_of_a_learner_counts': (
        '*decided = paxos->decided;\n    for (size_t i = 0; i < paxos->peer_count; i++) {\n'
        '        const struct peer *peer = &paxos->peers[i];\n        if (!peer->voter || !peer->promised)',
        '*decided = paxos->decided;\n    for (size_t i = 0; i < paxos->peer_count; i++) {\n'
        '        const struct peer *peer = &paxos->peers[i];\n        if ((!peer->voter && !MUTANT) || !peer->promised)'),
    'vote_of_a_learner_counts': (
        'if (!paxos->peers[i].voter)\n            continue;\n        size_t at = count++;',
        'if (!paxos->peers[i].voter && (!MUTANT || paxos->peers[i].match <= matches[0]))\n            continue;\n'
        '        size_t at = paxos->peers[i].voter ? count++ : 0;'),
    'always_happy': (
        'count_unhappy_leadership(paxos);\n    if', 'if (MUTANT) paxos->happy = true;\n    count_unhappy_leadership(paxos);\n    if'),
}
MUTANTS = [mutant for mutant in MUTANTS if mutant[4] is not None or mutant[0] in WHOLE]


def sources():
    return sorted({mutant[1] for mutant in MUTANTS})


def replace_once(text, original, replacement, name):
    if text.count(original) != 1:
        sys.exit(f'{name}: the original occurs {text.count(original)} times: {original!r}')
    return text.replace(original, replacement)


def mutated(text, file):
    groups = {}
    for number, (name, where, kind, original, replacement) in enumerate(MUTANTS, 1):
        if where != file:
            continue
        chosen = f'(mutant_chosen == {number})'
        if name in WHOLE:
            original, whole = WHOLE[name]
            text = replace_once(text, original, whole.replace('MUTANT', chosen), name)
        else:
            groups.setdefault((kind, original), []).append((name, chosen, replacement))
    for (kind, original), variants in groups.items():
        whole = f'({original})' if kind == E else f'{{ {original} }}'
        for _, chosen, replacement in variants:
            whole = (f'({chosen} ? ({replacement}) : {whole})' if kind == E
                     else f'{{ if {chosen} {{ {replacement} }} else {whole} }}')
        text = replace_once(text, original, whole, variants[0][0])
    return 'extern int mutant_chosen;\n' + text


def generate(source, out):
    out.mkdir(parents=True, exist_ok=True)
    for file in sources():
        (out / file.replace('/', '_')).write_text(mutated((source / file).read_text(), file))


def hunt(simulator, number, budget, first_seed):
    """The seeds that one mutant lived through, and how it died; None when it did not."""
    seeds, mode, *options = budget
    command = [simulator, '--mode', mode, '--seed', str(first_seed), '--count', str(seeds), *options]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S,
                                env={**os.environ, 'CURLEW_MUTANT': str(number)})
    except subprocess.TimeoutExpired:
        return seeds, None
    if result.returncode == 0:
        return seeds, None
    output = result.stdout + result.stderr
    seed = re.search(r'^(?:FAIL|CRASH) .*?seed=(\d+)', output, re.M)
    cause = re.search(r'oracle=(\S+)|msg="assertion failed" expression="(.*?)"', output)
    return (int(seed.group(1)) - first_seed + 1 if seed else 0,
            (cause.group(1) or cause.group(2)) if cause else f'exit status {result.returncode}')


def chase(simulator, number, first_seed):
    """Runs one mutant. Returns its name, and the seed count and cause of its death, if it died."""
    name = MUTANTS[number - 1][0]
    begun = time.monotonic()
    budget = BUDGETS.get(name, USUAL)
    seeds, cause = hunt(simulator, number, budget, first_seed)
    print(f'{number:3} {name:50} {seeds:4} of {budget[0]:4} seeds {time.monotonic() - begun:6.1f} s  '
          f'{cause or "SURVIVED"}', flush=True)
    return name, cause


def run(simulator, first_seed):
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda number: chase(simulator, number, first_seed),
                                range(1, len(MUTANTS) + 1)))
    alive = [name for name, cause in results if cause is None]
    print(f'{time.monotonic() - started:.0f} s; survivors: {" ".join(alive) or "none"}')
    print(f'{len(MUTANTS) - len(alive)} passed, {len(alive)} failed')
    return 1 if alive else 0



def main():
    command = sys.argv[1:] or ['']
    if command[0] == 'sources':
        print(' '.join(sources()))
    elif command[0] == 'generate':
        generate(pathlib.Path(command[1]), pathlib.Path(command[2]))
    elif command[0] == 'run':
        sys.exit(run(command[1], int(command[2]) if len(command) > 2 else 1))
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
