/* SPDX-License-Identifier: MPL-2.0 */
#include "common/completion.h"

#include "common/alloc.h"
#include "common/help.h"

#include <string.h>

/* What names microVMs: quick, and silent where there are none to list. */
#define LIST_VMS "fl-run ls 2>/dev/null | awk 'NR > 1 { print $1 \"/\" $2 }'"

static void add_words(const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++)
		fl_str_addf(out, " --%s", options->name);
}

static void add_commands(const struct fl_program *program, struct fl_str *out)
{
	for (const struct fl_command *command = program->commands; command->name; command++)
		fl_str_addf(out, " %s", command->name);
	for (const char *const *word = program->others; word && *word; word++)
		fl_str_addf(out, " %s", *word);
}

/* A shell's pattern for the words that another program takes. */
static void add_pattern(const struct fl_program *program, struct fl_str *out)
{
	for (const char *const *word = program->others; *word; word++)
		fl_str_addf(out, "%s%s", word == program->others ? "" : "|", *word);
}

/* Of "create NAME|ls|N" what is typed as it stands: "create ls". */
static void add_literals(const char *text, struct fl_str *out)
{
	static const char small[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *separator = "";

	while (text && *text) {
		size_t word = strcspn(text, "| ");

		if (word && strspn(text, small) == word) {
			fl_str_addf(out, "%s%.*s", separator, (int)word, text);
			separator = " ";
		}
		text += strcspn(text, "|");
		text += *text == '|';
	}
}

static bool takes_vms(const struct fl_command *command)
{
	return strstr(command->operands, "NAMESPACE/NAME") != NULL;
}

/* Behind an option with a value: the words that there are for it; without any, the shell's files. */
static void add_bash_values(const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++) {
		if (!options->value)
			continue;
		fl_str_addf(out, "\t\t--%s", options->name);
		if (options->letter)
			fl_str_addf(out, "|-%c", options->letter);
		fl_str_add(out, ") operands=\"");
		add_literals(options->value, out);
		fl_str_add(out, "\" vms= ;;\n");
	}
}

/* The first command is meant where none is named. */
static void add_bash_command(const struct fl_program *program, const struct fl_command *command,
			     struct fl_str *out)
{
	bool is_first = command == program->commands;

	fl_str_addf(out, "\t%s%s)\n\t\toptions+=\"", command->name, is_first ? "|-*" : "");
	add_words(command->options, out);
	fl_str_addf(out, "\" vms=%s operands=", takes_vms(command) ? "1" : "");
	if (*command->operands) {
		fl_str_add(out, "\"");
		add_literals(command->operands, out);
		fl_str_add(out, "\"");
	} else {
		fl_str_add(out, "$options");
	}
	fl_str_add(out, "\n\t\tcase $prev in\n");
	add_bash_values(command->options, out);
	fl_str_add(out, "\t\tesac ;;\n");
}

static char *function_of(const char *program)
{
	fl_cleanup_str struct fl_str name = FL_STR_INIT;

	fl_str_addf(&name, "_%s", program);
	for (char *c = name.data; *c; c++)
		*c = *c == '-' ? '_' : *c;
	return fl_str_steal(&name);
}

/* Words that another program takes are completed by what that says of itself. */
static void add_bash_others(const struct fl_program *program, struct fl_str *out)
{
	fl_cleanup_free char *function = NULL;

	if (!program->others)
		return;
	function = function_of(program->others_of);
	fl_str_add(out, "\t");
	add_pattern(program, out);
	fl_str_addf(out, ")\n\t\tdeclare -F %s >/dev/null || "
			 "eval \"$(%s --completion bash 2>/dev/null)\"\n"
			 "\t\t! declare -F %s >/dev/null || %s \"$@\"\n\t\treturn ;;\n",
		    function, program->others_of, function, function);
}

static void complete_bash(const struct fl_program *program, struct fl_str *out)
{
	fl_cleanup_free char *function = function_of(program->name);

	fl_str_addf(out, "%s()\n{\n\tlocal command=${COMP_WORDS[1]} options operands= vms= prev=$3 "
			 "words=\"", function);
	add_commands(program, out);
	/* "--name=value" is three words to bash. */
	fl_str_add(out, "\"\n\t[ \"$prev\" != = ] || prev=${COMP_WORDS[COMP_CWORD-2]}\n"
			"\t[ \"$COMP_CWORD\" -gt 1 ] || command=-\n\tCOMPREPLY=()\n\toptions=\"");
	add_words(fl_common_options, out);
	fl_str_add(out, "\"\n\tcase $command in\n");
	add_bash_others(program, out);
	for (const struct fl_command *command = program->commands; command->name; command++)
		add_bash_command(program, command, out);
	fl_str_add(out, "\tesac\n\t[ \"$COMP_CWORD\" -gt 1 ] || operands=$words vms=\n"
			"\tcase $prev in\n");
	add_bash_values(fl_common_options, out);
	fl_str_add(out, "\tesac\n\tif [[ $2 == -* ]]; then\n\t\toperands=$options\n"
			"\telif [ -n \"$vms\" ]; then\n\t\toperands+=\" $(" LIST_VMS ")\"\n\tfi\n"
			"\tmapfile -t COMPREPLY < <(compgen -W \"$operands\" -- \"$2\")\n}\n");
	fl_str_addf(out, "complete -o default -F %s %s\n", function, program->name);
}

/* Between single quotes; what _arguments or _describe would take for its own (special) is escaped. */
static void add_zsh(const char *text, const char *special, struct fl_str *out)
{
	for (; *text; text++)
		if (*text == '\'')
			fl_str_add(out, "'\\''");
		else
			fl_str_addf(out, "%s%c", strchr(special, *text) ? "\\" : "", *text);
}

/* The words that there are, or files. */
static void add_zsh_action(const char *text, struct fl_str *out)
{
	fl_cleanup_str struct fl_str words = FL_STR_INIT;

	add_literals(text, &words);
	if (words.len)
		fl_str_addf(out, ":(%s)", words.data);
	else
		fl_str_add(out, ":_files");
}

static void add_zsh_options(const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++) {
		fl_str_addf(out, " '--%s%s[", options->name, options->value ? "=" : "");
		add_zsh(options->help, "[]\\", out);
		fl_str_add(out, "]");
		if (options->value) {
			fl_str_add(out, ":");
			add_zsh(options->value, ":\\", out);
			add_zsh_action(options->value, out);
		}
		fl_str_add(out, "'");
	}
}

static void add_zsh_commands(const struct fl_program *program, struct fl_str *out)
{
	for (const struct fl_command *command = program->commands; command->name; command++) {
		fl_str_addf(out, " '%s:", command->name);
		add_zsh(command->help, "\\", out);
		fl_str_add(out, "'");
	}
	for (const char *const *word = program->others; word && *word; word++)
		fl_str_addf(out, " '%s'", *word);
}

static void add_zsh_operands(const struct fl_program *program, const struct fl_command *command,
			     struct fl_str *out)
{
	fl_str_add(out, " $common '*:operand");
	if (takes_vms(command))
		fl_str_addf(out, ":_%s_vms", program->name);
	else
		add_zsh_action(command->operands, out);
	fl_str_add(out, "' ;;\n");
}

static void add_zsh_others(const struct fl_program *program, struct fl_str *out)
{
	if (!program->others)
		return;
	fl_str_add(out, "\t");
	add_pattern(program, out);
	fl_str_addf(out, ")\n\t\t(( $+functions[_%s] )) || eval \"$(%s --completion zsh 2>/dev/null)\"\n"
			 "\t\t(( ! $+functions[_%s] )) || _%s \"$@\" ;;\n",
		    program->others_of, program->others_of, program->others_of, program->others_of);
}

static void complete_zsh(const struct fl_program *program, struct fl_str *out)
{
	fl_str_addf(out, "#compdef %s\n_%s_vms()\n{\n\tcompadd \"$@\" -- ${(f)\"$(" LIST_VMS ")\"}\n}\n"
			 "_%s()\n{\n\tlocal -a commands common\n\tcommands=(", program->name,
		    program->name, program->name);
	add_zsh_commands(program, out);
	fl_str_add(out, ")\n\tcommon=(");
	add_zsh_options(fl_common_options, out);
	fl_str_add(out, ")\n\tif (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
			"\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $words[2] in\n");
	add_zsh_others(program, out);
	for (const struct fl_command *command = program->commands; command->name; command++) {
		fl_str_addf(out, "\t%s%s) _arguments", command->name,
			    command == program->commands ? "|-*" : "");
		add_zsh_options(command->options, out);
		add_zsh_operands(program, command, out);
	}
	/* Sourced, or found in fpath and run as the function itself. */
	fl_str_addf(out, "\t*) _arguments $common '*:file:_files' ;;\n\tesac\n}\n"
			 "if [ \"$funcstack[1]\" = _%s ]; then\n\t_%s \"$@\"\nelse\n\tcompdef _%s %s\nfi\n",
		    program->name, program->name, program->name, program->name);
}

static void add_fish_help(const char *text, struct fl_str *out)
{
	fl_str_add(out, " -d '");
	for (; *text; text++)
		fl_str_addf(out, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
	fl_str_add(out, "'\n");
}

static void add_fish_options(const struct fl_program *program, const char *condition,
			     const struct fl_option *options, struct fl_str *out)
{
	for (; options && options->name; options++) {
		fl_cleanup_str struct fl_str words = FL_STR_INIT;

		add_literals(options->value, &words);
		fl_str_addf(out, "complete -c %s%s -l %s", program->name, condition, options->name);
		if (words.len)
			fl_str_addf(out, " -x -a '%s'", words.data);
		else if (options->value)
			fl_str_add(out, " -r");
		add_fish_help(options->help, out);
	}
}

static void add_fish_operands(const struct fl_program *program, const char *condition,
			      const struct fl_command *command, struct fl_str *out)
{
	fl_cleanup_str struct fl_str words = FL_STR_INIT;

	add_literals(command->operands, &words);
	if (words.len)
		fl_str_addf(out, "complete -c %s%s -f -a '%s'\n", program->name, condition, words.data);
	if (takes_vms(command))
		fl_str_addf(out, "complete -c %s%s -f -a \"(fl-run ls 2>/dev/null | string replace -rf "
				 "'^(?!NAMESPACE)(\\S+) +(\\S+).*' '\\$1/\\$2')\"\n",
			    program->name, condition);
}

/* The other program's own completion, asked with its name in place of ours. */
static void add_fish_others(const struct fl_program *program, struct fl_str *out)
{
	if (!program->others)
		return;
	fl_str_addf(out, "complete -c %s -n \"__fish_seen_subcommand_from", program->name);
	for (const char *const *word = program->others; *word; word++)
		fl_str_addf(out, " %s", *word);
	fl_str_addf(out, "\" -f -a \"(complete -C (string replace -r '^\\S+' %s -- (commandline -cp)))\"\n",
		    program->others_of);
	for (const char *const *word = program->others; *word; word++)
		fl_str_addf(out, "complete -c %s -n __fish_use_subcommand -f -a %s\n", program->name, *word);
}

static void complete_fish(const struct fl_program *program, struct fl_str *out)
{
	for (const struct fl_command *command = program->commands; command->name; command++) {
		fl_cleanup_str struct fl_str condition = FL_STR_INIT;

		fl_str_addf(out, "complete -c %s -n __fish_use_subcommand -f -a %s", program->name,
			    command->name);
		add_fish_help(command->help, out);
		fl_str_addf(&condition, " -n \"__fish_seen_subcommand_from %s\"", command->name);
		add_fish_options(program, condition.data, command->options, out);
		add_fish_operands(program, condition.data, command, out);
	}
	add_fish_others(program, out);
	add_fish_options(program, "", fl_common_options, out);
}

int fl_completion_print(const struct fl_program *program, const char *shell, struct fl_err *err)
{
	static const struct {
		const char *shell;
		void (*add)(const struct fl_program *program, struct fl_str *out);
	} shells[] = { { "bash", complete_bash }, { "zsh", complete_zsh }, { "fish", complete_fish } };
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	for (size_t i = 0; i < FL_COUNT(shells); i++)
		if (strcmp(shells[i].shell, shell) == 0)
			shells[i].add(program, &out);
	if (!out.len)
		return fl_err_set(err, FL_ERR_USAGE, "no completion for \"%s\"; known are bash, zsh "
				  "and fish", shell);
	return fl_cli_print(out.data, out.len, err);
}
