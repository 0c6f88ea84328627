#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Runs a command on a terminal of its own: terminal.py KEYS COMMAND…

What is written into the fifo KEYS is typed, what the command says is printed. Tells the
command's pid, "[raw]" when the terminal is, and at the end the status and whether the terminal
is as before.
"""
import os
import pty
import select
import sys
import termios


def main():
    keys = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for fd in range(3):
            os.dup2(slave, fd)
        os.execvp(sys.argv[2], sys.argv[2:])
    os.write(1, b"pid %d\n" % pid)
    said_raw = False
    status = None
    while status is None:
        ready, _, _ = select.select([keys, master], [], [], 0.05)
        if keys in ready:
            typed = os.read(keys, 4096)
            if typed:
                os.write(master, typed)
        if master in ready:
            os.write(1, os.read(master, 4096))
        elif not said_raw and termios.tcgetattr(slave) != before:
            said_raw = True
            os.write(1, b"[raw]\n")
        done, code = os.waitpid(pid, os.WNOHANG)
        if done and not select.select([master], [], [], 0)[0]:
            status = code
        elif done:
            os.write(1, os.read(master, 4096))
            status = code
    same = termios.tcgetattr(slave) == before
    how = os.waitstatus_to_exitcode(status)
    print(f"\nstatus {how} terminal {'restored' if same else 'left raw'}", flush=True)


main()
