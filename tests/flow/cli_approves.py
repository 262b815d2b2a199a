# SPDX-License-Identifier: Apache-2.0
"""countersign approve: what is seen is what is signed, by whom, on which log; and nothing else."""

import base64
import hashlib
import json
import shutil
import subprocess
import unittest

from cryptography.hazmat.primitives import serialization

import approvals
import cli
import machine
import softhsm
from cli import Cli, Liar, change_json
from instance import Instance


class Approves(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance()
        cls.addClassCleanup(cls.it.end)

    def setUp(self):
        self.agent = Cli(self.it)
        self.image = self.agent.image("app.bin", self.id().encode())
        self.approver = Cli(self.it, "approver1")
        done = self.agent.run("submit", "--key", "app-prod", "--comment", "please", "--product", "thing", self.image)
        self.assertEqual(done.status, cli.OK, done.err)
        self.request = done.id

    def decide(self, wanted, *arguments, who=None, command="approve", **more):
        done = (who or self.approver).run(command, *arguments, self.request, **more)
        self.assertEqual(done.status, wanted, done.out + done.err)
        return done

    def decisions(self):
        return self.it.client("auditor1").get(f"/v1/requests/{self.request}/decisions").json["decisions"]

    def payload(self, number=-1):
        envelope = json.loads(approvals.base64.b64decode(self.decisions()[number]["envelope"]))
        return json.loads(approvals.base64.b64decode(envelope["payload"]))

    def test_she_sees_what_she_signs(self):
        done = self.decide(cli.OK, "--image", self.image, "--comment", "fine", "--yes")
        for row in ("product:          thing", "comment:          please", "requested by:     ci", "app.bin is artifact app.bin",
                    "approved, decision number 1 of yours"):
            self.assertIn(row, done.out)
        payload = self.payload()
        self.assertEqual(payload["images_checked"], ["app.bin"])
        self.assertEqual(payload["decision"], "approve")
        self.assertEqual(self.decisions()[0]["comment"], "fine")
        [kept] = (self.approver.directory / "heads").read_text().splitlines()
        log_id, size, head = kept.split(" ")
        self.assertEqual(log_id, payload["log"]["id"])
        self.assertGreater(int(size), payload["log"]["size"], "what she keeps holds her decision")
        there = self.it.client("auditor1").get(f"/v1/audit/head?size={size}").json
        self.assertEqual(there["head"], head)

    def test_another_image_is_refused(self):
        for content, says in ((b"other", "sizes differ"), (self.id().upper().encode(), "digests differ")):
            other = self.approver.image("other.bin", content)
            done = self.decide(cli.FAILED, "--image", f"app.bin={other}", "--yes")
            self.assertIn(says, done.err)
        self.assertEqual(self.decisions(), [])

    def test_no_image_must_be_said(self):
        self.assertIn("--no-image", self.decide(cli.USAGE, "--yes").err)
        self.decide(cli.OK, "--no-image", "--yes")
        self.assertEqual(self.payload()["images_checked"], [])

    def test_a_script_must_say_yes(self):
        self.assertIn("--yes", self.decide(cli.DATA, "--image", self.image).err)
        self.assertEqual(self.decisions(), [])

    def test_a_person_is_asked(self):
        command = ("approve", "--image", self.image, self.request)
        status, shown = self.approver.on_terminal(*command, answer="n\n")
        self.assertEqual(status, cli.REFUSED, shown)
        self.assertEqual(self.decisions(), [])
        status, shown = self.approver.on_terminal(*command, answer="y\n")
        self.assertEqual(status, cli.OK, shown)
        self.assertEqual(len(self.decisions()), 1)

    def test_nobody_is_asked_about_what_was_not_shown(self):
        status, shown = self.approver.on_terminal("approve", "--json", "--image", self.image, self.request, answer="y\n")
        self.assertEqual(status, cli.USAGE, shown)
        self.assertIn("--yes", shown)
        self.assertEqual(self.decisions(), [])

    def test_withdraw_and_approve_again(self):
        self.decide(cli.OK, "--no-image", "--yes")
        self.decide(cli.OK, "--yes", command="withdraw")
        done = self.decide(cli.OK, "--no-image", "--yes")
        self.assertIn("decision number 3 of yours", done.out)
        self.assertEqual([d["n"] for d in self.decisions()], [1, 2, 3])

    def test_a_second_certificate_makes_no_second_person(self):
        self.decide(cli.OK, "--no-image", "--yes")
        # the same approval key with another approver's certificate: the person comes from the key
        other = Cli(self.it, "approver2", approval_key=approvals.KEYS / "approver1.pem", person="approver1")
        self.decide(cli.REFUSED, "--no-image", "--yes", who=other)
        again = self.decide(cli.OK, "--no-image", "--yes")
        self.assertIn("missing:          1", again.out)
        self.assertEqual(self.it.request(self.request)["state"], "pending")

    def test_a_stranger_and_the_agent_are_refused(self):
        stranger = Cli(self.it, "approver1", approval_key=approvals.KEYS / "stranger.pem")
        self.decide(cli.REFUSED, "--no-image", "--yes", who=stranger)
        agent = Cli(self.it, "ci", approval_key=approvals.KEYS / "approver1.pem")
        self.decide(cli.REFUSED, "--no-image", "--yes", who=agent)
        self.assertEqual(self.decisions(), [])

    def test_keys_of_every_kind(self):
        for person in ("approver1", "approver2", "approver3"):
            done = self.decide(cli.OK, "--no-image", "--yes", who=Cli(self.it, person))
            self.assertIn("decision number 1", done.out)
            if self.it.request(self.request)["state"] != "pending":
                break

    def test_no_key_and_no_key_file(self):
        none = Cli(self.it, "approver1", approval_key=None)
        self.assertIn("no approval key", self.decide(cli.CONFIG, "--no-image", "--yes", who=none).err)
        self.decide(cli.NO_INPUT, "--no-image", "--yes", "--approval-key", "/nonexistent.pem")

    def test_show_and_document(self):
        shown = self.approver.run("show", self.request)
        self.assertEqual(shown.status, cli.OK, shown.err)
        self.assertIn("comment:          please", shown.out)
        document = self.approver.run("show", "--document", self.request)
        self.assertEqual(document.out.encode(),
                         self.it.client("auditor1").get(f"/v1/requests/{self.request}/document").body)

    def test_watch_runs_a_command(self):
        done = self.approver.run("watch", "--once", "--exec", "echo waits $COUNTERSIGN_REQUEST")
        self.assertEqual(done.status, cli.OK, done.err)
        self.assertIn(f"waits {self.request}", done.out)

    # --- servers that lie ---

    def lied_to(self, wanted, lies, *arguments, command="approve"):
        with Liar(self.it, "approver1", lies) as liar:
            done = Cli(self.it, "approver1", port=liar.port).run(command, *arguments, self.request)
        self.assertEqual(done.status, wanted, done.out + done.err)
        self.assertEqual([m for m, _ in liar.seen if m == "POST"], [])
        return done

    def test_escapes_are_shown_harmlessly(self):
        evil = "\x1b]0;owned\x07\x1b[2J\u202e\u009b31m"
        self.decide(cli.OK, "--no-image", "--yes")

        def lie(status, body):
            value = json.loads(body)
            for decision in value["decisions"]:
                decision.update(comment=evil, person=evil, group=evil)
            return status, json.dumps(value).encode()

        lies = {"/decisions$": lie, f"/v1/requests/{self.request}$": change_json(reason=evil, comment=evil)}
        done = self.lied_to(cli.OK, lies, command="show")
        for character in evil:
            if not character.isprintable():
                self.assertNotIn(character, done.out + done.err)
        self.assertIn("\\x1b]0;owned\\x07\\x1b[2J\\xe2\\x80\\xae\\xc2\\x9b31m", done.out)
        self.assertIn("not the one of the document", done.out)  # the comment was swapped

    def test_json_is_ascii(self):
        lies = {f"/v1/requests/{self.request}$": change_json(reason="\u202e\u009b31m")}
        done = self.lied_to(cli.OK, lies, "--json", command="show")
        self.assertTrue(done.out.isascii())
        self.assertEqual(done.json["reason"], "\u202e\u009b31m")

    def test_a_decision_whose_answer_was_lost_is_not_sent_twice(self):
        def lost(status, body):
            return (status, body) if b'"decisions"' in body else (503, b"")

        with Liar(self.it, "approver1", {"/decisions$": lost}) as liar:
            done = self.decide(cli.OK, "--no-image", "--yes", who=Cli(self.it, "approver1", port=liar.port))
        self.assertIn("decision number 1 of yours", done.out)
        self.assertEqual(len([m for m, _ in liar.seen if m == "POST"]), 1)
        self.assertEqual(len(self.decisions()), 1)

    def test_a_decision_that_never_arrived_is_sent_again(self):
        posts = []

        def swallow(method, path):
            posts.extend([path] if method == "POST" else [])
            return method == "POST" and len(posts) == 1

        with Liar(self.it, "approver1", {}, swallow=swallow) as liar:
            self.decide(cli.OK, "--no-image", "--yes", who=Cli(self.it, "approver1", port=liar.port))
        self.assertEqual(len(posts), 2)
        self.assertEqual(len(self.decisions()), 1)

    def test_problems_are_shown_harmlessly(self):
        problem = json.dumps({"type": "x", "detail": "\x1b[2Jgo away", "status": 403}).encode()
        done = self.lied_to(cli.REFUSED, {"/document$": lambda *_: (403, problem)}, "--no-image", "--yes")
        self.assertIn("?[2Jgo away", done.err)
        self.assertNotIn("\x1b", done.err)

    def test_a_document_that_is_not_canonical_is_not_signed(self):
        def pretty(status, body):
            return status, json.dumps(json.loads(body), indent=1).encode()

        for lie in (pretty, lambda status, body: (status, b""), lambda status, body: (status, body[:-1])):
            self.lied_to(cli.PROTOCOL, {"/document$": lie}, "--no-image", "--yes")
        # well-formed, but not this request's
        fake = {"/document$": lambda status, body: (
            status, body.replace(self.request.encode(), b"019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f1"))}
        self.assertIn("it is the one of request", self.lied_to(cli.PROTOCOL, fake, "--no-image", "--yes").err)

    def test_a_log_that_was_rolled_back_or_rewritten_is_noticed(self):
        self.decide(cli.OK, "--no-image", "--yes")
        seen = self.payload()["log"]
        self.it.agent.submit("app-dev", b"the log goes on")
        lies = [
            ("rolled back", {r"/audit/head$": change_json(size=seen["size"] - 1)}),
            ("rewritten", {r"/audit/head\?size=": change_json(head="00" * 32)}),
            ("is not one that", {"/audit/head": change_json(id="00" * 32)}),
        ]
        for says, lie in lies:
            with self.subTest(says):
                done = self.lied_to(cli.FAILED, lie, "--no-image", "--yes")
                self.assertIn(says, done.err)
        heads = self.approver.directory / "heads"
        heads.write_text("nonsense\n")
        self.assertIn("line 1", self.decide(cli.DATA, "--no-image", "--yes").err)
        heads.unlink()


class RolledBack(unittest.TestCase):
    def test_an_older_copy_of_the_database_is_noticed(self):
        with Instance(config={"listen": f"127.0.0.1:{machine.free_port()}"}) as it:
            agent, approver = Cli(it), Cli(it, "approver1")
            request = agent.run("submit", "--key", "app-prod", agent.image()).id
            it.stop()
            shutil.copy(it.database, it.directory / "old.db")
            it.start()
            self.assertEqual(approver.run("approve", "--no-image", "--yes", request).status, cli.OK)
            it.stop()
            for name in it.directory.glob("log.db*"):
                name.unlink()
            shutil.copy(it.directory / "old.db", it.database)
            it.start()
            done = approver.run("approve", "--no-image", "--yes", request)
            self.assertEqual(done.status, cli.FAILED, done.out)
            self.assertRegex(done.err, "rolled back|rewritten")


class TokenKeys(unittest.TestCase):
    """Approval keys on a token, through libp11."""

    @classmethod
    def setUpClass(cls):
        work = cli.Path(subprocess.check_output(["mktemp", "-d", "/tmp/csXXXXXX"], text=True).strip())
        cls.addClassCleanup(shutil.rmtree, work)
        cls.token = softhsm.make(work / "card", "card")
        for name, cka_id, algorithm in (("approval", "01", "p-256"), ("second", "02", "p-384"),
                                        ("third", "03", "rsa-3072")):
            cls.token.keygen(name, cka_id, algorithm)

        class Nowhere:
            """Where enroll runs: it needs no server."""
            port = 1
            ca_file = work / "none"
            directory = work

        enrolled = {}
        for person, key in (("approver1", "id=%01"), ("approver2", "object=second")):
            done = Cli(Nowhere, person).run("enroll", "--json", "--instance", "test", "--approval-key", cls.uri(key),
                                            env=cls.token.env)
            assert done.status == cli.OK, done.err
            enrolled[person] = {k: done.json[k] for k in ("public_key", "enrolment")}

        def change(policy):
            for approver in policy["approvers"]:
                if approver["person"] in enrolled:
                    approver["keys"] = [enrolled[approver["person"]]]

        cls.tls = {person: base64.b64decode(cls.token.keygen(name, cka_id, "p-256"))
                   for person, name, cka_id in (("ci", "tls", "05"), ("approver1", "tls2", "06"))}

        def add_certificates(access):
            for principal in access["principals"]:
                if principal["name"] in cls.tls:
                    spki = hashlib.sha256(cls.tls[principal["name"]]).hexdigest()
                    principal["certificates"].append({"spki_sha256": spki})

        cls.it = Instance(change_policy=change, change_access=add_certificates)
        cls.addClassCleanup(cls.it.end)

    @classmethod
    def uri(cls, key, pin=None):
        return (f"pkcs11:token=card;{key}?module-path={softhsm.MODULE}"
                f"&pin-source=file:{pin or cls.token.pin_file}")

    def approve(self, person, key, request, **more):
        return Cli(self.it, person, approval_key=self.uri(key, **more)).run(
            "approve", "--no-image", "--yes", request, env=self.token.env)

    def submit(self, name):
        agent = Cli(self.it)
        return agent.run("submit", "--key", "app-prod", agent.image(name, name.encode())).id

    def test_two_people_with_cards(self):
        request = self.submit("cards")
        for person, key in (("approver1", "object=approval"), ("approver2", "id=%02")):
            done = self.approve(person, key, request)
            self.assertEqual(done.status, cli.OK, done.out + done.err)
        self.it.wait_state(request, "signed")

    def test_tls_keys_on_a_card(self):
        agent = Cli(self.it, certificate=self.tls_certificate("ci"), key=self.uri("object=tls"))
        done = agent.run("sign", "--key", "app-dev", agent.image(), env=self.token.env)
        self.assertEqual(done.status, cli.OK, done.err)

    def test_both_keys_of_an_approver_on_a_card(self):
        approver = Cli(self.it, "approver1", certificate=self.tls_certificate("approver1"),
                       key=self.uri("object=tls2"), approval_key=self.uri("object=approval"))
        done = approver.run("approve", "--no-image", "--yes", self.submit("both"), env=self.token.env)
        self.assertEqual(done.status, cli.OK, done.err)

    def tls_certificate(self, person):
        """A certificate for the person's key on the card."""
        class OnCard:
            """What pki wants of a key."""
            public_key = staticmethod(lambda: serialization.load_der_public_key(self.tls[person]))

        path = self.it.directory / f"card-{person}.pem"
        path.write_bytes(self.it.ca.issue(person, key=OnCard).pem())
        return path

    def test_what_is_wrong_with_a_uri(self):
        request = self.submit("wrong")
        cases = [
            ("object=none", cli.NO_INPUT, "0 private keys"),
            ("object=approval;colour=red", cli.CONFIG, "colour is not one of"),
            ("id=%0", cli.CONFIG, "id is malformed"),
            ("serial=0", cli.CONFIG, "name the key by object or id"),
            ("object=approval;serial=0", cli.UNAVAILABLE, "0 tokens"),
            ("object=approval;type=public", cli.CONFIG, "type must be private"),
            ("object=third", cli.REFUSED, "status 403"),  # not enrolled
        ]
        for key, status, says in cases:
            with self.subTest(key):
                done = self.approve("approver1", key, request)
                self.assertEqual(done.status, status, done.err)
                self.assertIn(says, done.err)
        bare = Cli(self.it, "approver1", approval_key="pkcs11:object=approval")
        self.assertIn("no PKCS#11 module", bare.run("approve", "--no-image", "--yes", request).err)

    def test_a_wrong_pin_is_tried_once(self):
        wrong = self.token.directory / "wrong-pin"
        wrong.write_text("0000\n")
        wrong.chmod(0o644)
        done = self.approve("approver1", "object=approval", self.submit("open"), pin=wrong)
        self.assertEqual(done.status, cli.CONFIG, done.err)  # a PIN that everybody can read
        wrong.chmod(0o600)
        done = self.approve("approver1", "object=approval", self.submit("pin"), pin=wrong)
        self.assertEqual(done.status, cli.REFUSED, done.err)
        self.assertIn("refused the PIN", done.err)

    def test_an_ed25519_key_on_the_token_gives_a_clear_error(self):
        other = self.token.copy(self.token.directory.parent / "ed")
        other.keygen("edwards", "04", "ed25519")
        uri = self.uri("object=approval")
        done = Cli(self.it, "approver1", approval_key=uri).run(
            "approve", "--no-image", "--yes", self.submit("ed"), env=other.env)
        self.assertEqual(done.status, cli.DATA, done.err)
        self.assertIn("Ed25519", done.err)


if __name__ == "__main__":
    unittest.main()
