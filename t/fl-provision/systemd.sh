#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
# Run in the lab: a host with a real systemd, installed, provisioned, restarted, and taken back.
#     systemd.sh host            boots systemd twice, in a container; each boot runs what follows
#     systemd.sh boot 1|2
set -eux

self=$(realpath "$0")
top=$(dirname "$(dirname "$(dirname "$self")")")
note=/var/lib/lab-systemd

# shellcheck source=t/lab/systemd.bash
. "$top/t/lab/systemd.bash"

created() {
	for _ in $(seq 30); do
		[ "$(fl ls --json | jq -r .state)" != CREATED ] || return 0
		sleep 1
	done
	fl ls
	journalctl --no-pager -u fl-serve | tail -n 20
	return 1
}

named() { # NAME ADDRESS
	for _ in $(seq 30); do
		[ "$(python3 "$top/t/fl-net/ask-dns.py" "$1" 10.77.0.1)" != "$2" ] || return 0
		sleep 1
	done
	journalctl --no-pager -u fl-dns@flbr0 | tail -n 20
	return 1
}

# Names and addresses, under all that holds the unit: a guest of no cloud-init is a namespace here.
serve_names() {
	local mac pid
	fl-net bridge create flbr0 --address 10.77.0.1/24 --nat --domain fl.test
	systemctl start fl-dns@flbr0.service
	named vm0.fl.test 10.77.0.2
	jq '.id = "bare"' "$note/spec" | fl-net up >"$note/bare"
	named bare.fl.test 10.77.0.3
	mac=$(jq -r '.host.network[].mac' "$note/bare")
	ip netns add bare
	ip link add to-bare type veth peer name eth0 address "$mac" netns bare
	ip link set to-bare master flbr0 up
	ip -n bare link set eth0 up
	cat >"$note/told.sh" <<-'END'
		#!/bin/sh
		[ "$1" != bound ] || echo "$ip $router $dns"
	END
	chmod +x "$note/told.sh"
	[ "$(ip netns exec bare busybox udhcpc -i eth0 -n -q -f -t 10 -s "$note/told.sh")" = "10.77.0.3 10.77.0.1 10.77.0.1" ]
	ip link del to-bare
	ip netns del bare
	fl-net down bare >/dev/null
	named bare.fl.test NXDOMAIN
	[ "$(pidof dnsmasq | wc -w)" = 2 ]
	for pid in $(pidof dnsmasq); do
		if grep -q $'^Uid:\t0' "/proc/$pid/status"; then return 1; fi
	done
}

case $1 in
host)
	make -s -C "$top" install PREFIX=/usr >/dev/null
	# The service sees neither /tmp nor /var/tmp.
	cp "$top/build/drivers/fake-vmm" /usr/local/bin/
	mkdir -p "$note"
	systemd-sysusers /usr/lib/sysusers.d/flintlock.conf
	under_systemd "$note" 200 "$self" boot 1
	ip link del flbr0
	under_systemd "$note" 200 "$self" boot 2
	echo all good
	;;
boot)
	export PATH=/usr/bin:/usr/sbin:/bin:/sbin
	unset FL_RUN_DIR
	# Where the units do not look by themselves.
	export FL_STATE_DIR=/home/microvms
	if [ "$2" = 1 ]; then
		printf 'qemu: /usr/local/bin/fake-vmm\naccel: tcg\nenable-http: "true"\nhttp-endpoint: "127.0.0.1:8090"\nimage-roots: %s\n' \
			"$note" >"$note/config.yaml"
		find /etc/flintlock /etc/systemd/system 2>/dev/null | sort >"$note/before"
		fl-provision all -s --skip firecracker,cloudhypervisor -y -a 127.0.0.1 -f "$note/config.yaml"
		systemctl is-active fl-provision.service fl-serve.service
		# shellcheck source=t/lib.bash
		. "$top/t/lib.bash"
		PATH=/usr/bin:$PATH
		IMAGES=$note/images
		small_images "$IMAGES"
		small_spec vm0 --memory 1024 --bridge flbr0 >"$note/spec"
		ask /v1alpha1/microvm -d "@$note/spec"
		created
		# Beside TLS and token, for a group: a file.
		[ "$(stat -c "%a %G" /run/flintlock/serve.sock)" = "660 flintlock" ]
		printf "\0\0\0\0\0" | curl -sv --http2-prior-knowledge --unix-socket /run/flintlock/serve.sock \
			-H "content-type: application/grpc" --data-binary @- \
			http://host/microvm.services.api.v1alpha1.MicroVM/ListMicroVMs 2>&1 >/dev/null | grep "grpc-status: 0"
		ss -Hltn | grep 127.0.0.1:9090
		# What a shell takes away leaves the service what it needs for the next.
		fl down -q default/vm0 >/dev/null
		ask /v1alpha1/microvm -d "@$note/spec"
		created
		vmm=$(fl inspect default/vm0 | jq .host.vmm.pid)
		# In a control group of its own, not the service's; under the service's seccomp.
		grep -q "fl.slice/.*/vmm" "/proc/$vmm/cgroup"
		grep -q '^Seccomp:.2' "/proc/$vmm/status"
		serve_names
		systemctl restart fl-serve.service
		ask /v1alpha1/microvm | grep -q CREATED
		[ "$(fl inspect default/vm0 | jq .host.vmm.pid)" = "$vmm" ]
		# With settings that are new it is started again.
		for port in 8091 8090; do
			sleep 1.1
			sed -i "s/:809[01]/:$port/" /etc/flintlock/config.yaml
			fl-provision all -s --skip firecracker,cloudhypervisor -y -a 127.0.0.1 -f "$note/config.yaml"
			timeout 10 bash -c "until ss -Hltn | grep -q 127.0.0.1:$port; do sleep 0.1; done"
		done
		# A token that is new is read without that.
		server=$(systemctl show -p MainPID --value fl-serve.service)
		sleep 1.1
		openssl rand -hex 32 >>/etc/flintlock/tokens
		fl-provision plan --only flintlock -a 127.0.0.1 | grep "certificates and tokens again"
		fl-provision flintlock -a 127.0.0.1
		ask /v1alpha1/microvm | grep -q CREATED
		[ "$(systemctl show -p MainPID --value fl-serve.service)" = "$server" ]
		if fl-provision plan --only flintlock -a 127.0.0.1 | grep "certificates and tokens again"; then exit 1; fi
		sed -i '$d' /etc/flintlock/tokens
		systemctl stop fl-serve.service
		is_alive "$vmm"
	else
		# All that the last boot had is gone but for what is on the disk.
		if ip link show flbr0; then exit 1; fi
		# Who serves its names makes the bridge again.
		systemctl start fl-dns@flbr0.service
		named vm0.fl.test 10.77.0.2
		FL_BOOT_ID=second systemctl start fl-restore.service fl-serve.service
		ip -o -4 address show flbr0 | grep 10.77.0.1/24
		created
		fl down -q default/vm0 >/dev/null
		systemctl stop fl-dns@flbr0.service
		[ -z "$(pidof dnsmasq)" ]
		fl-provision undo
		if ss -Hxl | grep serve.sock; then exit 1; fi
		if systemctl is-active fl-serve.service || systemctl is-enabled fl-serve.service; then exit 1; fi
		find /etc/flintlock /etc/systemd/system 2>/dev/null | sort | diff - "$note/before"
		if ip link show flbr0; then exit 1; fi
	fi
	;;
esac
