# SPDX-License-Identifier: Apache-2.0
"""Help, manual and completion name every command and option; the library's example works."""

import os
import re
import subprocess
import unittest
from pathlib import Path

import cli
from instance import Instance

MANUAL = (Path(os.environ["CS_SRCDIR"]) / "man" / "countersign.1").read_text()
EXAMPLE = Path(os.environ["CS_BUILDDIR"]) / "docs" / "examples" / "sign"


def run(*arguments):
    return subprocess.run([str(cli.PROGRAM), *arguments], check=False, text=True, capture_output=True)


def commands():
    return re.findall(r"^  ((?:audit |key )?\S+) +\S", run("--help").stdout, re.M)


class Manual(unittest.TestCase):
    def test_every_command_and_option_is_in_the_manual(self):
        self.assertGreater(len(commands()), 15)
        for name in commands():
            with self.subTest(name):
                self.assertTrue(f".It Nm {name}" in MANUAL)
                described = run(*name.split(), "--help")
                self.assertEqual(described.returncode, 0)
                for option in re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)", described.stdout, re.M):
                    self.assertTrue(re.search(rf"(Fl|,) -{option}\b", MANUAL), option)

    def test_every_exit_code_is_in_the_manual(self):
        header = (Path(os.environ["CS_SRCDIR"]) / "src" / "cli" / "cli.h").read_text()
        for code in re.findall(r"CS_EXIT_\w+ = (\d+)", header):
            self.assertTrue(re.search(rf"(?m)^\.It {code}$", MANUAL), code)

    def test_help_fits_a_terminal(self):
        for name in commands():
            for line in run(*name.split(), "--help").stdout.splitlines():
                self.assertLessEqual(len(line), 120, line)

    def completed(self, *words):
        """What bash offers for the last word."""
        script = run("completion").stdout + (
            f"\nCOMP_WORDS=({' '.join(repr(word) for word in words)})\nCOMP_CWORD={len(words) - 1}\n"
            "_countersign\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
        done = subprocess.run(["bash", "-c", script], check=False, text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_completion(self):
        self.assertEqual(self.completed("countersign", "si"), ["sign"])
        self.assertEqual(set(self.completed("countersign", "")) - {"--help", "--version"},
                         {name.split()[0] for name in commands()})
        self.assertEqual(self.completed("countersign", "audit", "ve"), ["verify"])
        self.assertEqual(self.completed("countersign", "sign", "--time"), ["--timeout"])
        self.assertIn("--journal", self.completed("countersign", "audit", "verify", "--"))
        self.assertEqual(self.completed("countersign", "requests", "--environment", "p"), ["prod"])

    def test_version(self):
        self.assertRegex(run("--version").stdout, r"^countersign \d+\.\d+")


class Example(unittest.TestCase):
    def test_the_example_of_the_library(self):
        with Instance() as it:
            image = it.directory / "image.bin"
            image.write_bytes(b"firmware")
            arguments = [EXAMPLE, f"https://localhost:{it.port}", it.ca_file, it.directory / "ci.pem",
                         it.directory / "ci.key", "app-dev", image]
            done = subprocess.run(arguments, check=False, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            signature = it.directory / "image.sig"
            signature.write_bytes(done.stdout)
            agent = cli.Cli(it)
            self.assertEqual(agent.run("verify", "--key", "app-dev", image, signature).status, cli.OK)
            arguments[5] = "unknown"
            done = subprocess.run(arguments, check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("unknown", done.stderr)


if __name__ == "__main__":
    unittest.main()
