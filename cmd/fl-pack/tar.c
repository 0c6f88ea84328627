/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/tar.h"

#include "cmd/fl-pack/named.h"
#include "common/alloc.h"
#include "common/io.h"
#include "common/log.h"
#include "common/vec.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define BLOCK 512
#define BUFFER (256 << 10)
#define CHECKSUM 148 /* POSIX ustar: where a header keeps it, in 8 bytes */
#define LINK_LIMIT 65536

int fl_pack_tar_look(int fd, const char *name, enum fl_pack_compression *found,
		     struct fl_err *err)
{
	static const struct {
		const char *magic;
		size_t size;
		enum fl_pack_compression found;
	} kinds[] = {
		{ "\x1f\x8b", 2, FL_PACK_GZIP },	 { "\x28\xb5\x2f\xfd", 4, FL_PACK_ZSTD },
		{ "\xfd" "7zXZ", 5, FL_PACK_OTHER },	 { "BZh", 3, FL_PACK_OTHER },
		{ "\x04\x22\x4d\x18", 4, FL_PACK_OTHER },
	};
	char head[8] = { 0 };

	if (pread(fd, head, sizeof(head), 0) < 0)
		return fl_err_errno(err, errno, "%s: cannot be read", name);
	*found = FL_PACK_NONE;
	for (size_t i = 0; i < FL_COUNT(kinds); i++)
		if (memcmp(head, kinds[i].magic, kinds[i].size) == 0)
			*found = kinds[i].found;
	return 0;
}

/* Whether a block is a tar's header, or the zeros of an empty one. */
static bool is_header(const unsigned char *block)
{
	char *end;
	unsigned long sum = 0, said;
	char text[9] = { 0 };
	bool zeros = true;

	for (int i = 0; i < BLOCK; i++) {
		bool in_sum = i >= CHECKSUM && i < CHECKSUM + 8;

		zeros = zeros && block[i] == 0;
		sum += in_sum ? ' ' : block[i];
	}
	memcpy(text, block + CHECKSUM, 8);
	said = strtoul(text, &end, 8);
	return zeros || (end != text && said == sum);
}

/* libarchive's word for what went wrong. */
static int complain(struct archive *archive, const char *name, struct fl_err *err)
{
	const char *why = archive_error_string(archive);

	return fl_err_set(err, FL_ERR_CORRUPT, "%s: %s", name, why ? why : "cannot be read");
}

static struct archive *open_raw(int fd, const char *name, struct fl_err *err)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;

	if (!archive)
		abort();
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	if (lseek(fd, 0, SEEK_SET) < 0)
		fl_err_errno(err, errno, "%s: cannot be read", name);
	else if (archive_read_open_fd(archive, fd, BUFFER) != ARCHIVE_OK)
		complain(archive, name, err);
	else if (archive_read_next_header(archive, &entry) != ARCHIVE_OK)
		fl_err_set(err, FL_ERR_INVALID, "%s: not a tar: it is empty", name);
	else
		return archive;
	archive_read_free(archive);
	return NULL;
}

int fl_pack_tar_read(int fd, const char *name, fl_pack_sink *sink, void *arg, struct fl_err *err)
{
	struct archive *archive = open_raw(fd, name, err);
	fl_cleanup_free unsigned char *data = fl_alloc(BUFFER);
	uint64_t total = 0;
	la_ssize_t got = 0;
	int rc = archive ? 0 : -1;

	while (rc == 0 && (got = archive_read_data(archive, data, BUFFER)) > 0) {
		if (total == 0 && (got < BLOCK || !is_header(data)))
			rc = fl_err_set(err, FL_ERR_INVALID, "%s: not a tar", name);
		else
			rc = sink(arg, data, (size_t)got, err);
		total += (uint64_t)got;
	}
	if (rc == 0 && got < 0)
		rc = complain(archive, name, err);
	else if (rc == 0 && (total == 0 || total % BLOCK))
		rc = fl_err_set(err, FL_ERR_CORRUPT, "%s: the tar is cut off", name);
	archive_read_free(archive);
	return rc;
}

struct link {
	dev_t dev;
	ino_t ino;
	char path[]; /* the first name met */
};

struct walk {
	const char *folder;
	const char *const *files; /* in place of a folder's: "path=file" */
	size_t file_count;
	const struct fl_pack_tree *tree;
	fl_pack_sink *sink;
	void *arg;
	struct archive *archive;
	void *links; /* of struct link, for tsearch */
	struct fl_err *err;
	bool sink_failed;
};

static int compare_links(const void *a, const void *b)
{
	const struct link *one = a, *other = b;

	return one->dev != other->dev ? FL_COMPARE(one->dev, other->dev)
				      : FL_COMPARE(one->ino, other->ino);
}

/* The name under which the same file was packed already, or NULL after noting this one. */
static const char *first_name(struct walk *walk, const struct stat *st, const char *path)
{
	struct link *link = fl_alloc(sizeof(*link) + strlen(path) + 1);
	struct link **found;

	link->dev = st->st_dev;
	link->ino = st->st_ino;
	strcpy(link->path, path);
	found = tsearch(link, &walk->links, compare_links);
	if (!found)
		abort();
	if (*found == link)
		return NULL;
	free(link);
	return (*found)->path;
}

static la_ssize_t on_write(struct archive *archive, void *arg, const void *data, size_t size)
{
	struct walk *walk = arg;

	if (walk->sink(walk->arg, data, size, walk->err) == 0)
		return (la_ssize_t)size;
	walk->sink_failed = true;
	archive_set_error(archive, EIO, "not taken");
	return -1;
}

/* After libarchive said no: the sink's own error is the better one. */
static int write_failed(struct walk *walk, const char *path)
{
	if (walk->sink_failed)
		return -1;
	return fl_err_set(walk->err, FL_ERR_SYSTEM, "%s/%s: cannot be packed: %s", walk->folder,
			  path, archive_error_string(walk->archive));
}

static int add_xattr(struct walk *walk, const char *full, const char *key,
		     struct archive_entry *entry)
{
	char value[XATTR_SIZE_MAX];
	ssize_t size = lgetxattr(full, key, value, sizeof(value));

	if (size < 0)
		return fl_err_errno(walk->err, errno, "%s: attribute %s cannot be read", full, key);
	archive_entry_xattr_add_entry(entry, key, value, (size_t)size);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_xattrs(struct walk *walk, const char *full, struct archive_entry *entry)
{
	char names[XATTR_LIST_MAX];
	ssize_t size = llistxattr(full, names, sizeof(names));
	FL_VEC(char *) keys = { 0 };
	int rc = 0;

	if (size < 0 && errno != ENOTSUP)
		return fl_err_errno(walk->err, errno, "%s: attributes cannot be read", full);
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1)
		FL_VEC_ADD(&keys, names + at);
	if (keys.count)
		qsort(keys.items, keys.count, sizeof(*keys.items), compare_names);
	/* libarchive gives them out last first. */
	for (size_t i = keys.count; rc == 0 && i-- > 0;)
		rc = add_xattr(walk, full, keys.items[i], entry);
	free(keys.items);
	return rc;
}

static int add_target(struct walk *walk, const char *full, struct archive_entry *entry)
{
	fl_cleanup_free char *target = fl_alloc(LINK_LIMIT);
	ssize_t size = readlink(full, target, LINK_LIMIT - 1);

	if (size < 0)
		return fl_err_errno(walk->err, errno, "%s: cannot be read", full);
	target[size] = '\0';
	archive_entry_set_symlink(entry, target);
	return 0;
}

static int copy_content(struct walk *walk, const char *path, const char *full, uint64_t size)
{
	fl_cleanup_close int fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	fl_cleanup_free char *data = fl_alloc(BUFFER);

	if (fd < 0)
		return fl_err_errno(walk->err, errno, "%s: cannot be opened", full);
	for (uint64_t at = 0; at < size;) {
		size_t part = size - at < BUFFER ? (size_t)(size - at) : BUFFER;

		if (fl_io_pread(fd, data, part, at, full, walk->err) < 0)
			return -1;
		if (archive_write_data(walk->archive, data, part) != (la_ssize_t)part)
			return write_failed(walk, path);
		at += part;
	}
	return 0;
}

static void set_head(const struct walk *walk, const char *path, const struct stat *st,
		     struct archive_entry *entry)
{
	const struct fl_pack_tree *tree = walk->tree;
	int64_t mtime = st->st_mtim.tv_sec;

	if (tree->has_epoch && mtime > tree->epoch)
		mtime = tree->epoch;
	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, st->st_mode);
	archive_entry_set_uid(entry, tree->has_owner ? tree->uid : st->st_uid);
	archive_entry_set_gid(entry, tree->has_owner ? tree->gid : st->st_gid);
	archive_entry_set_mtime(entry, mtime, 0);
	archive_entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		archive_entry_set_rdev(entry, st->st_rdev);
}

static int write_entry(struct walk *walk, const char *path, const char *full,
		       const struct stat *st, struct archive_entry *entry)
{
	const char *first = NULL;

	set_head(walk, path, st, entry);
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		first = first_name(walk, st, path);
	if (first) {
		archive_entry_set_hardlink(entry, first);
		archive_entry_set_size(entry, 0);
	} else if (S_ISLNK(st->st_mode) && add_target(walk, full, entry) < 0) {
		return -1;
	}
	if (!first && add_xattrs(walk, full, entry) < 0)
		return -1;
	/* The one warning there is: a name that is not UTF-8, written as bytes. */
	if (archive_write_header(walk->archive, entry) < ARCHIVE_WARN)
		return write_failed(walk, path);
	if (S_ISREG(st->st_mode) && !first)
		return copy_content(walk, path, full, (uint64_t)st->st_size);
	return 0;
}

static int walk_folder(struct walk *walk, const char *path);

static int pack_one(struct walk *walk, const char *path)
{
	fl_cleanup_free char *full = fl_asprintf("%s/%s", walk->folder, path);
	struct archive_entry *entry;
	struct stat st;
	int rc;

	if (lstat(full, &st) < 0)
		return fl_err_errno(walk->err, errno, "%s: cannot be read", full);
	if (S_ISSOCK(st.st_mode)) {
		fl_log(FL_LOG_WARN, "%s: a socket; left out", full);
		return 0;
	}
	entry = archive_entry_new();
	if (!entry)
		abort();
	rc = write_entry(walk, path, full, &st, entry);
	archive_entry_free(entry);
	if (rc == 0 && S_ISDIR(st.st_mode))
		rc = walk_folder(walk, path);
	return rc;
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_folder(struct walk *walk, const char *path)
{
	fl_cleanup_free char *full = fl_asprintf("%s/%s", walk->folder, path);
	struct dirent **names = NULL;
	int count = scandir(full, &names, not_dots, by_name);
	int rc = 0;

	if (count < 0)
		return fl_err_errno(walk->err, errno, "%s: cannot be read", full);
	for (int i = 0; i < count; i++) {
		fl_cleanup_free char *below =
			fl_asprintf("%s%s%s", path, *path ? "/" : "", names[i]->d_name);

		if (rc == 0)
			rc = pack_one(walk, below);
		free(names[i]);
	}
	free(names);
	return rc;
}

static struct archive *open_writer(struct walk *walk)
{
	struct archive *archive = archive_write_new();

	if (!archive)
		abort();
	archive_write_set_format_pax_restricted(archive);
	/* xattrs once, in the form that everybody reads. */
	archive_write_set_options(archive, "xattrheader=SCHILY");
	archive_write_set_bytes_per_block(archive, BUFFER);
	archive_write_set_bytes_in_last_block(archive, 1);
	archive_write_open2(archive, walk, NULL, on_write, NULL, NULL);
	return archive;
}

static int add_folder(struct walk *walk, const char *path)
{
	const struct stat st = { .st_mode = S_IFDIR | 0755 };
	struct archive_entry *entry = archive_entry_new();
	int rc = 0;

	if (!entry)
		abort();
	set_head(walk, path, &st, entry);
	if (archive_write_header(walk->archive, entry) < ARCHIVE_WARN)
		rc = write_failed(walk, path);
	archive_entry_free(entry);
	return rc;
}

/* The folders of path that the one before it had not. */
static int add_parents(struct walk *walk, const char *path, const char *before)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);
		fl_cleanup_free char *folder = fl_strndup(path, len);

		if (before && strncmp(before, path, len + 1) == 0)
			continue;
		if (add_folder(walk, folder) < 0)
			return -1;
	}
	return 0;
}

static int add_file(struct walk *walk, const char *text, const char *before)
{
	fl_cleanup_free char *path = fl_pack_named_path(text);
	fl_cleanup_free char *last = before ? fl_pack_named_path(before) : NULL;
	fl_cleanup_free char *full = realpath(fl_pack_named_file(text), NULL);
	struct archive_entry *entry;
	struct stat st;
	int rc;

	if (!path || !full || stat(full, &st) < 0 || !S_ISREG(st.st_mode))
		return fl_err_set(walk->err, FL_ERR_NOT_FOUND, "%s: cannot be read", text);
	st.st_uid = st.st_gid = 0;
	if (add_parents(walk, path, last) < 0)
		return -1;
	entry = archive_entry_new();
	if (!entry)
		abort();
	rc = write_entry(walk, path, full, &st, entry);
	archive_entry_free(entry);
	return rc;
}

static int write_content(struct walk *walk)
{
	int rc = walk->files ? 0 : walk_folder(walk, "");

	for (size_t i = 0; rc == 0 && walk->files && i < walk->file_count; i++)
		rc = add_file(walk, walk->files[i], i ? walk->files[i - 1] : NULL);
	return rc;
}

static int write_tree(struct walk *walk)
{
	int rc;

	walk->archive = open_writer(walk);
	rc = write_content(walk);
	if (rc == 0 && archive_write_close(walk->archive) != ARCHIVE_OK)
		rc = write_failed(walk, "");
	/* After a failure, freeing would write the end of the tar. */
	if (rc < 0)
		archive_write_fail(walk->archive);
	archive_write_free(walk->archive);
	return rc;
}

static int run_walk(struct walk *walk)
{
	/* libarchive reads names by the locale: the same one always, for the same bytes. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = uselocale(utf8);
	int rc = write_tree(walk);

	uselocale(before);
	if (utf8)
		freelocale(utf8);
	tdestroy(walk->links, free);
	return rc;
}

int fl_pack_tar_of_tree(const char *folder, const struct fl_pack_tree *tree, fl_pack_sink *sink,
			void *arg, struct fl_err *err)
{
	struct fl_err ignored;
	struct walk walk = { .folder = folder, .tree = tree, .sink = sink, .arg = arg,
			     .err = err ? err : &ignored };

	return run_walk(&walk);
}

int fl_pack_tar_of_files(const char *const *files, size_t count, const struct fl_pack_tree *tree,
			 fl_pack_sink *sink, void *arg, struct fl_err *err)
{
	struct fl_err ignored;
	struct walk walk = { .folder = "", .tree = tree, .sink = sink, .arg = arg,
			     .files = files, .file_count = count, .err = err ? err : &ignored };

	return run_walk(&walk);
}
