# SPDX-License-Identifier: MPL-2.0
"""HTTP/2 by hand: what no well-behaved client sends, and what the server must make of it.
Frames: RFC 9113; HPACK by Debian's python3-hpack; gRPC's PROTOCOL-HTTP2.md."""
import gzip
import os
import socket
import struct
import sys
import threading
import time

import grpc
import hpack
from client import API, Client, clear, main, message, spec

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
GET = f"/{API}MicroVM/GetMicroVM"
LIST = f"/{API}MicroVM/ListMicroVMs"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def fields(path, **more):
    list_ = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
             ("content-type", "application/grpc"), ("te", "trailers")]
    named = {name.replace("_", "-"): value for name, value in more.items()}
    list_ = [(name, named.pop(name.lstrip(":"), value)) for name, value in list_]
    return [(n, v) for n, v in list_ if v is not None] + list(named.items())


def grpc_message(data, packed=0):
    return bytes([packed]) + struct.pack(">I", len(data)) + data


class Wire:
    def __init__(self, settings=b"", greet=True):
        host, port = os.environ["SERVE"].split(":")
        self.socket = socket.create_connection((host, int(port)), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.answers, self.buffer, self.goaway, self.resets = {}, b"", None, {}
        self.pings, self.asked, self.data, self.ended = 0, 0, {}, set()
        if greet:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        self.socket.sendall(data)

    def headers(self, stream, path, flags=END_HEADERS, **more):
        self.send(frame(HEADERS, flags, stream, self.encoder.encode(fields(path, **more))))

    def call(self, stream, path, body, **more):
        self.headers(stream, path, **more)
        pieces = [body[at:at + 16384] for at in range(0, len(body), 16384)] or [b""]
        for piece in pieces[:-1]:
            self.send(frame(DATA, 0, stream, piece))
        self.send(frame(DATA, END_STREAM, stream, pieces[-1]))
        return self.answer(stream)

    def take(self, kind, flags, stream, payload):
        if kind in (HEADERS, CONTINUATION):
            self.answers.setdefault(stream, {}).update(self.decoder.decode(payload))
        elif kind == DATA:
            self.data[stream] = self.data.get(stream, b"") + payload
            if payload:
                self.send(frame(WINDOW, 0, 0, struct.pack(">I", len(payload))))
        elif kind == RST:
            self.resets[stream] = struct.unpack(">I", payload)[0]
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">I", payload[4:8])[0]
        elif kind == SETTINGS and not flags & 1:
            self.send(frame(SETTINGS, 1, 0))
        elif kind == PING and flags & 1:
            self.pings += 1
        elif kind == PING:
            self.asked += 1
        if kind in (DATA, HEADERS) and flags & END_STREAM or kind == RST:
            self.ended.add(stream)

    def read(self):
        """One more frame; False at the connection's end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return False
            if not more:
                return False
            self.buffer += more
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags = self.buffer[3], self.buffer[4]
        stream = int.from_bytes(self.buffer[5:9], "big") & 0x7fffffff
        payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
        try:
            self.take(kind, flags, stream, payload)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return True

    def answer(self, stream):
        while stream not in self.ended and self.read():
            pass
        return self.answers.get(stream, {})

    def answer_of(self, stream, body):
        """The end of a request whose header was sent."""
        self.send(frame(DATA, END_STREAM, stream, body))
        return self.answer(stream)

    def refused(self):
        """Whether the last call was."""
        self.socket.settimeout(0.1)
        try:
            while self.read():
                pass
        except socket.timeout:
            pass
        self.socket.settimeout(10)
        return self.answers.get(499, {}).get("grpc-status") == "8"

    def until_closed(self, seconds=30):
        self.socket.settimeout(seconds)
        while self.read():
            pass


def memory():
    with open(f"/proc/{os.environ['SERVE_PID']}/statm") as file:
        return int(file.read().split()[1]) * 4096


def bounded(before, limit=48 << 20):
    sanitized = "-san" in os.environ["FL_BUILD"]
    assert sanitized or memory() - before < limit, (before, memory())
    Client().list()


def expect(answer, code, words="", status="200"):
    assert answer.get(":status") == status and answer.get("grpc-status") == str(code), answer
    assert words in answer.get("grpc-message", ""), answer


def get_request(uid="x"):
    return grpc_message(message(API + "GetMicroVMRequest")(uid=uid).SerializeToString())


def errors():
    """grpc-go's answers, in its words."""
    wire = Wire()
    expect(wire.call(1, "/no.Such/Method", b""), 12, "unknown service no.Such")
    expect(wire.call(3, f"/{API}MicroVM/Nothing", b""), 12, "unknown method Nothing")
    expect(wire.call(5, "/x", b""), 12, "malformed method name")
    expect(wire.call(7, GET, get_request(), content_type="application/json"), 3,
           "invalid gRPC request content-type", "415")
    expect(wire.call(9, GET, get_request(), grpc_timeout="1x"), 13, "malformed grpc-timeout", "400")
    expect(wire.call(11, GET, grpc_message(b"\xff\xff")), 3, "error unmarshalling request")
    expect(wire.call(13, GET, b"\0\0\0\0\x09abc"), 13)
    expect(wire.call(15, GET, get_request(), grpc_encoding="snappy"), 12, "Decompressor")
    expect(wire.call(17, GET, grpc_message(b"abc", 1)), 13, "compressed flag")
    expect(wire.call(19, GET, get_request() + get_request()), 13)
    expect(wire.call(21, GET, b"\0\0\x50\0\0"), 8, "larger than max")
    assert wire.call(23, GET, b"", method="GET")[":status"] == "405"
    expect(wire.call(25, GET, get_request()), 5, "not found")
    packed = grpc_message(gzip.compress(get_request()[5:]), 1)
    expect(wire.call(27, GET, packed, grpc_encoding="gzip"), 5, "not found")
    bomb = grpc_message(gzip.compress(bytes(64 << 20)), 1)
    expect(wire.call(29, GET, bomb, grpc_encoding="gzip"), 8)
    expect(wire.call(31, GET, grpc_message(b"\x0a\x02\xff\xfe")), 3, "UTF-8")
    expect(wire.call(33, GET, grpc_message(b"\x0a\x03a\0b")), 3, "NUL")


def deadline():
    wire = Wire()
    wire.headers(1, GET, grpc_timeout="100m")
    expect(wire.answer(1), 4, "deadline")


def http1():
    wire = Wire(greet=False)
    wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    said = b""
    while True:
        more = wire.socket.recv(4096)
        if not more:
            break
        said += more
    assert said.startswith(b"HTTP/1.1 505"), said


def rapid_reset():
    """CVE-2023-44487: the connection ends, the server does not notice."""
    before, wire = memory(), Wire()
    try:
        for i in range(20000):
            wire.headers(2 * i + 1, LIST, END_HEADERS | END_STREAM)
            wire.send(frame(RST, 0, 2 * i + 1, struct.pack(">I", 8)))
    except (BrokenPipeError, ConnectionResetError):
        pass
    wire.until_closed()
    bounded(before)


def continuation_flood():
    before, wire = memory(), Wire()
    block = wire.encoder.encode([("x" + str(i), "y" * 40) for i in range(100)])
    try:
        wire.send(frame(HEADERS, 0, 1, wire.encoder.encode(fields(GET))))
        for _ in range(20000):
            wire.send(frame(CONTINUATION, 0, 1, block))
    except (BrokenPipeError, ConnectionResetError):
        pass
    wire.until_closed()
    bounded(before)


def floods():
    """PING, SETTINGS and empty DATA without end, from one who reads nothing."""
    before = memory()
    for flood in [frame(PING, 0, 0, bytes(8)), frame(SETTINGS, 0, 0), frame(PRIORITY, 0, 1, bytes(4) + b"\1")]:
        wire = Wire()
        wire.socket.settimeout(3)
        try:
            for _ in range(3000):
                wire.send(flood * 100)
        except (BrokenPipeError, ConnectionResetError, socket.timeout):
            pass
        bounded(before)
        wire.socket.close()


def empty_messages():
    """4 MiB of empty interfaces ask for half a million objects."""
    before, wire = memory(), Wire()
    spec_bytes = b"\x52\x00" * (2 << 20)
    request = b"\x0a" + varint(len(spec_bytes)) + spec_bytes
    wire.headers(1, f"/{API}MicroVM/CreateMicroVM")
    body = grpc_message(request[:(4 << 20) - 5])
    try:
        for at in range(0, len(body), 16384):
            wire.send(frame(DATA, 0, 1, body[at:at + 16384]))
            time.sleep(0)
        wire.send(frame(DATA, END_STREAM, 1))
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert wire.answer(1).get("grpc-status") in ("3", "8", "13"), (wire.answers, wire.resets, wire.goaway)
    bounded(before, 96 << 20)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def slow_reader():
    """Thousands of Lists that nobody reads: refused when too much waits."""
    client = Client()
    wanted = spec("large")
    wanted.labels["x"] = "y" * 60000
    for i in range(16):
        wanted.id = f"large{i}"
        client.create(wanted)
    before = memory()
    wires = []
    for _ in range(4):
        wire = Wire(struct.pack(">HI", 4, 0))  # a window of nothing
        for i in range(250):
            wire.headers(2 * i + 1, LIST, END_HEADERS)
            wire.send(frame(DATA, END_STREAM, 2 * i + 1, grpc_message(b"")))
        wires.append(wire)
    end = time.time() + 60
    while time.time() < end and not all(wire.refused() for wire in wires):
        pass
    assert time.time() < end
    bounded(before, 200 << 20)
    for wire in wires:
        wire.socket.close()
    clear(client)


def hoarder():
    """Requests that are never whole fill the room for them: who asks for little is answered still."""
    client, left, wires, stream = Client(), 128 << 20, [], 1
    client.list()
    while left:
        if stream == 1:
            wires.append(Wire())
            threading.Thread(target=lambda wire: any(iter(wire.read, False)), args=(wires[-1],), daemon=True).start()
            time.sleep(0.05)
        wires[-1].headers(stream, GET)
        size = min(left, 1 << 20)
        for at in range(0, size, 16384):
            piece = (struct.pack(">BI", 0, 4000000) if at == 0 else b"").ljust(min(16384, size - at), b"\0")
            wires[-1].send(frame(DATA, 0, stream, piece))
        left -= size
        stream = 1 if stream > 39 else stream + 2
    time.sleep(0.5)
    assert client.list() is not None
    assert Client(channel=grpc.insecure_channel(os.environ["SERVE"], [("fl", 1)])).list() is not None
    for wire in wires:
        wire.socket.shutdown(socket.SHUT_RDWR)


def slow_loris():
    """Who says nothing, or half a greeting, is shown the door in time."""
    silent, half = Wire(greet=False), Wire(greet=False)
    half.send(PREFACE[:10])
    begun = time.time()
    silent.until_closed(40)
    half.until_closed(40)
    assert 5 < time.time() - begun < 35


def answer_at_once(wire):
    """As a client's library does: no PING waits."""
    try:
        while wire.read():
            for _ in range(wire.asked):
                wire.send(frame(PING, 1, 0, bytes(8)))
                wire.pongs += 1
            wire.asked = 0
    except OSError:
        pass


def keepalive():
    """A client that says nothing is asked for a sign of life, and let go without one; one that answers
    stays. The server was started with --keepalive 1."""
    dead, alive = Wire(), Wire()
    expect(dead.call(1, GET, get_request()), 5)
    expect(alive.call(1, GET, get_request()), 5)
    alive.pongs = 0
    alive.socket.settimeout(120)
    thread = threading.Thread(target=answer_at_once, args=(alive,), daemon=True)
    thread.start()
    dead.until_closed(60)
    assert dead.asked == 1, dead.asked
    time.sleep(12)
    assert thread.is_alive() and alive.pongs >= 3, alive.pongs
    alive.headers(3, GET)
    alive.send(frame(DATA, END_STREAM, 3, get_request()))
    for _ in range(100):
        if 3 in alive.ended:
            break
        time.sleep(0.1)
    expect(alive.answers.get(3, {}), 5)


def idle():
    """A connection without calls is closed, with a goodbye. The server was started with --idle-timeout 1."""
    wire = Wire()
    expect(wire.call(1, GET, get_request()), 5)
    begun = time.time()
    wire.until_closed(30)
    assert wire.goaway == 0 and time.time() - begun < 20, wire.goaway


def rate():
    """More calls than an address may make in a second are refused, and only those. The server was
    started with --max-requests 20."""
    wires = Wire(), Wire()
    streams = range(1, 121, 2)
    # All at once: one after the other a slow machine makes too few.
    for wire in wires:
        for stream in streams:
            wire.headers(stream, GET)
            wire.send(frame(DATA, END_STREAM, stream, get_request()))
    answers = [[wire.answer(stream) for stream in streams] for wire in wires]
    codes = [[answer.get("grpc-status") for answer in some] for some in answers]
    assert codes[0][0] == "5" and codes[0].count("8") > 20 and codes[1].count("8") > 20, codes
    expect(answers[1][codes[1].index("8")], 8, "requests a second")
    time.sleep(1.1)
    expect(wires[0].call(1001, GET, get_request()), 5)


def cancel():
    """A stream that the client breaks off does not hurt the next."""
    wire = Wire()
    wire.headers(1, LIST)
    wire.send(frame(RST, 0, 1, struct.pack(">I", 8)))
    expect(wire.call(3, GET, get_request()), 5)


def padded_and_continued():
    """Padding, CONTINUATION and PING, as the RFC allows them."""
    wire = Wire()
    block = wire.encoder.encode(fields(GET))
    wire.send(frame(HEADERS, 8, 1, b"\x03" + block[:10] + bytes(3)))
    for at in 10, 11, 12:
        wire.send(frame(CONTINUATION, 0, 1, block[at:at + 1]))
    wire.send(frame(CONTINUATION, END_HEADERS, 1, block[13:]))
    body = get_request()
    wire.send(frame(DATA, 8, 1, b"\x02" + body[:4] + bytes(2)) + frame(DATA, END_STREAM, 1, body[4:]))
    wire.send(frame(PING, 0, 0, b"12345678"))
    expect(wire.answer(1), 5)
    while not wire.pings and wire.read():
        pass
    assert wire.pings == 1


# RFC 9113's MUSTs for a server, by section: what is sent, and how the connection must end
# (the error code of its GOAWAY) or the stream (of its RST_STREAM). Not here: 5.1.1, HEADERS on a
# stream below one that was opened, which nghttp2 passes over as it does those on closed streams.
PROTOCOL_ERROR, FLOW, CLOSED, SIZE, REFUSED, COMPRESSION = 1, 3, 5, 6, 7, 9


def request(wire, stream):
    return frame(HEADERS, 5, stream, wire.encoder.encode(fields(GET)))


MUSTS = [
    ("4.2 a frame larger than allowed", lambda w: frame(PING, 0, 0, bytes(20000)), SIZE),
    ("4.3 a header block that is none", lambda w: frame(HEADERS, 5, 1, b"\x80"), COMPRESSION),
    ("5.1 DATA on an idle stream", lambda w: frame(DATA, 0, 1, b"x"), PROTOCOL_ERROR),
    ("5.1 RST_STREAM on an idle stream", lambda w: frame(RST, 0, 1, bytes(4)), PROTOCOL_ERROR),
    ("5.1 WINDOW_UPDATE on an idle stream", lambda w: frame(WINDOW, 0, 1, b"\0\0\0\1"), PROTOCOL_ERROR),
    ("5.1.1 an even stream", lambda w: frame(HEADERS, 5, 2, w.encoder.encode(fields(GET))), PROTOCOL_ERROR),
    ("6.1 DATA on stream 0", lambda w: frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    ("6.2 HEADERS on stream 0", lambda w: frame(HEADERS, 5, 0, w.encoder.encode(fields(GET))), PROTOCOL_ERROR),
    ("6.2 padding longer than the frame", lambda w: frame(HEADERS, 13, 1, b"\xff\0"), PROTOCOL_ERROR),
    ("6.4 RST_STREAM on stream 0", lambda w: frame(RST, 0, 0, bytes(4)), PROTOCOL_ERROR),
    ("6.4 RST_STREAM of a wrong size", lambda w: frame(RST, 0, 1, bytes(3)), SIZE),
    ("6.5 SETTINGS on a stream", lambda w: frame(SETTINGS, 0, 1), PROTOCOL_ERROR),
    ("6.5 SETTINGS of a wrong size", lambda w: frame(SETTINGS, 0, 0, bytes(5)), SIZE),
    ("6.5 an acknowledgement with content", lambda w: frame(SETTINGS, 1, 0, bytes(6)), SIZE),
    ("6.5.2 ENABLE_PUSH neither 0 nor 1", lambda w: frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 2)), PROTOCOL_ERROR),
    ("6.5.2 a window that is too large", lambda w: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)), FLOW),
    ("6.5.2 a frame size that is too small", lambda w: frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1)), PROTOCOL_ERROR),
    ("6.6 PUSH_PROMISE from a client", lambda w: frame(PUSH, 4, 1, bytes(4)), PROTOCOL_ERROR),
    ("6.7 PING on a stream", lambda w: frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR),
    ("6.7 PING of a wrong size", lambda w: frame(PING, 0, 0, bytes(7)), SIZE),
    ("6.8 GOAWAY on a stream", lambda w: frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR),
    ("6.9 WINDOW_UPDATE by nothing", lambda w: frame(WINDOW, 0, 0, bytes(4)), PROTOCOL_ERROR),
    ("6.9 WINDOW_UPDATE of a wrong size", lambda w: frame(WINDOW, 0, 0, bytes(3)), SIZE),
    ("6.9.1 a window beyond 2^31-1", lambda w: frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), FLOW),
    ("6.10 CONTINUATION without HEADERS", lambda w: frame(CONTINUATION, 4, 1, b""), PROTOCOL_ERROR),
    ("5.1 HEADERS once more after the request's end", lambda w: request(w, 1) + request(w, 1), CLOSED),
    ("6.10 another frame within a header block",
     lambda w: frame(HEADERS, 1, 1, w.encoder.encode(fields(GET))[:5]) + frame(PING, 0, 0, bytes(8)), PROTOCOL_ERROR),
]


def musts():
    wrong = []
    for name, make, code in MUSTS:
        wire = Wire()
        wire.send(make(wire))
        try:
            wire.until_closed(5)
        except socket.timeout:
            wrong.append(f"{name}: the connection stays open")
            continue
        if wire.goaway != code:
            wrong.append(f"{name}: GOAWAY {wire.goaway}, not {code}")
    assert not wrong, "\n".join(wrong)


def without(name):
    return [field for field in fields(GET) if field[0] != name]


MALFORMED = [
    ("8.2.1 an upper-case name", fields(GET) + [("X-Upper", "a")]),
    ("8.2.1 a value with a newline", fields(GET) + [("x-line", "a\nb")]),
    ("8.2.2 a field of the connection", fields(GET) + [("connection", "close")]),
    ("8.2.2 te that is not trailers", without("te") + [("te", "gzip")]),
    ("8.3 an unknown pseudo field", [(":unknown", "a")] + fields(GET)),
    ("8.3 a pseudo field behind others", without(":path") + [(":path", GET)]),
    ("8.3 a pseudo field of answers", [(":status", "200")] + fields(GET)),
    ("8.3.1 no method", without(":method")),
    ("8.3.1 no scheme", without(":scheme")),
    ("8.3.1 no path", without(":path")),
    ("8.3.1 an empty path", [(":path", "")] + without(":path")),
    ("8.3.1 a path twice", [(":path", GET)] + fields(GET)),
]


def malformed():
    """8.1.1: a malformed request is an error of its stream."""
    wire = Wire()
    for i, (name, all_fields) in enumerate(MALFORMED):
        wire.send(frame(HEADERS, 5, 2 * i + 1, wire.encoder.encode(all_fields)))
        wire.answer(2 * i + 1)
        assert wire.resets.get(2 * i + 1) == PROTOCOL_ERROR, (name, wire.resets, wire.goaway)


def streams():
    """Errors of a stream, and what is no error: the connection goes on."""
    wire = Wire()
    # 4.1, 5.5: unknown frames and flags are passed over; 6.3: PRIORITY says nothing any more.
    wire.send(frame(0x77, 0xff, 0, b"what") + frame(0x77, 0, 1, b"is this") + frame(PRIORITY, 0, 1, bytes(4) + b"\1"))
    wire.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 0x7777, 5)))
    expect(wire.call(1, GET, get_request()), 5)
    # 6.9.1: a stream's window beyond 2^31-1.
    wire.headers(3, GET)
    wire.send(frame(WINDOW, 0, 3, b"\x7f\xff\xff\xff"))
    wire.answer(3)
    assert wire.resets.get(3) == FLOW, wire.resets
    # 6.9: by nothing.
    wire.headers(5, GET)
    wire.send(frame(WINDOW, 0, 5, bytes(4)))
    wire.answer(5)
    assert wire.resets.get(5) == PROTOCOL_ERROR or wire.goaway == PROTOCOL_ERROR, wire.resets
    # 8.1.1: content-length tells another size.
    wire = Wire()
    wire.headers(1, GET, content_length="3")
    wire.send(frame(DATA, END_STREAM, 1, get_request()))
    wire.answer(1)
    assert wire.resets.get(1) == PROTOCOL_ERROR, (wire.resets, wire.answers)
    # 5.1.2: more streams than are allowed at once.
    wire = Wire()
    for i in range(257):
        wire.headers(2 * i + 1, GET)
    wire.answer(513)
    assert wire.resets.get(513) in (PROTOCOL_ERROR, REFUSED), wire.resets
    expect(wire.answer_of(1, get_request()), 5)
    # 3.4: a preface that is none.
    wire = Wire(greet=False)
    wire.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
    wire.until_closed(5)


if __name__ == "__main__":
    main(globals())
    sys.stdout.flush()
