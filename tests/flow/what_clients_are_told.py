# SPDX-License-Identifier: Apache-2.0
"""What clients are told: status codes, headers, problems, replays, long polls."""

import json
import select
import signal
import threading
import time
import unittest

import edge

ARTIFACT = {"name": "app", "digest": {"algorithm": "sha256", "value": "00" * 32}, "size": 1, "key": "k"}
ONE = f"/v1/requests/{edge.PENDING}"
DONE = f"/v1/requests/{edge.SIGNED}"


def submission(comment="at once"):
    return json.dumps({"artifacts": [ARTIFACT], "comment": comment}).encode()


class Answers(unittest.TestCase):
    def setUp(self):
        self.edge = edge.Edge()
        self.edge.__enter__()
        self.addCleanup(self.edge.__exit__, None, None, None)

    def client(self, who="agent"):
        client = self.edge.client(who)
        self.addCleanup(client.close)
        return client

    def test_submit(self):
        client = self.client()
        cases = (
            ("at once", "first", 201, edge.SIGNED, False),
            ("pending", "first", 202, edge.PENDING, False),
            ("at once", "again", 200, edge.SIGNED, True),
            ("pending", "again", 202, edge.PENDING, True),
        )
        for comment, key, status, request, replay in cases:
            with self.subTest(f"{comment}, {key}"):
                response = client.ask("POST", "/v1/requests", submission(comment), [f"Idempotency-Key: {key}"])
                self.assertEqual(response.status, status)
                self.assertEqual(response.headers["location"], "/v1/requests/" + request)
                self.assertEqual(response.json["id"], request)
                self.assertEqual(response.headers.get("idempotent-replay"), "true" if replay else None)

    def test_who_reads_too_much(self):
        """Is told when to come back, before any thread works on it; what changes something has a rate in the core."""
        self.edge.people["operator2"] = self.edge.people.pop("operator1")
        self.edge.write_access()
        self.assertEqual(self.edge.reload(), "ok")
        client = self.client("operator")
        response = client.get("/v1/health")
        self.assertEqual((response.status, response.problem), (429, "rate-limited"))
        self.assertEqual(response.headers["retry-after"], "9")
        self.assertFalse(response.closes)

    def test_every_refusal_of_the_core(self):
        statuses = {
            "invalid": 400, "too-large": 413, "not-found": 404, "forbidden": 403, "unauthenticated": 403,
            "conflict": 409, "mismatch": 422, "denied": 403, "bad-signature": 400, "expired": 409,
            "rate-limited": 429, "busy": 503, "unavailable": 503, "timeout": 504, "closed": 502, "io-error": 500,
            "no-space": 507, "out-of-memory": 503, "corrupt": 500, "version": 500, "configuration": 500,
            "hsm-error": 502, "pin-refused": 502, "unsupported": 400, "internal": 500,
        }
        client = self.client()
        for name, status in statuses.items():
            with self.subTest(name):
                response = client.ask("POST", "/v1/requests", submission(name))
                self.assertEqual((response.status, response.problem), (status, name))
                self.assertEqual(response.json["detail"], f"told to answer {name}")
                self.assertEqual("retry-after" in response.headers, status in (429, 503))
                self.assertEqual(response.json.get("rule"), "key-not-allowed" if name == "denied" else None)
                if name == "rate-limited":
                    self.assertEqual(response.headers["retry-after"], "7")

    def test_bodies_and_types(self):
        cases = (
            ("agent", ONE, "application/json"),
            ("agent", ONE + "/document", "application/vnd.countersign.request+json"),
            ("agent", ONE + "/decisions", "application/json"),
            ("agent", DONE + "/signatures/0", "application/octet-stream"),
            ("auditor", "/v1/audit/events", "application/x-ndjson"),
            ("auditor", "/v1/openapi.json", "application/json"),
        )
        for who, target, kind in cases:
            with self.subTest(target):
                response = self.client(who).get(target)
                self.assertEqual((response.status, response.headers["content-type"]), (200, kind))
                self.assertEqual(response.headers["cache-control"], "no-store")
                self.assertEqual(response.headers["x-content-type-options"], "nosniff")
        self.assertEqual(self.client().get(DONE + "/signatures/0").body, bytes.fromhex("3000ff0a"))

    def test_pending_signature(self):
        response = self.client().get(ONE + "/signatures/0")
        self.assertEqual((response.status, response.problem), (425, "pending"))

    def test_events(self):
        client = self.client("auditor")
        self.assertEqual(client.get("/v1/audit/events").json, {"first": True, "from": 1})
        self.assertEqual(client.get("/v1/audit/events?from=8").json, {"first": True, "from": 8})
        self.assertEqual(client.get("/v1/audit/events?from=8&resume=true").json, {"first": False, "from": 8})

    def test_decisions(self):
        client = self.client("approver")
        for body, status, part in (
            ({"envelope": "ZW52ZWxvcGU="}, 200, ""),
            ({"envelope": "ZW52ZWxvcGU=", "comment": "seen"}, 200, ""),
            ({"envelope": "Zm9yZ2Vk"}, 400, "no \"envelope\""),
            ({"envelope": "ZW52ZWxvcGU"}, 400, "envelope"),
            ({"envelope": "ZW52ZWxvcGU=\n"}, 400, "envelope"),
            ({"envelope": 1}, 400, "envelope"),
            ({}, 400, "envelope"),
            ({"envelope": "ZW52ZWxvcGU=", "comment": ""}, 400, "comment"),
            ({"envelope": "ZW52ZWxvcGU=", "comment": "\u202eevil"}, 400, "comment"),
            ({"envelope": "ZW52ZWxvcGU=", "comment": "x" * 1001}, 400, "comment"),
            ({"envelope": "ZW52ZWxvcGU=", "other": 1}, 400, "other"),
            ([], 400, "decision"),
        ):
            with self.subTest(str(body)[:60]):
                response = client.ask("POST", ONE + "/decisions", json.dumps(body).encode())
                self.assertEqual(response.status, status, response.body)
                if part:
                    self.assertIn(part, response.json["detail"])

    def test_paths_and_methods(self):
        client = self.client()
        for target in ("/v1", "/v1/request", "/v1/requests/1", "/v2/requests", ONE + "/signatures/16", "/v1/keys/a%20b"):
            with self.subTest(target):
                self.assertEqual(client.get(target).problem, "not-found")
        for method, target, allow in (("DELETE", ONE, "GET"), ("HEAD", ONE, "GET"), ("PUT", "/v1/requests", "POST, GET"),
                                      ("OPTIONS", "/v1/keys", "GET"), ("GET", ONE + "/cancel", "POST")):
            with self.subTest(f"{method} {target}"):
                with self.edge.client() as own:
                    own.send(f"{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
                    head = own.rest().decode()
                self.assertTrue(head.startswith("HTTP/1.1 405 "), head)
                self.assertIn(f"\r\nAllow: {allow}\r\n", head)

    def test_queries(self):
        client = self.client()
        for query, part in (("limit=0", "limit"), ("limit=1&limit=1", "limit"), ("x=1", "\"x\""), ("wait=61", "wait"),
                            ("after=1", "after"), ("state=gone", "state"),
                            ("after=01900000-0000-7000-8000-00000000dead", "stale cursor")):
            with self.subTest(query):
                response = client.get("/v1/requests?" + query)
                self.assertEqual((response.status, response.problem), (400, "invalid"))
                self.assertIn(part, response.json["detail"])
        self.assertEqual(client.get("/v1/requests?limit=7").json["limit"], 7)
        self.assertEqual(client.get("/v1/keys?limit=7").status, 400)
        response = client.get("/v1/requests?limit")
        self.assertIn("name=value", response.json["detail"])
        self.assertTrue(response.closes)  # the target itself is malformed

    def test_not_ready_keeps_its_body(self):
        client = self.client()
        self.assertEqual(client.get("/v1/ready").json["ready"], True)
        self.assertEqual(client.ask("POST", ONE + "/cancel", b"").status, 200)
        response = client.get("/v1/ready")
        self.assertEqual((response.status, response.json["ready"]), (503, False))

    # --- long polls

    def timed(self, client, target):
        start = time.monotonic()
        response = client.get(target)
        return response, time.monotonic() - start

    def test_wait_ends_by_time(self):
        response, took = self.timed(self.client(), ONE + "?wait=1")
        self.assertEqual((response.status, response.json["state"]), (200, "pending"))
        self.assertGreater(took, 0.9)

    def test_wait_ends_by_change(self):
        waiting = self.client()
        target = threading.Timer(0.3, lambda: self.client().ask("POST", ONE + "/cancel", b""))
        target.start()
        response, took = self.timed(waiting, ONE + "?wait=20&revision=1")
        target.join()
        self.assertEqual((response.json["state"], response.json["revision"]), ("cancelled", 2))
        self.assertLess(took, 10)

    def test_wait_for_what_has_happened(self):
        for target in (ONE + "?wait=20&revision=0", DONE + "?wait=20", "/v1/requests?wait=20&revision=0"):
            with self.subTest(target):
                response, took = self.timed(self.client(), target)
                self.assertEqual(response.status, 200)
                self.assertLess(took, 10)

    def test_too_many_wait(self):
        waiting = [self.client() for _ in range(5)]
        for client in waiting:
            client.send(f"GET {ONE}?wait=20 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        # whichever comes last is refused, and is the only one with an answer
        ready, _, _ = select.select([client.socket for client in waiting], [], [], 18)
        self.assertEqual(len(ready), 1)
        one_more = next(client for client in waiting if client.socket in ready)
        waiting.remove(one_more)
        response = one_more.read()
        self.assertEqual((response.status, response.problem), (503, "busy"))
        self.assertIn("retry-after", response.headers)
        self.client().ask("POST", ONE + "/cancel", b"")
        for client in waiting:
            self.assertEqual(client.read().json["state"], "cancelled")
        # there is room again, and it does not wait for what is over
        self.assertEqual(one_more.get(ONE + "?wait=20").status, 200)

    def test_workers_are_free_while_many_wait(self):
        for _ in range(4):
            self.client().send(f"GET {ONE}?wait=30 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        response, took = self.timed(self.client(), "/v1/health")
        self.assertEqual(response.status, 200)
        self.assertLess(took, 20)


class Stop(unittest.TestCase):
    def test_stop_answers_those_who_wait(self):
        daemon = edge.Edge()
        daemon.__enter__()
        client = daemon.client()
        client.send(f"GET {ONE}?wait=30 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        daemon.wait_for("waits")
        start = time.monotonic()
        stopper = threading.Thread(target=daemon.__exit__, args=(None, None, None))
        stopper.start()
        self.assertEqual(client.read().status, 200)
        client.rest()
        stopper.join()
        self.assertLess(time.monotonic() - start, 20)
        client.close()

    def test_a_stop_takes_nothing_new(self):
        """Not even on connections that are open: nothing may be inside the core when libmicrohttpd stops."""
        with edge.Edge() as daemon, daemon.client() as idle, daemon.client() as busy:
            self.assertEqual(idle.get("/v1/health").status, 200)
            busy.send(b"POST /v1/requests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            self.assertEqual(busy.read().status, 100)
            daemon.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + 20
            while (late := idle.get("/v1/health")).status == 200 and time.monotonic() < end:
                time.sleep(0.05)
            self.assertEqual((late.status, late.problem, late.closes), (503, "unavailable", True))
            busy.send(b"{}")
            self.assertEqual(busy.read().status, 400)


if __name__ == "__main__":
    unittest.main(verbosity=2)
