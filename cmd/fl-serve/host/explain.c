/* SPDX-License-Identifier: MPL-2.0 */
/* Explain: what the record knows about why a microVM is as it is, and what it said last. */
#include "cmd/fl-serve/host/host.h"

#include "common/alloc.h"
#include "common/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CONSOLE_BYTES 8192
#define CONSOLE_LINES 40

static void copy(fl_json *answer, const char *key, const fl_json *record, const char *path)
{
	const fl_json *value = fl_json_at(record, path);

	if (value && !fl_json_is_null(value))
		fl_json_set(answer, key, fl_json_copy(value));
}

static bool is_off(const char *vmm)
{
	return vmm && (strcmp(vmm, "failed") == 0 || strcmp(vmm, "waiting") == 0 ||
		       strcmp(vmm, "stopped") == 0);
}

static void add_reason(fl_json *answer, const struct fl_vm *vm, const fl_json *record)
{
	const char *error = fl_json_text(fl_json_at(record, "host.error.text"));
	const char *exit = fl_json_text(fl_json_at(record, "host.vmm.exit.reason"));
	const char *vmm = fl_json_text(fl_json_at(record, "host.vmm.state"));

	if (fl_vm_is_lost(vm, record))
		exit = "its supervisor is gone: killed, or the host was restarted";
	else if (!is_off(vmm))
		exit = NULL;
	if (error || exit)
		fl_json_set(answer, "reason", fl_json_new_text(error ? error : exit));
}

/* Up to CONSOLE_BYTES from the file's end; hostile bytes stay what they are: text that is
 * not UTF-8 is replaced when it becomes JSON. */
static void read_end(const struct fl_vm *vm, const char *name, struct fl_str *text)
{
	fl_cleanup_close int fd = openat(vm->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	off_t at;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	at = st.st_size > CONSOLE_BYTES ? st.st_size - CONSOLE_BYTES : 0;
	got = pread(fd, fl_str_reserve(text, CONSOLE_BYTES), CONSOLE_BYTES, at);
	text->len += got > 0 ? (size_t)got : 0;
}

static fl_json *last_lines(const struct fl_str *text)
{
	fl_json *lines = fl_json_new_array();
	const char *end = text->data + text->len, *at = end;
	size_t count = 0;

	while (at > text->data && count <= CONSOLE_LINES)
		count += *--at == '\n';
	for (const char *line = at; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline ? newline : end;
		size_t size = strnlen(line, (size_t)(stop - line));

		while (size && line[size - 1] == '\r')
			size--;
		if (size) {
			fl_cleanup_free char *one = fl_strndup(line, size);

			fl_json_add(lines, fl_json_new_text(one));
		}
		line = stop + 1;
	}
	return lines;
}

static void add_console(fl_json *answer, const struct fl_vm *vm, const fl_json *record)
{
	const char *name = fl_json_text(fl_json_at(record, "host.vmm.launch.console"));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (name && !strchr(name, '/'))
		read_end(vm, name, &text);
	if (text.len)
		fl_json_set(answer, "console", last_lines(&text));
}

static fl_json *explain(const struct fl_vm *vm, const fl_json *record)
{
	fl_json *answer = fl_json_new_object();

	fl_json_set(answer, "uid", fl_json_new_text(vm->uid));
	copy(answer, "state", record, "status.state");
	copy(answer, "vmm_state", record, "host.vmm.state");
	copy(answer, "desired", record, "host.desired");
	copy(answer, "step", record, "host.error.step");
	copy(answer, "kind", record, "host.error.kind");
	copy(answer, "last_exit", record, "host.vmm.exit");
	copy(answer, "created_at", record, "spec.created_at");
	copy(answer, "updated_at", record, "spec.updated_at");
	copy(answer, "restarts", record, "host.vmm.restarts");
	copy(answer, "reboots", record, "host.vmm.reboots");
	copy(answer, "retries", record, "status.retry");
	add_reason(answer, vm, record);
	add_console(answer, vm, record);
	return answer;
}

void fl_host_explain(struct fl_call *call)
{
	struct fl_server *server = fl_call_server(call);
	fl_cleanup_json fl_json *request = fl_call_request(call);
	struct fl_index_entry *entry = request ? fl_host_find(call, request, FL_VERB_READ) : NULL;
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL, *answer = NULL;
	struct fl_err err = { 0 };

	if (!entry)
		return;
	if (fl_vm_open(&server->state, entry->name_space, entry->name, entry->uid, &vm, &err) == 0)
		record = fl_vm_load(&vm, &err);
	if (!record) {
		fl_call_fail_err(call, &err);
		return;
	}
	answer = explain(&vm, record);
	fl_call_send_json(call, answer);
	fl_call_finish(call);
}
