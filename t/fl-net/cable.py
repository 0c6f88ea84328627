# SPDX-License-Identifier: MPL-2.0
"""Stands for a VMM: connects a tap with an interface eth0 that it makes in another namespace.

cable.py TAP /run/netns/ROOM
"""
import ctypes
import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP_NO_PI = 0x1002
CLONE_NEWNET = 0x40000000


def attach(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP_NO_PI))
    return fd


def main():
    ends = [attach(sys.argv[1])]
    room = os.open(sys.argv[2], os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(room, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    ends.append(attach("eth0"))
    while True:
        for end in select.select(ends, [], [])[0]:
            frame = os.read(end, 70000)
            try:
                os.write(ends[1 - ends.index(end)], frame)
            except OSError:
                pass  # an end that is down takes nothing


main()
