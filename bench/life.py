#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The measurements of bench/life.sh, medians of interleaved runs."""
import glob
import json
import os
import subprocess
import sys
import time
from statistics import median

from measure import WORK, row, run, seconds, spec, started

STATE = os.environ["FL_STATE_DIR"]
FAKE = f"{os.environ['FL_BUILD']}/drivers/fake-vmm"
STAMP = f"{WORK}/stamped"
UP = ["fl", "up", "-q", "--accel", "tcg", "--settle", "1ms", "--qemu"]
TURNS = 15


QUIET = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]


def spawn(*words):
    """With less about it than run()."""
    if os.waitpid(os.posix_spawnp(words[0], words, os.environ, file_actions=QUIET), 0)[1]:
        sys.exit(f"{words} failed")


def eight_times_true():
    return seconds(lambda: [spawn("/bin/true") for _ in range(8)])


def specs(names):
    """Of microVMs that share one root, and only read it."""
    out = []
    for name in names:
        one = json.loads(spec(name))
        one["root_volume"]["is_read_only"] = True
        out.append(json.dumps(one))
    return out


def life_rows():
    os.environ.update(BENCH_STAMP=STAMP, BENCH_VMM=FAKE)
    least, ups, downs = [], [], []
    text = specs(["life"])[0]
    for _ in range(TURNS):
        least.append(eight_times_true())
        took, process = started([*UP, f"{WORK}/stamp"], text, STAMP)
        process.wait()
        ups.append(took / 1e3)
        downs.append(seconds(lambda: spawn("fl", "down", "-q", "life")))
    eight = median(least)
    row("fl up, image cached, to the VMM's exec / true eight times", f"{median(ups) / eight:.1f}", "12", "5")
    row("fl down / true eight times", f"{median(downs) / eight:.1f}", "8", "4")
    print(f"  {median(ups) * 1e3:.1f} ms, {median(downs) * 1e3:.1f} ms, {eight * 1e3:.1f} ms", flush=True)


def at_once(texts):
    processes = []
    for text in texts:
        process = subprocess.Popen([*UP, FAKE], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        process.stdin.write(text)
        process.stdin.close()
        processes.append(process)
    for process in processes:
        if process.wait():
            sys.exit("fl up failed")


def many_rows():
    one, twenty = [], []
    for _ in range(5):
        text = specs(["one"])
        one.append(seconds(lambda texts=text: at_once(texts)))
        text = specs([f"many{i}" for i in range(20)])
        twenty.append(seconds(lambda texts=text: at_once(texts)))
        run("fl", "down", "-q", "--all")
    row("twenty fl up at once / one", f"{median(twenty) / median(one):.1f}", "14", "10")


def list_rows():
    """Copies of a stopped microVM's record: bench/records.py."""
    run(*UP, FAKE, text=specs(["first"])[0])
    run("fl", "stop", "-q", "first")
    record = glob.glob(f"{STATE}/vm/default/first/*/record.json")[0]
    other = f"{WORK}/many"
    run(sys.executable, f"{os.path.dirname(os.path.abspath(__file__))}/records.py", other, "10000", record, "16384")
    with open(f"{WORK}/names", "w", encoding="utf-8") as file:
        file.write("\0".join(glob.glob(f"{other}/vm/*/*/*/record.json")))
    ours, cats = [], []
    for _ in range(5):
        cats.append(seconds(lambda: run("sh", "-c", f"xargs -0 cat <{WORK}/names >/dev/null")))
        ours.append(seconds(lambda: run("sh", "-c", f"fl ls --json --state-dir {other} >{WORK}/listed")))
    with open(f"{WORK}/listed", encoding="utf-8") as file:
        assert sum(1 for _ in file) == 10000
    row("fl ls --json of 10,000 records with 16 KB each / cat", f"{median(ours) / median(cats):.2f}", "3", "1.5")
    print(f"  {median(ours):.2f} s, {median(cats):.2f} s", flush=True)
    run("fl", "down", "-q", "first")


def seed_by_hand(files):
    spawn("mkfs.vfat", "-n", "CIDATA", "-C", f"{WORK}/hand.img", "1024")
    spawn("mcopy", "-i", f"{WORK}/hand.img", *files, "::")
    os.unlink(f"{WORK}/hand.img")


def seed_by_us(options):
    spawn("fl-meta", "seed", "-q", f"{WORK}/ours.img", *options)
    os.unlink(f"{WORK}/ours.img")


def seed_rows():
    files = [f"{WORK}/{name}" for name in ("user-data", "meta-data", "network-config")]
    options = [word for path in files for word in ("--" + os.path.basename(path), path)]
    for path in files:
        with open(path, "w", encoding="utf-8") as file:
            file.write("#cloud-config\n" + "# a line\n" * 100)
    ours, by_hand = [], []
    for _ in range(TURNS):
        by_hand.append(seconds(lambda: seed_by_hand(files)))
        ours.append(seconds(lambda: seed_by_us(options)))
    row("NoCloud seed / mkfs.vfat + mcopy", f"{median(ours) / median(by_hand):.2f}", "0.3", "0.1")
    print(f"  {median(ours) * 1e3:.1f} ms, {median(by_hand) * 1e3:.1f} ms", flush=True)


# The supervisor.

def switches(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)


def private_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private"))


def end_of(path):
    """The last bytes, and when they were written; nothing while the file is being rotated."""
    try:
        with open(path, "rb") as file:
            file.seek(-min(200, file.seek(0, 2)), 2)
            return file.read(), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return b"", 0


def says(path, last, since):
    """Waits until that is what the guest said last, later than since."""
    while True:
        text, when = end_of(path)
        if when > since and last in text:
            return
        time.sleep(0.001)


def flood_through_supervisor(console, last):
    """Seconds. Who typed waits for more than is measured."""
    since, start = time.time_ns(), time.monotonic()
    typist = subprocess.Popen(["fl", "console", "rest", "--detach", "none"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True)
    typist.stdin.write("flood\n")
    typist.stdin.close()
    says(console, last, since)
    took = time.monotonic() - start
    typist.wait()
    return took


def flood_through_pty(path):
    us, them = os.openpty()
    process = subprocess.Popen(["cat", path], stdout=them, stdin=subprocess.DEVNULL)
    os.close(them)
    try:
        while os.read(us, 65536):
            pass
    except OSError:
        pass
    os.close(us)
    process.wait()


def supervisor_rows():
    run(*UP, FAKE, text=specs(["rest"])[0])
    time.sleep(1)
    pid = run("pgrep", "-f", f"[f]l-supervise {STATE}").split()[0]
    before = switches(pid)
    time.sleep(5)
    row("supervisor: private memory", f"{private_kb(pid)} kB", "1500 kB", "600 kB")
    row("supervisor: wake-ups in 5 s at rest", switches(pid) - before, "0", "0")
    flood_rows()
    run("fl", "down", "-q", "rest")


def flood_rows():
    text = "".join(f"{i:08d} the quick brown fox jumps over the lazy dog and on and on\n" for i in range(90000))
    with open(f"{WORK}/flood", "w", encoding="ascii") as file:
        file.write(text)
    console = glob.glob(f"{STATE}/vm/default/rest/*/qemu.stdout")[0]
    ours, by_cat = [], []
    for _ in range(5):
        by_cat.append(seconds(lambda: flood_through_pty(f"{WORK}/flood")))
        ours.append(flood_through_supervisor(console, b"00089999 "))
    row("supervisor: console throughput / cat through a pty", f"{median(by_cat) / median(ours):.2f}", "0.5", "0.8")


life_rows()
many_rows()
list_rows()
seed_rows()
supervisor_rows()
