# SPDX-License-Identifier: Apache-2.0
"""The openssl program accepts every signature that format/ finishes, and none over another image."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

BUILDDIR = Path(os.environ["CS_BUILDDIR"])
EXPECTED = 12

# as a build engineer would verify the image itself
OF_IMAGE = {
    "rsa-pkcs1": [],
    "rsa-pss": ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
    "ecdsa": [],
}
# and by the digest alone
OF_DIGEST = {
    "rsa-pkcs1": ["-pkeyopt", "rsa_padding_mode:pkcs1"],
    "rsa-pss": ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"],
    "ecdsa": [],
    "ed25519-digest": ["-rawin"],
}


def openssl(*arguments):
    run = subprocess.run(["openssl", *map(str, arguments)], check=False, text=True, capture_output=True)
    return run.returncode == 0


def verifies_image(signature, image):
    name, _, digest = signature.stem.split("_")
    return openssl("dgst", f"-{digest}", *OF_IMAGE[name], "-verify", signature.with_suffix(".pub"),
                   "-signature", signature, image)


def verifies_digest(signature, digest_file):
    name, _, digest = signature.stem.split("_")
    options = OF_DIGEST[name]
    if "-rawin" not in options:
        options = options + ["-pkeyopt", f"digest:{digest}"]
    return openssl("pkeyutl", "-verify", "-pubin", "-inkey", signature.with_suffix(".pub"), *options,
                   "-in", digest_file, "-sigfile", signature)


def check(signature, image, other_image):
    """Return what is wrong with one signature."""
    digest = signature.with_suffix(".digest")
    other_digest = signature.with_suffix(".other")
    other_digest.write_bytes(bytes([digest.read_bytes()[0] ^ 1]) + digest.read_bytes()[1:])
    if not verifies_digest(signature, digest):
        yield "does not verify over the digest"
    if verifies_digest(signature, other_digest):
        yield "verifies over another digest"
    if signature.stem.split("_")[0] in OF_IMAGE:
        if not verifies_image(signature, image):
            yield "does not verify over the image"
        if verifies_image(signature, other_image):
            yield "verifies over another image"


with tempfile.TemporaryDirectory() as name:
    directory = Path(name)
    subprocess.run([BUILDDIR / "tests/vectors/write_signatures", directory], check=True)
    image = directory / "image.bin"
    other_image = directory / "other.bin"
    other_image.write_bytes(image.read_bytes() + b"x")
    signatures = sorted(directory.glob("*.sig"))
    problems = [f"{s.stem}: {what}" for s in signatures for what in check(s, image, other_image)]
    if len(signatures) != EXPECTED:
        problems.append(f"{len(signatures)} signatures, not {EXPECTED}")
for problem in problems:
    print(problem)
print(f"{len(signatures)} signatures, {len(problems)} problems")
sys.exit(1 if problems else 0)
