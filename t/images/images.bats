#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The images of images/, packed, and a node of Kubernetes made of them. By "make check-images" only:
# it fetches a distribution.

bats_require_minimum_version 1.5.0
load ../lib

setup_file() {
	[ "${FL_CHECK_IMAGES:-}" ] || skip "fetches a distribution; run make check-images"
	export LAYOUT=$FL_BUILD/images-packed FL_STATE_DIR=$BATS_FILE_TMPDIR/state FL_RUN_DIR=$BATS_FILE_TMPDIR/run
	rm -rf "$LAYOUT"
	(cd "$FL_TOP" && OUT=$FL_BUILD/images/packed images/pack.sh "$LAYOUT" >/dev/null)
	VERSION=$(cat "$FL_BUILD/images/packed/kernel/version")
	export VERSION
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	fl down -q --all >/dev/null
	[ -z "$(what_is_left)" ]
}

@test "labels say what an image is" {
	[ "$(jq -r '.manifests[].annotations."org.opencontainers.image.ref.name"' "$LAYOUT/index.json" | sort | xargs)" = \
		"kernel-$VERSION kubernetes-bookworm modules-$VERSION root-bookworm" ]
	for image in "kernel-$VERSION" "modules-$VERSION"; do
		[ "$(skopeo inspect --config "oci:$LAYOUT:$image" | jq -r '.config.Labels."org.opencontainers.image.version"')" = "$VERSION" ]
	done
	[[ "$(skopeo inspect --config "oci:$LAYOUT:kubernetes-bookworm" | jq -r '.config.Labels."dev.liquidmetal.containerd"')" == 1.* ]]
}

@test "pushed to a registry, and fetched from there, they are what they were" {
	. "$FL_TOP/t/registry.sh"
	registry_start "$BATS_TEST_TMPDIR/registry"
	fl-pull push -q "oci:$LAYOUT:kernel-$VERSION" "$REGISTRY/microvm/kernel:$VERSION"
	[ "$(fl-pull get -q "$REGISTRY/microvm/kernel:$VERSION" | jq -r .digest)" = \
		"$(fl-pull get -q "oci:$LAYOUT:kernel-$VERSION" | jq -r .digest)" ]
	registry_stop
}

# kubeadm_package FOLDER: one of that name, and of a version; Debian has none.
kubeadm_package() {
	mkdir -p "$1" kubeadm/DEBIAN
	printf 'Package: kubeadm\nVersion: 1.31.2-1.1\nArchitecture: all\nMaintainer: none <none@localhost>\nDescription: none\n' \
		>kubeadm/DEBIAN/control
	dpkg-deb -b kubeadm "$1/kubeadm.deb" >/dev/null
}

@test "kubeadm in a node's image gives it its tag" {
	kubeadm_package debs
	(cd "$FL_TOP" && OUT=$FL_BUILD/images/packed PROFILE_DEBS=$BATS_TEST_TMPDIR/debs images/pack.sh "$LAYOUT" kubernetes >/dev/null)
	[ "$(skopeo inspect --config "oci:$LAYOUT:kubernetes-1.31.2" | jq -r '.config.Labels."dev.liquidmetal.kubernetes"')" = 1.31.2 ]
}

@test "the kernel as ELF and packed, and its modules at the top of their image" {
	fl-pull get -q "oci:$LAYOUT:kernel-$VERSION" "oci:$LAYOUT:modules-$VERSION" >/dev/null
	fl-snap file "oci:$LAYOUT:kernel-$VERSION" boot/vmlinux elf
	[ "$(head -c 4 elf)" = $'\177ELF' ]
	fl-snap file "oci:$LAYOUT:kernel-$VERSION" boot/vmlinuz packed
	[ "$(dd if=packed bs=1 skip=514 count=4 status=none)" = HdrS ]
	fl-snap file "oci:$LAYOUT:modules-$VERSION" modules.dep dep
	grep -q '/br_netfilter.ko:' dep
}

@test "docs/images.md: its commands, one after another" {
	. "$FL_TOP/t/registry.sh"
	registry_start "$BATS_TEST_TMPDIR/registry"
	export -f apt
	kubeadm_package debs
	mkdir -p profile/files/etc
	echo tree >profile/packages
	echo mine >profile/files/etc/motd
	sed -n 's/^    //p' "$FL_TOP/docs/images.md" |
		sed "s|/usr/share/flintlock/images|$FL_TOP/images|; s|registry\.example|$REGISTRY|; s|kernel-6\.1\.0-[0-9]*-cloud-amd64|kernel-$VERSION|" >script
	[ "$(grep -c . script)" -ge 5 ]
	OUT=$FL_BUILD/images/packed bash -eux script
	fl-pull get -q "$REGISTRY/microvm/kernel:6.1.0-42" oci:layout:kubernetes-1.31.2 oci:layout:mine
	fl-snap file oci:layout:mine etc/motd motd
	[ "$(cat motd)" = mine ]
	registry_stop
}

# What a document has installed is there, but for the packages themselves, and what stand-ins do.
apt() {
	local package
	for package in "${@:2}"; do
		case $package in *.deb | apache2-utils) ;; *) dpkg -s "$package" >/dev/null ;; esac
	done
}

htpasswd() { # -Bbc FILE USER PASSWORD
	python3 -W ignore -c 'import crypt, sys; print(sys.argv[2] + ":" + crypt.crypt(sys.argv[3],
		crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' "${@:2}" >"$2"
}

systemctl() {
	local server
	server=$(cat registry.pid 2>/dev/null) || true
	[ -z "$server" ] || { kill "$server" && while is_alive "$server"; do sleep 0.1; done; }
	docker-registry serve registry/config.yml >registry.log 2>&1 3>&- &
	echo $! >registry.pid
	for _ in {1..100}; do ! curl -s 127.0.0.1:5000 >/dev/null || return 0; sleep 0.1; done
	return 1
}

@test "docs/first-microvm.md: its commands, one after another, to a login" {
	unshare -n true 2>/dev/null || skip "no right to make a network namespace"
	mkdir -p build/images registry/store
	ln -s "$FL_BUILD/images/packed" "build/images/$(dpkg --print-architecture)"
	sed "s|/var/lib/docker-registry|$PWD/registry/store|; s|/etc/docker/registry|$PWD/registry|" /etc/docker/registry/config.yml >registry/config.yml
	sed -n 's/^    //p' "$FL_TOP/docs/first-microvm.md" |
		sed "s|/usr/share/flintlock/images|$FL_TOP/images|; s|/etc/docker/registry|$PWD/registry|g; s|^fl up|& --accel tcg|" >script
	[ "$(grep -c . script)" -ge 20 ]
	export -f apt htpasswd systemctl is_alive
	HOME=$PWD OUT=$PWD/build/images/$(dpkg --print-architecture) \
		unshare -n bash -euxc 'ip link set lo up; . ./script; kill "$(cat registry.pid)"' >said
	grep "^Linux .* ${VERSION} " said
	for image in kernel root; do [ -d "registry/store/docker/registry/v2/repositories/microvm/$image" ]; done
}

@test "a node: containerd runs, and the kernel is as kubeadm asks" {
	cat >user-data <<-'END'
		#cloud-config
		runcmd:
		  - [sh, -c, "echo node: containerd $(systemctl is-active containerd) >/dev/console"]
		  - [sh, -c, "echo node: sysctl $(sysctl -n net.bridge.bridge-nf-call-iptables net.ipv4.ip_forward | xargs) >/dev/console"]
		  - [sh, -c, "echo node: version $(ctr version | grep -c Revision) >/dev/console"]
		  - [sh, -c, "echo node: group $(containerd config dump | grep -c 'SystemdCgroup = true') >/dev/console"]
		  - [sh, -c, "echo node: tools $(which conntrack socat ethtool ebtables iptables runc | wc -l) >/dev/console"]
		  - [sh, -c, "echo node: modules $(grep -c lib/modules/$(uname -r) /proc/mounts) >/dev/console"]
		  - [sh, -c, "echo node: swap $(swapon --show | wc -l) >/dev/console"]
	END
	fl spec --name node --kernel "oci:$LAYOUT:kernel-$VERSION" --initrd "oci:$LAYOUT:kernel-$VERSION" \
		--root "oci:$LAYOUT:kubernetes-bookworm" --root-size 6G --memory 1024 --cmdline quiet --user-data user-data |
		jq -c --arg image "oci:$LAYOUT:modules-$VERSION" --arg at "/lib/modules/$VERSION" \
			'.additional_volumes = [{id: "modules", is_read_only: true, mount_point: $at,
				source: {container_source: $image}}]' |
		fl up -q >/dev/null
	fl-run wait default/node --for=cloud-init --timeout 500s
	[ "$(fl inspect --json node | jq -r .host.vmm.cloud_init)" = "done" ]
	fl console node --print >console
	grep -a 'node: ' console
	grep -aq 'node: containerd active' console
	grep -aq 'node: sysctl 1 1' console
	grep -aq 'node: version 2' console
	grep -aq 'node: group 1' console
	grep -aq 'node: tools 6' console
	grep -aq 'node: modules 1' console
	grep -aq 'node: swap 0' console
}
