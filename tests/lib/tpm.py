# SPDX-License-Identifier: Apache-2.0
"""A token on a TPM of its own, played by swtpm: the second PKCS#11 module of the tests, libtpm2-pkcs11."""

import os
import re
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

import signers
import softhsm

MODULE = next(Path("/usr/lib").glob("*/pkcs11/libtpm2_pkcs11.so"), None)
LOCKOUT_COUNTER = struct.pack(">HIIIII", 0x8001, 22, 0x17A, 6, 0x20E, 1)  # TPM2_GetCapability: TPM_PT_LOCKOUT_COUNTER
# TPM2_DictionaryAttackLockReset with an empty password of TPM_RH_LOCKOUT
RESET_LOCKOUT = struct.pack(">HIIIIIHBH", 0x8002, 27, 0x139, 0x4000000A, 9, 0x40000009, 0, 0, 0)


def is_there():
    return bool(MODULE and shutil.which("swtpm") and shutil.which("pkcs11-tool"))


class Tpm(softhsm.Token):
    """The interface of softhsm.Token. Without a resource manager the TPM has room for one key.

    It listens on sockets in its directory: a port that was free a moment ago may be somebody else's now.
    """

    def __init__(self, directory, label="dev"):
        super().__init__(directory, label)
        self.socket = self.directory / "s"
        for name in ("tpm", "tokens"):
            (self.directory / name).mkdir(parents=True)
        self.write_pin(softhsm.PIN)
        self.log_file = self.directory / "swtpm.log"
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.directory}/tpm",
             "--server", f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={self.socket}.ctrl",
             "--flags", "not-need-init,startup-clear", "--log", f"file={self.log_file}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait_ready()
            self.pkcs11_tool("--slot-index", "0", "--init-token", "--label", label, "--so-pin", softhsm.SO_PIN)
            self.pkcs11_tool("--token-label", label, "--login", "--login-type", "so", "--so-pin", softhsm.SO_PIN,
                             "--init-pin", "--new-pin", softhsm.PIN)
            self.serial = re.search(r'serial: "(\w+)"', self.describe())[1]
        except BaseException:
            self.close()
            raise

    def wait_ready(self):
        end = time.monotonic() + 60
        while not (self.socket.exists() and Path(f"{self.socket}.ctrl").exists()):
            assert self.process.poll() is None and time.monotonic() < end, "swtpm does not listen"
            time.sleep(0.02)

    @property
    def module(self):
        return MODULE

    @property
    def env(self):
        return {"TPM2_PKCS11_STORE": str(self.store), "TSS2_LOG": "all+NONE",
                "TPM2_PKCS11_TCTI": f"swtpm:path={self.socket}"}

    def write_pin(self, pin):
        self.pin_file.write_text(pin + "\n")
        self.pin_file.chmod(0o600)

    def pkcs11_tool(self, *arguments, check=True):
        done = subprocess.run(["pkcs11-tool", "--module", MODULE, *arguments], env={**os.environ, **self.env},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert not check or done.returncode == 0, f"pkcs11-tool {arguments}: {done.stdout}"
        return done

    def describe(self):
        """What `countersign-signer describe` prints; when it fails, why."""
        done = self.tool("describe", check=False)
        assert done.returncode == 0, f"describe: {done.returncode} {done.stderr}\n{self.log_file.read_text()}"
        return done.stdout

    def make_key(self, name, algorithm, **more):
        """Ours where it can be: this module decrypts to make RSA signatures, and our keys only sign."""
        if algorithm == "p-256":
            return signers.key(name, self.label, "01", algorithm, self.keygen(name, "01", algorithm), **more)
        self.pkcs11_tool("--token-label", self.label, "--login", "--pin", softhsm.PIN, "--keypairgen", "--key-type",
                         "rsa:3072", "--id", "01", "--label", name, "--usage-sign")
        public_key = re.search(r"public_key: (\S+)", self.describe())[1]
        return signers.key(name, self.label, "01", algorithm, public_key, **more)

    def command(self, data):
        """What the TPM answers to a command, without its header. Only while nobody else is connected."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(self.socket))
            s.sendall(data)
            answer = s.recv(4096)
        code, = struct.unpack(">I", answer[6:10])
        assert code == 0, f"the TPM answered 0x{code:x}"
        return answer[10:]

    def refused_pins(self):
        """How many wrong PINs it has counted."""
        return struct.unpack(">I", self.command(LOCKOUT_COUNTER)[-4:])[0]

    def forget_refused_pins(self):
        self.command(RESET_LOCKOUT)

    def copy(self, directory):
        """There is one TPM: the token itself, with its PIN where the signer looks for it."""
        return self

    def close(self):
        self.process.terminate()
        self.process.wait()
