#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make check-fuzz`: let libFuzzer search with every target, a few at a time, beginning at the corpus.

    search.py --build DIR --seconds 60 --jobs 2 TARGET ...

What it finds stays in DIR/found/NAME, and helps the next run; an input that crashes is DIR/found/NAME-crash-...
and fails the run, and so does a crash that was planted and is not found.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
PLANTED = "tests/fuzz/fuzz_planted"


def name_of(target):
    return Path(target).name.removeprefix("fuzz_")


def search(build, target, seconds):
    """Run one target; the exit status and the text of libFuzzer."""
    name = name_of(target)
    found = build / "found" / name
    found.mkdir(parents=True, exist_ok=True)
    seeds = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    done = subprocess.run(
        [build / target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
         f"-artifact_prefix={build}/found/{name}-", str(found), *seeds],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=seconds + 300, check=False)
    return done.returncode, done.stdout


def figure(text, pattern):
    matches = re.findall(pattern, text)
    return int(matches[-1]) if matches else 0


def report(target, status, text):
    """One line; returns how many inputs were tried."""
    runs = figure(text, r"stat::number_of_executed_units:\s*([0-9]+)")
    print(f"{name_of(target)}: {runs} inputs, {figure(text, r'cov: ([0-9]+)')} edges, "
          f"{figure(text, r'corp: ([0-9]+)/')} kept{'' if status == 0 else ', CRASH'}", flush=True)
    if status != 0:
        print(text[-4000:])
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("targets", nargs="+")
    args = parser.parse_args()
    build = args.build.resolve()

    status, text = search(build, PLANTED, 60)
    if status == 0 or "deadly signal" not in text:
        print(f"the planted crash was not found\n{text[-2000:]}")
        return 1
    runs, crashes = 0, 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(search, build, target, args.seconds): target for target in args.targets}
        for job in concurrent.futures.as_completed(jobs):
            status, text = job.result()
            runs += report(jobs[job], status, text)
            crashes += status != 0
    print(f"promise R18: {len(args.targets)} fuzz targets, {args.seconds} s each, {runs} inputs, {crashes} crashes; "
          f"a planted crash was found")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
