# SPDX-License-Identifier: MPL-2.0
"""What flintlock's clients count on, one function per trap."""
import base64
import json
import os
import re
import subprocess

import grpc
from google.protobuf import json_format

from client import (API, CREATED, DELETING, FAILED, LAYOUT, PENDING, POOL, TYPES, Client, clear, main, message,
                    must_refuse, refused, spec)

Code = grpc.StatusCode


def presence():
    """Present and empty is neither absent nor an error: provider, file names, a list's name."""
    client = Client()
    wanted = spec("presence", provider="")
    wanted.kernel.filename = ""
    made = client.create(wanted)
    assert made.spec.HasField("provider") and made.spec.provider == "", made
    assert made.spec.kernel.HasField("filename"), made
    assert [vm.spec.uid for vm in client.list("ns0", "")] == [made.spec.uid]
    assert [vm.spec.uid for vm in client.list("", "")] == [made.spec.uid]
    absent = client.create(spec("absent"))
    assert not absent.spec.HasField("provider"), absent
    clear(client)


def twins():
    """Two of one name are two, and both are listed."""
    client = Client()
    first, second = client.create(spec("twin")), client.create(spec("twin"))
    assert first.spec.uid != second.spec.uid
    listed = [vm.spec.uid for vm in client.list("ns0", "twin")]
    assert sorted(listed) == sorted([first.spec.uid, second.spec.uid]), listed
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", first.spec.uid)
    client.wait(first.spec.uid, CREATED)
    client.wait(second.spec.uid, CREATED)
    clear(client)


def status_bytes():
    """The status is there even when all of it is at its default: field 3, length 0."""
    client = Client()
    request = message(API + "CreateMicroVMRequest")()
    request.microvm.CopyFrom(spec("bytes"))
    raw = client.channel.unary_unary(f"/{API}MicroVM/CreateMicroVM",
                                     request_serializer=lambda m: m.SerializeToString())(request)
    assert raw.endswith(b"\x1a\x00"), raw
    clear(client)


def not_found():
    """The words stand in the answers about unknown uids, and in no other of Get's."""
    client = Client()
    uid = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    error = must_refuse(Code.NOT_FOUND, f"microvm spec //{uid} not found", client.get, uid)
    assert error.details().startswith("getting microvm: error attempting to locate microvm with uid: ")
    error = must_refuse(Code.NOT_FOUND, f"microvm spec //{uid} not found", client.delete, uid)
    assert error.details().startswith("deleting microvm: checking to see if spec exists: ")
    must_refuse(Code.NOT_FOUND, "not found", client.get, "a b,\"c")
    must_refuse(Code.INVALID_ARGUMENT, "invalid request", client.get, "")
    must_refuse(Code.INVALID_ARGUMENT, "not found", client.delete, "")


def delete_twice():
    """Deleting what is being deleted succeeds; once it is gone it is not found."""
    client = Client()
    made = client.create(spec("twice"))
    client.wait(made.spec.uid, CREATED)
    client.delete(made.spec.uid)
    try:
        client.delete(made.spec.uid)
        assert client.get(made.spec.uid).status.state == DELETING
    except grpc.RpcError as error:
        assert error.code() == Code.NOT_FOUND, error
    client.wait_gone(made.spec.uid)
    must_refuse(Code.NOT_FOUND, "not found", client.delete, made.spec.uid)


def meta_data(vm):
    return base64.b64decode(vm.spec.metadata["meta-data"]).decode()


def instance_id():
    """meta-data gets an instance_id unless it has one."""
    client = Client()
    made = client.create(spec("none"))
    assert meta_data(made) == f"instance_id: {made.spec.uid}\n", meta_data(made)
    other = spec("capmvm")
    other.metadata["meta-data"] = base64.b64encode(b"platform: liquid_metal\nvm_host: h:9090").decode()
    made = client.create(other)
    assert meta_data(made) == f"platform: liquid_metal\nvm_host: h:9090\ninstance_id: {made.spec.uid}\n"
    other = spec("empty")
    other.metadata["meta-data"] = base64.b64encode("# \u00e9\n{instance_id: '', a: b}".encode()).decode()
    made = client.create(other)
    assert meta_data(made) == f"# \u00e9\n{{instance_id: {made.spec.uid}, a: b}}\n"[:-1], meta_data(made)
    other = spec("hammertime")
    other.metadata["meta-data"] = base64.b64encode(b"instance_id: ns0/hammertime\n").decode()
    assert meta_data(client.create(other)) == "instance_id: ns0/hammertime\n"
    clear(client)


def metadata_refused():
    """Plain text where base 64 belongs is refused by key; so is meta-data that is no mapping."""
    client = Client()
    wanted = spec("plain")
    wanted.metadata["user-data"] = "#cloud-config"
    must_refuse(Code.INVALID_ARGUMENT, "metadata.user-data", client.create, wanted)
    wanted = spec("list")
    wanted.metadata["meta-data"] = base64.b64encode(b"- a\n- b\n").decode()
    must_refuse(Code.INVALID_ARGUMENT, "meta-data", client.create, wanted)
    wanted.metadata["meta-data"] = base64.b64encode(b"a: b: c\n\t- x").decode()
    must_refuse(Code.INVALID_ARGUMENT, "meta-data", client.create, wanted)


def gateways():
    """A gateway with and without a prefix length."""
    client = Client()
    for gateway in ["10.0.0.1/24", "10.0.0.1"]:
        wanted = spec("gateway")
        wanted.interfaces.add(device_id="eth1", type=1).address.address = "10.0.0.2/24"
        wanted.interfaces[0].address.gateway = gateway
        made = client.create(wanted)
        assert made.spec.interfaces[0].address.gateway == gateway
    clear(client)


def macvtap_default():
    """An interface without a type is a macvtap, which is said at once when it cannot be had."""
    client = Client()
    wanted = spec("macvtap")
    wanted.interfaces.add(device_id="eth1")
    must_refuse(Code.FAILED_PRECONDITION, ["macvtap network interfaces not supported", "--parent-iface"],
                client.create, wanted)
    assert not client.list()


def cluster_api(link=None):
    """What the template of Cluster API's provider asks for: a macvtap, no provider, a volume of
    modules. link: the host has one for it, and it comes up."""
    client = Client()
    wanted = spec("capmvm", provider="")
    wanted.interfaces.add(device_id="eth1", type=0)
    volume = wanted.additional_volumes.add(id="modules", is_read_only=False, mount_point="/lib/modules/5.10.77")
    volume.source.container_source = f"oci:{LAYOUT}:root"
    volume.size_in_mb = 16
    if not link:
        must_refuse(Code.FAILED_PRECONDITION, "--parent-iface", client.create, wanted)
        return
    made = client.create(wanted)
    assert made.spec.provider == "" and made.spec.additional_volumes[0].mount_point == "/lib/modules/5.10.77"
    vm = client.wait(made.spec.uid, CREATED, 60)
    assert vm.status.network_interfaces["eth1"].host_device_name.startswith("flvtap"), vm.status
    assert set(vm.status.volumes) == {"root", "modules"}, vm.status
    clear(client)
    must_refuse(Code.FAILED_PRECONDITION, "nosuch", client.create, spec("p", provider="nosuch"))


def unknown_fields():
    """Fields of newer clients, and the request's own metadata, are no error."""
    client = Client()
    request = message(API + "CreateMicroVMRequest")()
    request.microvm.CopyFrom(spec("unknown"))
    request.metadata["x"].type_url = "type.googleapis.com/x"
    raw = request.SerializeToString() + b"\x98\x06\x01" + b"\xa2\x06\x03abc"
    made = client.microvm("CreateMicroVM", raw, API + "CreateMicroVMResponse").microvm
    assert made.spec.id == "unknown"
    clear(client)


def everything_returned():
    """The spec that was sent is the spec that is returned, after a restart, too."""
    client = Client()
    wanted = spec("full", vcpu=4, memory_in_mb=2048, provider="qemu", allow_guest_agent=True)
    wanted.labels["a/b"] = "c"
    wanted.labels["empty"] = ""
    wanted.kernel.cmdline["console"] = "ttyS0"
    wanted.kernel.cmdline["quiet"] = ""
    wanted.initrd.image = wanted.kernel.image
    wanted.initrd.filename = "boot/initrd.img"
    wanted.root_volume.partition_id = "1"
    extra = wanted.additional_volumes.add(id="extra", is_read_only=True, mount_point="/mnt", size_in_mb=16)
    extra.source.container_source = wanted.root_volume.source.container_source
    wanted.interfaces.add(device_id="eth1", type=1, guest_mac="AA:FF:00:00:00:07").overrides.bridge_name = "br9"
    wanted.metadata["user-data"] = base64.b64encode(b"#cloud-config\n").decode()
    made = client.create(wanted)
    got = client.get(made.spec.uid)
    for vm in made, got:
        left = message(TYPES + "MicroVMSpec")()
        left.CopyFrom(vm.spec)
        assert left.HasField("created_at") and left.created_at.seconds > 1700000000
        for ours in "uid", "created_at", "updated_at":
            left.ClearField(ours)
        del left.metadata["meta-data"]
        assert left == wanted, (left, wanted)
    clear(client)


def defaults():
    client = Client()
    wanted = spec("defaults")
    wanted.vcpu = wanted.memory_in_mb = 0
    wanted.namespace = ""
    wanted.uid = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    made = client.create(wanted)
    assert (made.spec.vcpu, made.spec.memory_in_mb, made.spec.namespace) == (2, 1024, "default"), made
    assert made.spec.uid != wanted.uid and made.version == 1
    clear(client)


def violations():
    """All that is wrong is told at once, each with its path, also for programs."""
    client = Client()
    wanted = spec("a/b", vcpu=65, memory_in_mb=512)
    wanted.interfaces.add(device_id="Eth/1", type=1, guest_mac="xx")
    error = must_refuse(Code.INVALID_ARGUMENT, ["id:", "vcpu:", "memory_in_mb:", "device_id", "guest_mac"],
                        client.create, wanted)
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = message("google.rpc.Status").FromString(details)
    bad = message("google.rpc.BadRequest").FromString(status.details[0].value)
    fields = [one.field for one in bad.field_violations]
    assert status.code == 3 and status.details[0].type_url.endswith("google.rpc.BadRequest")
    assert {"microvm.id", "microvm.vcpu", "microvm.memory_in_mb"} <= set(fields), fields


def both_sources(volume):
    volume.source.container_source = "oci:/x"
    volume.source.virtiofs_source = "/srv"


def validation():
    """Each rule of flintlock's, and what it forgot."""
    client = Client()

    def bad(words, **members):
        must_refuse(Code.INVALID_ARGUMENT, words, client.create, spec("bad", **members))

    for name in ["", "a/b", "..", ".", "a b", "x" * 64, "é"]:
        must_refuse(Code.INVALID_ARGUMENT, "id:", client.create, spec(name))
    for namespace in ["x/y", "a\"b,c", ".."]:
        must_refuse(Code.INVALID_ARGUMENT, "namespace:", client.create, spec("n", namespace))
    bad("vcpu", vcpu=-1)
    bad("memory_in_mb: 99999 is not between 1024 and 32768", memory_in_mb=99999)
    bad("validation failures found: memory_in_mb: 1 is not between 1024 and 32768", memory_in_mb=1)
    changes = {
        "kernel.image": lambda s: s.kernel.ClearField("image"),
        "kernel": lambda s: s.ClearField("kernel"),
        "kernel.filename": lambda s: setattr(s.kernel, "filename", "../../../etc/shadow"),
        "root_volume": lambda s: s.ClearField("root_volume"),
        "root_volume.source": lambda s: s.root_volume.ClearField("source"),
        "virtiofs": lambda s: setattr(s.root_volume.source, "virtiofs_source", "/etc"),
        "used twice": lambda s: s.additional_volumes.add(id="root").source.CopyFrom(s.root_volume.source),
        "additional_volumes[0].id": lambda s: s.additional_volumes.add(id="").source.CopyFrom(s.root_volume.source),
        "nameservers": lambda s: s.interfaces.add(device_id="e", type=1).address.nameservers.append("dns"),
        "address": lambda s: setattr(s.interfaces.add(device_id="e", type=1).address, "address", "10.0.0.2"),
        "cmdline": lambda s: s.kernel.cmdline.update({"a b": "c"}),
        "device_id": lambda s: s.interfaces.add(device_id="1eth", type=1),
        "type": lambda s: s.interfaces.add(device_id="e", type=7),
        "vcpu: 65": lambda s: setattr(s, "vcpu", 65),
        "memory_in_mb: ": lambda s: setattr(s, "memory_in_mb", 512),
        "kernel.image: images in files": lambda s: setattr(s.kernel, "image", "oci-archive:/dev/zero"),
        "root_volume.source: images in files": lambda s: setattr(
            s.root_volume.source, "container_source", f"oci:{LAYOUT}/../../../../../../../../etc:x"),
        "additional_volumes[0].source: images in files": lambda s: setattr(
            s.additional_volumes.add(id="a").source, "container_source", "docker-archive:/etc/shadow"),
        "initrd.image": lambda s: s.initrd.SetInParent(),
        "initrd.filename": lambda s: (setattr(s.initrd, "image", "oci:/x"), setattr(s.initrd, "filename", "a/../../b")),
        "guest_mac": lambda s: s.interfaces.add(device_id="e", type=1, guest_mac="no"),
        "interfaces[0].device_id": lambda s: s.interfaces.add(device_id="Eth/1", type=1),
        "gateway": lambda s: setattr(s.interfaces.add(device_id="e", type=1).address, "gateway", "nowhere"),
        "additional_volumes[0]": lambda s: both_sources(s.additional_volumes.add(id="v")),
        "UPPER//x": lambda s: setattr(s.kernel, "image", "UPPER//x y"),
        "root_volume.source: ": lambda s: setattr(s.root_volume.source, "container_source", "::"),
        "size_in_mb": lambda s: setattr(s.root_volume, "size_in_mb", -1),
        "mount_point": lambda s: setattr(s.additional_volumes.add(id="v", source=s.root_volume.source), "mount_point", "a/b"),
    }
    for words, change in changes.items():
        wanted = spec("bad")
        change(wanted)
        must_refuse(Code.INVALID_ARGUMENT, words, client.create, wanted)
    must_refuse(Code.FAILED_PRECONDITION, "provider nobody", client.create, spec("bad", provider="nobody"))
    twin = spec("bad")
    twin.interfaces.add(device_id="eth1", type=1)
    twin.interfaces.add(device_id="eth1", type=1)
    must_refuse(Code.INVALID_ARGUMENT, "used twice", client.create, twin)
    must_refuse(Code.INVALID_ARGUMENT, "MicroVMSpec required", client.create, None)
    assert len(client.list()) == 0


def hammertime():
    """Its five commands, with the JSON that it keeps its specs in: snake_case, enums as numbers."""
    kept = {"id": "mvm0", "namespace": "ns0", "vcpu": 2, "memory_in_mb": 2048,
            "kernel": {"image": f"oci:{LAYOUT}:kernel", "cmdline": {}, "filename": "boot/vmlinux",
                       "add_network_config": True},
            "root_volume": {"id": "root", "is_read_only": False, "size_in_mb": 16,
                            "source": {"container_source": f"oci:{LAYOUT}:root"}},
            "interfaces": [{"device_id": "eth1", "type": 1, "overrides": {}}],
            "metadata": {"meta-data": base64.b64encode(b"instance_id: ns0/mvm0\nlocal_hostname: mvm0\n").decode()}}
    client = Client()
    wanted = json_format.ParseDict(kept, message(TYPES + "MicroVMSpec")())
    first, second = client.create(wanted), client.create(wanted)
    assert first.spec.uid != second.spec.uid and meta_data(first).startswith("instance_id: ns0/mvm0\n")
    assert client.get(first.spec.uid).spec.memory_in_mb == 2048
    assert len(client.list("ns0", "mvm0")) == 2 and len(client.list("ns0", "")) == 2 and len(client.list("", "")) == 2
    assert len(client.list("ns0", "other")) == 0
    client.delete(first.spec.uid)
    client.wait_gone(first.spec.uid)
    for vm in client.list("ns0", "mvm0"):
        client.delete(vm.spec.uid)
    client.wait_gone(second.spec.uid)


def running_bugs():
    """What was seen to break a running flintlockd: namespaces and uids with odd characters, a delete
    right behind a create, times that a client makes up."""
    client = Client()
    for uid in ['a b,"c', "a b", "../x", "%2e", "é", "x" * 5000]:
        must_refuse(Code.NOT_FOUND, "not found", client.get, uid)
        must_refuse(Code.NOT_FOUND, "not found", client.delete, uid)
    for namespace in ['a"b,c', "x/y", "..", "%", "é"]:
        assert len(client.list(namespace)) == 0 and client.stream(namespace) == []
    wanted = spec("times")
    wanted.deleted_at.seconds = wanted.created_at.seconds = 4102444800
    made = client.create(wanted)
    assert not made.spec.HasField("deleted_at") and made.spec.created_at.seconds < 4102444800
    uids = [made.spec.uid] + [client.create(spec(f"soon{i}")).spec.uid for i in range(27)]
    for uid in uids:
        client.delete(uid)
    for uid in uids:
        client.wait_gone(uid, 60)
    assert len(client.list()) == 0


def map_keys():
    """The same key twice in a map: the last one counts, as protobuf says."""
    client = Client()
    request = message(API + "CreateMicroVMRequest")()
    request.microvm.CopyFrom(spec("keys"))
    request.microvm.labels["k"] = "first"
    again = message(API + "CreateMicroVMRequest")()
    again.microvm.labels["k"] = "last"
    # Two messages behind each other are merged: the map has the key twice on the wire.
    made = client.call(f"/{API}MicroVM/CreateMicroVM", request.SerializeToString() + again.SerializeToString(),
                       API + "CreateMicroVMResponse").microvm
    assert dict(made.spec.labels) == {"k": "last"} and made.spec.id == "keys", made
    clear(client)


def empty_overrides():
    """Overrides without a bridge killed flintlockd."""
    client = Client()
    wanted = spec("overrides")
    wanted.interfaces.add(device_id="eth1", type=1).overrides.SetInParent()
    assert client.create(wanted).spec.interfaces[0].HasField("overrides")
    clear(client)


def listing():
    """In order, by namespace and name; the stream wants a namespace and heeds the name."""
    client = Client()
    for namespace, name in [("b", "two"), ("a", "two"), ("b", "one"), ("ab", "x")]:
        client.create(spec(name, namespace))
    names = [(vm.spec.namespace, vm.spec.id) for vm in client.list()]
    assert names == [("a", "two"), ("ab", "x"), ("b", "one"), ("b", "two")], names
    assert [vm.spec.id for vm in client.list("b")] == ["one", "two"]
    assert [vm.spec.namespace for vm in client.list("", "two")] == ["a", "b"]
    assert [vm.spec.id for vm in client.stream("b")] == ["one", "two"]
    assert [vm.spec.id for vm in client.stream("b", "two")] == ["two"]
    assert len(client.list("none")) == 0 and client.stream("none") == []
    must_refuse(Code.INVALID_ARGUMENT, "invalid request", client.stream, "")
    clear(client)


def failure_at_once():
    """What cannot heal is FAILED at once; the record says why."""
    client = Client()
    wanted = spec("failing")
    wanted.kernel.filename = "boot/nothing"
    made = client.create(wanted)
    client.wait(made.spec.uid, FAILED, 5)
    said = subprocess.run(["fl", "inspect", "--json", made.spec.uid], capture_output=True, check=True)
    assert "boot/nothing" in json.loads(said.stdout)["host"]["error"]["text"]
    clear(client)


def retries():
    """What may heal is PENDING and counted; deleting it meanwhile is immediate."""
    client = Client()
    wanted = spec("retrying")
    wanted.root_volume.source.container_source = "127.0.0.1:1/nobody/listens:1"
    made = client.create(wanted)
    import time
    for _ in range(100):
        vm = client.get(made.spec.uid)
        if vm.status.retry:
            break
        time.sleep(0.05)
    assert vm.status.retry >= 1 and vm.status.state == PENDING, vm
    client.delete(made.spec.uid)
    client.wait_gone(made.spec.uid, 3)


def command_line():
    """What the command line does shows at once."""
    client = Client()
    made = client.create(spec("shared"))
    client.wait(made.spec.uid, CREATED)
    subprocess.run(["fl", "down", "-q", made.spec.uid], check=True, capture_output=True)
    must_refuse(Code.NOT_FOUND, "not found", client.get, made.spec.uid)
    written = subprocess.run(["fl-pull", "up", "-q"], input=open(os.environ["SPEC"], "rb").read(),
                             capture_output=True, check=True)
    uid = json.loads(written.stdout)["spec"]["uid"]
    assert client.get(uid).spec.uid == uid
    clear(client)


def damaged():
    """A record that cannot be read is shown as FAILED, and the others work."""
    client = Client()
    made, good = client.create(spec("damaged")), client.create(spec("good"))
    client.wait(made.spec.uid, CREATED)
    client.wait(good.spec.uid, CREATED)
    path = f"{os.environ['FL_STATE_DIR']}/vm/ns0/damaged/{made.spec.uid}/record.json"
    whole = open(path).read()
    with open(path, "w") as out:
        out.write("{\"version\":")
    # The journal says "look again" with the next change of it.
    subprocess.run(["fl", "stop", "-q", good.spec.uid], capture_output=True)
    assert len(client.list()) == 2
    # It is no mistake of the client's.
    must_refuse(Code.DATA_LOSS, ["record.json", "mend it"], client.delete, made.spec.uid)
    with open(path, "w") as out:
        out.write(whole)
    clear(client)


def reflection():
    import itertools
    client = Client()
    for version in "v1", "v1alpha":
        request = message(f"grpc.reflection.{version}.ServerReflectionRequest")
        answer = message(f"grpc.reflection.{version}.ServerReflectionResponse")
        asked = [request(list_services=""), request(file_containing_symbol=API + "MicroVM.GetMicroVM"),
                 request(file_by_filename="types/microvm.proto"), request(file_containing_symbol="no.Such")]
        got = list(client.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=answer.FromString)(iter(asked), timeout=5))
        names = [s.name for s in got[0].list_services_response.service]
        assert API + "MicroVM" in names and "grpc.health.v1.Health" in names, names
        assert len(got[1].file_descriptor_response.file_descriptor_proto) >= 4
        assert b"MicroVMSpec" in got[2].file_descriptor_response.file_descriptor_proto[0]
        assert got[3].error_response.error_code == 5


def health():
    client = Client()
    check = message("grpc.health.v1.HealthCheckRequest")
    answer = "grpc.health.v1.HealthCheckResponse"
    for service in "", API + "MicroVM":
        assert client.call("/grpc.health.v1.Health/Check", check(service=service), answer).status == 1
    must_refuse(Code.NOT_FOUND, "unknown service", client.call, "/grpc.health.v1.Health/Check",
                check(service="no.Such"), answer)


main(globals())
