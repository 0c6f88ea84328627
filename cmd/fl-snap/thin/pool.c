/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/pool.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/path.h"
#include "common/str.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FOLDER "thin"
#define ABOUT "pool.json"
#define LVM "LVM-"
#define LVM_ID 64 /* characters: of the group and of the volume */

/* As devpool and direct_lvm make them; LVM doubles a hyphen in a name. */
static const char *const recipes[] = {
	"flintlock-thinpool", "flintlock-dev-thinpool", "flintlock--dev-thinpool",
};

/* LVM keeps a pool that has volumes of LVM's behind a layer of this name. */
static const char *const layers[] = { "", "-tpool" };

static void add_mangled(struct fl_str *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fl_str_addf(out, text[i] == '-' ? "%c-" : "%c", text[i]);
}

/* The name that device-mapper has for "/dev/mapper/X", "/dev/VG/LV", "VG/LV" or "X". */
static char *device_name(const char *asked)
{
	struct fl_str out = FL_STR_INIT;
	const char *slash;

	if (fl_str_starts(asked, FL_MAPPER_FOLDER "/"))
		return fl_strdup(asked + strlen(FL_MAPPER_FOLDER "/"));
	if (fl_str_starts(asked, "/dev/"))
		asked += strlen("/dev/");
	slash = strchr(asked, '/');
	if (!slash)
		return fl_strdup(asked);
	add_mangled(&out, asked, (size_t)(slash - asked));
	fl_str_add(&out, "-");
	add_mangled(&out, slash + 1, strlen(slash + 1));
	return fl_str_steal(&out);
}

/* The same whether LVM keeps the pool behind a layer or not; a pool without a UUID is known
 * by its name. */
static void make_key(const struct fl_mapper_info *info, const char *name, char *key, size_t size)
{
	if (fl_str_starts(info->uuid, LVM))
		snprintf(key, size, "%.*s", (int)strlen(LVM) + LVM_ID, info->uuid);
	else
		snprintf(key, size, "%s%s", *info->uuid ? "" : "name-",
			 *info->uuid ? info->uuid : name);
	for (char *at = key; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
			*at = '_';
	if (*key == '.')
		*key = '_';
}

static int take(const char *name, const struct fl_mapper_info *info, struct fl_thin_pool *pool,
		struct fl_err *err)
{
	uint64_t sectors;

	/* metadata device, data device, block size, low water mark, features */
	if (sscanf(info->params, "%*s %*s %" SCNu64 " %" SCNu64, &sectors, &pool->low_water) != 2 ||
	    !sectors)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: table \"%s\" is not understood", name,
				  info->params);
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	make_key(info, name, pool->key, sizeof(pool->key));
	pool->major = info->major;
	pool->minor = info->minor;
	pool->block = sectors * FL_SECTOR;
	pool->leaves_stale = strstr(info->params, "skip_block_zeroing");
	return 1;
}

/* As it is named, or behind LVM's layer. *other: there is something else of that name. */
static int find_named(const char *name, struct fl_thin_pool *pool, bool *other,
		      struct fl_err *err)
{
	for (size_t i = 0; i < FL_COUNT(layers); i++) {
		fl_cleanup_free char *full = fl_asprintf("%s%s", name, layers[i]);
		struct fl_mapper_info info;
		int found;

		if (strlen(full) >= FL_MAPPER_NAME)
			break;
		found = fl_mapper_look(full, &info, err);
		if (found < 0)
			return -1;
		if (found && strcmp(info.type, "thin-pool") == 0)
			return take(full, &info, pool, err);
		*other |= found;
	}
	return 0;
}

int fl_thin_pool_find(const char *asked, struct fl_thin_pool *pool, struct fl_err *err)
{
	fl_cleanup_free char *name = asked ? device_name(asked) : NULL;
	bool other = false;
	int found = 0;

	if (fl_mapper_ready(err) < 0)
		return -1;
	if (name) {
		found = find_named(name, pool, &other, err);
		return found == 0 && other
			       ? fl_err_set(err, FL_ERR_PRECONDITION, "%s: a device, but not a thin "
					    "pool", asked)
			       : found;
	}
	for (size_t i = 0; i < FL_COUNT(recipes) && found == 0; i++)
		found = find_named(recipes[i], pool, &other, err);
	return found;
}

static int note(const struct fl_thin_pool *pool, struct fl_err *err)
{
	fl_cleanup_json fl_json *about = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (faccessat(pool->dirfd, ABOUT, F_OK, 0) == 0)
		return 0;
	fl_json_set(about, "pool", fl_json_new_text(pool->name));
	fl_json_print(about, false, &text);
	fl_str_add(&text, "\n");
	return fl_atomic_write(pool->dirfd, ABOUT, 0600, text.data, text.len, true, err);
}

int fl_thin_pool_open(struct fl_thin_pool *pool, const char *state_dir, bool make,
		      struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/" FOLDER "/%s", state_dir, pool->key);

	if (make && fl_path_make_folders(path, 0700, err) < 0)
		return -1;
	pool->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pool->dirfd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	return make ? note(pool, err) : 0;
}

void fl_thin_pool_close(struct fl_thin_pool *pool)
{
	int saved = errno;

	if (pool->dirfd >= 0)
		close(pool->dirfd);
	pool->dirfd = -1;
	errno = saved;
}

static void read_name(struct fl_thin_pool *pool)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *about = NULL;
	const char *name;

	if (fl_io_read_file(pool->dirfd, ABOUT, 4096, &text, NULL) == 0 && text.len)
		about = fl_json_parse(text.data, text.len, ABOUT, NULL);
	name = fl_json_text(fl_json_get(about, "pool"));
	snprintf(pool->name, sizeof(pool->name), "%s", name ? name : "");
}

struct search {
	const char *key;
	struct fl_thin_pool *pool;
	bool found;
};

static void look_at_one(void *arg, const char *name)
{
	struct search *search = arg;
	struct fl_thin_pool one = FL_THIN_POOL_INIT;
	bool other = false;

	if (search->found || find_named(name, &one, &other, NULL) != 1 ||
	    strcmp(one.key, search->key) != 0)
		return;
	one.dirfd = search->pool->dirfd;
	*search->pool = one;
	search->found = true;
}

/* By the name that it had; LVM may have renamed it since. */
static int find_again(struct fl_thin_pool *pool, const char *key, struct fl_err *err)
{
	struct search search = { .key = key, .pool = pool };
	size_t len = strlen(pool->name);

	if (fl_mapper_ready(err) < 0)
		return -1;
	if (fl_str_ends(pool->name, layers[1]))
		pool->name[len - strlen(layers[1])] = 0;
	look_at_one(&search, pool->name);
	if (!search.found && fl_mapper_list(look_at_one, &search, err) < 0)
		return -1;
	if (search.found)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION,
			  "thin pool %s is not there; switch it on (vgchange -ay, fl-provision "
			  "devpool), or, when it is gone for good, remove the folder " FOLDER "/%s "
			  "of the state folder", pool->name, key);
}

int fl_thin_pool_open_key(struct fl_thin_pool *pool, const char *state_dir, const char *key,
			  struct fl_err *err)
{
	snprintf(pool->key, sizeof(pool->key), "%s", key);
	if (fl_thin_pool_open(pool, state_dir, false, err) < 0)
		return -1;
	read_name(pool);
	return find_again(pool, key, err);
}

int fl_thin_pool_each_key(const char *state_dir,
			  int (*each)(void *arg, const char *key, struct fl_err *err), void *arg,
			  struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/" FOLDER, state_dir);
	fl_cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && each(arg, entry->d_name, err) < 0)
			return -1;
	return 0;
}

int fl_thin_pool_send(const struct fl_thin_pool *pool, struct fl_err *err, const char *fmt, ...)
{
	struct fl_thin_pool_state state;
	char message[64];
	va_list args;
	int saved;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (fl_mapper_send(pool->name, message, err) == 0)
		return 0;
	saved = errno;
	/* What the pool is like says more than the number that it answers with. */
	if (saved != EEXIST && saved != ENODATA &&
	    fl_thin_pool_state(pool, &state, NULL) == 0 && state.health > FL_THIN_LOW)
		fl_thin_pool_check(pool, 0, err);
	errno = saved;
	return -1;
}
