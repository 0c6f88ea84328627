# SPDX-License-Identifier: MPL-2.0
"""long.py SECONDS: 32 clients create and delete while the server is killed again and again;
at the end everything is as it was promised. Run by long.sh."""
import os
import random
import sys
import threading
import time

import grpc
from client import API, CREATED, Client, main, message, spec

CLIENTS = 32
MOST_EACH = 2  # microVMs that one client has at once
UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED,
           grpc.StatusCode.INTERNAL)


class Worker(threading.Thread):
    """What it was told stays in live, dead and unknown."""

    def __init__(self, number, end):
        super().__init__()
        self.number, self.end = number, end
        self.live, self.dead, self.unknown = [], [], []
        self.names = []  # of creates without an answer
        self.wrong = []
        self.random = random.Random(number)

    def create(self, client, turn):
        name = f"long-{self.number}-{turn}"
        try:
            self.live.append(client.create(spec(name, "long")).spec.uid)
        except grpc.RpcError as error:
            self.names.append(name)
            if error.code() not in UNKNOWN:
                self.wrong.append(f"create: {error.code()} {error.details()}")

    def delete(self, client):
        uid = self.live.pop(self.random.randrange(len(self.live)))
        try:
            client.delete(uid)
            self.dead.append(uid)
        except grpc.RpcError as error:
            self.unknown.append(uid)
            if error.code() not in UNKNOWN:
                self.wrong.append(f"delete {uid}: {error.code()} {error.details()}")

    def run(self):
        # A client that stays away ever longer would hardly meet a server that is killed.
        channel = grpc.insecure_channel(os.environ["SERVE"], options=[
            ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)])
        client, turn = Client(channel=channel), 0
        while time.time() < self.end:
            turn += 1
            if len(self.live) < MOST_EACH:
                self.create(client, turn)
            else:
                self.delete(client)
            time.sleep(self.random.random() / 4)


def long(seconds):
    message(API + "CreateMicroVMRequest")  # made once, here: threads would make one each
    spec()
    workers = [Worker(i, time.time() + float(seconds)) for i in range(CLIENTS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    live = [uid for worker in workers for uid in worker.live]
    dead = [uid for worker in workers for uid in worker.dead]
    unknown = {uid for worker in workers for uid in worker.unknown}
    names = {name for worker in workers for name in worker.names}
    wrong = [text for worker in workers for text in worker.wrong]
    print(f"answered: {len(live) + len(dead) + len(unknown)} creates, {len(dead)} deletes; "
          f"cut off: {len(names)} creates, {len(unknown)} deletes")
    assert not wrong, wrong[:5]
    assert dead, "nothing was deleted"
    client = Client()
    for uid in live:
        client.wait(uid, CREATED, 300)
    for uid in dead:
        client.wait_gone(uid, 300)
    listed = {vm.spec.uid: vm.spec.id for vm in client.list("long")}
    extra = {uid: name for uid, name in listed.items()
             if uid not in live and uid not in unknown and name not in names}
    assert not extra, extra
    assert len(set(listed)) == len(listed)
    for uid in listed:
        client.delete(uid)
    for uid in listed:
        client.wait_gone(uid, 300)
    others = int(os.environ["OTHERS"])
    assert len(client.list()) == others, (len(client.list()), others)


if __name__ == "__main__":
    main(globals())
    sys.stdout.flush()
