# SPDX-License-Identifier: Apache-2.0
"""/metrics says what happened; a real Prometheus reads it, its alerts fire when they should, the dashboard has data."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import machine
import yaml
from instance import Instance

SRCDIR = Path(os.environ["CS_SRCDIR"])
ALERTS = SRCDIR / "docs/alerts.yml"
DASHBOARD = SRCDIR / "docs/grafana.json"
CONFIG_EXIT = 78
NOW, DAY = 4200, 86400
NAME = re.compile(r"\b(?:countersign|process)_[a-z0-9_]+")
SAMPLE = re.compile(r"([a-z_:][a-z0-9_:]*)(\{.*\})? (\S+)")

BUSY = "countersign_http_requests_total{} 0+600x400"

# alert: series that make it fire, and series that do not; "NAME{labels} values", a sample a minute, looked at after
# 70 minutes: NOW
CASES = {
    "CountersignDown": ('up{job="countersign"} 0x80', 'up{job="countersign"} 1x80'),
    "CountersignNotReady": ("countersign_ready 0x80", "countersign_ready 1x68 0x0 1x10"),
    "CountersignLogBroken": ("countersign_log_writable 0x80", "countersign_log_writable 1x80"),
    "CountersignLogDamaged": ("countersign_log_damaged 1x80", "countersign_log_damaged 0x80"),
    "CountersignLogCheckLate": (
        ["countersign_log_check_timestamp_seconds 2600x80", "countersign_log_check_pass_seconds 50x80"],
        ["countersign_log_check_timestamp_seconds 2600x80", "countersign_log_check_pass_seconds 900x80"]),
    "CountersignLogCheckFails": ("countersign_log_check_errors_total 0x65 1+1x14",
                                 "countersign_log_check_errors_total 0+1x40 40x40"),
    "CountersignSignerDown": ('countersign_signer_up{token="prod"} 0x80', 'countersign_signer_up{token="prod"} 1x80'),
    "CountersignSignerUnsteady": ('countersign_signer_changes_total{token="prod",to="lost"} 0+1x80',
                                  'countersign_signer_changes_total{token="prod",to="back"} 0+1x80'),
    "CountersignSignerRestarts": ('countersign_signer_restarts_total{token="prod"} 0x61 1+1x3 4x20',
                                  'countersign_signer_restarts_total{token="prod"} 0+1x40 40x22 41+1x1 42x20'),
    "CountersignDiskLow": (["countersign_disk_free_bytes 99x80", "countersign_disk_watermark_bytes 100x80"],
                           ["countersign_disk_free_bytes 101x80", "countersign_disk_watermark_bytes 100x80"]),
    "CountersignDiskFills": (["countersign_disk_free_bytes 799x80", "countersign_disk_watermark_bytes 100x80"],
                             ["countersign_disk_free_bytes 801x80", "countersign_disk_watermark_bytes 100x80"]),
    "CountersignCrlExpires": (f"countersign_crl_next_update_timestamp_seconds {NOW + 2 * DAY - 1}x80",
                              f"countersign_crl_next_update_timestamp_seconds {NOW + 2 * DAY + 1}x80"),
    "CountersignCertificateExpires": (
        f'countersign_certificate_not_after_timestamp_seconds{{kind="client",name="ci"}} {NOW + 14 * DAY - 1}x80',
        f'countersign_certificate_not_after_timestamp_seconds{{kind="client",name="ci"}} {NOW + 14 * DAY + 1}x80'),
    "CountersignKeyExpires": (
        f'countersign_key_not_after_timestamp_seconds{{key="app-prod"}} {NOW + 30 * DAY - 1}x80',
        f'countersign_key_not_after_timestamp_seconds{{key="app-prod"}} {NOW + 30 * DAY + 1}x80'),
    "CountersignApprovalsWait": ('countersign_request_oldest_seconds{state="pending"} 14401x80',
                                 'countersign_request_oldest_seconds{state="pending"} 14399x80'),
    "CountersignSigningWaits": ('countersign_request_oldest_seconds{state="signing"} 301x80',
                                'countersign_request_oldest_seconds{state="pending"} 301x80'),
    "CountersignRefusalsSurge": ('countersign_auth_refusals_total{reason="revoked"} 0+120x80',
                                 'countersign_auth_refusals_total{reason="revoked"} 0+30x80'),
    "CountersignProblemsSurge": ([BUSY, 'countersign_problems_total{type="denied"} 0+300x80'],
                                 [BUSY, 'countersign_problems_total{type="denied"} 0+60x80']),
    "CountersignFaults": ('countersign_problems_total{type="internal"} 0+1x80',
                          'countersign_problems_total{type="conflict"} 0+1x80'),
    "CountersignOutcomeUnknown": ('countersign_events_total{kind="sign.unknown"} 0x60 1x20',
                                  'countersign_events_total{kind="sign.done"} 0+9x80'),
    "CountersignFsyncSlow": (
        ['countersign_fsync_seconds_bucket{le="0.1"} 0+90x80', 'countersign_fsync_seconds_bucket{le="0.25"} 0+100x80',
         'countersign_fsync_seconds_bucket{le="+Inf"} 0+100x80'],
        ['countersign_fsync_seconds_bucket{le="0.1"} 0+100x80', 'countersign_fsync_seconds_bucket{le="0.25"} 0+100x80',
         'countersign_fsync_seconds_bucket{le="+Inf"} 0+100x80']),
    "CountersignWriterBehind": ("countersign_writer_queue_length 1001x80", "countersign_writer_queue_length 1000x80"),
    "CountersignSelftestOld": ('countersign_selftest_timestamp_seconds{token="prod"} 0x80',
                               'countersign_selftest_timestamp_seconds{token="prod"} -600+60x80'),
    "CountersignSelftestFailed": ('countersign_selftest_failed_keys{token="prod"} 1x80',
                                  'countersign_selftest_failed_keys{token="prod"} 0x80'),
    "CountersignClockJump": ('countersign_events_total{kind="clock.jump"} 0x65 1x14',
                             'countersign_events_total{kind="clock.jump"} 0x40 1x40'),
    "CountersignUncleanStop": (
        ['countersign_events_total{kind="daemon.unclean-stop"} 1x80', "process_start_time_seconds 3000x80"],
        ['countersign_events_total{kind="daemon.unclean-stop"} 1x80', "process_start_time_seconds 500x80"]),
}


def tool(name):
    path = shutil.which(name)
    if not path:
        print(f"SKIP-OK: no {name} (scripts/deps installs it)")
        sys.exit(77)
    return path


PROMTOOL, PROMETHEUS = tool("promtool"), tool("prometheus")
# of a hundred commits or fewer a single slow one is enough for it to be pending
OF_THE_MACHINE = {"CountersignFsyncSlow"}


def unit_tests(cases):
    """promtool's test of the rules: for each case, whether the alert fires."""
    def series(lines):
        return [dict(zip(("series", "values"), line.rsplit("} ", 1) if "} " in line else line.split(" ", 1)))
                for line in ([lines] if isinstance(lines, str) else lines)]

    def closed(entry):
        entry["series"] += "}" if "{" in entry["series"] else ""
        return entry

    tests = []
    for alert, sides in cases.items():
        for side, fires in zip(sides, (True, False)):
            tests.append({
                "interval": "1m", "input_series": [closed(entry) for entry in series(side)],
                "promql_expr_test": [{
                    "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})', "eval_time": f"{NOW}s",
                    "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}]})
    return {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}


def run_unit_tests(cases):
    """Exit status and output of promtool."""
    with tempfile.TemporaryDirectory(prefix="csp", dir="/tmp") as directory:
        path = Path(directory) / "tests.yml"
        path.write_text(yaml.safe_dump(unit_tests(cases)))
        done = subprocess.run([PROMTOOL, "test", "rules", str(path)], text=True, capture_output=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def fetch(port, path="/metrics", method="GET"):
    """Status, headers and text."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def metrics_port(it):
    return int([line for line in it.log() if line["event"] == "metrics"][-1]["message"].rsplit(" ", 1)[1])


def samples(text):
    """{'name{labels}': value} of an exposition."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            found[match[1] + (match[2] or "")] = float(match[3])
    return found


def expressions(dashboard):
    return [(panel["title"], target["expr"].replace("$__rate_interval", "30s"))
            for panel in dashboard["panels"] for target in panel.get("targets", [])]


def unknown_names(expr, known):
    return {name for name in NAME.findall(expr)
            if name not in known and re.sub("_(bucket|sum|count)$", "", name) not in known}


def documented():
    """Names in the tables of docs/METRICS.md, which the gate generated.py compares with the programs'."""
    return set(re.findall(r"^\| `([a-z0-9_]+)` \|", (SRCDIR / "docs/METRICS.md").read_text(), re.MULTILINE))


class Prometheus:
    """A real one, which scrapes the daemon every second."""

    def __init__(self, directory, target):
        self.port = machine.free_port()
        config = directory / "prometheus.yml"
        config.write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [{"job_name": "countersign", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}]}))
        self.output = open(directory / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={directory}/tsdb",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.output, stderr=self.output)

    def end(self):
        self.process.terminate()
        self.process.wait(60)
        self.output.close()

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise  # it is still starting
            return json.load(error)

    def query(self, expr):
        """Result of an instant query; an error is an exception."""
        reply = self.get("query", query=expr)
        assert reply["status"] == "success", (expr, reply)
        return reply["data"]["result"]

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass  # it does not listen yet
            assert time.monotonic() < end, f"no {what} within {seconds} s"
            time.sleep(0.1)


def give_a_key_an_end(policy):
    policy["keys"][0]["not_after"] = "2099-01-01"


class Watches(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance(config={"metrics-listen": "127.0.0.1:0", "log-check-period": "1s"},
                          change_policy=give_a_key_an_end)
        cls.addClassCleanup(cls.it.end)
        cls.port = metrics_port(cls.it)

    def read(self):
        status, _, text = fetch(self.port)
        self.assertEqual(status, 200)
        return samples(text)

    def test_the_text_is_what_prometheus_reads(self):
        status, headers, text = fetch(self.port)
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True, capture_output=True, timeout=120)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        spoilt = subprocess.run([PROMTOOL, "check", "metrics"], input=text.replace("} ", " ", 1), text=True,
                                capture_output=True, timeout=120)
        self.assertNotEqual(spoilt.returncode, 0, "promtool takes anything")
        self.assertEqual(set(re.findall("^# HELP ([a-z0-9_]+) ", text, re.MULTILINE)), documented())

    def test_only_get_of_metrics_is_answered(self):
        self.assertEqual(fetch(self.port, "/")[0], 404)
        self.assertEqual(fetch(self.port, "/v1/keys")[0], 404)
        status, headers, _ = fetch(self.port, "/metrics", "POST")
        self.assertEqual((status, headers["Allow"]), (405, "GET"))

    def test_it_counts_what_happens(self):
        before, agent = self.read(), self.it.agent
        for number in range(5):
            self.assertEqual(agent.submit("app-dev", b"count %d" % number).status, 201)
        waiting = agent.submit("app-prod", b"waits").json["id"]
        self.assertEqual(agent.submit("no-such-key", b"image").status, 404)
        after = self.read()

        def grown(name):
            return after.get(name, 0) - before.get(name, 0)

        self.assertEqual(grown('countersign_events_total{kind="sign.done"}'), 5)
        self.assertEqual(grown('countersign_events_total{kind="request.signed"}'), 5)
        self.assertEqual(grown('countersign_sign_seconds_count{token="dev"}'), 5)
        self.assertEqual(grown('countersign_sign_seconds_bucket{token="dev",le="+Inf"}'), 5)
        self.assertEqual(grown('countersign_http_requests_total{route="submitRequest",code="201"}'), 5)
        self.assertEqual(grown('countersign_http_requests_total{route="submitRequest",code="404"}'), 1)
        self.assertEqual(grown('countersign_http_request_seconds_count{route="submitRequest"}'), 7)
        self.assertEqual(grown('countersign_denials_total{rule="key-not-allowed"}'), 1)
        self.assertEqual(grown('countersign_problems_total{type="not-found"}'), 1)
        self.assertGreaterEqual(grown("countersign_commit_seconds_count"), 2)
        self.assertEqual(grown("countersign_fsync_seconds_count"), grown("countersign_commit_seconds_count"))
        self.assertLessEqual(grown("countersign_fsync_seconds_sum"), grown("countersign_commit_seconds_sum"))
        self.assertEqual(after['countersign_requests{state="pending"}'], 1)
        self.assertGreater(after['countersign_request_oldest_seconds{state="pending"}'], 0)
        head = self.it.head()
        now = self.read()
        self.assertEqual(now["countersign_log_events"], head["size"])
        self.assertEqual(now["countersign_log_head"], int(head["head"][:12], 16))
        self.assertIn(f'countersign_log_info{{id="{head["id"]}"}}', now)
        self.assertEqual(agent.post(f"/v1/requests/{waiting}/cancel", b"").status, 200)
        self.assertEqual(self.read()['countersign_requests{state="pending"}'], 0)

    def test_refused_certificates_are_counted(self):
        name = 'countersign_auth_refusals_total{reason="nobody"}'
        before = self.read()[name]
        self.it.identities["nobody"] = self.it.ca.issue("nobody")
        self.it.identities["nobody"].write(self.it.directory, "nobody")
        self.assertEqual(self.it.client("nobody").get("/v1/ready").status, 403)
        self.assertEqual(self.read()[name], before + 1)

    def test_expiry_is_shown(self):
        self.it.agent.get("/v1/ready")
        now = self.read()
        for labels in ('kind="server",name="CN=countersignd"', 'kind="client-ca",name="CN=client CA"',
                       'kind="client",name="ci"'):
            left = now[f"countersign_certificate_not_after_timestamp_seconds{{{labels}}}"] - time.time()
            self.assertTrue(DAY < left < 4000 * DAY, (labels, left))
        self.assertGreater(now["countersign_crl_next_update_timestamp_seconds"], time.time())
        self.assertEqual(now['countersign_key_not_after_timestamp_seconds{key="app-dev"}'], 4070908800)

    def test_only_this_machine_may_ask(self):
        other = Instance(start=False, config={"metrics-listen": "0.0.0.0:0"})
        self.addCleanup(other.end)
        other.start_signers()
        status, output = other.run()
        self.assertEqual(status, CONFIG_EXIT, output)
        self.assertIn("metrics-listen", output)

    def test_every_alert_fires_and_does_not(self):
        rules = {rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}
        self.assertEqual(rules, set(CASES))
        checked = subprocess.run([PROMTOOL, "check", "rules", str(ALERTS)], text=True, capture_output=True, timeout=120)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        status, output = run_unit_tests(CASES)
        self.assertEqual(status, 0, output)
        # the other way round each of them must fail
        status, output = run_unit_tests({alert: (quiet, fires) for alert, (fires, quiet) in CASES.items()})
        self.assertEqual(status, 1, output)
        for alert in CASES:
            self.assertEqual(output.count(f'{alert}\\"'), 2, f"{alert}: {output}")

    def test_a_real_prometheus_has_data_for_all_of_the_dashboard(self):
        dashboard = json.loads(DASHBOARD.read_text())
        known = documented()
        for title, expr in expressions(dashboard):
            self.assertEqual(unknown_names(expr, known), set(), title)
        self.assertEqual(unknown_names("rate(countersign_nothing_total[1m])", known), {"countersign_nothing_total"})
        for group in yaml.safe_load(ALERTS.read_text())["groups"]:
            for rule in group["rules"]:
                self.assertEqual(unknown_names(rule["expr"], known), set(), rule["alert"])
        prometheus = Prometheus(self.it.directory, self.port)
        self.addCleanup(prometheus.end)
        prometheus.wait(lambda: prometheus.query('up{job="countersign"} == 1'), "scrape")
        agent = self.it.agent
        for number in range(5):
            self.assertEqual(agent.submit("app-dev", b"dashboard %d" % number).status, 201)
        prometheus.wait(lambda: prometheus.query("rate(countersign_commit_seconds_count[30s]) > 0"), "rate")
        shown = expressions(dashboard)
        for title, expr in shown:
            prometheus.wait(lambda e=expr: prometheus.query(e), f"data for {title}: {expr}")
        self.check_rules(prometheus)
        print(f"metrics: Prometheus took {len(known)} metrics, {len(CASES)} alerts fired and did not fire, "
              f"{len(shown)} expressions of the dashboard had data")

    def check_rules(self, prometheus):
        """All are evaluated, none fires while all is well, and one is pending without a signer."""
        def rules():
            return {rule["name"]: rule for group in prometheus.get("rules")["data"]["groups"]
                    for rule in group["rules"]}

        prometheus.wait(lambda: len(rules()) == len(CASES) and all(r["health"] == "ok" for r in rules().values()),
                        "evaluation of the rules")
        prometheus.wait(lambda: {name for name, rule in rules().items() if rule["state"] != "inactive"} <= OF_THE_MACHINE,
                        "rest of all alerts")
        self.it.signers["prod"].end()
        prometheus.wait(lambda: rules()["CountersignSignerDown"]["state"] == "pending", "pending alert")


class Restarts(unittest.TestCase):
    """Of a signer's children: what ended unasked counts, for as long as the signer lives."""

    @classmethod
    def setUpClass(cls):
        cls.it = Instance(config={"metrics-listen": "127.0.0.1:0"}, children=2, shim=True,
                          options=("--call-timeout", "3000"))
        cls.addClassCleanup(cls.it.end)
        cls.signer = cls.it.signers["dev"]

    def restarts(self):
        """By token."""
        status, _, text = fetch(metrics_port(self.it))
        self.assertEqual(status, 200)
        return {name.split('"')[1]: value for name, value in samples(text).items()
                if name.startswith("countersign_signer_restarts_total")}

    def wait_restarts(self, **tokens):
        self.it.wait(lambda: self.restarts() == tokens, f"restarts {tokens}")

    def children_serve(self, count):
        self.signer.wait_log("child-ready", count)

    def test_restarts(self):
        self.children_serve(2)
        self.wait_restarts(dev=0, prod=0)
        os.kill(self.signer.child_pids()[0], signal.SIGKILL)
        self.children_serve(3)
        self.wait_restarts(dev=1, prod=0)
        # a call beyond its deadline
        self.signer.rules("C_Sign hang 60000 all:1")
        self.it.agent.submit("app-dev", b"hangs")
        self.children_serve(4)
        self.signer.rules()
        self.wait_restarts(dev=2, prod=0)
        # two children are replaced, by request
        self.it.policy["version"] += 1
        self.it.reload()
        self.signer.wait_log("reloaded")
        self.it.wait(lambda: self.it.client("operator1").get("/v1/ready").status == 200, "ready again")
        self.assertEqual(len(self.signer.events("child-ready")), 6)
        os.kill(self.signer.child_pids()[0], signal.SIGKILL)
        self.children_serve(7)
        self.wait_restarts(dev=3, prod=0)
        # no number is made up for a signer that the daemon has not seen
        self.it.stop()
        self.signer.stop()
        self.it.start(ready=False)
        self.wait_restarts(prod=0)
        self.signer.start()
        self.wait_restarts(dev=0, prod=0)


if __name__ == "__main__":
    unittest.main()
