# SPDX-License-Identifier: Apache-2.0
"""What rules for code signing ask of a server, as its clients and its operator see it: C1, C3, C4, C6, C7, C11, C14.

Each test ends with what is allowed, so that it cannot pass on a server that refuses everything.
"""

import hashlib
import re
import shutil
import sqlite3
import time
import unittest
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import faults
from instance import Instance

# the library itself: the program of that name would be a process between the test and the daemon
FAKETIME = "/usr/$LIB/faketime/libfaketime.so.1"
SQL = Path(__file__).resolve().parents[2] / "src/store/sqlite/sql.h"


def stamp(**delta):
    return (datetime.now(timezone.utc) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Shared(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        def own_robot(access):
            for principal in access["principals"]:
                if principal["name"] == "ci2":
                    principal.update(person="approver2", keys=["app-dev", "app-prod"])

        cls.it = Instance(change_access=own_robot)
        cls.addClassCleanup(cls.it.end)
        cls.agent = cls.it.agent

    def submit(self, algorithm, value, key="app-dev"):
        artifact = {"name": "app", "digest": {"algorithm": algorithm, "value": value}, "size": 1, "key": key}
        return self.agent.post("/v1/requests", {"artifacts": [artifact]})


class Keys(Shared):
    def test_c1_a_software_token_is_announced(self):
        said = [line["message"] for line in self.it.log() if line["event"] == "software-token"]
        self.assertEqual(len(said), 1, "the prod token, and not the dev token")
        self.assertIn("token prod", said[0])
        for name in ("app-prod", "boot-prod"):
            self.assertIs(self.agent.get(f"/v1/keys/{name}").json["software_token"], True)

    def test_c3_weak_hashes_are_impossible(self):
        for algorithm in ("sha1", "md5", "sha224", "SHA-1", "none"):
            self.assertEqual(self.submit(algorithm, "00" * 20).status, 400, algorithm)

    def test_c3_c11_a_digest_has_its_algorithms_length(self):
        good = hashlib.sha256(b"image").hexdigest()
        for value in (hashlib.sha1(b"image").hexdigest(), hashlib.md5(b"image").hexdigest(), good[:-2], good[:-1],
                      good + "00", hashlib.sha512(b"image").hexdigest(), "", good.upper(), "zz" * 32):
            reply = self.submit("sha256", value)
            self.assertEqual(reply.status, 400, value)
            self.assertIn("digest", reply.json["detail"])
        self.assertEqual(self.submit("sha256", good).status, 201)

    def test_c4_a_key_has_one_hash(self):
        for name in ("sha384", "sha512"):
            reply = self.submit(name, hashlib.new(name, b"image").hexdigest())
            self.assertIn(reply.status, (400, 403), reply.body)
            self.assertIn("sha256", reply.json["detail"])
        self.assertEqual(self.submit("sha256", hashlib.sha256(b"c4").hexdigest()).status, 201)

    def test_c7_nobody_approves_what_her_own_robot_asked(self):
        request = self.it.client("ci2").submit("app-prod", b"c7").json["id"]
        self.assertEqual(self.it.decide(request, "approver2").status, 403)
        self.assertEqual(self.it.decide(request, "approver3").status, 200)
        self.assertEqual(self.it.request(request)["votes"][0]["person"], "approver3")

    def test_c14_what_was_asked_by_whom_and_when_is_in_the_log(self):
        digest = hashlib.sha256(b"c14").hexdigest()
        request = self.submit("sha256", digest).json["id"]
        lines, _ = self.it.export()
        own = [line for line in lines if request.encode() in line]
        kinds = [re.search(rb'"kind":"([^"]+)"', line)[1].decode() for line in own]
        self.assertEqual(kinds, ["request.created", "sign.intent", "sign.done", "request.signed"])
        self.assertIn(b'"actor":"ci"', own[0])
        self.assertTrue(all(re.search(rb'"time":"20[0-9T:.-]+Z"', line) for line in own))


class Policies(unittest.TestCase):
    """What cannot be configured."""

    @classmethod
    def setUpClass(cls):
        cls.it = Instance(start=False)
        cls.addClassCleanup(cls.it.end)
        cls.it.signer_arguments["start"] = False  # the configuration must name them
        cls.it.start_signers()

    def check(self, change_policy=None, change_access=None):
        self.it.make_policy(change=change_policy)
        self.it.make_access(change_access)
        return self.it.run("--check")

    def refused(self, word, **changes):
        status, output = self.check(**changes)
        self.assertNotEqual(status, 0)
        self.assertRegex(output, word)

    def setUp(self):
        status, output = self.check()
        self.assertNotIn("signing.yaml:", output)
        self.assertNotIn("access.yaml:", output)

    def key(self, policy, name):
        return next(key for key in policy["keys"] if key["name"] == name)

    def test_c4_one_key_has_one_name_format_and_environment(self):
        def twice(policy):
            policy["keys"].append({**self.key(policy, "boot-prod"), "name": "boot2-prod", "format": "rsa-pkcs1"})

        def both(policy):
            self.key(policy, "app-dev")["public_key"] = self.key(policy, "app-prod")["public_key"]

        def one_token(policy):
            policy["tokens"][1].update(label=policy["tokens"][0]["label"], serial=policy["tokens"][0]["serial"])

        self.refused("boot2?-prod", change_policy=twice)
        self.refused("app-(dev|prod)", change_policy=both)
        self.refused("both environments", change_policy=one_token)
        self.refused("format", change_policy=lambda p: self.key(p, "app-prod").update(format="rsa-pss"))

    def test_c7_a_person_has_one_kind_of_role(self):
        def principal(access, name):
            return next(p for p in access["principals"] if p["name"] == name)

        def agent_too(access):
            principal(access, "ci").update(certificates=principal(access, "approver1")["certificates"])

        def two_roles(access):
            principal(access, "ci")["role"] = "agent, approver"

        def own_auditor(access):
            principal(access, "auditor1").update(person="approver1", role="approver",
                                                 certificates=principal(access, "approver1")["certificates"])

        for change in (agent_too, two_roles, own_auditor):
            self.refused("access.yaml", change_access=change)

    def test_c8_a_prod_key_needs_two(self):
        for quorum in ([], [{"group": "release", "count": 1}]):
            self.refused("quorum", change_policy=lambda p, q=quorum: self.key(p, "app-prod").update(quorum=q))


class Lifetimes(unittest.TestCase):
    """C6"""

    def setUp(self):
        self.it = Instance()
        self.addCleanup(self.it.end)

    def reload(self, **members):
        before = len([x for x in self.it.log() if x["event"] == "reloaded"])
        self.it.policy["version"] += 1
        for name in ("app-dev", "app-prod"):
            key = next(k for k in self.it.policy["keys"] if k["name"] == name)
            for member in ("not_before", "not_after", "disabled", "max_uses"):
                key.pop(member, None)
            key.update(members)
        self.it.reload()
        self.it.wait(lambda: len([x for x in self.it.log() if x["event"] == "reloaded"]) > before, "reloaded")
        self.it.wait(lambda: self.it.client("operator1").get("/v1/ready").status == 200, "ready")

    def rule(self, image):
        reply = self.it.agent.submit("app-dev", image)
        return reply.status, reply.json.get("rule")

    def test_a_key_signs_within_its_life_only(self):
        for number, (members, rule) in enumerate([
                ({"not_before": stamp(hours=1)}, "key-not-yet-valid"), ({"not_after": stamp(hours=-1)}, "key-expired"),
                ({"disabled": True}, "key-disabled")]):
            self.reload(**members)
            self.assertEqual(self.rule(b"%d" % number), (403, rule))
        self.reload(not_before=stamp(hours=-1), not_after=stamp(hours=1))
        request = self.it.agent.submit("app-dev", b"within")
        self.assertIn(request.status, (201, 202), request.body)
        self.it.wait_state(request.json["id"], "signed")

    def test_a_key_that_expires_while_a_request_waits_signs_nothing(self):
        end = time.time() + 12  # long enough for the reload and one approval
        self.reload(not_after=stamp(seconds=12))
        request = self.it.agent.submit("app-prod", b"late").json["id"]
        self.it.approve(request, "approver1")
        time.sleep(max(0, end + 1.1 - time.time()))
        self.it.decide(request, "approver2")
        time.sleep(1.5)
        self.assertIn(self.it.request(request)["state"], ("approved", "expired"))
        lines, _ = self.it.export()
        self.assertFalse([line for line in lines if b'"kind":"sign.intent"' in line])
        self.reload()
        other = self.it.agent.submit("app-prod", b"in time").json["id"]
        self.it.approve(other, "approver1", "approver2")
        self.it.wait_state(other, "signed")

    def sign(self, image):
        """Ask for a dev signature: the state in which it ends."""
        reply = self.it.agent.submit("app-dev", image)
        if reply.status == 403:
            return reply.json["rule"]
        request = reply.json["id"]
        ends = ("signed", "failed", "cancelled")
        self.it.wait(lambda: self.it.request(request)["state"] in ends, "an end")
        return self.it.request(request)["state"]

    def test_a_key_makes_no_more_signatures_than_max_uses(self):
        self.assertEqual(self.sign(b"without a limit"), "signed")
        self.reload(max_uses=3)
        self.assertEqual([self.sign(b"%d" % n) for n in range(2)], ["signed"] * 2)
        waiting = [self.it.agent.submit("app-prod", b"%d" % n).json["id"] for n in range(5)]
        self.it.stop()
        self.it.start()
        self.assertEqual([self.sign(b"%d" % n) for n in range(2, 5)], ["signed", "key-used-up", "key-used-up"])
        for request in waiting:
            self.it.decide(request, "approver1")
            self.it.decide(request, "approver2")
        self.it.wait(lambda: all(self.it.request(r)["state"] in ("signed", "cancelled") for r in waiting), "all ended")
        views = [self.it.request(request) for request in waiting]
        self.assertEqual(sorted(view["state"] for view in views), ["cancelled"] * 2 + ["signed"] * 3)
        self.assertTrue(all("max_uses" in v["reason"] for v in views if v["state"] == "cancelled"))
        status, output = self.it.verify(*self.it.export())
        self.assertEqual(status, 0, output)
        self.a_signer_counts_by_itself()
        self.reload(max_uses=10)
        self.assertEqual(self.sign(b"once more"), "signed")

    def a_signer_counts_by_itself(self):
        """The daemon forgot, or was taken over."""
        self.it.stop()
        with closing(sqlite3.connect(self.it.database)) as db, db:
            forgotten = db.execute("DELETE FROM meta WHERE name LIKE 'uses:%'").rowcount
        self.assertEqual(forgotten, 2)
        self.it.start()
        request = self.it.agent.submit("app-dev", b"one more").json["id"]
        self.it.wait(lambda: [line for line in self.it.export()[0] if b'"code":"key-used-up"' in line], "the refusal")
        self.assertEqual(self.it.request(request)["state"], "approved")


class Kept(unittest.TestCase):
    """C14: nothing is ever deleted from the log."""

    def test_no_statement_touches_an_event(self):
        statements = re.findall(r'[RW]\((\w+),(.*?)\)\s*\\?\n', SQL.read_text(encoding="utf-8"), re.DOTALL)
        self.assertGreater(len(statements), 20)
        for name, text in statements:
            self.assertNotRegex(text, r'(?i)(DELETE FROM|UPDATE|REPLACE INTO|DROP TABLE) "?event\b', name)
        self.assertTrue([name for name, text in statements if "DELETE FROM signature" in text], "what is deleted is seen")

    def test_eleven_years_later_everything_is_there(self):
        with Instance() as it:
            it.agent.submit("app-dev", b"kept")
            it.stop()
            before = self.events(it.database)
            it.crl_file.write_bytes(it.ca.crl(until=datetime.now(timezone.utc) + timedelta(days=5000)))
            it.start(ready=False, env=faults.preload(FAKETIME, FAKETIME="+4020d"))
            time.sleep(2)
            self.assertEqual(it.stop(), 0)
            after = self.events(it.database)
            self.assertEqual(after[:len(before)], before)
            self.assertGreater(len(after), len(before))
            self.refuses_changes(it)

    def events(self, database):
        with closing(sqlite3.connect(database)) as db:
            return db.execute("SELECT bytes FROM event ORDER BY seq").fetchall()

    def refuses_changes(self, it):
        """The schema itself, too, for whoever opens the database by hand."""
        copy = it.directory / "copy.db"
        shutil.copy(it.database, copy)
        with closing(sqlite3.connect(copy)) as db:
            db.execute("PRAGMA recursive_triggers = ON")
            for statement in ("DELETE FROM event WHERE seq = 2", "UPDATE event SET bytes = x'00' WHERE seq = 2",
                              "INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 2"):
                with self.assertRaises(sqlite3.IntegrityError, msg=statement):
                    db.execute(statement)
            db.execute("DELETE FROM meta WHERE name = 'running'")


if __name__ == "__main__":
    unittest.main()
