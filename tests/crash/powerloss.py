# SPDX-License-Identifier: Apache-2.0
"""Plays a power loss: undoes at random what a killed process wrote and did not sync, as powerloss.c
remembered it. Any subset of unsynced 512-byte sectors may be lost, file sizes may be old or new, and
of the unsynced changes of names in a directory the last ones may be lost."""
import collections
import os
import pathlib
import shutil
import struct
import subprocess

HEADER = struct.Struct('<II5QIIQ')  # struct record of powerloss.c
MAGIC = 0x50574c53
SECTOR = 512
SHIM = pathlib.Path(__file__).with_name('powerloss.c')

Entry = collections.namedtuple('Entry', 'type sequence inode offset touched old_size path other data')


def build(directory):
    """Compiles the library and returns its path; None without a compiler."""
    compiler = shutil.which(os.environ.get('CC', 'cc').split()[0]) or shutil.which('gcc')
    if compiler is None:
        return None
    library = pathlib.Path(directory) / 'powerloss.so'
    subprocess.run([compiler, '-std=gnu11', '-D_GNU_SOURCE', '-O2', '-fPIC', '-shared', '-Wall',
                    '-Wextra', '-Werror', '-o', library, SHIM, '-ldl', '-pthread'], check=True)
    return library


def read_log(file):
    """The entries of the log; a torn last one had no effect yet."""
    data = file.read_bytes() if file.exists() else b''
    at = 0
    while at + HEADER.size <= len(data):
        magic, kind, sequence, inode, offset, touched, old_size, path_length, other_length, \
            data_length = HEADER.unpack_from(data, at)
        if magic != MAGIC:
            raise ValueError(f'{file}: no entry at {at}')
        at += HEADER.size
        end = at + path_length + other_length + data_length
        if end > len(data):
            return
        path = data[at:at + path_length].decode()
        other = data[at + path_length:at + path_length + other_length].decode()
        yield Entry(chr(kind), sequence, inode, offset, touched, old_size, path, other,
                    data[end - data_length:end])
        at = end


class PowerLoss:
    """The environment for a process, and what happens to its files when the power goes."""

    def __init__(self, library, directory, log, lie=False, delay_us=500):
        self.library, self.directory, self.log = library, pathlib.Path(directory), pathlib.Path(log)
        self.lie, self.delay_us = lie, delay_us
        self.undone = collections.Counter()
        self.reset()

    def environment(self):
        return {'LD_PRELOAD': str(self.library), 'POWERLOSS_DIR': str(self.directory),
                'POWERLOSS_LOG': str(self.log), 'POWERLOSS_LIE': '1' if self.lie else '0',
                'POWERLOSS_DELAY': str(self.delay_us),
                'ASAN_OPTIONS': 'verify_asan_link_order=0:' + os.environ.get('ASAN_OPTIONS', '')}

    def hang(self):
        """From now on no flush ends, until reset."""
        (self.log / 'hang').touch()

    def reset(self):
        shutil.rmtree(self.log, ignore_errors=True)
        self.log.mkdir(parents=True)

    def strike(self, random):
        """Undoes a random part of what was not synced. The process must be dead."""
        data, names = self._unsynced()
        files = self._files_by_inode()
        for inode, entries in data.items():
            if entries and inode in files:
                self._undo_data(files[inode], entries, random)
        self._undo_names(names, random)
        self.reset()

    def _unsynced(self):
        data, names = collections.defaultdict(list), []
        for entry in read_log(self.log / 'undo'):
            if entry.type == 'S':
                data[entry.inode] = [e for e in data[entry.inode] if e.sequence >= entry.sequence]
                names = [e for e in names if e.sequence >= entry.sequence
                         or self._directory(e) != entry.inode]
            elif entry.type in 'WT':
                data[entry.inode].append(entry)
            else:
                names.append(entry)
        return data, names

    @staticmethod
    def _directory(entry):
        try:
            return os.stat(os.path.dirname(entry.path)).st_ino
        except FileNotFoundError:
            return None

    def _files_by_inode(self):
        found = {}
        for top in (self.log, self.directory):
            for base, directories, files in os.walk(top):
                if base == str(self.directory) and 'live' in directories:
                    directories.remove('live')
                for name in files:
                    path = os.path.join(base, name)
                    found[os.stat(path).st_ino] = path
        return found

    def _undo_data(self, path, entries, random):
        chance = random.choice((0.1, 0.5, 0.9, 1.0))
        kept = set()  # sectors whose later content survived; earlier content cannot come back
        with open(path, 'r+b') as file:
            for entry in reversed(entries):
                for start in range(0, entry.touched, SECTOR):
                    sector = (entry.offset + start) // SECTOR
                    if sector in kept or random.random() >= chance:
                        kept.add(sector)
                        continue
                    old = entry.data[start:start + SECTOR]
                    file.seek(sector * SECTOR)
                    if entry.type == 'W':
                        old = old.ljust(min(SECTOR, entry.touched - start), b'\0')
                    file.write(old)
                    self.undone['sectors'] += 1
            self._undo_size(file, entries, random)

    def _undo_size(self, file, entries, random):
        size = file.seek(0, os.SEEK_END)
        old = random.choice([entry.old_size for entry in entries])
        if old < size and random.random() < 0.5:
            file.truncate(old)
            self.undone['sizes'] += 1

    def _undo_names(self, names, random):
        by_directory = collections.defaultdict(list)
        for entry in names:
            by_directory[self._directory(entry)].append(entry)
        lost = []
        for entries in by_directory.values():
            lost += entries[len(entries) - random.randint(0, len(entries)):]
        for entry in sorted(lost, key=lambda e: -e.sequence):
            self._undo_name(entry)
            self.undone['names'] += 1

    @staticmethod
    def _undo_name(entry):
        backup = entry.data.decode()
        if entry.type == 'C':
            if os.path.exists(entry.path):
                os.unlink(entry.path)
        elif entry.type == 'R':
            if os.path.exists(entry.other):
                os.rename(entry.other, entry.path)
            if backup:
                os.link(backup, entry.other)
        elif entry.type == 'U' and not os.path.exists(entry.path):
            os.link(backup, entry.path)
