# SPDX-License-Identifier: Apache-2.0
"""Checks what a token returned, with Python's cryptography alone."""

import base64

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def verify(key, artifact, raw):
    """Raise InvalidSignature unless raw is the key's signature of the artifact's digest, as a token gives it."""
    if key["format"] == "ecdsa":
        half = len(raw) // 2
        raw = utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
    verify_released(key, artifact, raw)


def verify_released(key, artifact, signature):
    """The same of a signature in the key's format, as clients get it."""
    public = serialization.load_der_public_key(base64.b64decode(key["public_key"]))
    digest = bytes.fromhex(artifact["digest"]["value"])
    kind = HASHES[key["hash"]]
    if key["format"] == "ed25519-digest":
        public.verify(signature, digest)
    elif key["format"] == "ecdsa":
        public.verify(signature, digest, ec.ECDSA(utils.Prehashed(kind)))
    else:
        scheme = padding.PKCS1v15()
        if key["format"] == "rsa-pss":
            scheme = padding.PSS(padding.MGF1(kind), kind.digest_size)
        public.verify(signature, digest, scheme, utils.Prehashed(kind))
