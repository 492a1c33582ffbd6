# SPDX-License-Identifier: Apache-2.0
"""Reads Prometheus' text format 0.0.4, strictly: what does not belong to a family that was declared just
before it is an error."""
import re

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(?:,|$)')
SUFFIXES = {'histogram': ('_bucket', '_sum', '_count'), 'counter': ('',), 'gauge': ('',)}


class Family:
    """One name: its help, its type, and its samples by (suffix, labels)."""

    def __init__(self, name, help_):
        self.name, self.help, self.type = name, help_, None
        self.samples = {}

    def add(self, name, labels, number):
        suffix = name[len(self.name):]
        if not name.startswith(self.name) or suffix not in SUFFIXES[self.type]:
            raise ValueError(f'{name} stands in the family {self.name}')
        if (suffix, labels) in self.samples:
            raise ValueError(f'{name} {labels} stands twice')
        self.samples[suffix, labels] = number

    def counts(self):
        """Of a histogram: its counts by their labels."""
        return {labels: n for (suffix, labels), n in self.samples.items() if suffix == '_count'}

    def buckets(self, labels):
        """Of a histogram: (bound, cumulative count) in the order of the text."""
        found = []
        for (suffix, of), number in self.samples.items():
            rest = tuple(pair for pair in of if pair[0] != 'le')
            if suffix == '_bucket' and rest == labels:
                found.append((float(dict(of)['le']), number))
        return found


def _labels(text):
    pairs = tuple(LABEL.findall(text or ''))
    if ''.join(f'{name}="{value}",' for name, value in pairs)[:-1] != (text or ''):
        raise ValueError(f'labels {text!r}')
    return tuple(sorted(pairs))


def families(text):
    """The families of a scrape by their names."""
    found, current = {}, None
    if not text.endswith('\n'):
        raise ValueError('the last line does not end')
    for line in text.splitlines():
        if line.startswith('# HELP '):
            name, help_ = line[7:].split(' ', 1)
            if name in found:
                raise ValueError(f'{name} is declared twice')
            current = found[name] = Family(name, help_)
        elif line.startswith('# TYPE '):
            name, type_ = line[7:].split(' ')
            if current is None or current.name != name or current.samples:
                raise ValueError(f'TYPE of {name} in the wrong place')
            current.type = type_
        else:
            match = SAMPLE.fullmatch(line)
            if match is None:
                raise ValueError(f'no sample: {line!r}')
            current.add(match[1], _labels(match[2]), float(match[3]))
    return found


def value(found, name, suffix='', **labels):
    """The sum of a family's samples that have these labels."""
    wanted = set(labels.items())
    chosen = [number for (of_suffix, of), number in found[name].samples.items()
              if of_suffix == suffix and wanted <= set(of)]
    if not chosen:
        raise KeyError(f'{name}{suffix} {labels}')
    return sum(chosen)
