# shellcheck shell=bash
# SPDX-License-Identifier: MPL-2.0
# In the lab: a real systemd, in a container, since the lab's own first process is another; and
# what fl-serve answers there.

# under_systemd FOLDER SECONDS COMMAND…: systemd is started as at boot, and runs the command; what
# that says is printed, and its status is this one's. Both are kept in FOLDER.
under_systemd() {
	local folder=$1 limit=$2 status=124 systemd
	shift 2
	rm -f "$folder/status"
	: >"$folder/output"
	printf '%q ' "$@" >"$folder/command"
	# What is written below /run is gone with systemd. The project may lie below /tmp, which a boot
	# would empty.
	# shellcheck disable=SC2016 # expanded by the inner shell
	FOLDER=$folder unshare --pid --fork --kill-child --mount --cgroup --mount-proc bash -c '
		mount -t tmpfs tmpfs /run
		umount /sys/fs/cgroup
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		units=/run/systemd/system
		mkdir -p $units/lab.target.wants /run/tmpfiles.d
		ln -s /dev/null /run/tmpfiles.d/tmp.conf
		ln -s /dev/null $units/tmp.mount
		ln -s ../lab.service $units/lab.target.wants/
		printf "[Unit]\nWants=basic.target\nAfter=basic.target\n" >$units/lab.target
		printf "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=%s\n" \
			"/bin/bash -c '\''/bin/bash $FOLDER/command >$FOLDER/output 2>&1; echo \$\$? >$FOLDER/status'\''" >$units/lab.service
		exec env container=lab /lib/systemd/systemd --unit=lab.target --show-status=false --log-target=null' &
	systemd=$!
	tail --pid=$systemd -f "$folder/output" &
	for _ in $(seq "$limit"); do
		[ ! -s "$folder/status" ] || break
		sleep 1
	done
	kill -9 $systemd
	# Whom bash would tell of is known.
	wait 2>/dev/null || true
	[ ! -s "$folder/status" ] || status=$(cat "$folder/status")
	return "$status"
}

# fl-serve, as fl-provision made it ready, asked over TLS with the client's certificate and token.
ask() { # PATH [curl's options…]
	local path=$1
	shift
	curl -sSf --cacert /etc/flintlock/pki/ca.pem --cert /etc/flintlock/pki/client.pem --key /etc/flintlock/pki/client.key \
		-H "Authorization: Bearer $(grep -m1 -v '^#' /etc/flintlock/tokens)" "$@" "https://127.0.0.1:8090$path"
}
