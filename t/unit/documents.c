/* SPDX-License-Identifier: MPL-2.0 */
/* Errors, references, JSON streams, YAML. */
#include "t/unit/test.h"

#include "common/documents.h"
#include "common/reference.h"
#include "common/spec.h"
#include "common/yaml.h"

#include <stdlib.h>

static void errors(void)
{
	struct fl_err err;

	CHECK_INT(fl_err_set(&err, FL_ERR_NOT_FOUND, "x%d", 1), -1);
	fl_err_prefix(&err, "layer %s", "a");
	CHECK_STR(err.text, "layer a: x1");
	CHECK_INT(err.kind, FL_ERR_NOT_FOUND);
	CHECK_INT(fl_err_errno(&err, ENOSPC, "f"), -1);
	CHECK_INT(err.kind, FL_ERR_EXHAUSTED);
	CHECK_INT(fl_err_set(NULL, FL_ERR_NO, "nobody listens"), -1);
	for (int i = 0; i < FL_ERR_KINDS; i++)
		CHECK_INT(fl_err_kind_of(fl_err_kind_name(i)), i);
}

static void long_errors(void)
{
	struct fl_err err;
	char text[2000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	fl_err_set(&err, FL_ERR_SYSTEM, "%s", text);
	for (int i = 0; i < 10; i++)
		fl_err_prefix(&err, "%s", text);
	CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
}

static void references(void)
{
	struct fl_reference ref;

	CHECK_INT(fl_reference_parse("127.0.0.1:5000/a/b:1", &ref, NULL), 0);
	CHECK_STR(ref.host, "127.0.0.1:5000");
	CHECK_STR(ref.name, "a/b");
	CHECK_STR(ref.tag, "1");
	fl_reference_finish(&ref);
	CHECK_INT(fl_reference_parse("debian", &ref, NULL), 0);
	CHECK_STR(ref.text, "docker.io/library/debian:latest");
	fl_reference_finish(&ref);
	CHECK_INT(fl_reference_parse("oci:some/where:tag", &ref, NULL), 0);
	CHECK_STR(ref.folder, "some/where");
	CHECK_STR(ref.tag, "tag");
	fl_reference_finish(&ref);
	CHECK_INT(fl_reference_parse("host.example/a--b__c.d:T", &ref, NULL), 0);
	fl_reference_finish(&ref);
	CHECK_INT(fl_reference_parse("host.example/a-", &ref, NULL), -1);
	CHECK_INT(fl_reference_parse("host.example/a//b", &ref, NULL), -1);
	CHECK_INT(fl_reference_parse("host.example/a:-tag", &ref, NULL), -1);
}

/* How many documents text holds; -1 when it ends in an error. */
static int count_documents(const char *text)
{
	fl_cleanup_documents struct fl_documents in = { .name = "text" };
	struct fl_err err = { 0 };
	int ends[2], count = 0;

	if (pipe(ends) < 0 || write(ends[1], text, strlen(text)) < 0)
		abort();
	close(ends[1]);
	in.fd = ends[0];
	for (fl_json *doc; (doc = fl_documents_next(&in, &err)); count++)
		fl_json_unref(doc);
	close(ends[0]);
	return err.kind == FL_ERR_NONE ? count : -1;
}

static void streams(void)
{
	CHECK_INT(count_documents(""), 0);
	CHECK_INT(count_documents("\n \n"), 0);
	CHECK_INT(count_documents("{}\n{}"), 2);
	CHECK_INT(count_documents("{}{}"), 2);
	CHECK_INT(count_documents("{\n \"a\": \"}\\\"{\"\n}\n[1,\n2]\n"), 2);
	CHECK_INT(count_documents("{\"a\":1,\"a\":2}"), -1);
	CHECK_INT(count_documents("{"), -1);
	CHECK_INT(count_documents("word\n"), -1);
}

static fl_json *parse_yaml(const char *text, struct fl_err *err)
{
	return fl_yaml_parse(text, strlen(text), "t", err);
}

static void yaml_tree(void)
{
	static const char *const wrong[] = {
		"a: [", "a: 1\na: 2\n", "a: &x [1]\nb: *x\n", "[a]: b\n",
		"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]",
	};
	fl_cleanup_json fl_json *tree =
		parse_yaml("a:\n  b: [true, \"true\", ~, 12]\nc.d: {}\n", NULL);
	fl_cleanup_json fl_json *empty = parse_yaml("# only\n", NULL);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_json_print(tree, false, &text);
	CHECK_STR(text.data, "{\"a\":{\"b\":[true,\"true\",null,\"12\"]},\"c.d\":{}}");
	CHECK(fl_json_is_object(empty) && fl_json_count(empty) == 0);
	for (size_t i = 0; i < FL_COUNT(wrong); i++) {
		struct fl_err err = { 0 };

		CHECK(!parse_yaml(wrong[i], &err));
		CHECK(err.kind == FL_ERR_INVALID && strstr(err.text, "line"));
	}
}

static void yaml(void)
{
	struct fl_yaml look;
	const char *flow = "{a: 1, \"b\": [x]}";

	CHECK_INT(fl_yaml_look("a: 1\nb:\n  c: 2\n", 15, "t", &look, NULL), 0);
	CHECK(look.is_mapping && !look.is_flow && fl_yaml_has(&look, "b") && !fl_yaml_has(&look, "c"));
	fl_yaml_finish(&look);
	CHECK_INT(fl_yaml_look(flow, strlen(flow), "t", &look, NULL), 0);
	CHECK(look.is_flow && look.flow_at == 1 && fl_yaml_has(&look, "b") && !fl_yaml_has(&look, "x"));
	fl_yaml_finish(&look);
	CHECK_INT(fl_yaml_look("# only\n", 7, "t", &look, NULL), 0);
	CHECK(look.is_empty);
	fl_yaml_finish(&look);
	CHECK_INT(fl_yaml_look("a: [", 4, "t", &look, NULL), -1);
}

static void yaml_additions(void)
{
	static const struct fl_yaml_addition one = { { "id", "id" }, "id", "0Z" };
	static const char indented[] = "  a: 1\n  b:\n    c: 2", two[] = "a: 1\n---\nb: 2\n";
	/* What is empty is filled; libyaml counts characters, and a document has bytes. */
	static const char *const gaps[][2] = {
		{ "id:\nb: 2\n", "id: 0Z\nb: 2\n" },
		{ "a: \xc3\xa9\nid: \"\" # none\n", "a: \xc3\xa9\nid: 0Z # none\n" },
		{ "id: ~\n", "id: 0Z\n" },
		{ "id: 'x'\n", "id: 'x'\n" },
		{ "b: [id: ]\n? [c]\n: ''\n", "b: [id: ]\n? [c]\n: ''\nid: 0Z\n" },
		{ "# \xc3\xa9\n{a: 1}", "# \xc3\xa9\n{id: 0Z, a: 1}" },
		{ "\xef\xbb\xbf{\"id\":\"\"}", "\xef\xbb\xbf{\"id\": 0Z}" },
		{ "{id: , a: \xc3\xa9}", "{id: 0Z, a: \xc3\xa9}" },
		{ "id: |\na: 1\n", "id: |\na: 1\n" },
	};
	fl_cleanup_str struct fl_str out = FL_STR_INIT, long_one = FL_STR_INIT;
	struct fl_err err = { 0 };

	CHECK_INT(fl_yaml_complete(indented, strlen(indented), "t", &one, 1, &out, &err), 0);
	CHECK_STR(out.data, "  a: 1\n  b:\n    c: 2\n  id: 0Z\n");
	for (size_t i = 0; i < FL_COUNT(gaps); i++) {
		fl_str_clear(&out);
		CHECK_INT(fl_yaml_complete(gaps[i][0], strlen(gaps[i][0]), "t", &one, 1, &out, &err), 0);
		CHECK_STR(out.data, gaps[i][1]);
	}
	fl_str_clear(&out);
	CHECK_INT(fl_yaml_complete(two, strlen(two), "t", &one, 1, &out, &err), -1);
	CHECK_STR(err.text, "t: id cannot be added to it: it is not one YAML document and nothing else");
	/* Once from end to end, not once for each key: that would take minutes. */
	for (int i = 0; i < 300000; i++)
		fl_str_add(&long_one, i % 2 ? "id:\n" : "a:\n");
	fl_str_clear(&out);
	CHECK_INT(fl_yaml_complete(long_one.data, long_one.len, "t", &one, 1, &out, &err), 0);
	CHECK_INT(out.len, long_one.len + 150000 * 3);
}

static void specs(void)
{
	static const char text[] = "{\"id\":\"a\",\"kernel\":{\"image\":\"h.x/k\"},\"rootVolume\":{\"source\":{\"containerSource\":\"h.x/r\"}}}";
	fl_cleanup_json fl_json *in = fl_json_parse(text, strlen(text), "t", NULL);
	fl_cleanup_json fl_json *spec = fl_spec_read(in, NULL);
	fl_cleanup_json fl_json *other = fl_json_copy(spec);
	fl_cleanup_str struct fl_str names = FL_STR_INIT;
	fl_cleanup_spec struct fl_spec view = fl_spec_view(spec);

	CHECK_INT(fl_spec_check(spec, NULL), 0);
	CHECK_INT(view.vcpu, 2);
	CHECK_STR(view.name_space, "default");
	CHECK_STR(view.volumes[0].id, "root");
	fl_json_set(other, "uid", fl_json_new_text("x"));
	CHECK(fl_spec_equal(spec, other));
	fl_json_set(other, "vcpu", fl_json_new_int(4));
	fl_json_set(other, "labels", fl_json_new_object());
	fl_spec_difference(spec, other, &names);
	CHECK_STR(names.data, "vcpu, labels");
}

static void check_skimmed(const char *text, size_t longest, const char *expected)
{
	fl_cleanup_str struct fl_str copy = FL_STR_INIT;

	fl_str_add(&copy, text);
	fl_json_skim(&copy, longest, "argv");
	CHECK_STR(copy.data, expected);
	CHECK_INT(copy.len, strlen(expected));
}

static void long_texts(void)
{
	check_skimmed("{\"a\":\"1234\",\"b\":\"12345\",\"c\":[\"123456\"]}", 4,
		      "{\"a\":\"1234\",\"b\":\"\",\"c\":[\"\"]}");
	/* A quote in a string does not end it, behind whichever number of backslashes. */
	check_skimmed("[\"12\\\"34\",\"\\\\\",\"\\\\\\\"567\",1]", 4, "[\"\",\"\\\\\",\"\",1]");
	check_skimmed("{\"a key\" : \"12345\"}", 4, "{\"a key\" : \"\"}");
	check_skimmed("{\"a\":\"unfinished", 4, "{\"a\":\"");
	check_skimmed("\"", 4, "\"");
	check_skimmed("", 4, "");
	check_skimmed(" [1, 2] ", 0, " [1, 2] ");
}

static void lists_of_a_name(void)
{
	check_skimmed("{\"argv\":[\"-a\",[1,\"]\\\"\"]],\"b\":[1]}", 9, "{\"argv\":[],\"b\":[1]}");
	check_skimmed("{\"argv\" :\n[ 1 ] }", 9, "{\"argv\" :\n[] }");
	/* Neither what is no list, nor a text that says so. */
	check_skimmed("{\"argv\":\"a\",\"b\":[\"argv\",[1]]}", 9, "{\"argv\":\"a\",\"b\":[\"argv\",[1]]}");
	check_skimmed("{\"argv\":{\"argv\":[1]}}", 9, "{\"argv\":{\"argv\":[]}}");
	check_skimmed("{\"argv\":[\"unfinished", 9, "{\"argv\":[");
	check_skimmed("{\"argv\"", 9, "{\"argv\"");
	check_skimmed("{\"argv\":", 9, "{\"argv\":");
}

int main(void)
{
	return test_run((const struct test_case[]){ { "errors travel", errors },
						    { "long errors are cut", long_errors },
						    { "references", references },
						    { "streams of documents", streams },
						    { "YAML is understood, not touched", yaml },
						    { "keys are added to YAML", yaml_additions },
						    { "YAML as JSON", yaml_tree },
						    { "long texts are left out", long_texts },
						    { "lists of a name are left out", lists_of_a_name },
						    { "specs", specs },
						    { 0 } });
}
