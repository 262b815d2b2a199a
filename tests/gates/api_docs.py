# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.json and docs/api.html are what the daemon's route table makes of them."""

import importlib.machinery
import importlib.util
import subprocess
import sys

import gatelib

PAGES = ("openapi.json", "api.html")


def load_maker():
    path = gatelib.srcdir() / "scripts" / "api-docs"
    loader = importlib.machinery.SourceFileLoader("api_docs_maker", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def stale(made, directory):
    """Names of the files below directory that differ from what was made."""
    findings = []
    for name in PAGES:
        path = directory / name
        if not path.is_file() or path.read_text(encoding="utf-8") != made[name]:
            findings.append(f"docs/{name} is stale: countersignd --print-openapi | scripts/api-docs docs")
    return findings


def main():
    text = subprocess.run(
        [gatelib.builddir() / "countersignd", "--print-openapi"], capture_output=True, text=True, check=True
    ).stdout
    made = load_maker().make(text)
    # a gate that finds nothing in a changed route would be none
    if len(stale(load_maker().make(text.replace("listKeys", "listKey")), gatelib.srcdir() / "docs")) != 2:
        sys.exit("self-test: a changed route was not noticed")
    findings = stale(made, gatelib.srcdir() / "docs")
    print("\n".join(findings) or "docs/openapi.json and docs/api.html are up to date")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
