# SPDX-License-Identifier: Apache-2.0
"""An instance whose database is filled before it starts, by tests/lib-c/fill_log: requests, approvals and signatures
that verify, under keys of tests/keys."""

import os
import subprocess
from pathlib import Path

import approvals
import signers
from instance import QUORUM

FILL = Path(os.environ.get("CS_BUILDDIR", ".")) / "tests/lib-c/fill_log"


def old_key(name, token, cka_id, algorithm, **more):
    public = approvals.Approver("nobody", "nothing", key=algorithm).spki
    return signers.key(name, token, cka_id, algorithm, approvals.b64(public), **more)


def fill(it, events, quorum=True):
    """A log of so many events for `it`, which has started nothing yet; without `quorum` every request is like those
    of a load, four events and no approval. The policy that the log was written under gives way to the instance's."""
    it.policy["version"] = 2
    keys = [old_key("old-dev", "dev", "a1", "p-256")]
    if quorum:
        keys.append(old_key("old-prod", "prod", "a2", "ed25519", quorum=QUORUM))
    policy = it.directory / "old.yaml"
    policy.write_text(signers.to_yaml({**it.policy, "version": 1, "keys": keys}) + "\n")
    subprocess.run([FILL, it.config.get("database", it.database), policy, str(events)], check=True)
