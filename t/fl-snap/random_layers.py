#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Random layers that build on each other, as tars; the same for the same seed.

    random_layers.py SEED FOLDER      writes 1.tar, 2.tar, …, and "timeless": the folders that no
                                      layer names, which have no time of their own, and those
                                      in which umoci made or removed something beside what the
                                      layer says, which have today's
"""
import io
import pathlib
import random
import sys
import tarfile

seed, out = int(sys.argv[1]), pathlib.Path(sys.argv[2])
rnd = random.Random(seed)
out.mkdir(parents=True, exist_ok=True)

FILE, FOLDER, SYMLINK, FIFO = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE
CHAR, BLOCK, LINK = tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.LNKTYPE
KINDS = [FILE] * 10 + [FOLDER] * 5 + [SYMLINK] * 3 + [FIFO, CHAR, BLOCK]
names = (f"n{i}" for i in range(10 ** 9))


class Tree:
    """What the layers so far make together: path -> kind. "" is the root."""

    def __init__(self):
        self.kinds = {"": FOLDER}
        self.timeless = set()

    def below(self, path):
        return [p for p in self.kinds if p.startswith(path + "/" if path else "") and p != path]

    def remove(self, path):
        for p in [*self.below(path), path]:
            self.kinds.pop(p, None)
            self.timeless.discard(p)


class Layer:
    def __init__(self, tree, number):
        self.tree, self.touched = tree, set()
        self.tar = tarfile.open(out / f"{number}.tar", "w", encoding="utf-8", errors="surrogateescape",
                                format=rnd.choice([tarfile.PAX_FORMAT] * 3 + [tarfile.GNU_FORMAT]))

    # Paths of lower layers that nothing of this layer depends on.
    def untouched(self, wanted=lambda kind: True):
        return [p for p, kind in self.tree.kinds.items()
                if p and wanted(kind) and not any(t == p or t.startswith(p + "/") or p.startswith(t + "/")
                                                  for t in self.touched)]

    def folders(self):
        return [p for p, kind in self.tree.kinds.items() if kind == FOLDER]

    def put(self, path, kind, linkname="", data=b""):
        info = tarfile.TarInfo(("./" if rnd.random() < .3 else "") + path + ("/" if kind == FOLDER and rnd.random() < .5 else ""))
        info.type, info.linkname, info.size = kind, linkname, len(data)
        info.mode = rnd.choice([0o755, 0o644, 0o600, 0o4755, 0o2755, 0o1777, 0, rnd.randrange(0o10000)])
        if kind == FOLDER:
            info.mode &= ~0o2000  # what umoci makes below inherits
        info.uid, info.gid = (rnd.choice([0, 1000, 65534, 2000000]) for _ in range(2))
        info.mtime = rnd.randrange(0, 2 ** 32)
        if kind in (CHAR, BLOCK):
            info.devmajor, info.devminor = rnd.choice([(1, 3), (259, 70000), (4095, 255)])
        if self.tar.format == tarfile.PAX_FORMAT:
            info.pax_headers = self.extras(info, kind)
        self.tar.addfile(info, io.BytesIO(data) if data else None)

    def extras(self, info, kind):
        headers = {}
        if rnd.random() < .3:
            headers["mtime"] = f"{rnd.choice(['', '-'])}{rnd.randrange(1, 2 ** 31)}.{rnd.randrange(10 ** 9):09}"
        if kind in (FILE, FOLDER):
            for i in range(rnd.choice([0, 0, 0, 1, 2, 5])):
                headers[f"SCHILY.xattr.user.x{i}"] = "v" * rnd.choice([1, 20, 300])
        if kind == FILE and rnd.random() < .1:
            headers["SCHILY.xattr.security.capability"] = "\1\0\0\2\0\4" + "\0" * 14
        return headers

    def content(self):
        how = rnd.random()
        if how < .2:
            return b""
        if how < .3:
            return b"a" * rnd.randrange(1, 5000) + b"\0" * rnd.randrange(200000) + rnd.randbytes(rnd.randrange(9000))
        return rnd.randbytes(rnd.choice([1, 100, 4096, 4097, 60000, rnd.randrange(200000)]))

    def name(self):
        name = next(names)
        how = rnd.random()
        if how < .05:
            return name + "x" * rnd.choice([90, 100, 200, 255 - len(name)])
        if how < .1:
            return name + rnd.choice(["ü", "\n", " ", "\udcff\udcfe", "'\"", "\\"])
        return name

    def note(self, path, kind):
        self.tree.kinds[path] = kind
        self.tree.timeless.discard(path)
        self.touched.add(path)

    def fill(self, path, kind):
        target = rnd.choice(["/" + "t" * rnd.choice([1, 58, 59, 60, 61, 200]), "../x", ".", *list(self.tree.kinds)[1:4]])
        self.put(path, kind, target if kind == SYMLINK else "", self.content() if kind == FILE else b"")
        self.note(path, kind)

    def parent(self):
        path = rnd.choice(self.folders())
        # Folders that are not named themselves.
        for _ in range(rnd.choice([0] * 9 + [1, 3])):
            self.tree.timeless.add(path)
            path = f"{path}/{self.name()}".lstrip("/")
            self.note(path, FOLDER)
            self.tree.timeless.add(path)
        return path

    def add(self):
        self.fill(f"{self.parent()}/{self.name()}".lstrip("/"), rnd.choice(KINDS))

    def many(self):
        folder = self.parent()
        for _ in range(rnd.choice([20, 300])):
            self.fill(f"{folder}/{self.name()}".lstrip("/"), FILE if rnd.random() < .02 else FIFO)

    def replace(self):
        if paths := self.untouched():
            path, kind = rnd.choice(paths), rnd.choice(KINDS)
            if not (kind == FOLDER and self.tree.kinds[path] == FOLDER):
                self.tree.remove(path)
            self.fill(path, kind)

    def whiteout(self):
        if paths := self.untouched():
            path = rnd.choice(paths)
            folder, _, name = path.rpartition("/")
            self.put(f"{folder}/.wh.{name}".lstrip("/"), FILE)
            self.tree.remove(path)
            self.touched.add(path)
            self.tree.timeless.add(folder)

    def whiteout_of_nothing(self):
        folder = rnd.choice(self.folders())
        self.put(f"{folder}/.wh.{self.name()}".lstrip("/"), FILE)
        self.tree.timeless.add(folder)

    def opaque(self):
        if paths := self.untouched(lambda kind: kind == FOLDER):
            path = rnd.choice(paths)
            for p in self.tree.below(path):
                self.tree.remove(p)
            self.fill(path, FOLDER)
            before = rnd.random() < .5
            if before:
                self.put(f"{path}/.wh..wh..opq", FILE)
            for _ in range(rnd.randrange(4)):
                self.fill(f"{path}/{self.name()}", rnd.choice(KINDS))
            if not before:
                self.put(f"{path}/.wh..wh..opq", FILE)
            self.tree.timeless.add(path)

    def link(self):
        if files := [p for p, kind in self.tree.kinds.items() if kind == FILE]:
            target, path = rnd.choice(files), f"{rnd.choice(self.folders())}/{self.name()}".lstrip("/")
            self.put(path, LINK, target)
            self.note(path, FILE)
            self.touched.add(target)

    def root(self):
        self.put("./", FOLDER)


tree = Tree()
for number in range(1, rnd.randrange(2, 7)):
    layer = Layer(tree, number)
    if number == 1 or rnd.random() < .3:
        layer.root()
    actions = [layer.add] * 12 + [layer.link] * 2 + [layer.whiteout_of_nothing]
    if number > 1:
        actions += [layer.replace] * 3 + [layer.whiteout] * 4 + [layer.opaque]
    for _ in range(rnd.randrange(5, 60)):
        rnd.choice(actions)()
    if rnd.random() < .3:
        layer.many()
    layer.tar.close()
(out / "timeless").write_bytes(b"".join(p.encode("utf-8", "surrogateescape") + b"\0" for p in sorted(tree.timeless)))
