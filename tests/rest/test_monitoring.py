# SPDX-License-Identifier: Apache-2.0
"""docs/monitoring against a node: alert rules and dashboard name only metrics and labels that exist, and
every alert is explained."""
import json
import re

import pytest
import yaml

from client import expect
from daemon import SOURCE
from exposition import families

FOLDER = SOURCE / 'docs' / 'monitoring'
# A selector: a metric name, and what stands in its braces.
SELECTOR = re.compile(r'\b((?:curlew|process)_[a-z_]+)(?:\{([^}]*)\})?')
GROUPED = re.compile(r'\bby \(([^)]*)\)')
# Which come from Prometheus itself.
TARGET_LABELS = {'instance', 'job'}
# Families that a cluster of one has no samples of, with their labels.
OF_PEERS = {'curlew_peer_connected': {'peer'}, 'curlew_peer_zxid': {'peer'},
            'curlew_peer_rtt_seconds': {'peer', 'le'}}


@pytest.fixture(scope='module')
def metrics(daemon):
    from client import Client
    return families(expect(Client(daemon.port).request('GET', '/metrics'), 200).body.decode())


def labels_of(family):
    names = {name for _, labels in family.samples for name, _ in labels}
    return names | OF_PEERS.get(family.name, set())


def family_of(metrics, name):
    for suffix in ('', '_bucket', '_count', '_sum'):
        family = metrics.get(name[:len(name) - len(suffix)] if name.endswith(suffix) else '')
        if family is not None and (suffix == '' or family.type == 'histogram'):
            return family
    raise AssertionError(f'no node has the metric {name}')


def check(metrics, expression):
    known = set(TARGET_LABELS)
    for name, chosen in SELECTOR.findall(expression):
        family = family_of(metrics, name)
        known |= labels_of(family)
        for label, value in re.findall(r'([a-z_]+)="([^"]*)"', chosen):
            assert label in labels_of(family), f'{name} has no label {label}'
            values = {v for _, of in family.samples for n, v in of if n == label}
            assert value in values, f'{name} is never {label}="{value}"'
    for group in GROUPED.findall(expression):
        for label in group.replace(' ', '').split(','):
            assert label in known, f'{label} is no label of anything in {expression}'
    return known


def rules():
    document = yaml.safe_load((FOLDER / 'alerts.yaml').read_text())
    return [rule for group in document['groups'] for rule in group['rules']]


@pytest.mark.parametrize('rule', rules(), ids=lambda rule: rule['alert'])
def test_an_alert_looks_at_what_exists(metrics, rule):
    assert set(rule) <= {'alert', 'expr', 'for', 'labels', 'annotations'}
    known = check(metrics, rule['expr'])
    for label in re.findall(r'\$labels\.([a-z_]+)', rule['annotations']['summary']):
        assert label in known, label


def test_every_alert_is_explained():
    explained = re.findall(r'^### (\w+)$', (FOLDER / 'README.md').read_text(), re.MULTILINE)
    assert explained == [rule['alert'] for rule in rules()]


def panels():
    return json.loads((FOLDER / 'dashboard.json').read_text())['panels']


@pytest.mark.parametrize('panel', panels(), ids=lambda panel: panel['title'])
def test_a_panel_shows_what_exists(metrics, panel):
    for target in panel['targets']:
        known = check(metrics, target['expr'])
        for label in re.findall(r'\{\{(\w+)\}\}', target['legendFormat']):
            assert label in known, label


def test_the_page_names_what_exists(metrics):
    text = (FOLDER / 'README.md').read_text()
    for name in re.findall(r'`(curlew_[a-z_]+)`', text):
        family_of(metrics, name)


def test_a_metric_that_does_not_exist_is_noticed(metrics):
    for expression in ('curlew_nothing == 0', 'curlew_ready{colour="blue"}',
                       'curlew_proposals_failed_total{reason="none"}',
                       'sum by (colour) (curlew_ready)'):
        with pytest.raises(AssertionError):
            check(metrics, expression)
