# SPDX-License-Identifier: Apache-2.0
"""What documents say of all options is what `curlewd --help` says, which is made of the one table."""
import re
import subprocess

from daemon import SOURCE, binary

HEADING = '## All options'
ROW = re.compile(r'^  --(\S+)(?: (\S+))?\s+(.*)$')
TAIL = re.compile(r'^(.*?)(?: \[([^][]+)\])?(?: \$(CURLEW_\w+))?$')


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


def test_every_option_has_a_variable_and_a_meaning():
    found = options()
    assert len(found) > 25
    for name, value, meaning, _, variable in found:
        assert len(meaning) > 10
        assert variable == (None if value is None else 'CURLEW_' + name.upper().replace('-', '_'))


def test_the_table_of_options_in_operations_is_that_of_the_daemon():
    text = (SOURCE / 'docs/operations.md').read_text(encoding='utf-8')
    shown = re.search(r'^\|.*?(?=\n\n|\Z)', text[text.index(HEADING):], re.M | re.S).group().strip()
    assert shown == table()


def test_the_man_page_has_all_variables():
    text = (SOURCE / 'server/install/curlewd.8').read_text(encoding='utf-8').replace('\\-', '-')
    section = text[text.index('.SH ENVIRONMENT'):]
    section = section[:section.index('.SH', 3)]
    assert re.findall(r'^CURLEW_[A-Z_]+', section, re.M) == [row[4] for row in options() if row[4]]
