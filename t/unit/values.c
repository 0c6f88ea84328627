/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers, addresses, ids: what is taken, what is refused, what is printed. */
#include "t/unit/test.h"

#include "common/alike.h"
#include "common/base64.h"
#include "common/digest.h"
#include "common/egress.h"
#include "common/hasher.h"
#include "common/http.h"
#include "common/inet.h"
#include "common/label.h"
#include "common/num.h"
#include "common/sha256.h"
#include "common/ulid.h"
#include "common/uuid.h"

static void numbers(void)
{
	static const char *const wrong[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.5", "1k", "99999999999999999999" };
	uint64_t value;

	CHECK_INT(fl_num_u64("42", 0, 100, &value, NULL), 0);
	CHECK_INT(value, 42);
	CHECK_INT(fl_num_u64("101", 0, 100, &value, NULL), -1);
	for (size_t i = 0; i < FL_COUNT(wrong); i++)
		CHECK_INT(fl_num_u64(wrong[i], 0, UINT64_MAX, &value, NULL), -1);
}

static void sizes_and_durations(void)
{
	uint64_t value;
	char text[16];

	CHECK_INT(fl_num_size("10G", 0, UINT64_MAX, &value, NULL), 0);
	CHECK_INT(value, 10ll << 30);
	CHECK_INT(fl_num_size("3MiB", 0, UINT64_MAX, &value, NULL), 0);
	CHECK_INT(value, 3 << 20);
	CHECK_INT(fl_num_size("10Q", 0, UINT64_MAX, &value, NULL), -1);
	CHECK_INT(fl_num_size("99999999T", 0, UINT64_MAX, &value, NULL), -1);
	CHECK_INT(fl_num_duration("250ms", &value, NULL), 0);
	CHECK_INT(value, 250);
	CHECK_INT(fl_num_duration("5m", &value, NULL), 0);
	CHECK_INT(value, 300000);
	CHECK_INT(fl_num_duration("5 m", &value, NULL), -1);
	fl_num_print_size(1536, text);
	CHECK_STR(text, "1.5 KiB");
}

static void count_wrong(void *arg, const char *label, const char *what)
{
	(void)label;
	(void)what;
	(*(int *)arg)++;
}

static void labels(void)
{
	static const char text[] =
		"{\"host.flintlock/restart\":\"always\",\"host.flintlock/metadata-service\":\"v2\","
		"\"host.flintlock/disk-bandwidth\":\"1M\",\"host.flintlock/disk-operations\":\"-1\","
		"\"host.flintlock/\":\"\",\"of-others\":\"\"}";
	fl_cleanup_json fl_json *map = fl_json_parse(text, sizeof(text) - 1, "labels", NULL);
	struct fl_labels labels;
	int wrong = 0;

	fl_labels_read(map, &labels, count_wrong, &wrong);
	CHECK_INT(wrong, 2);
	CHECK_STR(labels.restart, "always");
	CHECK_INT(labels.metadata_service, 2);
	CHECK_INT(labels.disk_bandwidth, 1 << 20);
	CHECK_INT(labels.disk_operations, 0);
	fl_labels_read(NULL, &labels, NULL, NULL);
	CHECK_INT(labels.metadata_service, 0);
}

static void destinations(void)
{
	const char *at = "10.1.2.3/8,192.0.2.1:53/udp,[2001:db8::1/32]:443,[fe80::1],fd00::/8";
	struct fl_egress one;
	char text[FL_CIDR_TEXT];

	CHECK_INT(fl_egress_next(&at, &one, NULL), 1);
	fl_inet_print_cidr(&one.to, text);
	CHECK_STR(text, "10.0.0.0/8");
	CHECK_INT(one.port, 0);
	CHECK_INT(fl_egress_next(&at, &one, NULL), 1);
	CHECK_INT(one.port, 53);
	CHECK_INT(one.udp && !one.tcp, 1);
	CHECK_INT(fl_egress_next(&at, &one, NULL), 1);
	fl_inet_print_cidr(&one.to, text);
	CHECK_STR(text, "2001:db8::/32");
	CHECK_INT(one.port, 443);
	CHECK_INT(one.udp && one.tcp, 1);
	CHECK_INT(fl_egress_next(&at, &one, NULL), -1); /* brackets are for a port */
	CHECK_INT(fl_egress_next(&at, &one, NULL), 1);
	CHECK_INT(one.to.prefix, 8);
	CHECK_INT(fl_egress_next(&at, &one, NULL), 0);
}

static void macs(void)
{
	struct fl_mac mac;
	char text[FL_MAC_TEXT];

	CHECK_INT(fl_inet_parse_mac("02:0a:FF:00:00:01", &mac, NULL), 0);
	fl_inet_print_mac(&mac, text);
	CHECK_STR(text, "02:0a:ff:00:00:01");
	CHECK_INT(fl_inet_parse_mac("03:00:00:00:00:01", &mac, NULL), -1);
	CHECK_INT(fl_inet_parse_mac("02:00:00:00:00", &mac, NULL), -1);
	CHECK_INT(fl_inet_parse_mac("02-00-00-00-00-01", &mac, NULL), -1);
	CHECK_INT(fl_inet_parse_mac("02:00:00:00:00: 1", &mac, NULL), -1);
	CHECK_INT(fl_inet_parse_mac("02:00:00:00:00:+1", &mac, NULL), -1);
	CHECK_INT(fl_inet_parse_mac("00:00:00:00:00:00", &mac, NULL), -1);
}

static void hosts(void)
{
	static const char *const well[] = { "10.9.8.7/24", "10.9.8.7/31", "10.9.8.6/31", "10.9.8.7/32",
					    "169.254.0.1/16", "fd00::2/64", "fe80::2/64", "fd00::/127" };
	static const char *const wrong[] = { "10.9.8.0/24", "10.9.8.255/24", "127.0.0.1/8", "0.0.0.0/0",
					     "224.0.0.5/24", "255.255.255.255/32", "fd00::/64", "::1/128",
					     "ff02::1/64", "10.9.8.7/30" };
	struct fl_cidr address;

	for (size_t i = 0; i < FL_COUNT(well); i++)
		CHECK(fl_inet_parse_cidr(well[i], &address, NULL) == 0 && fl_inet_is_host(&address));
	for (size_t i = 0; i < FL_COUNT(wrong); i++)
		CHECK(fl_inet_parse_cidr(wrong[i], &address, NULL) == 0 && !fl_inet_is_host(&address));
}

static void networks(void)
{
	struct fl_cidr net, address;
	char text[FL_CIDR_TEXT];

	CHECK_INT(fl_inet_parse_cidr("10.1.2.3/23", &net, NULL), 0);
	CHECK(fl_inet_nth(&net, 511, &address));
	fl_inet_print_cidr(&address, text);
	CHECK_STR(text, "10.1.3.255/23");
	CHECK(!fl_inet_nth(&net, 512, &address));
	CHECK_INT(fl_inet_parse_cidr("fd00::1/64", &net, NULL), 0);
	CHECK(fl_inet_nth(&net, 70000, &address));
	fl_inet_print_address(&address, text);
	CHECK_STR(text, "fd00::1:1170");
	CHECK_INT(fl_inet_parse_cidr("10.0.0.1/33", &net, NULL), -1);
	CHECK_INT(fl_inet_parse_cidr("10.0.0/24", &net, NULL), -1);
}

static void base64(void)
{
	static const char *const wrong[] = { "a", "ab", "abc", "ab=c", "a===", "YQ=a", "YR==", "YQ= ", "Y Q=" };
	fl_cleanup_str struct fl_str out = FL_STR_INIT, back = FL_STR_INIT;

	fl_base64_encode("\0\xff text", 7, &out);
	CHECK_STR(out.data, "AP8gdGV4dA==");
	CHECK(fl_base64_decode(out.data, &back));
	CHECK_INT(back.len, 7);
	CHECK(memcmp(back.data, "\0\xff text", 7) == 0);
	for (size_t i = 0; i < FL_COUNT(wrong); i++)
		CHECK(!fl_base64_decode(wrong[i], &back));
	CHECK(fl_base64_decode("", &back));
}

static void ids(void)
{
	char one[FL_ULID_TEXT], two[FL_ULID_TEXT], text[FL_UUID_TEXT];
	struct fl_uuid uuid;

	fl_ulid_new(one);
	fl_ulid_new(two);
	CHECK(fl_ulid_is_valid(one));
	CHECK(strcmp(one, two) != 0);
	CHECK(!fl_ulid_is_valid("01J8XGQ3T2S4W5Y6Z7A8B9C0DI"));
	CHECK(!fl_ulid_is_valid("01j8xgq3t2s4w5y6z7a8b9c0d1"));
	CHECK(!fl_ulid_is_valid("../../../../../../etc/pass"));
	fl_uuid_of("uid", "root", &uuid);
	fl_uuid_print(&uuid, text);
	CHECK_INT(text[14], '5');
	CHECK_INT(strlen(text), 36);
}

static void digests(void)
{
	static const char *const ids_of_two[] = {
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	};
	char text[FL_DIGEST_TEXT];

	fl_digest_of("abc", 3, text);
	CHECK_STR(text, ids_of_two[0]);
	fl_digest_chain(ids_of_two, 1, text);
	CHECK_STR(text, ids_of_two[0]);
	fl_digest_chain(ids_of_two, 2, text);
	CHECK(strcmp(text, ids_of_two[0]) != 0 && fl_digest_is_valid(text));
	CHECK(!fl_digest_is_valid("sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
	CHECK(!fl_digest_is_valid("sha512:00"));
}

/* FIPS 180-4's examples: in pieces, once more after the end, at once. */
static void hashes(void)
{
	static const unsigned char abc[FL_SHA1_SIZE] = {
		0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
		0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d,
	};
	static const char long_text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	struct fl_hasher *hasher = fl_hasher_create();
	unsigned char sum[FL_SHA256_SIZE], other[FL_SHA256_SIZE];
	char text[FL_DIGEST_TEXT], at_once[FL_DIGEST_TEXT];

	fl_hasher_add(hasher, long_text, 5);
	fl_hasher_add(hasher, long_text + 5, sizeof(long_text) - 6);
	fl_hasher_end(hasher, text);
	CHECK_STR(text, "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	fl_digest_of(long_text, sizeof(long_text) - 1, at_once);
	CHECK_STR(at_once, text);
	fl_hasher_end(hasher, text);
	CHECK_STR(text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	fl_hasher_destroy(hasher);

	fl_sha1_sum("abc", 3, sum);
	CHECK(memcmp(sum, abc, sizeof(abc)) == 0);
	fl_sha256_sum("a", 1, sum);
	fl_sha256_sum("a", 1, other);
	CHECK(fl_sha256_equal(sum, other));
	other[FL_SHA256_SIZE - 1] ^= 1;
	CHECK(!fl_sha256_equal(sum, other));
}

static const char *meant_by(const char *written)
{
	static const char *const names[] = { "id", "root", "root-size", "filename", "memory_in_mb", "start" };
	struct fl_alike alike = { .written = written };

	for (size_t i = 0; i < FL_COUNT(names); i++)
		fl_alike_try(&alike, names[i]);
	return alike.nearest ? alike.nearest : "";
}

static void names_that_are_alike(void)
{
	CHECK_STR(meant_by("filname"), "filename");
	CHECK_STR(meant_by("memory"), "memory_in_mb");
	CHECK_STR(meant_by("root-sze"), "root-size");
	CHECK_STR(meant_by("statr"), "start");
	CHECK_STR(meant_by("di"), "id");
	CHECK_STR(meant_by("stop"), "");
	CHECK_STR(meant_by(""), "");
	CHECK_STR(meant_by("a-name-that-is-longer-than-any-of-the-known"), "");
}

static void failures_of_tls(void)
{
	CHECK_INT(fl_http_tls_of("OpenSSL SSL_read: OpenSSL/3.0.19: error:0A000412:SSL routines::"
				 "sslv3 alert bad certificate, errno 0"), FL_HTTP_TLS_WHO_ARE_YOU);
	CHECK_INT(fl_http_tls_of("OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate "
				 "required, errno 0"), FL_HTTP_TLS_WHO_ARE_YOU);
	CHECK_INT(fl_http_tls_of("SSL certificate problem: self-signed certificate"),
		  FL_HTTP_TLS_UNTRUSTED);
	CHECK_INT(fl_http_tls_of("error:0A00010B:SSL routines::wrong version number"), FL_HTTP_TLS_NONE);
	CHECK_INT(fl_http_tls_of("Couldn't connect to server"), FL_HTTP_TLS_FINE);
}

int main(void)
{
	return test_run((const struct test_case[]){ { "numbers are strict", numbers },
						    { "sizes and durations", sizes_and_durations },
						    { "labels of the host", labels },
						    { "destinations", destinations },
						    { "MACs", macs },
						    { "addresses of hosts", hosts },
						    { "networks", networks },
						    { "base 64 is strict", base64 },
						    { "names that are alike", names_that_are_alike },
						    { "failures of TLS", failures_of_tls },
						    { "ULIDs and UUIDs", ids },
						    { "digests and chain ids", digests },
						    { "sums of texts and streams", hashes },
						    { 0 } });
}
