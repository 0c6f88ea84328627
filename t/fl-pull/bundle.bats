#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Signatures as cosign 3 makes them: Sigstore bundles that refer to an image, in a real registry, and
# as one that lists them answers.

load ../lib
load registries

setup_file() {
	signing_setup_file
	PROXY_LOG=$BATS_FILE_TMPDIR/log
	python3 "$FL_TOP/t/fl-pull/faulty_proxy.py" "$REGISTRY" "$BATS_FILE_TMPDIR/port" "$PROXY_LOG" 3>&- &
	export PROXY_PID=$! PROXY_LOG
	wait_for_file "$BATS_FILE_TMPDIR/port"
	PROXY=127.0.0.1:$(cat "$BATS_FILE_TMPDIR/port")
	export PROXY
	for name in good bare; do
		skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/$name:1"
	done
	D=$(skopeo inspect --tls-verify=false "docker://$REGISTRY/bare:1" | jq -r .Digest)
	export D
	refer good "$(bundle good right)"
}

teardown_file() {
	kill "$PROXY_PID"
	registry_stop
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	unset FL_REGISTRIES
}

manifest() { # NAME TAG TYPE, from stdin
	curl -sf -X PUT -H "Content-Type: $3" --data-binary @- "http://$REGISTRY/v2/$1/manifests/$2"
}

sha256_of() {
	sha256sum <"$1" | cut -d' ' -f1
}

# bundle NAME KEY: puts into the registry what "cosign sign --key" makes, and prints the manifest's
# descriptor. ABOUT: the statement's digest; SAYS, KIND, TYPE: what else it may be; ALTER: it is changed once signed;
# BREAK: it is no JSON; LISTED: as what it is listed.
bundle() {
	local name=$1 key=$2 work media=application/vnd.dev.sigstore.bundle.v0.3+json type=${TYPE:-application/vnd.in-toto+json}
	work=$(mktemp -d "$BATS_FILE_TMPDIR/bundle.XXXXXX")
	jq -cnj --arg d "${ABOUT:-${D#sha256:}}" --arg p "${SAYS:-https://sigstore.dev/cosign/sign/v1}" --arg t "${KIND:-https://in-toto.io/Statement/v1}" \
		'{_type: $t, subject: [{digest: {sha256: "00"}}, {digest: {sha256: $d}}], predicateType: $p, predicate: {}}' >"$work/statement"
	{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(stat -c %s "$work/statement")" && cat "$work/statement"; } >"$work/signed"
	openssl dgst -sha256 -sign "$KEYS/$key.key" -out "$work/signature" "$work/signed"
	[ -z "${ALTER:-}" ] || sed -i 's/"predicate":{}/"predicate":[]/' "$work/statement"
	jq -cn --arg m "$media" --arg t "$type" --arg p "$(base64 -w0 "$work/statement")" --arg s "$(base64 -w0 "$work/signature")" \
		'{mediaType: $m, verificationMaterial: {publicKey: {hint: ""}}, dsseEnvelope: {payload: $p, payloadType: $t, signatures: [{sig: "AAAA"}, {sig: $s}]}}' >"$work/bundle"
	[ -z "${BREAK:-}" ] || truncate -s -9 "$work/bundle"
	printf '{}' >"$work/config"
	upload "$name" "$work/config"
	upload "$name" "$work/bundle"
	jq -cn --arg m "$media" --arg c "sha256:$(sha256_of "$work/config")" --arg b "sha256:$(sha256_of "$work/bundle")" --argjson s "$(stat -c %s "$work/bundle")" --arg d "$D" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: $m, config: {mediaType: "application/vnd.oci.empty.v1+json", digest: $c, size: 2},
		layers: [{mediaType: $m, digest: $b, size: $s}], subject: {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: 1}}' >"$work/manifest"
	manifest "$name" "sha256:$(sha256_of "$work/manifest")" application/vnd.oci.image.manifest.v1+json <"$work/manifest"
	jq -cn --arg m "$media" --arg d "sha256:$(sha256_of "$work/manifest")" --argjson s "$(stat -c %s "$work/manifest")" \
		'{mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: $m, digest: $d, size: $s}' |
		jq -c --arg listed "${LISTED:-}" 'if $listed != "" then .artifactType = $listed else . end'
}

# refer NAME DESCRIPTOR…: the index under the tag that names the image's digest.
refer() {
	local name=$1
	shift
	printf '%s\n' "$@" | jq -cs '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: .}' |
		manifest "$name" "${D/:/-}" application/vnd.oci.image.index.v1+json
}

# lose NAME DIGEST: a manifest that is listed, and gone, as after a clean-up.
lose() {
	curl -sf -X DELETE "http://$REGISTRY/v2/$1/manifests/$2"
}

# image NAME: one of its own in the registry.
image() {
	skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/$1:1"
}

@test "signed with the key: taken; without, or with another: not" {
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/good:1"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/good@$D"
	image listed
	refer listed "$(LISTED=application/vnd.oci.empty.v1+json bundle listed right)"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/listed:1"
	fails_with 6 "not signed" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/bare:1"
	fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/other.pub" "$REGISTRY/good:1"
}

@test "of another image, another statement, another payload, altered: refused, and one good is enough" {
	local bad=()
	image bad
	bad+=("$(ABOUT=$(printf %064d 0) bundle bad right)")
	bad+=("$(KIND=https://in-toto.io/Statement/v9 bundle bad right)")
	bad+=("$(TYPE=application/json bundle bad right)")
	bad+=("$(ALTER=1 bundle bad right)")
	bad+=("$(bundle bad other)")
	for one in "${bad[@]}"; do
		refer bad "$one"
		fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/bad:1"
	done
	nothing_published
	refer bad "${bad[@]}" "$(bundle bad right)"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/bad:1"
}

@test "what is gone or broken hides no good one behind it, nor is it one" {
	local gone broken
	image broken-one
	gone=$(bundle broken-one right)
	broken=$(BREAK=1 bundle broken-one right)
	for one in "$broken" "$gone"; do
		refer broken-one "$one"
		[ "$one" != "$gone" ] || lose broken-one "$(jq -r .digest <<<"$gone")"
		fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/broken-one:1"
	done
	gone=$(bundle broken-one right)
	refer broken-one "$gone" "$broken" "$(bundle broken-one right)"
	lose broken-one "$(jq -r .digest <<<"$gone")"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/broken-one:1"
	# A broken tag of the older kind hides none of the newer.
	image broken-tag
	curl -s -H "Accept: application/vnd.oci.image.manifest.v1+json" "http://$REGISTRY/v2/broken-tag/manifests/1" >"$BATS_TEST_TMPDIR/manifest"
	manifest broken-tag "${D/:/-}.sig" application/vnd.oci.image.manifest.v1+json <"$BATS_TEST_TMPDIR/manifest"
	fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/broken-tag:1"
	refer broken-tag "$(bundle broken-tag right)"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/broken-tag:1"
}

@test "an index that is signed, and one whose image is" {
	local index
	image inside
	index=$(jq -cn --arg d "$D" --argjson s "$(curl -s -H "Accept: application/vnd.oci.image.manifest.v1+json" "http://$REGISTRY/v2/inside/manifests/$D" | wc -c)" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json",
		digest: $d, size: $s, platform: {os: "linux", architecture: "amd64"}}]}')
	printf %s "$index" | manifest inside index application/vnd.oci.image.index.v1+json
	fails_with 6 "not signed" fl-pull get -p linux/amd64 --verify-key "$KEYS/right.pub" "$REGISTRY/inside:index"
	refer inside "$(bundle inside right)"
	fl-pull get -p linux/amd64 --verify-key "$KEYS/right.pub" "$REGISTRY/inside:index"
	refer inside
	D=sha256:$(printf %s "$index" | sha256sum | cut -d' ' -f1)
	refer inside "$(bundle inside right)"
	fl-pull rm "$REGISTRY/inside:index"
	fl-pull get -p linux/amd64 --verify-key "$KEYS/right.pub" "$REGISTRY/inside:index"
}

@test "other things that refer to an image, or are said of it with the key, are no signatures" {
	image other
	refer other '{"mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "application/spdx+json", "digest": "'"$D"'", "size": 1}'
	fails_with 6 "not signed" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/other:1"
	curl -s -H "Accept: application/vnd.oci.image.manifest.v1+json" "http://$REGISTRY/v2/other/manifests/1" >"$BATS_TEST_TMPDIR/manifest"
	manifest other "${D/:/-}" application/vnd.oci.image.manifest.v1+json <"$BATS_TEST_TMPDIR/manifest"
	fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/other:1"
	refer other "$(SAYS=https://slsa.dev/provenance/v1 bundle other right)"
	fails_with 6 "not signed" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/other:1"
}

@test "a registry that lists referrers; those that answer with a page, or that they know not what is meant" {
	# Where the list cannot be had, the tag may do.
	for way in lists page older broken; do
		image "$way/a"
		refer "$way/a" "$(bundle "$way/a" right)"
		: >"$PROXY_LOG"
		fl-pull get --retries 0 --verify-key "$KEYS/right.pub" "$PROXY/$way/a:1"
		grep -q '^referrers' "$PROXY_LOG"
	done
	image broken/b
	fails_with 10 503 fl-pull get --retries 0 --verify-key "$KEYS/right.pub" "$PROXY/broken/b:1"
}

@test "in a layout the tag tells" {
	skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/good:1" "oci:$BATS_TEST_TMPDIR/l:1"
	fails_with 6 "not signed" fl-pull get --verify-key "$KEYS/right.pub" "oci:$BATS_TEST_TMPDIR/l:1"
	skopeo copy -q -a --src-tls-verify=false "docker://$REGISTRY/good:${D/:/-}" "oci:$BATS_TEST_TMPDIR/l:${D/:/-}"
	fl-pull get --verify-key "$KEYS/right.pub" "oci:$BATS_TEST_TMPDIR/l:1"
}

@test "a payload of the older kind that refers to the image" {
	local media=application/vnd.dev.cosign.artifact.sig.v1+json work=$BATS_TEST_TMPDIR
	image older/payload
	jq -cnj --arg d "$D" '{critical: {identity: {"docker-reference": "x"}, image: {"docker-manifest-digest": $d}, type: "cosign container image signature"}, optional: null}' >"$work/payload"
	openssl dgst -sha256 -sign "$KEYS/right.key" -out "$work/signature" "$work/payload"
	printf '{}' >"$work/config"
	upload older/payload "$work/config"
	upload older/payload "$work/payload"
	jq -cn --arg m "$media" --arg c "sha256:$(sha256_of "$work/config")" --arg p "sha256:$(sha256_of "$work/payload")" --arg g "$(base64 -w0 "$work/signature")" --argjson s "$(stat -c %s "$work/payload")" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: {mediaType: $m, digest: $c, size: 2},
		layers: [{mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", digest: $p, size: $s, annotations: {"dev.cosignproject.cosign/signature": $g}}]}' >"$work/manifest"
	manifest older/payload "sha256:$(sha256_of "$work/manifest")" application/vnd.oci.image.manifest.v1+json <"$work/manifest"
	refer older/payload "$(jq -cn --arg m "$media" --arg d "sha256:$(sha256_of "$work/manifest")" \
		'{mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: $m, digest: $d, size: 1}')"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/older/payload:1"
	fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/other.pub" "$REGISTRY/older/payload:1"
}
