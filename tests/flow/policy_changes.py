# SPDX-License-Identifier: Apache-2.0
"""A reload is all or nothing, and what it changes holds for the next request, on open connections too."""

import copy
import json
import os
import signal
import unittest

from instance import Instance


class Reload(unittest.TestCase):
    def setUp(self):
        self.it = Instance()
        self.addCleanup(self.it.end)
        self.agent = self.it.agent

    def next_policy(self):
        self.it.policy = copy.deepcopy(self.it.policy)
        self.it.policy["version"] += 1
        return self.it.policy

    def key(self, name):
        return next(k for k in self.it.policy["keys"] if k["name"] == name)

    def reload(self):
        """Reload, and wait until daemon and signers agree again."""
        before = len([line for line in self.it.log() if line["event"] == "reloaded"])
        self.it.reload()
        self.it.wait(lambda: len([x for x in self.it.log() if x["event"] == "reloaded"]) > before, "reloaded")
        self.it.wait(lambda: self.it.client("operator1").get("/v1/ready").status == 200, "ready")

    def test_a_disabled_key_signs_nothing_from_the_next_request_on(self):
        self.assertEqual(self.agent.submit("app-dev", b"1").status, 201)
        self.next_policy()
        self.key("app-dev")["disabled"] = True
        self.reload()
        reply = self.agent.submit("app-dev", b"2")
        self.assertEqual(reply.status, 403, reply.body)
        self.assertIn("disabled", json.dumps(reply.json))
        self.assertEqual(self.agent.submit("app-dev", b"1").status, 200, "what was signed before is still there")

    def test_a_removed_agent_is_refused_on_its_open_connection(self):
        self.assertEqual(self.agent.submit("app-dev", b"1").status, 201)
        self.it.access["principals"] = [p for p in self.it.access["principals"] if p["name"] != "ci"]
        self.reload()
        self.assertIn(self.agent.get("/v1/keys").status, (401, 403))

    def test_a_broken_file_changes_nothing(self):
        self.next_policy()
        del self.key("app-prod")["quorum"]
        self.it.write_files()
        self.it.process.send_signal(signal.SIGHUP)
        self.it.wait(lambda: [x for x in self.it.log() if x["event"] == "reload-failed"], "reload-failed")
        self.assertEqual(self.agent.submit("app-dev", b"1").status, 201)
        self.assertEqual(self.agent.submit("app-prod", b"1").json["missing"], 2)

    def test_a_removed_approvers_approval_no_longer_counts(self):
        request_id = self.agent.submit("app-prod", b"1").json["id"]
        self.it.approve(request_id, "approver2")
        policy = self.next_policy()
        policy["approvers"] = [a for a in policy["approvers"] if a["person"] != "approver2"]
        self.it.access["principals"] = [p for p in self.it.access["principals"] if p["name"] != "approver2"]
        self.reload()
        self.it.approve(request_id, "approver1")
        self.assertEqual(self.it.request(request_id)["state"], "pending")
        self.it.approve(request_id, "approver3")
        self.it.wait_state(request_id, "signed")

    def test_a_raised_quorum_takes_an_approved_request_back(self):
        self.it.signers["prod"].stop()  # so that it stays approved
        request_id = self.agent.submit("app-prod", b"1").json["id"]
        self.it.approve(request_id, "approver1", "approver2")
        self.it.wait_state(request_id, "approved")  # the first attempt may still find out
        self.next_policy()
        self.key("app-prod")["quorum"] = [{"group": "release", "count": 2}, {"group": "security", "count": 1}]
        self.it.write_files()
        self.it.process.send_signal(signal.SIGHUP)
        self.it.wait_state(request_id, "pending")
        self.it.signers["prod"].start()
        self.it.signers["dev"].signal(signal.SIGHUP)
        self.it.approve(request_id, "approver3")
        self.it.wait_state(request_id, "signed")

    def test_a_raised_quorum_takes_back_what_an_attempt_left(self):
        child, = self.it.signers["prod"].child_pids()
        os.kill(child, signal.SIGSTOP)
        self.addCleanup(os.kill, child, signal.SIGCONT)
        request_id = self.agent.submit("app-prod", b"1").json["id"]
        self.it.approve(request_id, "approver1", "approver2")
        self.it.wait_state(request_id, "signing")
        self.next_policy()
        self.key("app-prod")["quorum"] = [{"group": "release", "count": 2}, {"group": "security", "count": 1}]
        self.it.write_files()
        self.it.process.send_signal(signal.SIGHUP)
        self.it.wait_state(request_id, "pending")
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0)

    def test_a_replaced_key_cancels_what_waits_for_the_old_one(self):
        request_id = self.agent.submit("app-prod", b"1").json["id"]
        self.next_policy()
        token = self.it.signers["prod"].token
        self.key("app-prod").update(public_key=token.keygen("app-prod-2", "07", "p-256"), cka_id="07")
        self.it.signers["prod"].own()
        self.reload()
        view = self.it.request(request_id)
        self.assertEqual(view["state"], "cancelled")
        self.assertIn("key", view["reason"])


if __name__ == "__main__":
    unittest.main()
