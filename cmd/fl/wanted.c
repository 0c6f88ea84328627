/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/wanted.h"

#include "common/documents.h"
#include "common/publish.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct fl_wanted_one *find(const struct fl_wanted *wanted, const char *name_space,
					const char *name)
{
	for (size_t i = 0; i < wanted->all.count; i++) {
		const fl_json *spec = wanted->all.items[i].spec;

		if (fl_str_equal(fl_json_text(fl_json_get(spec, "namespace")), name_space) &&
		    fl_str_equal(fl_json_text(fl_json_get(spec, "id")), name))
			return &wanted->all.items[i];
	}
	return NULL;
}

bool fl_wanted_has(const struct fl_wanted *wanted, const char *name_space, const char *name)
{
	return find(wanted, name_space, name);
}

/* A port of the host that both lists want; they are checked already. */
static bool share_port(const char *a, const char *b, struct fl_publish *port)
{
	struct fl_publish other;

	while (fl_publish_next(&a, port, NULL) > 0)
		for (const char *at = b; fl_publish_next(&at, &other, NULL) > 0;)
			if (fl_publish_overlap(port, &other))
				return true;
	return false;
}

static int check_ports(const struct fl_wanted *wanted, const char *file, const fl_json *document,
		       struct fl_err *err)
{
	fl_cleanup_spec struct fl_spec spec = fl_spec_view(document);
	struct fl_publish port;

	for (size_t i = 0; i < wanted->all.count; i++) {
		fl_cleanup_spec struct fl_spec other = fl_spec_view(wanted->all.items[i].spec);

		if (share_port(spec.asked.publish, other.asked.publish, &port))
			return fl_err_set(err, FL_ERR_INVALID, "%s (%s/%s) and %s (%s/%s) both publish port "
					  "%u/%s of the host; choose another for one of them",
					  wanted->all.items[i].file, other.name_space, other.name, file,
					  spec.name_space, spec.name, port.port, fl_publish_protocol(&port));
	}
	return 0;
}

static int add(struct fl_wanted *wanted, const char *file, const fl_json *document,
	       struct fl_err *err)
{
	fl_cleanup_json fl_json *spec = fl_spec_read(document, err);
	const struct fl_wanted_one *other;
	const char *name_space, *name;

	if (!spec || fl_spec_check(spec, err) < 0) {
		if (spec)
			fl_spec_warn(spec);
		return fl_err_prefix(err, "%s", file);
	}
	name_space = fl_json_text(fl_json_get(spec, "namespace"));
	name = fl_json_text(fl_json_get(spec, "id"));
	other = find(wanted, name_space, name);
	if (other)
		return fl_err_set(err, FL_ERR_INVALID, "%s and %s both are about %s/%s; keep one of "
				  "them", other->file, file, name_space, name);
	if (check_ports(wanted, file, spec, err) < 0)
		return -1;
	FL_VEC_ADD(&wanted->all, (struct fl_wanted_one){ fl_strdup(file), fl_steal(&spec) });
	return 0;
}

static int read_specs(struct fl_wanted *wanted, int fd, const char *name, struct fl_err *err)
{
	fl_cleanup_documents struct fl_documents in = { .fd = fd, .name = name };
	struct fl_err fault = { 0 };
	size_t before = wanted->all.count;

	for (;;) {
		fl_cleanup_json fl_json *document = fl_documents_next(&in, &fault);

		if (!document)
			break;
		if (add(wanted, name, document, err) < 0)
			return -1;
	}
	if (fault.kind != FL_ERR_NONE)
		return fl_err_pass(err, &fault);
	/* A file that was cut short would take its microVM away. */
	if (wanted->all.count == before)
		return fl_err_set(err, FL_ERR_INVALID, "%s: no spec is in it; remove the file, or write "
				  "one, such as \"fl spec\" prints", name);
	return 0;
}

static int read_file(struct fl_wanted *wanted, int folder, const char *name, struct fl_err *err)
{
	fl_cleanup_close int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", name);
	return read_specs(wanted, fd, name, err);
}

static int is_spec_file(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return *name != '.' && (fl_str_ends(name, ".json") || fl_str_ends(name, ".jsonl") ||
				fl_documents_is_yaml(name));
}

static int read_folder(struct fl_wanted *wanted, int fd, const char *path, struct fl_err *err)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_spec_file, alphasort);
	int rc = 0;

	if (count < 0)
		return fl_err_errno(err, errno, "%s: the folder cannot be read", path);
	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = read_file(wanted, fd, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int fl_wanted_read(struct fl_wanted *wanted, const char *path, struct fl_err *err)
{
	fl_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	return S_ISDIR(st.st_mode) ? read_folder(wanted, fd, path, err)
				   : read_specs(wanted, fd, path, err);
}

int fl_wanted_each(const struct fl_wanted *wanted,
		   int (*each)(void *arg, fl_json *spec, struct fl_err *err), void *arg,
		   struct fl_err *err)
{
	for (size_t i = 0; i < wanted->all.count; i++)
		if (each(arg, wanted->all.items[i].spec, err) < 0)
			return -1;
	return 0;
}

void fl_wanted_finish(struct fl_wanted *wanted)
{
	for (size_t i = 0; i < wanted->all.count; i++) {
		free(wanted->all.items[i].file);
		fl_json_unref(wanted->all.items[i].spec);
	}
	free(wanted->all.items);
}
