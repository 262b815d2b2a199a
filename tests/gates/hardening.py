# SPDX-License-Identifier: Apache-2.0
"""The programs as they will be installed have the hardening that configure chose.

Flags that nothing checks rot: a typing error in a variable costs them all.
"""

import os
import re
import shlex
import subprocess

import gatelib


def readelf(option, path):
    return subprocess.run([*shlex.split(os.environ.get("READELF", "readelf")), "-W", option, str(path)],
                          check=True, text=True, capture_output=True).stdout


def undefined(path):
    """Names that the dynamic linker must provide."""
    return set(re.findall(r"\bUND (\w+)", readelf("--dyn-syms", path)))


def judge(path):
    """(what must hold, whether it does) for one program."""
    header = readelf("-h", path)
    segments = readelf("-l", path)
    dynamic = readelf("-d", path)
    symbols = undefined(path)
    stack = re.search(r"GNU_STACK.*", segments)
    yield "PIE", "DYN" in header and "PIE" in dynamic
    yield "RELRO", "GNU_RELRO" in segments
    yield "BIND_NOW", bool(re.search(r"FLAGS_1.*\bNOW\b", dynamic))
    yield "NX stack", bool(stack) and "RWE" not in stack[0]
    yield "stack protector", "__stack_chk_fail" in symbols
    yield "FORTIFY", any(re.fullmatch(r"__\w+_chk", name) for name in symbols)
    yield "no RPATH", not re.search(r"\((RPATH|RUNPATH)\)", dynamic)


def program_findings(path):
    return [f"{path.name}: {what} is missing" for what, holds in judge(path) if not holds]


CODE = """#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char text[64];
	char data[64];
	strncat(strcpy(text, "x"), argv[argc - 1], sizeof(text) - 2);
	return (int)read(0, data, (size_t)argc * 8) + printf("%s%s", text, data);
}
"""

HARD = """-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fPIE -pie -fstack-protector-strong
          -Wl,-z,relro,-z,now,-z,noexecstack"""


def find(root):
    """A planted tree is one program and the flags to build it with."""
    if root == gatelib.srcdir():
        names = os.environ["CS_PROGRAMS"].split()
        if not names:
            return ["no programs to look at"]
        return [text for name in names for text in program_findings(gatelib.builddir() / name)]
    flags = (root / "flags").read_text().split()
    subprocess.run([*shlex.split(os.environ.get("CS_CC", "cc")), "-w", "-o", root / "program",
                    root / "program.c", *flags], check=True)
    return program_findings(root / "program")


def program(flags):
    return {"program.c": CODE, "flags": f"{HARD} {flags}"}


PLANTS = [
    (program(""), None),
    (program("-no-pie -fno-PIE"), "PIE is missing"),
    (program("-Wl,-z,norelro"), "RELRO is missing"),
    (program("-Wl,-z,lazy"), "BIND_NOW is missing"),
    (program("-Wl,-z,execstack"), "NX stack is missing"),
    (program("-fno-stack-protector"), "stack protector is missing"),
    (program("-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0"), "FORTIFY is missing"),
    (program("-Wl,-rpath,/tmp"), "no RPATH is missing"),
]

if __name__ == "__main__":
    if os.environ["CS_INSTRUMENT"].strip():
        gatelib.skip("a build with sanitizers or coverage is not hardened: " + os.environ["CS_INSTRUMENT"])
    if os.environ["CS_HARDENING"] == "no":
        gatelib.skip("configured with --disable-hardening")
    gatelib.main(find, PLANTS)
