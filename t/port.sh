# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# A port for a server that cannot be told to choose one itself.

# free_port: prints a port that nobody has, nor the one after it. They are below those that the
# kernel gives to clients, of which the tests make many.
free_port() {
	local port
	while port=$(shuf -i 20000-32000 -n 1) &&
		[ -n "$(ss -Htan "sport = :$port or sport = :$((port + 1))")" ]; do :; done
	echo "$port"
}
