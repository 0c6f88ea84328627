#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# Units, and what Prometheus and Grafana are given.

bats_require_minimum_version 1.5.0
load ../lib
load ../fl-serve/serve

setup_file() {
	own_state "$BATS_FILE_TMPDIR"
	serve_start --debug-endpoint "unix:$BATS_FILE_TMPDIR/debug.sock"
	# With a microVM: the server tells of its families only then.
	export IMAGES=$BATS_FILE_TMPDIR/images
	small_images "$IMAGES"
	small_spec one | quick_up >/dev/null
	curl -s --unix-socket "$BATS_FILE_TMPDIR/debug.sock" http://host/metrics >"$BATS_FILE_TMPDIR/metrics"
	# A histogram's samples have names of their own.
	sed -nE 's/^# TYPE ([a-z_]+) histogram$/\1_bucket\n\1_sum\n\1_count/p; s/^# TYPE ([a-z_]+) (gauge|counter)$/\1/p' \
		"$BATS_FILE_TMPDIR/metrics" | sort -u >"$BATS_FILE_TMPDIR/names"
}

teardown_file() {
	fl down -q default/one >/dev/null
	serve_teardown
}

# unknown <TEXT: metric names in expressions that fl-serve does not print. "up" is Prometheus' own.
unknown() {
	grep -oE '\b(flintlock|grpc|process|microvm)_[a-z_]+\b' |
		grep -vxE 'grpc_(code|type|method|service)' | sort -u | comm -23 - "$BATS_FILE_TMPDIR/names"
}

@test "every metric of the alerts is one that fl-serve prints, and promtool likes them" {
	[ "$(wc -l <"$BATS_FILE_TMPDIR/names")" -gt 30 ]
	[ "$(grep -A3 -E '^ *expr:' "$FL_TOP/contrib/prometheus/alerts.yml" | unknown)" = "" ]
	[ "$(grep -A3 -E '^ *expr:' "$FL_TOP/contrib/prometheus/alerts.yml" | grep -c flintlock_)" -ge 6 ]
	promtool=$FL_TOP/build/tools/usr/bin/promtool
	[ -x "$promtool" ] || skip "promtool is not there; make check fetches it"
	"$promtool" check rules "$FL_TOP/contrib/prometheus/alerts.yml"
	cp "$FL_TOP/contrib/prometheus/"*.yml "$BATS_TEST_TMPDIR"
	sed -i 's|/etc/prometheus/flintlock|.|' "$BATS_TEST_TMPDIR/scrape.yml"
	(cd "$BATS_TEST_TMPDIR" && touch ca.pem client.pem client.key token && "$promtool" check config --syntax-only scrape.yml)
}

@test "every metric of the dashboard is one that fl-serve prints; panels are whole" {
	board=$FL_TOP/contrib/grafana/flintlock.json
	jq -r '.. | .expr? // empty' "$board" >"$BATS_TEST_TMPDIR/exprs"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/exprs")" -gt 20 ]
	[ "$(unknown <"$BATS_TEST_TMPDIR/exprs")" = "" ]
	[ "$(jq -r '.templating.list[].query' "$board" | unknown)" = "" ]
	[ "$(jq '[.panels[].id] | length == (unique | length)' "$board")" = true ]
	[ "$(jq '[.panels[] | select(.type != "row") | select((.targets | length) == 0)] | length' "$board")" = 0 ]
	# No panel lies over another.
	[ "$(jq '[.panels[].gridPos | "\(.x) \(.y)"] | length == (unique | length)' "$board")" = true ]
}

@test "a made-up metric would be found" {
	[ "$(unknown <<<'rate(flintlock_microvms_dreamt_of[5m])')" = flintlock_microvms_dreamt_of ]
}

@test "units are good, and the service is not exposed more than 3.0" {
	command -v systemd-analyze || skip "systemd-analyze is not there"
	for unit in "$FL_TOP"/contrib/systemd/*; do
		sed "s|/usr/bin/|$FL_BUILD/bin/|" "$unit" >"$BATS_TEST_TMPDIR/${unit##*/}"
	done
	run -0 systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/fl-*
	[ "$(grep -v 'rtc' <<<"$output" | grep fl- || true)" = "" ]
	systemd-analyze security --offline=true --threshold=30 "$FL_TOP/contrib/systemd/fl-serve.service"
}

@test "every exemption of the service has its reason" {
	unit=$FL_TOP/contrib/systemd/fl-serve.service
	systemd-analyze security --offline=true --json=short "$unit" >"$BATS_TEST_TMPDIR/list" || skip "systemd-analyze is not there"
	# What the unit leaves open; of lists, who is in them: "RestrictAddressFamilies=~AF_(INET|INET6)".
	jq -r '.[] | select(.set == false) | .name' "$BATS_TEST_TMPDIR/list" |
		sed -E 's/AF_\(INET.INET6\)/AF_INET AF_INET6/; s/(User|RootDirectory)=.*/\1=/; s/[@=~()|/*]+/ /g; s/ CAP_/ /g; s/ DAC_ .*/ DAC_OVERRIDE/' >"$BATS_TEST_TMPDIR/open"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/open")" -ge 15 ]
	while read -r -a words; do
		for word in "${words[@]}"; do
			grep -qE "^# .*\\b$word\\b" "$unit" || { echo "${words[*]}: no reason ($word)"; return 1; }
		done
	done <"$BATS_TEST_TMPDIR/open"
}
