# SPDX-License-Identifier: MPL-2.0
"""A client on another machine, as fl-provision's files let it be: create (a spec from standard input),
delete (all), no-token."""
import sys

import grpc
from google.protobuf import json_format

from client import CREATED, TYPES, Client, clear, message, must_refuse

PKI = "/etc/flintlock/pki/"


def read(name):
    with open(PKI + name, "rb") as file:
        return file.read()


def client(metadata=None):
    credentials = grpc.ssl_channel_credentials(read("ca.pem"), read("client.key"), read("client.pem"))
    return Client(channel=grpc.secure_channel("127.0.0.1:9090", credentials), metadata=metadata)


def with_token():
    with open("/etc/flintlock/tokens") as file:
        return client([("authorization", "Bearer " + file.read().split()[-1])])


def create():
    spec = json_format.Parse(sys.stdin.read(), message(TYPES + "MicroVMSpec")())
    one = with_token()
    one.wait(one.create(spec).spec.uid, CREATED, 150)


def delete():
    clear(with_token())


def no_token():
    must_refuse(grpc.StatusCode.UNAUTHENTICATED, "", client().list)


{"create": create, "delete": delete, "no-token": no_token}[sys.argv[1]]()
