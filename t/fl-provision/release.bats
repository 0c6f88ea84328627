#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# VMMs of a release: from a folder, from a mirror, and never without the right digest.

bats_require_minimum_version 1.5.0
load provision

setup_file() {
	provision_setup_file
	FC=firecracker-v9.9.9-$(uname -m).tgz
	CH=cloud-hypervisor-static
	[ "$(uname -m)" = x86_64 ] || CH=$CH-$(uname -m)
	export FC CH DIR=$BATS_FILE_TMPDIR/dir
	release=release-v9.9.9-$(uname -m)
	mkdir -p "$BATS_FILE_TMPDIR/$release" "$DIR"
	printf '#!/bin/sh\necho "Firecracker v9.9.9 $*"\n' >"$BATS_FILE_TMPDIR/$release/firecracker-v9.9.9-$(uname -m)"
	printf '#!/bin/sh\necho "Jailer v9.9.9"\n' >"$BATS_FILE_TMPDIR/$release/jailer-v9.9.9-$(uname -m)"
	chmod 755 "$BATS_FILE_TMPDIR/$release/"*
	tar -C "$BATS_FILE_TMPDIR" -czf "$DIR/$FC" "$release"
	printf '#!/bin/sh\necho "cloud-hypervisor v9.9"\n' >"$DIR/$CH"
	FC_SHA256=$(sha256sum <"$DIR/$FC" | cut -d' ' -f1)
	CH_SHA256=$(sha256sum <"$DIR/$CH" | cut -d' ' -f1)
	export FC_SHA256 CH_SHA256
}

@test "from a folder: installed, found again, replaced by another release, taken back" {
	on_host '
		host_is >before
		fl-provision firecracker -v v9.9.9 --sha256 $FC_SHA256 --offline "$DIR" 2>said
		grep -q "Firecracker v9.9.9 --version" said
		[ "$(firecracker --version)" = "Firecracker v9.9.9 --version" ]
		[ "$(stat -c %a /usr/local/bin/firecracker)" = 755 ]
		[ "$(jailer)" = "Jailer v9.9.9" ]
		fl-provision firecracker -v v9.9.9 --sha256 $FC_SHA256 --offline /nowhere
		release=release-v9.9.8-$(uname -m)
		mkdir $release; printf "#!/bin/sh\necho other\n" >$release/firecracker-v9.9.8-$(uname -m)
		cp $release/{firecracker,jailer}-v9.9.8-$(uname -m)
		tar -czf firecracker-v9.9.8-$(uname -m).tgz $release; sha256sum -- *.tgz >SHA256SUMS
		fl-provision plan --only firecracker --firecracker-version v9.9.8 --offline . | grep -q change
		fl-provision firecracker -q -v v9.9.8 --offline .
		[ "$(firecracker --version)" = other ]
		fl-provision undo -q
		host_is | diff - before'
}

@test "SHA256SUMS of the folder tells the digests; all takes both" {
	on_host '
		cp -r "$DIR" own; (cd own && sha256sum -- * >SHA256SUMS)
		FIRECRACKER=v9.9.9 CLOUD_HYPERVISOR=v9.9 fl-provision all -s -q --offline own --skip flintlock,bridge
		firecracker --version && cloud-hypervisor-static --version | grep -q v9.9
		FIRECRACKER=v9.9.9 CLOUD_HYPERVISOR=v9.9 fl-provision plan -s --json --offline own --skip flintlock,bridge >plan
		[ "$(jq -r .change plan | sort -u)" = done ]'
}

@test "without a digest: one by itself is refused, all leaves it out and says so" {
	on_host '
		rc=0; fl-provision firecracker -v v9.9.9 --offline "$DIR" 2>said || rc=$?
		[ $rc = 8 ]; grep -q "no sha256" said
		FIRECRACKER=v9.9.9 CLOUD_HYPERVISOR=v9.9 fl-provision all -s --offline "$DIR" --skip bridge,flintlock 2>said
		[ "$(grep -c "left out: no sha256" said)" = 2 ]
		for bad in latest "v1/../../x" v..; do
			rc=0; fl-provision firecracker -v "$bad" --sha256 $FC_SHA256 --offline "$DIR" 2>said || rc=$?
			[ $rc != 0 ] && [ ! -e /usr/local/bin/firecracker ]
		done
		rc=0; fl-provision firecracker -v v9.9.9 --sha256 abc --offline "$DIR" 2>/dev/null || rc=$?
		[ $rc = 2 ]'
}

@test "the pinned release: its digest is held to, and a folder that has it not leaves it out" {
	on_host '
		rc=0; fl-provision cloudhypervisor --offline "$DIR" 2>said || rc=$?
		[ $rc = 12 ]; grep -q "its sha256 is" said
		rc=0; fl-provision firecracker --offline "$DIR" 2>said || rc=$?
		[ $rc = 4 ]
		mkdir empty
		fl-provision all -s --offline empty --skip bridge,flintlock 2>said
		[ "$(grep -c "left out: empty/.* is not there" said)" = 2 ]
		[ ! -e /usr/local/bin/firecracker ] && [ ! -e /usr/local/bin/cloud-hypervisor-static ]'
}

@test "a wrong digest, a file that is no archive, a program of another machine: nothing is installed" {
	on_host '
		cp -r "$DIR" own
		printf x >>own/$FC
		rc=0; fl-provision firecracker -v v9.9.9 --sha256 $FC_SHA256 --offline own 2>said || rc=$?
		[ $rc = 12 ]; grep -q "its sha256 is" said
		rc=0; fl-provision firecracker -v v9.9.9 --sha256 $CH_SHA256 --offline own 2>/dev/null || rc=$?
		[ $rc = 12 ]
		echo nonsense >own/$FC
		rc=0; fl-provision firecracker -v v9.9.9 --sha256 $(sha256sum <own/$FC | cut -c-64) --offline own 2>said || rc=$?
		[ $rc = 17 ]; grep -q tar said
		printf "\177ELF not for here" >own/$CH
		rc=0; fl-provision cloudhypervisor -v v9 --sha256 $(sha256sum <own/$CH | cut -c-64) --offline own 2>said || rc=$?
		[ $rc = 17 ]; grep -q "does not run here" said
		[ ! -e /usr/local/bin/firecracker ] && [ ! -e /usr/local/bin/cloud-hypervisor-static ]
		[ -z "$(find /usr/local/bin -name ".new-*")" ]'
}

@test "from a mirror; a download that is cut, a server that has it not, no network, no plain HTTP elsewhere" {
	on_host '
		cat >server.py <<-END
			import http.server, os, sys
			class Handler(http.server.BaseHTTPRequestHandler):
			    def do_GET(self):
			        name = os.path.basename(self.path)
			        if not os.path.exists(os.environ["DIR"] + "/" + name):
			            return self.send_error(404)
			        data = open(os.environ["DIR"] + "/" + name, "rb").read()
			        self.send_response(200)
			        self.send_header("Content-Length", str(len(data)))
			        self.end_headers()
			        self.wfile.write(data[:len(data) // 2] if "cut" in self.path else data)
			    def log_message(self, *args): pass
			server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
			print(server.server_port, flush=True)
			server.serve_forever()
		END
		sed -i "s/^\t*//" server.py
		mkfifo port; python3 server.py >port & server=$!
		read -r port <port
		rc=0; fl-provision firecracker -v v9.9.9 --sha256 $FC_SHA256 --mirror "http://127.0.0.1:$port/cut" 2>said || rc=$?
		[ $rc = 10 ]; [ ! -e /usr/local/bin/firecracker ]
		rc=0; fl-provision firecracker -v v9.9.7 --sha256 $FC_SHA256 --mirror "http://127.0.0.1:$port" 2>said || rc=$?
		[ $rc = 4 ]; grep -q "status 404" said
		fl-provision firecracker -q -v v9.9.9 --sha256 $FC_SHA256 --mirror "http://127.0.0.1:$port/x"
		firecracker --version
		kill $server; wait $server || true
		fl-provision undo -q
		rc=0; fl-provision firecracker -v v9.9.9 --sha256 $FC_SHA256 --mirror "http://127.0.0.1:$port/x" 2>said || rc=$?
		[ $rc = 10 ]
		rc=0; timeout 30 fl-provision firecracker --sha256 $FC_SHA256 2>said || rc=$?
		[ $rc = 10 ]; grep -q "https://.*; --offline and --mirror take it from elsewhere" said
		for url in http://10.0.0.1/x http://127.0.0.1.example.org/x ftp://127.0.0.1/x; do
			rc=0; fl-provision firecracker --sha256 $FC_SHA256 --mirror $url 2>said || rc=$?
			[ $rc = 3 ]; grep -q "only https" said
		done'
}

@test "a VMM of that name that is there already is kept" {
	on_host '
		printf "#!/bin/sh\n" >/usr/local/bin/firecracker
		fl-provision firecracker -v v9.9.9 --sha256 $FC_SHA256 --offline "$DIR" 2>said
		grep -q "firecracker: kept" said
		fl-provision undo -q
		[ "$(cat /usr/local/bin/firecracker)" = "#!/bin/sh" ]'
}

@test "all of it, with a pool and VMMs, killed at calls on the way up and on the way down" {
	is_sanitized && skip "a preloaded library and the sanitizers exclude each other"
	losetup --find >/dev/null 2>&1 || skip "no loop devices here"
	cc -shared -fPIC -D_GNU_SOURCE -o "$BATS_TEST_TMPDIR/kill-at.so" "$FL_TOP/t/preload/kill-at.c" -ldl
	export STAND_IN=$BATS_TEST_TMPDIR/stand-in FIRECRACKER=v9.9.9 CLOUD_HYPERVISOR=v9.9
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	ln -s "$FL_TOP/t/fl-provision/stand_in.sh" "$BATS_TEST_TMPDIR/bin/dmsetup"
	on_host '
		cp -r "$DIR" own; (cd own && sha256sum -- * >SHA256SUMS)
		host_is >before
		all() { fl-provision all -s -q --dev --reflink 320M --offline own; }
		is_made() {
			host_is | grep -vE "[0-9a-f]{64}|ledger"
			cat "$STAND_IN"/devices/*
		}
		killed() { # N COMMAND…
			local n=$1 rc=0
			shift
			LD_PRELOAD=$PWD/kill-at.so FL_KILL_IN=fl-provision FL_KILL_ALSO=writes FL_KILL_AT=$n "$@" >/dev/null 2>&1 || rc=$?
			[ $rc = 137 ]
		}
		all
		is_made >made
		for ((n = 1; n < 2000; n += 19)); do
			fl-provision undo -q
			host_is | diff - before || { echo "undo before $n"; exit 1; }
			killed $n all || break
			all || { echo "all after $n"; exit 1; }
			is_made | diff - made || { echo "made after $n"; exit 1; }
		done
		echo "up: $n"
		[ $n -gt 100 ]
		for ((n = 1; n < 2000; n += 11)); do
			all
			killed $n fl-provision undo -q || break
			fl-provision undo -q || { echo "undo after $n"; exit 1; }
			host_is | diff - before || { echo "left after $n"; exit 1; }
		done
		echo "down: $n"
		[ $n -gt 50 ]
		[ -z "$(losetup --list --noheadings -O BACK-FILE | grep -F "$FL_STATE_DIR" || true)" ]'
}
