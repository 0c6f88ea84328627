#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Compares two trees entry by entry: names, types, modes, owners, sizes, times to the
nanosecond, links, devices, extended attributes, content.

    compare_trees.py WANTED GOT       prints differences; exit status 1 if there are any
"""
import hashlib
import os
import stat
import sys


def describe(path, info):
    kind = stat.S_IFMT(info.st_mode)
    out = {"mode": oct(info.st_mode), "owner": (info.st_uid, info.st_gid)}
    if kind != stat.S_IFDIR:
        out["size"] = info.st_size
        out["links"] = info.st_nlink
    out["mtime"] = info.st_mtime_ns
    out["xattrs"] = {n: os.getxattr(path, n, follow_symlinks=False)
                     for n in os.listxattr(path, follow_symlinks=False)}
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            out["content"] = hashlib.file_digest(file, "sha256").hexdigest()
    if kind == stat.S_IFLNK:
        out["target"] = os.readlink(path)
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        out["device"] = info.st_rdev
    return out


def scan(root):
    root = os.fsencode(root)
    tree, groups = {}, {}
    stack = [b""]
    while stack:
        here = stack.pop()
        for name in os.listdir(os.path.join(root, here)):
            below = os.path.join(here, name)
            path = os.path.join(root, below)
            info = os.lstat(path)
            tree[below] = describe(path, info)
            if stat.S_ISDIR(info.st_mode):
                stack.append(below)
            elif info.st_nlink > 1:
                groups.setdefault(info.st_ino, []).append(below)
    for group in groups.values():
        for name in group:
            tree[name]["group"] = sorted(group)
    return tree


wanted, got = scan(sys.argv[1]), scan(sys.argv[2])
for tree in (wanted, got):
    tree.pop(b"lost+found", None)
# A folder that no layer names has no time of its own: unpacking gives it today's.
implicit = set(os.fsencode(n) for n in sys.argv[3:])
differences = 0
for name in sorted(wanted.keys() | got.keys()):
    a, b = wanted.get(name), got.get(name)
    if a and b and name in implicit:
        a["mtime"] = b["mtime"] = 0
    if a == b:
        continue
    differences += 1
    if not a or not b:
        print(name, "only in", sys.argv[1] if a else sys.argv[2])
    else:
        print(name, {k: (a.get(k), b.get(k)) for k in a.keys() | b.keys() if a.get(k) != b.get(k)})
print(f"{len(wanted)} entries, {differences} differences")
sys.exit(differences != 0)
