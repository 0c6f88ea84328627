/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/remove.h"

#include "common/alloc.h"
#include "common/image.h"
#include "common/log.h"
#include "common/num.h"
#include "common/reference.h"
#include "common/since.h"
#include "common/step.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEEPEST 4 /* indexes in indexes */

const struct fl_option fl_rm_options[] = {
	{ "platform", 'p', "OS/ARCH[/VARIANT]", "only the image for this one (all)" },
	{ 0 },
};

const struct fl_option fl_gc_options[] = {
	{ "dry-run", 0, NULL, "only say what would be removed" },
	{ "keep-since", 0, "TIME", "drop names not got since then (\"720h\", or a time in UTC)" },
	{ 0 },
};

struct wanted_gone {
	const char *name, *platform; /* platform NULL: any */
	const char *digest;          /* NULL: names are meant, else all that lead to it */
};

static bool is_other(void *arg, const fl_json *descriptor)
{
	const struct wanted_gone *gone = arg;
	const fl_json *platform = fl_json_get(descriptor, "platform");
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));

	if (gone->digest ? !fl_str_equal(digest, gone->digest)
			 : !fl_store_is_named(descriptor, gone->name))
		return true;
	return gone->platform && platform &&
	       fl_image_rank(platform, gone->platform) < FL_IMAGE_FITS_EXACTLY;
}

static int not_there(const char *text, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: not in the store; see \"fl-pull ls\"", text);
}

static int remove_digest(const struct fl_store *store, const char *digest, const char *platform,
			 struct fl_err *err)
{
	struct wanted_gone gone = { .digest = digest, .platform = platform };
	int removed = fl_store_keep(store, is_other, &gone, err);

	return removed ? removed < 0 ? -1 : 0 : not_there(digest, err);
}

static int remove_name(const struct fl_store *store, const char *text, const char *platform,
		       struct fl_err *err)
{
	fl_cleanup_reference struct fl_reference reference = { 0 };
	struct wanted_gone gone = { .platform = platform };
	int removed;

	if (fl_digest_is_valid(text))
		return remove_digest(store, text, platform, err);
	if (fl_reference_parse(text, &reference, err) < 0)
		return -1;
	gone.name = reference.text;
	removed = fl_store_keep(store, is_other, &gone, err);
	/* As "fl-pull ls" prints it: of a folder it may have been kept by a relative path. */
	gone.name = text;
	if (removed == 0 && !reference.host)
		removed = fl_store_keep(store, is_other, &gone, err);
	if (removed == 0)
		return not_there(reference.text, err);
	return removed < 0 ? -1 : 0;
}

int fl_remove_names(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	const char *platform = fl_args_text(args, "platform", NULL);
	struct fl_err first = { 0 };

	if (fl_store_open(&store, fl_args_state_dir(args), false, err) < 0)
		return -1;
	for (size_t i = 0; i < args->operands.count; i++) {
		struct fl_err failure = { 0 };

		if (remove_name(&store, args->operands.items[i], platform, &failure) < 0)
			fl_step_keep_first(&first, &failure);
	}
	return fl_step_take_first(&first, err);
}

struct garbage {
	const struct fl_store *store;
	bool is_dry;
	char since[FL_CLOCK_TEXT]; /* "": all names stay */
	fl_json *in_use;           /* digests that records name, as keys */
	fl_json *reached;          /* hex of blobs that stay, as keys */
	fl_json *all;              /* descriptors of all names, before any goes */
	fl_json *gone;             /* those that go */
	uint64_t blobs, bytes;     /* that go */
};

/* The digests under host.images of every record: what a microVM was made of stays. */
static int take_in_use(struct garbage *garbage, const struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_args_state(args, false, &state, err) < 0 || fl_state_list(&state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		struct fl_err why = { 0 };
		fl_cleanup_json fl_json *record = fl_state_look(&state, &names.items[i], &why);
		const fl_json *images = fl_json_at(record, "host.images");

		/* One that left meanwhile needs nothing; what another needs is not known. */
		if (!record && why.kind != FL_ERR_NOT_FOUND)
			return fl_err_set(err, why.kind, "%s; nothing is collected", why.text);
		for (void *one = fl_json_first(images); one; one = fl_json_next(images, one)) {
			const char *digest =
				fl_json_text(fl_json_get(fl_json_value(one), "digest"));

			if (digest)
				fl_json_set(garbage->in_use, digest, fl_json_new_bool(true));
		}
	}
	return 0;
}

static bool is_older(const struct garbage *garbage, const char *digest)
{
	char when[FL_CLOCK_TEXT];
	struct stat st;
	struct tm tm;

	if (fstatat(garbage->store->blobs, fl_digest_hex(digest), &st, 0) < 0)
		return false;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S.999999Z", gmtime_r(&st.st_mtime, &tm));
	return strcmp(when, garbage->since) < 0;
}

static bool name_stays(void *arg, const fl_json *descriptor)
{
	const struct garbage *garbage = arg;
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));

	if (!*garbage->since || !digest || !fl_digest_is_valid(digest) ||
	    fl_json_get(garbage->in_use, digest) || !is_older(garbage, digest))
		return true;
	fl_json_add(garbage->gone, fl_json_copy(descriptor));
	return false;
}

/* The blob and all that it names, whatever kind of document it is: what another tool put
 * into the store is kept whole too. */
static void reach(struct garbage *garbage, const fl_json *descriptor, int depth)
{
	static const char *const lists[] = { "manifests", "layers", "blobs" };
	static const char *const single[] = { "config", "subject" };
	const char *digest = fl_json_text(fl_json_get(descriptor, "digest"));
	const char *type = fl_json_text(fl_json_get(descriptor, "mediaType"));
	fl_cleanup_json fl_json *doc = NULL;

	if (!digest || !fl_digest_is_valid(digest))
		return;
	fl_json_set(garbage->reached, fl_digest_hex(digest), fl_json_new_bool(true));
	if (depth > DEEPEST || !type || (!strstr(type, "manifest") && !strstr(type, "index")))
		return;
	doc = fl_store_read(garbage->store, digest, NULL);
	for (size_t i = 0; i < FL_COUNT(single); i++)
		reach(garbage, fl_json_get(doc, single[i]), depth + 1);
	for (size_t k = 0; k < FL_COUNT(lists); k++) {
		const fl_json *list = fl_json_get(doc, lists[k]);

		for (size_t i = 0; i < fl_json_count(list); i++)
			reach(garbage, fl_json_item(list, i), depth + 1);
	}
}

/* Of images that lost their name, too: brought again by a tag that was moved since, they were others. */
static void reach_in_use(struct garbage *garbage)
{
	for (void *i = fl_json_first(garbage->in_use); i; i = fl_json_next(garbage->in_use, i)) {
		fl_cleanup_json fl_json *descriptor = fl_json_new_object();

		fl_json_set(descriptor, "mediaType", fl_json_new_text(FL_IMAGE_MANIFEST));
		fl_json_set(descriptor, "digest", fl_json_new_text(fl_json_key(i)));
		reach(garbage, descriptor, 0);
	}
}

static int mark(struct garbage *garbage, struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_store_list(garbage->store, err);

	if (!list)
		return -1;
	reach_in_use(garbage);
	for (size_t i = 0; i < fl_json_count(list); i++)
		if (!garbage->is_dry || name_stays(garbage, fl_json_item(list, i)))
			reach(garbage, fl_json_item(list, i), 0);
	return 0;
}

static int sweep(struct garbage *garbage, struct fl_err *err)
{
	int fd = openat(garbage->store->blobs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return fl_err_errno(err, errno, "%s: cannot be read", garbage->store->path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || fl_json_get(garbage->reached, entry->d_name) ||
		    fstatat(garbage->store->blobs, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (!garbage->is_dry &&
		    fl_durable_remove(garbage->store->blobs, entry->d_name, err) < 0)
			return -1;
		garbage->blobs++;
		garbage->bytes += (uint64_t)st.st_size;
		fl_log(FL_LOG_DEBUG, "sha256:%s", entry->d_name);
	}
	if (!garbage->is_dry)
		fl_atomic_sweep(garbage->store->blobs);
	return 0;
}

static const char *name_of(const fl_json *descriptor)
{
	const char *name = fl_store_name_of(descriptor);

	return name ? name : fl_json_text(fl_json_get(descriptor, "digest"));
}

static bool is_one_of_several(const struct garbage *garbage, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < fl_json_count(garbage->all); i++)
		count += fl_store_is_named(fl_json_item(garbage->all, i), name);
	return count > 1;
}

/* A name that has several platforms does not say which of its images it is. */
static void add_gone(const struct garbage *garbage, const fl_json *descriptor, struct fl_str *text)
{
	const fl_json *platform = fl_json_get(descriptor, "platform");
	fl_cleanup_free char *words = platform ? fl_image_platform_text(platform) : NULL;
	bool says = words && is_one_of_several(garbage, name_of(descriptor));

	fl_str_addf(text, "%s%s%s\n", name_of(descriptor), says ? "  " : "", says ? words : "");
}

static fl_json *image_of(const fl_json *descriptor)
{
	const fl_json *platform = fl_json_get(descriptor, "platform");
	fl_cleanup_free char *words = platform ? fl_image_platform_text(platform) : NULL;
	fl_json *image = fl_json_new_object();

	fl_json_set(image, "ref", fl_json_new_text(name_of(descriptor)));
	fl_json_set(image, "digest", fl_json_ref(fl_json_get(descriptor, "digest")));
	if (words)
		fl_json_set(image, "platform", fl_json_new_text(words));
	return image;
}

static fl_json *report_of(const struct garbage *garbage)
{
	fl_json *out = fl_json_new_object(), *names = fl_json_new_array(), *images = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(garbage->gone); i++) {
		const fl_json *gone = fl_json_item(garbage->gone, i);

		fl_json_add(names, fl_json_new_text(name_of(gone)));
		fl_json_add(images, image_of(gone));
	}
	fl_json_set(out, "names", names);
	fl_json_set(out, "images", images);
	fl_json_set(out, "blobs", fl_json_new_int((int64_t)garbage->blobs));
	fl_json_set(out, "bytes", fl_json_new_int((int64_t)garbage->bytes));
	return out;
}

static int report(struct fl_args *args, const struct garbage *garbage, struct fl_err *err)
{
	fl_cleanup_json fl_json *out = report_of(garbage);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char size[16];

	if (fl_args_flag(args, "json"))
		return fl_cli_print_json(out, err);
	for (size_t i = 0; i < fl_json_count(garbage->gone); i++)
		add_gone(garbage, fl_json_item(garbage->gone, i), &text);
	fl_num_print_size(garbage->bytes, size);
	fl_str_addf(&text, "%llu blobs, %s%s\n", (unsigned long long)garbage->blobs, size,
		    garbage->is_dry ? ", would be removed" : "");
	return fl_cli_print(text.data, text.len, err);
}

static int collect(struct fl_args *args, struct garbage *garbage, struct fl_err *err)
{
	const char *since = fl_args_text(args, "keep-since", NULL);
	fl_cleanup_close int lock = -1;

	if (since && fl_since_parse(since, garbage->since, err) < 0)
		return fl_err_prefix(err, "option --keep-since");
	lock = fl_store_lock(garbage->store, true, err);
	if (lock < 0)
		return !err || err->kind != FL_ERR_BUSY
			       ? -1
			       : fl_err_prefix(err, "images are being pulled or read");
	garbage->all = fl_store_list(garbage->store, err);
	if (!garbage->all || take_in_use(garbage, args, err) < 0 ||
	    (!garbage->is_dry && fl_store_keep(garbage->store, name_stays, garbage, err) < 0) ||
	    mark(garbage, err) < 0 || sweep(garbage, err) < 0)
		return -1;
	return report(args, garbage, err);
}

int fl_remove_garbage(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_store struct fl_store store = { .dirfd = -1, .blobs = -1 };
	fl_cleanup_json fl_json *in_use = fl_json_new_object(), *reached = fl_json_new_object();
	fl_cleanup_json fl_json *gone = fl_json_new_array();
	struct garbage garbage = {
		.store = &store, .is_dry = fl_args_flag(args, "dry-run"), .in_use = in_use,
		.reached = reached, .gone = gone,
	};
	int rc;

	if (fl_store_open(&store, fl_args_state_dir(args), false, err) < 0)
		return err->kind == FL_ERR_NOT_FOUND ? report(args, &garbage, err) : -1;
	rc = collect(args, &garbage, err);
	fl_json_unref(garbage.all);
	return rc;
}
