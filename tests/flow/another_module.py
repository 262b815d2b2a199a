# SPDX-License-Identifier: Apache-2.0
"""The signer works with a module that is not SoftHSM: a TPM, as swtpm plays it.

So that one module's quirks do not become the specification. Skipped where swtpm is not installed.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import signer_client
import signers
import softhsm
from approvals import artifact, document
from verify_signature import verify

MODULES = Path("/usr/lib").glob("*/pkcs11/libtpm2_pkcs11.so")
MODULE = next(MODULES, None)
ALGORITHMS = ("p-256", "rsa-3072")


class Tpm(softhsm.Token):
    """A token on a TPM of its own; the interface of softhsm.Token."""

    def __init__(self, directory):
        super().__init__(directory, "dev")
        self.port = two_free_ports()
        for name in ("tpm", "tokens"):
            (self.directory / name).mkdir(parents=True)
        self.pin_file.write_text(softhsm.PIN + "\n")
        self.pin_file.chmod(0o600)
        self.tpm = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.directory}/tpm",
             "--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1,disconnect",
             "--ctrl", f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1",
             "--flags", "not-need-init,startup-clear"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.port)
        self.pkcs11_tool("--slot-index", "0", "--init-token", "--label", "dev", "--so-pin", softhsm.SO_PIN)
        self.pkcs11_tool("--token-label", "dev", "--login", "--login-type", "so", "--so-pin", softhsm.SO_PIN,
                         "--init-pin", "--new-pin", softhsm.PIN)
        self.serial = re.search(r'serial: "(\w+)"', self.tool("describe").stdout)[1]

    @property
    def module(self):
        return MODULE

    @property
    def env(self):
        return {"TPM2_PKCS11_STORE": str(self.store), "TSS2_LOG": "all+NONE",
                "TPM2_PKCS11_TCTI": f"swtpm:host=127.0.0.1,port={self.port}"}

    def pkcs11_tool(self, *arguments):
        subprocess.run(["pkcs11-tool", "--module", MODULE, *arguments], env={**os.environ, **self.env}, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def make_key(self, algorithm):
        """Ours where it can be: this module decrypts to make RSA signatures, and our keys only sign."""
        if algorithm == "p-256":
            return signers.make_keys(self, algorithm)[0]
        self.pkcs11_tool("--token-label", "dev", "--login", "--pin", softhsm.PIN, "--keypairgen", "--key-type",
                         "rsa:3072", "--id", "01", "--label", algorithm, "--usage-sign")
        public_key = re.search(r"public_key: (\S+)", self.tool("describe").stdout)[1]
        return signers.key(algorithm, "dev", "01", algorithm, public_key)

    def copy(self, directory):
        """There is one TPM: the token itself, with its PIN where the signer looks for it."""
        return self

    def close(self):
        self.tpm.terminate()
        self.tpm.wait()


def two_free_ports():
    """A port whose successor is free as well."""
    while True:
        with socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", 0))
            port = a.getsockname()[1]
            try:
                b.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                pass


def wait_port(port):
    for _ in range(500):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port + 1)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("swtpm does not listen")


class AnotherModule(unittest.TestCase):
    def test_keys_are_made_found_and_used(self):
        """One key at a time: without a resource manager the TPM has no room for two."""
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                self.sign_with(algorithm)

    def sign_with(self, algorithm):
        with tempfile.TemporaryDirectory(prefix="cs") as work:
            token = Tpm(Path(work) / "t")
            try:
                keys = [token.make_key(algorithm)]
                policy = signers.policy(token, "dev", keys)
                with signers.Signer(token, policy, module=MODULE, separate=False,
                                    options=("--call-timeout", "20000")) as signer, signer.connect() as c:
                    health = c.status()
                    self.assertEqual((health.ready, health.keys), (True, len(keys)), health.message)
                    artifacts = [artifact(key, key["name"]) for key in keys]
                    results = c.sign(document(policy, artifacts), artifacts=[(n, 1) for n in range(len(keys))])
                    for key, wanted, result in zip(keys, artifacts, results):
                        self.assertEqual(result.outcome, signer_client.OK, result.message)
                        verify(key, wanted, result.raw)
            finally:
                token.close()


if __name__ == "__main__":
    if not (MODULE and shutil.which("swtpm") and shutil.which("pkcs11-tool")):
        print("swtpm, libtpm2-pkcs11-1 or opensc is not installed")
        sys.exit(77)
    unittest.main()
