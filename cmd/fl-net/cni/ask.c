/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/ask.h"

#include "cmd/fl-net/cni/list.h"
#include "common/alloc.h"
#include "common/publish.h"

#include <string.h>

static fl_json *mappings_of(const char *text)
{
	fl_json *list = fl_json_new_array();
	struct fl_publish one;

	while (fl_publish_next(&text, &one, NULL) > 0) {
		fl_json *mapping = fl_json_new_object();

		fl_json_set(mapping, "hostPort", fl_json_new_int(one.port));
		fl_json_set(mapping, "containerPort", fl_json_new_int(one.to));
		fl_json_set(mapping, "protocol", fl_json_new_text(fl_publish_protocol(&one)));
		if (*one.address)
			fl_json_set(mapping, "hostIP", fl_json_new_text(one.address));
		fl_json_add(list, mapping);
	}
	return list;
}

fl_json *fl_cni_ask_parts(const struct fl_attach_wish *wish)
{
	fl_json *parts = fl_json_new_object();
	char mac[FL_MAC_TEXT];

	fl_inet_print_mac(&wish->mac, mac);
	fl_json_set(parts, "mac", fl_json_new_text(mac));
	if (wish->in->address) {
		fl_json *addresses = fl_json_new_array();

		fl_json_add(addresses, fl_json_new_text(wish->in->address));
		fl_json_set(parts, "ips", addresses);
	}
	if (wish->wants_ports)
		fl_json_set(parts, "portMappings", mappings_of(wish->call->spec.asked.publish));
	return parts;
}

char *fl_cni_ask_arguments(const struct fl_attach_wish *wish, const fl_json *list)
{
	const struct fl_interface *in = wish->in;
	struct fl_str out = FL_STR_INIT;

	fl_str_add(&out, "IgnoreUnknown=1");
	if (in->mac && !fl_cni_list_can(list, "mac"))
		fl_str_addf(&out, ";MAC=%s", in->mac);
	if (in->address && !fl_cni_list_can(list, "ips"))
		fl_str_addf(&out, ";IP=%.*s", (int)strcspn(in->address, "/"), in->address);
	return fl_str_steal(&out);
}

static bool has_address(const char *wanted, const fl_json *made)
{
	const char *text = fl_json_text(fl_json_get(made, "address"));
	struct fl_cidr a, b;

	return text && fl_inet_parse_cidr(wanted, &a, NULL) == 0 &&
	       fl_inet_parse_cidr(text, &b, NULL) == 0 && fl_inet_equal(&a, &b);
}

int fl_cni_ask_check(const struct fl_attach_wish *wish, const fl_json *made,
		     const struct fl_mac *mac, struct fl_err *err)
{
	const struct fl_interface *in = wish->in;
	const char *address = fl_json_text(fl_json_get(made, "address"));
	char text[FL_MAC_TEXT];

	fl_inet_print_mac(mac, text);
	if (in->address && !has_address(in->address, made))
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "CNI network %s: its plugins gave %s, not the "
				  "spec's %s; let one of them have the capability \"ips\", or leave "
				  "the address out", wish->network, address ? address : "no address",
				  in->address);
	if (in->mac && memcmp(mac->byte, wish->mac.byte, sizeof(mac->byte)) != 0)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "CNI network %s: its plugins gave %s, not the "
				  "spec's %s; let one of them have the capability \"mac\", or leave "
				  "guest_mac out", wish->network, text, in->mac);
	return 0;
}
