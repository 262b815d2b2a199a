# SPDX-License-Identifier: Apache-2.0
"""The pure layers see no clock, file, log, random, network or database.

Read from the undefined symbols of their objects, so that a macro or an inline function does not
hide what an include list would.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import gatelib

LAYERS = "policy quorum format audit verify".split()

# kind: names, as the linker sees them; a * at the end means any continuation
IMPURE = {
    "clock": """time clock clock_* gettimeofday nanosleep usleep sleep timer_* localtime* mktime ftime
                cs_clock_*""",
    "file": """open open64 openat* creat* read readv pread* write writev pwrite* close fopen* fdopen* fread*
               fwrite* fgets* fputs* fputc* putc* puts putchar printf* fprintf* vprintf* vfprintf* dprintf* getline
               stat* fstat* lstat* access rename* unlink* mkdir* opendir* readdir* mmap* ioctl fcntl*
               stdin stdout stderr perror cs_file_* cs_secret_from_file""",
    "log": "syslog* vsyslog* cs_log*",
    "random": "getrandom getentropy rand* srand* random* srandom* drand48 arc4random* RAND_* cs_uuid7",
    "network and process": """socket* connect accept* bind listen send* recv* poll* ppoll select* epoll_* fork vfork exec*
               posix_spawn* system popen kill pthread_* signal sigaction cs_frame_* cs_unix_* cs_queue_*""",
    "environment": "getenv secure_getenv setenv putenv getpid getuid geteuid exit _exit",
    "database": "sqlite3_*",
    "libraries of other layers": "MHD_* gnutls_* curl_* PKCS11_* C_*",
}


def pattern(names):
    words = [re.escape(name).replace(r"\*", r"\w*") for name in names.split()]
    return re.compile("(?:" + "|".join(words) + ")")


PATTERNS = [(kind, pattern(names)) for kind, names in IMPURE.items()]


def plain(symbol):
    """The function behind a symbol: without version, FORTIFY's __…_chk and glibc's decorations."""
    symbol = symbol.split("@")[0]
    fortified = re.fullmatch(r"__(\w+?)_(?:chk|2)", symbol)
    if fortified:
        return fortified[1]
    return re.sub(r"^(?:__isoc99_|__isoc23_)", "", symbol)


def impure(symbol):
    for kind, names in PATTERNS:
        if names.fullmatch(plain(symbol)):
            return kind
    return None


def archive_findings(archive, layer):
    """nm names each member before its undefined symbols."""
    output = subprocess.run([*shlex.split(os.environ.get("NM", "nm")), "-u", str(archive)], check=True,
                            text=True, capture_output=True).stdout
    member = "?"
    for line in output.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.strip():
            symbol = line.split()[-1]
            if impure(symbol):
                yield f"{layer}: {member} uses {symbol} ({impure(symbol)}): the layer is pure, take the value as input"


def members(archive):
    output = subprocess.run(["ar", "t", str(archive)], check=True, text=True, capture_output=True).stdout
    return len(output.split())


def judge(directory, source):
    findings = []
    for layer in LAYERS:
        archive = directory / ".libs" / f"libcs_{layer}.a"
        sources = gatelib.files(source, [f"src/{layer}"], (".c",))
        if sources and not archive.exists():
            findings.append(f"{layer}: {archive} is not there")
        elif sources and members(archive) != len(sources):
            findings.append(f"{layer}: {len(sources)} sources, {members(archive)} objects in {archive}")
        elif sources:
            findings += archive_findings(archive, layer)
    return findings


def build(root):
    """Compile a planted tree the way the build does: one archive for each layer."""
    for layer in LAYERS:
        objects = []
        for path in gatelib.files(root, [f"src/{layer}"], (".c",)):
            target = root / f"{layer}-{path.stem}.o"
            subprocess.run([*shlex.split(os.environ.get("CS_CC", "cc")), "-O2", "-w", "-c", "-o", target,
                            root / path], check=True)
            objects.append(target)
        if objects:
            (root / ".libs").mkdir(exist_ok=True)
            subprocess.run(["ar", "cr", root / ".libs" / f"libcs_{layer}.a", *objects], check=True)


def find(root):
    if root == gatelib.srcdir():
        return judge(gatelib.builddir(), root)
    build(root)
    return judge(Path(root), root)


def calls(declaration, call):
    return {"src/quorum/a.c": f"{declaration};\nlong f(char *p);\nlong f(char *p)\n{{\n\treturn (long){call};\n}}\n"}


PLANTS = [
    (calls("void *memchr(const void *, int, unsigned long)", 'memchr(p, *p, 9)'), None),
    (calls("int cs_clockwork(void)", "cs_clockwork()"), None),
    (calls("long time(long *)", "time(0)"), "a.o uses time (clock)"),
    (calls("int clock_gettime(int, void *)", "clock_gettime(0, p)"), "(clock)"),
    (calls("void *fopen(const char *, const char *)", "fopen(p, p)"), "(file)"),
    (calls("int __open_2(const char *, int)", "__open_2(p, 0)"), "(file)"),
    (calls("long __read_chk(int, void *, long, long)", "__read_chk(0, p, 1, 2)"), "(file)"),
    (calls("int cs_log(int, const char *, const char *, ...)", "cs_log(0, p, p)"), "(log)"),
    (calls("int RAND_bytes(void *, int)", "RAND_bytes(p, 1)"), "(random)"),
    (calls("int sqlite3_step(void *)", "sqlite3_step(p)"), "(database)"),
    (calls("char *getenv(const char *)", "getenv(p)"), "(environment)"),
    (calls("int cs_frame_send(int)", "cs_frame_send(0)"), "(network and process)"),
]

if __name__ == "__main__":
    gatelib.main(find, PLANTS)
