#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Stands before a real registry and adds faults.

    faulty_proxy.py TARGET PORTFILE LOGFILE

The first part of the repository's name chooses the fault. LOGFILE gets a line for every
request: kind, the digest's or tag's last 12 letters, the range asked for, the status given.
"""
import collections
import http.client
import http.server
import pathlib
import re
import sys
import threading
import time

target = sys.argv[1]
# What a repository's first part makes of the list of referrers.
REFERRERS = {"lists": (200, b""), "page": (200, b"<html>"), "older": (405, b""), "broken": (503, b"")}
REFERRERS_TAG = re.compile("/manifests/sha256-[0-9a-f]{64}$")
seen = collections.Counter()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status):
        kind, what = self.path.split("/")[-2:]
        with open(sys.argv[3], "a") as log:
            print(kind, what[-12:], self.headers.get("Range"), status, file=log)

    def refuse(self, status, *headers):
        self.note(status)
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def refer(self, status, body):
        """What the registry below has under the tag, as one that lists referrers; or else."""
        if not body and status == 200:
            upstream = http.client.HTTPConnection(target)
            upstream.request("GET", self.path.replace("/referrers/sha256:", "/manifests/sha256-"),
                             headers={"Accept": "application/vnd.oci.image.index.v1+json"})
            body = upstream.getresponse().read()
        self.note(status)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        fault = self.path.split("/")[2]
        seen[self.path] += 1
        count = seen[self.path]
        if fault == "down" or fault == "busy" and count <= 2:
            return self.refuse(503)
        if fault == "wait" and count == 1:
            return self.refuse(429, ("Retry-After", "1"))
        if fault == "stall" and "/blobs/" in self.path:
            seen["stalled"] += 1
            if seen["stalled"] == 1:
                return self.refuse(503)
        if fault == "far":
            return self.refuse(429, ("Retry-After", "3600"))
        if "/referrers/" in self.path and fault in REFERRERS:
            return self.refer(*REFERRERS[fault])
        if fault == "lists" and REFERRERS_TAG.search(self.path):
            return self.refuse(404)
        headers = {k: v for k, v in self.headers.items()
                   if k != "Host" and not (fault == "norange" and k == "Range")}
        upstream = http.client.HTTPConnection(target)
        upstream.request("GET", self.path, headers=headers)
        answer = upstream.getresponse()
        body = answer.read()
        self.note(answer.status)
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if fault == "otherrange" and key == "Content-Range":
                value = "bytes 1-2/3"
            self.send_header(key, value)
        self.end_headers()
        is_blob = "/blobs/" in self.path
        most = {"cut": 2, "norange": 1, "otherrange": 1, "always": 99}.get(fault, 0)
        if is_blob and count <= most:
            body = body[:len(body) // 3] if fault != "always" else body[:0]
            self.close_connection = True
        if is_blob and fault == "stall":
            self.wfile.write(body[:len(body) // 2])
            time.sleep(1.5)
            body = body[len(body) // 2:]
        self.wfile.write(body)

    def pass_on(self, body):
        upstream = http.client.HTTPConnection(target)
        upstream.request(self.command, self.path, body=body,
                         headers={"Content-Type": self.headers.get("Content-Type", "")})
        answer = upstream.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key == "Location":
                value = value.replace(target, self.headers["Host"])
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self):
        self.pass_on(None)

    def do_POST(self):
        places = {"upelsewhere": f"http://127.0.0.2:{elsewhere.server_address[1]}/take/it",
                  "upfile": "file:///etc/passwd", "upnowhere": ""}
        fault = self.path.split("/")[2]
        if fault == "upelsewhere" and "Authorization" not in self.headers:
            return self.refuse(401, ("WWW-Authenticate", 'Basic realm="x"'))
        if fault in places:
            self.send_response(202)
            if places[fault]:
                self.send_header("Location", places[fault])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self.pass_on(b"")

    def do_PUT(self):
        size = int(self.headers["Content-Length"])
        if self.path.startswith("/take/it"):
            self.rfile.read(size)
            with open(sys.argv[3], "a") as log:
                print("PUT elsewhere", self.headers.get("Authorization"), file=log)
            self.send_response(418)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        seen["PUT"] += 1
        if "/blobs/" in self.path and (seen["PUT"] <= 2 or "/other/" in self.path):
            self.rfile.read(size // 2)
            with open(sys.argv[3], "a") as log:
                print("PUT", self.path, "cut", file=log)
            self.close_connection = True
            return None
        return self.pass_on(self.rfile.read(size))


server, elsewhere = (http.server.ThreadingHTTPServer((host, 0), Handler) for host in ("127.0.0.1", "127.0.0.2"))
server.daemon_threads = elsewhere.daemon_threads = True
threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
pathlib.Path(sys.argv[2]).write_text(str(server.server_address[1]))
threading.Timer(600, server.shutdown).start()
server.serve_forever()
