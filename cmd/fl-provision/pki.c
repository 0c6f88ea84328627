/* SPDX-License-Identifier: MPL-2.0 */
/* The folder of keys and certificates. */
#include "cmd/fl-provision/certificate.h"
#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/route.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define DAYS_OF_CA 3650
#define DAYS 825
#define DAYS_LEFT 30

static int write_key(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		     struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	(void)host;
	(void)about;
	(void)now;
	(void)why;
	return fl_certificate_make_key(text, err);
}

static int read_one(const char *name, struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf(FL_PKI_DIR "/%s", name);

	return fl_io_read_file(AT_FDCWD, path, 1 << 20, text, err);
}

static void add_hosts(const char *hosts, bool all, struct fl_str *list)
{
	while (hosts) {
		fl_cleanup_free char *host = fl_str_cut(&hosts, ',');

		if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
			if (all)
				fl_route_addresses(list);
		} else if (*host && !fl_host_lists(list->data, host)) {
			fl_str_addf(list, ",%s", host);
		}
	}
}

/* All that the server may be called by: what others dial must stand in its certificate. Without
 * all, what it cannot do without. */
static void list_hosts(const struct fl_host *host, const fl_json *about, bool all,
		       struct fl_str *list)
{
	fl_cleanup_free char *address = fl_service_address(host);
	char name[HOST_NAME_MAX + 1] = "";

	fl_str_add(list, "localhost,127.0.0.1,::1");
	if (gethostname(name, sizeof(name) - 1) == 0)
		add_hosts(name, all, list);
	add_hosts(fl_about_text(about, "served"), all, list);
	if (all)
		add_hosts(address, all, list);
}

/* Whether the CA's key is there, and its own. */
static bool can_sign(void)
{
	fl_cleanup_str struct fl_str key = FL_STR_INIT, ca = FL_STR_INIT;

	return read_one("ca.key", &key, NULL) == 0 && read_one("ca.pem", &ca, NULL) == 0 &&
	       fl_certificate_fits(&ca, &key);
}

/* "ca", "server" or "client": the file's own name, without what is behind the dot. */
static char *who_of(const fl_json *about)
{
	const char *file = fl_path_last(fl_about_text(about, "name"));

	return fl_strndup(file, strcspn(file, "."));
}

static int sign(const char *who, const struct fl_certificate *want, struct fl_str *text,
		struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("%s.key", who);
	fl_cleanup_str struct fl_str key = FL_STR_INIT, ca = FL_STR_INIT, ca_key = FL_STR_INIT;

	if (read_one(name, &key, err) < 0)
		return -1;
	if (want->is_ca)
		return fl_certificate_make(want, &key, NULL, NULL, text, err);
	if (read_one("ca.pem", &ca, err) < 0 || read_one("ca.key", &ca_key, err) < 0)
		return -1;
	return fl_certificate_make(want, &key, &ca, &ca_key, text, err);
}

static int write_cert(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		      struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	fl_cleanup_free char *who = who_of(about), *name = fl_asprintf("flintlock %s", who);
	fl_cleanup_str struct fl_str hosts = FL_STR_INIT;
	struct fl_certificate want = { .name = name, .days = DAYS };

	(void)now;
	(void)why;
	if (strcmp(who, "ca") == 0) {
		want.is_ca = true;
		want.days = DAYS_OF_CA;
	} else if (strcmp(who, "server") == 0) {
		want.is_server = true;
		list_hosts(host, about, true, &hosts);
		want.hosts = hosts.data;
	}
	return sign(who, &want, text, err);
}

static bool is_good(const struct fl_site *site, const fl_json *about, const struct fl_str *now)
{
	fl_cleanup_free char *who = who_of(about), *name = fl_asprintf("%s.key", who);
	fl_cleanup_str struct fl_str key = FL_STR_INIT, ca = FL_STR_INIT, hosts = FL_STR_INIT;

	/* Its key may be elsewhere, and one that does not fit makes it no worse. */
	if (strcmp(who, "ca") == 0)
		return fl_certificate_is_good(now, NULL, now, NULL, DAYS_LEFT);
	if (read_one(name, &key, NULL) < 0 || read_one("ca.pem", &ca, NULL) < 0)
		return false;
	/* What none can sign now is not asked for where one can do without. */
	if (strcmp(who, "server") == 0)
		list_hosts(site->host, about, can_sign(), &hosts);
	return fl_certificate_is_good(now, &key, &ca, hosts.data, DAYS_LEFT);
}

/* A CA that is there is the one that clients trust: only its own key signs. */
static int may_sign(const struct fl_site *site, const fl_json *about, struct fl_err *err)
{
	fl_cleanup_free char *who = who_of(about);
	fl_cleanup_str struct fl_str hosts = FL_STR_INIT;

	if (access(FL_PKI_DIR "/ca.pem", F_OK) < 0 || can_sign())
		return 0;
	if (strcmp(who, "server") == 0)
		list_hosts(site->host, about, true, &hosts);
	return fl_err_set(err, FL_ERR_PRECONDITION, "%s: has to be signed%s%s, and " FL_PKI_DIR
			  "/ca.key %s; put the key of ca.pem there for this run, or remove " FL_PKI_DIR
			  " to begin anew with another CA, which clients have to be given",
			  fl_about_text(about, "name"), hosts.len ? " for " : "",
			  hosts.len ? hosts.data : "",
			  access(FL_PKI_DIR "/ca.key", R_OK) < 0 ? "cannot be read"
								 : "is not the key of ca.pem");
}

void fl_pki_add(fl_acts *acts, const char *served)
{
	static const struct fl_file key = { .mode = 0600, .keeps = true, .write = write_key };
	static const struct fl_file cert = { .mode = 0644, .write = write_cert, .is_good = is_good,
					     .may_write = may_sign };
	struct fl_act *server;

	/* It is kept elsewhere once all is signed. */
	if (access(FL_PKI_DIR "/ca.pem", F_OK) < 0)
		fl_file_add(acts, "flintlock", FL_PKI_DIR "/ca.key", &key);
	fl_file_add(acts, "flintlock", FL_PKI_DIR "/ca.pem", &cert);
	fl_file_add(acts, "flintlock", FL_PKI_DIR "/server.key", &key);
	server = fl_file_add(acts, "flintlock", FL_PKI_DIR "/server.pem", &cert);
	fl_json_set(server->about, "served", fl_json_new_text(served));
	fl_file_add(acts, "flintlock", FL_PKI_DIR "/client.key", &key);
	fl_file_add(acts, "flintlock", FL_PKI_DIR "/client.pem", &cert);
}
