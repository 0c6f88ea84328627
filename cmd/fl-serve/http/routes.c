/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/routes.h"

#include "common/alloc.h"
#include "common/ulid.h"
#include "common/vec.h"

#include <stdlib.h>
#include <string.h>

#define MICROVM "/microvm.services.api.v1alpha1.MicroVM/"
#define HOST "/flintlock.host.v1.Host/"

/* "{name}" stands for one part of a path. The first row that fits is taken: a path that
 * could be a namespace or a uid is a uid when it is a ULID. */
static const struct row {
	const char *verb, *pattern, *method, *body;
	bool wants_ulid;
} rows[] = {
	{ "POST", "/v1alpha1/microvm", MICROVM "CreateMicroVM", "microvm", false },
	{ "GET", "/v1alpha1/microvm", MICROVM "ListMicroVMs", NULL, false },
	{ "GET", "/v1alpha1/microvm/", MICROVM "ListMicroVMs", NULL, false },
	{ "GET", "/v1alpha1/microvm/{uid}", MICROVM "GetMicroVM", NULL, true },
	{ "GET", "/v1alpha1/microvm/{namespace}", MICROVM "ListMicroVMs", NULL, false },
	{ "DELETE", "/v1alpha1/microvm/{uid}", MICROVM "DeleteMicroVM", NULL, false },
	{ "POST", "/v1/microvm/{uid}/stop", HOST "Stop", "*", false },
	{ "POST", "/v1/microvm/{uid}/start", HOST "Start", "*", false },
	{ "POST", "/v1/microvm/{uid}/pause", HOST "Pause", "*", false },
	{ "POST", "/v1/microvm/{uid}/resume", HOST "Resume", "*", false },
	{ "POST", "/v1/microvm/{uid}/reboot", HOST "Reboot", "*", false },
	{ "GET", "/v1/microvm/{uid}/explain", HOST "Explain", NULL, false },
	{ "GET", "/v1/watch", HOST "Watch", NULL, false },
	{ "GET", "/v1/server", HOST "ServerInfo", NULL, false },
};

static const char *name_of(const struct row *row)
{
	return strstr(row->pattern, "{uid}") ? "uid"
	       : strstr(row->pattern, "{namespace}") ? "namespace" : NULL;
}

/* Where the path's part for the variable lies, or false. */
static bool fits(const struct row *row, const char *path, const char **value, size_t *size)
{
	const char *brace = strchr(row->pattern, '{');
	size_t before = brace ? (size_t)(brace - row->pattern) : strlen(row->pattern);

	*value = path + before;
	*size = 0;
	if (strncmp(path, row->pattern, before) != 0)
		return false;
	if (!brace)
		return path[before] == 0;
	*size = strcspn(*value, "/");
	return *size && strcmp(*value + *size, strchr(brace, '}') + 1) == 0;
}

static bool take(const struct row *row, const char *value, size_t size, struct fl_route *route)
{
	fl_cleanup_free char *text = fl_strndup(value, size);

	if (row->wants_ulid && !fl_ulid_is_valid(text))
		return false;
	route->method = fl_strdup(row->method);
	route->body = row->body;
	route->variable = name_of(row);
	route->value = fl_strdup(text);
	return true;
}

enum fl_route_found fl_route_find(const char *verb, const char *path, struct fl_route *route)
{
	enum fl_route_found found = FL_ROUTE_NO_PATH;
	const char *value;
	size_t size;

	*route = (struct fl_route){ 0 };
	for (size_t i = 0; i < FL_COUNT(rows); i++) {
		if (!fits(&rows[i], path, &value, &size))
			continue;
		if (strcmp(verb, rows[i].verb) == 0 && take(&rows[i], value, size, route))
			return FL_ROUTE_FOUND;
		found = FL_ROUTE_NO_VERB;
	}
	if (found == FL_ROUTE_NO_PATH && strcmp(verb, "POST") == 0 && strchr(path, '.')) {
		route->method = fl_strdup(path);
		route->body = "*";
		return FL_ROUTE_FOUND;
	}
	return found;
}

void fl_route_finish(struct fl_route *route)
{
	free(route->method);
	free(route->value);
	*route = (struct fl_route){ 0 };
}
