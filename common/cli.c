/* SPDX-License-Identifier: MPL-2.0 */
/* From argv to a command, and its last word. */
#include "common/cli.h"

#include "common/alike.h"
#include "common/alloc.h"
#include "common/colour.h"
#include "common/completion.h"
#include "common/help.h"
#include "common/io.h"
#include "common/log.h"
#include "common/num.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const struct fl_option fl_common_options[] = {
	{ "state-dir", 0, "DIR", "where the state is kept (FL_STATE_DIR; /var/lib/flintlock)" },
	{ "json", 0, NULL, "print results as JSON, one document per line" },
	{ "quiet", 'q', NULL, "no progress, no remarks" },
	{ "verbose", 'v', NULL, "say what is done" },
	{ "help", 'h', NULL, "say how it is used" },
	{ "version", 0, NULL, "say which version it is" },
	{ "completion", 0, "bash|zsh|fish", "print the completion for that shell" },
	{ 0 },
};

static const struct fl_option *find_in(const struct fl_option *options, const char *name,
				       size_t len, char letter)
{
	for (; options && options->name; options++)
		if (letter ? options->letter == letter
			   : strncmp(options->name, name, len) == 0 && !options->name[len])
			return options;
	return NULL;
}

static const struct fl_option *find(const struct fl_args *args, const char *name, size_t len,
				    char letter)
{
	const struct fl_option *option = find_in(args->command->options, name, len, letter);

	return option ? option : find_in(fl_common_options, name, len, letter);
}

static int usage(const struct fl_args *args, struct fl_err *err, const char *fmt, const char *what)
{
	fl_cleanup_free char *text = fl_asprintf(fmt, what);

	return fl_err_set(err, FL_ERR_USAGE, "%s; see \"%s %s --help\"", text,
			  args->program->name, args->command->name);
}

static void keep(struct fl_args *args, const struct fl_option *option, const char *value)
{
	FL_VEC_ADD(&args->values, (struct fl_arg_value){ option, value, NULL });
}

static bool is_truth(const char *text)
{
	return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static void try_options(struct fl_alike *alike, const struct fl_option *options)
{
	for (; options && options->name; options++)
		fl_alike_try(alike, options->name);
}

static int unknown_option(const struct fl_args *args, const char *text, struct fl_err *err)
{
	fl_cleanup_free char *name = fl_strndup(text + 2, strcspn(text + 2, "="));
	struct fl_alike alike = { .written = name };

	try_options(&alike, args->command->options);
	try_options(&alike, fl_common_options);
	if (!alike.nearest)
		return usage(args, err, "unknown option \"%s\"", text);
	return fl_err_set(err, FL_ERR_USAGE, "unknown option \"%s\"; did you mean --%s? See \"%s %s --help\"",
			  text, alike.nearest, args->program->name, args->command->name);
}

/* --name, --name=value, --name value. Moves *i past a value of its own. */
static int parse_long(struct fl_args *args, int argc, char **argv, int *i, struct fl_err *err)
{
	const char *name = argv[*i] + 2, *equals = strchrnul(name, '=');
	const struct fl_option *option = find(args, name, (size_t)(equals - name), 0);

	if (!option)
		return unknown_option(args, argv[*i], err);
	if (!option->value && *equals && !is_truth(equals + 1))
		return usage(args, err, "option \"--%s\" takes no value", option->name);
	if (!option->value || *equals) {
		keep(args, option, *equals ? equals + 1 : "");
		return 0;
	}
	if (++*i >= argc)
		return usage(args, err, "option \"--%s\" needs a value", option->name);
	keep(args, option, argv[*i]);
	return 0;
}

/* -a, -ab, -s VALUE, -sVALUE. */
static int parse_short(struct fl_args *args, int argc, char **argv, int *i, struct fl_err *err)
{
	for (const char *letter = argv[*i] + 1; *letter; letter++) {
		const struct fl_option *option = find(args, "", 0, *letter);

		if (!option)
			return usage(args, err, "unknown option \"%s\"", argv[*i]);
		if (!option->value) {
			keep(args, option, "");
			continue;
		}
		if (letter[1]) {
			keep(args, option, letter + 1);
			return 0;
		}
		if (++*i >= argc)
			return usage(args, err, "option \"--%s\" needs a value", option->name);
		keep(args, option, argv[*i]);
		return 0;
	}
	return 0;
}

/* True when it ends the options. */
static bool keep_operand(struct fl_args *args, char *operand)
{
	FL_VEC_ADD(&args->operands, operand);
	return args->command->ends_options;
}

static int parse(struct fl_args *args, int argc, char **argv, struct fl_err *err)
{
	bool only_operands = false;

	for (int i = 0; i < argc; i++) {
		int rc = 0;

		if (only_operands || argv[i][0] != '-' || !argv[i][1])
			only_operands |= keep_operand(args, argv[i]);
		else if (strcmp(argv[i], "--") == 0)
			only_operands = true;
		else if (argv[i][1] == '-')
			rc = parse_long(args, argc, argv, &i, err);
		else
			rc = parse_short(args, argc, argv, &i, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int check_operands(const struct fl_args *args, struct fl_err *err)
{
	int count = (int)args->operands.count;

	if (count < args->command->min)
		return usage(args, err, "operands are missing: %s", args->command->operands);
	if (args->command->max >= 0 && count > args->command->max)
		return usage(args, err, "too many operands, from \"%s\" on",
			     args->operands.items[args->command->max]);
	return 0;
}

const char *fl_args_each(const struct fl_args *args, const char *name, size_t index)
{
	for (size_t i = 0; i < args->values.count; i++)
		if (strcmp(args->values.items[i].option->name, name) == 0 && index-- == 0)
			return args->values.items[i].value;
	return NULL;
}

const char *fl_args_text(const struct fl_args *args, const char *name, const char *otherwise)
{
	for (size_t i = args->values.count; i > 0; i--)
		if (strcmp(args->values.items[i - 1].option->name, name) == 0)
			return args->values.items[i - 1].value;
	return otherwise;
}

bool fl_args_flag(const struct fl_args *args, const char *name)
{
	const char *value = fl_args_text(args, name, NULL);

	return value && strcmp(value, "false") != 0;
}

int fl_args_default(struct fl_args *args, const char *name, const char *value, const char *source,
		    struct fl_err *err)
{
	const struct fl_option *option = find(args, name, strlen(name), 0);

	if (!option)
		return fl_err_set(err, FL_ERR_INVALID, "%s: %s: there is no such setting", source, name);
	if (!option->value && !is_truth(value))
		return fl_err_set(err, FL_ERR_INVALID, "%s: %s: true or false belongs here, not \"%s\"",
				  source, name, value);
	if (!fl_args_text(args, name, NULL))
		FL_VEC_ADD(&args->values, (struct fl_arg_value){ option, value, source });
	return 0;
}

static int of_option(const struct fl_args *args, const char *name, struct fl_err *err)
{
	const char *source = NULL;

	for (size_t i = 0; i < args->values.count; i++)
		if (strcmp(args->values.items[i].option->name, name) == 0)
			source = args->values.items[i].source;
	if (source)
		return fl_err_prefix(err, "%s: %s", source, name);
	if (err)
		err->kind = FL_ERR_USAGE;
	return fl_err_prefix(err, "option --%s", name);
}

int fl_args_number(const struct fl_args *args, const char *name, uint64_t min, uint64_t max,
		   uint64_t otherwise, uint64_t *value, struct fl_err *err)
{
	const char *text = fl_args_text(args, name, NULL);

	*value = otherwise;
	return text && fl_num_u64(text, min, max, value, err) < 0 ? of_option(args, name, err) : 0;
}

int fl_args_size(const struct fl_args *args, const char *name, uint64_t otherwise,
		 uint64_t *bytes, struct fl_err *err)
{
	const char *text = fl_args_text(args, name, NULL);

	*bytes = otherwise;
	return text && fl_num_size(text, 1, INT64_MAX, bytes, err) < 0 ? of_option(args, name, err) : 0;
}

int fl_args_duration(const struct fl_args *args, const char *name, uint64_t otherwise_ms,
		     uint64_t *ms, struct fl_err *err)
{
	const char *text = fl_args_text(args, name, NULL);

	*ms = otherwise_ms;
	return text && fl_num_duration(text, ms, err) < 0 ? of_option(args, name, err) : 0;
}

const char *fl_args_state_dir(const struct fl_args *args)
{
	const char *set = getenv("FL_STATE_DIR");

	return fl_args_text(args, "state-dir", set && *set ? set : "/var/lib/flintlock");
}

int fl_args_state(const struct fl_args *args, bool make, struct fl_state *state,
		  struct fl_err *err)
{
	return fl_state_open(state, fl_args_state_dir(args), make, err);
}

int fl_cli_print(const char *text, size_t size, struct fl_err *err)
{
	if (fl_io_write(STDOUT_FILENO, text, size, "standard output", err) == 0)
		return 0;
	return errno == EPIPE ? fl_cli_lost_reader(err) : -1;
}

/* As good as a signal to stop, and nobody is left to tell. */
int fl_cli_lost_reader(struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INTERRUPTED, "nobody reads standard output");
}

int fl_cli_wait(int fd, struct fl_err *err)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
				{ .fd = fl_cancel_signal_fd(), .events = POLLIN },
				{ .fd = STDOUT_FILENO } };

	for (;;) {
		if (fl_cancel_check(NULL, err) < 0)
			return -1;
		if (poll(fds, FL_COUNT(fds), -1) < 0 && errno != EINTR)
			return fl_err_errno(err, errno, "poll");
		if (fds[2].revents & (POLLERR | POLLHUP))
			return fl_cli_lost_reader(err);
		if (fds[0].revents)
			return 0;
	}
}

int fl_cli_print_json(const fl_json *value, struct fl_err *err)
{
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	fl_json_print(value, false, &line);
	fl_str_add(&line, "\n");
	return fl_cli_print(line.data, line.len, err);
}

bool fl_cli_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

bool fl_cli_shows_progress(const struct fl_args *args)
{
	return isatty(STDERR_FILENO) && !fl_args_flag(args, "quiet");
}

static void print_log(void *arg, enum fl_log_level level, const char *line)
{
	static const char *const words[] = { "error: ", "warning: ", "", "" };
	static const enum fl_colour colours[] = { FL_COLOUR_RED, FL_COLOUR_YELLOW, FL_COLOUR_NONE,
						  FL_COLOUR_NONE };
	fl_cleanup_str struct fl_str word = FL_STR_INIT;

	fl_colour_add(&word, fl_colour_is_wanted(STDERR_FILENO) ? colours[level] : FL_COLOUR_NONE,
		      words[level]);
	fprintf(stderr, "%s: %s%s\n", (const char *)arg, word.data, line);
}

static const struct fl_command *find_command(const struct fl_program *program, const char *name)
{
	for (const struct fl_command *command = program->commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

/* The command meant, and where its own arguments start. */
static const struct fl_command *choose(const struct fl_program *program, int argc, char **argv,
				       int *first)
{
	const struct fl_command *command = argc > 1 ? find_command(program, argv[1]) : NULL;

	*first = command ? 2 : 1;
	return command ? command : program->commands;
}

/* A command's own option may have the name of a common one, and goes before it. */
static bool is_asked(const struct fl_args *args, const char *name)
{
	return !find_in(args->command->options, name, strlen(name), 0) && fl_args_flag(args, name);
}

static int run(struct fl_args *args, bool named, int argc, char **argv, struct fl_err *err)
{
	enum fl_log_level level;
	const char *shell;

	if (parse(args, argc, argv, err) < 0)
		return -1;
	if (fl_args_flag(args, "help"))
		return fl_help_print(args->program, named ? args->command : NULL, err);
	if (is_asked(args, "version"))
		return fl_help_print_version(args->program, err);
	shell = fl_args_text(args, "completion", NULL);
	if (shell)
		return fl_completion_print(args->program, shell, err);
	level = fl_args_flag(args, "quiet")     ? FL_LOG_WARN
		: fl_args_flag(args, "verbose") ? FL_LOG_DEBUG
						: FL_LOG_INFO;
	fl_log_set_sink(print_log, (void *)args->program->name, level);
	if (check_operands(args, err) < 0)
		return -1;
	fl_cancel_catch_signals();
	return args->command->run(args, err);
}

static const char *near_command(const struct fl_program *program, const char *word)
{
	struct fl_alike alike = { .written = word };

	for (const struct fl_synonym *one = program->synonyms; one && one->word; one++)
		if (strcmp(one->word, word) == 0)
			return one->command;
	for (const struct fl_command *command = program->commands; command->name; command++)
		fl_alike_try(&alike, command->name);
	for (const char *const *name = program->others; name && *name; name++)
		fl_alike_try(&alike, *name);
	return alike.nearest;
}

static int refuse_word(const struct fl_program *program, const char *word, const char *what,
		       const char *meant, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is %s; %s%s%s\"%s --help\" lists them", word, what,
			  meant ? "did you mean " : "", meant ? meant : "", meant ? "? " : "",
			  program->name);
}

int fl_cli_no_command(const struct fl_program *program, const char *word, const char *what,
		      struct fl_err *err)
{
	return refuse_word(program, word, what, near_command(program, word), err);
}

/* Before anything is printed: a record that says no more than this would go down a pipe. */
static int no_file(const struct fl_program *program, const char *word, struct fl_err *err)
{
	fl_cleanup_free char *guess =
		program->guess ? fl_asprintf("\"%s %s %s\"", program->name, program->guess, word) : NULL;

	return refuse_word(program, word, "neither a command nor a file", guess, err);
}

/* A first word that is no command: a typing error, unless the program's default command
 * takes operands of that kind. One with a dot or a slash was meant for a file, but for the names of
 * images, which have colons. */
static int check_word(const struct fl_program *program, const char *word, struct fl_err *err)
{
	const struct fl_command *first = program->commands;
	bool takes_files = fl_str_equal(first->operands, "[FILE…]");
	bool is_file = access(word, F_OK) == 0 ||
		       (strpbrk(word, "./") && !(takes_files && strchr(word, ':')));
	bool is_near = !is_file && near_command(program, word);

	if (word[0] == '-' || (first->max != 0 && (is_file || (!takes_files && !is_near))))
		return 0;
	return takes_files && !is_near
		       ? no_file(program, word, err)
		       : fl_cli_no_command(program, word, "no command of this program", err);
}

static int last_word(const struct fl_program *program, struct fl_err *err)
{
	fl_log_tame(err->text, "\t\n");
	if (err->kind == FL_ERR_INTERRUPTED && !fl_cancel_signal())
		return 128 + SIGPIPE;
	/* Empty: it was told by another. */
	if (*err->text)
		fprintf(stderr, "%s: %s\n", program->name, err->text);
	if (err->kind == FL_ERR_INTERRUPTED && fl_cancel_signal())
		return 128 + fl_cancel_signal();
	return fl_err_exit_status(err->kind);
}

static int run_main(const struct fl_program *program, int argc, char **argv)
{
	struct fl_args args = { .program = program };
	struct fl_err err = { 0 };
	int first, rc;

	args.command = choose(program, argc, argv, &first);
	rc = first == 1 && argc > 1 && program->other && argv[1][0] != '-'
		     ? program->other(program, argc, argv, &err)
		     : 0;
	if (rc == 0 && first == 1 && argc > 1)
		rc = check_word(program, argv[1], &err);
	if (rc == 0)
		rc = run(&args, first == 2, argc - first, argv + first, &err);
	free(args.values.items);
	free(args.operands.items);
	return rc < 0 ? last_word(program, &err) : args.exit_status;
}

/* Where whoever started us closed one of the first three, the next file would take its place, and
 * remarks would be written into it. What stands there instead fails as a closed one does. */
static void fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", fcntl(STDIN_FILENO, F_GETFD) < 0 ? O_WRONLY : O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int fl_cli_main(const struct fl_program *program, int argc, char **argv)
{
	static char help[] = "--help";
	char *asked[] = { argv[0], argc > 2 ? argv[2] : help, argc > 2 ? help : NULL, NULL };

	fill_standard();
	/* It would wait for a spec, and who typed no more for it. */
	if (argc == 1 && isatty(STDIN_FILENO) && strcmp(program->commands->name, "up") == 0)
		return run_main(program, 2, (char *[]){ argv[0], help, NULL });
	if (argc < 2 || strcmp(argv[1], "help") != 0 || find_command(program, "help"))
		return run_main(program, argc, argv);
	return run_main(program, argc > 2 ? 3 : 2, asked);
}
