#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
bats_require_minimum_version 1.5.0
# Seed disks: what they hold, and that user's bytes are kept.

load ../lib

setup_file() {
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# seed_of [fl spec options…]: the seed's path in $seed
seed_of() {
	small_spec "vm$BATS_TEST_NUMBER" "$@" | fl-pull up -q | fl-snap up | fl-meta up >record
	seed=$(jq -r .host.seed.path record)
	uid=$(jq -r .spec.uid record)
	fsck.vfat -n "$seed"
}

# With a metadata value of KEY put into the spec as it is.
seed_with() {
	small_spec "vm$BATS_TEST_NUMBER" | jq -c --arg k "$1" --arg v "$(base64 -w0 "$2")" '.metadata[$k] = $v' |
		fl-pull up -q | fl-snap up | fl-meta up >record
	seed=$(jq -r .host.seed.path record)
	uid=$(jq -r .spec.uid record)
}

file() {
	mtype -i "$seed" "::/$1"
}

@test "an empty spec: ids, a name, the part that reports" {
	seed_of
	[ "$(file meta-data | grep -c "$uid")" = 2 ]
	file meta-data | grep -q 'local-hostname: "vm1"'
	file vendor-data | grep -q text/cloud-boothook
	file network-config | grep -q 'version: 2'
}

# reported: what the part that reports says of a guest whose cloud-init left result.json and its log.
reported() {
	sed "s,/run/cloud-init/,$PWD/guest/,g; s,/var/log/,$PWD/guest/,g; s,/dev/console,$PWD/guest/console,; s,/sys/fs,$PWD/none," report >script
	rm -f guest/console
	sh script
	timeout 5 sh -c 'until [ -s guest/console ]; do sleep 0.1; done'
	sed -n 's/^flintlock-cloud-init: //p' guest/console
}

@test "what cloud-init did not do is reported: its result has it, or its log of this boot" {
	seed_of
	mkdir guest
	file vendor-data | python3 -c 'import email, sys
for part in email.message_from_file(sys.stdin).walk():
    if part.get_filename() == "flintlock-report.sh":
        sys.stdout.buffer.write(part.get_payload(decode=True))' >report
	echo '{"v1": {"datasource": "x", "errors": []}}' >guest/result.json
	{
		echo "2026-01-01 00:00:00,000 - util.py[DEBUG]: Cloud-init v. 22.4.2 running 'init-local' at …"
		echo "2026-01-01 00:00:00,000 - __init__.py[WARNING]: of the boot before"
		echo "2026-01-01 00:00:00,000 - util.py[DEBUG]: Cloud-init v. 22.4.2 running 'init-local' at …"
	} >guest/cloud-init.log
	[ "$(reported)" = "done" ]
	echo "2026-01-01 00:00:00,000 - util.py[WARNING]: Failed loading yaml blob: x" >>guest/cloud-init.log
	echo "2026-01-01 00:00:00,000 - util.py[WARNING]: more" >>guest/cloud-init.log
	[ "$(reported)" = "degraded: Failed loading yaml blob: x" ]
	rm guest/cloud-init.log
	[ "$(reported)" = "done" ]
	echo '{"v1": {"errors": ["a", "b"]}}' >guest/result.json
	[ "$(reported)" = 'error: "a", "b"' ]
	echo '{"v1": {"errors": [], "recoverable_errors": {"WARNING": ["c"]}}}' >guest/result.json
	[[ "$(reported)" == 'degraded: '*'"c"'* ]]
}

@test "the user's bytes are kept" {
	printf '#cloud-config\n# with a comment\r\nhostname:   x\n' >user
	seed_of --user-data user
	file user-data | cmp - user
}

@test "meta-data of the user: joined, not re-formatted, own ids kept" {
	printf '# mine\nplatform: liquid_metal\ninstance_id: ns/name' >meta
	seed_with meta-data meta
	file meta-data >got
	head -c "$(stat -c %s meta)" got | cmp - meta
	grep -q "^instance-id: $uid" got
	[ "$(grep -c instance_id got)" = 1 ]
}

@test "meta-data in flow style and as JSON" {
	printf '{"a": "b"}\n' >meta
	seed_with meta-data meta
	[ "$(file meta-data | jq -r '."instance-id", .a' 2>/dev/null | xargs)" = "$uid b" ] ||
		file meta-data | python3 -c 'import sys; assert sys.stdin.read().count("'"$uid"'") == 2'
}

@test "meta-data that is no mapping is refused by name" {
	printf -- '- a\n- b\n' >meta
	run seed_with meta-data meta
	small_spec bad | jq -c --arg v "$(base64 -w0 meta)" '.metadata["meta-data"] = $v' >spec
	run fl-meta up spec
	[ "$status" = 3 ]
	[[ "$output" == *"meta-data"* ]]
}

@test "the user's vendor-data is a part beside ours" {
	printf '#cloud-config\nfinal_message: hello\n' >vendor
	seed_with vendor-data vendor
	file vendor-data | python3 -c '
import email, sys
parts = [p for p in email.message_from_file(sys.stdin).walk() if not p.is_multipart()]
assert parts[0].get_payload(decode=True) == open("vendor", "rb").read(), parts[0]
assert parts[-1].get_content_type() == "text/cloud-boothook"'
}

@test "an interface's MTU, and a gateway beside its net" {
	small_spec net | jq -c '.interfaces = [{device_id: "eth0", type: "TAP"}]' | fl-pull up -q | fl-snap up >made
	record=$(echo "$FL_STATE_DIR"/vm/default/net/*/record.json)
	jq '.host.network = {eth0: {mac: "02:00:00:00:00:01", address: "10.88.0.5/32", gateway: "169.254.1.1", mtu: 1450,
		routes: [{to: "10.90.0.0/16", via: "10.88.0.5"}]}}' "$record" >changed && cp changed "$record"
	seed=$(fl-meta up made | jq -r .host.seed.path)
	file network-config >config
	grep -qx '    mtu: 1450' config
	[ "$(sed -n '/^    routes:/,$p' config)" = '    routes:
      - to: "0.0.0.0/0"
        via: "169.254.1.1"
        on-link: true
      - to: "10.90.0.0/16"
        via: "10.88.0.5"' ]
}

@test "the user's network-config wins" {
	printf 'version: 1\nconfig: disabled\n' >net
	seed_with network-config net
	file network-config | cmp - net
}

@test "1 MB of user-data" {
	{ echo '#cloud-config'; head -c 1000000 /dev/zero | tr '\0' '#'; } >user
	seed_of --user-data user
	file user-data | cmp - user
}

@test "more than fits is refused" {
	head -c 16000000 /dev/zero | tr '\0' '#' >user
	head -c 2000000 /dev/zero | tr '\0' '#' >vendor
	small_spec big --user-data user --vendor-data vendor >spec
	run fl-meta up spec
	[ "$status" = 3 ]
	[[ "$output" == *"larger than"* ]]
}

@test "metadata that is not base 64 is refused by key" {
	small_spec bad | jq -c '.metadata["user-data"] = "#cloud-config"' >spec
	run fl up spec
	[ "$status" = 3 ]
	[[ "$output" == *"metadata.user-data"*"base 64"* ]]
	[ -z "$(find "$FL_STATE_DIR/vm" -name record.json 2>/dev/null)" ]
}

@test "secrets are not on standard output, and records are 0600" {
	echo 'top secret text' >user
	seed_of --user-data user
	run ! grep -q "$(base64 -w0 user)" record
	[ "$(jq -r '.spec.metadata["user-data"].size' record)" = "$(base64 -w0 user | wc -c)" ]
	[ "$(stat -c %a "$FL_STATE_DIR"/vm/default/*/*/record.json)" = 600 ]
	[ "$(stat -c %a "$FL_STATE_DIR"/vm/default/*/*)" = 700 ]
	# The masked record means the same microVM, its values intact.
	fl-meta up record >again
	file user-data | cmp - user
}

@test "seed from files" {
	echo a >user
	fl-meta seed --user-data user out.img
	fsck.vfat -n out.img
	[ "$(mtype -i out.img ::/user-data)" = a ]
	[ "$(blkid -o value -s LABEL out.img)" = CIDATA ]
}
