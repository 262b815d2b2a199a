# SPDX-License-Identifier: Apache-2.0
"""A full disk refuses and recovers; a failed fsync ends the daemon. Nothing is released without its rows."""

import json
import os
import threading
import unittest
from pathlib import Path

from instance import Instance

SHIM = Path(os.environ.get("CS_BUILDDIR", ".")) / "tests/lib/.libs/io_shim.so"
LOG_BROKEN = 74


class Disk(unittest.TestCase):
    def setUp(self):
        self.it = Instance(start=False, shim=True)
        self.addCleanup(self.it.end)
        self.flag = self.it.directory / "flag"
        self.it.start_signers()
        self.it.start(env={"LD_PRELOAD": str(SHIM), "CS_SHIM_NAME": str(self.it.database),
                           "CS_SHIM_FLAG": str(self.flag),
                           # a sanitizer minds who is first; others do not read this
                           "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")})

    def test_a_full_disk_signs_nothing_and_recovers(self):
        agent = self.it.agent
        self.assertEqual(agent.submit("app-dev", b"before").status, 201)
        size = self.it.head()["size"]
        self.flag.write_text("ENOSPC")
        refused = agent.submit("app-dev", b"during")
        self.assertIn(refused.status, (503, 507), refused.body)
        self.assertEqual(refused.headers["Content-Type"], "application/problem+json")
        self.assertIn("disk", refused.json["detail"])
        self.assertEqual(self.it.head()["size"], size)
        ready = self.it.client("operator1").get("/v1/ready")
        self.assertEqual(ready.status, 503, ready.body)
        self.flag.unlink()
        self.assertEqual(agent.submit("app-dev", b"during").status, 201)
        self.it.wait(lambda: self.it.client("operator1").get("/v1/ready").status == 200, "ready")
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)

    def test_an_outcome_that_could_not_be_written_is_unknown_and_tried_again(self):
        dev, replies = self.it.signers["dev"], []
        dev.rules("C_Sign hang 1500")
        client = threading.Thread(target=lambda: replies.append(self.it.agent.submit("app-dev", b"image")))
        client.start()
        self.it.wait(lambda: any(line["event"] == "sign-begin" for line in dev.journal()), "a signature")
        self.flag.write_text("ENOSPC")
        client.join()
        self.assertNotIn("signatures", replies[0].json, "released before its outcome was written")
        dev.rules()
        self.flag.unlink()
        lines = []

        def signed():
            lines[:], self.head = self.it.export()
            return any(b'"kind":"request.signed"' in line for line in lines)

        self.it.wait(signed, "signed")
        self.assertEqual(len([line for line in lines if b'"kind":"sign.unknown"' in line]), 1)
        self.assertEqual(self.it.verify(lines, self.head)[0], 0)

    def test_the_first_of_two_outcomes_that_could_not_be_written(self):
        """It becomes unknown before anything is tried again, although the second was written."""
        dev, replies = self.it.signers["dev"], []
        artifacts = [{"name": name, "digest": {"algorithm": "sha256", "value": "5a" * 32}, "size": 1, "key": key}
                     for name, key in (("app", "app-dev"), ("boot", "boot-dev"))]
        dev.rules("C_Sign hang 1500")
        client = threading.Thread(
            target=lambda: replies.append(self.it.agent.post("/v1/requests", {"artifacts": artifacts})))
        client.start()
        self.it.wait(lambda: any(line["event"] == "sign-begin" for line in dev.journal()), "a signature")
        self.flag.write_text("ENOSPC")
        self.it.wait(lambda: any(line["event"] == "outcome-not-recorded" for line in self.it.log()), "lost outcome")
        self.flag.unlink()
        dev.rules()
        client.join()
        self.it.wait_state(replies[0].json["id"], "signed")
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)
        history = [(event["kind"], event["detail"]["attempt"]) for event in map(json.loads, lines)
                   if event["kind"].startswith("sign.") and event["detail"]["artifact"] == 0]
        self.assertEqual(history, [("sign.intent", 1), ("sign.unknown", 1), ("sign.intent", 2), ("sign.done", 2)])

    def test_a_failed_fsync_ends_the_daemon_and_nothing_is_released(self):
        self.flag.write_text("EIO")
        with self.assertRaises(OSError):
            reply = self.it.agent.submit("app-dev", b"image")
            raise AssertionError(f"an answer came: {reply.status} {reply.body}")
        self.assertEqual(self.it.process.wait(60), LOG_BROKEN)
        self.assertTrue([line for line in self.it.log() if line["event"] == "log-broken"])
        self.flag.unlink()
        self.it.start()
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)


if __name__ == "__main__":
    unittest.main()
