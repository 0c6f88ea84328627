# SPDX-License-Identifier: MPL-2.0
"""What clients were promised, after the server was killed: checked by uids in files."""
import base64
import os
import resource
import socket
import subprocess
import sys
import threading
import time

import grpc
from client import API, CREATED, FAILED, PENDING, Client, clear, main, message, must_refuse, spec

Code = grpc.StatusCode


def promise(path, count="24"):
    """Creates from several threads until the server dies; every uid that was answered is kept."""
    lock = threading.Lock()
    run = os.urandom(4).hex()
    message(API + "CreateMicroVMRequest")  # made once, here: threads would make one each
    spec()

    def work(number):
        client = Client()
        for turn in range(int(count)):
            try:
                made = client.create(spec(f"vm-{run}-{number}-{turn}"))
            except grpc.RpcError:
                return
            with lock, open(path, "a") as out:
                out.write(made.spec.uid + "\n")
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def kept(path):
    """Every promised microVM is there once and comes up."""
    client = Client()
    uids = open(path).read().split()
    listed = [vm.spec.uid for vm in client.list()]
    assert len(set(listed)) == len(listed) and set(uids) <= set(listed), (uids, listed)
    names = [(vm.spec.namespace, vm.spec.id) for vm in client.list()]
    assert len(set(names)) == len(names), names
    for uid in listed:
        client.wait(uid, CREATED, 60)


def delete_all():
    """Answered is enough: the server is killed afterwards."""
    client = Client()
    for vm in client.list():
        client.delete(vm.spec.uid)


def gone():
    clear(Client())


def empty(seconds):
    """Without being asked for again, all that were to be deleted go."""
    client, end = Client(), time.time() + float(seconds)
    while client.list():
        assert time.time() < end, len(client.list())
        time.sleep(0.2)


def state_of(uid, wanted):
    assert Client().get(uid).status.state == {"PENDING": PENDING, "CREATED": CREATED, "FAILED": FAILED}[wanted]


def wait_created(uid):
    Client().wait(uid, CREATED)


def create(name):
    print(Client().create(spec(name)).spec.uid)


def full():
    """No room for a record: the client is told so, and what was there stays."""
    client = Client()
    must_refuse(Code.RESOURCE_EXHAUSTED, "", client.create, spec("full"))
    assert [vm.spec.id for vm in client.list()] == ["before"]


def many_connections(count):
    """More than the server may have files: it goes on, and has room again."""
    host, port = os.environ["SERVE"].split(":")
    open_ones = []
    for _ in range(int(count)):
        try:
            one = socket.create_connection((host, int(port)), 2)
        except OSError:
            break
        open_ones.append(one)
    for one in open_ones:
        one.close()
    client = Client()
    client.wait_gone("01ARZ3NDEKTSV4RRFFQ69G5FAV")


def out_of_files():
    """While the server can open nothing, what lives is not said to be gone; afterwards all is well."""
    client = Client()
    stays = client.create(spec("stays")).spec.uid
    goes = client.create(spec("goes")).spec.uid
    for uid in (stays, goes):
        client.wait(uid, CREATED)
    pid, limit = int(os.environ["SERVE_PID"]), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, limit[1]))
    for command in (["stop", "--force", stays], ["down", goes]):
        subprocess.run(["fl", *command], check=True, stdout=subprocess.DEVNULL)
    for _ in range(3):
        for uid in (stays, goes):
            unknown_at_worst(lambda: client.get(uid))
        listed = unknown_at_worst(client.list)
        assert listed is None or stays in [vm.spec.uid for vm in listed], listed
        time.sleep(0.1)
    must_refuse(Code.RESOURCE_EXHAUSTED, "Too many open files", client.delete, stays)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    assert client.get(stays).status.state == CREATED
    client.wait_gone(goes, 5)
    assert [vm.spec.uid for vm in client.list()] == [stays]


def unknown_at_worst(call):
    try:
        return call()
    except grpc.RpcError as error:
        assert error.code() == Code.RESOURCE_EXHAUSTED and "not found" not in error.details(), error


def endless_streams(reflection="grpc.reflection.v1.ServerReflection"):
    """Streams that would never end do not keep a server from stopping."""
    import queue
    client, pid = Client(), int(os.environ["SERVE_PID"])
    health = client.channel.unary_stream(
        "/grpc.health.v1.Health/Watch", request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=message("grpc.health.v1.HealthCheckResponse").FromString)(
            message("grpc.health.v1.HealthCheckRequest")(service="no.Such"))
    assert next(health).status == 3
    asked = queue.Queue()
    asked.put(message("grpc.reflection.v1.ServerReflectionRequest")(list_services=""))
    symbols = client.channel.stream_stream(
        f"/{reflection}/ServerReflectionInfo", request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=message("grpc.reflection.v1.ServerReflectionResponse").FromString)(
            iter(asked.get, None))
    next(symbols)
    began = time.time()
    os.kill(pid, 15)
    try:
        next(symbols)
    except grpc.RpcError as error:
        assert error.code() == Code.UNAVAILABLE, error
    asked.put(None)
    assert list(health) == []
    while is_alive(pid):
        assert time.time() - began < 5
        time.sleep(0.05)


def is_alive(pid):
    try:
        return "State:\tZ" not in open(f"/proc/{pid}/status").read()
    except OSError:
        return False


def slow_reader(path):
    """An answer over HTTP that has begun comes whole, also when the server is told to stop."""
    client, pid = Client(), int(os.environ["SERVE_PID"])
    one = spec("large")
    one.metadata["user-data"] = base64.b64encode(os.urandom(2 << 20)).decode()
    for _ in range(4):
        client.create(one)
    client.channel.close()
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    stream.sendall(b"GET /v1alpha1/microvm HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    got = stream.recv(4096)
    os.kill(pid, 15)
    time.sleep(1)
    while more := stream.recv(1 << 20):
        got += more
    head, body = got.split(b"\r\n\r\n", 1)
    assert b"Content-Length: %d" % len(body) in head and len(body) > 8 << 20, (head, len(body))


def many_strangers(endpoint, count):
    """Connections of HTTP that say nothing leave room for gRPC, and cost nothing meanwhile."""
    host, port = endpoint.rsplit(":", 1)
    strangers = [socket.create_connection((host, int(port)), 2) for _ in range(int(count))]
    stat = f"/proc/{os.environ['SERVE_PID']}/stat"
    before = sum(int(one) for one in open(stat).read().split()[13:15])
    time.sleep(1)
    assert sum(int(one) for one in open(stat).read().split()[13:15]) - before < 30
    client = Client()
    uid = client.create(spec("crowded")).spec.uid
    client.wait(uid, CREATED)
    assert len(strangers) == int(count)


if __name__ == "__main__":
    main(globals())
    sys.stdout.flush()
