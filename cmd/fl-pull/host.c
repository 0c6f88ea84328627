/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/host.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include <arpa/inet.h>
#include <string.h>

/* The host without port and brackets. */
static char *bare(const char *host)
{
	if (*host == '[')
		return fl_strndup(host + 1, strcspn(host + 1, "]"));
	return fl_strndup(host, strcspn(host, ":"));
}

bool fl_host_is_loopback(const char *host)
{
	fl_cleanup_free char *name = bare(host);
	struct in_addr address;

	if (inet_pton(AF_INET, name, &address) == 1)
		return ntohl(address.s_addr) >> 24 == 127;
	return strcmp(name, "localhost") == 0 || strcmp(name, "::1") == 0;
}

static const char *behind_scheme(const char *url)
{
	const char *at = strstr(url, "://");

	return at ? at + 3 : url;
}

char *fl_host_of_url(const char *url)
{
	const char *host = behind_scheme(url);

	return fl_strndup(host, strcspn(host, "/?#"));
}

char *fl_host_normal(const char *key)
{
	static const char *const versions[] = { "/v1", "/v2" };
	static const char *const docker[] = { "index.docker.io", "registry-1.docker.io" };
	char *name = fl_strdup(behind_scheme(key));
	size_t len = strlen(name);

	while (len && name[len - 1] == '/')
		name[--len] = 0;
	for (size_t i = 0; i < FL_COUNT(versions); i++)
		if (fl_str_ends(name, versions[i]))
			name[strlen(name) - strlen(versions[i])] = 0;
	for (size_t i = 0; i < FL_COUNT(docker); i++)
		if (strcmp(name, docker[i]) == 0)
			strcpy(name, "docker.io");
	return name;
}

char *fl_host_without_proxy(void)
{
	const char *lower = getenv("no_proxy"), *upper = getenv("NO_PROXY");
	const char *said = lower ? lower : upper ? upper : "";

	if (strcmp(said, "*") == 0)
		return fl_strdup(said);
	return fl_asprintf("%s%slocalhost,127.0.0.0/8,::1", said, *said ? "," : "");
}

const char *fl_host_docker_key(const char *host)
{
	return strcmp(host, "docker.io") == 0 ? "https://index.docker.io/v1/" : host;
}
