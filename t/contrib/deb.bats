#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The Debian packages: clean, whole, and installed into a root of their own. By "make
# check-deb" only: it builds them and fetches a distribution.

bats_require_minimum_version 1.5.0
load ../lib
load deb

setup_file() {
	[ "${FL_CHECK_DEB:-}" ] || skip "builds packages and fetches a distribution; run make check-deb"
	is_sanitized && skip "packages are not built with sanitizers"
	export DEB=$FL_TOP/build/deb
	"$FL_TOP/contrib/deb.sh" "$DEB"
	for package in tools serve; do
		dpkg-deb -x "$DEB"/flintlock-${package}_*.deb "$BATS_FILE_TMPDIR/$package"
		# Together, too: programs look for each other beside themselves.
		dpkg-deb -x "$DEB"/flintlock-${package}_*.deb "$BATS_FILE_TMPDIR/root"
	done
	export ROOT=$BATS_FILE_TMPDIR/root
}

@test "lintian has nothing to say" {
	run lintian --allow-root --fail-on error,warning "$DEB"/*.changes
	echo "$output"
	[ "$status" = 0 ]
	[ -z "$(grep '^[EW]:' <<<"$output")" ]
}

@test "every program is in one package, with its man page and completion" {
	for program in "$FL_BUILD"/bin/*; do
		name=${program##*/}
		[ -x "$ROOT/usr/bin/$name" ]
		[ -s "$ROOT/usr/share/man/man8/$name.8.gz" ]
		bash -n "$ROOT/usr/share/bash-completion/completions/$name"
		grep -q "^#compdef $name" "$ROOT/usr/share/zsh/vendor-completions/_$name"
		grep -q "complete .*$name" "$ROOT/usr/share/fish/vendor_completions.d/$name.fish"
	done
	for page in "$FL_TOP"/man/*.scd; do
		name=$(basename "$page" .scd)
		[ -s "$ROOT/usr/share/man/man${name##*.}/$name.gz" ]
	done
	[ "$(cd "$BATS_FILE_TMPDIR" && comm -12 <(cd tools && find . -type f | sort) <(cd serve && find . -type f | sort))" = "" ]
	[ -x "$ROOT/usr/libexec/flintlock/fl-supervise" ]
}

@test "programs run from there, and find each other and their data" {
	own_state "$BATS_TEST_TMPDIR"
	for program in "$ROOT"/usr/bin/*; do
		"$program" --version
	done
	run "$ROOT/usr/bin/fl" doctor --json
	[ "$(jq -r 'select(.check == "supervisor").level' <<<"$output")" = ok ]
	run "$ROOT/usr/bin/fl-provision" plan --only firecracker
	[[ "$output" == *make*/usr/local/bin/jailer* ]]
}

@test "units and examples are those of the tree" {
	for unit in "$FL_TOP"/contrib/systemd/*; do
		cmp "$unit" "$ROOT/lib/systemd/system/${unit##*/}"
	done
	cmp "$FL_TOP/contrib/sysusers/flintlock.conf" "$ROOT/usr/lib/sysusers.d/flintlock.conf"
	for document in README.md first-microvm.md images.md examples/vm1.json examples/web.json; do
		[ -s "$ROOT/usr/share/doc/flintlock-tools/$document" ]
	done
	[ -e "$ROOT/usr/share/doc/flintlock-serve/examples/grafana/flintlock.json" ]
	[ -e "$ROOT/usr/share/doc/flintlock-serve/examples/prometheus/alerts.yml" ] ||
		[ -e "$ROOT/usr/share/doc/flintlock-serve/examples/prometheus/alerts.yml.gz" ]
}

# With processes of its own: systemd's tools want /proc.
inside() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --pid --fork sh -euc 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"' "$root" \
		env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -euc "$1"
}

# What runs is told apart from what starts: by the file it was started from, which is gone then.
upgraded_under_a_microvm() {
	cp "$FL_BUILD/drivers/fake-vmm" "$root/usr/local/bin/"
	newer_packages "$DEB" "$root/later"
	inside '
		export FL_STATE_DIR=/tmp/state FL_RUN_DIR=/tmp/run
		from=oci:/images/layout
		fl spec --name vm --kernel $from:kernel --initrd $from:kernel --root $from:root --root-size 16M |
			fl up -q --qemu /usr/local/bin/fake-vmm --accel tcg --settle 100ms >/dev/null
		supervisor=$(for one in /proc/[0-9]*; do
			case $(readlink "$one/exe") in */fl-supervise) echo "${one#/proc/}" ;; esac
		done)
		[ "$supervisor" ]
		dpkg -i /later/*.deb >/dev/null
		dpkg-query -W -f "\${Version}" flintlock-tools | grep -q later
		case $(readlink "/proc/$supervisor/exe") in *deleted*) ;; *) exit 1 ;; esac
		fl ls | grep -w vm | grep -qw running
		fl pause vm
		fl ls | grep -w vm | grep -qw paused
		fl resume vm
		echo words | fl console vm --detach none >/dev/null
		fl console vm --print | grep -q words
		fl-run metrics vm >/dev/null
		fl stop -q vm
		fl start -q vm --qemu /usr/local/bin/fake-vmm --accel tcg --settle 100ms
		fl ls | grep -w vm | grep -qw running
		fl down -q vm
		[ -z "$(ls /tmp/state/vm)" ]'
}

@test "installed, installed again, upgraded, removed and purged in a root of its own" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	root=$BATS_TEST_TMPDIR/root
	mmdebstrap --quiet --variant=minbase --include=systemd bookworm "$root"
	mkdir "$root/debs"
	export IMAGES=$root/images
	small_images "$IMAGES"
	cp "$DEB"/*.deb "$root/debs"
	inside 'apt-get -qq update'
	inside 'apt-get -qq --no-install-recommends install -y /debs/*.deb >/dev/null'
	inside 'fl --version; getent group flintlock; [ -d /var/lib/flintlock ]'
	inside 'systemctl is-enabled fl-restore.service'
	[ "$(inside 'systemctl is-enabled fl-serve.service || true')" = disabled ]
	# A host made by fl-provision is enabled, and stays so when the package comes again.
	inside 'fl-provision flintlock -q -a 127.0.0.1; systemctl is-enabled fl-serve.service; fl-serve run --check-config'
	inside 'dpkg -i /debs/*.deb >/dev/null; systemctl is-enabled fl-serve.service; [ -s /etc/flintlock/config.yaml ]'
	upgraded_under_a_microvm
	# What only the programs can take away is told before they go.
	small_spec left | sed "s|$IMAGES|/images|g" >"$root/spec"
	inside 'fl-pull up -q /spec >/dev/null'
	inside 'apt-get -qq remove -y flintlock-serve flintlock-tools 2>&1' >"$BATS_TEST_TMPDIR/removed"
	grep 'before the package goes: fl down --all' "$BATS_TEST_TMPDIR/removed"
	grep 'before the package goes: fl-provision undo' "$BATS_TEST_TMPDIR/removed"
	inside 'dpkg -i /debs/*.deb >/dev/null; fl down -q --all >/dev/null'
	inside 'fl-provision undo -q; [ ! -e /etc/flintlock ]'
	inside 'apt-get -qq purge -y flintlock-serve flintlock-tools >/dev/null'
	[ -z "$(inside 'dpkg -l | grep flintlock || true')" ]
	[ -z "$(find "$root/usr" "$root/lib/" "$root/etc" -name '*flintlock*' -o -name 'fl-*' | grep -v /dpkg/)" ]
}

names() { # PACKAGE.deb
	dpkg-deb --fsys-tarfile "$1" | tar -t | sort
}

@test "those of arm64, built here, hold the same, can be installed, and run" {
	[ "$(dpkg --print-architecture)" != arm64 ] || skip "arm64 is this machine's own"
	make -s -C "$FL_TOP" deps ARCH=arm64
	make -s -C "$FL_TOP" deb ARCH=arm64
	local other=$FL_TOP/build-arm64/deb package program
	run lintian --allow-root --fail-on error,warning "$other"/*.changes
	[ "$status" = 0 ]
	[ -z "$(grep '^[EW]:' <<<"$output")" ]
	for package in tools serve; do
		diff <(names "$DEB"/flintlock-${package}_*.deb) <(names "$other"/flintlock-${package}_*.deb)
		dpkg-deb -x "$other"/flintlock-${package}_*.deb "$BATS_TEST_TMPDIR/root"
	done
	for program in "$BATS_TEST_TMPDIR"/root/usr/bin/*; do
		qemu-aarch64-static -L "$FL_TOP/build/sysroot-arm64" "$program" --version
	done
	# Every library of theirs is of a package that apt finds.
	APT_CONFIG=$FL_TOP/build/apt-arm64/apt.conf apt-get -qq --simulate --no-install-recommends install "$other"/*.deb \
		>"$BATS_TEST_TMPDIR/simulated"
	grep '^Inst flintlock-tools ' "$BATS_TEST_TMPDIR/simulated"
	grep '^Inst libcurl4 ' "$BATS_TEST_TMPDIR/simulated"
}
