# SPDX-License-Identifier: Apache-2.0
"""The main job: a dev signature at once, a prod signature after two approvers, and a log that proves both."""

import base64
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from instance import Instance

IMAGE = b"firmware" * 1000


def public_key(it, name):
    return serialization.load_pem_public_key(it.agent.get(f"/v1/keys/{name}").json["public_key"].encode())


def check(it, view, key_name):
    signature = base64.b64decode(view["signatures"][0])
    public_key(it, key_name).verify(signature, IMAGE, ec.ECDSA(hashes.SHA256()))


def main():
    with Instance() as it:
        dev = it.agent.submit("app-dev", IMAGE)
        assert dev.status == 201, dev.body
        check(it, dev.json, "app-dev")
        again = it.agent.submit("app-dev", IMAGE)
        assert again.status == 200 and again.headers["Idempotent-Replay"] == "true", again.headers
        assert again.json["signatures"] == dev.json["signatures"]

        prod = it.agent.submit("app-prod", IMAGE)
        assert prod.status == 202 and prod.json["state"] == "pending", prod.body
        request_id = prod.json["id"]
        it.approve(request_id, "approver1")
        assert it.request(request_id)["state"] == "pending"
        twice = it.decide(request_id, "approver1", n=2)
        assert twice.status == 200 and twice.json["missing"] == 1, twice.body
        it.approve(request_id, "approver2")
        it.wait_state(request_id, "signed")
        view = it.agent.get(f"/v1/requests/{request_id}").json
        check(it, view, "app-prod")
        raw = it.agent.get(f"/v1/requests/{request_id}/signatures/0").body
        assert raw == base64.b64decode(view["signatures"][0])

        lines, head = it.export()
        assert len(lines) == head["size"]
        assert hashlib.sha256(b"\0" + lines[-1]).hexdigest() == head["head"]
        status, output = it.verify(lines, head)
        assert status == 0, output
        status, output = it.verify(lines)
        assert status == 3, output
        status, output = it.verify([line.replace(b"approver1", b"approver9") for line in lines])
        assert status == 1, output


main()
