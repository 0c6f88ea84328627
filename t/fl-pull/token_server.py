#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A token server for a registry with token authentication.

    token_server.py FOLDER PORTFILE LOGFILE

Signs with FOLDER/token.key and token.crt, which may appear later. Gives everybody the right
to read "open/…", and "user" with the password "open sesame", or who has the refresh token
"refresh me", any right asked for. LOGFILE gets a line for every request: how it was asked.
"""
import base64
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse

folder = pathlib.Path(sys.argv[1])
BASIC = "Basic " + base64.b64encode(b"user:open sesame").decode()


def plain(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(access):
    pem = (folder / "token.crt").read_text()
    der = "".join(line for line in pem.splitlines() if "-" not in line)
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
    body = {"iss": "test", "aud": "test", "sub": "x", "iat": now, "nbf": now - 5,
            "exp": now + 60, "jti": str(time.time()), "access": access}
    text = b".".join(plain(json.dumps(part).encode()) for part in (head, body))
    mark = subprocess.run(["openssl", "dgst", "-sha256", "-sign", folder / "token.key"],
                          input=text, capture_output=True, check=True).stdout
    return (text + b"." + plain(mark)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, document, status=200):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def give(self, how, known, query):
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            actions = actions.split(",")
            if not known:
                actions = ["pull"] if name.startswith("open/") and "pull" in actions else []
            access.append({"type": kind, "name": name, "actions": actions})
        with open(sys.argv[3], "a") as log:
            print(how, query.get("service"), query.get("scope"), file=log)
        self.answer({"token": token(access)})

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        login = self.headers.get("Authorization")
        if login not in (None, BASIC):
            return self.answer({"details": "wrong login"}, 401)
        return self.give("basic" if login else "anonymous", login is not None, query)

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        query = urllib.parse.parse_qs(self.rfile.read(size).decode())
        if query.get("grant_type") != ["refresh_token"] or query.get("refresh_token") != ["refresh me"]:
            return self.answer({"details": "wrong token"}, 401)
        return self.give("refresh", True, query)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
pathlib.Path(sys.argv[2]).write_text(str(server.server_address[1]))
threading.Timer(600, server.shutdown).start()
server.serve_forever()
