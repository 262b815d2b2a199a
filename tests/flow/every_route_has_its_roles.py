# SPDX-License-Identifier: Apache-2.0
"""Every route answers the roles of its row and refuses the others, on a whole instance; the matrix comes from the
daemon's own OpenAPI document. What is refused is in the audit log."""

import json
import unittest

import instance

ID = "01900000-0000-7000-8000-00000000dead"
WHO = {"agent": "ci", "approver": "approver1", "auditor": "auditor1", "operator": "operator1"}
VALUES = {"{id}": ID, "{n}": "0", "{name}": "app-dev"}


class Roles(unittest.TestCase):
    def setUp(self):
        self.it = instance.Instance()
        self.addCleanup(self.it.end)
        self.clients = {role: self.it.client(name) for role, name in WHO.items()}
        for client in self.clients.values():
            self.addCleanup(client.close)
        self.spec = self.clients["auditor"].get("/v1/openapi.json").json

    def operations(self):
        for path, methods in self.spec["paths"].items():
            target = path
            for name, value in VALUES.items():
                target = target.replace(name, value)
            for method, operation in methods.items():
                yield method.upper(), path, target, operation["x-countersign-roles"]

    def test_matrix(self):
        refused = []
        rows = list(self.operations())
        self.assertGreaterEqual(len(rows), 15)
        for method, path, target, roles in rows:
            for role, client in self.clients.items():
                with self.subTest(f"{role}: {method} {path}"):
                    reply = client.request(method, target, b"{}" if method == "POST" else None)
                    kind = reply.json["type"] if reply.status >= 400 and path != "/v1/ready" else ""
                    if role in roles:
                        # nothing is there or the body is no good, but it is not the role
                        self.assertNotEqual(kind, "urn:countersign:problem:forbidden")
                        self.assertNotEqual(reply.status, 403)
                    else:
                        self.assertEqual((reply.status, kind), (403, "urn:countersign:problem:forbidden"))
                        self.assertIn(f"this is for {', '.join(roles)}", reply.json["detail"])
                        refused.append((WHO[role], method, path))
        self.assert_logged({actor for actor, _, _ in refused})

    def assert_logged(self, refused):
        """They are counted by the minute; a stop writes the last minute down."""
        self.assertEqual(self.it.stop(), 0)
        status, output = self.it.run("--export", "-")
        self.assertEqual(status, 0, output)
        events = [json.loads(line) for line in output.splitlines()]
        logged = {e["actor"] for e in events if e["kind"] == "access.refused"}
        self.assertEqual(logged, refused)

    def test_other_methods(self):
        for _, path, target, _ in self.operations():
            allowed = {m.upper() for m in self.spec["paths"][path]}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
                with self.subTest(f"{method} {path}"):
                    reply = self.clients["agent"].request(method, target)
                    self.assertEqual(reply.status, 405)
                    self.assertEqual(set(reply.headers["Allow"].split(", ")), allowed)

    def test_unknown_parameters_everywhere(self):
        for method, path, target, roles in self.operations():
            with self.subTest(f"{method} {path}"):
                client = self.clients[roles[0]]
                reply = client.request(method, target + "?surprise=1", b"{}" if method == "POST" else None)
                self.assertEqual(reply.status, 400)
                self.assertIn('"surprise"', reply.json["detail"])

    def test_stale_cursor(self):
        reply = self.clients["auditor"].get(f"/v1/requests?after={ID}")
        self.assertEqual((reply.status, reply.json["type"]), (400, "urn:countersign:problem:invalid"))
        self.assertIn("after", reply.json["detail"])

    def test_answers_have_the_shape_of_their_schema(self):
        """Required fields are there, and no field that the description does not know."""
        made = self.it.agent.submit("app-dev").json["id"]
        pending = self.it.agent.submit("app-prod", comment="for a look", release={"version": "1"}).json["id"]
        self.it.approve(pending, "approver1")
        targets = {
            "/v1/requests/{id}": ["/v1/requests/" + made, "/v1/requests/" + pending],
            "/v1/requests": ["/v1/requests?limit=1", "/v1/requests"],
            "/v1/requests/{id}/decisions": [f"/v1/requests/{pending}/decisions"],
            "/v1/keys": ["/v1/keys"], "/v1/keys/{name}": ["/v1/keys/app-prod"],
            "/v1/audit/head": ["/v1/audit/head", "/v1/audit/head?size=1"],
            "/v1/health": ["/v1/health"], "/v1/ready": ["/v1/ready"],
        }
        for path, examples in targets.items():
            schema = self.spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            for role in self.spec["paths"][path]["get"]["x-countersign-roles"]:
                for target in examples:
                    if role == "approver" and made in target:
                        continue  # nobody approves dev requests
                    with self.subTest(f"{role}: {target}"):
                        reply = self.clients[role].get(target)
                        self.assertEqual(reply.status, 200, reply.body)
                        self.assert_shape(reply.json, schema, target)

    def assert_shape(self, value, schema, where):
        if "$ref" in schema:
            schema = self.spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        kind = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}[schema["type"]]
        self.assertIs(type(value), kind, where)
        if kind is dict:
            self.assertLessEqual(set(schema["required"]), set(value), where)
            self.assertLessEqual(set(value), set(schema["properties"]), where)
            for name, part in value.items():
                self.assert_shape(part, schema["properties"][name], f"{where}.{name}")
        elif kind is list:
            self.assertLessEqual(len(value), schema.get("maxItems", len(value)), where)
            for n, part in enumerate(value):
                self.assert_shape(part, schema["items"], f"{where}[{n}]")
        elif "enum" in schema:
            self.assertIn(value, schema["enum"], where)
        elif "maxLength" in schema:
            self.assertTrue(schema["minLength"] <= len(value) <= schema["maxLength"], where)
        elif "maximum" in schema:
            self.assertTrue(schema["minimum"] <= value <= schema["maximum"], where)


if __name__ == "__main__":
    unittest.main(verbosity=2)
