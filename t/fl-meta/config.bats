#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# User-data out of options.

bats_require_minimum_version 1.5.0
load ../lib

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	echo 'ssh-ed25519 AAAA "me"' >key.pub
	printf 'hello\n\377' >motd
	chmod 640 motd
}

# The cloud-config as one line of JSON, which YAML holds.
config() {
	fl-meta user-data "$@" >user-data
	[ "$(head -n 1 user-data)" = "#cloud-config" ]
	tail -n +2 user-data | jq -c .
}

@test "a host name, users, keys, packages, files, commands, growth" {
	[ "$(config --hostname web.lan)" = '{"hostname":"web.lan"}' ]
	[ "$(config --ssh-key key.pub)" = '{"disable_root":false,"ssh_authorized_keys":["ssh-ed25519 AAAA \"me\""]}' ]
	config --user anna --user bob --ssh-key key.pub --ssh-key key.pub >all
	[ "$(jq -c '[.users[0], .users[1].name, .users[2].name, (.users[2].ssh_authorized_keys | length), .ssh_authorized_keys]' all)" = \
		'["default","anna","bob",2,null]' ]
	[ "$(jq -r '.users[1] | .sudo, .lock_passwd, .shell' all | xargs)" = "ALL=(ALL) NOPASSWD:ALL true /bin/bash" ]
	[ "$(config --package nginx=1.2-3~x --package libc6:arm64)" = '{"package_update":true,"packages":["nginx=1.2-3~x","libc6:arm64"]}' ]
	config --write "/etc/motd=motd" >all
	jq -r '.write_files[0].content' all | base64 -d | cmp - motd
	[ "$(jq -r '.write_files[0] | .path, .permissions, .encoding' all | xargs)" = "/etc/motd 0640 b64" ]
	[ "$(config --command 'echo "a: b" # c' --command 'x')" = '{"runcmd":["echo \"a: b\" # c","x"]}' ]
	[ "$(config --growpart)" = '{"growpart":{"mode":"auto","devices":["/"]},"resize_rootfs":true}' ]
}

@test "options join files, and come first" {
	printf '#!/bin/sh\ntouch /x\n' >script
	fl-meta user-data --hostname web script >joined
	python3 - <<-'PYTHON'
		import email
		parts = [p for p in email.message_from_file(open("joined")).walk() if not p.is_multipart()]
		texts = [p.get_payload(decode=True) for p in parts]
		assert len(texts) == 2, texts
		assert texts[0].startswith(b"#cloud-config\n") and b'"web"' in texts[0], texts
		assert texts[1].startswith(b"#!/bin/sh\n"), texts
	PYTHON
}

@test "what is no name, no key, no file" {
	fails_with 2 "name files" fl-meta user-data
	fails_with 3 'option --hostname: "a b" is no name' fl-meta user-data --hostname "a b"
	fails_with 3 'option --user: "-x"' fl-meta user-data --user=-x
	fails_with 3 'option --user: ""' fl-meta user-data --user ""
	fails_with 3 'option --package: "a;b"' fl-meta user-data --package "a;b"
	fails_with 3 '/PATH/IN/THE/GUEST=FILE' fl-meta user-data --write motd
	fails_with 4 nosuch fl-meta user-data --write /x=nosuch
	fails_with 4 nosuch fl-meta user-data --ssh-key nosuch
	echo '-----BEGIN OPENSSH PRIVATE KEY-----' >private
	fails_with 3 "not a public key" fl-meta user-data --ssh-key private
}
