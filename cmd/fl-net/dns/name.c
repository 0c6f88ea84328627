/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/dns/name.h"

#include "common/alloc.h"

#include <ctype.h>
#include <string.h>

#define USUAL_NAMESPACE "default"
#define LABEL 63

static bool is_label(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)text[i]) && (text[i] != '-' || i == 0 || i == size - 1))
			return false;
	return size > 0 && size <= LABEL;
}

bool fl_dns_is_label(const char *text)
{
	return is_label(text, strlen(text));
}

static bool is_domain(const char *domain)
{
	const char *at = domain;
	size_t size;

	while (is_label(at, size = strcspn(at, "."))) {
		/* All digits at the end make an address of it. */
		if (!at[size])
			return strspn(at, "0123456789") < size && strlen(domain) < FL_DNS_DOMAIN;
		at += size + 1;
	}
	return false;
}

int fl_dns_check_domain(const char *domain, struct fl_err *err)
{
	if (is_domain(domain))
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "\"%.130s\" is not a domain: at most %d letters, digits, "
			  "\"-\" and \".\", such as fl.internal", domain, FL_DNS_DOMAIN - 1);
}

/* DNS takes capitals for small letters, and nothing else does: what has them would be another's. */
static bool is_own(const char *text)
{
	return fl_dns_is_label(text) && !strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

bool fl_dns_add_names(const char *name_space, const char *name, const char *domain,
		      struct fl_str *out)
{
	if (!is_own(name) || !is_own(name_space))
		return false;
	fl_str_addf(out, " %s.%s.%s", name, name_space, domain);
	if (strcmp(name_space, USUAL_NAMESPACE) == 0)
		fl_str_addf(out, " %s.%s", name, domain);
	return true;
}

fl_json *fl_dns_search(const char *name_space, const char *domain)
{
	fl_json *list = fl_json_new_array();

	if (is_own(name_space)) {
		fl_cleanup_free char *own = fl_asprintf("%s.%s", name_space, domain);

		fl_json_add(list, fl_json_new_text(own));
	}
	fl_json_add(list, fl_json_new_text(domain));
	return list;
}
