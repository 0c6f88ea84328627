/* SPDX-License-Identifier: MPL-2.0 */
#include "common/yaml.h"

#include <string.h>
#include <yaml.h>

void fl_yaml_finish(struct fl_yaml *yaml)
{
	for (size_t i = 0; i < yaml->keys.count; i++)
		free(yaml->keys.items[i]);
	free(yaml->keys.items);
	memset(yaml, 0, sizeof(*yaml));
}

bool fl_yaml_has(const struct fl_yaml *yaml, const char *key)
{
	for (size_t i = 0; i < yaml->keys.count; i++)
		if (strcmp(yaml->keys.items[i], key) == 0)
			return true;
	return false;
}

/* How far the walk through the events has come. */
struct walk {
	struct fl_yaml *yaml;
	int depth;      /* of open mappings and sequences */
	bool is_value;  /* at depth 1: the next node is a value, not a key */
	bool started;
};

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
		walk->yaml->flow_at = event->end_mark.index;
		walk->yaml->is_empty = event->type == YAML_SCALAR_EVENT &&
				       event->data.scalar.length == 0;
	} else if (walk->depth == 1 && walk->yaml->is_mapping) {
		if (!walk->is_value && event->type == YAML_SCALAR_EVENT)
			FL_VEC_ADD(&walk->yaml->keys,
				   fl_strndup((const char *)event->data.scalar.value,
					      event->data.scalar.length));
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
	struct walk walk = { .yaml = yaml };
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

static void add_keys(const struct fl_yaml *yaml, const struct fl_yaml_addition *additions,
		     size_t count, struct fl_str *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct fl_yaml_addition *one = &additions[i];
		const char *quote = is_plain(one->value) ? "" : "\"";

		if (fl_yaml_has(yaml, one->keys[0]) || fl_yaml_has(yaml, one->keys[1]))
			continue;
		fl_str_addf(out, "%s: %s%s%s%s", one->key, quote, one->value, quote,
			    yaml->is_flow ? (yaml->keys.count ? ", " : "") : "\n");
	}
}

int fl_yaml_complete(const char *text, size_t size, const char *name,
		     const struct fl_yaml_addition *additions, size_t count, struct fl_str *out,
		     struct fl_err *err)
{
	fl_cleanup_yaml struct fl_yaml yaml = { 0 };

	if (fl_yaml_look(text, size, name, &yaml, err) < 0)
		return -1;
	if (!yaml.is_mapping && !yaml.is_empty)
		return fl_err_set(err, FL_ERR_INVALID, "%s: not a YAML mapping", name);
	if (!yaml.is_flow) {
		fl_str_add_bytes(out, text, size);
		if (out->len && out->data[out->len - 1] != '\n')
			fl_str_add(out, "\n");
		add_keys(&yaml, additions, count, out);
		return 0;
	}
	fl_str_add_bytes(out, text, yaml.flow_at);
	add_keys(&yaml, additions, count, out);
	fl_str_add_bytes(out, text + yaml.flow_at, size - yaml.flow_at);
	return 0;
}

struct settings {
	yaml_document_t document;
	const char *name;
	int (*each)(void *arg, const char *key, const char *value, size_t line, struct fl_err *err);
	void *arg;
};

static const char *text_of(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static bool stands_before(struct settings *settings, const yaml_node_t *root,
			  const yaml_node_pair_t *until, const char *key)
{
	for (yaml_node_pair_t *one = root->data.mapping.pairs.start; one < until; one++) {
		const char *other = text_of(yaml_document_get_node(&settings->document, one->key));

		if (other && strcmp(other, key) == 0)
			return true;
	}
	return false;
}

static int take_pair(struct settings *settings, const yaml_node_t *root,
		     const yaml_node_pair_t *pair, struct fl_err *err)
{
	const yaml_node_t *key_node = yaml_document_get_node(&settings->document, pair->key);
	const char *value = text_of(yaml_document_get_node(&settings->document, pair->value));
	const char *key = text_of(key_node);
	size_t line = key_node->start_mark.line + 1;

	if (!key || !value)
		return fl_err_set(err, FL_ERR_INVALID, "%s: line %zu: %s: a single value belongs here",
				  settings->name, line, key ? key : "a key");
	if (stands_before(settings, root, pair, key))
		return fl_err_set(err, FL_ERR_INVALID, "%s: line %zu: %s: stands here twice",
				  settings->name, line, key);
	return settings->each(settings->arg, key, value, line, err);
}

static int take_document(struct settings *settings, struct fl_err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(&settings->document);

	if (!root || (text_of(root) && !*text_of(root)))
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return fl_err_set(err, FL_ERR_INVALID, "%s: line %zu: \"KEY: VALUE\" belongs here",
				  settings->name, root->start_mark.line + 1);
	for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
	     pair < root->data.mapping.pairs.top; pair++)
		if (take_pair(settings, root, pair, err) < 0)
			return -1;
	return 0;
}

int fl_yaml_settings(const char *text, size_t size, const char *name,
		     int (*each)(void *arg, const char *key, const char *value, size_t line,
				 struct fl_err *err),
		     void *arg, struct fl_err *err)
{
	struct settings settings = { .name = name, .each = each, .arg = arg };
	yaml_parser_t parser;
	int rc;

	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (yaml_parser_load(&parser, &settings.document)) {
		rc = take_document(&settings, err);
		yaml_document_delete(&settings.document);
	} else {
		rc = not_yaml(&parser, name, err);
	}
	yaml_parser_delete(&parser);
	return rc;
}
