# SPDX-License-Identifier: Apache-2.0
"""Malformed requests are answered with 400 (or another 4xx) and the end of the connection, and what follows
them on the wire is never read as a request."""

import unittest

import edge

HEAD = b"GET /v1/health HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /v1/requests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
NEXT = b"GET /v1/keys HTTP/1.1\r\nHost: a\r\n\r\n"  # must never be answered
ANSWER = b'{"keys":[]}'

# name: bytes of one request; each is followed by NEXT
CASES = {
    "two Hosts": HEAD + b"Host: a\r\n\r\n",
    "no Host": b"GET /v1/health HTTP/1.1\r\n\r\n",
    "HTTP/1.0": b"GET /v1/health HTTP/1.0\r\nHost: a\r\n\r\n",
    "HTTP/2.0": b"GET /v1/health HTTP/2.0\r\nHost: a\r\n\r\n",
    "no version": b"GET /v1/health\r\nHost: a\r\n\r\n",
    "length and chunked": HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "two equal lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": HEAD + b"Content-Length : 3\r\n\r\nabc",
    "negative length": HEAD + b"Content-Length: -3\r\n\r\n",
    "signed length": HEAD + b"Content-Length: +0\r\n\r\n",
    "list of lengths": HEAD + b"Content-Length: 0, 0\r\n\r\n",
    "hexadecimal length": HEAD + b"Content-Length: 0x0\r\n\r\n",
    "other coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunked at the end": HEAD + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "two codings": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two authorizations": HEAD + b"Authorization: a\r\nAuthorization: b\r\n\r\n",
    "bare LF after the request line": b"GET /v1/health HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF after a header": b"GET /v1/health HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF at the end": b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\n",
    "NUL in a value": HEAD + b"X: a\0b\r\n\r\n",
    "NUL in a name": HEAD + b"X\0Y: a\r\n\r\n",
    "NUL in the target": b"GET /v1/health\0x HTTP/1.1\r\nHost: a\r\n\r\n",
    "folded value": HEAD + b"X: a\r\n b\r\n\r\n",
    "folded length": HEAD + b"X: a\r\n Content-Length: 40\r\n\r\n",
    "name split by CR LF": b"GET /v1/health HTTP/1.1\r\nHost: a\r\nContent-\r\nLength: 3\r\n\r\n",
    "line without a colon": HEAD + b"nonsense\r\n\r\n",
    "name with a space": HEAD + b"X Y: a\r\n\r\n",
    "empty name": HEAD + b": a\r\n\r\n",
    "control character in a value": HEAD + b"X: \x1b[2J\r\n\r\n",
    "byte above ASCII": HEAD + b"X: \xe9\r\n\r\n",
    "carriage return in a value": HEAD + b"X: a\rb\r\n\r\n",
    "two spaces in the request line": b"GET  /v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
    "space in the target": b"GET /v1/health x HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces and a bare LF": b"GET /v1/health HTTP/1.1\r\nHost:  a\nX: b\r\n\r\n",
    "bare LF and two spaces": b"GET /v1/health HTTP/1.1\r\nHost: a\nX:  b\r\n\r\n",
    "no space and two spaces": b"GET /v1/health HTTP/1.1\r\nHost:a\r\nX:  b\r\n\r\n",
    "folded line without white space to spare": b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX:\r\n b\r\n\r\n",
    "two spaces in a header": b"GET /v1/health HTTP/1.1\r\nHost:  a\r\n\r\n",
    "%00": b"GET /v1/health%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "dot dot": b"GET /v1/../v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
    "escaped dot dot": b"GET /v1/%2e%2e/v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
    "slash slash": b"GET //v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
    "backslash": b"GET /v1\\health HTTP/1.1\r\nHost: a\r\n\r\n",
    "broken escape": b"GET /v1/health%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": b"GET /v1/health#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute form": b"GET https://a/v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "method that is no token": b"G@T /v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
    "target that is too long": b"GET /v1/health?" + b"a" * 1100 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "target far too long": b"GET /v1/" + b"a" * 40000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "header that is too long": HEAD + b"X: " + b"a" * 40000 + b"\r\n\r\n",
    "too many headers": HEAD + b"X: a\r\n" * 60 + b"\r\n",
    "TLS in TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
    "body on GET": HEAD + b"Content-Length: 3\r\n\r\nabc",
    "malformed chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "negative chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
}


class Malformed(unittest.TestCase):
    def test_refused_and_closed(self):
        with edge.Edge() as daemon:
            for name, request in CASES.items():
                with self.subTest(name), daemon.client() as client:
                    client.offer(request + NEXT)
                    first = client.read()
                    # without a complete request line there is nobody to answer
                    if first is not None:
                        self.assertIn(first.status, (400, 405, 413, 414, 431, 505))
                        self.assertTrue(first.closes)
                    # libmicrohttpd's own refusals come with a second head behind the first
                    self.assertNotIn(ANSWER, client.rest())
            with daemon.client() as client:
                self.assertEqual(client.get("/v1/health").status, 200)

    def test_chunked_bodies_end_the_connection(self):
        """They are taken, but what follows them is never parsed: chunk framing is where parsers differ."""
        body = b'{"artifacts":[]}'
        with edge.Edge() as daemon, daemon.client() as client:
            client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) + NEXT)
            response = client.read()
            self.assertEqual((response.status, response.problem, response.closes), (400, "invalid", True))
            self.assertEqual(client.rest(), b"")

    def test_good_requests_pipeline(self):
        with edge.Edge() as daemon, daemon.client() as client:
            client.send(NEXT * 20)
            for _ in range(20):
                self.assertEqual(client.read().body, ANSWER)

    def test_large_heads(self):
        """Up to where libmicrohttpd gives up; its buffer grows on the way."""
        with edge.Edge() as daemon, daemon.client() as client:
            for size in (10, 100, 200, 250):
                client.send(HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"x" * size) for n in range(40)) + b"\r\n")
                self.assertEqual(client.read().status, 200, size)

    def test_empty_line_before_a_request(self):
        with edge.Edge() as daemon, daemon.client() as client:
            client.send(b"\r\n" + NEXT)
            self.assertEqual(client.read().status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
