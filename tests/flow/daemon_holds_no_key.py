# SPDX-License-Identifier: Apache-2.0
"""countersignd as a process: it loads no PKCS#11 module, cannot be dumped or gain privileges, tells the service
manager how it is, stops in time without losing anything, and reads its command line strictly."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest
from pathlib import Path

import instance
import machine

DAEMON = Path(os.environ["CS_BUILDDIR"]) / "countersignd"
# p11-kit's own library comes with GnuTLS; what it must not load is a module, or its list of modules
MODULES = ("softhsm", "opensc", "tpm2_pkcs11", "p11-kit-proxy", "p11-kit-trust", "/pkcs11/")


class Process(unittest.TestCase):
    def setUp(self):
        self.it = instance.Instance(start=False)
        self.addCleanup(self.it.end)
        self.it.start_signers()

    def test_no_module_is_loaded(self):
        """LD_DEBUG names every library as it is loaded; /proc says what is mapped, to root."""
        trace = self.it.directory / "loaded"
        self.it.start(env={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(trace)})
        self.assertEqual(self.it.agent.submit("app-dev").status, 201)
        loaded = Path(f"{trace}.{self.it.process.pid}").read_text(errors="replace")
        self.assertIn("libgnutls", loaded)
        for module in MODULES:
            self.assertNotIn(module, loaded)
        try:
            maps = Path(f"/proc/{self.it.process.pid}/maps").read_text()
        except PermissionError:
            return  # it cannot be dumped, so only root may look
        self.assertIn("libgnutls", maps)
        for module in MODULES:
            self.assertNotIn(module, maps)

    def test_hardened(self):
        self.it.start()
        status = Path(f"/proc/{self.it.process.pid}/status").read_text()
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("Umask:\t0077", status)
        limits = Path(f"/proc/{self.it.process.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        self.assertEqual(core.split()[4:6], ["0", "0"])
        if os.geteuid() != 0:
            # without the right to dump it, its files in /proc belong to root
            self.assertEqual(os.stat(f"/proc/{self.it.process.pid}/maps").st_uid, 0)
        self.assertEqual(self.it.database.stat().st_mode & 0o077, 0)

    def test_open_files(self):
        """The soft limit is raised as far as needed; a hard limit that is too low is an error at start."""
        self.it.start(prefix=("prlimit", "--nofile=256:1000"))
        limits = Path(f"/proc/{self.it.process.pid}/limits").read_text()
        files = next(line for line in limits.splitlines() if line.startswith("Max open files"))
        self.assertGreater(int(files.split()[3]), 256)
        self.it.stop()
        self.it.write_files()
        run = subprocess.run(["prlimit", "--nofile=256:256", *self.it.command()], capture_output=True, text=True,
                             timeout=60, check=False)
        self.assertEqual(run.returncode, 78)
        self.assertIn("connections-max", run.stderr)

    def test_service_manager_is_told(self):
        path = str(self.it.directory / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(60)
            self.it.start(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
            self.assertEqual(manager.recv(4096), b"READY=1")
            self.assertEqual(manager.recv(4096), b"WATCHDOG=1")
            self.it.process.send_signal(signal.SIGHUP)
            said = []
            while b"READY=1" not in said:
                said.append(manager.recv(4096))
            self.assertTrue(any(s.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for s in said), said)
            self.assertEqual(self.it.stop(), 0)
            while (word := manager.recv(4096)) == b"WATCHDOG=1":
                pass
            self.assertEqual(word, b"STOPPING=1")

    def test_stop_under_load(self):
        """Whatever was answered is in the log; the stop takes less than ten seconds."""
        self.it.start()
        signed, ending = [], threading.Event()

        def work(number):
            client = self.it.agent
            try:
                while not ending.is_set():
                    reply = client.submit("app-dev", b"image %d %d" % (number, len(signed)), f"key-{number}-{len(signed)}")
                    if reply.status == 201:
                        signed.append(reply.json["id"])
            except (OSError, ValueError, instance.http.client.HTTPException):
                pass

        waiting = self.it.client("approver1")
        waiter = threading.Thread(target=lambda: waiting.get("/v1/requests?wait=60"))
        workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in (*workers, waiter):
            thread.start()
        self.it.wait(lambda: len(signed) > 50, "signatures")
        start = time.monotonic()
        self.assertEqual(self.it.stop(), 0)
        self.assertLess(machine.seconds(start) - machine.disk(20), 10)
        ending.set()
        for thread in (*workers, waiter):
            thread.join()
        status, output = self.it.run("--export", "-")
        self.assertEqual(status, 0)
        events = [json.loads(line) for line in output.splitlines()]
        self.assertEqual(events[-1]["kind"], "daemon.stopped")
        in_log = {e["request"] for e in events if e["kind"] == "request.signed"}
        self.assertEqual(set(signed) - in_log, set())

    def test_second_daemon(self):
        self.it.start()
        status, output = self.it.run()
        self.assertEqual(status, 1, output)
        self.assertIn("start-failed", output)
        self.assertEqual(self.it.client("operator1").get("/v1/health").status, 200)

    def test_export(self):
        self.it.start()
        self.it.agent.submit("app-dev")
        lines, _ = self.it.export()
        target = self.it.directory / "export"
        beside = self.it.directory / "beside"
        self.assertEqual(self.it.run("--export", beside), (0, ""))  # while the daemon runs
        self.assertEqual(beside.read_bytes().splitlines()[:len(lines) - 1], lines[:-1])
        self.it.stop()
        self.assertEqual(self.it.run("--export", target), (0, ""))
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)
        self.assertEqual(target.read_bytes().splitlines()[:len(lines) - 1], lines[:-1])
        status, output = self.it.run("--export", target)
        self.assertEqual(status, 1)
        self.assertIn("File exists", output)
        copy = self.it.directory / "copy.db"
        copy.write_bytes(self.it.database.read_bytes())
        status, output = self.it.run("--export", "-", "--database", copy)
        self.assertEqual((status, output.encode()), (0, target.read_bytes()))
        status, output = self.it.run("--export", "-", "--database", self.it.directory / "none.db")
        self.assertEqual(status, 1)
        self.assertFalse((self.it.directory / "none.db").exists())

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.it.config["listen"] = "127.0.0.1:%d" % taken.getsockname()[1]
            status, output = self.it.run()
        self.assertEqual(status, 78)
        self.assertIn("Address already in use", output)


class CommandLine(unittest.TestCase):
    def run_daemon(self, *arguments):
        run = subprocess.run([DAEMON, *arguments], text=True, capture_output=True, timeout=60, check=False)
        return run.returncode, run.stdout, run.stderr

    def test_mistakes(self):
        cases = {
            ("--frobnicate",): "--frobnicate: unknown option",
            ("-c", "x"): "-c: unknown option",
            ("file",): "file: unknown option",
            ("--config",): "--config: FILE is missing",
            ("--check=yes",): "--check: takes no argument",
            ("--check", "--version"): "--version: one thing at a time",
            ("--explain", "x"): "--as PRINCIPAL",
            ("--as", "ci"): "--as: only together with --explain",
            ("--database", "x"): "--database: only together with --export",
        }
        for arguments, message in cases.items():
            with self.subTest(arguments):
                status, out, err = self.run_daemon(*arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(message, err)

    def test_help_names_every_option(self):
        status, out, err = self.run_daemon("--help")
        self.assertEqual((status, err), (0, ""))
        page = (Path(os.environ["CS_SRCDIR"]) / "man/countersignd.8").read_text()
        for line in out.splitlines():
            if line.startswith("  --"):
                self.assertIn(f".It Fl Fl {line.split()[0][2:]}", page)

    def test_version(self):
        status, out, _ = self.run_daemon("--version")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^countersignd \d+\.\d+\.\d+\n$")

    def test_full_standard_output(self):
        with open("/dev/full", "w") as full:
            run = subprocess.run([DAEMON, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("standard output", run.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
