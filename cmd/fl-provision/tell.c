/* SPDX-License-Identifier: MPL-2.0 */
/* What who has a server now wants to know. */
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/log.h"

#include <string.h>

static bool has_settings(const fl_acts *acts)
{
	bool has = false;

	for (size_t i = 0; i < acts->count; i++)
		has |= strcmp(fl_act_name(&acts->items[i]), FL_CONFIG_DIR "/config.yaml") == 0;
	return has;
}

/* By what it can be dialed from here. Caller frees. */
static char *dialed(const char *endpoint)
{
	if (fl_str_starts(endpoint, "0.0.0.0:"))
		return fl_asprintf("127.0.0.1:%s", endpoint + strlen("0.0.0.0:"));
	if (fl_str_starts(endpoint, "[::]:"))
		return fl_asprintf("[::1]:%s", endpoint + strlen("[::]:"));
	return fl_strdup(endpoint);
}

/* Only what is ours: where other settings count, who wrote them knows. */
static void tell_own(const struct fl_serving *serving)
{
	fl_cleanup_free char *at = dialed(serving->endpoint);

	fl_log(FL_LOG_INFO, "flintlock: clients need ca.pem, client.pem and client.key of " FL_PKI_DIR "%s",
	       serving->own_tokens ? ", and a token of " FL_TOKENS_FILE : "");
	fl_log(FL_LOG_INFO, "flintlock: to try it: grpcurl -cacert " FL_PKI_DIR "/ca.pem -cert " FL_PKI_DIR
	       "/client.pem -key " FL_PKI_DIR "/client.key%s %s "
	       "microvm.services.api.v1alpha1.MicroVM/ListMicroVMs",
	       serving->own_tokens ? " -H \"authorization: Bearer $(awk '!/^#/ { print $1; exit }' "
				     FL_TOKENS_FILE ")\"" : "", at);
}

void fl_service_tell(const struct fl_site *site, const fl_acts *acts)
{
	struct fl_serving serving FL_CLEANUP(fl_serving_finish) = { 0 };

	if (!has_settings(acts) || fl_config_look(site, &serving, NULL) < 0 || !serving.endpoint)
		return;
	fl_log(FL_LOG_INFO, "flintlock: fl-serve is set to serve gRPC at %s (" FL_CONFIG_DIR "/config.yaml)",
	       serving.endpoint);
	if (serving.own_certificate)
		tell_own(&serving);
}
