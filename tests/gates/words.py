# SPDX-License-Identifier: Apache-2.0
"""What C files of this tree may not contain, and what each must begin with."""

import re

import gatelib

BANNED = {
    "strcpy strcat stpcpy strncpy strncat sprintf vsprintf gets": "no limit that holds; use struct cs_buf or snprintf",
    "atoi atol atoll atof strtol strtoll strtoul strtoull strtod": "accepts what it should refuse; use base/text.h",
    "scanf sscanf fscanf": "overflows silently; use base/text.h",
    "strtok strtok_r strsep": "destroys its input; walk the bytes",
    "alloca strdupa": "the stack has no error path",
    "tmpnam mktemp tempnam": "races; use mkdtemp",
    "system popen": "a shell is in between; use posix_spawn",
    "rand srand random srandom drand48": "predictable; use the random bytes of base/",
    "gmtime localtime ctime asctime": "static storage or local time; use base/clock.h",
}
BANNED_CALLS = {name: why for names, why in BANNED.items() for name in names.split()}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED_CALLS) + r")\s*\(")

PATTERNS = [
    (r"\btypedef\s+(struct|enum|union)\b[^(]*$", "no typedef of struct, enum or union"),
    (r"\bcleanup\s*\(", "no cleanup attribute: goto out"),
    (r"\bgoto\s+(?!out;)\w+", "one label per function: out"),
]

# "below core nothing logs and nothing exits"
QUIET = tuple(f"src/{layer}/" for layer in
              "base model policy quorum format audit verify authn store signer p11 client".split())
QUIET_PATTERNS = [
    (r"(?<![\w.>])_?exit\s*\(", "only main() ends the program"),
    (r"(?<![\w.>])cs_log(_\w+)?\s*\(", "below core/ nothing logs: return the error"),
]
QUIET_EXCEPT = ("src/base/log.",)

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
PENDING = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\s*\(?#\d+)")


def line_findings(path, line, where):
    for match in CALL.finditer(line):
        yield f"{where}: {match[1]}(): {BANNED_CALLS[match[1]]}"
    patterns = list(PATTERNS)
    if str(path).startswith(QUIET) and not str(path).startswith(QUIET_EXCEPT):
        patterns += QUIET_PATTERNS
    for pattern, why in patterns:
        if re.search(pattern, line):
            yield f"{where}: {line.strip()}: {why}"


def find(root):
    findings = []
    for path in gatelib.c_files(root):
        text = (root / path).read_text(encoding="utf-8")
        if not text.startswith(SPDX):
            findings.append(f"{path}:1: the first line is {SPDX.strip()}")
        for number, comment in gatelib.comments(text):
            if comment.startswith("//"):
                findings.append(f"{path}:{number}: // comment: write /* */")
            if PENDING.search(comment):
                findings.append(f"{path}:{number}: {PENDING.search(comment)[1]} without an issue number (#12)")
        for number, line in gatelib.numbered(gatelib.blank(text)):
            findings += line_findings(path, line, f"{path}:{number}")
    return findings


def c(text):
    return {"src/base/a.c": SPDX + text}


PLANTS = [
    (c('/* strcpy(a, b) in words */\nconst char *u = "http://x" "atoi(";\n'), None),
    (c("/* TODO(#12): later */\n"), None),
    (c("\tcs_strtol(a);\n\tx->gets(a);\n\tgoto out;\n"), None),
    (c("\tstrcpy(a, b);\n"), "src/base/a.c:2: strcpy()"),
    (c("\tn = atoi (a);\n"), "atoi()"),
    (c("\tp = alloca(n);\n"), "alloca()"),
    (c("\tsscanf(a, b);\n"), "sscanf()"),
    (c("// hello\n"), "// comment"),
    (c('const char *u = "\\""; // hello\n'), "// comment"),
    (c("/* TODO: later */\n"), "TODO without an issue number"),
    (c("typedef struct x x;\n"), "no typedef"),
    (c("typedef enum cs_rc f(int a);\n"), None),
    (c("\tgoto fail;\n"), "one label"),
    (c("\texit(1);\n"), "only main()"),
    (c("\tcs_log(x);\n"), "nothing logs"),
    ({"tests/unit/a.c": "int x;\n"}, "the first line is"),
]

if __name__ == "__main__":
    gatelib.main(find, PLANTS)
