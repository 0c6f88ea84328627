/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/wanted.h"

#include "common/documents.h"
#include "common/publish.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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

static int read_file(struct fl_wanted *wanted, int folder, const char *name, struct fl_err *err)
{
	fl_cleanup_close int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	fl_cleanup_documents struct fl_documents in = { .fd = fd, .name = name };
	struct fl_err fault = { 0 };

	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", name);
	for (;;) {
		fl_cleanup_json fl_json *document = fl_documents_next(&in, &fault);

		if (!document)
			break;
		if (add(wanted, name, document, err) < 0)
			return -1;
	}
	return fault.kind == FL_ERR_NONE ? 0 : fl_err_pass(err, &fault);
}

static int is_spec_file(const struct dirent *entry)
{
	return *entry->d_name != '.' &&
	       (fl_str_ends(entry->d_name, ".json") || fl_str_ends(entry->d_name, ".jsonl"));
}

int fl_wanted_read(struct fl_wanted *wanted, const char *folder, struct fl_err *err)
{
	fl_cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entries = NULL;
	int count = fd < 0 ? -1 : scandir(folder, &entries, is_spec_file, alphasort);
	int rc = 0;

	if (count < 0 && errno == ENOTDIR)
		return fl_err_set(err, FL_ERR_USAGE, "%s: no folder; \"fl up\" takes files", folder);
	if (count < 0)
		return fl_err_errno(err, errno, "%s: the folder cannot be read", folder);
	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = read_file(wanted, fd, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
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
