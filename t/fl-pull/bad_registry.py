#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A registry that shows the faults a real one cannot be made to show.

    bad_registry.py LAYOUT PORTFILE

Serves the tag "root" of an OCI layout; the repository's name chooses the fault. With the
name "token", a bearer token is wanted; with "basic…", a login. "elsewhere" redirects blobs to
another host, which refuses who brings it a login.
"""
import base64
import hashlib
import http.server
import json
import pathlib
import sys
import threading
import time

BASIC = "Basic " + base64.b64encode(b"user:open sesame").decode()
layout = pathlib.Path(sys.argv[1])


def blob(digest):
    return (layout / "blobs/sha256" / digest.split(":")[1]).read_bytes()


index = json.loads((layout / "index.json").read_text())
entry = next(m for m in index["manifests"]
             if m["annotations"]["org.opencontainers.image.ref.name"] == "root")
manifest = json.loads(blob(entry["digest"]))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, body, status=200, headers=(), length=None):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[0] in ("token-manifests", "token-blobs"):
            return self.answer(json.dumps({"access_token": parts[0][6:]}).encode())
        if parts[0] == "token-broken":
            return self.answer(b"oops", 500)
        if parts[0] == "token-empty":
            return self.answer(b"{}")
        if parts[0] == "token":
            return self.answer(json.dumps({"token": "open-sesame"}).encode())
        # By this name it is a portal, which has a page for whatever is asked for.
        if parts[1:2] == ["portal"] or self.headers.get("Host", "").startswith("portal.localhost"):
            return self.answer(b"\n<!DOCTYPE html><p>Welcome", 200, [("Content-Type", "text/html; charset=utf-8")])
        if parts == ["v2"]:
            return self.answer(b"{}")
        if self.server is elsewhere and "Authorization" in self.headers:
            return self.answer(b"a login that was not meant for me", 400)
        fault = parts[1]
        kind, what = parts[-2], parts[-1]
        if fault == "token" and self.headers.get("Authorization") != "Bearer open-sesame":
            port = self.server.server_address[1]
            return self.answer(b"{}", 401, [(
                "WWW-Authenticate",
                f'Bearer realm="http://127.0.0.1:{port}/token",service="test",scope="repository:token:pull"')])
        if fault in ("basic", "elsewhere") and self.server is server and \
                self.headers.get("Authorization") != BASIC:
            return self.answer(b"{}", 401, [("WWW-Authenticate", 'Basic realm="x"')])
        if fault == "elsewhere" and kind == "blobs" and self.server is server:
            return self.answer(b"", 307, [("Location", f"http://127.0.0.1:{elsewhere.server_address[1]}{self.path}")])
        if fault == "loop" and kind == "blobs":
            return self.answer(b"", 307, [("Location", self.path)])
        if fault == "expires" and self.headers.get("Authorization") != f"Bearer {kind}":
            port = self.server.server_address[1]
            return self.answer(b"{}", 401, [(
                "WWW-Authenticate", 'Negotiate, Basic realm="a, \\"b\\"", '
                f'Bearer realm="http://127.0.0.1:{port}/token-{kind}"')])
        if fault in challenges:
            return self.answer(b"{}", 401, [("WWW-Authenticate", challenges[fault])])
        if fault == "login":
            return self.answer(b'{"errors":[{"message":"who are you"}]}', 401,
                               [("WWW-Authenticate", 'Basic realm="x"')])
        if fault == "forbidden":
            return self.answer(b'{"errors":[{"code":"DENIED","message":"not yours"}]}', 403)
        if fault == "status500":
            return self.answer(b"oops", 500)
        if kind == "manifests":
            return self.manifest(fault, what)
        return self.blob(fault, what)

    def manifest(self, fault, what):
        body = blob(entry["digest"])
        if fault == "manifestlies":
            body = body + b" "
        if fault == "foreign":
            other = json.loads(body)
            other["layers"][0]["mediaType"] = "application/vnd.example.squashfs"
            body = json.dumps(other).encode()
        if fault == "badconfig":
            other = json.loads(body)
            other["config"]["digest"] = "md5:abc"
            body = json.dumps(other).encode()
        if fault == "notjson":
            body = b"<html>"
        if fault == "index":
            body = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                               "manifests": [dict(entry, platform={"os": "linux", "architecture": "s390x"})]}).encode()
            if what.startswith("sha256:"):
                body = blob(entry["digest"])
        self.answer(body, 200, [("Content-Type", "application/vnd.oci.image.manifest.v1+json")])

    def blob(self, fault, what):
        body = blob(what)
        is_config = what == manifest["config"]["digest"]
        if fault == "configlies" and is_config or fault == "layerlies" and not is_config:
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault == "short" and not is_config:
            return self.answer(body[:-10])
        if fault == "cut" and not is_config:
            self.answer(body[:10], length=len(body))
            self.close_connection = True
            return None
        if fault == "long" and not is_config:
            return self.answer(body + b"more")
        if fault == "slow" and not is_config:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.2)
            return None
        if fault == "missing" and not is_config:
            return self.answer(b"{}", 404)
        return self.answer(body)


server, elsewhere = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
server.daemon_threads = elsewhere.daemon_threads = True
here = f"http://127.0.0.1:{server.server_address[1]}"
challenges = {
    "brokenserver": f'Bearer realm="{here}/token-broken",service="x"',
    "emptyserver": f'Bearer realm="{here}/token-empty",service="x"',
    "plainserver": 'Bearer realm="http://192.0.2.1/token"',
    "fileserver": 'Bearer realm="file:///etc/passwd"',
    "negotiate": "Negotiate abc==",
    "nothing": "",
}
threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
pathlib.Path(sys.argv[2]).write_text(str(server.server_address[1]))
threading.Timer(600, server.shutdown).start()
server.serve_forever()
