# SPDX-License-Identifier: MPL-2.0
"""TLS and tokens as gRPC clients meet them."""
import base64
import os
import signal
import time

import grpc
from client import Client, clear, main, must_refuse, refused, spec
from host import Host

Code = grpc.StatusCode
CERTS = os.environ.get("CERTS", "")


def read(name):
    with open(f"{CERTS}/{name}", "rb") as file:
        return file.read()


def secure(ca="ca.pem", cert=None, token=None):
    pair = (read(cert + ".key"), read(cert + ".pem")) if cert else (None, None)
    credentials = grpc.ssl_channel_credentials(read(ca), *pair)
    channel = grpc.secure_channel(os.environ["SERVE"].replace("127.0.0.1", "localhost"), credentials)
    return Client(channel=channel, metadata=bearer(token))


def bearer(token):
    return [("authorization", "Bearer " + token)] if token else None


def unreachable(client):
    error = refused(client.list)
    assert error.code() == Code.UNAVAILABLE, error


def mutual():
    assert list(secure(cert="client").list()) == []
    unreachable(secure())
    for bad in "expired", "stranger":
        unreachable(secure(cert=bad))
    unreachable(secure(ca="other-ca.pem", cert="client"))


def tokens():
    """Read and write, by namespace; flintlock's Basic form; nothing told to who has none."""
    client = Client()
    for wrong in None, [("authorization", "Bearer wrong")], [("authorization", "Basic !!!")], \
            [("authorization", "reader0123456789")], [("authorization", "")]:
        client.metadata = wrong
        must_refuse(Code.UNAUTHENTICATED, "", client.list)
    client.metadata = [("authorization", "Basic " + base64.b64encode(b"writer0123456789").decode())]
    made = client.create(spec("mine", "ns0"))
    client.create(spec("theirs", "ns1"))
    client.metadata = bearer("reader0123456789")
    assert client.get(made.spec.uid).spec.id == "mine"
    assert [vm.spec.namespace for vm in client.list()] == ["ns0"]
    must_refuse(Code.PERMISSION_DENIED, "ns0", client.create, spec("no", "ns0"))
    must_refuse(Code.PERMISSION_DENIED, "ns0", client.delete, made.spec.uid)
    must_refuse(Code.PERMISSION_DENIED, "ns1", client.stream, "ns1")
    client.metadata = bearer("writer0123456789")
    for vm in client.list():
        client.delete(vm.spec.uid)
    for vm in client.list():
        client.wait_gone(vm.spec.uid)


def reload(pid, file):
    """Tokens change under a connection that stays."""
    client = Client(metadata=bearer("writer0123456789"))
    client.list()
    with open(file, "a") as out:
        out.write("another0123456789\n")
    os.kill(int(pid), signal.SIGHUP)
    eventually(lambda: Client(channel=client.channel, metadata=bearer("another0123456789")).list())
    with open(file, "a") as out:
        out.write("bad ns0 nonsense\n")
    os.kill(int(pid), signal.SIGHUP)
    time.sleep(0.3)
    client.list()
    with open(file, "w") as out:
        out.write("# nobody\n")
    os.kill(int(pid), signal.SIGHUP)
    time.sleep(0.3)
    client.list()
    must_refuse(Code.UNAUTHENTICATED, "", Client(channel=client.channel).list)
    with open(file, "w") as out:
        out.write("another0123456789\n")
    os.kill(int(pid), signal.SIGHUP)
    eventually(lambda: must_refuse(Code.UNAUTHENTICATED, "", client.list))


def revoked(pid, file):
    """A watch has the rights that its token has now, and ends with it."""
    host = Host(metadata=bearer("reader0123456789"))
    writer, stream = Client(metadata=bearer("writer0123456789")), host.watch()

    def change(*lines):
        with open(file, "w") as out:
            out.write("writer0123456789\n" + "".join(lines))
        os.kill(int(pid), signal.SIGHUP)

    def made(name, namespace):
        writer.create(spec(name, namespace))
        return name

    def seen():
        return next(event.microvm.spec.id for event in stream if event.what == "created")
    assert next(stream).what == "watching"
    assert made("first", "ns0") == seen()
    change("reader0123456789 ns1 read\n")
    eventually(lambda: must_refuse(Code.PERMISSION_DENIED, "ns0", host.stream, "ns0"))
    made("hidden", "ns0")
    assert made("second", "ns1") == seen()
    change()
    try:
        assert not list(stream)
    except grpc.RpcError as error:
        assert error.code() == Code.UNAUTHENTICATED, error
    change("reader0123456789 ns0 read\n")
    eventually(host.list)
    clear(writer)


def eventually(call):
    end = time.time() + 5
    while True:
        try:
            return call()
        except (AssertionError, grpc.RpcError):
            if time.time() > end:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main(globals())
