/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/service.h"

#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/route.h"

#include "common/alloc.h"

#include <sys/random.h>

#define TOKEN_BYTES 32

/* Where the default route leads to is where others come from. */
char *fl_service_address(const struct fl_host *host)
{
	fl_cleanup_free char *link = NULL;
	char *address;

	if (host->grpc_address)
		return fl_strdup(host->grpc_address);
	link = host->parent_iface ? fl_strdup(host->parent_iface) : fl_route_interface();
	address = link ? fl_route_address(link) : NULL;
	return address ? address : fl_strdup("127.0.0.1");
}

static int write_tokens(const struct fl_host *host, const fl_json *about,
			const struct fl_str *now, struct fl_str *text, struct fl_str *why,
			struct fl_err *err)
{
	unsigned char bytes[TOKEN_BYTES];

	(void)host;
	(void)about;
	(void)now;
	(void)why;
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fl_err_errno(err, errno, "no random bytes for a token");
	fl_str_add(text, "# TOKEN [NAMESPACES [VERBS]]; see fl-serve(8)\n");
	for (size_t i = 0; i < sizeof(bytes); i++)
		fl_str_addf(text, "%02x", bytes[i]);
	fl_str_add(text, "\n");
	return 0;
}

/* Its act's about; borrowed. */
static fl_json *add_unit(fl_acts *acts, const char *step, fl_json *reread)
{
	static const char *const settings[] = { FL_CONFIG_DIR "/config.yaml", FL_DROPIN_STATE,
						FL_DROPIN_POOL };
	fl_json *about = fl_about("fl-serve.service"), *list = fl_json_new_array();

	for (size_t i = 0; i < FL_COUNT(settings); i++)
		fl_json_add(list, fl_json_new_text(settings[i]));
	fl_json_set(about, "settings", list);
	if (reread)
		fl_json_set(about, "reread", fl_json_ref(reread));
	fl_acts_add(acts, &fl_act_unit, step, about);
	return about;
}

void fl_service_add(const struct fl_site *site, fl_acts *acts)
{
	static const struct fl_file tokens = { .mode = 0600, .keeps = true, .write = write_tokens };
	struct fl_serving serving FL_CLEANUP(fl_serving_finish) = { 0 };

	/* What is wrong with the file is told when its turn comes, and nothing is made for it. */
	if (fl_config_look(site, &serving, NULL) == 0 && serving.own_certificate)
		fl_pki_add(acts, serving.hosts.data ? serving.hosts.data : "");
	if (serving.own_tokens)
		fl_file_add(acts, "flintlock", FL_TOKENS_FILE, &tokens);
	fl_config_add(acts, &serving);
	fl_dropin_add_state(serving.state_dir ? serving.state_dir : site->host->state_dir, acts);
	fl_dropin_add_pool(site, "flintlock", true, acts);
	add_unit(acts, "flintlock", serving.reread);
}

void fl_service_add_pool(const struct fl_site *site, const char *step, fl_acts *acts)
{
	fl_json *about;

	if (!fl_dropin_add_pool(site, step, false, acts))
		return;
	about = add_unit(acts, step, NULL);
	fl_json_set(about, "only_running", fl_json_new_bool(true));
}
