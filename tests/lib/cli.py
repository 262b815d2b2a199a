# SPDX-License-Identifier: Apache-2.0
"""countersign as its users run it, on an Instance of instance.py; and a server that lies."""

import http.server
import json
import os
import pty
import re
import select
import ssl
import subprocess
import threading
import time
from pathlib import Path

import approvals
import instance

PROGRAM = Path(os.environ.get("CS_BUILDDIR", ".")) / "countersign"
OK, FAILED, USAGE, NOT_ANCHORED, DATA, NO_INPUT, UNAVAILABLE = 0, 1, 2, 3, 65, 66, 69
PENDING, PROTOCOL, REFUSED, CONFIG = 75, 76, 77, 78


class Done:
    """What a run left: exit status, standard output, standard error."""

    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def id(self):
        """The request that was printed."""
        return re.search(r"^request: +(\S+)$", self.out, re.M)[1]


class Cli:
    """One person's command line: profile, heads file and state below the instance's directory."""

    def __init__(self, it, name="ci", port=None, **values):
        self.it = it
        self.name = name
        self.directory = it.directory / f"cli-{name}"
        self.directory.mkdir(exist_ok=True)
        self.values = {"url": f"https://localhost:{port or it.port}", "ca": it.ca_file,
                       "certificate": it.directory / f"{name}.pem", "key": it.directory / f"{name}.key",
                       "heads": self.directory / "heads", **values}
        if name in instance.PEOPLE:
            self.values.setdefault("approval_key", approvals.KEYS / f"{name}.pem")
            self.values.setdefault("person", name)

    @property
    def env(self):
        """The profile is written at each run, for the instance's port of now."""
        profiles = self.directory / "profiles.yaml"
        lines = [f"    {key}: \"{value}\"" for key, value in self.values.items() if value is not None]
        profiles.write_text("profiles:\n  me:\n" + "\n".join(lines) + "\n")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("COUNTERSIGN_")}
        return {**kept, "COUNTERSIGN_PROFILES": str(profiles), "COUNTERSIGN_STATE": str(self.directory / "state")}

    def run(self, *arguments, env=None, cwd=None):
        command = [str(PROGRAM), *map(str, arguments)]
        return Done(subprocess.run(command, env={**self.env, **(env or {})}, cwd=cwd or self.directory, timeout=120,
                                   text=True, stdin=subprocess.DEVNULL, capture_output=True, check=False))

    def start(self, *arguments):
        return subprocess.Popen([str(PROGRAM), *map(str, arguments)], env=self.env, cwd=self.directory, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def on_terminal(self, *arguments, answer="", until=None):
        """Run on a terminal, type `answer` when a question or `until` appears: (exit status, what was shown)."""
        env = self.env
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.directory)
            os.execve(PROGRAM, [str(PROGRAM), *map(str, arguments)], env)
        shown, end = "", time.monotonic() + 120
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    piece = os.read(fd, 65536)
                except OSError:  # Linux says so when the other end is closed
                    break
                if not piece:
                    break
                shown += piece.decode(errors="replace")
            if answer and (until or "[y/N]") in shown:
                os.write(fd, answer.encode())
                answer = ""
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
        return status, shown

    def image(self, name="app.bin", content=b"image"):
        path = self.directory / name
        path.write_bytes(content)
        return path


class Liar:
    """A server with the instance's certificate that passes requests on and changes the answers.

    `lies` maps a pattern of the path to a function (status, body) -> (status, body); `swallow`
    says which (method, path) is neither passed on nor answered.
    """

    def __init__(self, it, name, lies, server_files=None, swallow=lambda method, path: False):
        self.client = it.client(name)
        self.lies = lies
        self.seen = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                kept = {key: self.headers[key] for key in ("Idempotency-Key", "Content-Type") if key in self.headers}
                outer.seen.append((self.command, self.path))
                if swallow(self.command, self.path):
                    self.close_connection = True
                    return
                reply = outer.client.request(self.command, self.path, body, kept)
                status, content = reply.status, reply.body
                for pattern, lie in outer.lies.items():
                    if re.search(pattern, self.path):
                        status, content = lie(status, content)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(server_files or it.server_files))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


def change_json(**changes):
    """A lie that replaces members of a JSON object."""
    def lie(status, body):
        return status, json.dumps({**json.loads(body), **changes}).encode()
    return lie
