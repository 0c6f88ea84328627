#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Layers that hold everything a layer may hold, as tars.

    make_layers.py FOLDER          writes 1.tar 2.tar 3.tar: a good image
    make_layers.py FOLDER KIND     writes 1.tar: a bad one
"""
import io
import pathlib
import sys
import tarfile

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)


class Layer:
    def __init__(self, name):
        self.tar = tarfile.open(out / name, "w", format=tarfile.PAX_FORMAT, encoding="utf-8",
                                errors="surrogateescape")

    def add(self, name, kind=tarfile.REGTYPE, data=b"", pax=None, **attributes):
        info = tarfile.TarInfo(name)
        info.type = kind
        info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        info.mtime = 1600000000
        info.size = len(data) if kind == tarfile.REGTYPE else 0
        info.pax_headers = dict(pax or {})
        for key, value in attributes.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
        return self

    def folder(self, name, **attributes):
        return self.add(name, tarfile.DIRTYPE, **attributes)

    def link(self, name, target):
        return self.add(name, tarfile.LNKTYPE, linkname=target)

    def symlink(self, name, target):
        return self.add(name, tarfile.SYMTYPE, linkname=target)

    def close(self):
        self.tar.close()


def xattr(name, value):
    return {"SCHILY.xattr." + name: value.decode("utf-8", "surrogateescape")}


def good():
    low = Layer("1.tar")
    low.folder("./", mode=0o755)
    low.folder("etc").folder("usr").folder("usr/bin").folder("opaque").folder("opaque/sub")
    low.add("etc/keep", data=b"keep\n").add("etc/replace", data=b"old" * 5000).add("etc/gone", data=b"x" * 9000)
    low.add("opaque/low", data=b"low").add("opaque/sub/low", data=b"low")
    low.add("usr/bin/tool", data=b"tool" * 3000, mode=0o4755, uid=70000, gid=80000)
    low.link("usr/bin/tool-hard", "usr/bin/tool")
    low.symlink("usr/bin/short", "tool").symlink("usr/bin/long", "/" + "long/" * 30 + "target")
    low.symlink("usr/absolute", "/etc").folder("becomes-file").add("becomes-file/x", data=b"x")
    low.add("becomes-folder", data=b"file").symlink("link-becomes-folder", "etc")
    low.add("dev-char", tarfile.CHRTYPE, devmajor=1, devminor=3)
    low.add("dev-block", tarfile.BLKTYPE, devmajor=259, devminor=70000)
    low.add("fifo", tarfile.FIFOTYPE, mode=0o600)
    low.folder("sticky", mode=0o1777).folder("setgid", mode=0o2775, gid=5)
    low.add("empty").add("zeros", data=b"\0" * 300000)
    low.add("holes", data=b"a" * 4096 + b"\0" * 200000 + b"b" * 5000 + b"\0" * 100000)
    low.add("pages", data=bytes(range(256)) * 700)
    low.add("nanoseconds", pax={"mtime": "1600000000.123456789"})
    low.add("before-1970", pax={"mtime": "-86400.5"}).add("after-2038", pax={"mtime": "5000000000.25"})
    low.add("capability", data=b"c", pax=xattr("security.capability", bytes.fromhex("0100000200040000000000000000000000000000")))
    low.add("user-xattr", data=b"u", pax=xattr("user.one", b"1") | xattr("user.big", b"v" * 900))
    low.folder("acl")
    low.tar.fileobj.flush()
    low.add("names/" + "n" * 255, data=b"long name")
    low.add("names/new\nline", data=b"newline").add("names/ünïcode", data=b"u")
    low.add("names/" + b"\xff\xfe bytes".decode("utf-8", "surrogateescape"), data=b"not utf-8")
    low.folder("many")
    for i in range(3000):
        low.add(f"many/file-{i:05}-{'x' * (i % 60)}")
    low.add("implicit/parents/of/a/file", data=b"i")
    low.folder("deep")
    low.add("deep/" + "/".join(["d"] * 500) + "/end", data=b"deep")
    low.close()

    middle = Layer("2.tar")
    middle.add("etc/replace", data=b"new").add("etc/.wh.gone").folder("opaque").add("opaque/.wh..wh..opq")
    middle.add("opaque/middle", data=b"m").add("becomes-file", data=b"now a file")
    middle.folder("becomes-folder").add("becomes-folder/inside", data=b"i")
    middle.folder("link-becomes-folder").add("link-becomes-folder/inside", data=b"i")
    middle.link("hard-across", "etc/keep").link("usr/tool-again", "usr/bin/tool")
    middle.folder("usr/bin", mode=0o700, uid=3)
    middle.add("usr/absolute/through-link", data=b"through")
    middle.add(".wh.fifo").add("usr/.wh.nothing-there")
    middle.close()

    top = Layer("3.tar")
    top.add("etc/gone", data=b"back again").add("many/.wh.file-00001-x").link("usr/bin/last", "usr/bin/tool")
    top.add("etc/keep", data=b"kept no more\n")
    top.close()


def bad(kind):
    layer = Layer("1.tar")
    if kind == "dotdot":
        layer.add("../../etc/passwd", data=b"evil")
    elif kind == "dotdot-link":
        layer.link("passwd", "../../etc/passwd")
    elif kind == "missing-link":
        layer.link("passwd", "etc/passwd")
    elif kind == "deep":
        layer.add("d/" * 10000 + "end", data=b"x")
    elif kind == "long-name":
        layer.add("n" * 256, data=b"x")
    elif kind == "loop":
        layer.symlink("a", "b").symlink("b", "a").add("a/x", data=b"x")
    elif kind == "big-xattr":
        layer.add("x", data=b"x", pax=xattr("user.huge", b"v" * 60000))
    elif kind == "inside":
        layer.folder("etc").symlink("out", "/../../../etc").add("out/inside", data=b"inside")
        layer.add("/absolute", data=b"absolute")
    elif kind == "folder100k":
        layer.folder("d")
        for i in range(100000):
            layer.add(f"d/{i:06}-{'y' * 30}")
    elif kind == "huge":
        layer.add("x", data=b"x")
    layer.close()


if len(sys.argv) > 2:
    bad(sys.argv[2])
else:
    good()
