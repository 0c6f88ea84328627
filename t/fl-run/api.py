#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A stand-in for Firecracker and Cloud Hypervisor, whichever it is called: takes their command
lines, speaks their APIs, and needs no KVM.

Whatever it is told is held against tables of what the VMMs document
(src/firecracker/swagger/firecracker.yaml, vmm/src/api/openapi/cloud-hypervisor.yaml and the
--help of their sources); what is not in them ends it, or is answered 400, and is a line in the
file that FL_API_WRONG names. Requests are lines in the file FL_API_HEARD.

The guest's command line says what it does wrong:
    fake=die        ends at start, with words
    fake=unbound    never listens
    fake=hang       hears requests, answers none
    fake=refuse     answers 400 (Firecracker) or 500 (Cloud Hypervisor)
    fake=cut        closes in the middle of an answer
    fake=garbage    answers what is not HTTP
    fake=endless    answers a body that never ends
    fake=huge       counters at the end of what a number can hold
    fake=off        the guest switches off, and with that the VMM ends (Firecracker on arm64)
    fake=deaf       the guest does not hear that it is to power off
With ",once" only the first request is treated so.
"""
import json
import os
import re
import select
import shlex
import signal
import socket
import sys
import time

TEXT, NUMBER, FLAG = str, int, bool
MUST = "must"

# Members of Firecracker's configuration: type or members, values if only some, MUST.
BUCKET = {"size": (NUMBER, MUST), "refill_time": (NUMBER, MUST)}
LIMITER = {"bandwidth": (BUCKET,), "ops": (BUCKET,)}
FIRECRACKER = {
    "boot-source": {"kernel_image_path": (TEXT, MUST), "initrd_path": (TEXT,), "boot_args": (TEXT,)},
    "drives": [{"drive_id": (TEXT, MUST), "is_root_device": (FLAG, MUST), "path_on_host": (TEXT,),
                "is_read_only": (FLAG,), "cache_type": (TEXT, ["Unsafe", "Writeback"]),
                "rate_limiter": (LIMITER,)}],
    "network-interfaces": [{"iface_id": (TEXT, MUST), "host_dev_name": (TEXT, MUST),
                            "guest_mac": (TEXT,), "rx_rate_limiter": (LIMITER,),
                            "tx_rate_limiter": (LIMITER,)}],
    "machine-config": {"vcpu_count": (NUMBER, range(1, 33), MUST), "mem_size_mib": (NUMBER, MUST)},
    "vsock": {"guest_cid": (NUMBER, range(3, 2**32), MUST), "uds_path": (TEXT, MUST)},
    "logger": {"log_path": (TEXT,), "level": (TEXT, ["Error", "Warning", "Info", "Debug"])},
    "metrics": {"metrics_path": (TEXT, MUST)},
    "mmds-config": {"version": (TEXT, ["V1", "V2"]), "network_interfaces": (list, MUST),
                    "ipv4_address": (TEXT,), "imds_compat": (FLAG,)},
}
FIRECRACKER_MUST = ["boot-source", "drives", "machine-config"]
FIRECRACKER_OPTIONS = ["--id", "--api-sock", "--config-file", "--metadata", "--mmds-size-limit"]

# What may follow an option of Cloud Hypervisor: names, or None for anything. "+": several values.
CLOUD_HYPERVISOR = {
    "--api-socket": ["path"], "--event-monitor": ["path"], "--kernel": None, "--initramfs": None,
    "--cmdline": None, "--cpus": ["boot", "max"], "--memory": ["size", "shared"],
    "--disk+": ["path", "readonly", "id", "image_type", "direct", "sparse", "bw_size", "bw_refill_time",
                "ops_size", "ops_refill_time"],
    "--net+": ["tap", "mac", "fd", "id", "bw_size", "bw_refill_time"], "--fs+": ["tag", "socket", "num_queues", "queue_size"],
    "--vsock": ["cid", "socket"], "--serial": ["null", "socket"], "--console": ["tty", "off"],
    "--pvpanic": False,
}

# method, path (its number left out): the body's members, None where there is none.
CALLS = {
    "firecracker": {
        ("GET", "/"): None,
        ("PATCH", "/vm"): {"state": (TEXT, ["Paused", "Resumed"], MUST)},
        ("PUT", "/actions"): {"action_type": (TEXT, ["FlushMetrics", "InstanceStart",
                                                     "SendCtrlAltDel"], MUST)},
        ("PATCH", "/drives/d"): {"drive_id": (TEXT, MUST), "path_on_host": (TEXT,)},
    },
    "cloud-hypervisor": {(method, "/api/v1/" + name): None for method, name in [
        ("GET", "vmm.ping"), ("GET", "vm.info"), ("GET", "vm.counters"), ("PUT", "vm.pause"),
        ("PUT", "vm.resume"), ("PUT", "vm.power-button"), ("PUT", "vmm.shutdown")]} | {
            ("PUT", "/api/v1/vm.resize-disk"): {"id": (TEXT,), "desired_size": (NUMBER,)}},
}


def note(variable, line):
    if variable in os.environ:
        with open(os.environ[variable], "a", encoding="utf-8") as file:
            print(line, file=file)


def wrong(what):
    note("FL_API_WRONG", what)
    raise ValueError(what)


def check_members(where, members, table):
    if isinstance(table, list):
        for one in members:
            check_members(where, one, table[0])
        return
    for name, value in members.items():
        if name not in table:
            wrong(f"{where}: {name} is not in the API")
        kind, *rules = table[name]
        if isinstance(kind, dict):
            check_members(f"{where}.{name}", value, kind)
        elif type(value) is not kind:
            wrong(f"{where}.{name}: {value!r} is of another type")
        for values in rules:
            if values is not MUST and value not in values:
                wrong(f"{where}.{name}: {value!r} is none of the API's values")
    for name, (_, *rules) in table.items():
        if MUST in rules and name not in members:
            wrong(f"{where}: no {name}")


def check_path(path):
    if not os.path.exists(path):
        wrong(f"{path}: is not there")


class Firecracker:
    """Its configuration is a file."""

    name = "firecracker"

    def __init__(self, words):
        options = dict(zip(words[::2], words[1::2]))
        for option in options:
            if option not in FIRECRACKER_OPTIONS:
                wrong(f"{option} is not an option")
        if len(words) != 2 * len(options) or not set(FIRECRACKER_OPTIONS[:3]) <= set(options):
            wrong(f"not the options that must be: {words}")
        if not re.fullmatch("[A-Za-z0-9-]{1,64}", options["--id"]):
            wrong(f"{options['--id']}: no id")
        with open(options["--config-file"], encoding="utf-8") as file:
            config = json.load(file)
        for part, members in config.items():
            if part not in FIRECRACKER:
                wrong(f"{part}: is not in the API")
            check_members(part, members, FIRECRACKER[part])
        for part in FIRECRACKER_MUST:
            if part not in config:
                wrong(f"no {part}")
        for path in [config["boot-source"]["kernel_image_path"]] + [
                drive["path_on_host"] for drive in config["drives"]]:
            check_path(path)
        self.socket = options["--api-sock"]
        self.cmdline = config["boot-source"]["boot_args"]
        self.metrics = config["metrics"]["metrics_path"]
        self.console = None
        self.refusal = 400, {"fault_message": "The stand-in was told to refuse."}

    def guest_is_up(self):
        print("stand-in: guest is up", flush=True)

    def do(self, path, body, huge):
        action = (body or {}).get("action_type")
        if action == "FlushMetrics":
            number = 2**63 - 1 if huge else 512
            with open(self.metrics, "w", encoding="utf-8") as file:
                print(json.dumps({"block_d0": {"read_bytes": number, "write_bytes": 2, "read_count": 3,
                                               "write_count": 4, "flush_count": 5}}), file=file)
        if path == "/":
            return 200, {"id": "x", "state": "Running", "vmm_version": "1.17", "app_name": "stand-in"}
        return 204, None

    def powers_off(self, _, body):
        return (body or {}).get("action_type") == "SendCtrlAltDel"

    def end(self):
        print("reboot: Restarting system", flush=True)


def split_value(value):
    """name=value,name="va,lue" as it takes them."""
    return dict((part + "=").split("=", 2)[:2] for part in
                re.findall(r'(?:[^,"]|"[^"]*")+', value))


class CloudHypervisor:
    """Its configuration is its command line."""

    name = "cloud-hypervisor"

    def __init__(self, words):
        self.options = {}
        while words:
            option = words.pop(0)
            several = option + "+" in CLOUD_HYPERVISOR
            if not several and option not in CLOUD_HYPERVISOR or option in self.options:
                wrong(f"{option} is not an option, or is there twice")
            names = CLOUD_HYPERVISOR[option + "+" if several else option]
            self.options[option] = []
            while names is not False and words and (names is None or not words[0].startswith("--")):
                self.take_value(option, names, words.pop(0))
                if not several:
                    break
        self.socket = self.options["--api-socket"][0]["path"]
        self.cmdline = self.options["--cmdline"][0]
        self.events = self.options["--event-monitor"][0]["path"].strip('"')
        self.console = self.options["--serial"][0].get("socket")
        self.refusal = 500, ["The VM could not do it", "The stand-in was told to refuse."]
        check_path(self.options["--kernel"][0])
        for disk in self.options["--disk"]:
            check_path(disk["path"].strip('"'))
            if "image_type" not in disk:
                wrong("a disk's image type is guessed")

    def take_value(self, option, names, value):
        if names is None:
            self.options[option].append(value)
            return
        parts = split_value(value)
        for name in parts:
            if name not in names:
                wrong(f"{option} {value}: {name} is not a parameter")
        self.options[option].append(parts)

    def tell(self, source, event):
        with open(self.events, "w", encoding="utf-8") as file:
            print(json.dumps({"timestamp": {"secs": 1, "nanos": 2}, "source": source,
                              "event": event, "properties": None}, indent=2), file=file)

    def guest_is_up(self):
        self.tell("vm", "booted")

    def do(self, path, _, huge):
        call = path.rsplit("/", 1)[1]
        if call in ("vm.pause", "vm.resume"):
            self.tell("vm", "paused" if call == "vm.pause" else "resumed")
        if call == "vm.counters":
            number = 2**63 - 1 if huge else 512
            return 200, {"d0": {"read_bytes": number, "write_bytes": 2, "read_ops": 3, "write_ops": 4,
                                "read_latency_min": 2**64 - 1}}
        return (200, {"state": "Running"}) if call == "vm.info" else (204, None)

    def powers_off(self, path, _):
        return path.endswith(("vm.power-button", "vmm.shutdown"))

    def end(self):
        self.tell("vm", "shutdown")


class Server:
    def __init__(self, vmm):
        self.vmm = vmm
        self.faults = set(re.findall(r"\bfake=(\S+)", vmm.cmdline + " ")[0].split(",")
                          if "fake=" in vmm.cmdline else [])
        self.once = "once" in self.faults
        self.buffers = {}

    def has(self, fault):
        return fault in self.faults

    def listen(self, path):
        if os.path.exists(path):
            wrong(f"{path}: the socket of an earlier run")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(8)
        return listener

    def answer(self, client, status, body):
        text = json.dumps(body).encode() if body is not None else b""
        head = f"HTTP/1.1 {status} Some Reason\r\nServer: stand-in\r\n"
        if text:
            head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        client.sendall(head.encode() + b"\r\n" + text)

    def misbehave(self, client):
        """True when that was all there is to the request."""
        fault = next((one for one in ("hang", "refuse", "cut", "garbage", "endless")
                      if self.has(one)), None)
        if not fault:
            return False
        if self.once:
            self.faults.discard(fault)
        if fault == "refuse":
            self.answer(client, *self.vmm.refusal)
        elif fault == "cut":
            client.sendall(b"HTTP/1.1 204 No Con")
            client.shutdown(socket.SHUT_RDWR)
        elif fault == "garbage":
            client.sendall(b"\0\1\2 what \xff is this? \r\n\r\n" * 50)
        elif fault == "endless":
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
            while True:
                client.sendall(b"x" * 65536)
        return True

    def handle(self, client, method, path, body):
        note("FL_API_HEARD", f"{method} {path} {body}".rstrip())
        table = CALLS[self.vmm.name]
        call = method, re.sub("[0-9]+$", "", path)
        if call not in table:
            wrong(f"{method} {path}: is not in the API")
        members = json.loads(body) if body else None
        if (members is None) != (table[call] is None):
            wrong(f"{method} {path}: a body {'is missing' if members is None else 'too many'}")
        if members is not None:
            check_members(path, members, table[call])
        if self.misbehave(client):
            return
        self.answer(client, *self.vmm.do(path, members, self.has("huge")))
        if self.vmm.powers_off(path, members) and not self.has("deaf"):
            self.vmm.end()
            sys.exit(0)

    def serve(self, client):
        data = client.recv(65536)
        if not data:
            raise ConnectionError
        data = self.buffers.get(client, b"") + data
        while b"\r\n\r\n" in data:
            head, rest = data.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            size = next((int(line.split(":")[1]) for line in lines
                         if line.lower().startswith("content-length:")), 0)
            if len(rest) < size:
                break
            data = rest[size:]
            method, path, version = lines[0].split(" ")
            if version != "HTTP/1.1":
                wrong(f"{lines[0]}: not HTTP/1.1")
            self.handle(client, method, path, rest[:size].decode())
        self.buffers[client] = data

    def take(self, client):
        try:
            self.serve(client)
        except ValueError as error:
            print(f"stand-in: {error}", file=sys.stderr, flush=True)
            self.answer(client, 400, {"fault_message": str(error)})
        except OSError:
            self.buffers.pop(client, None)
            client.close()

    def run(self):
        listener = None if self.has("unbound") else self.listen(self.vmm.socket)
        console = self.listen(self.vmm.console) if self.vmm.console else None
        self.vmm.guest_is_up()
        if self.has("off") or self.has("reset"):
            time.sleep(1)
            print("[    1.000000] reboot: Power down", flush=True)
            if self.has("reset"):
                print("that was in an older log\n[    2.000000] reboot: Restarting system", flush=True)
            return
        while True:
            watched = [one for one in (listener, console) if one] + [
                one for one in self.buffers if one.fileno() >= 0]
            for one in select.select(watched, [], [])[0]:
                if one is listener:
                    self.buffers[listener.accept()[0]] = b""
                elif one is console:
                    self.seen = console.accept()[0]
                    self.seen.sendall(b"stand-in: guest is up\n")
                else:
                    self.take(one)


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    name = os.path.basename(sys.argv[0])
    if sys.argv[1:] == ["--version"]:
        print("Firecracker v1.17.0" if name == "firecracker" else "cloud-hypervisor v54.0.0")
        return
    try:
        server = Server((Firecracker if name == "firecracker" else CloudHypervisor)(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"stand-in: {shlex.join(sys.argv)}: {error}")
    if server.has("die"):
        time.sleep(0.05)
        sys.exit("stand-in: it was told to die")
    server.run()


main()
