# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: ARCHITECTURE.md, "Layers", as a table.

A lower layer never includes a higher one, siblings do not include each other, and each third-party
library has one home.
"""

import re

import gatelib

# directory: the directories it may include beside itself
PURE = "policy quorum format audit"
LAYERS = {
    "base": "",
    "model": "base",
    "policy": "base model",
    "quorum": "base model",
    "format": "base model",
    "audit": "base model",
    "verify": f"base model {PURE}",  # replays what they decide
    "authn": f"base model {PURE}",
    "store": f"base model {PURE}",
    "signer": f"base model {PURE}",
    "p11": "base model",
    "core": f"base model {PURE} authn store signer",
    "http": f"base model {PURE} authn store signer core",
    "client": f"base model {PURE}",
    "daemon": f"base model {PURE} verify authn store signer core http",
    "signer-main": f"base model {PURE} signer p11",
    "cli": f"base model {PURE} verify client",
}

# header: where it may be included; None: not confined
HOMES = [
    (r"microhttpd\.h", ["src/http/"]),
    (r"gnutls/", ["src/http/"]),
    (r"p11-kit/|(?!gnutls/).*pkcs11.*\.h", ["src/p11/"]),
    (r"libp11\.h", ["src/cli/"]),
    (r"curl/", ["src/client/"]),
    (r"sqlite3\.h", ["src/store/sqlite/"]),
    (r"yaml\.h", ["src/base/"]),
    (r"jansson\.h", ["src/base/"]),
    (r"gmp\.h", ["src/base/"]),
    (r"openssl/", ["src/base/", "src/client/", "src/cli/"]),
    (r"countersign/", ["src/client/", "src/cli/", "include/"]),
]
ONE_FILE = {"yaml.h"}

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check_ours(path, target, where):
    """An include in quotes: its path is its layer."""
    layer = path.parts[1]
    if layer not in LAYERS:
        return [f"{where}: no such layer: {layer} (tests/gates/layers.py lists them)"]
    if "/" not in target or ".." in target.split("/"):
        return [f'{where}: "{target}": write the path below src/, for example "base/err.h"']
    allowed = [layer] + LAYERS[layer].split()
    if target.split("/")[0] not in allowed:
        return [f'{where}: {layer} may not include "{target}", only: {" ".join(allowed)}']
    return []


def check_theirs(path, target, where):
    """An include in angle brackets: third-party headers have a home."""
    for pattern, homes in HOMES:
        if re.match(pattern, target) and not str(path).startswith(tuple(homes)):
            return [f"{where}: <{target}> belongs to {' '.join(homes)}"]
    return []


def find(root):
    findings = []
    users = {header: [] for header in ONE_FILE}
    for path in gatelib.files(root, ("src", "include"), (".c", ".h")):
        text = gatelib.blank((root / path).read_text(encoding="utf-8"), strings=False)
        for number, line in gatelib.numbered(text):
            match = INCLUDE.match(line)
            if not match:
                continue
            where = f"{path}:{number}"
            if match[2] in users:
                users[match[2]].append(where)
            if match[1] == "<":
                findings += check_theirs(path, match[2], where)
            elif path.parts[0] == "include":
                findings.append(f'{where}: "{match[2]}": public headers include public headers, as <countersign/…>')
            else:
                findings += check_ours(path, match[2], where)
    for header, places in users.items():
        if len(places) > 1:
            findings.append(f"<{header}> is for one file: {' '.join(places)}")
    return findings


PLANTS = [
    ({"src/base/a.c": '#include "base/a.h"\n', "src/http/b.c": '#include <microhttpd.h>\n'}, None),
    ({"src/base/a.c": '/* #include "model/x.h" */\n'}, None),
    ({"src/base/a.c": '#include "model/x.h"\n'}, "base may not include"),
    ({"src/policy/a.c": '#include "quorum/x.h"\n'}, "policy may not include"),
    ({"src/audit/a.c": '#include "verify/x.h"\n'}, "audit may not include"),
    ({"src/client/a.c": '#  include "core/x.h"\n'}, "client may not include"),
    ({"src/daemon/a.c": '#include "p11/p11.h"\n'}, "daemon may not include"),
    ({"src/base/a.c": '#include "../model/x.h"\n'}, "write the path below src/"),
    ({"src/base/a.c": '#include "err.h"\n'}, "write the path below src/"),
    ({"src/new/a.c": '#include "base/err.h"\n'}, "no such layer"),
    ({"src/core/a.c": "#include <microhttpd.h>\n"}, "belongs to src/http/"),
    ({"src/core/a.c": "#include <gnutls/gnutls.h>\n"}, "belongs to src/http/"),
    ({"src/signer-main/a.c": "#include <p11-kit/pkcs11.h>\n"}, "belongs to src/p11/"),
    ({"src/p11/a.c": "#include <libp11.h>\n"}, "belongs to src/cli/"),
    ({"src/cli/a.c": "#include <curl/curl.h>\n"}, "belongs to src/client/"),
    ({"src/store/a.c": "#include <sqlite3.h>\n"}, "belongs to src/store/sqlite/"),
    ({"src/policy/a.c": "#include <yaml.h>\n"}, "belongs to src/base/"),
    ({"src/base/a.c": "#include <yaml.h>\n", "src/base/b.c": "#include <yaml.h>\n"}, "for one file"),
    ({"include/countersign/a.h": '#include "base/err.h"\n'}, "public headers"),
]

if __name__ == "__main__":
    gatelib.main(find, PLANTS)
