/* SPDX-License-Identifier: MPL-2.0 */
/* A file of logins, docker's or podman's, and what is looked up in it. */
#include "cmd/fl-pull/authfile.h"
#include "cmd/fl-pull/credentials.h"
#include "t/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_file file = fuzz_file(data, size);
	struct fl_credentials_options options = { .auth_file = file.path };
	fl_cleanup_json fl_json *logins = fl_authfile_read(file.path, NULL);
	fl_cleanup_credentials struct fl_credentials found = { 0 };

	if (logins) {
		fl_authfile_entry(logins, "registry.test", "a/b/c", NULL);
		fl_authfile_entry(logins, "127.0.0.1:5000", NULL, NULL);
		/* Helpers are programs of the host: they are not run here. */
		if (!fl_authfile_own_helper(logins, "registry.test") &&
		    !fl_authfile_store_helper(logins))
			fl_credentials_find(&options, "registry.test", "a/b", &found, NULL);
	}
	close(file.fd);
	return 0;
}
