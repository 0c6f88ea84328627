#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The table of bench/images.sh: medians of what it measured, their ratios, and the bars.

    images.py FOLDER OUT      prints the table; OUT gets it as tab separated values
"""
import pathlib
import statistics
import sys

work, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
median = {p.stem: statistics.median(map(float, p.read_text().split())) for p in work.glob("*.times")}
kib = {p.stem: int(p.read_text()) for p in work.glob("*.kib")}

# What is measured, ours, the peer, the bar that must be met, and the one aimed at.
rows = [
    ("registry -> store + ext4 / containerd pull (overlayfs)", "ours", "containerd", .20, .12),
    ("  the same, until it is on disk", "ours-sync", "containerd-sync", .20, .12),
    ("  the same, zstd", "ours-zstd", "containerd-zstd", .20, .12),
    ("  the same, four times the input", "ours-large", "containerd-large", .20, .12),
    ("registry -> store + ext4 / skopeo + umoci + mke2fs -d", "ours", "unpacked", .12, .07),
    ("  the same, until it is on disk", "ours-sync", "unpacked-sync", .12, .07),
    ("  the same, four times the input", "ours-large", "unpacked-large", .12, .07),
    ("fl-pull get / skopeo copy", "pull", "skopeo", .8, .6),
    ("  the same, until it is on disk", "pull-sync", "skopeo-sync", .8, .6),
    ("  the same, zstd", "pull-zstd", "skopeo-zstd", .8, .6),
    ("  the same, four times the input", "pull-large", "skopeo-large", .8, .6),
    ("registry -> store + ext4 / what two cores need", "ours", "bound", 1.8, 1.3),
    ("twice the input / once", "ours-two", "ours", 2.2, 2),
    ("four times the input / once", "ours-four", "ours", 4.4, 4),
    ("fl-snap create / cp --reflink (XFS)", "create-xfs-one", "cp-xfs-one", 2.5, 1.2),
    ("  the same, four times the input", "create-xfs-four", "cp-xfs-four", 2.5, 1.2),
    ("fl-snap create / cp --sparse (ext4)", "create-ext4-one", "cp-ext4-one", 1.0, .7),
    ("fl-pull get, already there / curl --version", "have", "curl", 1.5, 1.1),
    ("one file, in the upper layer / building the base", "above", "above-base", .5, .2),
    ("  the same, lowest layer", "below", "below-base", .5, .2),
    ("  the same, nine tenths of the image", "alone", "alone-base", .5, .2),
]
lines = []
print(f"{'seconds, medians':56} {'ours':>8} {'peer':>8} {'ratio':>6}")
for name, ours, peer, must, aim in rows:
    if ours not in median or peer not in median:
        continue
    ratio = median[ours] / median[peer]
    word = "" if ratio <= aim else "(aim missed)" if ratio <= must else "(MISSED)"
    print(f"{name:56} {median[ours]:8.4f} {median[peer]:8.4f} {ratio:6.2f}  must {must:4} aim {aim:4} {word}")
    lines.append(f"{name.strip()}\t{median[ours]:.4f}\t{median[peer]:.4f}\t{ratio:.3f}\t{must}\t{aim}")
per_entry = (kib["entries3"] - kib["entries1"]) * 1024 / 200000
for name, value, must, aim in (("anonymous memory of fl-pull, MiB", kib["pull"] / 1024, 24, 12),
                               ("of fl-snap at 100,000 entries, MiB", kib["entries1"] / 1024, 64, 32),
                               ("per further entry, bytes", per_entry, 250, 150)):
    word = "" if value <= aim else "(aim missed)" if value <= must else "(MISSED)"
    print(f"{name:56} {value:8.1f}                  must {must:4} aim {aim:4} {word}")
    lines.append(f"{name}\t{value:.1f}\t\t\t{must}\t{aim}")
out.write_text("\n".join(lines) + "\n")
