# SPDX-License-Identifier: Apache-2.0
"""Which lines of the core and the driver the simulator never runs. Each line is a mark: one that is missed is
either dead, or a case that the simulated world does not bring about. Reads what a build with
--enable-coverage has counted (gcov); the lines that may be missed stand below, with the reason.

  marks.py BUILD      prints every line missed; fails if one is not expected
"""
import json
import pathlib
import subprocess
import sys

SOURCES = {
    'paxos/libpaxos_a-': ['acceptor', 'election', 'log', 'paxos', 'proposer', 'reads', 'recovery', 'replication'],
    'paxos/': ['acceptor', 'election', 'log', 'paxos', 'proposer', 'reads', 'recovery', 'replication'],
    'server/libserver_a-': ['forwarded', 'pending', 'read_queue', 'replica', 'transfer'],
}

# (part of the line, why the simulator need not run it)
EXPECTED = [
    ('PAXOS_HISTORY_DIFFERS', 'only a faulty peer brings it about'),
    ('PAXOS_DECIDED_MISSING', 'only a disk that forgot does; test_core'),
    ('failure_set', 'a damaged or foreign journal; test_recovery, test_core'),
    ('ERROR_CORRUPT', 'likewise'),
    ('ERROR_FOREIGN', 'likewise'),
    ('PRIu64', 'part of such a sentence'),
]


def lines_of(build, prefix, name):
    """(number, count) of every line with code in one source."""
    notes = build / f'{prefix}{name}.gcno'
    if not notes.exists():
        return None, {}
    out = subprocess.run(['gcov', '--json-format', '--stdout', str(notes)], cwd=build, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    counts = {}
    for file in json.loads(out)['files']:
        if file['file'].endswith(f'/{name}.c'):
            for line in file['lines']:
                number = line['line_number']
                counts[number] = max(counts.get(number, 0), line['count'])
    return prefix.split('/')[0] + f'/{name}.c', counts


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    root = pathlib.Path(__file__).resolve().parents[2]
    marks = hit = 0
    unexpected = []
    for prefix, names in SOURCES.items():
        for name in names:
            source, counts = lines_of(build, prefix, name)
            if source is None:
                continue
            text = (root / source).read_text().splitlines()
            for number, count in sorted(counts.items()):
                marks += 1
                hit += count > 0
                line = text[number - 1].strip()
                if count == 0 and not any(part in line for part, _ in EXPECTED):
                    unexpected.append(f'{source}:{number}: {line}')
    if marks == 0:
        sys.exit(f'{build} holds no counts: build it with --enable-coverage and run the simulator')
    print('\n'.join(unexpected))
    print(f'marks: {hit} of {marks} lines run, {len(unexpected)} missed without a reason')
    return 1 if unexpected else 0


if __name__ == '__main__':
    sys.exit(main())
