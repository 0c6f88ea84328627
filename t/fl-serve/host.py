# SPDX-License-Identifier: MPL-2.0
"""What flintlock's API cannot say: flintlock.host.v1, asked as its clients would."""
import glob
import json
import os
import resource
import subprocess
import threading
import time

import grpc
from client import CREATED, FAILED, Client, clear, main, message, must_refuse, refused, spec

Code = grpc.StatusCode
HOST = "flintlock.host.v1."


class Host(Client):
    def life(self, verb, uid, **more):
        return self.call(f"/{HOST}Host/{verb}", message(f"{HOST}{verb}Request")(uid=uid, **more),
                         HOST + "LifeResponse").state

    def explain(self, uid):
        return self.call(f"/{HOST}Host/Explain", message(HOST + "ExplainRequest")(uid=uid), HOST + "ExplainResponse")

    def info(self):
        return self.call(f"/{HOST}Host/ServerInfo", message(HOST + "ServerInfoRequest")(), HOST + "ServerInfoResponse")

    def watch(self, **how):
        return self.channel.unary_stream(
            f"/{HOST}Host/Watch", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=message(HOST + "Event").FromString)(
                message(HOST + "WatchRequest")(**how), timeout=60, metadata=self.metadata)


def life():
    """Stopped on purpose stays CREATED; each verb is answered when it is done."""
    client = Host()
    uid = client.create(spec("life")).spec.uid
    client.wait(uid, CREATED)
    record = json.load(open(glob.glob(f"{os.environ['FL_STATE_DIR']}/vm/*/life/{uid}/record.json")[0]))
    # The server takes all files that it may have open, and hands on what it was given.
    assert resource.prlimit(record["host"]["vmm"]["pid"], resource.RLIMIT_NOFILE)[0] == int(os.environ["FILES"])
    assert client.life("Pause", uid) == "paused"
    assert client.life("Resume", uid) == "running"
    assert client.life("Stop", uid, timeout_seconds=1) == "stopped"
    assert client.get(uid).status.state == CREATED
    must_refuse(Code.FAILED_PRECONDITION, "life", client.life, "Pause", uid)
    assert client.life("Start", uid) == "running"
    assert client.life("Stop", uid, force=True) == "stopped"
    must_refuse(Code.NOT_FOUND, "not found", client.life, "Stop", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    must_refuse(Code.INVALID_ARGUMENT, "uid", client.life, "Stop", "")
    clear(client)


def watch():
    """Nothing is missed, and a watch goes on from where another ended."""
    client = Host()
    seen = []
    stream = client.watch(namespace="ns0")
    first = next(stream)
    assert first.what == "watching", first
    reader = threading.Thread(target=lambda: [seen.append(e) for e in until_deleted(stream)])
    reader.start()
    client.create(spec("elsewhere", "ns1"))
    uid = client.create(spec("watched")).spec.uid
    client.wait(uid, CREATED)
    client.delete(uid)
    reader.join(20)
    assert not reader.is_alive() and [e.what for e in seen][0] == "created", seen
    assert {e.uid for e in seen} == {uid} and not seen[-1].HasField("microvm")
    assert [e.cursor for e in seen] == sorted({e.cursor for e in seen}) and seen[0].time.seconds
    assert CREATED in [e.microvm.status.state for e in seen]
    again = list(until_deleted(client.watch(namespace="ns0", cursor=first.cursor)))
    assert [e.cursor for e in again] == [e.cursor for e in seen]
    rest = list(until_deleted(client.watch(namespace="ns0", cursor=seen[1].cursor)))
    assert [e.cursor for e in rest] == [e.cursor for e in seen[2:]]
    clear(client)


def children(pid):
    """How many processes it has started that have not ended."""
    count = 0
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            count += open(f"/proc/{one}/stat").read().rsplit(")", 1)[1].split()[1] == pid
        except OSError:
            pass
    return count


def many_ask():
    """However many ask what the host can do, one program at a time finds out."""
    client, pid, most = Host(), os.environ["SERVE_PID"], 0
    ask = client.channel.unary_unary(f"/{HOST}Host/ServerInfo", request_serializer=lambda m: b"",
                                     response_deserializer=message(HOST + "ServerInfoResponse").FromString)
    calls = [ask.future(None, timeout=60) for _ in range(200)]
    calls[7].cancel()
    while not all(call.done() for call in calls):
        most = max(most, children(pid))
    assert all(call.result().providers for call in calls[8:]) and most < 5, most


def many_watch():
    """Watching takes nothing of which the host has few; a change reaches everyone."""
    client, pid = Host(), os.environ["SERVE_PID"]
    streams = [client.watch() for _ in range(200)]
    assert {next(stream).what for stream in streams} == {"watching"}
    kept = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert len([one for one in kept if "inotify" in one]) == 1, kept
    uid = client.create(spec("seen")).spec.uid
    assert {next(stream).uid for stream in streams} == {uid}
    for stream in streams:
        stream.cancel()
    clear(client)


def is_refused(stream):
    try:
        next(stream)
        return False
    except grpc.RpcError as error:
        assert error.code() == Code.RESOURCE_EXHAUSTED, error
        return True


def few_descriptors():
    """Watches take a part of the files that the server may open; who is refused costs nothing."""
    client, pid = Host(), int(os.environ["SERVE_PID"])
    before, limit = os.readlink(f"/proc/{pid}/fd/0"), resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, limit[1]))
    streams = [client.watch() for _ in range(40)]
    kept = [stream for stream in streams if not is_refused(stream)]
    assert 0 < len(kept) <= 16, len(kept)
    assert os.readlink(f"/proc/{pid}/fd/0") == before
    for stream in kept:
        stream.cancel()
    while is_refused(stream := client.watch()):
        time.sleep(0.05)
    stream.cancel()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)


def many_orders():
    """Orders for one microVM, however many, leave room for those of others."""
    client = Host()
    busy, other = (client.create(spec(name)).spec.uid for name in ("busy", "other"))
    client.wait(busy, CREATED)
    client.wait(other, CREATED)
    stop = client.channel.unary_unary(f"/{HOST}Host/Stop", request_serializer=lambda m: m.SerializeToString(),
                                      response_deserializer=message(HOST + "LifeResponse").FromString)
    calls = [stop.future(message(HOST + "StopRequest")(uid=busy, timeout_seconds=5), timeout=60,
                         metadata=client.metadata) for _ in range(40)]
    assert client.life("Stop", other, force=True) == "stopped"
    refusals = [call.code() for call in calls if call.code() != Code.OK]
    assert refusals and set(refusals) == {Code.RESOURCE_EXHAUSTED}, refusals
    clear(client)


def until_deleted(stream):
    for event in stream:
        yield event
        if event.what == "deleted":
            stream.cancel()
            return


def too_old(path):
    """A cursor that the journal does not reach back to is said to be so."""
    client = Host()
    client.create(spec("old"))
    clear(client)
    lines = open(path).readlines()
    with open(path + ".cut", "w") as out:
        out.writelines(lines[3:])
    os.rename(path + ".cut", path)
    error = refused(list, client.watch(cursor=1))
    assert error.code() == Code.OUT_OF_RANGE and "list" in error.details(), error


def explain():
    client = Host()
    wanted = spec("bad")
    wanted.kernel.filename = "boot/nothing"
    uid = client.create(wanted).spec.uid
    client.wait(uid, FAILED)
    why = client.explain(uid)
    assert "boot/nothing" in why.reason and why.step == "snap" and why.kind == "not_found", why
    assert why.state == FAILED and why.created_at.seconds
    uid = client.create(spec("good")).spec.uid
    client.wait(uid, CREATED)
    good = client.explain(uid)
    assert good.reason == "" and good.vmm_state == "running" and good.desired == "running", good
    assert len(good.console) > 0
    clear(client)


def info():
    client = Host()
    uid = client.create(spec("one")).spec.uid
    client.wait(uid, CREATED)
    answer = client.info()
    assert answer.version and [p.name for p in answer.providers] == ["qemu", "firecracker", "cloudhypervisor"], answer
    assert answer.providers[0].available and answer.providers[0].max_vcpu == 64
    assert answer.capacity.vcpu == os.cpu_count() and answer.capacity.memory_bytes > 1 << 30
    assert (answer.used.vcpu, answer.used.memory_bytes, answer.running) == (2, 1 << 30, 1), answer
    assert answer.disk_free_bytes > 0
    subprocess.run(["fl", "stop", "-q", "--force", uid], check=True, capture_output=True)
    assert client.info().running == 0 and client.info().microvms == 1
    clear(client)


if __name__ == "__main__":
    main(globals())
