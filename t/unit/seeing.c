/* SPDX-License-Identifier: MPL-2.0 */
/* Selectors, times in the past, files that rotate while they are read, Prometheus' text. */
#include "t/unit/test.h"

#include "common/metrics.h"
#include "common/selector.h"
#include "common/since.h"
#include "common/tail.h"

#include <fcntl.h>
#include <stdlib.h>

static bool matches(const char *selector)
{
	static const char text[] = "{\"a\":\"1\",\"empty\":\"\",\"odd\":7}";
	fl_cleanup_json fl_json *labels = fl_json_parse(text, strlen(text), "labels", NULL);

	return fl_selector_check(selector, NULL) == 0 && fl_selector_matches(selector, labels);
}

static void selectors(void)
{
	static const char *const right[] = { "a=1", "a==1", "a", "a!=2", "b!=1", "!b", "empty=", "empty",
					     "a=1,!b,empty" };
	static const char *const wrong[] = { "a=2", "a=", "b", "!a", "a!=1", "b=", "a=1,b", "odd", "a=1=1" };
	static const char *const bad[] = { "", ",", "a,", ",a", "=1", "!=1", "!", "!!a", "a b=1", "!a!" };

	for (size_t i = 0; i < FL_COUNT(right); i++)
		CHECK(matches(right[i]));
	for (size_t i = 0; i < FL_COUNT(wrong); i++)
		CHECK(!matches(wrong[i]));
	for (size_t i = 0; i < FL_COUNT(bad); i++)
		CHECK_INT(fl_selector_check(bad[i], NULL), -1);
	CHECK(!fl_selector_matches("a", NULL));
	CHECK(fl_selector_matches("!a", NULL));
}

static void times(void)
{
	static const char *const bad[] = { "", "yesterday", "2026-01-02T", "2026-01-02T03:04:05X",
					   "2026-01-02T03:04:05+01:00", "2026-13-01", "5 m", "-5m", "99999999h" };
	char since[FL_CLOCK_TEXT], now[FL_CLOCK_TEXT];

	CHECK_INT(fl_since_parse("2026-01-02", since, NULL), 0);
	CHECK_STR(since, "2026-01-02T00:00:00.000000Z");
	CHECK_INT(fl_since_parse("2026-01-02T03:04:05.0678901Z", since, NULL), 0);
	CHECK_STR(since, "2026-01-02T03:04:05.067890Z");
	CHECK_INT(fl_since_parse("2026-01-02T03:04:05", since, NULL), 0);
	CHECK_STR(since, "2026-01-02T03:04:05.000000Z");
	fl_clock_print_now(now);
	CHECK_INT(fl_since_parse("1h", since, NULL), 0);
	CHECK(strcmp(since, now) < 0);
	for (size_t i = 0; i < FL_COUNT(bad); i++)
		CHECK_INT(fl_since_parse(bad[i], since, NULL), -1);
}

static void append(const char *path, const char *text)
{
	fl_cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	CHECK_INT(write(fd, text, strlen(text)), (long long)strlen(text));
}

static void expect(struct fl_tail *tail, const char *text)
{
	char got[100];
	size_t len = 0;
	ssize_t one;

	while ((one = fl_tail_read(tail, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)one;
	got[len] = 0;
	CHECK_STR(got, text);
}

static void tails(void)
{
	char dir[] = "/tmp/fl-tail-XXXXXX";
	fl_cleanup_tail struct fl_tail tail = FL_TAIL_INIT;
	fl_cleanup_close int dirfd = -1;

	CHECK(mkdtemp(dir) && chdir(dir) == 0);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(fl_tail_open(&tail, dirfd, dir, "log", "log.1", NULL), 0);
	expect(&tail, "");
	append("log", "one");
	expect(&tail, "one");
	append("log", " two");
	CHECK_INT(rename("log", "log.1"), 0);
	append("log", " three");
	expect(&tail, " two three");
	append("log", " four");
	rename("log", "log.1");
	append("log", " five");
	rename("log", "log.1");
	append("log", " six");
	/* Rotated twice: what it held open, then what is still there. */
	expect(&tail, " four five six");
	fl_tail_seek_back(&tail, 2);
	expect(&tail, "ix");
	fl_tail_seek_back(&tail, 6);
	expect(&tail, "ve six");
	fl_tail_seek_back(&tail, 100);
	expect(&tail, " five six");
	fl_tail_seek_back(&tail, 0);
	expect(&tail, "");
	unlink("log");
	unlink("log.1");
	expect(&tail, "");
	CHECK_INT(chdir("/"), 0);
	rmdir(dir);
}

static void exposition(void)
{
	static const char text[] = "[{\"namespace\":\"a\\\"b\",\"name\":\"c\\\\d\",\"uid\":\"e\\nf\","
				   "\"running\":true,\"cpu_us\":1500000,\"disks\":[{\"id\":\"root\",\"reads\":7},"
				   "3,null]},{},7]";
	fl_cleanup_json fl_json *list = fl_json_parse(text, strlen(text), "list", NULL);
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	fl_metrics_print(list, NULL, 0, &out);
	CHECK(strstr(out.data, "flintlock_microvm_running{namespace=\"a\\\"b\",name=\"c\\\\d\",uid=\"e\\nf\"} 1\n"));
	CHECK(strstr(out.data, "flintlock_microvm_cpu_seconds_total{namespace=\"a\\\"b\",name=\"c\\\\d\","
			       "uid=\"e\\nf\"} 1.500000\n"));
	CHECK(strstr(out.data, ",disk=\"root\"} 7\n"));
}

int main(void)
{
	return test_run((const struct test_case[]){ { "selectors", selectors },
						    { "times in the past", times },
						    { "files that rotate", tails },
						    { "Prometheus' text", exposition },
						    { 0 } });
}
