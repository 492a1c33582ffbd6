# SPDX-License-Identifier: Apache-2.0
"""Which lines of the core and the driver the simulator runs. Each line is a mark: one that is missed is
either dead, or a case that the simulated world does not bring about. Seeds are always the same ones; they are
run in rounds until no line is missed that is not expected below, with the reason.

  marks.py BUILD [ROUNDS]   runs BUILD/tests/sim/marks, which counts lines (gcov); prints every line that is
                            missed after the last round; fails if there is one
"""
import json
import pathlib
import subprocess
import sys
import time

MODES = {'safety': 60, 'liveness': 60, 'power': 3, 'quiet': 3}  # seeds of a round
ROUNDS = 20
TOGETHER = 2  # processes

PARTS = {
    'paxos': ['acceptor', 'election', 'log', 'paxos', 'proposer', 'reads', 'recovery', 'replication'],
    'server': ['forwarded', 'pending', 'read_queue', 'renewals', 'replica', 'session_clock',
               'session_keeper', 'touch_frame', 'transfer'],
}

# What the simulator need not run, and why. Behind a line with such a text, that many lines are excused with it.
LINES = [
    ('PAXOS_HISTORY_DIFFERS', 1, 'only a faulty peer brings it about; test_core'),
    ('PAXOS_DECIDED_MISSING', 1, 'only a disk that forgot does; test_core'),
    ('return failure_set', 4, 'a damaged or foreign journal is refused before; test_recovery, test_core'),
    ('ports.fault', 1, 'likewise'),
    ('if (message == NULL)', 1, 'a step never has so many messages'),
    ('config.window = PAXOS_WINDOW', 0, 'the seed says how large it is'),
    ('output->refused = true', 1, 'the driver asks first whether there is room'),
    ('count = paxos__room(paxos) + (size_t)(paxos->log.last - keep)', 0,
     'a follower in one ballot with its leader is not that far behind; test_core'),
    ('paxos__record(paxos, RECORD_PROMISE)->ballot = install->ballot', 0,
     'seldom: a log that agrees with the checkpoint, of a node that has promised less; test_core'),
    ('hash128_equal(message->hash, paxos_log_hash(&paxos->log, message->slot)))', 1,
     'entries of another question; seldom'),
    ('return; // asked for again when there is room', 0, 'seldom'),
    ('return; // rule e', 0, 'seldom'),
    ('*first = pending->oldest', 0, 'the thread that executes is an event of its own, never in between'),
    ('if (number == 0)', 1, 'the core takes all reads that are asked for'),
    ('ERROR_OVERLOADED', 0, 'takes 16,384 submissions; test_replica'),
    ('buffer_deinit(&replica->batch)', 0, 'takes megabytes of commands; test_replica'),
    ('buffer_deinit(&replica->frame)', 0, 'likewise'),
    ('end = replica->sent; // the next batch', 1, 'likewise'),
    ('forget_ending(keeper, CONTAINER_OF(link, struct ending, link))', 0,
     'takes more than 256 silent sessions at once; test_session_keeper'),
    ('if (count == TOUCH_IDS_MAX && has_leader(status))', 1, 'takes 4,096 sessions; test_session_keeper'),
    ('if (ids[i] == 0)', 1, 'no peer says so; test_touch_frame'),
    ('"the checkpoint of a peer is not taken"', 3, 'only a faulty peer gives one; test_transfer'),
    ('return install_again(transfer, executed)', 0, 'seldom; test_transfer'),
    ('checkpoint_part_write(incoming->part', 2, 'a disk that fills up between two looks; test_transfer'),
    ('return give_back_room(transfer);', 3, 'likewise'),
    ('return error == ERROR_MISSING ? ERROR_OK : error;', 0, 'a disk that fails just then; test_transfer'),
]
FUNCTIONS = {
    'paxos__fault': 'only a faulty peer or disk brings it about; test_core',
    'replica_blocked': 'only the loop of the daemon asks',
    'session_clock_count': 'only the metrics of the daemon ask',
    'transfer_receiving': 'only the status of the daemon asks',
    'transfer_malformed': 'likewise',
    'install_again': 'seldom; test_transfer',
}


def counts_of(build, part, name):
    """(number, count) of every line with code in one source, and the lines of excused functions."""
    notes = build / part / f'tests_sim_marks-{name}.gcno'
    out = subprocess.run(['gcov', '--json-format', '--stdout', str(notes)], cwd=build, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    counts, excused = {}, set()
    for file in json.loads(out)['files']:
        if not file['file'].endswith(f'/{name}.c'):
            continue
        for line in file['lines']:
            number = line['line_number']
            counts[number] = max(counts.get(number, 0), line['count'])
        for function in file['functions']:
            if function['name'] in FUNCTIONS:
                excused.update(range(function['start_line'], function['end_line'] + 1))
    return counts, excused


def excused_lines(text):
    """Numbers of the lines that the texts above excuse."""
    return {number + 1 + behind for number, line in enumerate(text) for part, more, _ in LINES if part in line
            for behind in range(more + 1)}


def look(build, root):
    """How many lines there are, how many were run, and those that are missed without a reason."""
    marks = hit = 0
    missed = []
    for part, names in PARTS.items():
        for name in names:
            text = (root / part / f'{name}.c').read_text().splitlines()
            counts, excused = counts_of(build, part, name)
            excused |= excused_lines(text)
            for number, count in sorted(counts.items()):
                marks += 1
                hit += count > 0
                if count == 0 and number not in excused:
                    missed.append(f'{part}/{name}.c:{number}: {text[number - 1].strip()}')
    return marks, hit, missed


def run_round(build, number):
    """Every mode, a few at a time. Seeds of a round follow those of the one before."""
    waiting = list(MODES.items())
    running = []
    while waiting or running:
        while waiting and len(running) < TOGETHER:
            mode, seeds = waiting.pop(0)
            running.append(subprocess.Popen(
                [build / 'tests/sim/marks', '--mode', mode, '--seed', str(1 + number * seeds), '--count', str(seeds)],
                stdout=subprocess.PIPE, text=True))
        done = running.pop(0)
        output = done.communicate()[0]
        if done.returncode != 0:
            sys.exit(output)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    root = pathlib.Path(__file__).resolve().parents[2]
    started = time.monotonic()
    for counts in build.glob('**/*marks-*.gcda'):
        counts.unlink()
    for number in range(rounds):
        run_round(build, number)
        marks, hit, missed = look(build, root)
        print(f'round {number + 1}: {hit} of {marks} lines run, {len(missed)} missed without a reason, '
              f'{time.monotonic() - started:.0f} s', flush=True)
        if not missed:
            break
    print('\n'.join(missed), end='\n' if missed else '')
    print('marks: 0 passed, 1 failed' if missed else 'marks: 1 passed')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
