/* SPDX-License-Identifier: MPL-2.0 */
/* Networks of CNI as their administrator wrote them, and what their plugins answer: what is taken
 * from an answer is right by itself, and a list that was read is its own reading. */
#include "cmd/fl-net/cni/list.h"
#include "cmd/fl-net/cni/result.h"
#include "common/inet.h"
#include "t/fuzz/fuzz.h"

static bool is_address(const fl_json *value)
{
	struct fl_cidr cidr;

	return fl_json_text(value) && fl_inet_parse_cidr(fl_json_text(value), &cidr, NULL) == 0;
}

static void all_are_addresses(const fl_json *list)
{
	for (size_t i = 0; i < fl_json_count(list); i++)
		MUST(is_address(fl_json_item(list, i)));
}

static void check_answer(const fl_json *made)
{
	const fl_json *routes = fl_json_get(made, "routes");

	MUST(!fl_json_get(made, "address") || is_address(fl_json_get(made, "address")));
	MUST(!fl_json_get(made, "gateway") || is_address(fl_json_get(made, "gateway")));
	MUST(!fl_json_get(made, "addresses") || fl_json_get(made, "address"));
	all_are_addresses(fl_json_get(made, "addresses"));
	all_are_addresses(fl_json_get(made, "nameservers"));
	for (size_t i = 0; i < fl_json_count(routes); i++) {
		MUST(is_address(fl_json_get(fl_json_item(routes, i), "to")));
		MUST(is_address(fl_json_get(fl_json_item(routes, i), "via")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fl_cleanup_json fl_json *sent = fl_json_parse((const char *)data, size, "answer", NULL);
	fl_cleanup_json fl_json *made = sent ? fl_cni_result_read(sent, NULL) : NULL;
	fl_cleanup_json fl_json *list = sent ? fl_cni_list_read(sent, "list", NULL) : NULL;
	fl_cleanup_json fl_json *again = list ? fl_cni_list_read(list, "list", NULL) : NULL;

	if (made)
		check_answer(made);
	MUST(!list || fl_json_equal(list, again));
	return 0;
}
