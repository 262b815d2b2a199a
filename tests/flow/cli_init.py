# SPDX-License-Identifier: Apache-2.0
"""countersign init: a whole instance that starts, signs and stops; nothing is overwritten."""

import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import machine

PROGRAM = Path(os.environ["CS_BUILDDIR"]) / "countersign"
DAEMON = Path(os.environ["CS_BUILDDIR"]) / "countersignd"
FAILED, USAGE, DATA, NO_INPUT, REFUSED = 1, 2, 65, 66, 77


class Init(unittest.TestCase):
    def setUp(self):
        self.work = Path(tempfile.mkdtemp(prefix="cs", dir="/tmp"))
        self.work.chmod(0o711)  # processes of other users pass through
        self.addCleanup(shutil.rmtree, self.work)
        self.port = machine.free_port()

    def run_program(self, wanted, *arguments, **more):
        done = subprocess.run([str(PROGRAM), *map(str, arguments)], check=False, text=True, capture_output=True,
                              timeout=120, stdin=subprocess.DEVNULL, **more)
        self.assertEqual(done.returncode, wanted, done.stdout + done.stderr)
        return done

    def init(self, wanted=0, *more, name="instance"):
        self.instance = self.work / name
        return self.run_program(wanted, "init", "--port", self.port, *more, self.instance)

    def start(self):
        """Start `run`; it ends with the test."""
        self.out = open(self.work / "run.out", "w+", encoding="utf-8")
        self.addCleanup(self.out.close)
        process = subprocess.Popen([self.instance / "run"], stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        self.addCleanup(lambda: process.poll() is None and (process.terminate(), process.wait(60)))
        end = time.monotonic() + 120
        while "Ready" not in (self.work / "run.out").read_text():
            self.assertIsNone(process.poll(), (self.work / "run.out").read_text())
            self.assertLess(time.monotonic(), end, (self.work / "run.out").read_text())
            time.sleep(0.05)
        return process

    def countersign(self, wanted, *arguments):
        env = {**os.environ, "COUNTERSIGN_PROFILES": str(self.instance / "profiles.yaml"),
               "COUNTERSIGN_STATE": str(self.work / "state")}
        return self.run_program(wanted, *arguments, env=env)

    def processes(self):
        """Processes that were started from this instance: (pid, uid)."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.instance).encode() in (entry / "cmdline").read_bytes():
                    found.append((int(entry.name), entry.stat().st_uid))
            except OSError:
                pass
        return found

    def signs(self):
        image = self.work / "image.bin"
        image.write_bytes(b"firmware")
        self.countersign(0, "sign", "--profile", "agent", "--key", "app-dev", image)
        self.countersign(0, "verify", "--profile", "agent", "--key", "app-dev", image)
        request = re.search(r"request: +(\S+)", self.countersign(
            0, "submit", "--profile", "agent", "--key", "rsa-prod", image).stdout)[1]
        self.countersign(REFUSED, "approve", "--profile", "owner1", "--image", image, "--yes", request)
        for person in ("approver1", "approver2"):
            self.countersign(0, "approve", "--profile", person, "--image", image, "--yes", request)
        self.countersign(0, "wait", "--profile", "agent", "--timeout", "60s", request)

    def test_it_starts_signs_and_stops(self):
        self.init()
        check = subprocess.run([DAEMON, "--config", self.instance / "countersignd.conf", "--check"], check=False,
                               capture_output=True, text=True)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        process = self.start()
        self.countersign(0, "status", "--profile", "operator")
        self.signs()
        if os.geteuid() == 0:
            uids = {uid for _, uid in self.processes() if uid != 0}
            self.assertEqual(len(uids), 3, "daemon and signers have users of their own")
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        self.assertLess(machine.seconds(begun) - machine.disk(20), 12)
        self.assertEqual(self.processes(), [])
        self.start()  # and once more, on the same log
        self.countersign(0, "status", "--profile", "auditor")

    def test_without_separation(self):
        self.init(0, "--user-separation", "no")
        self.start()
        self.assertIn("only shown", (self.work / "run.out").read_text())
        self.assertEqual({uid for _, uid in self.processes()}, {os.geteuid()})
        self.signs()

    def test_a_long_path_gets_sockets_elsewhere(self):
        self.init(0, name="/".join(["d" * 40] * 1) + "x" * 40)
        conf = (self.instance / "countersignd.conf").read_text()
        sockets = re.findall(r'socket: "(.*)"', conf)
        self.assertEqual(len(sockets), 2)
        for path in sockets:
            self.assertLessEqual(len(path), 107)
            self.assertNotIn(str(self.instance), path)
        self.addCleanup(shutil.rmtree, Path(sockets[0]).parent.parent, ignore_errors=True)
        self.start()
        self.signs()

    def test_secrets_are_private(self):
        self.init()
        for pattern in ("tokens/*/pin", "pki/*.key", "approvers/*.key"):
            files = list(self.instance.glob(pattern))
            self.assertTrue(files, pattern)
            for path in files:
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
        for name in ("tokens/dev", "tokens/prod", "state/daemon", "state/dev", "state/prod", "approvers"):
            self.assertEqual(stat.S_IMODE((self.instance / name).stat().st_mode), 0o700, name)

    def test_certificates_are_what_they_say(self):
        self.init()
        pki = self.instance / "pki"
        for name, purpose in (("server", "sslserver"), ("agent", "sslclient"), ("approver1", "sslclient"),
                              ("operator", "sslclient")):
            run = subprocess.run(["openssl", "verify", "-CAfile", pki / "ca.pem", "-CRLfile", pki / "crl.pem",
                                  "-crl_check", "-x509_strict", "-purpose", purpose, pki / f"{name}.pem"],
                                 check=False, capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertNotEqual(0, subprocess.run(
            ["openssl", "verify", "-CAfile", pki / "ca.pem", "-purpose", "sslserver", pki / "agent.pem"], check=False,
            capture_output=True).returncode)

    def test_nothing_is_overwritten(self):
        self.init()
        before = {path: path.read_bytes() for path in self.instance.rglob("*") if path.is_file()}
        self.assertIn("nothing was changed", self.init(FAILED).stderr)
        self.assertEqual(before, {path: path.read_bytes() for path in self.instance.rglob("*") if path.is_file()})
        file = self.work / "file"
        file.write_text("x")
        self.init(FAILED, name="file")
        self.assertEqual(file.read_text(), "x")
        (self.work / "empty").mkdir()
        self.init(0, name="empty")

    def test_what_it_needs_is_named(self):
        self.assertIn("printable ASCII", self.init(DATA, name="with space").stderr)
        self.assertIn("--program-dir", self.init(NO_INPUT, "--program-dir", "/nonexistent", name="a").stderr)
        self.assertIn("--module", self.init(NO_INPUT, "--module", "/nonexistent", name="b").stderr)
        self.assertFalse((self.work / "a").exists())
        self.run_program(USAGE, "init")
        if os.geteuid() != 0:
            self.init(REFUSED, "--user-separation", "yes", name="c")

    def test_a_moved_instance_does_not_start(self):
        self.init()
        moved = self.work / "moved"
        self.instance.rename(moved)
        self.instance.mkdir()
        run = subprocess.run([moved / "run"], check=False, capture_output=True, text=True)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("this instance was made for", run.stderr)


if __name__ == "__main__":
    unittest.main()
