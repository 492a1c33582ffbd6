# SPDX-License-Identifier: Apache-2.0
"""What the documents say about the source is true."""
import re
import subprocess

from daemon import SOURCE, binary

ROW = re.compile(r'X\((\w+), (-?\d+), "([^"]+)",\s*\\?\s*"([^"]+)",\s*\\?\s*(\d+),\s*\\?\s*(\w+),\s*\\?\s*(\w+),\s*'
                 r'\\?\s*"([^"]+)"\)')


def test_the_table_of_errors_in_the_guide_is_the_source():
    rows = ROW.findall((SOURCE / 'base/errors.h').read_text())
    assert len(rows) > 40
    expected = [f'| `{slug}` | {status} | {code} | {outcome.lower()} | {"yes" if retry == "true" else "no"} | {title} |'
                for name, _, code, slug, status, outcome, retry, title in rows if name != 'OK']
    guide = (SOURCE / 'docs/api.md').read_text().splitlines()
    assert [line for line in guide if re.match(r'\| `[a-z-]+` \| \d', line)] == expected


def test_the_man_page_names_only_options_that_exist():
    text = (SOURCE / 'server/install/curlewd.8').read_text().replace('\\-', '-')
    offered = subprocess.run([binary(), '--help'], capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r'--[a-z]+(?:-[a-z]+)*', text))
    assert len(named) > 2
    assert named <= set(re.findall(r'--[a-z]+(?:-[a-z]+)*', offered))


def test_the_tour_names_only_files_that_exist():
    for document in ('README.md', 'docs/architecture.md', 'docs/testing.md'):
        text = (SOURCE / document).read_text()
        for name in re.findall(r'`((?:api|base|docs|openapi|paxos|server|storage|tests)/[\w./]*)`', text):
            assert (SOURCE / name).exists(), f'{document} names {name}'
