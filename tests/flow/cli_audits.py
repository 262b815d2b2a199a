# SPDX-License-Identifier: Apache-2.0
"""countersign audit: what is exported is proved, for spreadsheets too; every change is found."""

import csv
import hashlib
import io
import json
import unittest

import cli
from cli import Cli, Liar
from instance import Instance


class Audits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.it = Instance()
        cls.addClassCleanup(cls.it.end)
        agent = Cli(cls.it)
        image = agent.image()
        request = agent.run("submit", "--key", "app-prod", image).id
        for person in ("approver1", "approver2"):
            done = Cli(cls.it, person).run("approve", "--no-image", "--yes", request)
            assert done.status == cli.OK, done.err
        assert agent.run("wait", "--timeout", "60s", request).status == cli.OK
        cls.heads = cls.it.directory / "cli-approver1" / "heads"
        cls.auditor = Cli(cls.it, "auditor1")
        cls.log = cls.auditor.directory / "log.ndjson"
        done = cls.auditor.run("audit", "export", "--json", "--output", cls.log)
        assert done.status == cli.OK, done.err
        cls.end = done.json

    def verify(self, wanted, *arguments, log=None):
        done = self.auditor.run("audit", "verify", *arguments, log or self.log)
        self.assertEqual(done.status, wanted, done.out + done.err)
        return done

    def changed(self, change):
        path = self.auditor.directory / "changed.ndjson"
        lines = self.log.read_bytes().splitlines()
        path.write_bytes(b"".join(line + b"\n" for line in change(lines)))
        return path

    def test_an_export_is_the_exact_log(self):
        lines = self.log.read_bytes().splitlines()
        self.assertEqual(len(lines), self.end["size"])
        self.assertEqual(hashlib.sha256(b"\0" + lines[0]).hexdigest(), self.end["id"])
        self.assertEqual(hashlib.sha256(b"\0" + lines[-1]).hexdigest(), self.end["head"])
        printed = self.auditor.run("audit", "export")
        self.assertTrue(printed.out.encode().startswith(self.log.read_bytes()))

    def test_three_verdicts(self):
        self.assertIn("consistent, not anchored", self.verify(cli.NOT_ANCHORED).out)
        head = f"{self.end['size']}:{self.end['head']}"
        self.assertIn(f"anchored at size {self.end['size']}", self.verify(cli.OK, "--head", head).out)
        self.assertEqual(self.verify(cli.OK, "--json", "--heads", self.heads).json["verdict"], "anchored")
        wrong = f"{self.end['size']}:{'0' * 64}"
        self.assertIn("failed", self.verify(cli.FAILED, "--head", wrong).out)

    def test_changes_are_found_and_named(self):
        def flip(lines):
            lines[3] = lines[3].replace(b'"v":1', b'"v":2')
            return lines

        for name, change in (("flipped", flip), ("dropped", lambda lines: lines[:4] + lines[5:]),
                             ("swapped", lambda lines: lines[:4] + [lines[5], lines[4]] + lines[6:]),
                             ("twice", lambda lines: lines[:5] + lines[4:])):
            with self.subTest(name):
                done = self.verify(cli.FAILED, log=self.changed(change))
                self.assertRegex(done.out, r"(?m)^event \d+: ")
        cut = self.changed(lambda lines: lines[:5])
        self.verify(cli.NOT_ANCHORED, log=cut)
        self.assertIn("its end is missing", self.verify(cli.FAILED, "--heads", self.heads, log=cut).out)

    def test_journals_and_policies(self):
        journals = [argument for signer in self.it.signers.values()
                    for path in sorted(signer.state.glob("journal-*.ndjson")) for argument in ("--journal", path)]
        self.assertTrue(journals)
        self.verify(cli.NOT_ANCHORED, *journals)
        forged = self.auditor.directory / "forged-journal"
        lines = journals[-1].read_text().splitlines()
        forged.write_text("\n".join(lines).replace('"artifact":0', '"artifact":1') + "\n")
        self.verify(cli.FAILED, "--journal", forged)
        loaded = next(json.loads(line) for line in self.log.read_text().splitlines() if '"policy.loaded"' in line)
        self.verify(cli.NOT_ANCHORED, "--policy", loaded["detail"]["digest"])
        self.verify(cli.FAILED, "--policy", "0" * 64)

    def test_bad_input_is_named(self):
        self.assertIn("--policy", self.verify(cli.DATA, "--policy", "G" * 64).err)
        self.assertIn("line 1", self.verify(cli.DATA, "--heads", self.log).err)
        self.verify(cli.DATA, "--head", "1")
        self.verify(cli.NO_INPUT, log="/nonexistent")

    def test_nothing_is_overwritten(self):
        before = self.log.read_bytes()
        done = self.auditor.run("audit", "export", "--output", self.log)
        self.assertEqual(done.status, cli.FAILED)
        self.assertIn("nothing is overwritten", done.err)
        self.assertEqual(self.log.read_bytes(), before)
        self.assertFalse(self.log.with_suffix(".ndjson.part").exists())

    def test_csv_holds_every_event_and_no_formula(self):
        path = self.auditor.directory / "log.csv"
        done = self.auditor.run("audit", "export", "--encoding", "csv", "--output", path)
        self.assertEqual(done.status, cli.OK, done.err)
        rows = list(csv.reader(io.StringIO(path.read_text(), newline="")))
        events = [json.loads(line) for line in self.log.read_text().splitlines()]
        self.assertEqual(rows[0], ["seq", "time", "kind", "actor", "request", "detail", "hash"])
        for row, event, line in zip(rows[1:], events, self.log.read_bytes().splitlines()):
            self.assertEqual(row[:5], [str(event["seq"]), event["time"], event["kind"], event["actor"],
                                       event.get("request", "")])
            self.assertEqual(json.loads(row[5]), event["detail"])
            self.assertEqual(row[6], hashlib.sha256(b"\0" + line).hexdigest())
        self.assertFalse([cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))])

    def test_tail(self):
        done = self.auditor.run("audit", "tail", "--once")
        self.assertEqual(done.status, cli.OK, done.err)
        self.assertLessEqual(len(done.out.splitlines()), 10)
        done = self.auditor.run("audit", "tail", "--once", "--from", "2", "--json")
        self.assertEqual(json.loads(done.out.splitlines()[0]), json.loads(self.log.read_text().splitlines()[1]))

    def test_pages_that_do_not_end_are_refused(self):
        for page in (b"", b"{}\n", self.log.read_bytes()):
            with self.subTest(page[:10]), Liar(self.it, "auditor1", {
                    "/audit/events": lambda *_, page=page: (200, page)}) as liar:
                done = Cli(self.it, "auditor1", port=liar.port).run("audit", "export")
                self.assertEqual(done.status, cli.PROTOCOL, done.err)


if __name__ == "__main__":
    unittest.main()
