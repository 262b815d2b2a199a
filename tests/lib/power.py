# SPDX-License-Identifier: Apache-2.0
"""What a power cut leaves of a directory, from the record that tests/lib/power_shim.c makes.

Kept is what a sync that had returned covers. Of everything later, each write is there, is not there, or is there
in some of its sectors; a directory forgets its latest changes. A medium may do all of that.
"""

import os
import random
import struct
from pathlib import Path

SHIM = Path(os.environ.get("CS_BUILDDIR", ".")) / "tests/lib/.libs/power_shim.so"
HEAD = struct.Struct("=IIQQQ")
SECTOR = 512


class File:
    """One file: what survives, and the changes since, in their order."""

    def __init__(self, content=b""):
        self.kept = bytearray(content)
        self.changes = []  # (offset, data), or (size, None) for a truncation
        self.covered = 0  # how many of them the sync covers that is under way

    @staticmethod
    def apply(content, change):
        offset, data = change
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        if data is None:
            del content[offset:]
        else:
            content[offset:offset + len(data)] = data

    def sync_end(self):
        for change in self.changes[:self.covered]:
            self.apply(self.kept, change)
        del self.changes[:self.covered]
        self.covered = 0

    def after_cut(self, rng):
        content = bytearray(self.kept)
        for offset, data in self.changes:
            fate = rng.random()
            if fate < 0.4:
                self.apply(content, (offset, data))
            elif fate < 0.6 and data is not None:
                for at in range(0, len(data), SECTOR):
                    if rng.random() < 0.5:
                        self.apply(content, (offset + at, data[at:at + SECTOR]))
        return bytes(content)


class Medium:
    """The directory's files as its operations go by."""

    def __init__(self, files=None):
        self.entries = {name: File(content) for name, content in (files or {}).items()}
        self.kept = dict(self.entries)
        self.changes = []  # (name, File or None)
        self.covered = 0

    def enter(self, name, file):
        if file:
            self.entries[name] = file
        else:
            self.entries.pop(name, None)
        self.changes.append((name, file))

    def take(self, operation, name, offset, data):
        if operation in "be" and name == "":
            self.sync_directory(operation)
        elif operation == "c":
            self.enter(name, File())
        elif operation == "u":
            self.enter(name, None)
        elif operation == "w":
            self.entries[name].changes.append((offset, data))
        elif operation == "t":
            self.entries[name].changes.append((offset, None))
        elif operation == "b":
            self.entries[name].covered = len(self.entries[name].changes)
        elif operation == "e":
            self.entries[name].sync_end()
        else:
            raise AssertionError(f"the record has an operation {operation!r}")

    def sync_directory(self, operation):
        if operation == "b":
            self.covered = len(self.changes)
            return
        self.kept = self.names_after(self.covered)
        del self.changes[:self.covered]
        self.covered = 0

    def names_after(self, count):
        names = dict(self.kept)
        for name, file in self.changes[:count]:
            names[name] = file
        return {name: file for name, file in names.items() if file}

    def cut(self, seed):
        """{name: content} after a power cut now."""
        rng = random.Random(seed)
        names = self.names_after(rng.randint(0, len(self.changes)))
        files = {name: file.after_cut(rng) for name, file in names.items()}
        for name in [name for name in files if name.endswith("-wal") and rng.random() < 0.5]:
            files[name[:-4] + "-shm"] = rng.randbytes(32768)  # SQLite's index is mapped: any of its pages may be there
        return files


def read(path):
    """The operations of a record file: (when, operation, name, offset, data)."""
    operations = []
    with open(path, "rb") as file:
        while head := file.read(HEAD.size):
            operation, name_len, when, offset, length = HEAD.unpack(head)
            name = file.read(name_len).decode()
            data = file.read(length) if chr(operation) == "w" else b""
            operations.append((when, chr(operation), name, offset, data))
    return operations


def write(files, directory):
    """Put files into a fresh directory."""
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
