# SPDX-License-Identifier: Apache-2.0
"""countersign sign: at once, after approvals, once only whatever is lost; and it believes nobody."""

import base64
import datetime
import json
import signal
import subprocess
import unittest

import cli
import machine
import pki
from cli import Cli, Liar
from instance import Instance


class Signs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance()
        cls.addClassCleanup(cls.it.end)

    def setUp(self):
        self.agent = Cli(self.it)
        self.image = self.agent.image(f"{self.id().rsplit('.', 1)[1]}.bin", self.id().encode())

    def run_agent(self, wanted, *arguments, **more):
        done = self.agent.run(*arguments, **more)
        self.assertEqual(done.status, wanted, done.out + done.err)
        return done

    def requests_of(self, image):
        """Ids of the requests that hold an artifact called like the image."""
        listed = self.it.client("auditor1").get("/v1/requests?limit=200").json["requests"]
        return [r["id"] for r in listed if any(a["name"] == image.name for a in r["artifacts"])]

    def openssl_verifies(self, key, image, signature):
        pem = self.agent.directory / f"{key}.pem"
        pem.write_text(self.run_agent(cli.OK, "keys", "--pem", key).out)
        run = subprocess.run(["openssl", "dgst", "-sha256", "-verify", pem, "-signature", signature, image],
                             check=False, capture_output=True)
        return run.returncode == 0

    def test_a_dev_key_signs_at_once(self):
        done = self.run_agent(cli.OK, "sign", "--key", "app-dev", self.image)
        self.assertIn("state:            signed", done.out)
        self.assertEqual(done.err, "")  # quiet off a terminal
        self.assertTrue(self.openssl_verifies("app-dev", self.image, f"{self.image}.sig"))
        self.run_agent(cli.OK, "verify", "--key", "app-dev", self.image)
        self.run_agent(cli.OK, "verify", "--pem", self.agent.directory / "app-dev.pem", self.image)
        self.image.write_bytes(b"changed")
        self.assertIn("does not verify", self.run_agent(cli.FAILED, "verify", "--key", "app-dev", self.image).err)

    def test_rsa_needs_a_format_to_verify_by_a_file(self):
        self.run_agent(cli.OK, "sign", "--key", "boot-dev", self.image)
        pem = self.agent.directory / "rsa.pem"
        pem.write_text(self.run_agent(cli.OK, "keys", "--pem", "boot-dev").out)
        self.assertIn("--format", self.run_agent(cli.USAGE, "verify", "--pem", pem, self.image).err)
        made = next(key["format"] for key in self.it.policy["keys"] if key["name"] == "boot-dev")
        self.run_agent(cli.OK, "verify", "--pem", pem, "--format", made, self.image)

    def test_json_everywhere(self):
        done = self.run_agent(cli.OK, "sign", "--json", "--key", "app-dev", self.image)
        self.assertEqual(done.json["request"]["state"], "signed")
        self.assertEqual(done.json["files"], [{"file": f"{self.image}.sig", "name": self.image.name}])
        self.assertIn("app-dev", [key["name"] for key in self.run_agent(cli.OK, "keys", "--json").json["keys"]])
        self.assertEqual(self.run_agent(cli.OK, "show", "--json", done.json["request"]["id"]).json["state"], "signed")
        self.assertTrue(self.run_agent(cli.OK, "requests", "--json").json["requests"])
        error = json.loads(self.run_agent(cli.NO_INPUT, "sign", "--json", "--key", "none", self.image).err)["error"]
        self.assertEqual((error["code"], error["exit"]), ("not-found", cli.NO_INPUT))

    def test_a_prod_key_waits_for_two_people(self):
        command = ("sign", "--key", "app-prod", "--timeout", "0", self.image)
        pending = self.run_agent(cli.PENDING, *command)
        self.assertFalse((self.image.parent / f"{self.image.name}.sig").exists())
        self.run_agent(cli.PENDING, "fetch", pending.id)
        for person in ("approver1", "approver2"):
            done = Cli(self.it, person).run("approve", "--image", self.image, "--yes", pending.id)
            self.assertEqual(done.status, cli.OK, done.err)
        signed = self.run_agent(cli.OK, "sign", "--key", "app-prod", "--timeout", "60s", self.image)
        self.assertEqual(signed.id, pending.id)
        self.assertTrue(self.openssl_verifies("app-prod", self.image, f"{self.image}.sig"))
        self.assertEqual(len(self.requests_of(self.image)), 1)
        self.run_agent(cli.OK, "fetch", "--output-dir", self.agent.directory, pending.id)

    def test_several_images_by_a_manifest(self):
        other = self.agent.image("other.bin", b"other")
        manifest = self.agent.directory / "m.yaml"
        manifest.write_text(f"artifacts:\n  - {{file: {self.image.name}, key: app-dev}}\n"
                            f"  - {{file: {other.name}, key: boot-dev, signature: o.sig}}\n"
                            "release: {product: p, version: '1'}\n")
        self.run_agent(cli.OK, "sign", "--manifest", manifest)
        self.assertTrue((self.agent.directory / "o.sig").exists())
        self.assertIn("goes into the manifest",
                      self.run_agent(cli.USAGE, "sign", "-m", manifest, "--key", "app-dev").err)

    def test_an_end_without_a_signature_begins_anew(self):
        command = ("sign", "--key", "app-prod", "--timeout", "0", self.image)
        first = self.run_agent(cli.PENDING, *command).id
        self.assertEqual(self.run_agent(cli.PENDING, *command).id, first)
        self.assertEqual(Cli(self.it, "approver1").run("reject", "--yes", first).status, cli.OK)
        self.assertIn("was not signed: rejected", self.run_agent(cli.FAILED, "wait", first).err)
        second = self.run_agent(cli.PENDING, *command).id
        self.assertNotEqual(second, first)
        self.assertNotEqual(self.run_agent(cli.PENDING, *command, "--again").id, second)
        self.assertIn("cancelled", self.run_agent(cli.OK, "cancel", second).out)

    def test_an_answer_that_was_lost_makes_no_second_request(self):
        state = self.agent.directory / "lost.json"
        command = ("submit", "--key", "app-prod", "--state-file", state, self.image)
        first = self.run_agent(cli.OK, *command).id
        # as if the answer to the POST had never come
        kept = json.loads(state.read_text())
        del kept["id"]
        state.write_text(json.dumps(kept))
        self.assertEqual(self.run_agent(cli.OK, *command).id, first)
        self.assertEqual(len(self.requests_of(self.image)), 1)

    def test_a_state_file_of_another_job_is_not_used(self):
        state = self.agent.directory / "shared.json"
        first = self.run_agent(cli.OK, "submit", "--key", "app-prod", "--state-file", state, self.image).id
        self.image.write_bytes(b"next build")
        self.assertNotEqual(
            self.run_agent(cli.OK, "submit", "--key", "app-prod", "--state-file", state, self.image).id, first)
        state.write_text("{")
        self.assertIn("remove it",
                      self.run_agent(cli.DATA, "submit", "--key", "app-prod", "--state-file", state, self.image).err)

    def test_a_terminal_gets_a_live_line(self):
        status, shown = self.agent.on_terminal("sign", "--key", "app-prod", "--timeout", "2s", self.image)
        self.assertEqual(status, cli.PENDING)
        self.assertIn("2 missing (release 0/1, security 0/1); expires in", shown)

    def test_what_is_wrong_has_an_exit_code(self):
        missing = self.agent.directory / "no-such-image"
        directory = self.agent.directory
        empty = self.agent.image("empty.bin", b"")
        cases = [
            (cli.NO_INPUT, ("sign", "--key", "app-dev", missing), "no-such-image"),
            (cli.DATA, ("sign", "--key", "app-dev", directory), "must be a regular file"),
            (cli.DATA, ("sign", "--key", "app-dev", empty), "0 bytes, must be 1 to"),
            (cli.NO_INPUT, ("sign", "--key", "unknown", self.image), "no such key"),
            (cli.USAGE, ("sign", self.image), "--key"),
            (cli.USAGE, ("sign", "--key", "app-dev"), "name one image"),
            (cli.USAGE, ("show", "1"), "must be a UUID"),
            (cli.USAGE, ("frobnicate",), "no such command"),
            (cli.USAGE, (), "name a command"),
            (cli.USAGE, ("keys", "extra"), "one operand too many"),
            (cli.NO_INPUT, ("show", "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f1"), "status 404"),
            (cli.REFUSED, ("audit", "export"), "status 403"),
            (cli.CONFIG, ("keys", "--profile", "nobody"), "no profile nobody"),
            (cli.CONFIG, ("keys", "--ca", "/nonexistent"), "CA file"),
            (cli.CONFIG, ("keys", "--url", "http://localhost"), "must be https://"),
            (cli.CONFIG, ("keys", "--url", "https://localhost/path"), "must be https://"),
            (cli.CONFIG, ("keys", "--client-key", self.it.directory / "ci2.key"), "does not belong to"),
            (cli.UNAVAILABLE, ("keys", "--url", "https://localhost:1", "--retry", "0"), "nobody answers"),
        ]
        for status, arguments, says in cases:
            with self.subTest(arguments):
                done = self.run_agent(status, *arguments)
                self.assertIn(says, done.err)

    def test_certificates_are_judged_before_they_are_sent(self):
        day = datetime.timedelta(days=1)
        now = datetime.datetime.utcnow()
        cases = [
            ("expired", self.it.ca.issue("ci", start=now - 2 * day, end=now - day), cli.CONFIG, "expired on"),
            ("early", self.it.ca.issue("ci", start=now + day, end=now + 2 * day), cli.CONFIG, "is not valid before"),
            ("purpose", self.it.ca.issue("ci", usage=(pki.SERVER,)), cli.CONFIG, "is not for TLS clients"),
            ("none", self.it.ca.issue("ci", usage=None), cli.CONFIG, "is not for TLS clients"),
            ("stranger", self.it.ca.issue("ci"), cli.REFUSED, "status 403"),
        ]
        for name, identity, status, says in cases:
            with self.subTest(name):
                certificate, key = identity.write(self.agent.directory, name)
                done = self.run_agent(status, "keys", "--certificate", certificate, "--client-key", key,
                                      "--retry", "0")
                self.assertIn(says, done.err)

    def test_a_certificate_of_another_ca_is_refused(self):
        """By an alert, which the network may swallow when the server closes at once."""
        certificate, key = pki.Authority("other CA").issue("ci").write(self.agent.directory, "foreign")
        for _ in range(20):
            done = self.agent.run("keys", "--certificate", certificate, "--client-key", key, "--retry", "0")
            self.assertIn(done.status, (cli.REFUSED, cli.UNAVAILABLE), done.err)
            if done.status == cli.REFUSED:
                break
        self.assertIn("CA", done.err)

    def test_a_server_of_another_ca_is_not_trusted(self):
        foreign = self.agent.directory / "foreign-ca.pem"
        foreign.write_bytes(pki.Authority("foreign").pem())
        self.assertIn("not trusted", self.run_agent(cli.REFUSED, "keys", "--ca", foreign).err)
        files = self.it.ca.issue("other", usage=(pki.SERVER,), hosts=("other.example",)).write(
            self.agent.directory, "other-host")
        with Liar(self.it, "ci", {}, files) as liar:
            done = Cli(self.it, port=liar.port).run("keys", "--retry", "0")
        self.assertEqual(done.status, cli.REFUSED, done.err)
        self.assertIn("not trusted", done.err)
        self.assertEqual(liar.seen, [])

    def test_an_encrypted_key_needs_somebody_to_ask(self):
        encrypted = self.agent.directory / "encrypted.key"
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", self.it.directory / "ci.key", "-out", encrypted,
                        "-passout", "pass:secret"], check=True)
        # no controlling terminal: setsid, as CI jobs have it
        done = subprocess.run(["setsid", str(cli.PROGRAM), "keys", "--client-key", str(encrypted)], check=False,
                              env=self.agent.env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, cli.CONFIG, done.stderr)
        status, shown = self.agent.on_terminal("keys", "--client-key", encrypted, answer="secret\n", until="for ")
        self.assertEqual(status, cli.OK, shown)
        self.assertNotIn("secret", shown)

    # --- servers that lie ---

    def lied_to(self, wanted, lies, *arguments):
        with Liar(self.it, "ci", lies) as liar:
            done = Cli(self.it, port=liar.port).run(*arguments)
        self.assertEqual(done.status, wanted, done.out + done.err)
        return done.err

    def test_a_wrong_signature_is_not_written(self):
        lies = {"/signatures/": lambda status, body: (status, body[:-1] + bytes([body[-1] ^ 1]))}
        self.assertIn("signature", self.lied_to(cli.FAILED, lies, "sign", "--key", "app-dev", self.image))
        self.assertFalse((self.image.parent / f"{self.image.name}.sig").exists())

    def test_another_public_key_is_noticed(self):
        def swap(status, body):
            keys = json.loads(body)["keys"]
            for key in keys:
                if key["name"] == "app-dev":
                    key["public_key"] = next(k["public_key"] for k in keys if k["name"] == "app-prod")
            return status, json.dumps({"keys": keys}).encode()

        self.assertIn("public key", self.lied_to(cli.FAILED, {"/v1/keys": swap}, "sign", "--key", "app-dev",
                                                 self.image))

    def test_another_document_is_noticed(self):
        other = self.agent.image("another.bin", b"another")
        there = self.run_agent(cli.OK, "sign", "--key", "app-dev", other).id
        document = self.it.client("ci").get(f"/v1/requests/{there}/document").body
        self.assertIn(f"it is the one of request {there}",
                      self.lied_to(cli.PROTOCOL, {"/document": lambda *_: (200, document)}, "sign", "--key",
                                   "app-dev", self.image))
        self.lied_to(cli.PROTOCOL, {"/document": lambda status, body: (status, b" " + body)}, "sign", "--key",
                     "app-dev", self.image)

    def test_an_answer_that_is_none_is_refused(self):
        for body in (b"", b"[]", b"{}", b'{"id": "x"'):
            with self.subTest(body):
                self.lied_to(cli.PROTOCOL, {"/v1/requests$": lambda *_, body=body: (200, body)}, "submit", "--key",
                             "app-dev", self.image, "--again")

    def test_a_busy_server_is_asked_again(self):
        answers = [503, 503]

        def busy(status, body):
            return (answers.pop(), b"") if answers else (status, body)

        self.lied_to(cli.OK, {"/v1/requests$": busy}, "submit", "--key", "app-prod", self.image)
        self.assertEqual(len(self.requests_of(self.image)), 1)


class SurvivesRestarts(unittest.TestCase):
    def test_a_daemon_that_is_killed_and_comes_back(self):
        with Instance(config={"listen": f"127.0.0.1:{machine.free_port()}"}) as it:
            agent = Cli(it)
            image = agent.image()
            running = agent.start("sign", "--key", "app-prod", "--timeout", "60s", image)
            it.wait(lambda: it.client("auditor1").get("/v1/requests").json["requests"], "the request")
            request = it.client("auditor1").get("/v1/requests").json["requests"][0]["id"]
            it.kill()
            it.start()
            it.approve(request, "approver1")
            it.stop()
            self.assertIsNone(running.poll())  # it waits on
            it.start()
            it.approve(request, "approver2")
            out, err = running.communicate(timeout=60)
            self.assertEqual(running.returncode, cli.OK, out + err)
            lines, _ = it.export()
            kinds = [json.loads(line)["kind"] for line in lines]
            self.assertEqual(kinds.count("request.created"), 1)
            self.assertEqual(kinds.count("sign.done"), 1)
            released = base64.b64decode(json.loads(lines[kinds.index("request.signed")])["detail"]["signatures"][0])
            self.assertEqual((agent.directory / "app.bin.sig").read_bytes(), released)

    def test_a_key_is_on_the_disk_before_the_server_hears_of_it(self):
        with Instance(config={"listen": f"127.0.0.1:{machine.free_port()}"}) as it:
            agent = Cli(it)
            image = agent.image()
            with Liar(it, "ci", {"/v1/requests$": lambda *_: (503, b"")}) as liar:
                away = Cli(it, port=liar.port)
                done = away.run("submit", "--key", "app-prod", "--retry", "0", "--state-file", "s.json", image)
                self.assertEqual(done.status, cli.UNAVAILABLE, done.err)
            key = json.loads((agent.directory / "s.json").read_text())["idempotency_key"]
            # the liar passed it on, and only the answer was lost: the key on the disk names the request
            first = it.client("auditor1").get("/v1/requests").json["requests"]
            self.assertEqual(len(first), 1)
            digest = first[0]["artifacts"][0]["digest"]
            reply = it.agent.post("/v1/requests", {"artifacts": [{
                "name": image.name, "digest": digest, "size": 5, "key": "app-prod"}]}, key)
            self.assertEqual((reply.status, reply.json["id"]), (202, first[0]["id"]))

    def test_ctrl_c_leaves_a_request_that_is_found_again(self):
        with Instance() as it:
            agent = Cli(it)
            image = agent.image()
            running = agent.start("sign", "--key", "app-prod", "--timeout", "60s", image)
            it.wait(lambda: it.client("auditor1").get("/v1/requests").json["requests"], "the request")
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=60)
            again = agent.run("sign", "--key", "app-prod", "--timeout", "0", image)
            self.assertEqual(again.status, cli.PENDING, again.err)
            self.assertEqual(len(it.client("auditor1").get("/v1/requests").json["requests"]), 1)


if __name__ == "__main__":
    unittest.main()
