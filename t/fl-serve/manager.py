# SPDX-License-Identifier: MPL-2.0
"""manager.py FOLDER: starts fl-serve as systemd does, with sockets and a place to be told."""
import http.client
import os
import signal
import socket
import sys

import grpc

FOLDER = sys.argv[1]


def listening(path):
    one = socket.socket(socket.AF_UNIX)
    one.bind(path)
    one.listen()
    return one


def listed(name):
    with grpc.insecure_channel("unix:" + FOLDER + name) as channel:
        call = channel.unary_unary("/microvm.services.api.v1alpha1.MicroVM/ListMicroVMs")
        try:
            return call.with_call(b"", timeout=10)[1].code()
        except grpc.RpcError as error:
            return error.code()


def main():
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(FOLDER + "/notify")
    told.settimeout(10)
    sockets = [listening(FOLDER + name) for name in ("/http", "/grpc", "/local")]
    pid = os.fork()
    if pid == 0:
        kept = [os.dup(one.fileno()) + 0 for one in sockets]
        kept = [os.dup2(fd, 50 + i) for i, fd in enumerate(kept)]
        for i, fd in enumerate(kept):
            os.dup2(fd, 3 + i, inheritable=True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="3", LISTEN_FDNAMES="http:grpc:local",
                          FLINTLOCKD_BASIC_AUTH_TOKEN="sesame", NOTIFY_SOCKET=FOLDER + "/notify", WATCHDOG_USEC="400000")
        os.execvp("fl-serve", ["fl-serve", "run"])
    try:
        assert told.recv(100) == b"READY=1"
        assert told.recv(100) == b"WATCHDOG=1"
        client = http.client.HTTPConnection("host")
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.connect(FOLDER + "/http")
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b"ok\n"
        client.close()
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(FOLDER + "/grpc")
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 505")
        assert listed("/grpc") == grpc.StatusCode.UNAUTHENTICATED
        assert listed("/local") == grpc.StatusCode.OK
        os.kill(pid, signal.SIGTERM)
        while told.recv(100) != b"STOPPING=1":
            pass
    finally:
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == 0
    assert os.path.exists(FOLDER + "/grpc"), "the manager's socket is not ours to remove"


main()
