# SPDX-License-Identifier: Apache-2.0
"""The documents speak of what is there: commands, options, files, functions, and each other's sections.

A command line in a document uses commands and options that --help prints. A link, a path and a function
in a document exist. A document and section that a file head names exist, too.
"""

import functools
import re
import subprocess

import gatelib

DOCUMENTS = ["README.md", "ARCHITECTURE.md", "HACKING.md", "SECURITY.md", "docs/operating.md"]
PROGRAMS = ("countersign", "countersignd", "countersign-signer")
WRAPPERS = re.compile(r"^(?:[$#] |sudo |runuser -u \S+ -- |[A-Z_]+=\S+ |build/)+")
HOMES = "src tests docs scripts man sql etc systemd include m4".split()
PATH = re.compile(rf"(?:{'|'.join(HOMES)})/[\w./@-]*\Z")
PLACEHOLDER = re.compile(r"NAME|LAYER|TOKEN|-N\.|^tests/.*\.log$")  # and what a test leaves in the build
HOME = re.compile(r"((?:`\w+`(?:, )?)+) \(([\w-]+/\w+\.c)\)")  # names, and the file below src/ that has them
REFERENCE = re.compile(
    r'((?:[A-Z]+\.md)|docs/\w+\.\w+|[a-z][a-z.-]*\(\d\)),\s(?:[ ]?[*#.]?\s*)?"([A-Z][^"]*)"')
REFERRERS = {".c", ".h", ".py", ".sql", ".in", ".am", ".yaml", ".conf", ".env"}


@functools.cache
def printed(program, *words):
    run = subprocess.run([gatelib.builddir() / program, *words, "--help"], text=True, capture_output=True)
    return run.stdout if run.returncode == 0 else ""


@functools.cache
def commands(program):
    """The commands that --help lists: indented words, two for `audit verify`."""
    return set(re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?=  |$)", printed(program), re.M))


def has_option(help_text, option):
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_text) is not None


def check_call(words):
    """What is wrong with a call of one of our programs, options by options."""
    program, *words = words
    said = ""
    if program == "countersign" and words and not words[0].startswith("-"):
        command = " ".join(words[:2]) if " ".join(words[:2]) in commands(program) else words[0]
        if command.isupper():
            return []
        if command not in commands(program):
            return [f"{program} has no command {command}"]
        said = printed(program, *command.split())
    elif program == "countersign-signer" and words and not words[0].startswith("-"):
        if words[0] not in commands(program):
            return [f"{program} has no command {words[0]}"]
    said += printed(program)
    options = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return [f"{' '.join([program] + words[:2])}: no option {option}" for option in options
            if not has_option(said, option)]


def calls(line):
    """The calls of our programs in a line of shell, as words."""
    for part in re.split(r"\||&&|;|>", line):
        words = WRAPPERS.sub("", part.strip()).split()
        if words and words[0] in PROGRAMS:
            yield words


def blocks(text):
    """Code of a document: (line number, text, is it a span within a sentence)."""
    text = re.sub(r"\\\n\s*", lambda match: " " * len(match[0]), text)  # a call may have several lines
    fenced = False
    for number, line in gatelib.numbered(text):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line.strip(), False
    prose = re.sub(r"^```.*?^```|^    .*?$", lambda match: re.sub(r"[^\n]", " ", match[0]), text,
                   flags=re.M | re.S)
    for match in re.finditer(r"`([^`]+)`", prose):
        yield prose.count("\n", 0, match.start()) + 1, " ".join(match[1].split()), True


def check_span(root, span, sources):
    if PATH.match(span) and not PLACEHOLDER.search(span) and not (root / span).exists():
        return [f"no such file: {span}"]
    name = re.match(r"cs_[a-z0-9_]+", span)
    if name and not re.search(rf"\b{name[0]}\b", sources):
        return [f"no such name in src/: {name[0]}"]
    return []


def document_findings(root, name, sources):
    text = (root / name).read_text(encoding="utf-8")
    for number, code, is_span in blocks(text):
        findings = [finding for words in calls(code) for finding in check_call(words)]
        for finding in findings + (check_span(root, code, sources) if is_span else []):
            yield f"{name}:{number}: {finding}"
    for names, home in HOME.findall(text):
        path = root / "src" / home
        code = path.read_text(encoding="utf-8") if path.exists() else ""
        yield from (f"{name}: {home} has no {called}" for called in re.findall(r"\w+", names)
                    if not re.search(rf"\b{called}\b", code))
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        if not ((root / name).parent / target).exists():
            yield f"{name}: a link to {target}, which is not there"


def headings(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return re.findall(r"^#+ (.*)$", text, re.M)
    if path.parent.name == "man":
        return [title.strip('"').lower() for title in re.findall(r"^\.S[hs] (.*)$", text, re.M)]
    return re.findall(r"^\d+\. (.*)\n-+$", text, re.M)


def reference_findings(root, name):
    text = (root / name).read_text(encoding="utf-8")
    for match in REFERENCE.finditer(text):
        target, title = match[1], re.sub(r"\n[ *#]*", " ", match[2])
        page = re.match(r"(.*)\((\d)\)", target)
        path = root / (f"man/{page[1]}.{page[2]}" if page else target)
        if page and not page[1].startswith("countersign"):
            continue
        if not path.exists():
            yield f"{name}: it refers to {target}, which is not there"
        elif (title.lower() if page else title) not in headings(path):
            yield f'{name}: {target} has no section "{title}"'


def find(root):
    sources = "\n".join((root / path).read_text(encoding="utf-8")
                        for path in gatelib.files(root, ["src"], {".c", ".h"}))
    findings = [finding for name in DOCUMENTS if (root / name).exists()
                for finding in document_findings(root, name, sources)]
    referrers = gatelib.files(root, ["src", "include", "tests/lib", "sql", "systemd", "etc"], REFERRERS)
    return findings + [finding for path in referrers for finding in reference_findings(root, path)]


PLANTS = [
    ({"README.md": "    $ countersign sign --key K IMAGE && countersign audit verify --head 1:a log\n"
                   "`countersignd --check`, `countersign COMMAND --help`\n"}, None),
    ({"README.md": "    # countersign-signer keygen \\\n          --id 01 --name n\n"}, None),
    ({"README.md": "    $ countersign sing IMAGE\n"}, "no command sing"),
    ({"README.md": "    $ countersign sign --kye K\n"}, "no option --kye"),
    ({"README.md": "```\n$ countersign audit verify --hed x\n```\n"}, "no option --hed"),
    ({"README.md": "    # countersign-signer keygen \\\n          --idd 01\n"}, "no option --idd"),
    ({"README.md": "say `countersignd --chek`\n"}, "no option --chek"),
    ({"HACKING.md": "see `src/base/err.h` and [it](README.md)\n", "src/base/err.h": "", "README.md": ""}, None),
    ({"HACKING.md": "see `src/base/erx.h`\n"}, "no such file"),
    ({"HACKING.md": "see [it](READ.md)\n"}, "a link to READ.md"),
    ({"ARCHITECTURE.md": "`cs_run` (a/b.c)\n", "src/a/b.c": "int cs_runs;\n"}, "no such name in src/: cs_run"),
    ({"ARCHITECTURE.md": "| `run` (a/b.c), `go`, `stop` (a/c.c) |\n", "src/a/b.c": "run", "src/a/c.c": "go(stop)"}, None),
    ({"ARCHITECTURE.md": "| `run`, `go` (a/b.c) |\n", "src/a/b.c": "run();\n"}, "a/b.c has no go"),
    ({"HACKING.md": "## Errors\n", "src/a.h": '/*\n * See HACKING.md,\n * "Errors".\n */\n'}, None),
    ({"HACKING.md": "## Error\n", "src/a.h": '/* See HACKING.md, "Errors". */\n'}, 'no section "Errors"'),
    ({"docs/PROTOCOL.log": "5. Rules\n--------\n", "src/a.h": '/* docs/PROTOCOL.log, "Rule" */\n'}, "no section"),
    ({"man/countersignd.8": ".Sh THE PIN\n", "src/a.h": '/* countersignd(8), "The\n * PIN" */\n'}, None),
    ({"man/countersignd.8": ".Sh FILES\n", "src/a.h": '/* countersignd(8), "Pins" */\n'}, "no section"),
]

if __name__ == "__main__":
    gatelib.main(find, PLANTS)
