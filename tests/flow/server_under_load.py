# SPDX-License-Identifier: Apache-2.0
"""`make bench` in small: every request of the load is signed, and every figure is there and plausible."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from loads import LOAD

RUN = Path(os.environ["CS_SRCDIR"]) / "tests/bench/run"
CONNECTIONS = [1, 8]
EVENTS = 1000


def bench(output):
    command = [sys.executable, "-B", RUN, "--seconds", "1", "--connections", ",".join(map(str, CONNECTIONS)),
               "--algorithms", "p-256", "--events", str(EVENTS), "--output", output]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def check_point(x):
    assert x["lost"] == 0 and list(x["statuses"]) == ["201"], x
    assert x["signatures"] > 0 and x["per_second"] > 0, x
    assert 0 < x["p50_us"] <= x["p90_us"] <= x["p99_us"] <= x["max_us"], x
    assert x["of_token"] > 0 and set(x["cpu_us"]) == {"daemon", "signers", "load"}, x


def check_filled(x):
    """The events are those that the daemon says it has, not those that were asked for."""
    assert x["empty"]["events"] < 20 and EVENTS < x["filled"]["events"] < EVENTS + 20, x
    assert x["lost"] == 0 and x["of_empty"] > 0 and x["cpu_of_empty"] > 0, x
    for side in (x["empty"], x["filled"]):
        assert len(side["rounds"]) == 2 and min(side["rounds"]) > 0 and side["start_seconds"] > 0, x
        assert set(side["cpu_us"]) == {"daemon", "signers", "load"}, x


def check_figures():
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "bench.jsonl"
        done = bench(output)
        assert output.read_text() == done.stdout
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        kinds = [x["bench"] for x in lines]
        assert kinds == ["machine", "fsync", "token", *["sign"] * 3, "memory", "log", "slow-token", "filled"], kinds
        points = [x for x in lines if x["bench"] == "sign"]
        assert [x["connections"] for x in points] == [*CONNECTIONS, CONNECTIONS[-1]], points
        assert ["rate" in x for x in points] == [False, False, True], points
        for point in points:
            check_point(point)
        check_point(lines[-2])
        check_filled(lines[-1])
        figures = {**lines[1], **lines[2], **lines[-4], **lines[-3]}
        for name in ("median_us", "p99_us", "per_second", "cpu_us", "daemon_kib", "signer_kib", "bytes_per_signature",
                     "journal_bytes_per_signature"):
            assert figures[name] > 0, (name, figures)


def check_no_server():
    """A load without anybody to take it ends, says why and fails."""
    words = ["--port", "1", "--ca", "/dev/null", "--certificate", "x", "--key", "x", "--body", "x", "--connections", "1",
             "--milliseconds", "100"]
    done = subprocess.run([LOAD, *words], stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr.startswith("load: "), done
    done = subprocess.run([LOAD, "--port", "0"], stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2 and "--port 0" in done.stderr, done


check_no_server()
check_figures()
