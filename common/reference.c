/* SPDX-License-Identifier: MPL-2.0 */
#include "common/reference.h"

#include "common/alloc.h"
#include "common/digest.h"
#include "common/path.h"
#include "common/str.h"

#include <string.h>

static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

struct fl_reference fl_reference_of_digest(const char *digest)
{
	return (struct fl_reference){ .digest = fl_strdup(digest), .text = fl_strdup(digest) };
}

void fl_reference_finish(struct fl_reference *reference)
{
	free(reference->host);
	free(reference->name);
	free(reference->tag);
	free(reference->digest);
	free(reference->folder);
	free(reference->archive);
	free(reference->text);
	memset(reference, 0, sizeof(*reference));
}

static int wrong(const char *text, const char *what, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INVALID,
			  "\"%.200s\" is not an image reference: %s; write host/name:tag, "
			  "host/name@sha256:…, oci:FOLDER:TAG, oci-archive:FILE:TAG or "
			  "docker-archive:FILE:TAG", text, what);
}

/* A first part with a dot, a colon or as "localhost" is a host; any other is a name. */
static bool is_host(const char *text, size_t len)
{
	return memchr(text, '.', len) || memchr(text, ':', len) ||
	       (len == 9 && memcmp(text, "localhost", 9) == 0);
}

/* What begins with a dot is a path (./image.tar), what ends with a colon another tool's transport
 * (dir:/tmp/x): neither is to be asked for over the network. */
static bool is_host_text(const char *host)
{
	size_t len = strlen(host);

	return len &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789.-:[]") == len &&
	       !strchr(".-:]", host[0]) && !strchr("-:[", host[len - 1]);
}

/* Path components of lower-case letters and digits with single separators between. */
static bool is_repository(const char *name)
{
	if (!*name || strlen(name) > 255)
		return false;
	for (const char *at = name; *at;) {
		size_t len = strspn(at, lower);

		if (!len)
			return false;
		at += len;
		if (*at)
			at += *at == '/' || *at == '.' ? 1 : strspn(at, "_-");
		if (*at && !strchr(lower, *at))
			return false;
		if (!*at && !strchr(lower, at[-1]))
			return false;
	}
	return true;
}

static bool is_tag(const char *tag)
{
	size_t len = strlen(tag);

	return len >= 1 && len <= 128 && strspn(tag, word) == len && !strchr(".-", *tag);
}

/* Whoever reads the name later has another working folder; but one with a colon would be read
 * otherwise. */
static void name_file(struct fl_reference *reference, const char *scheme, const char *path)
{
	fl_cleanup_free char *absolute = fl_path_absolute(path);
	bool is_misread = strchr(absolute, ':') && !strchr(path, ':');

	reference->text = fl_asprintf("%s%s%s%s", scheme, is_misread ? path : absolute,
				      reference->tag ? ":" : "",
				      reference->tag ? reference->tag : "");
}

static int parse_layout(const char *text, struct fl_reference *reference, struct fl_err *err)
{
	const char *path = text + 4, *colon = strrchr(path, ':');

	if (colon && !strchr(colon, '/')) {
		reference->folder = fl_strndup(path, colon - path);
		reference->tag = fl_strdup(colon + 1);
	} else {
		reference->folder = fl_strdup(path);
	}
	name_file(reference, "oci:", reference->folder);
	if (!*reference->folder)
		return wrong(text, "the folder is empty", err);
	if (reference->tag && !*reference->tag)
		return wrong(text, "the tag is empty", err);
	return 0;
}

/* The first colon ends the file's name: a tag may be a whole reference, as docker's are. */
static int parse_archive(const char *text, const char *rest, struct fl_reference *reference,
			 struct fl_err *err)
{
	size_t len = strcspn(rest, ":");

	reference->archive = fl_strndup(rest, len);
	if (rest[len])
		reference->tag = fl_strdup(rest + len + 1);
	name_file(reference, reference->is_docker ? "docker-archive:" : "oci-archive:",
		  reference->archive);
	if (!len)
		return wrong(text, "the file is empty", err);
	return reference->tag && !*reference->tag ? wrong(text, "the tag is empty", err) : 0;
}

static void split_host(char *rest, struct fl_reference *reference)
{
	char *slash = strchr(rest, '/');

	if (slash && is_host(rest, slash - rest)) {
		reference->host = fl_strndup(rest, slash - rest);
		reference->name = fl_strdup(slash + 1);
		return;
	}
	reference->host = fl_strdup("docker.io");
	reference->name = slash ? fl_strdup(rest) : fl_asprintf("library/%s", rest);
}

static void compose(struct fl_reference *reference)
{
	struct fl_str text = FL_STR_INIT;

	fl_str_addf(&text, "%s/%s", reference->host, reference->name);
	if (reference->tag)
		fl_str_addf(&text, ":%s", reference->tag);
	if (reference->digest)
		fl_str_addf(&text, "@%s", reference->digest);
	reference->text = fl_str_steal(&text);
}

static int parse_registry(const char *text, struct fl_reference *reference, struct fl_err *err)
{
	fl_cleanup_free char *rest = fl_strdup(text);
	char *at = strchr(rest, '@'), *colon;

	if (strstr(text, "://"))
		return wrong(text, "nothing such as docker:// or https:// goes before it", err);
	if (at) {
		*at = 0;
		reference->digest = fl_strdup(at + 1);
		if (!fl_digest_is_valid(reference->digest))
			return wrong(text, "its digest is not sha256:<64 hexadecimal digits>", err);
	}
	colon = strrchr(rest, ':');
	if (colon && !strchr(colon, '/')) {
		*colon = 0;
		reference->tag = fl_strdup(colon + 1);
		if (!is_tag(reference->tag))
			return wrong(text, "its tag is wrong", err);
	}
	split_host(rest, reference);
	if (!is_host_text(reference->host))
		return wrong(text, "its host is wrong", err);
	if (!is_repository(reference->name))
		return wrong(text, "its name is wrong (lower-case letters, digits, . _ - /)", err);
	if (!reference->tag && !reference->digest)
		reference->tag = fl_strdup("latest");
	compose(reference);
	return 0;
}

static int parse_any(const char *text, struct fl_reference *reference, struct fl_err *err)
{
	static const char *const schemes[] = { "oci-archive:", "docker-archive:" };

	for (size_t i = 0; i < FL_COUNT(schemes); i++)
		if (fl_str_starts(text, schemes[i])) {
			reference->is_docker = i == 1;
			return parse_archive(text, text + strlen(schemes[i]), reference, err);
		}
	return fl_str_starts(text, "oci:") ? parse_layout(text, reference, err)
					   : parse_registry(text, reference, err);
}

int fl_reference_parse(const char *text, struct fl_reference *reference, struct fl_err *err)
{
	int rc;

	memset(reference, 0, sizeof(*reference));
	if (!*text)
		return wrong(text, "it is empty", err);
	rc = parse_any(text, reference, err);
	if (rc < 0)
		fl_reference_finish(reference);
	return rc;
}
