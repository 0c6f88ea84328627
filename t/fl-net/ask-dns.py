#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""ask-dns.py NAME|ADDRESS SERVER: prints what it is answered, sorted, or NXDOMAIN, REFUSED, NODATA.
ask-dns.py --serve ADDRESS: answers every question for A with it, and prints the name."""
import ipaddress
import os
import socket
import struct
import sys

A, PTR, AAAA = 1, 12, 28
CODES = {3: "NXDOMAIN", 5: "REFUSED"}


def encode(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def decode(data, at):
    parts, end = [], None
    while data[at]:
        if data[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack("!H", data[at:at + 2])[0] & 0x3FFF
        else:
            parts.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
    return ".".join(parts), end or at + 1


def query(name, kind, server):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.settimeout(1)
    ask = os.urandom(2) + struct.pack("!5H", 0x100, 1, 0, 0, 0) + encode(name) + struct.pack("!2H", kind, 1)
    for _ in range(3):
        client.sendto(ask, (server, 53))
        try:
            answer = client.recv(4096)
        except TimeoutError:
            continue
        if answer[:2] == ask[:2]:
            return answer
    sys.exit(1)


def read(answer, kind):
    code, count = answer[3] & 15, struct.unpack("!H", answer[6:8])[0]
    if code:
        return CODES.get(code, str(code)), []
    at, found = decode(answer, 12)[1] + 4, []
    for _ in range(count):
        at = decode(answer, at)[1]
        this, size = struct.unpack("!HxxxxxxH", answer[at:at + 10])
        at += 10
        if this == kind:
            found.append(decode(answer, at)[0] if kind == PTR else
                         socket.inet_ntop(socket.AF_INET if kind == A else socket.AF_INET6,
                                          answer[at:at + size]))
        at += size
    return "NODATA", found


def ask(what, server):
    try:
        wanted = [(ipaddress.ip_address(what).reverse_pointer, PTR)]
    except ValueError:
        wanted = [(what, A), (what, AAAA)]
    found, word = [], ""
    for name, kind in wanted:
        word, more = read(query(name, kind, server), kind)
        found += more
    print(" ".join(sorted(found)) or word)


def serve(address):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 53))
    while True:
        data, peer = server.recvfrom(4096)
        name, end = decode(data, 12)
        print(name, flush=True)
        kind = struct.unpack("!H", data[end:end + 2])[0]
        rows = b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 0, 4) + socket.inet_aton(address) if kind == A else b""
        server.sendto(data[:2] + struct.pack("!5H", 0x8180, 1, 1 if rows else 0, 0, 0) + data[12:end + 4] + rows,
                      peer)


if sys.argv[1] == "--serve":
    serve(sys.argv[2])
else:
    ask(sys.argv[1], sys.argv[2])
