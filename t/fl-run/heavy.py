#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""heavy.py SECONDS MICROVMS SEED: verbs in random order, from several hands at once, with
kills in between; then what the records say is held against processes, links and the VMMs."""
import collections
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

SECONDS, COUNT, SEED = map(int, sys.argv[1:])
STATE = os.environ["FL_STATE_DIR"]
START = ["--accel", "tcg"]
HANDS = 4
LONGEST = 120
# Said to a person, in fl(7)'s words: not there, refused as it is, busy, timed out, the guest's own end.
EXPECTED = {0, 4, 8, 9, 10, 11, 14, 15, 16}

random.seed(SEED)
faults = []
tally = collections.Counter()
samples = {}
lock = threading.Lock()


def fault(text):
    with lock:
        faults.append(text)
    print("FAULT", text, flush=True)


def run(words, text=None, kill_after=None):
    """The status, None when it was killed, and what it printed."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, err = process.communicate(text or "", timeout=kill_after or LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        if not kill_after:
            fault(f"{' '.join(words)}: still there after {LONGEST} s")
        return None, out
    with lock:
        tally[words[0], words[1], process.returncode] += 1
        if process.returncode:
            samples.setdefault((words[0], words[1], process.returncode), err.strip()[-200:])
    if process.returncode not in EXPECTED and (words[1], process.returncode) != ("grow", 3):
        fault(f"{' '.join(words)}: status {process.returncode}: {err.strip()[-300:]}")
    return process.returncode, out


def spec(name):
    number = int(name[2:])
    words = ["fl", "spec", "--name", name, "--kernel", f"oci:{os.environ['IMAGES']}/layout:kernel",
             "--initrd", f"oci:{os.environ['IMAGES']}/layout:kernel",
             "--root", f"oci:{os.environ['IMAGES']}/layout:disk", "--root-size", "16M",
             "--memory", "160", "--cpus", "1", "--cmdline", "quiet", "--bridge", "heavybr0"]
    if number % 3 == 0:
        words += ["--publish", f"{8000 + number}:7"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def restart(hand):
    return hand.choice(["no", "on-failure", "always"])


def status(name):
    done = subprocess.run(["fl-run", "status", "--json", name], capture_output=True, text=True,
                          timeout=LONGEST, check=False)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def console(name, line):
    return (["timeout", "20", "fl", "console", name, "--detach", "none"], line + "\n")


def kill_part(hand, name):
    """The supervisor or the VMM; whoever is at work by itself is killed as it runs."""
    seen = status(name)
    if not seen or not seen["pid"]:
        return
    if hand.random() < .5:
        victim = seen["pid"]
    else:
        found = subprocess.run(["pgrep", "-f", f"fl-supervise {STATE} default {name} "],
                               capture_output=True, text=True, check=False).stdout.split()
        if not found:
            return
        victim = int(found[0])
    try:
        with open(f"/proc/{victim}/cmdline", encoding="utf-8", errors="replace") as file:
            if name not in file.read():
                return
        os.kill(victim, signal.SIGKILL)
        with lock:
            tally["kill -9", "part", 0] += 1
    except OSError:
        pass


def one(hand, name):
    verb = hand.choice(["up", "up", "up", "down", "stop", "stop -f", "start", "start", "pause", "resume",
                        "resume", "reboot", "status", "inspect", "metrics", "ls", "logs", "print", "wait",
                        "grow", "type", "kill", "restore", "net"])
    after = hand.uniform(.01, .6) if hand.random() < .12 else None
    text = None
    if verb == "up":
        words = ["fl", "up", "-q", "--settle", "100ms", "--restart", restart(hand), *START]
        text = spec(name)
    elif verb == "down":
        words = ["fl", "down", "-q", name]
    elif verb == "stop":
        words = ["fl-run", "stop", "--timeout", "3s", name]
    elif verb == "stop -f":
        words = ["fl-run", "stop", "-f", name]
    elif verb == "start":
        words = ["fl-run", "start", "-q", "--settle", "100ms", *START, name]
    elif verb in ("pause", "resume", "status", "logs"):
        words = ["fl-run", verb, name]
    elif verb == "reboot":
        words = ["fl-run", "reboot", name]
    elif verb == "inspect":
        words = ["fl", "inspect", "--json", name]
    elif verb in ("metrics", "ls"):
        words = ["fl-run", verb, "--json"]
    elif verb == "print":
        words = ["fl-run", "console", name, "--print"]
    elif verb == "wait":
        words = ["fl-run", "wait", name, "--for", hand.choice(["running", "boot", "exit"]), "--timeout", "2s"]
    elif verb == "grow":
        words = ["fl-snap", "grow", "-q", name, "root", f"{hand.randrange(16, 64)}M"]
    elif verb == "type":
        words, text = console(name, hand.choice(["reboot", "poweroff", "panic", "write", "disks"]))
        after = None
        with lock:
            tally["console", "typed", 0] += 1
        subprocess.run(words, input=text, capture_output=True, text=True, check=False)
        return
    elif verb == "kill":
        return kill_part(hand, name)
    elif verb == "restore":
        words = ["fl", "restore", "-q"]
    else:
        words = ["fl-net", "gc", "-q"]
    run(words, text, after)


def hand_main(number, until):
    hand = random.Random(SEED * 1000 + number)
    while time.monotonic() < until and not faults:
        one(hand, f"vm{hand.randrange(COUNT)}")


def is_true_of_qemu(name):
    """What its own monitor says: "running", "paused", …; None: there is nobody."""
    to = socket.socket(socket.AF_UNIX)
    to.settimeout(20)
    try:
        to.connect(f"{os.environ['PROBES']}/{name}")
    except OSError:
        return None
    with to, to.makefile("rw") as file:
        file.readline()
        for words in ("qmp_capabilities", "query-status"):
            file.write(json.dumps({"execute": words}) + "\n")
            file.flush()
            answer = json.loads(file.readline())
            while "return" not in answer:
                answer = json.loads(file.readline())
    return answer["return"]["status"]


def processes_of(uid):
    found = subprocess.run(["pgrep", "-af", uid], capture_output=True, text=True, check=False).stdout
    supervisors = [line for line in found.splitlines() if "fl-supervise" in line]
    vmms = [line for line in found.splitlines() if "qemu-system" in line]
    return supervisors, vmms


def links():
    return subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout


def check(name):
    seen = status(name)
    if not seen:
        return "down"
    supervisors, vmms = processes_of(seen["uid"])
    monitor = is_true_of_qemu(name)
    record = json.loads(run(["fl", "inspect", "--json", name])[1])
    state = seen["vmm_state"]
    about = f"{name}: {state} {seen['reason']}, monitor {monitor}, {len(supervisors)} and {len(vmms)}"
    if state in ("running", "paused"):
        if len(supervisors) != 1 or len(vmms) != 1 or monitor != state:
            fault(about)
        elif str(seen["pid"]) != vmms[0].split()[0]:
            fault(f"{about}: pid {seen['pid']}, {vmms[0][:60]}")
        for device in record["host"].get("network", {}).values():
            if device.get("tap") and f" {device['tap']}:" not in links():
                fault(f"{about}: {device['tap']} is not there")
    elif state in ("waiting", "starting"):
        pass
    elif vmms or monitor:
        fault(about)
    return str(state)


def main():
    names = [f"vm{number}" for number in range(COUNT)]
    begin = time.monotonic()
    run(["fl", "up", "-q", "--settle", "100ms", *START], "".join(spec(name) for name in names))
    print(f"# {COUNT} up after {time.monotonic() - begin:.0f} s", flush=True)
    hands = [threading.Thread(target=hand_main, args=(number, time.monotonic() + SECONDS))
             for number in range(HANDS)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    time.sleep(3)
    states = collections.Counter(check(name) for name in names)
    for key in sorted(tally):
        print("#", *key, tally[key], repr(samples.get(key, "")))
    print("# at the end:", dict(states))
    sys.exit(1 if faults else 0)


main()
