/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/release.h"

#include "cmd/fl-provision/download.h"
#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/log.h"
#include "common/path.h"
#include "common/sha256.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>

/* A pattern of the table with {version} and {arch} filled in; caller frees. */
static char *expand(const char *pattern, const char *version, const char *arch)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	for (const char *at = pattern; *at;) {
		bool is_version = fl_str_starts(at, "{version}");

		if (is_version || fl_str_starts(at, "{arch}")) {
			fl_str_add(&out, is_version ? version : arch);
			at = strchr(at, '}') + 1;
		} else {
			fl_str_add_bytes(&out, at++, 1);
		}
	}
	return fl_str_steal(&out);
}

static bool names_programs(const fl_json *programs)
{
	for (void *i = fl_json_first(programs); i; i = fl_json_next(programs, i))
		if (!fl_json_text(fl_json_value(i)))
			return false;
	return fl_json_first(programs);
}

/* The table's part of one VMM; caller owns it. */
static fl_json *read_table(const char *vmm, struct fl_err *err)
{
	fl_cleanup_free char *folder = fl_path_of_program();
	fl_cleanup_free char *path = fl_asprintf("%s/../share/flintlock/releases.json", folder);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *table = NULL;

	if (fl_io_read_file(AT_FDCWD, path, 1 << 20, &text, err) < 0)
		return NULL;
	table = fl_json_parse(text.data, text.len, path, err);
	if (!table)
		return NULL;
	if (!names_programs(fl_json_get(fl_json_get(table, vmm), "programs"))) {
		fl_err_set(err, FL_ERR_INVALID, "%s: says not which programs \"%s\" has", path, vmm);
		return NULL;
	}
	return fl_json_ref(fl_json_get(table, vmm));
}

static const struct fl_release *release_of(const struct fl_host *host, const char *vmm)
{
	return strcmp(vmm, "firecracker") == 0 ? &host->firecracker : &host->cloudhypervisor;
}

/* It becomes part of paths and addresses. */
static int check_version(const char *version, const char *from, struct fl_err *err)
{
	if (*version == 'v' && fl_path_is_name(version))
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "%s %s: is no release's tag, such as v1.2.3; what is "
			  "\"latest\" changes, and is not taken", from, version);
}

static int unpack(const struct fl_str *archive, const char *member, struct fl_str *text,
		  struct fl_err *err)
{
	const char *argv[] = { "tar", "--extract", "--gzip", "--to-stdout", "--file=-", "--", member,
			       NULL };

	return fl_program_filter(argv, archive, text, err);
}

/* Before it gets its name: what is for another machine, or is no program, never does. */
static int try_out(const char *name, const struct fl_str *program, struct fl_err *err)
{
	fl_cleanup_close int fd = memfd_create("vmm", MFD_CLOEXEC), readable = -1;
	fl_cleanup_free char *path = NULL;
	fl_cleanup_str struct fl_str said = FL_STR_INIT;

	if (fd < 0 || fl_io_write(fd, program->data, program->len, name, err) < 0)
		return fd < 0 ? fl_err_errno(err, errno, "%s", name) : -1;
	/* What someone may write to is not executed. */
	path = fl_asprintf("/proc/self/fd/%d", fd);
	readable = open(path, O_RDONLY | O_CLOEXEC);
	close(fl_steal_fd(&fd));
	free(path);
	path = fl_asprintf("/proc/%d/fd/%d", (int)getpid(), readable);
	if (FL_RUN(&said, err, path, "--version") < 0)
		return fl_err_prefix(err, "%s: does not run here", name);
	fl_log(FL_LOG_INFO, "%s: %.*s", name, (int)strcspn(said.len ? said.data : "", "\n"),
	       said.len ? said.data : "");
	return 0;
}

/* An act for each program, and an archive of a few MiB is fetched for each. */
static int write_program(const struct fl_host *host, const fl_json *about,
			 const struct fl_str *now, struct fl_str *text, struct fl_str *why,
			 struct fl_err *err)
{
	const char *member = fl_about_text(about, "member");
	const char *program = fl_path_last(fl_about_text(about, "name"));
	static const char elsewhere[] = "; --offline and --mirror take it from elsewhere, --skip "
					"leaves it out";
	fl_cleanup_str struct fl_str bytes = FL_STR_INIT;
	struct fl_err failed = { 0 };

	(void)now;
	(void)why;
	if (fl_download(host, fl_about_text(about, "url"), fl_about_text(about, "file"),
			fl_about_text(about, "archive"), &bytes, &failed) < 0)
		return fl_err_set(err, failed.kind, "%s: %s%s", fl_about_text(about, "version"),
				  failed.text, failed.kind == FL_ERR_UNAVAILABLE ? elsewhere : "");
	if (!*member)
		fl_str_add_bytes(text, bytes.data, bytes.len);
	else if (unpack(&bytes, member, text, err) < 0)
		return -1;
	return try_out(program, text, err);
}

/* The same release's, and as we wrote it. */
static bool is_good(const struct fl_site *site, const fl_json *about, const struct fl_str *now)
{
	const char *path = fl_about_text(about, "name");
	const fl_json *entry = fl_ledger_find(site->ledger, "file", path);

	return entry && fl_file_is_ours(site, path, now) &&
	       strcmp(fl_about_text(entry, "archive"), fl_about_text(about, "archive")) == 0;
}

static int check_sha256(const char *text, struct fl_err *err)
{
	if (strlen(text) == FL_SHA256_HEX - 1 &&
	    strspn(text, "0123456789abcdef") == FL_SHA256_HEX - 1)
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "--sha256 %s: 64 hexadecimal digits in lower case belong "
			  "here", text);
}

/* What the file must be: said by the user, pinned for the pinned version, or listed beside an
 * offline copy. NULL: unknown. Caller frees. */
static char *digest_of(const struct fl_host *host, const char *vmm, const fl_json *table,
		       const char *version, const char *arch, const char *file)
{
	const struct fl_release *release = release_of(host, vmm);
	const char *pinned = fl_about_text(fl_json_get(table, "sha256"), arch);

	if (release->sha256)
		return fl_strdup(release->sha256);
	if (*pinned && strcmp(version, fl_about_text(table, "version")) == 0)
		return fl_strdup(pinned);
	return fl_download_listed(host, file);
}

static int no_digest(const char *vmm, const char *version, const char *file, bool wanted,
		     struct fl_err *err)
{
	if (!wanted) {
		fl_log(FL_LOG_WARN, "%s: left out: no sha256 of %s (%s) is known; give "
		       "--%s-sha256", vmm, file, version, vmm);
		return 0;
	}
	return fl_err_set(err, FL_ERR_PRECONDITION, "%s: no sha256 of %s (%s) is known, and without one "
			  "it is not trusted; give --sha256, or --offline DIR with a SHA256SUMS", vmm,
			  file, version);
}

static void set_text(fl_json *about, const char *key, char *owned)
{
	fl_json_set(about, key, fl_json_new_text(owned));
	free(owned);
}

/* Of a release for this machine, the pinned one unless another is asked for. */
struct choice {
	fl_json *table;
	const char *version;
	const char *arch;
	char *file, *sha256;
};

static void choice_finish(struct choice *choice)
{
	fl_json_unref(choice->table);
	free(choice->file);
	free(choice->sha256);
}

static void add_program(fl_acts *acts, const char *vmm, const struct choice *choice,
			const char *path, const char *member)
{
	static const struct fl_file program = { .mode = 0755, .write = write_program,
						.is_good = is_good };
	fl_json *about = fl_file_add(acts, vmm, path, &program)->about;

	set_text(about, "version", fl_strdup(choice->version));
	set_text(about, "file", fl_strdup(choice->file));
	set_text(about, "archive", fl_strdup(choice->sha256));
	set_text(about, "url", expand(fl_about_text(choice->table, "url"), choice->version,
				      choice->arch));
	set_text(about, "member", expand(member, choice->version, choice->arch));
}

static int choose(const struct fl_site *site, const char *vmm, const char *arch,
		  struct choice *choice, struct fl_err *err)
{
	const struct fl_release *release = release_of(site->host, vmm);
	const char *version = release->version;

	choice->table = read_table(vmm, err);
	if (!choice->table)
		return -1;
	choice->arch = arch;
	choice->version = version && *version ? version : fl_about_text(choice->table, "version");
	if (check_version(choice->version, release->version_from, err) < 0)
		return -1;
	choice->file = expand(fl_about_text(fl_json_get(choice->table, "file"), arch),
			      choice->version, arch);
	if (!*choice->file)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: has no release for %s", vmm, arch);
	choice->sha256 = digest_of(site->host, vmm, choice->table, choice->version, arch,
				   choice->file);
	return choice->sha256 ? check_sha256(choice->sha256, err) : 0;
}

/* A folder tells what there is. */
static bool is_to_be_had(const struct fl_host *host, const char *file)
{
	fl_cleanup_free char *path = fl_asprintf("%s/%s", host->offline ? host->offline : "", file);

	return !host->offline || access(path, F_OK) == 0;
}

/* Nothing is left out for the sake of a folder's name that is misspelt. */
static int check_folder(const char *folder, struct fl_err *err)
{
	struct stat st;

	if (!folder)
		return 0;
	if (stat(folder, &st) < 0)
		return fl_err_errno(err, errno, "--offline %s: name the folder of the releases' files",
				    folder);
	if (S_ISDIR(st.st_mode))
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "--offline %s: is no folder; name that of the releases' "
			  "files", folder);
}

/* Without KVM they do not run; who says which, or from where, has a use for them all the same. */
static bool is_of_no_use(const struct fl_host *host, const struct fl_release *release)
{
	return access("/dev/kvm", F_OK) < 0 && !host->offline && !host->mirror &&
	       !release->version && !release->sha256;
}

static int add_vmm(const struct fl_site *site, const char *vmm, bool wanted, fl_acts *acts,
		   struct fl_err *err)
{
	FL_CLEANUP(choice_finish) struct choice choice = { 0 };
	const fl_json *programs;
	struct utsname machine;

	if (!wanted && is_of_no_use(site->host, release_of(site->host, vmm))) {
		fl_log(FL_LOG_WARN, "%s: left out: it does not run without KVM; \"fl-provision %s\" "
		       "installs it all the same", vmm, vmm);
		return 0;
	}
	if (!wanted && check_folder(site->host->offline, err) < 0)
		return -1;
	if (uname(&machine) < 0 || choose(site, vmm, machine.machine, &choice, err) < 0)
		return -1;
	if (!choice.sha256)
		return no_digest(vmm, choice.version, choice.file, wanted, err);
	if (!wanted && !is_to_be_had(site->host, choice.file)) {
		fl_log(FL_LOG_WARN, "%s: left out: %s/%s is not there", vmm, site->host->offline,
		       choice.file);
		return 0;
	}
	programs = fl_json_get(choice.table, "programs");
	for (void *i = fl_json_first(programs); i; i = fl_json_next(programs, i))
		add_program(acts, vmm, &choice, fl_json_key(i), fl_json_text(fl_json_value(i)));
	return 0;
}

int fl_release_firecracker_add(const struct fl_site *site, bool wanted, fl_acts *acts,
			       struct fl_err *err)
{
	return add_vmm(site, "firecracker", wanted, acts, err);
}

int fl_release_cloudhypervisor_add(const struct fl_site *site, bool wanted, fl_acts *acts,
				   struct fl_err *err)
{
	return add_vmm(site, "cloudhypervisor", wanted, acts, err);
}
