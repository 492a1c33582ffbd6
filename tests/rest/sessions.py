# SPDX-License-Identifier: Apache-2.0
"""Sessions and their clients."""
import json
import time

from client import expect


class Session:
    """A session and its client."""

    def __init__(self, api, timeout_ms):
        self.api = api
        self.asked = time.monotonic()
        reply = expect(open_raw(api, timeout_ms), 201)
        self.zxid = reply.zxid
        self.id, self.credential = reply.json['id'], reply.json['credential']
        self.timeout_s = timeout_ms / 1000
        self.headers = {'Curlew-Session': self.credential}

    @property
    def url(self):
        return f'/v1/sessions/{self.id}'

    def request(self, method, url, body=None, **headers):
        return self.api.request(method, url, body, {**self.headers, **headers})

    def renew(self):
        """Renews for certain; returns when that was asked."""
        asked = time.monotonic()
        expect(self.request('PUT', self.url), 200)
        self.asked = asked
        return asked

    def show(self):
        return self.request('GET', self.url)

    def close(self):
        return self.request('DELETE', self.url)

    def ephemeral(self, path, data=b'', **query):
        return self.api.post(path, data, self.headers, ephemeral=True, **query)


def open_raw(api, timeout_ms, **headers):
    return api.request('POST', '/v1/sessions', json.dumps({'timeout_ms': timeout_ms}).encode(),
                       headers)


def listed(api):
    """The ids of all sessions."""
    return [item['id'] for item in expect(api.request('GET', '/v1/sessions?limit=10000'), 200)
            .json['sessions']]


def wait_gone(api, path, deadline_s=20):
    """Waits until a znode is gone and returns when it was seen to be there for the last time."""
    seen = time.monotonic()
    limit = seen + deadline_s
    while True:
        asked = time.monotonic()
        if api.stat(path) is None:
            return seen
        seen = asked
        assert asked < limit, f'{path} is still there'
        time.sleep(0.01)
