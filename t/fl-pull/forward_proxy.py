#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A forward proxy on loopback: plain requests and CONNECT.

    forward_proxy.py PORTFILE LOGFILE

"registry.test" is 127.0.0.1. LOGFILE gets a line for every request: its method, where it goes, and the proxy's login.
"""
import http.client
import http.server
import pathlib
import socket
import sys
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def note(self, where):
        with open(sys.argv[2], "a") as log:
            print(self.command, where, self.headers.get("Proxy-Authorization"), file=log)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.note(url.netloc)
        upstream = http.client.HTTPConnection(url.netloc.replace("registry.test", "127.0.0.1"))
        upstream.request("GET", url.path, headers={k: v for k, v in self.headers.items() if k != "Host"})
        answer = upstream.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        self.note(self.path)
        host, port = self.path.split(":")
        with socket.create_connection((host.replace("registry.test", "127.0.0.1"), int(port))) as upstream:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(upstream, self.connection), daemon=True)
            back.start()
            pump(self.connection, upstream)
            back.join(5)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
pathlib.Path(sys.argv[1]).write_text(str(server.server_address[1]))
threading.Timer(600, server.shutdown).start()
server.serve_forever()
