# SPDX-License-Identifier: Apache-2.0
"""A module that hangs, fails, lies or crashes costs one child and one exchange; the journal keeps count."""

import os
import resource
import signal
import socket
import struct
import tempfile
import threading
import time
import unittest
from pathlib import Path

import machine
import signer_client
import signers
import softhsm
from approvals import artifact, document
from signer_client import Closed

CKR_DEVICE_REMOVED = 0x32


def setUpModule():
    global work, token, keys, policy
    work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
    os.chmod(work.name, 0o755)
    token = softhsm.make(Path(work.name) / "dev", "dev")
    keys = signers.make_keys(token, "p-256")
    policy = signers.policy(token, "dev", keys)


def tearDownModule():
    work.cleanup()


def new(**more):
    return signers.Signer(token, policy, **{"shim": True, **more})


def request():
    return document(policy, [artifact(keys[0])])


def signs_again(signer, seconds=60):
    """How long until a signature comes, without what the machine lost."""
    start = time.monotonic()
    while True:
        try:
            with signer.connect(timeout=seconds) as c:
                result, = c.sign(request())
                if result.outcome == signer_client.OK:
                    return machine.seconds(start)
        except (Closed, OSError):
            pass
        assert time.monotonic() - start < seconds, signer.log_file.read_text()
        time.sleep(0.02)


def ended(signer):
    """Children that ended unasked, by the lines."""
    return len(signer.events("child-killed")) + len(signer.events("child-ends"))


def restarts(signer):
    """The same, as a child says it."""
    with signer.connect() as c:
        return c.status().restarts


def events(signer, slot=0):
    return [line["event"] for line in signer.journal(slot) if line["event"].startswith("sign-")]


class Faults(unittest.TestCase):
    def test_hang(self):
        """SIGKILL by the deadline of the call; the other child never stops."""
        with new(children=2, options=("--call-timeout", "2500")) as signer:
            with signer.connect() as a, signer.connect() as b:
                before = set(signer.child_pids())
                signer.rules("C_Sign hang 60000")
                start = time.monotonic()
                with self.assertRaises(Closed):
                    a.sign(request())
                self.assertLess(time.monotonic() - start, 20)
                signer.rules()
                self.assertEqual(b.sign(request())[0].outcome, signer_client.OK)
            signer.wait(lambda: len(signer.child_pids()) == 2 and set(signer.child_pids()) != before, "new child")
            self.assertEqual(len(signer.events("child-killed")), 1)
            self.assertEqual(restarts(signer), 1)
            begun = [events(signer, slot) for slot in (0, 1)]
            self.assertIn(["sign-begin"], begun)  # nobody knows what the token did

    def test_crash(self):
        with new() as signer:
            signer.rules("C_Sign crash 0")
            with signer.connect() as c, self.assertRaises(Closed):
                c.sign(request())
            signer.rules()
            self.assertLess(signs_again(signer), 10)
            self.assertEqual((restarts(signer), len(signer.events("child-killed"))), (ended(signer), 1))

    def test_errors(self):
        """Each: which call fails and how, what the daemon hears, whether the child is replaced."""
        rows = [
            ("C_SignInit", 0x32, signer_client.NOT_TRIED, "CKR_DEVICE_REMOVED", True),
            ("C_SignInit", 0x101, signer_client.NOT_TRIED, "CKR_USER_NOT_LOGGED_IN", True),
            ("C_SignInit", 0xB3, signer_client.NOT_TRIED, "CKR_SESSION_HANDLE_INVALID", True),
            ("C_SignInit", 0x70, signer_client.NOT_TRIED, "CKR_MECHANISM_INVALID", False),
            ("C_Sign", 0x32, signer_client.FAILED, "CKR_DEVICE_REMOVED", True),
            ("C_Sign", 0x30, signer_client.FAILED, "CKR_DEVICE_ERROR", False),
            ("C_Sign", 0x05, signer_client.FAILED, "CKR_GENERAL_ERROR", False),
            ("C_Sign", 0x80001234, signer_client.FAILED, "CKR_VENDOR_DEFINED", False),
        ]
        for function, rv, outcome, code, replaced in rows:
            with self.subTest(function, rv=hex(rv)), new() as signer:
                child = signer.child_pids()
                with signer.connect() as c:
                    signer.rules(f"{function} return {rv}")
                    result, = c.sign(request())
                    self.assertEqual((result.outcome, result.code, result.raw), (outcome, code, b""))
                    signer.rules()
                    end = [line for line in signer.journal() if line["event"] == "sign-end"][-1]
                    self.assertEqual(end["rc"], code)
                    self.assertNotIn("raw_sha256", end)
                    if replaced:
                        with self.assertRaises(Closed):
                            c.status()
                self.assertLess(signs_again(signer), 10)
                self.assertEqual(signer.child_pids() != child, replaced)
                self.assertEqual((restarts(signer) > 0, restarts(signer)), (replaced, ended(signer)))

    def test_doubtful_errors_in_a_row(self):
        """One may be this once; the self-test that follows tells. Without any key that passes it is the token."""
        with new() as signer, signer.connect() as c:
            child = signer.child_pids()
            for _ in range(4):
                signer.rules("C_Sign return 48 all:1")
                self.assertEqual(c.sign(request())[0].outcome, signer_client.FAILED)
                self.assertEqual(c.sign(request())[0].outcome, signer_client.OK)
            self.assertEqual(signer.child_pids(), child)
            signer.rules("C_Sign return 48")
            self.assertEqual(c.sign(request())[0].outcome, signer_client.FAILED)
            result, = c.sign(request())
            self.assertEqual((result.outcome, result.code), (signer_client.NOT_TRIED, "key"))
            signer.wait(lambda: signer.child_pids() != child, "a fresh child")
            signer.rules()
            self.assertLess(signs_again(signer), 10)

    def test_token_away_and_back(self):
        """While it is away nothing is tried with the PIN; when it is back it works within 10 s."""
        with new() as signer:
            signer.rules(f"C_OpenSession return {CKR_DEVICE_REMOVED}", f"C_SignInit return {CKR_DEVICE_REMOVED}")
            with signer.connect() as c:
                self.assertEqual(c.sign(request())[0].outcome, signer_client.NOT_TRIED)
            logins = len(signer.calls("C_Login"))
            signer.wait_log("child-ends", 4)
            self.assertEqual(len(signer.calls("C_Login")), logins)
            signer.rules()
            self.assertLess(signs_again(signer), 10)
            self.assertGreaterEqual(restarts(signer), 4)
            self.assertEqual(restarts(signer), ended(signer))

    def test_missing_token_at_start(self):
        with new(start=False) as signer:
            signer.rules(f"C_OpenSession return {CKR_DEVICE_REMOVED}")
            signer.start(wait=False)
            signer.wait_log("child-ends", 2)
            self.assertEqual(signer.calls("C_Login"), [])
            signer.rules()
            signer.wait_log("child-ready")

    def test_never_more_sessions_than_the_token_has(self):
        with new(start=False, children=3) as signer:
            signer.rules("C_GetTokenInfo sessions 2")
            status, output = signer.run()
            self.assertEqual(status, 78)
            self.assertIn("the token allows 2 sessions", output)
            self.assertEqual(signer.calls("C_Login"), [])
            signer.children = 2
            signer.start()

    def test_another_slot_in_disorder(self):
        """A slot whose C_GetTokenInfo fails is somebody else's; ours is looked for further on."""
        with new(start=False) as signer:
            signer.rules("C_GetTokenInfo return 48 2")  # the second slot is SoftHSM's empty one
            signer.start()

    def test_a_token_that_lies_fails_the_self_test(self):
        with new(start=False) as signer:
            signer.rules("C_Sign flip 0")
            signer.start(wait=False)
            signer.wait_log("keys-not-usable")
            with signer.connect() as c:
                health = c.status()
                self.assertEqual((health.ready, health.failed), (False, 1))
                self.assertIn("self-test", health.message)
                result, = c.sign(request())
                self.assertEqual((result.outcome, result.code), (signer_client.NOT_TRIED, "key"))
                self.assertEqual(events(signer), [])
                signer.rules()
                signer.wait(lambda: c.status().ready, "a self-test that passes")
                self.assertEqual(c.sign(request())[0].outcome, signer_client.OK)

    def test_self_tests_come_again(self):
        with new(options=("--selftest-interval", "1")) as signer, signer.connect() as c:
            first = c.status().selftest_time
            signer.wait(lambda: c.status().selftest_time > first, "another self-test")
            tbs = [line["tbs_sha256"] for line in signer.journal() if line["event"] == "selftest-begin"]
            self.assertEqual(len(set(tbs)), len(tbs), "a self-test signs a new value each time")


class Journal(unittest.TestCase):
    def test_no_line_no_signature(self):
        """A file that may not grow stands for a full disk."""
        with new(separate=False) as signer:
            size = (signer.state / "journal-0.ndjson").stat().st_size
            child, = signer.child_pids()
            resource.prlimit(child, resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
            calls = len(signer.calls("C_Sign"))
            with signer.connect() as c:
                result, = c.sign(request())
                self.assertEqual((result.outcome, result.code), (signer_client.NOT_TRIED, "journal"))
                self.assertEqual(len(signer.calls("C_Sign")), calls)
                self.assertEqual((signer.state / "journal-0.ndjson").stat().st_size, size)
                resource.prlimit(child, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
                self.assertEqual(c.sign(request())[0].outcome, signer_client.OK)

    def test_cut_line(self):
        with new(start=False) as signer:
            signer.start()
            signer.stop()
            path = signer.state / "journal-0.ndjson"
            whole = path.read_bytes()
            last = signer.journal()[-1]["seq"]
            path.write_bytes(whole[:-20])
            signer.start(wait=False)
            signer.wait_log("child-ready", 2)
            lines = path.read_bytes().splitlines()
            self.assertEqual(path.read_bytes()[:len(whole) - 20], whole[:-20])
            notes = [line for line in signer.journal() if line["event"] == "note"]
            self.assertEqual([note["message"] for note in notes], ["start", "cut line", "start"])
            self.assertEqual(notes[1]["seq"], last)
            self.assertEqual(lines.index(whole[:-20].splitlines()[-1]) + 1,
                             [b'"cut line"' in line for line in lines].index(True))

    def test_rotation(self):
        with new(start=False, shim=False) as signer:
            signer.start()
            signer.stop()
            path = signer.state / "journal-0.ndjson"
            lines = path.read_bytes()
            with open(path, "r+b") as f:  # a sparse 64 MiB before the lines
                f.seek(64 << 20)
                f.write(b"\n" + lines)
            signer.start(wait=False)
            signer.wait_log("child-ready", 2)
            with signer.connect() as c:
                c.sign(request())
            rotated, = signer.state.glob("journal-0.*.ndjson")
            number = int(rotated.name.split(".")[1])
            self.assertEqual(signer.journal()[0]["seq"], number + 1)
            path.unlink()
            path.touch()
            signer.own()
            signer.stop()
            signer.start(wait=False)
            signer.wait_log("child-ready", 3)
            self.assertEqual(signer.journal()[0]["seq"], number + 1)


class Life(unittest.TestCase):
    def test_killed_children_under_load(self):
        """Whatever came back verifies against the journal: begin before, end after, no number twice."""
        with new(children=2, shim=False) as signer:
            stop = threading.Event()
            counts = [0, 0]

            def load(number):
                while not stop.is_set():
                    try:
                        with signer.connect() as c:
                            while not stop.is_set():
                                counts[number] += c.sign(request())[0].outcome == signer_client.OK
                    except (Closed, OSError):
                        pass

            threads = [threading.Thread(target=load, args=(n,)) for n in range(2)]
            for thread in threads:
                thread.start()
            for _ in range(6):
                ready = len(signer.events("child-ready"))
                time.sleep(0.1)
                os.kill(signer.child_pids()[-1], signal.SIGKILL)
                signer.wait_log("child-ready", ready + 1)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(signer.stop(), 0)
            done = 0
            for slot in range(2):
                lines = signer.journal(slot)
                self.assertEqual([line["seq"] for line in lines], list(range(1, len(lines) + 1)))
                previous = None
                for line in lines:
                    if line["event"] == "sign-end":
                        self.assertEqual(previous["event"], "sign-begin")
                        self.assertEqual(previous["request"], line["request"])
                        done += 1
                    previous = line
            self.assertGreaterEqual(done, sum(counts))
            self.assertLessEqual(done, sum(counts) + 6)

    def test_restarts_are_counted(self):
        """Every child says the same, also one that never ended; a reload does not count, a start begins anew."""
        def said():
            with signer.connect() as a, signer.connect() as b:
                return a.status().restarts, b.status().restarts

        with new(children=2, shim=False) as signer:
            signer.wait_log("child-ready", 2)
            self.assertEqual(said(), (0, 0))
            for count in (1, 2):
                os.kill(signer.child_pids()[-1], signal.SIGKILL)
                signer.wait_log("child-ready", 2 + count)
                self.assertEqual(said(), (count, count))
            signer.write_policy({**policy, "version": 2})
            signer.signal(signal.SIGHUP)
            signer.wait_log("reloaded")
            self.assertEqual(len(signer.events("child-ready")), 6)
            self.assertEqual(said(), (2, 2))
            self.assertEqual(signer.stop(), 0)
            signer.start(wait=False)
            signer.wait_log("child-ready", 8)
            self.assertEqual(said(), (0, 0))

    def test_a_child_that_must_be_killed_at_a_reload_counts(self):
        """It ended by a deadline, not because it was asked."""
        with new(options=("--call-timeout", "2500")) as signer, signer.connect() as c:
            signer.rules("C_Sign hang 60000 all:1")
            c.send(signer_client.SIGN, signer_client.sign_body(request()))
            signer.wait(lambda: events(signer) == ["sign-begin"], "begin of the call")
            signer.write_policy({**policy, "version": 2})
            signer.signal(signal.SIGHUP)
            signer.wait_log("reloaded")
            self.assertEqual((restarts(signer), ended(signer)), (1, 1))

    def test_a_stop_finishes_the_exchange(self):
        with new() as signer:
            signer.rules("C_Sign hang 2000")
            with signer.connect() as c:
                c.send(signer_client.SIGN, signer_client.sign_body(request()))
                signer.wait(lambda: events(signer) == ["sign-begin"], "begin of the call")
                signer.signal(signal.SIGTERM)
                self.assertEqual(c.receive()[0], signer_client.RESULT)
                self.assertEqual(c.receive()[0], signer_client.DONE)
                with self.assertRaises(Closed):
                    c.receive()
            self.assertEqual(signer.stop(), 0)
            self.assertEqual(events(signer), ["sign-begin", "sign-end"])
            self.assertFalse(signer.socket.exists())

    def test_children_do_not_outlive_the_parent(self):
        with new(children=2) as signer:
            children = signer.child_pids()
            signer.process.kill()
            signer.process.wait()
            signer.process = None
            signer.wait(lambda: not any(map(machine.lives, children)), "end of the children")

    def test_a_child_that_logs_in_does_not_outlive_the_parent(self):
        """It would keep the socket and the state directory, and no other signer could start."""
        with new(start=False) as signer:
            signer.rules("C_Login hang 4000")
            signer.start(wait=False)
            signer.wait(signer.child_pids, "a child")
            child, = signer.child_pids()
            marker = signer.state / "pin-marker"
            signer.wait(lambda: marker.exists() and "trying" in marker.read_text(), "login")
            signer.process.kill()
            signer.process.wait()
            signer.process = None
            try:
                signer.wait(lambda: not machine.lives(child), "end of the child")
            finally:
                if machine.lives(child):
                    os.kill(child, signal.SIGKILL)

    def test_process_is_hardened(self):
        with new() as signer:
            for pid in (signer.process.pid, *signer.child_pids()):
                status = Path(f"/proc/{pid}/status").read_text()
                self.assertIn("NoNewPrivs:\t1", status)
                limits = Path(f"/proc/{pid}/limits").read_text()
                self.assertRegex(limits, r"Max core file size +0 +0")
                # what may not be dumped belongs to root in /proc
                self.assertEqual(Path(f"/proc/{pid}/mem").stat().st_uid, 0)

    def test_the_service_manager_is_told(self):
        """READY once a child serves, RELOADING around a reload, WATCHDOG in between, STOPPING at the end."""
        with new(start=False, separate=False) as signer, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            path = str(signer.directory / "notify")
            manager.bind(path)
            manager.settimeout(60)
            signer.env.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")

            def hear(word):
                heard = []
                while not any(line.startswith(word) for line in heard):
                    heard += manager.recv(4096).decode().splitlines()
                return heard

            signer.start(wait=False)
            hear("READY=1")
            hear("WATCHDOG=1")
            signer.write_policy({**policy, "version": 2})
            signer.signal(signal.SIGHUP)
            hear("RELOADING=1")
            hear("READY=1")
            signer.signal(signal.SIGTERM)
            hear("STOPPING=1")


class Frames(unittest.TestCase):
    def test_malformed(self):
        """Each is answered by ERROR that names the field, and the end of the connection."""
        good = signer_client.sign_body(request())
        number = struct.Struct(">I").pack
        rows = [
            ("unknown type", 9, b"", "type 9"),
            ("HELLO from the daemon", signer_client.HELLO, b"", "type 1"),
            ("STATUS with a body", signer_client.STATUS, b"x", "STATUS"),
            ("empty SIGN", signer_client.SIGN, b"", "document"),
            ("no document", signer_client.SIGN, number(0) + number(0) + number(1) + number(0) + number(1), "document"),
            ("document too long", signer_client.SIGN, number(32769) + bytes(32769), "document"),
            ("cut", signer_client.SIGN, good[:-1], "attempt"),
            ("one byte more", signer_client.SIGN, good + b"\0", "after its last field"),
            ("65 decisions", signer_client.SIGN, signer_client.sign_body(b"x", [b"y"] * 65), "decisions"),
            ("empty decision", signer_client.SIGN, signer_client.sign_body(b"x", [b""]), "decision"),
            ("long decision", signer_client.SIGN, signer_client.sign_body(b"x", [bytes(16385)]), "decision"),
            ("no artifact", signer_client.SIGN, signer_client.sign_body(b"x", (), ()), "artifacts"),
            ("17 artifacts", signer_client.SIGN, signer_client.sign_body(b"x", (), [(n, 1) for n in range(17)]),
             "artifacts"),
            ("artifact twice", signer_client.SIGN, signer_client.sign_body(b"x", (), [(0, 1), (0, 1)]), "index"),
            ("index 16", signer_client.SIGN, signer_client.sign_body(b"x", (), [(16, 1)]), "index"),
            ("attempt 0", signer_client.SIGN, signer_client.sign_body(b"x", (), [(0, 0)]), "attempt"),
        ]
        with new() as signer:
            calls = len(signer.calls("C_Sign"))
            for name, kind, body, word in rows:
                with self.subTest(name), signer.connect() as c:
                    c.send(kind, body)
                    kind, text = c.receive()
                    self.assertEqual(kind, signer_client.ERROR)
                    self.assertIn(word, text.decode())
                    with self.assertRaises(Closed):
                        c.receive()
            for name, head in (("too long", number(4194305) + b"\2"), ("without a type", number(0) + b"\2")):
                with self.subTest(name), signer.connect() as c:
                    c.socket.sendall(head)
                    self.assertEqual(c.receive()[0], signer_client.ERROR)
            self.assertEqual(len(signer.calls("C_Sign")), calls)
            self.assertLess(signs_again(signer), 10)


if __name__ == "__main__":
    unittest.main()
