# SPDX-License-Identifier: MPL-2.0
"""A client of fl-serve for tests: messages straight from the descriptors that the build
made of the .proto files, calls by path. client.py CHECK runs the function of that name."""
import functools
import os
import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FILES = descriptor_pb2.FileDescriptorSet.FromString(
    open(os.path.join(os.environ["FL_BUILD"], "gen/api.binpb"), "rb").read())
POOL = descriptor_pool.DescriptorPool()
for each in FILES.file:
    POOL.Add(each)

API = "microvm.services.api.v1alpha1."
TYPES = "flintlock.types."
LAYOUT = os.environ.get("IMAGES", "") + "/layout"


@functools.lru_cache(maxsize=None)
def message(name):
    descriptor = POOL.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(POOL).GetPrototype(descriptor)


class Client:
    def __init__(self, target=None, channel=None, metadata=None):
        target = target or os.environ["SERVE"]
        self.channel = channel or grpc.insecure_channel(
            target, options=[("grpc.max_receive_message_length", 64 << 20)])
        self.metadata = metadata

    def call(self, method, request, answer, timeout=20):
        return self.channel.unary_unary(
            method, request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=message(answer).FromString)(
                request, timeout=timeout, metadata=self.metadata)

    def microvm(self, method, request, answer):
        return self.call(f"/{API}MicroVM/{method}", request, answer)

    def create(self, spec):
        request = message(API + "CreateMicroVMRequest")()
        if spec is not None:
            request.microvm.CopyFrom(spec)
        return self.microvm("CreateMicroVM", request, API + "CreateMicroVMResponse").microvm

    def get(self, uid):
        return self.microvm("GetMicroVM", message(API + "GetMicroVMRequest")(uid=uid),
                            API + "GetMicroVMResponse").microvm

    def delete(self, uid):
        return self.microvm("DeleteMicroVM", message(API + "DeleteMicroVMRequest")(uid=uid),
                            "google.protobuf.Empty")

    def list(self, namespace="", name=None):
        request = message(API + "ListMicroVMsRequest")(namespace=namespace)
        if name is not None:
            request.name = name
        return self.microvm("ListMicroVMs", request, API + "ListMicroVMsResponse").microvm

    def stream(self, namespace="", name=None):
        request = message(API + "ListMicroVMsRequest")(namespace=namespace)
        if name is not None:
            request.name = name
        return [m.microvm for m in self.channel.unary_stream(
            f"/{API}MicroVM/ListMicroVMsStream", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=message(API + "ListMessage").FromString)(
                request, timeout=20, metadata=self.metadata)]

    def wait(self, uid, state, seconds=20):
        end = time.time() + seconds
        while True:
            vm = self.get(uid)
            if vm.status.state == state:
                return vm
            if time.time() > end:
                raise AssertionError(f"{uid}: state {vm.status.state}, not {state}")
            time.sleep(0.05)

    def wait_gone(self, uid, seconds=20):
        end = time.time() + seconds
        while True:
            try:
                self.get(uid)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.NOT_FOUND, error
                return
            assert time.time() < end, f"{uid}: still there"
            time.sleep(0.05)


PENDING, CREATED, FAILED, DELETING = range(4)


def spec(name="vm", namespace="ns0", **members):
    made = message(TYPES + "MicroVMSpec")(id=name, namespace=namespace, vcpu=2, memory_in_mb=1024)
    made.kernel.image = f"oci:{LAYOUT}:kernel"
    made.kernel.filename = "boot/vmlinux"
    made.kernel.add_network_config = True
    made.root_volume.id = "root"
    made.root_volume.source.container_source = f"oci:{LAYOUT}:root"
    made.root_volume.size_in_mb = 16
    for key, value in members.items():
        setattr(made, key, value)
    return made


def refused(call, *arguments):
    """The status of a call that must not succeed."""
    try:
        call(*arguments)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"the call succeeded: {arguments}")


def must_refuse(code, words, call, *arguments):
    error = refused(call, *arguments)
    assert error.code() == code, (error.code(), error.details())
    for word in [words] if isinstance(words, str) else words:
        assert word in error.details(), error.details()
    return error


def clear(client):
    for vm in client.list():
        client.delete(vm.spec.uid)
    for vm in client.list():
        client.wait_gone(vm.spec.uid)


def main(checks):
    checks[sys.argv[1]](*sys.argv[2:])
