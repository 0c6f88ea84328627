/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/tokens.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/log.h"
#include "common/sha256.h"
#include "common/str.h"
#include "common/vec.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define LARGEST_FILE (1 << 20)
#define SHORTEST_GOOD 16 /* characters */

struct fl_caller {
	unsigned char sum[FL_SHA256_SIZE]; /* of the token: equal lengths, nothing to read */
	char *namespaces;                  /* NULL: all */
	unsigned verbs;
	bool is_revoked; /* kept for calls that began with it */
};

struct fl_tokens {
	FL_VEC(struct fl_caller *) callers;
};

struct fl_tokens *fl_tokens_create(void)
{
	return fl_alloc_zero(1, sizeof(struct fl_tokens));
}

void fl_tokens_free(struct fl_tokens *tokens)
{
	if (!tokens)
		return;
	for (size_t i = 0; i < tokens->callers.count; i++) {
		free(tokens->callers.items[i]->namespaces);
		free(tokens->callers.items[i]);
	}
	free(tokens->callers.items);
	free(tokens);
}

bool fl_tokens_are_wanted(const struct fl_tokens *tokens)
{
	return tokens->callers.count > 0;
}

/* Whether a list joined by commas holds the word. */
static bool holds(const char *list, const char *word)
{
	size_t size = strlen(word);

	while (list) {
		if (strncmp(list, word, size) == 0 && (!list[size] || list[size] == ','))
			return true;
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	return false;
}

static bool is_all(const char *list)
{
	return !list || !*list || strcmp(list, "*") == 0;
}

static int parse_verbs(const char *verbs, unsigned *set, struct fl_err *err)
{
	static const struct {
		const char *text;
		unsigned set;
	} all[] = { { "read", FL_VERB_READ },
		    { "write", FL_VERB_WRITE },
		    { "read,write", FL_VERB_READ | FL_VERB_WRITE },
		    { "write,read", FL_VERB_READ | FL_VERB_WRITE } };

	*set = is_all(verbs) ? FL_VERB_READ | FL_VERB_WRITE : 0;
	for (size_t i = 0; !*set && i < FL_COUNT(all); i++)
		if (strcmp(verbs, all[i].text) == 0)
			*set = all[i].set;
	if (*set)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "\"%s\": verbs are \"read\", \"write\" or both joined by "
			  "a comma", verbs);
}

/* Without what an editor or "base64 FILE" leaves at its end. */
static void sum_token(const char *token, size_t len, unsigned char *sum)
{
	while (len && memchr(" \t\r\n", token[len - 1], 4))
		len--;
	fl_sha256_sum(token, len, sum);
}

int fl_tokens_add(struct fl_tokens *tokens, const char *token, const char *namespaces,
		  const char *verbs, struct fl_err *err)
{
	struct fl_caller *caller;
	unsigned set;

	if (parse_verbs(verbs, &set, err) < 0)
		return -1;
	if (strlen(token) < SHORTEST_GOOD)
		fl_log(FL_LOG_WARN, "a token of %zu characters can be guessed; \"openssl rand -hex 32\" makes a "
		       "better one", strlen(token));
	caller = fl_alloc_zero(1, sizeof(*caller));
	sum_token(token, strlen(token), caller->sum);
	caller->namespaces = is_all(namespaces) ? NULL : fl_strdup(namespaces);
	caller->verbs = set;
	FL_VEC_ADD(&tokens->callers, caller);
	return 0;
}

static int add_line(struct fl_tokens *tokens, char *line, struct fl_err *err)
{
	static const char space[] = " \t\r";
	char *at = NULL, *token = strtok_r(line, space, &at);
	char *namespaces = token ? strtok_r(NULL, space, &at) : NULL;
	char *verbs = namespaces ? strtok_r(NULL, space, &at) : NULL;

	if (!token || *token == '#')
		return 0;
	if (verbs && strtok_r(NULL, space, &at))
		return fl_err_set(err, FL_ERR_INVALID, "more than TOKEN, NAMESPACES and VERBS");
	return fl_tokens_add(tokens, token, namespaces, verbs, err);
}

int fl_tokens_read(struct fl_tokens *tokens, const char *path, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct stat st;
	size_t before = tokens->callers.count;
	char *at = NULL;
	unsigned number = 1;

	if (stat(path, &st) < 0)
		return fl_err_errno(err, errno, "%s: tokens cannot be read", path);
	if (st.st_mode & 077)
		return fl_err_set(err, FL_ERR_DENIED, "%s: others than its owner may read it; "
				  "chmod 0600 %s", path, path);
	if (fl_io_read_file(AT_FDCWD, path, LARGEST_FILE, &text, err) < 0)
		return -1;
	for (char *line = text.len ? text.data : NULL; line; line = at, number++) {
		at = strchr(line, '\n');
		if (at)
			*at++ = 0;
		if (add_line(tokens, line, err) < 0)
			return fl_err_prefix(err, "%s:%u", path, number);
	}
	/* Without any, everyone would be let in. */
	if (tokens->callers.count == before)
		return fl_err_set(err, FL_ERR_INVALID, "%s: holds no token; a line is TOKEN [NAMESPACES "
				  "[VERBS]]", path);
	return 0;
}

/* The last one counts, as in fl_tokens_check(). */
static struct fl_caller *find_sum(const struct fl_tokens *tokens, const unsigned char *sum)
{
	struct fl_caller *found = NULL;

	for (size_t i = 0; i < tokens->callers.count; i++)
		if (!tokens->callers.items[i]->is_revoked &&
		    fl_sha256_equal(tokens->callers.items[i]->sum, sum))
			found = tokens->callers.items[i];
	return found;
}

static void take_rights(struct fl_caller *caller, const struct fl_caller *from)
{
	free(caller->namespaces);
	caller->namespaces = from && from->namespaces ? fl_strdup(from->namespaces) : NULL;
	caller->verbs = from ? from->verbs : 0;
	caller->is_revoked = !from;
}

static void adopt(struct fl_tokens *tokens, const struct fl_caller *from)
{
	struct fl_caller *caller = fl_alloc_zero(1, sizeof(*caller));

	memcpy(caller->sum, from->sum, sizeof(caller->sum));
	take_rights(caller, from);
	FL_VEC_ADD(&tokens->callers, caller);
}

void fl_tokens_replace(struct fl_tokens *tokens, struct fl_tokens *fresh)
{
	size_t had = tokens->callers.count;

	for (size_t i = 0; i < had; i++)
		take_rights(tokens->callers.items[i], find_sum(fresh, tokens->callers.items[i]->sum));
	for (size_t i = 0; i < fresh->callers.count; i++)
		if (!find_sum(tokens, fresh->callers.items[i]->sum))
			adopt(tokens, find_sum(fresh, fresh->callers.items[i]->sum));
	fl_tokens_free(fresh);
}

/* The token in the field's value; false when there is none. */
static bool take_token(const char *authorization, struct fl_str *token, struct fl_err *err)
{
	const char *space = strchr(authorization, ' ');
	size_t size = space ? (size_t)(space - authorization) : 0;

	if (size == 6 && strncasecmp(authorization, "bearer", 6) == 0) {
		fl_str_add(token, space + 1);
		return true;
	}
	if (size == 5 && strncasecmp(authorization, "basic", 5) == 0) {
		if (fl_base64_decode(space + 1, token))
			return true;
		fl_err_set(err, FL_ERR_UNAUTHENTICATED, "invalid auth token: not base 64");
		return false;
	}
	fl_err_set(err, FL_ERR_UNAUTHENTICATED, "could not extract token from request header: rpc "
		   "error: code = Unauthenticated desc = Request unauthenticated with basic");
	return false;
}

const struct fl_caller *fl_tokens_check(const struct fl_tokens *tokens, const char *authorization,
					struct fl_err *err)
{
	fl_cleanup_str struct fl_str token = FL_STR_INIT;
	unsigned char sum[FL_SHA256_SIZE];
	const struct fl_caller *found;

	if (!take_token(authorization ? authorization : "", &token, err))
		return NULL;
	sum_token(token.data ? token.data : "", token.len, sum);
	found = find_sum(tokens, sum);
	if (!found)
		fl_err_set(err, FL_ERR_UNAUTHENTICATED, "invalid auth token: %s",
			   token.len ? "failed basic authentication. Check the token supplied"
				     : "empty authentication token");
	return found;
}

bool fl_caller_is_revoked(const struct fl_caller *caller)
{
	return caller && caller->is_revoked;
}

bool fl_caller_may(const struct fl_caller *caller, enum fl_verb verb, const char *name_space)
{
	if (!caller)
		return true;
	return (caller->verbs & verb) && (!caller->namespaces || holds(caller->namespaces, name_space));
}
