#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Signatures in cosign's form, in a real registry: what is not signed, or not so, is refused.

load ../lib
load registries

setup_file() {
	signing_setup_file
	openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout -out "$KEYS/p384.pub" 2>/dev/null
	openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out "$KEYS/rsa.pub" 2>/dev/null
	for name in signed bare wrong mixed lies type altered; do
		skopeo copy -q --dest-tls-verify=false "oci:$IMAGES/layout:root" "docker://$REGISTRY/$name:1"
	done
	D=$(skopeo inspect --tls-verify=false "docker://$REGISTRY/bare:1" | jq -r .Digest)
	export D
	sign signed "$D" right
	sign wrong "$D" other
	sign mixed "$D" other right
	LIE=sha256:$(printf %064d 0) sign lies "$D" right
	KIND="another claim" sign type "$D" right
	ALTER=1 sign altered "$D" right
}

teardown_file() {
	registry_stop
}

setup() {
	own_state "$BATS_TEST_TMPDIR"
	own_home "$BATS_TEST_TMPDIR"
	unset FL_REGISTRIES
}

# sign NAME DIGEST KEY…: what "cosign sign --key" puts beside the image (SIGNATURE_SPEC.md).
# LIE: the digest that the payload names; KIND: its type; ALTER: it is changed once signed.
sign() {
	local name=$1 digest=$2 work layers=() payload key
	shift 2
	work=$(mktemp -d "$BATS_FILE_TMPDIR/sign.XXXXXX")
	echo '{}' >"$work/config"
	upload "$name" "$work/config"
	for key in "$@"; do
		payload=$work/$key
		jq -cnj --arg d "${LIE:-$digest}" --arg n "$REGISTRY/$name" --arg k "${KIND:-cosign container image signature}" --arg key "$key" \
			'{critical: {identity: {"docker-reference": $n}, image: {"docker-manifest-digest": $d}, type: $k}, optional: {by: $key}}' >"$payload"
		openssl dgst -sha256 -sign "$KEYS/$key.key" -out "$work/sig" "$payload"
		[ -z "${ALTER:-}" ] || sed -i 's/"by"/"of"/' "$payload"
		upload "$name" "$payload"
		layers+=("$(jq -cn --arg d "sha256:$(sha256sum <"$payload" | cut -d' ' -f1)" --argjson s "$(stat -c %s "$payload")" --arg g "$(base64 -w0 "$work/sig")" \
			'{mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", digest: $d, size: $s, annotations: {"dev.cosignproject.cosign/signature": $g}}')")
	done
	printf '%s\n' "${layers[@]}" | jq -cs --arg d "sha256:$(sha256sum <"$work/config" | cut -d' ' -f1)" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $d, size: 3}, layers: .}' |
		curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.manifest.v1+json" --data-binary @- \
			"http://$REGISTRY/v2/$name/manifests/${digest/:/-}.sig"
}

@test "signed with the key: taken; one good signature among others is enough" {
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/signed:1"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/mixed:1"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/signed@$D"
	fl-pull inspect --verify-key "$KEYS/right.pub" "$REGISTRY/signed:1"
}

@test "unsigned, another key, another image, another claim, an altered payload: refused" {
	fails_with 6 "not signed" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/bare:1"
	for name in wrong lies type altered; do
		fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/$name:1"
	done
	fails_with 6 "not signed" fl-pull inspect --verify-key "$KEYS/right.pub" "$REGISTRY/bare:1"
	nothing_published
	# Not a layer was fetched.
	[ -z "$(find "$FL_STATE_DIR/images/blobs/sha256" -maxdepth 1 -type f)" ]
}

@test "what the store got without a check is checked before it is taken from there" {
	fl-pull get "$REGISTRY/bare:1" "$REGISTRY/signed:1"
	fails_with 6 "not signed" fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/bare:1"
	fails_with 4 "signature that was checked" fl-pull get --pull never --verify-key "$KEYS/right.pub" "$REGISTRY/signed:1"
	fl-pull get --verify-key "$KEYS/right.pub" "$REGISTRY/signed:1"
	fl-pull get --pull never --verify-key "$KEYS/right.pub" "$REGISTRY/signed:1"
	fails_with 6 "none is good" fl-pull get --verify-key "$KEYS/other.pub" "$REGISTRY/signed:1"
}

@test "the registries file says it of a host, and up obeys" {
	cp "$KEYS/right.pub" "$BATS_TEST_TMPDIR/k.pub"
	echo "hosts: {\"$REGISTRY\": {verify-key: k.pub}, \"127.0.0.1:1\": {mirrors: [\"$REGISTRY\"], verify-key: k.pub}}" >"$BATS_TEST_TMPDIR/r.yaml"
	export FL_REGISTRIES=$BATS_TEST_TMPDIR/r.yaml
	fl-pull get "$REGISTRY/signed:1"
	fails_with 6 "not signed" fl-pull get "$REGISTRY/bare:1"
	fl-pull get 127.0.0.1:1/signed:1
	run fl-pull get -v --retries 0 127.0.0.1:1/bare:1
	[ "$status" != 0 ]
	[[ "$output" == *"not signed"* ]]
	fl spec --name m --kernel "$REGISTRY/bare:1" --root "$REGISTRY/bare:1" --memory 64 >"$BATS_TEST_TMPDIR/spec"
	fails_with 6 "not signed" fl-pull up "$BATS_TEST_TMPDIR/spec"
}

@test "an index that is signed, and one whose image is" {
	local index digest
	for name in signed wrong; do
		index=$(jq -cn --arg d "$D" --argjson s "$(curl -s -H "Accept: application/vnd.oci.image.manifest.v1+json" "http://$REGISTRY/v2/$name/manifests/$D" | wc -c)" \
			'{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json",
			digest: $d, size: $s, platform: {os: "linux", architecture: "amd64"}}]}')
		printf %s "$index" | curl -sf -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" --data-binary @- "http://$REGISTRY/v2/$name/manifests/index"
	done
	digest=sha256:$(printf %s "$index" | sha256sum | cut -d' ' -f1)
	fl-pull get -p linux/amd64 --verify-key "$KEYS/right.pub" "$REGISTRY/signed:index"
	fails_with 6 "none is good" fl-pull get -p linux/amd64 --verify-key "$KEYS/right.pub" "$REGISTRY/wrong:index"
	sign wrong "$digest" right
	fl-pull get -p linux/amd64 --verify-key "$KEYS/right.pub" "$REGISTRY/wrong:index"
}

@test "a layout holds signatures under the same tag" {
	skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/signed:1" "oci:$BATS_TEST_TMPDIR/l:1"
	fails_with 6 "not signed" fl-pull get --verify-key "$KEYS/right.pub" "oci:$BATS_TEST_TMPDIR/l:1"
	skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/signed:${D/:/-}.sig" "oci:$BATS_TEST_TMPDIR/l:${D/:/-}.sig"
	fl-pull get --verify-key "$KEYS/right.pub" "oci:$BATS_TEST_TMPDIR/l:1"
}

@test "keys that are none" {
	for key in p384.pub rsa.pub right.key; do
		fails_with 3 "P-256" fl-pull get --verify-key "$KEYS/$key" "$REGISTRY/signed:1"
	done
	fails_with 4 nosuch.pub fl-pull get --verify-key nosuch.pub "$REGISTRY/signed:1"
}
