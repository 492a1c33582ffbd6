# SPDX-License-Identifier: Apache-2.0
"""The Docker engine of this machine: whether it answers, the image under test, and commands to it."""
import json
import os
import pathlib
import shutil
import subprocess
import time
import zlib

SOURCE = pathlib.Path(__file__).resolve().parents[3]
BASE = 'debian:bookworm-slim'
OWN_BASE = 'curlew-test-base:bookworm'  # made here where BASE is not there and cannot be fetched
TAG = f'{zlib.crc32(str(SOURCE).encode()):08x}'  # several checkouts do not share what they build
STAGE = 'label=curlew.stage=build'
TIMEOUT_S = 600


class Failed(AssertionError):
    pass


def run(*command, check=True, timeout_s=TIMEOUT_S, environ=None):
    """Standard output of a command, which fails the test if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, errors='replace',
                          stdin=subprocess.DEVNULL, env={**os.environ, 'DOCKER_BUILDKIT': '0', **(environ or {})})
    if check and done.returncode != 0:
        raise Failed(f'{" ".join(command)}\nended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}')
    return done.stdout.strip()


def docker(*arguments, **more):
    return run('docker', *arguments, **more)


def compose_command():
    """Version 2 is a plugin of docker, version 1 a program of its own; None: neither is there."""
    if run('docker', 'compose', 'version', check=False):
        return ['docker', 'compose']
    return ['docker-compose'] if shutil.which('docker-compose') else None


def why_not():
    """Why containers cannot be tested on this machine; None if they can."""
    if shutil.which('docker') is None:
        return 'there is no docker'
    try:
        if not run('docker', 'version', '--format', '{{.Server.Version}}', check=False, timeout_s=20):
            return 'no Docker engine answers'
    except subprocess.TimeoutExpired:
        return 'the Docker engine does not answer'
    if compose_command() is None:
        return 'there is neither "docker compose" nor docker-compose'
    if not has_image(BASE) and not has_image(OWN_BASE) and shutil.which('mmdebstrap') is None:
        return f'there is no image {BASE}, and no mmdebstrap to make it'
    return None


def has_image(name):
    return bool(docker('image', 'ls', '-q', name))


def size_of(image):
    return int(docker('image', 'inspect', '-f', '{{.Size}}', image))


def base_image():
    """The base that is there; no registry is asked for it."""
    for name in (BASE, OWN_BASE):
        if has_image(name):
            return name
    made = subprocess.Popen(['mmdebstrap', '--quiet', '--variant=minbase', 'bookworm', '-'],
                            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    subprocess.run(['docker', 'import', '-', OWN_BASE], stdin=made.stdout, stdout=subprocess.DEVNULL, check=True,
                   timeout=TIMEOUT_S)
    if made.wait() != 0:
        docker('image', 'rm', OWN_BASE)
        raise Failed('mmdebstrap failed')
    return OWN_BASE


def build(name, *arguments):
    docker('build', '-q', '-f', str(SOURCE / 'docker/Dockerfile'), '--build-arg', f'BASE={base_image()}',
           '-t', name, *arguments, str(SOURCE))
    return name


class Image:
    """The image of this checkout. The layers with Debian's packages are kept from run to run."""

    def __init__(self):
        self.base = base_image()
        build(f'curlew-test-packages:{TAG}', '--target', 'packages')
        started = time.monotonic()
        self.name = build(f'curlew-test:{TAG}')
        self.seconds = time.monotonic() - started
        self.size, self.base_size = size_of(self.name), size_of(self.base)

    def __str__(self):
        return (f'image: {self.size / 1e6:.1f} MB, {(self.size - self.base_size) / 1e6:.1f} MB above {self.base}; '
                f'built in {self.seconds:.0f} s, without the packages of the compiler')

    def remove(self):
        for name in (self.name, f'curlew-test-next:{TAG}'):
            docker('image', 'rm', '-f', name, check=False)
        docker('image', 'prune', '-f', '--filter', STAGE, check=False)


def inspect(container):
    return json.loads(docker('inspect', container))[0]


def logs(container):
    done = subprocess.run(['docker', 'logs', container], capture_output=True, text=True, errors='replace', timeout=60)
    return done.stdout + done.stderr
