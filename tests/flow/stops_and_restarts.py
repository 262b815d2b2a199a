# SPDX-License-Identifier: Apache-2.0
"""A clean stop under load loses nothing and is quick; what waits survives."""

import threading
import time
import unittest

import machine
from instance import Instance


class Stops(unittest.TestCase):
    def setUp(self):
        self.it = Instance(children=2)
        self.addCleanup(self.it.end)

    def test_a_stop_under_load_is_clean_and_quick(self):
        received, stop = {}, threading.Event()

        def work(number):
            client, count = self.it.agent, 0
            while not stop.is_set():
                try:
                    reply = client.submit("app-dev", b"%d %d" % (number, count))
                except OSError:
                    return
                except Exception:  # a half-sent answer at the stop
                    return
                count += 1
                if reply.status == 201:
                    received[reply.json["id"]] = True

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        self.it.wait(lambda: len(received) > 100, "signatures")
        start = time.monotonic()
        self.assertEqual(self.it.stop(), 0)
        self.assertLess(machine.seconds(start) - machine.disk(20), 10)
        stop.set()
        for thread in threads:
            thread.join()
        self.it.start()
        lines, head = self.it.export()
        self.assertFalse([line for line in lines if b'"kind":"daemon.unclean-stop"' in line])
        self.assertFalse([line for line in lines if b'"kind":"sign.unknown"' in line])
        signed = {line.split(b'"request":"')[1][:36].decode() for line in lines if b'"kind":"request.signed"' in line}
        self.assertLessEqual(set(received), signed)
        self.assertEqual(self.it.verify(lines, head)[0], 0)

    def test_what_waits_survives_a_restart(self):
        request_id = self.it.agent.submit("app-prod", b"image").json["id"]
        self.it.approve(request_id, "approver1")
        self.assertEqual(self.it.stop(), 0)
        self.it.start()
        self.it.approve(request_id, "approver2")
        self.it.wait_state(request_id, "signed")

    def test_a_signer_that_comes_back_signs_what_waits(self):
        self.it.signers["dev"].stop()
        reply = self.it.agent.submit("app-dev", b"image")
        self.assertEqual(reply.status, 202, reply.body)
        self.assertLess(reply.took, 5 + machine.disk(5))
        self.it.signers["dev"].start()
        self.it.wait_state(reply.json["id"], "signed")

    def test_a_hung_token_is_answered_in_time_and_signed_later(self):
        self.it.end()
        self.it = Instance(shim=True)
        self.addCleanup(self.it.end)
        dev = self.it.signers["dev"]
        dev.rules("C_Sign hang 60000 1")
        dev.rules("C_Sign hang 60000")
        reply = self.it.agent.submit("app-dev", b"image")
        self.assertEqual(reply.status, 202, reply.body)
        self.assertLess(reply.took, 5 + machine.disk(5))
        dev.rules("")
        self.it.wait_state(reply.json["id"], "signed")
        lines, head = self.it.export()
        self.assertTrue([line for line in lines if b'"kind":"sign.unknown"' in line])
        self.assertEqual(self.it.verify(lines, head)[0], 0)

    def test_a_hung_token_leaves_workers_for_others(self):
        self.it.end()
        self.it = Instance(shim=True, config={"workers": 8})
        self.addCleanup(self.it.end)
        self.it.signers["dev"].rules("C_Sign hang 60000")
        replies = []
        threads = [threading.Thread(target=lambda n=n: replies.append(self.it.agent.submit("app-dev", b"%d" % n)))
                   for n in range(20)]
        for thread in threads:
            thread.start()
        dev = self.it.signers["dev"]
        self.it.wait(lambda: any(line["event"] == "sign-begin" for line in dev.journal()), "a signature")
        self.assertLess(len(replies), 20, "nobody waits: the test means nothing")
        self.assertLess(self.it.client("operator1").get("/v1/health").took, 1)
        for thread in threads:
            thread.join()
        self.assertEqual({r.status for r in replies}, {202})
        self.assertLess(max(r.took for r in replies), 10)


if __name__ == "__main__":
    unittest.main()
