# SPDX-License-Identifier: MPL-2.0
"""What clients were promised, after the server was killed: checked by uids in files."""
import os
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
    import socket
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


if __name__ == "__main__":
    main(globals())
    sys.stdout.flush()
