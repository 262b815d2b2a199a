# SPDX-License-Identifier: Apache-2.0
"""Whoever has the installed library builds a program with what pkg-config says of it.

Library, header and libcountersign.pc are installed below a directory of the test's own; the
example of the documentation is built and run with these alone.
"""

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ["CS_BUILDDIR"]), Path(os.environ["CS_SRCDIR"])
PARTS = ("install-libLTLIBRARIES", "install-pkgincludeHEADERS", "install-pkgconfigDATA")


def install(root):
    """`make install`, as far as it concerns the library; not as a part of the make that runs the tests."""
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    subprocess.run(["make", "-s", f"DESTDIR={root}", *PARTS], cwd=BUILD, env=alone, check=True, capture_output=True)


def pkg_config(root, *arguments):
    found = list(root.rglob("libcountersign.pc"))
    assert len(found) == 1, f"installed: {found}"
    where = {"PKG_CONFIG_LIBDIR": str(found[0].parent), "PKG_CONFIG_SYSROOT_DIR": str(root),
             "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1", "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}
    run = subprocess.run(["pkg-config", *arguments, "libcountersign"], env=os.environ | where, check=True,
                         text=True, capture_output=True)
    return run.stdout.split()


def configured_version():
    return re.search(r'#define PACKAGE_VERSION "(.*)"', (BUILD / "config.h").read_text())[1]


def main():
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        install(root)
        assert pkg_config(root, "--modversion") == [configured_version()]
        private = set(pkg_config(root, "--libs", "--static")) - set(pkg_config(root, "--libs"))
        assert "-lcurl" in private, f"without it nobody links statically: {private}"
        program = root / "sign"
        subprocess.run([*shlex.split(os.environ.get("CS_CC", "cc")), *shlex.split(os.environ.get("CS_INSTRUMENT", "")),
                        *pkg_config(root, "--cflags"), SOURCE / "docs/examples/sign.c", "-o", program,
                        *pkg_config(root, "--libs"), "-lcrypto"], check=True)
        library = next(root.rglob("libcountersign.so")).parent
        run = subprocess.run([program], env=os.environ | {"LD_LIBRARY_PATH": str(library)}, check=False, text=True,
                             capture_output=True)
        assert run.returncode == 2 and run.stderr.startswith("usage: "), run


main()
