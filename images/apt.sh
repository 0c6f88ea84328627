# SPDX-License-Identifier: MPL-2.0
# shellcheck shell=sh
#
# Packages of an architecture that may be another than this machine's: then apt has its lists and
# its idea of what is installed (nothing) in a folder, and the machine's own know nothing of it.
#
#     apt_for arm64 build/images/apt-arm64    # from here on apt-get and apt-cache mean arm64

# Nothing is wrong; only, what is needed cannot be had here and now.
unavailable() {
	echo "${0##*/}: $*" >&2
	exit 10
}

# Lists are as new as the machine's own; without a network, those that are there are good enough.
apt_lists() {
	if [ -e "$1/updated" ] && [ -z "$(find /var/lib/apt/lists -maxdepth 0 -newer "$1/updated")" ]; then
		return
	fi
	apt-get -q -q update >&2 || true
	[ "$(apt-cache pkgnames libc6)" ] ||
		unavailable "no packages of $2 can be had: no network, or the sources of apt have none"
	touch "$1/updated"
}

# The folder is one builder's at a time, as the recipe's is.
apt_for() {
	if [ "$1" = "$(dpkg --print-architecture)" ]; then
		return
	fi
	mkdir -p "$2/lists/partial" "$2/cache/archives/partial"
	apt_folder=$(cd "$2" && pwd)
	: >"$apt_folder/status"
	cat >"$apt_folder/apt.conf" <<-CONF
		#clear APT::Architectures;
		APT::Architecture "$1";
		APT::Architectures { "$1"; };
		APT::Sandbox::User "root";
		Dir::State "$apt_folder";
		Dir::State::status "$apt_folder/status";
		Dir::Cache "$apt_folder/cache";
	CONF
	export APT_CONFIG="$apt_folder/apt.conf"
	exec 8>"$apt_folder/lock"
	flock 8
	apt_lists "$apt_folder" "$1"
}
