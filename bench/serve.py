# SPDX-License-Identifier: MPL-2.0
"""Times of single calls, for bench/serve.sh: serve.py get UID | list | metrics URL REST | create SPEC | fsync FOLDER.
Prints microseconds, the median of many; REST: seconds between two."""
import http.client
import json
import os
import statistics
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../t/fl-serve"))
from client import API, Client, message  # noqa: E402


def median(call, times, rest=0.0):
    call()
    taken = []
    for _ in range(times):
        time.sleep(rest)
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    print(round(statistics.median(taken) * 1e6))


def raw(client, method, request):
    """Without decoding: the client's own work would be most of it."""
    call = client.channel.unary_unary(f"/{API}MicroVM/{method}", request_serializer=None)
    data = request.SerializeToString()
    return lambda: call(data, timeout=60)


def scrape(url, rest):
    """On one connection, as Prometheus does."""
    connection = http.client.HTTPConnection(url.netloc, timeout=60)

    def once():
        connection.request("GET", url.path)
        connection.getresponse().read()

    median(once, 20, rest)


def write(folder):
    path = folder + "/probe"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(fd, bytes(4096))
    os.fsync(fd)
    os.close(fd)
    os.unlink(path)


def main():
    what, client = sys.argv[1], Client()
    if what == "get":
        median(raw(client, "GetMicroVM", message(API + "GetMicroVMRequest")(uid=sys.argv[2])), 2000)
    elif what == "list":
        median(raw(client, "ListMicroVMs", message(API + "ListMicroVMsRequest")()), 20)
    elif what == "metrics":
        scrape(urllib.parse.urlsplit(sys.argv[2]), float(sys.argv[3]))
    elif what == "create":
        from google.protobuf import json_format
        request = message(API + "CreateMicroVMRequest")()
        json_format.ParseDict(json.load(open(sys.argv[2])), request.microvm, ignore_unknown_fields=True)
        median(raw(client, "CreateMicroVM", request), 50)
    else:
        median(lambda: write(sys.argv[2]), 50)


main()
