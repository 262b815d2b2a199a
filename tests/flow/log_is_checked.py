# SPDX-License-Identifier: Apache-2.0
"""One byte of an event, changed in the file, is an alarm within a minute: event, line, metric. Signing goes on.

With CS_FULL=1 with the default pace instead of a pass a second.
"""

import json
import os
import re
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from instance import Instance

FULL = bool(os.environ.get("CS_FULL"))
PERIOD = 50 if FULL else 1  # seconds; 50 is the default of log-check-period
SHARE = 5  # percent, the default of log-check-share
LIMIT = 60  # seconds to an alarm, whatever the period
FILL = 30  # signatures before; few enough for all of the log to fit into a connection's memory
CLIENTS, LOAD = 4, 10 if FULL else 3  # at the same time, and seconds of load


class Log(unittest.TestCase):
    def setUp(self):
        config = {"metrics-listen": "127.0.0.1:0", "log-check-share": SHARE}
        self.it = Instance(config=config if FULL else {**config, "log-check-period": f"{PERIOD}s"})
        self.addCleanup(self.it.end)
        agent = self.it.agent
        for number in range(FILL):
            self.assertEqual(agent.submit("app-dev", b"fill %d" % number).status, 201)
        self.assertEqual(self.it.stop(), 0)  # which puts everything into the database file
        self.it.start()

    def metrics(self):
        port = [line for line in self.it.log() if line["event"] == "metrics"][-1]["message"].rsplit(" ", 1)[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
            text = reply.read().decode()
        return {name: float(value) for name, value in re.findall(r"^(countersign_log\w*) (\S+)$", text, re.MULTILINE)}

    def wait_passes(self, count):
        want = self.metrics()["countersign_log_check_passes_total"] + count
        self.it.wait(lambda: self.metrics()["countersign_log_check_passes_total"] >= want, f"{count} passes",
                     60 + 2 * count * PERIOD)

    def alarms(self):
        """Alarms as the log, the lines and the metrics have them."""
        lines, _ = self.it.export()
        events = [event for event in map(json.loads, lines) if event["kind"] == "log.damaged"]
        told = [line for line in self.it.log() if line["event"] == "log-damaged"]
        now = self.metrics()
        return events, told, int(now["countersign_log_alarms_total"]), int(now["countersign_log_damaged"])

    def flip(self, text):
        """Change a byte of the text wherever the database's files have it, past SQLite. The places."""
        places = []
        for name in (self.it.database, f"{self.it.database}-wal"):
            with open(name, "r+b", buffering=0) as file:
                content = file.read()
                for match in re.finditer(re.escape(text), content):
                    at = match.start() + len(text) // 2
                    file.seek(at)
                    file.write(bytes([content[at] ^ 1]))
                    places.append((name, at))
        return places

    def some_event(self):
        """An old event whose number and time stand in one piece in the database file: (number, these bytes)."""
        lines, _ = self.it.export()
        content = self.it.database.read_bytes()
        for line in lines[8:]:
            event = json.loads(line)
            text = f'"seq":{event["seq"]},"time":"{event["time"]}"'.encode()
            if text in content:
                return event["seq"], text
        raise AssertionError("no event stands in one piece")

    def sign_many(self):
        """Some seconds of load, of which every request must be signed; how many were. How fast, `make bench` says."""
        end, done = time.monotonic() + LOAD, []

        def work(number):
            client, count = self.it.agent, 0
            while time.monotonic() < end:
                image = b"load %d %d %f" % (number, count, end)
                assert client.submit("app-dev", image).status == 201
                count += 1
            done.append(count)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(done), CLIENTS, "a client failed")
        return sum(done)

    def nice_values(self):
        """Of each thread of the daemon, by its name."""
        tasks = Path(f"/proc/{self.it.process.pid}/task").iterdir()
        stats = [re.fullmatch(r"\d+ \((.*)\) (.*)", (task / "stat").read_text().strip()) for task in tasks]
        return {stat[1]: int(stat[2].split()[16]) for stat in stats}  # proc_pid_stat(5), field 19

    def test_it_gives_way(self):
        self.wait_passes(1)
        nice = self.nice_values()
        self.assertEqual(nice["log-check"], 19)
        self.assertEqual(nice["writer"], os.getpriority(os.PRIO_PROCESS, 0))

    def wait_alarm(self, count):
        start = time.monotonic()
        self.it.wait(lambda: self.metrics()["countersign_log_alarms_total"] >= count, "alarm", LIMIT)
        self.it.wait(lambda: len(self.alarms()[0]) == count, "event")
        return time.monotonic() - start

    def test_a_byte_flipped_while_nothing_happens(self):
        """The daemon has just read it, and no commit tells its connection to read again."""
        seq, text = self.some_event()
        self.wait_passes(2)
        self.assertTrue(self.flip(text))
        self.it.wait(lambda: self.metrics()["countersign_log_damaged"] == 1, "alarm", LIMIT)
        self.assertEqual([event["detail"]["seq"] for event in self.alarms()[0]], [seq])

    def test_one_flipped_byte(self):
        self.wait_passes(2)
        self.assertEqual(self.alarms(), ([], [], 0, 0), "an alarm over an honest log")
        before = self.sign_many()
        self.wait_passes(2)
        self.assertEqual(self.alarms(), ([], [], 0, 0), "an alarm over an honest log")

        seq, text = self.some_event()
        places = self.flip(text)
        self.assertTrue(places)
        took = self.wait_alarm(1)
        self.assertLess(took, LIMIT)
        events, told, count, damaged = self.alarms()
        self.assertEqual((len(events), len(told), count, damaged), (1, 1, 1, 1))
        self.assertEqual(events[0]["detail"]["seq"], seq)
        self.assertEqual(events[0]["actor"], "daemon")
        self.assertIn(f"event {seq} ", told[0]["message"])

        started, cpu = time.monotonic(), self.metrics()["countersign_log_check_cpu_seconds_total"]
        after = self.sign_many()
        share = (self.metrics()["countersign_log_check_cpu_seconds_total"] - cpu) / (time.monotonic() - started)
        self.assertLess(share, SHARE / 100 + 0.02, "it takes more than its share of a processor")
        self.wait_passes(2)
        self.assertEqual(len(self.alarms()[0]), 1, "one place is one alarm")
        lines, _ = self.it.export()
        self.assertEqual(self.it.verify(lines)[0], 1, "the verifiers do not see it")

        # the same after a restart, before anybody has done anything
        self.assertEqual(self.it.stop(), 0)
        self.it.start()
        again = self.wait_alarm_of_start()
        places = self.flip(bytes(b ^ 1 if n == len(text) // 2 else b for n, b in enumerate(text)))
        self.assertTrue(places)
        self.it.wait(lambda: self.metrics()["countersign_log_damaged"] == 0, "end of the alarm", 60 + 3 * PERIOD)
        self.assertTrue([line for line in self.it.log() if line["event"] == "log-undamaged"])
        lines, head = self.it.export()
        self.assertEqual(self.it.verify(lines, head)[0], 0, "with the byte as it was the log is good")
        self.assertEqual(len([line for line in lines if b'"kind":"log.damaged"' in line]), 2)
        print(f"control C15: a flipped byte was found in {took:.1f} s, after a restart in {again:.1f} s; "
              f"all of {before} requests were signed before and of {after} with the alarm; it took {100 * share:.1f} % of a "
              "processor")

    def wait_alarm_of_start(self):
        start = time.monotonic()
        self.it.wait(lambda: self.metrics()["countersign_log_alarms_total"] == 1, "alarm after the start", LIMIT)
        return time.monotonic() - start


if __name__ == "__main__":
    unittest.main()
