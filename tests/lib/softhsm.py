# SPDX-License-Identifier: Apache-2.0
"""SoftHSM tokens for tests: made once, copied for each use.

SoftHSM rewrites a token's file at each login and can lose it when a process dies there, so no test works
on another's token.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

PIN = "1234"
SO_PIN = "12345678"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so")
MODULE = next((path for path in MODULES if os.path.exists(path)), MODULES[0])
SIGNER = Path(os.environ.get("CS_BUILDDIR", ".")) / "countersign-signer"


class Token:
    """A token directory with its configuration. `env` is what a process needs to see it."""

    def __init__(self, directory, label, serial=None):
        self.directory = Path(directory)
        self.label = label
        self.serial = serial
        self.store = self.directory / "tokens"
        self.conf = self.directory / "softhsm2.conf"
        self.pin_file = self.directory / "pin"

    @property
    def module(self):
        return MODULE

    @property
    def env(self):
        return {"SOFTHSM2_CONF": str(self.conf)}

    def write_conf(self):
        self.conf.write_text(f"directories.tokendir = {self.store}\nobjectstore.backend = file\n"
                             "log.level = ERROR\nslots.removable = false\n")

    def tool(self, *arguments, check=True, module=None, env=None):
        """Run a subcommand of countersign-signer on this token; its standard output."""
        command = [SIGNER, arguments[0], "--module", module or self.module, "--label", self.label,
                   "--pin-file", self.pin_file, *arguments[1:]]
        return subprocess.run([str(c) for c in command], env={**os.environ, **self.env, **(env or {})}, check=check,
                              stdout=subprocess.PIPE, stderr=None if check else subprocess.PIPE, text=True)

    def keygen(self, name, cka_id, algorithm):
        """Make a key; the SPKI's base64."""
        out = self.tool("keygen", "--name", name, "--id", cka_id, "--algorithm", algorithm).stdout
        return re.search(r"public_key: (\S+)", out)[1]

    def copy(self, directory):
        """This token once more, for somebody else to use up."""
        other = Token(directory, self.label, self.serial)
        other.directory.mkdir(parents=True)
        shutil.copytree(self.store, other.store)
        shutil.copy(self.pin_file, other.pin_file)
        other.write_conf()
        return other


def make(directory, label):
    """A new, empty token."""
    token = Token(directory, label)
    token.store.mkdir(parents=True)
    token.write_conf()
    token.pin_file.write_text(PIN + "\n")
    token.pin_file.chmod(0o600)
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN],
                   env={**os.environ, **token.env}, check=True, stdout=subprocess.DEVNULL)
    token.serial = re.search(r'serial: "(\w+)"', token.tool("describe").stdout)[1]
    return token
