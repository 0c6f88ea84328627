/* SPDX-License-Identifier: MPL-2.0 */
#include "common/yaml.h"

#include "common/alloc.h"

#include <string.h>
#include <yaml.h>

void fl_yaml_finish(struct fl_yaml *yaml)
{
	for (size_t i = 0; i < yaml->keys.count; i++)
		free(yaml->keys.items[i]);
	free(yaml->keys.items);
	free(yaml->gaps.items);
	memset(yaml, 0, sizeof(*yaml));
}

bool fl_yaml_has(const struct fl_yaml *yaml, const char *key)
{
	for (size_t i = 0; i < yaml->keys.count; i++)
		if (strcmp(yaml->keys.items[i], key) == 0)
			return true;
	return false;
}

static bool is_null(const char *text)
{
	return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* How far the walk through the events has come. */
struct walk {
	struct fl_yaml *yaml;
	const char *text;
	size_t size;
	int depth;      /* of open mappings and sequences */
	bool is_value;  /* at depth 1: the next node is a value, not a key */
	bool has_key;   /* and its key is a text, the last of keys */
	bool started;
	size_t characters, at; /* so many of them, up to this byte: as far as was counted */
};

/* libyaml counts characters, and no mark of the byte order; what it tells of only grows. */
static size_t byte_of(struct walk *walk, size_t characters)
{
	if (!walk->at && walk->size >= 3 && memcmp(walk->text, "\xef\xbb\xbf", 3) == 0)
		walk->at = 3;
	for (; walk->characters < characters && walk->at < walk->size; walk->characters++)
		do
			walk->at++;
		while (walk->at < walk->size && ((unsigned char)walk->text[walk->at] & 0xc0) == 0x80);
	return walk->at;
}

/* A tag or an anchor before it, or a key without a colon, is left alone. */
static void take_value(struct walk *walk, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	yaml_scalar_style_t style = event->data.scalar.style;
	size_t from, before;

	/* A block that is empty ends behind its line. */
	if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE ||
	    !(style == YAML_PLAIN_SCALAR_STYLE ? is_null(value) : !event->data.scalar.length))
		return;
	before = from = byte_of(walk, event->start_mark.index);
	while (before && strchr(" \t", walk->text[before - 1]))
		before--;
	if (!before || walk->text[before - 1] != ':')
		return;
	FL_VEC_ADD(&walk->yaml->gaps,
		   ((struct fl_yaml_gap){ walk->yaml->keys.items[walk->yaml->keys.count - 1], from,
					  byte_of(walk, event->end_mark.index) }));
}

static void take_node(struct walk *walk, const yaml_event_t *event)
{
	bool opens = event->type == YAML_MAPPING_START_EVENT ||
		     event->type == YAML_SEQUENCE_START_EVENT;

	if (walk->depth == 0 && !walk->started) {
		walk->started = true;
		walk->yaml->is_mapping = event->type == YAML_MAPPING_START_EVENT;
		walk->yaml->is_flow =
			walk->yaml->is_mapping &&
			event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		walk->yaml->flow_at = byte_of(walk, event->end_mark.index);
		walk->yaml->indent = walk->yaml->is_mapping ? event->start_mark.column : 0;
		/* An empty text in quotes, or a block's, is a value: nothing can follow it. */
		walk->yaml->is_empty = event->type == YAML_SCALAR_EVENT &&
				       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
				       event->data.scalar.length == 0;
	} else if (walk->depth == 1 && walk->yaml->is_mapping) {
		if (!walk->is_value && event->type == YAML_SCALAR_EVENT)
			FL_VEC_ADD(&walk->yaml->keys,
				   fl_strndup((const char *)event->data.scalar.value,
					      event->data.scalar.length));
		else if (walk->is_value && walk->has_key && event->type == YAML_SCALAR_EVENT)
			take_value(walk, event);
		if (!walk->is_value)
			walk->has_key = event->type == YAML_SCALAR_EVENT;
		walk->is_value = !walk->is_value;
	}
	walk->depth += opens;
}

/* True at the end of the first document. */
static bool take_event(struct walk *walk, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
	case YAML_ALIAS_EVENT:
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		take_node(walk, event);
		return false;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		walk->depth--;
		return false;
	default:
		return event->type == YAML_DOCUMENT_END_EVENT ||
		       event->type == YAML_STREAM_END_EVENT;
	}
}

static int not_yaml(const yaml_parser_t *parser, const char *name, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INVALID, "%s: not YAML: line %zu, column %zu: %s", name,
			  parser->problem_mark.line + 1, parser->problem_mark.column + 1,
			  parser->problem ? parser->problem : "unknown");
}

int fl_yaml_look(const char *text, size_t size, const char *name, struct fl_yaml *yaml,
		 struct fl_err *err)
{
	struct walk walk = { .yaml = yaml, .text = text, .size = size };
	yaml_parser_t parser;
	yaml_event_t event;
	bool done = false;
	int rc = 0;

	memset(yaml, 0, sizeof(*yaml));
	yaml->is_empty = true;
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (!done && rc == 0) {
		if (!yaml_parser_parse(&parser, &event)) {
			rc = not_yaml(&parser, name, err);
			break;
		}
		done = take_event(&walk, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (rc < 0)
		fl_yaml_finish(yaml);
	return rc;
}

/* Capitals and digits, and not a number in disguise: what a ULID looks like. */
static bool is_plain(const char *value)
{
	return strpbrk(value, "ABCDFGHJKMNPQRSTVWXYZ") &&
	       strspn(value, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == strlen(value);
}

static bool has_either(const struct fl_yaml *yaml, const struct fl_yaml_addition *one)
{
	return fl_yaml_has(yaml, one->keys[0]) || fl_yaml_has(yaml, one->keys[1]);
}

static bool is_of(const char *key, const struct fl_yaml_addition *one)
{
	return strcmp(key, one->keys[0]) == 0 || strcmp(key, one->keys[1]) == 0;
}

/* Whether one of its spellings has a value. */
static bool has_value(const struct fl_yaml *yaml, const struct fl_yaml_addition *one)
{
	size_t with = 0, without = 0;

	for (size_t i = 0; i < yaml->keys.count; i++)
		with += is_of(yaml->keys.items[i], one);
	for (size_t i = 0; i < yaml->gaps.count; i++)
		without += is_of(yaml->gaps.items[i].key, one);
	return with > without;
}

static void add_value(const struct fl_yaml_addition *one, struct fl_str *out)
{
	const char *quote = is_plain(one->value) ? "" : "\"";

	fl_str_addf(out, "%s%s%s", quote, one->value, quote);
}

static const struct fl_yaml_addition *filling(const struct fl_yaml_gap *gap, const bool *has,
					      const struct fl_yaml_addition *additions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!has[i] && is_of(gap->key, &additions[i]))
			return &additions[i];
	return NULL;
}

/* The text from a byte on, with values where there were none. */
static void add_filled(const char *text, size_t at, size_t size, const struct fl_yaml *yaml,
		       const struct fl_yaml_addition *additions, size_t count, struct fl_str *out)
{
	fl_cleanup_free bool *has = fl_alloc_zero(count, sizeof(*has));

	for (size_t i = 0; i < count; i++)
		has[i] = has_value(yaml, &additions[i]);
	for (size_t i = 0; i < yaml->gaps.count; i++) {
		const struct fl_yaml_gap *gap = &yaml->gaps.items[i];
		const struct fl_yaml_addition *one = filling(gap, has, additions, count);

		if (!one)
			continue;
		fl_str_add_bytes(out, text + at, gap->from - at);
		if (out->len && out->data[out->len - 1] == ':')
			fl_str_add(out, " ");
		add_value(one, out);
		at = gap->until;
	}
	fl_str_add_bytes(out, text + at, size - at);
}

static void add_keys(const struct fl_yaml *yaml, const struct fl_yaml_addition *additions,
		     size_t count, struct fl_str *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct fl_yaml_addition *one = &additions[i];

		if (has_either(yaml, one))
			continue;
		if (!yaml->is_flow)
			fl_str_addf(out, "%*s", (int)yaml->indent, "");
		fl_str_addf(out, "%s: ", one->key);
		add_value(one, out);
		fl_str_add(out, yaml->is_flow ? (yaml->keys.count ? ", " : "") : "\n");
	}
}

static void complete(const char *text, size_t size, const struct fl_yaml *yaml,
		     const struct fl_yaml_addition *additions, size_t count, struct fl_str *out)
{
	if (!yaml->is_flow) {
		add_filled(text, 0, size, yaml, additions, count, out);
		if (out->len && out->data[out->len - 1] != '\n')
			fl_str_add(out, "\n");
		add_keys(yaml, additions, count, out);
		return;
	}
	fl_str_add_bytes(out, text, yaml->flow_at);
	add_keys(yaml, additions, count, out);
	add_filled(text, yaml->flow_at, size, yaml, additions, count, out);
}

int fl_yaml_complete(const char *text, size_t size, const char *name,
		     const struct fl_yaml_addition *additions, size_t count, struct fl_str *out,
		     struct fl_err *err)
{
	fl_cleanup_yaml struct fl_yaml yaml = { 0 }, whole = { 0 };

	if (fl_yaml_look(text, size, name, &yaml, err) < 0)
		return -1;
	if (!yaml.is_mapping && !yaml.is_empty)
		return fl_err_set(err, FL_ERR_INVALID, "%s: not a YAML mapping", name);
	complete(text, size, &yaml, additions, count, out);
	/* What follows the first document may be anything. */
	if (fl_yaml_look(out->data ? out->data : "", out->len, name, &whole, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!has_either(&whole, &additions[i]))
			return fl_err_set(err, FL_ERR_INVALID, "%s: %s cannot be added to it: it is not "
					  "one YAML document and nothing else", name, additions[i].key);
	return 0;
}

static const char *text_of(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

/* The first document of a file of settings, by its nodes. */
struct reading {
	yaml_document_t document;
	const char *name;
	size_t seen; /* nodes; more than there are: one is an alias */
	int (*each)(void *arg, const char *key, const char *value, size_t line, struct fl_err *err);
	void *arg;
};

static yaml_node_t *node_at(struct reading *reading, int index)
{
	return yaml_document_get_node(&reading->document, index);
}

static int refuse(const struct reading *reading, const yaml_node_t *node, const char *key,
		  const char *what, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INVALID, "%s: line %zu: %s%s%s", reading->name,
			  node->start_mark.line + 1, key, *key ? ": " : "", what);
}

/* The text of a pair's key, which no pair before it has; NULL with err. */
static const char *key_of(struct reading *reading, const yaml_node_t *mapping,
			  const yaml_node_pair_t *pair, struct fl_err *err)
{
	const yaml_node_t *node = node_at(reading, pair->key);
	const char *key = text_of(node);

	if (!key) {
		refuse(reading, node, "a key", "a single value belongs here", err);
		return NULL;
	}
	for (yaml_node_pair_t *one = mapping->data.mapping.pairs.start; one < pair; one++)
		if (fl_str_equal(text_of(node_at(reading, one->key)), key)) {
			refuse(reading, node, key, "stands here twice", err);
			return NULL;
		}
	return key;
}

static int take_pair(struct reading *reading, const yaml_node_t *root,
		     const yaml_node_pair_t *pair, struct fl_err *err)
{
	const yaml_node_t *node = node_at(reading, pair->key);
	const yaml_node_t *given = node_at(reading, pair->value);
	const char *value = text_of(given);
	const char *key = key_of(reading, root, pair, err);

	if (!key)
		return -1;
	if (!value)
		return refuse(reading, node, key, "a single value belongs here", err);
	if (given->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_null(value))
		value = "";
	return reading->each(reading->arg, key, value, node->start_mark.line + 1, err);
}

static int take_settings(struct reading *reading, const yaml_node_t *root, struct fl_err *err)
{
	if (root->type != YAML_MAPPING_NODE)
		return refuse(reading, root, "", "\"KEY: VALUE\" belongs here", err);
	for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
	     pair < root->data.mapping.pairs.top; pair++)
		if (take_pair(reading, root, pair, err) < 0)
			return -1;
	return 0;
}

typedef int taker(struct reading *reading, const yaml_node_t *root, struct fl_err *err);

/* 1: a document was there, and taken unless it is empty; 0: the end. */
static int load_next(struct reading *reading, yaml_parser_t *parser, taker *take, struct fl_err *err)
{
	const yaml_node_t *root;
	int rc = 0;

	if (!yaml_parser_load(parser, &reading->document))
		return not_yaml(parser, reading->name, err);
	root = yaml_document_get_root_node(&reading->document);
	reading->seen = 0;
	if (root && !(text_of(root) && !*text_of(root)))
		rc = take(reading, root, err);
	yaml_document_delete(&reading->document);
	return rc < 0 ? -1 : root ? 1 : 0;
}

/* Calls take with the root of the first document, or of all, unless that is empty. */
static int load(struct reading *reading, const char *text, size_t size, bool all, taker *take,
		struct fl_err *err)
{
	yaml_parser_t parser;
	int more;

	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while ((more = load_next(reading, &parser, take, err)) > 0 && all)
		;
	yaml_parser_delete(&parser);
	return more < 0 ? -1 : 0;
}

int fl_yaml_settings(const char *text, size_t size, const char *name,
		     int (*each)(void *arg, const char *key, const char *value, size_t line,
				 struct fl_err *err),
		     void *arg, struct fl_err *err)
{
	struct reading reading = { .name = name, .each = each, .arg = arg };

	return load(&reading, text, size, false, take_settings, err);
}

#define DEEPEST 16

/* Only what is written plainly can be something else than text. */
static fl_json *scalar(const yaml_node_t *node)
{
	const char *text = text_of(node);

	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		if (is_null(text))
			return fl_json_new_null();
		if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
			return fl_json_new_bool(*text == 't');
	}
	return fl_json_new_text_bytes(text, node->data.scalar.length);
}

static fl_json *read_node(struct reading *reading, const yaml_node_t *node, int depth,
			  struct fl_err *err);

static fl_json *read_list(struct reading *reading, const yaml_node_t *node, int depth,
			  struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_json_new_array();

	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		fl_json *value = read_node(reading, node_at(reading, *item), depth, err);

		if (!value)
			return NULL;
		fl_json_add(list, value);
	}
	return fl_json_ref(list);
}

static fl_json *read_mapping(struct reading *reading, const yaml_node_t *node, int depth,
			     struct fl_err *err)
{
	fl_cleanup_json fl_json *object = fl_json_new_object();

	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const char *key = key_of(reading, node, pair, err);
		fl_json *value;

		reading->seen++;
		value = key ? read_node(reading, node_at(reading, pair->value), depth, err) : NULL;
		if (!value)
			return NULL;
		fl_json_set(object, key, value);
	}
	return fl_json_ref(object);
}

static fl_json *read_node(struct reading *reading, const yaml_node_t *node, int depth,
			  struct fl_err *err)
{
	const yaml_document_t *document = &reading->document;

	if (++reading->seen > (size_t)(document->nodes.top - document->nodes.start))
		refuse(reading, node, "", "aliases are not taken", err);
	else if (depth > DEEPEST)
		refuse(reading, node, "", "nested too deeply", err);
	else if (node->type == YAML_SCALAR_NODE)
		return scalar(node);
	else if (node->type == YAML_SEQUENCE_NODE)
		return read_list(reading, node, depth + 1, err);
	else
		return read_mapping(reading, node, depth + 1, err);
	return NULL;
}

static int add_tree(struct reading *reading, const yaml_node_t *root, struct fl_err *err)
{
	fl_json *document = read_node(reading, root, 0, err);

	if (!document)
		return -1;
	fl_json_add(reading->arg, document);
	return 0;
}

static fl_json *parse(const char *text, size_t size, const char *name, bool all, struct fl_err *err)
{
	fl_cleanup_json fl_json *documents = fl_json_new_array();
	struct reading reading = { .name = name, .arg = documents };

	return load(&reading, text, size, all, add_tree, err) < 0 ? NULL : fl_steal(&documents);
}

fl_json *fl_yaml_parse(const char *text, size_t size, const char *name, struct fl_err *err)
{
	fl_cleanup_json fl_json *documents = parse(text, size, name, false, err);
	fl_json *first = documents ? fl_json_item(documents, 0) : NULL;

	return first ? fl_json_ref(first) : documents ? fl_json_new_object() : NULL;
}

fl_json *fl_yaml_parse_all(const char *text, size_t size, const char *name, struct fl_err *err)
{
	return parse(text, size, name, true, err);
}
