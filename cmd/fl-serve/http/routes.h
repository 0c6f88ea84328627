/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which call an HTTP request means: verbs and paths of flintlock's gateway, those of the
 * second service, and "POST /package.Service/Method" for every method.
 *
 *     struct fl_route route;
 *     if (fl_route_find("GET", "/v1alpha1/microvm/01ARZ3…", &route) == FL_ROUTE_FOUND)
 *             fl_json_set(request, route.variable, text of route.value);
 */
#pragma once

#include "common/str.h"

enum fl_route_found { FL_ROUTE_FOUND, FL_ROUTE_NO_PATH, FL_ROUTE_NO_VERB };

struct fl_route {
	char *method;         /* "/package.Service/Method"; owned */
	const char *body;     /* the field that the body is; "*": the request; NULL: none */
	const char *variable; /* the field that stands in the path; NULL: none */
	char *value;          /* its text; owned */
};

enum fl_route_found fl_route_find(const char *verb, const char *path, struct fl_route *route);
void fl_route_finish(struct fl_route *route);
#define fl_cleanup_route FL_CLEANUP(fl_route_finish)
