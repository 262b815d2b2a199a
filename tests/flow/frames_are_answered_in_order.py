# SPDX-License-Identifier: Apache-2.0
"""A signer handles the frames of a connection one after the other; behind an unanswered one none is begun."""

import json
import os
import signal
import struct
import tempfile
import time
import unittest
from pathlib import Path

import signer_client
import signers
import softhsm
from approvals import artifact, document
from signer_client import DONE, ERROR, HEALTH, RESULT, SIGN, STATUS, Closed, sign_body
from verify_signature import verify


def setUpModule():
    global work, key, policy, signer
    work = tempfile.TemporaryDirectory(prefix="cs", dir="/tmp")
    os.chmod(work.name, 0o755)
    token = softhsm.make(Path(work.name) / "dev", "dev")
    key, = signers.make_keys(token, "p-256")
    policy = signers.policy(token, "dev", [key])
    signer = signers.Signer(token, policy, shim=True)


def tearDownModule():
    signer.end()
    work.cleanup()


def request(name):
    return document(policy, [artifact(key, name)])


def frame(kind, body=b""):
    return struct.pack(">IB", len(body) + 1, kind) + body


def sign_frame(doc):
    return frame(SIGN, sign_body(doc))


def raw(body):
    """The signature of a RESULT."""
    r = signer_client.Reader(body)
    r.number(">I")
    outcome, _, message = r.number("B"), r.text(), r.text()
    assert outcome == signer_client.OK, message
    return r.string()


def begun(*docs):
    """Which of these requests' signatures were begun, in the order of the journal."""
    ids = [json.loads(doc)["id"] for doc in docs]
    return [ids.index(line["request"]) for line in signer.journal()
            if line["event"] == "sign-begin" and line["request"] in ids]


def kinds(c):
    """The types of what comes until the connection ends."""
    found = []
    try:
        while True:
            found.append(c.receive()[0])
    except Closed:
        return found


class FramesAreAnsweredInOrder(unittest.TestCase):
    def setUp(self):
        signer.rules()

    def test_sent_at_once(self):
        """The answers come in the order of the frames, each about its own document."""
        docs = [request("first"), request("second")]
        with signer.connect() as c:
            c.socket.sendall(sign_frame(docs[0]) + frame(STATUS) + sign_frame(docs[1]))
            answers = [c.receive() for _ in range(6)]
        self.assertEqual([kind for kind, _ in answers], [RESULT, DONE, HEALTH, DONE, RESULT, DONE])
        for doc, (_, body) in zip(docs, (answers[0], answers[4])):
            verify(key, json.loads(doc)["artifacts"][0], raw(body))
        self.assertEqual(begun(*docs), [0, 1])

    def test_sent_in_pieces(self):
        """Wherever the stream is cut, the frames in it are the same."""
        docs = [request("first"), request("second")]
        stream = b"".join(map(sign_frame, docs))
        for cut in (1, 4, 5, len(stream) // 2 - 1, len(stream) // 2 + 3, len(stream) - 1):
            with self.subTest(cut), signer.connect() as c:
                c.socket.sendall(stream[:cut])
                time.sleep(0.005)  # whether the signer sees the pieces apart decides nothing
                c.socket.sendall(stream[cut:])
                self.assertEqual([c.receive()[0] for _ in range(4)], [RESULT, DONE] * 2)

    def test_nobody_reads_the_first_answer(self):
        docs = [request("first"), request("second")]
        signer.rules("C_Sign hang 2500")  # time enough to see it begin and to hang up
        with signer.connect() as c:
            c.socket.sendall(b"".join(map(sign_frame, docs)))
            signer.wait(lambda: begun(*docs), "first begin")
        with signer.connect():  # the child has done with the connection before
            self.assertEqual(begun(*docs), [0])

    def test_somebody_reads_the_first_answer(self):
        """The control of the test above: nothing but the end of the connection kept the second."""
        docs = [request("first"), request("second")]
        signer.rules("C_Sign hang 300")
        with signer.connect() as c:
            c.socket.sendall(b"".join(map(sign_frame, docs)))
            self.assertEqual([c.receive()[0] for _ in range(4)], [RESULT, DONE] * 2)
        self.assertEqual(begun(*docs), [0, 1])

    def test_one_is_malformed(self):
        """What stands before it is answered, what stands behind it is not looked at."""
        docs = [request("first"), request("second")]
        with signer.connect() as c:
            c.socket.sendall(sign_frame(docs[0]) + frame(99) + sign_frame(docs[1]))
            self.assertEqual(kinds(c), [RESULT, DONE, ERROR])
        with signer.connect():
            self.assertEqual(begun(*docs), [0])

    def test_a_stop_comes_in_between(self):
        """However many frames wait: the one that has begun is answered, the child ends before the next."""
        docs = [request(str(number)) for number in range(20)]
        child, = signer.child_pids()
        signer.rules("C_Sign hang 200")
        with signer.connect() as c:
            c.socket.sendall(b"".join(map(sign_frame, docs)))
            self.assertEqual(c.receive()[0], RESULT)
            os.kill(child, signal.SIGTERM)
            answers = [RESULT, *kinds(c)]
        count = answers.count(DONE)
        self.assertLess(count, len(docs))
        self.assertEqual(answers, [RESULT, DONE] * count)
        self.assertEqual(begun(*docs), list(range(count)))
        signer.rules()
        signer.wait(lambda: signer.child_pids() not in ([], [child]), "another child")


if __name__ == "__main__":
    unittest.main()
