# SPDX-License-Identifier: MPL-2.0
"""What benches of microVMs share: rows, runs of programs, specs of the small images."""
import os
import subprocess
import time

WORK = os.environ["BENCH_WORK"]
IMAGES = os.environ["IMAGES"]


def row(name, measured, must, aim):
    print(f"{name:58} {measured:>10} {must:>10} {aim:>10}", flush=True)


def run(*words, text=None, check=True):
    return subprocess.run(words, input=text, capture_output=True, text=True, check=check).stdout


def seconds(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start


def spec(name, layout=f"oci:{IMAGES}/layout", root="root", size="16M", *more):
    return run("fl", "spec", "--name", name, "--kernel", f"{layout}:kernel", "--initrd",
               f"{layout}:kernel", "--root", f"{layout}:{root}", "--root-size", size, *more)


def started(words, text, stamp):
    """Milliseconds until the stand-in for the VMM wrote when it was started."""
    if os.path.exists(stamp):
        os.unlink(stamp)
    start = time.monotonic_ns()
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, text=True)
    if text:
        process.stdin.write(text)
        process.stdin.close()
    while not (os.path.exists(stamp) and os.path.getsize(stamp)):
        time.sleep(0.001)
    with open(stamp, encoding="ascii") as file:
        return (int(file.read()) - start) / 1e6, process
