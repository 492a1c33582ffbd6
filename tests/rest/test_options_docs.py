# SPDX-License-Identifier: Apache-2.0
"""What documents say of all options is what `curlewd --help` says, which is made of the one table. Run as a
program it writes the documents anew: python3 tests/rest/test_options_docs.py"""
import re
import subprocess

from daemon import SOURCE, binary

OPERATIONS = SOURCE / 'docs/operations.md'
TABLE = re.compile(r'^## All options\n.*?\n(\| option .*?)(?=\n\n|\Z)', re.M | re.S)
MAN_PAGE = SOURCE / 'server/install/curlewd.8'
VARIABLES = re.compile(r'^\.SH ENVIRONMENT\n.*?\n\.nf\n(.*?)\n\.fi', re.M | re.S)
ROW = re.compile(r'^  --(\S+)(?: (\S+))?\s+(.*)$')
TAIL = re.compile(r'^(.*?)(?: \[([^][]+)\])?(?: \$(CURLEW_\w+))?$')
AGAIN = 'write it anew: python3 tests/rest/test_options_docs.py'


def options():
    """(name, placeholder, meaning, default, variable) of each option, in the order of --help."""
    text = subprocess.run([binary(), '--help'], capture_output=True, text=True, check=True).stdout
    text = text[text.index('\n  --') + 1:]
    found = []
    for row in re.sub(r'\n {10,}', ' ', text).splitlines():
        name, value, rest = ROW.match(row).groups()
        found.append((name, value, *TAIL.match(rest).groups()))
    return found


def table():
    lines = ['| option | environment | default | meaning |', '|---|---|---|---|']
    for name, value, meaning, preset, variable in options():
        if variable:
            shown = '' if preset is None else f'`{preset}`'
            lines.append(f'| `--{name} {value}` | `{variable}` | {shown} | {meaning} |')
    return '\n'.join(lines)


def variables():
    return '\n'.join(row[4] for row in options() if row[4])


def test_every_option_has_a_variable_and_a_meaning():
    found = options()
    assert len(found) > 25
    for name, value, meaning, _, variable in found:
        assert len(meaning) > 10
        assert variable == (None if value is None else 'CURLEW_' + name.upper().replace('-', '_'))


def test_the_table_of_options_in_operations_is_that_of_the_daemon():
    assert TABLE.search(OPERATIONS.read_text(encoding='utf-8')).group(1).strip() == table(), AGAIN


def test_the_man_page_has_all_variables():
    assert VARIABLES.search(MAN_PAGE.read_text(encoding='utf-8')).group(1) == variables(), AGAIN


def rewrite(file, pattern, wanted):
    text = file.read_text(encoding='utf-8')
    begin, end = pattern.search(text).span(1)
    file.write_text(text[:begin] + wanted + text[end:].rstrip('\n') + '\n', encoding='utf-8')


if __name__ == '__main__':
    rewrite(OPERATIONS, TABLE, table())
    rewrite(MAN_PAGE, VARIABLES, variables())
