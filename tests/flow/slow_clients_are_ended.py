# SPDX-License-Identifier: Apache-2.0
"""Slow clients are ended whatever they trickle, bodies have a limit, and good clients do not notice.

The fake daemon allows 2 s for a handshake, 2 s for a request and 2 s of silence (edge.Edge's `patience`); bodies of
65,536 bytes.
"""

import contextlib
import socket
import ssl
import time
import unittest

import edge
import machine

POST = b"POST /v1/requests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
PATIENCE = 2  # seconds
LATEST = 12  # seconds by which every slow connection has been ended; 3 s would do on an idle machine


def trickle(client, data, pause=0.2):
    """Send byte by byte; returns the seconds until the server ended the connection."""
    start = time.monotonic()
    client.socket.settimeout(pause)
    for n in range(len(data)):
        try:
            client.send(data[n:n + 1])
            if client.socket.recv(1) == b"":
                return time.monotonic() - start
        except socket.timeout:
            pass
        except (ConnectionError, ssl.SSLError):
            return time.monotonic() - start
        if time.monotonic() - start > 2 * LATEST:
            break
    raise AssertionError("the connection goes on")


class Slow(unittest.TestCase):
    def setUp(self):
        self.edge = edge.Edge(patience=PATIENCE)
        self.edge.__enter__()
        self.addCleanup(self.edge.__exit__, None, None, None)

    def test_handshake(self):
        with socket.create_connection(("127.0.0.1", self.edge.port), timeout=LATEST) as plain:
            start = time.monotonic()
            hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
            plain.settimeout(0.2)
            for n in range(1000):
                with contextlib.suppress(socket.timeout):
                    try:
                        plain.send(hello[n:n + 1] or b"\0")
                        if plain.recv(10) == b"":
                            break
                    except ConnectionError:
                        break
            self.assertLess(time.monotonic() - start, LATEST)

    def test_request_line(self):
        with self.edge.client() as client:
            self.assertLess(trickle(client, b"GET /v1/health" + b"x" * 100), LATEST)

    def test_headers(self):
        with self.edge.client() as client:
            self.assertLess(trickle(client, b"GET /v1/health HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100, 0.02), LATEST)

    def test_body(self):
        with self.edge.client() as client:
            client.send(POST + b"Content-Length: 1000\r\n\r\n")
            self.assertLess(trickle(client, b" " * 1000), LATEST)

    def test_chunked_body(self):
        with self.edge.client() as client:
            client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
            self.assertLess(trickle(client, b"1\r\n \r\n" * 1000), LATEST)

    def test_silence(self):
        with self.edge.client() as client:
            self.assertEqual(client.get("/v1/health").status, 200)
            start = time.monotonic()
            client.rest(LATEST)
            self.assertGreater(time.monotonic() - start, 1)

    def test_reader_that_does_not_read(self):
        """Answers pile up until the socket is full; then the deadline for sending ends it."""
        with self.edge.client() as client:
            request = b"GET /v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
            client.socket.settimeout(2 * LATEST)
            with self.assertRaises((ConnectionError, ssl.SSLError)):
                while True:
                    client.send(request * 10)


class Good(unittest.TestCase):
    def test_good_clients_do_not_notice(self):
        """Whoever had to wait for the slow ones would wait for seconds."""
        with edge.Edge(patience=4 * PATIENCE) as daemon, contextlib.ExitStack() as stack:
            slow = [stack.enter_context(daemon.client()) for _ in range(60)]
            for client in slow:
                client.offer(POST + b"Content-Length: 1000\r\n\r\n ")
            took = []
            with daemon.client() as good:
                for _ in range(50):
                    start = time.monotonic()
                    self.assertEqual(good.get("/v1/health").status, 200)
                    took.append(machine.seconds(start))
            self.assertLess(sorted(took)[48], PATIENCE / 2)
            for client in slow:
                client.rest(2 * LATEST)


class Bodies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.edge = edge.Edge()
        cls.edge.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.edge.__exit__(None, None, None)

    def test_largest(self):
        with self.edge.client() as client:
            response = client.ask("POST", "/v1/requests", b"{" + b" " * 65534 + b"}")
            self.assertEqual((response.status, response.problem), (400, "invalid"))
            self.assertIn("artifacts", response.json["detail"])
            self.assertEqual(client.get("/v1/health").status, 200)

    def test_announced_too_large(self):
        with self.edge.client() as client:
            client.send(POST + b"Content-Length: 65537\r\n\r\n")
            response = client.read()
            self.assertEqual((response.status, response.problem, response.closes), (413, "too-large", True))
            self.assertIn("65536", response.json["detail"])
            self.assertEqual(client.rest(), b"")

    def test_chunked_too_large(self):
        with self.edge.client() as client:
            response = client.ask("POST", "/v1/requests", b" " * 65537, chunked=True)
            self.assertEqual((response.status, response.problem, response.closes), (413, "too-large", True))
            self.assertEqual(client.rest(), b"")

    def test_chunked_without_end(self):
        with self.edge.client() as client:
            client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
            with self.assertRaises((ConnectionError, ssl.SSLError)):
                for _ in range(200):
                    client.send(b"10000\r\n" + b" " * 65536 + b"\r\n")

    def test_types(self):
        good = ("application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8")
        bad = ("text/plain", "application/json; charset=latin-1", "application/jsonp", "application/x-www-form-urlencoded",
               "application/json;", "application/json, text/plain", "")
        with self.edge.client() as client:
            for kind in good:
                response = client.ask("POST", "/v1/requests", b"{}", [f"Content-Type: {kind}"])
                self.assertEqual(response.status, 400, kind)  # of the body, not of its type
        for kind in bad:
            with self.subTest(kind), self.edge.client() as client:
                response = client.ask("POST", "/v1/requests", b"{}", [f"Content-Type: {kind}"])
                self.assertEqual((response.status, response.problem), (415, "media-type"))
        with self.edge.client() as client:
            client.send(b"POST /v1/requests HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
            self.assertEqual(client.read().status, 415)

    def test_where_none_is_taken(self):
        with self.edge.client() as client:
            response = client.ask("POST", f"/v1/requests/{edge.PENDING}/cancel", b"{}")
            self.assertEqual((response.status, response.problem), (400, "invalid"))

    def test_idempotency_keys(self):
        bad = ("", "x" * 129, "with space", "a\tb")
        for key in bad:
            with self.subTest(key), self.edge.client() as client:
                response = client.ask("POST", "/v1/requests", b"{}", [f"Idempotency-Key: {key}"])
                self.assertEqual((response.status, response.problem), (400, "invalid"))
                self.assertIn("Idempotency-Key", response.json["detail"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
