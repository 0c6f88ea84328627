#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Draws what bench/images.sh measured: each ratio as a bar, with the bar that must be met.
#     bench/plot.sh BUILD FILE.svg
set -eu

build=$(realpath "$1")
command -v gnuplot >/dev/null ||
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gnuplot-nox >/dev/null
awk -F'\t' '$4 != "" && $1 !~ /^the same|times|twice/' "$build/bench-images.tsv" >"$build/plot.tsv"
gnuplot <<PLOT
set terminal svg size 900,420 font "sans-serif,13" background "white"
set output "$2"
set datafile separator "\t"
set title "seconds of ours for one second of the peer (less is better; the mark is what must be met)"
set style fill solid 0.8
set yrange [-0.7:*] reverse
set xrange [0:*]
set ytics nomirror
set grid xtics
unset key
plot "$build/plot.tsv" using (\$4/2):0:(\$4/2):(0.35):ytic(1) with boxxyerror lc rgb "#4477aa", \
	"" using 5:0 with points pt 2 ps 1.2 lw 2 lc rgb "#cc3311", \
	"" using 4:0:(sprintf("  %.2f", \$4)) with labels left
PLOT
rm "$build/plot.tsv"
