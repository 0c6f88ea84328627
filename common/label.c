/* SPDX-License-Identifier: MPL-2.0 */
#include "common/label.h"

#include "common/arch.h"
#include "common/egress.h"
#include "common/num.h"
#include "common/publish.h"

#include <string.h>

#define MOST_A_SECOND (UINT64_C(1) << 40)

static bool is_restart(const char *text)
{
	return strcmp(text, "no") == 0 || strcmp(text, "on-failure") == 0 ||
	       strcmp(text, "always") == 0;
}

int fl_labels_check_restart(const char *policy, struct fl_err *err)
{
	if (is_restart(policy))
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "--restart %s: must be no, on-failure or always", policy);
}

static bool take_restart(const char *text, struct fl_labels *labels)
{
	if (!is_restart(text))
		return false;
	labels->restart = text;
	return true;
}

/* Of the architectures for which there are guests. */
static bool take_platform(const char *text, struct fl_labels *labels)
{
	const struct fl_arch *arch;
	const char *variant;

	text = fl_arch_platform(text);
	arch = fl_arch_of_platform(text);
	if (!arch || (strcmp(arch->name, "amd64") != 0 && strcmp(arch->name, "arm64") != 0))
		return false;
	variant = text + strlen("linux/") + strlen(arch->name);
	if (*variant && (!variant[1] || variant[1 + strspn(variant + 1, "v0123456789")]))
		return false;
	labels->platform = text;
	return true;
}

static bool take_metadata_service(const char *text, struct fl_labels *labels)
{
	if (strcmp(text, "v1") != 0 && strcmp(text, "v2") != 0)
		return false;
	labels->metadata_service = (unsigned)(text[1] - '0');
	return true;
}

static bool take_disk_bandwidth(const char *text, struct fl_labels *labels)
{
	return fl_num_size(text, 1, MOST_A_SECOND, &labels->disk_bandwidth, NULL) == 0;
}

static bool take_disk_operations(const char *text, struct fl_labels *labels)
{
	return fl_num_u64(text, 1, MOST_A_SECOND, &labels->disk_operations, NULL) == 0;
}

static bool take_network_bandwidth(const char *text, struct fl_labels *labels)
{
	return fl_num_size(text, 1, MOST_A_SECOND, &labels->network_bandwidth, NULL) == 0;
}

static bool take_publish(const char *text, struct fl_labels *labels)
{
	struct fl_publish one;
	const char *at = text;
	int rc;

	while ((rc = fl_publish_next(&at, &one, NULL)) > 0)
		;
	if (rc < 0)
		return false;
	labels->publish = text;
	return true;
}

static bool take_egress(const char *text, struct fl_labels *labels)
{
	labels->deny_egress = strcmp(text, "deny") == 0;
	return labels->deny_egress || strcmp(text, "allow") == 0;
}

static bool take_allow(const char *text, struct fl_labels *labels)
{
	struct fl_egress one;
	const char *at = text;
	int rc;

	while ((rc = fl_egress_next(&at, &one, NULL)) > 0)
		;
	if (rc < 0)
		return false;
	labels->allow = text;
	return true;
}

static const struct {
	const char *name, *values;
	bool (*take)(const char *text, struct fl_labels *labels);
} known[] = {
	{ "restart", "no, on-failure or always", take_restart },
	{ "platform", "linux/amd64 or linux/arm64", take_platform },
	{ "publish", "[ADDRESS:]PORT:TO[/udp],… such as 8080:80", take_publish },
	{ "egress", "deny or allow", take_egress },
	{ "allow", "ADDRESS[/PREFIX][:PORT[/tcp|/udp]],… such as 10.0.0.0/8,192.0.2.1:443; names are not "
		   "taken, as what they mean changes", take_allow },
	{ "metadata-service", "v1 or v2", take_metadata_service },
	{ "disk-bandwidth", "a number of bytes a second such as 10M", take_disk_bandwidth },
	{ "disk-operations", "a number of operations a second", take_disk_operations },
	{ "network-bandwidth", "a number of bytes a second such as 10M", take_network_bandwidth },
};

static void tell_unknown(void (*wrong)(void *arg, const char *label, const char *what), void *arg,
			 const char *label)
{
	fl_cleanup_str struct fl_str what = FL_STR_INIT;

	fl_str_add(&what, "is unknown; known are:");
	for (size_t i = 0; i < FL_COUNT(known); i++)
		fl_str_addf(&what, "%s " FL_LABEL_PREFIX "%s", i ? "," : "", known[i].name);
	wrong(arg, label, what.data);
}

static void tell_wrong(void (*wrong)(void *arg, const char *label, const char *what), void *arg,
		       const char *label, const char *text, const char *values)
{
	fl_cleanup_str struct fl_str what = FL_STR_INIT;

	fl_str_addf(&what, "\"%s\" is not %s", text, values);
	wrong(arg, label, what.data);
}

void fl_labels_read(const fl_json *map, struct fl_labels *labels,
		    void (*wrong)(void *arg, const char *label, const char *what), void *arg)
{
	*labels = (struct fl_labels){ 0 };
	for (void *at = fl_json_first(map); at; at = fl_json_next(map, at)) {
		const char *label = fl_json_key(at), *text = fl_json_text(fl_json_value(at));
		size_t i = 0;

		if (!fl_str_starts(label, FL_LABEL_PREFIX))
			continue;
		while (i < FL_COUNT(known) && strcmp(known[i].name, label + strlen(FL_LABEL_PREFIX)) != 0)
			i++;
		if (i == FL_COUNT(known) && wrong)
			tell_unknown(wrong, arg, label);
		else if (i < FL_COUNT(known) && !known[i].take(text, labels) && wrong)
			tell_wrong(wrong, arg, label, text, known[i].values);
	}
	if (labels->allow && !labels->deny_egress && wrong)
		wrong(arg, FL_LABEL_PREFIX "allow", "means nothing unless " FL_LABEL_PREFIX "egress is "
		      "\"deny\"");
}
