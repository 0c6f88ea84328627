/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/origin.h"

#include "common/alloc.h"
#include "common/log.h"

#include <string.h>

static int use_host(const struct fl_origin *origin, const char *host, const char *name,
		    struct fl_err *err)
{
	fl_cleanup_source struct fl_source source = FL_SOURCE_INIT;

	fl_source_open_registry(&source, origin->reference, host, name, origin->wanted,
				origin->options, origin->cancel);
	return origin->use(origin->arg, &source, err);
}

/* A mirror that is away, does not know the image, or lies. What the image itself is does not
 * change with whom is asked. */
static bool is_mirrors_fault(enum fl_err_kind kind)
{
	static const enum fl_err_kind kinds[] = {
		FL_ERR_UNAVAILABLE, FL_ERR_NOT_FOUND, FL_ERR_UNAUTHENTICATED, FL_ERR_DENIED,
		FL_ERR_CORRUPT,     FL_ERR_INVALID,
	};

	for (size_t i = 0; i < FL_COUNT(kinds); i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

/* 0 done; 1: the next one is to be asked; -1. mirror is "host[:port][/path]". */
static int try_mirror(const struct fl_origin *origin, const char *mirror, struct fl_err *err)
{
	fl_cleanup_free char *host = fl_strndup(mirror, strcspn(mirror, "/"));
	fl_cleanup_free char *name =
		fl_asprintf("%s%s%s", mirror + strlen(host) + (mirror[strlen(host)] == '/'),
			    mirror[strlen(host)] ? "/" : "", origin->reference->name);
	struct fl_err why = { 0 };

	if (use_host(origin, host, name, &why) == 0) {
		fl_log(FL_LOG_DEBUG, "%s: from the mirror %s", origin->reference->text, mirror);
		return 0;
	}
	if (!is_mirrors_fault(why.kind))
		return fl_err_pass(err, &why);
	fl_log(FL_LOG_DEBUG, "%s: not from the mirror %s: %s", origin->reference->text, mirror,
	       why.text);
	return 1;
}

static int use_registry(const struct fl_origin *origin, struct fl_err *err)
{
	const char *host = origin->reference->host;
	struct fl_host_config said = fl_config_host(&origin->options->config, host);
	int rc = 1;

	for (size_t i = 0; rc == 1 && i < fl_json_count(said.mirrors); i++)
		rc = try_mirror(origin, fl_json_text(fl_json_item(said.mirrors, i)), err);
	if (rc != 1)
		return rc;
	return use_host(origin, host, origin->reference->name, err);
}

int fl_origin_use(const struct fl_origin *origin, struct fl_err *err)
{
	fl_cleanup_source struct fl_source source = FL_SOURCE_INIT;

	if (origin->reference->host)
		return use_registry(origin, err);
	if (fl_source_open_layout(&source, origin->reference, origin->wanted,
				  origin->cancel, err) < 0)
		return -1;
	return origin->use(origin->arg, &source, err);
}
