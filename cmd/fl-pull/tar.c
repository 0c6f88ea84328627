/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/tar.h"

#include "common/cleanup.h"
#include "common/io.h"
#include "common/num.h"

#include <string.h>
#include <sys/stat.h>

#define LONGEST_NAME (64 << 10) /* of a pax header or long name */
#define MOST_MEMBERS 100000
#define MOST_LINKS 8

/* Fields of a header: where they begin and how long they are (POSIX pax, ustar). */
enum { NAME, SIZE, CHECKSUM, TYPE, LINK, MAGIC, PREFIX, FIELDS };
static const struct {
	size_t at, size;
} fields[FIELDS] = {
	[NAME] = { 0, 100 },  [SIZE] = { 124, 12 }, [CHECKSUM] = { 148, 8 },  [TYPE] = { 156, 1 },
	[LINK] = { 157, 100 }, [MAGIC] = { 257, 6 }, [PREFIX] = { 345, 155 },
};

struct reader {
	struct fl_tar *tar;
	uint64_t at, end;
	char block[FL_TAR_BLOCK];
	/* What the next member is called, when a header before it says so. */
	char *name, *link;
	uint64_t size;
	bool has_size;
};

static int corrupt(const struct reader *reader, const char *what, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_CORRUPT, "%s: at byte %llu: %s", reader->tar->path,
			  (unsigned long long)reader->at, what);
}

static char *text_of(const struct reader *reader, int field)
{
	const char *at = reader->block + fields[field].at;

	return fl_strndup(at, strnlen(at, fields[field].size));
}

/* Octal digits, or GNU's base 256 when the first bit is set. */
static int number_of(const struct reader *reader, int field, uint64_t *number)
{
	const unsigned char *at = (const unsigned char *)reader->block + fields[field].at;
	size_t size = fields[field].size, i = 0;

	*number = 0;
	if (*at & 0x80) {
		for (i = size - 8; i < size; i++)
			*number = *number << 8 | at[i];
		return *number > INT64_MAX ? -1 : 0;
	}
	while (i < size && at[i] == ' ')
		i++;
	for (; i < size && at[i] >= '0' && at[i] <= '7'; i++)
		*number = *number << 3 | (at[i] - '0');
	return i < size && at[i] && at[i] != ' ' ? -1 : 0;
}

static unsigned sum_of(const char block[static FL_TAR_BLOCK])
{
	unsigned sum = 0;

	for (size_t i = 0; i < FL_TAR_BLOCK; i++) {
		bool is_sum = i >= fields[CHECKSUM].at &&
			      i < fields[CHECKSUM].at + fields[CHECKSUM].size;

		sum += is_sum ? ' ' : (unsigned char)block[i];
	}
	return sum;
}

static int check_header(const struct reader *reader, struct fl_err *err)
{
	static const struct {
		const char *magic, *name;
	} packed[] = { { "\x1f\x8b", "gzip -dc" }, { "\x28\xb5\x2f\xfd", "zstd -dc" },
		       { "BZh", "bzip2 -dc" },     { "\xfd" "7zXZ", "xz -dc" } };
	uint64_t sum;

	for (size_t i = 0; reader->at == 0 && i < FL_COUNT(packed); i++)
		if (memcmp(reader->block, packed[i].magic, strlen(packed[i].magic)) == 0)
			return fl_err_set(err, FL_ERR_UNSUPPORTED,
					  "%s: compressed; send it through \"%s\"",
					  reader->tar->path, packed[i].name);
	if (number_of(reader, CHECKSUM, &sum) < 0 || sum != sum_of(reader->block))
		return corrupt(reader, "not the header of a tar's member", err);
	return 0;
}

/* The content of the member at hand as text; caller frees. */
static char *content(const struct reader *reader, uint64_t size, struct fl_err *err)
{
	char *text;

	if (size > LONGEST_NAME) {
		corrupt(reader, "a header is too long", err);
		return NULL;
	}
	text = fl_alloc_zero(1, size + 1);
	if (fl_io_pread(reader->tar->fd, text, size, reader->at + FL_TAR_BLOCK, reader->tar->path,
			err) == 0)
		return text;
	free(text);
	return NULL;
}

static void put(char **to, char *text)
{
	free(*to);
	*to = text;
}

/* Records "LENGTH KEY=VALUE\n". */
static int take_pax(struct reader *reader, char *text, uint64_t size, struct fl_err *err)
{
	for (char *at = text, *end = text + size; at < end;) {
		char *space = memchr(at, ' ', (size_t)(end - at)), *equals;
		uint64_t len;

		if (space)
			*space = 0;
		if (!space || fl_num_u64(at, 5, (uint64_t)(end - at), &len, NULL) < 0 ||
		    at[len - 1] != '\n')
			return corrupt(reader, "a pax header is not well-formed", err);
		at[len - 1] = 0;
		equals = strchr(space + 1, '=');
		if (!equals)
			return corrupt(reader, "a pax header is not well-formed", err);
		*equals = 0;
		if (strcmp(space + 1, "path") == 0)
			put(&reader->name, fl_strdup(equals + 1));
		else if (strcmp(space + 1, "linkpath") == 0)
			put(&reader->link, fl_strdup(equals + 1));
		else if (strcmp(space + 1, "size") == 0) {
			if (fl_num_u64(equals + 1, 0, INT64_MAX, &reader->size, err) < 0)
				return fl_err_prefix(err, "%s: a pax header", reader->tar->path);
			reader->has_size = true;
		}
		at += len;
	}
	return 0;
}

/* Headers that say something of the next member. */
static int take_extra(struct reader *reader, char type, uint64_t size, struct fl_err *err)
{
	char *text;
	int rc = 0;

	if (type == 'g')
		return 0;
	text = content(reader, size, err);
	if (!text)
		return -1;
	if (type == 'L')
		put(&reader->name, fl_strdup(text));
	else if (type == 'K')
		put(&reader->link, fl_strdup(text));
	else
		rc = take_pax(reader, text, size, err);
	free(text);
	return rc;
}

static char *name_of(struct reader *reader)
{
	fl_cleanup_free char *prefix = NULL, *name = NULL;

	if (reader->name)
		return fl_steal(&reader->name);
	name = text_of(reader, NAME);
	if (memcmp(reader->block + fields[MAGIC].at, "ustar", 6) != 0)
		return fl_steal(&name);
	prefix = text_of(reader, PREFIX);
	return *prefix ? fl_asprintf("%s/%s", prefix, name) : fl_steal(&name);
}

static char *without_dots(char *name)
{
	char *clean = name;

	while (strncmp(clean, "./", 2) == 0)
		clean += 2;
	clean = fl_strdup(clean);
	free(name);
	return clean;
}

/* A symbolic link leads on from its own folder; a hard link's name is from the top. */
static char *resolve(const char *name, char *link, bool is_symbolic)
{
	const char *slash = strrchr(name, '/'), *rest = link;
	size_t len = is_symbolic && slash ? (size_t)(slash - name) : 0;
	char *full;

	while (is_symbolic && strncmp(rest, "../", 3) == 0) {
		while (len && name[--len] != '/')
			;
		rest += 3;
	}
	full = fl_asprintf("%.*s%s%s", (int)len, name, len ? "/" : "", rest);
	free(link);
	return full;
}

static int add_member(struct reader *reader, char type, uint64_t size, struct fl_err *err)
{
	struct fl_tar_member member = { .offset = reader->at + FL_TAR_BLOCK, .size = size };

	if (reader->tar->members.count >= MOST_MEMBERS)
		return corrupt(reader, "too many members for an image's archive", err);
	member.name = without_dots(name_of(reader));
	if (type == '1' || type == '2') {
		char *link = reader->link ? fl_steal(&reader->link) : text_of(reader, LINK);

		member.link = without_dots(resolve(member.name, link, type == '2'));
	}
	FL_VEC_ADD(&reader->tar->members, member);
	return 0;
}

/* Past the member at hand: 1, or 0 at the end. */
static int next(struct reader *reader, struct fl_err *err)
{
	char type;
	uint64_t size;

	if (reader->end - reader->at < FL_TAR_BLOCK)
		return reader->at ? 0 : corrupt(reader, "too short for a tar", err);
	if (fl_io_pread(reader->tar->fd, reader->block, FL_TAR_BLOCK, reader->at, reader->tar->path,
			err) < 0)
		return -1;
	if (fl_io_is_zero(reader->block, FL_TAR_BLOCK))
		return 0;
	if (check_header(reader, err) < 0)
		return -1;
	if (number_of(reader, SIZE, &size) < 0)
		return corrupt(reader, "a member's size is no number", err);
	type = reader->block[fields[TYPE].at];
	if (strchr("xgLK", type) && type) {
		if (take_extra(reader, type, size, err) < 0)
			return -1;
	} else {
		size = type == '1' || type == '2' ? 0 : reader->has_size ? reader->size : size;
		reader->has_size = false;
		if (add_member(reader, type, size, err) < 0)
			return -1;
		put(&reader->name, NULL);
		put(&reader->link, NULL);
	}
	if (size > reader->end - reader->at - FL_TAR_BLOCK)
		return corrupt(reader, "the archive ends within a member", err);
	reader->at += FL_TAR_BLOCK + (size + FL_TAR_BLOCK - 1) / FL_TAR_BLOCK * FL_TAR_BLOCK;
	if (reader->at > reader->end)
		reader->at = reader->end;
	return 1;
}

int fl_tar_open(struct fl_tar *tar, int fd, const char *path, struct fl_err *err)
{
	struct reader reader = { .tar = tar };
	struct stat st;
	int rc;

	*tar = (struct fl_tar){ .fd = fd, .path = path };
	if (fstat(fd, &st) < 0)
		return fl_err_errno(err, errno, "%s: cannot be read", path);
	reader.end = (uint64_t)st.st_size;
	do
		rc = next(&reader, err);
	while (rc == 1);
	free(reader.name);
	free(reader.link);
	return rc;
}

void fl_tar_close(struct fl_tar *tar)
{
	for (size_t i = 0; i < tar->members.count; i++) {
		free(tar->members.items[i].name);
		free(tar->members.items[i].link);
	}
	free(tar->members.items);
	if (tar->fd >= 0)
		close(tar->fd);
	*tar = (struct fl_tar)FL_TAR_INIT;
}

static const struct fl_tar_member *find_last(const struct fl_tar *tar, const char *name)
{
	for (size_t i = tar->members.count; i > 0; i--)
		if (strcmp(tar->members.items[i - 1].name, name) == 0)
			return &tar->members.items[i - 1];
	return NULL;
}

const struct fl_tar_member *fl_tar_find(const struct fl_tar *tar, const char *name)
{
	const struct fl_tar_member *member = find_last(tar, name);

	for (int i = 0; member && member->link && i < MOST_LINKS; i++)
		member = find_last(tar, member->link);
	return member && !member->link ? member : NULL;
}

void fl_tar_header(const char *name, uint64_t size, char block[static FL_TAR_BLOCK])
{
	bool is_folder = *name && name[strlen(name) - 1] == '/';

	memset(block, 0, FL_TAR_BLOCK);
	memcpy(block, name, strnlen(name, fields[NAME].size));
	snprintf(block + 100, 8, "%07o", is_folder ? 0755u : 0644u);
	snprintf(block + 108, 8, "%07o", 0u);
	snprintf(block + 116, 8, "%07o", 0u);
	/* 11 octal digits hold 8 GiB; beyond, GNU's base 256. */
	if (size >> 33 == 0) {
		snprintf(block + fields[SIZE].at, 12, "%011llo", (unsigned long long)size);
	} else {
		block[fields[SIZE].at] = (char)0x80;
		for (int i = 0; i < 8; i++)
			block[fields[SIZE].at + 11 - i] = (char)(size >> (8 * i));
	}
	snprintf(block + 136, 12, "%011o", 0u);
	block[fields[TYPE].at] = is_folder ? '5' : '0';
	memcpy(block + fields[MAGIC].at, "ustar\00000", 8);
	snprintf(block + fields[CHECKSUM].at, 8, "%06o", sum_of(block));
	block[fields[CHECKSUM].at + 7] = ' ';
}
