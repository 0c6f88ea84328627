#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The measurements of bench/lab.sh, medians of interleaved runs: lab.py host | lab LAYOUT PROVIDER…"""
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from statistics import median

from measure import IMAGES, WORK, row, run, seconds, spec, started

POOL = "flintlock-dev-thinpool"


def ready(text, *snap):
    """The record before fl-run's step."""
    for step in (["fl-pull", "up", "-q"], ["fl-snap", "up", "-q", *snap], ["fl-meta", "up", "-q"]):
        text = run(*step, text=text)
    return text


def plan(record, options):
    return run("fl-run", "up", "--dry-run", *options, text=record)


# From the call to the VMM's exec.

def exec_rows(providers):
    stamp = os.environ["BENCH_STAMP"] = f"{WORK}/stamped"
    for provider, vmm in providers.items():
        os.environ["BENCH_VMM"] = vmm
        options = ["--accel", "tcg" if provider == "qemu" else "kvm", f"--{provider}", f"{WORK}/stamp"]
        record = ready(spec(f"exec-{provider}", f"oci:{IMAGES}/layout", "root", "16M", "--provider",
                            provider))
        words = shlex.split(plan(record, options).strip().rsplit("\n", 1)[1])
        ours, by_hand = [], []
        for _ in range(15):
            took, process = started(words, None, stamp)
            by_hand.append(took)
            process.kill()
            process.wait()
            took, process = started(["fl-run", "up", "-q", "--settle", "1ms", *options], record, stamp)
            ours.append(took)
            process.wait()
            run("fl", "stop", "-f", f"exec-{provider}")
        run("fl", "down", "-q", f"exec-{provider}")
        row(f"{provider}: fl-run up to the VMM's exec, over exec by hand",
            f"+{median(ours) - median(by_hand):.1f} ms", "+15 ms", "+5 ms")


# Until a real guest is there.

def says_ready(reader, until):
    seen = b""
    while b"lab-guest: ready" not in seen:
        seen += reader()
        if time.monotonic() > until:
            sys.exit(f"the guest is not there in time: {seen[-500:]!r}")
    return time.monotonic()


def file_reader(path):
    """Of a file that is not there yet, and grows."""
    at = 0

    def read():
        nonlocal at
        time.sleep(0.005)
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as file:
            file.seek(at)
            data = file.read()
        at += len(data)
        return data
    return read


def socket_reader(path):
    to = None

    def read():
        nonlocal to
        if to:
            return to.recv(65536)
        time.sleep(0.005)
        one = socket.socket(socket.AF_UNIX)
        try:
            one.connect(path)
            to = one
        except OSError:
            pass
        return b""
    return read


def boot_by_hand(text, uid):
    """The plan as it is pasted."""
    out = f"{WORK}/by-hand"
    console = re.search(r"--serial'? '?socket=([^'\s]+)", text)
    with open(out, "wb") as file:
        start = time.monotonic()
        process = subprocess.Popen(["bash", "-c", text], stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
    reader = socket_reader(console[1]) if console else file_reader(out)
    took = says_ready(reader, start + 60) - start
    os.killpg(process.pid, 9)
    process.wait()
    subprocess.run(["rm", "-rf", os.environ["FL_RUN_DIR"] + "/" + uid], check=True)
    return took


def boot_by_us(record, options, console):
    if os.path.exists(console):
        os.unlink(console)
    start = time.monotonic()
    process = subprocess.Popen(["fl-run", "up", "-q", *options], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)
    process.stdin.write(record)
    process.stdin.close()
    took = says_ready(file_reader(console), start + 60) - start
    process.wait()
    return took


def boot_rows(layout, providers):
    for provider in providers:
        name = f"boot-{provider}"
        record = ready(spec(name, f"oci:{layout}", "disk", "16M", "--provider", provider, "--memory", "192",
                            "--cpus", "1", "--cmdline", "quiet"))
        uid = json.loads(record)["spec"]["uid"]
        options = ["--accel", "kvm", "--settle", "100ms"]
        text = plan(record, options)
        folder = f"{os.environ['FL_STATE_DIR']}/vm/default/{name}/{uid}"
        ours, by_hand = [], []
        for _ in range(9):
            by_hand.append(boot_by_hand(text, uid))
            ours.append(boot_by_us(record, options, f"{folder}/{provider}.stdout"))
            run("fl", "stop", "-f", name)
        run("fl", "down", "-q", name)
        row(f"{provider}: fl-run up until the guest is there, over by hand ({median(by_hand):.1f} s)",
            f"{(median(ours) / median(by_hand) - 1) * 100:+.1f} %", "+10 %", "+3 %")


# Disks on a thin pool.

def pulled(name, root="root", size="16M"):
    return run("fl-pull", "up", "-q", text=spec(name, root=root, size=size))


def snap(record):
    run("fl-snap", "up", "-q", "--backend", "thin", text=record)


def base_id():
    folder = f"{os.environ['FL_STATE_DIR']}/thin"
    pool = os.path.join(folder, os.listdir(folder)[0])
    for name in os.listdir(pool):
        if name.isdigit():
            with open(os.path.join(pool, name), encoding="utf-8") as file:
                if "base" not in json.load(file):
                    return name
    sys.exit("no base in the pool")


def by_ioctls(base, number, sectors):
    name = f"byhand{number}"
    took = seconds(lambda: run(f"{WORK}/ioctls", POOL, base, str(number), name, str(sectors)))
    run("dmsetup", "remove", "--retry", name)
    run("dmsetup", "message", POOL, "0", f"delete {number}")
    return took


def fresh():
    """No microVM and no base, in no back end."""
    run("fl", "down", "-q", "--all")
    for line in run("fl-snap", "ls", "--json").splitlines():
        run("fl-snap", "rm", json.loads(line)["name"], check=False)
    run("fl-snap", "gc", "-q")


def start_of(*words):
    """Seconds that a program takes to be there at all."""
    return median(seconds(lambda: run(*words, check=False)) for _ in range(9))


def disk_rows():
    times = {}
    idle = start_of("fl-snap", "--version"), start_of(f"{WORK}/ioctls")
    for size in ("16M", "512M"):
        fresh()
        snap(pulled("first", size=size))
        base = base_id()
        ours, least = [], []
        for i in range(25):
            record = pulled(f"disk{i}", size=size)
            ours.append(seconds(lambda one=record: snap(one)))
            least.append(by_ioctls(base, 100 + i, int(size[:-1]) * 2048))
        times[size] = median(ours)
        if size == "16M":
            row("thin disk from a base: fl-snap up, over a program of its ioctls",
                f"{median(ours) / median(least):.2f}", "2", "1.3")
            print(f"  {median(ours) * 1e3:.0f} ms of which fl-snap's start {idle[0] * 1e3:.0f}; "
                  f"{median(least) * 1e3:.0f} ms, {idle[1] * 1e3:.0f}; without the starts "
                  f"{(median(ours) - idle[0]) / (median(least) - idle[1]):.2f}", flush=True)
    row("thin disk from a base of 512 MiB, over one of 16 MiB", f"{times['512M'] / times['16M']:.2f}", "O(1)",
        "O(1)")


def base_rows():
    thin, file = [], []
    for _ in range(5):
        for backend, times in (("thin", thin), ("file", file)):
            fresh()
            record = pulled("base", "large", "128M")
            times.append(seconds(lambda: run("fl-snap", "up", "-q", "--backend", backend, text=record)))
    row("first base into the pool, over the same into a file", f"{median(thin) / median(file):.2f}", "1.3", "1.1")


def ten_rows():
    one, ten = [], []
    fresh()
    snap(pulled("first"))
    for turn in range(5):
        record = pulled(f"one{turn}")
        one.append(seconds(lambda: snap(record)))
        records = [pulled(f"ten{turn}x{i}") for i in range(10)]
        threads = [threading.Thread(target=snap, args=(record,)) for record in records]
        ten.append(seconds(lambda: ([t.start() for t in threads], [t.join() for t in threads])))
    row("ten creates at once, over one", f"{median(ten) / median(one):.2f}", "6", "4")
    fresh()


def main():
    if sys.argv[1] == "host":
        exec_rows({"qemu": f"{os.environ['FL_BUILD']}/drivers/fake-vmm"}
                  | ({} if not os.access("/dev/kvm", os.W_OK) else
                     {"firecracker": f"{WORK}/firecracker", "cloudhypervisor": f"{WORK}/cloud-hypervisor"}))
    else:
        disk_rows()
        ten_rows()
        base_rows()
        boot_rows(sys.argv[2], sys.argv[3:])


main()
