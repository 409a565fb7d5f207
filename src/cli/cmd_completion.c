/* Completions for bash, zsh and fish, from the tables that --help is made of. */
#include "cli.h"

#include <string.h>

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

/* Whether a value is a file or folder, by its name in --help. */
static bool is_path(const arg_option *option) {
    return option->value && (strstr(option->value, "FILE") || strstr(option->value, "DIR") ||
                             strcmp(option->value, "DATA") == 0 || strcmp(option->value, "MODEL") == 0);
}

static bool is_list(const arg_option *option) { return option->type == ARG_CHOICES; }

/* Text in single quotes, up to the first of `ends`; `drop`: characters that the shell would read as its own there. */
static void put_quoted(const char *text, const char *drop) {
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(strchr(drop, *text) ? ' ' : *text);
    }
    putchar('\'');
}

static void put_choices(const char *const *choices, const char *between) {
    for (size_t i = 0; choices[i]; i++) printf("%s%s", i ? between : "", choices[i]);
}

/* Calls put(option) for every option of a spec. */
static void each_option(const arg_spec *spec, void (*put)(const arg_spec *spec, const arg_option *option)) {
    for (size_t g = 0; g < spec->group_count; g++)
        for (size_t i = 0; i < spec->groups[g].count; i++)
            if (!spec->groups[g].options[i].renamed) put(spec, &spec->groups[g].options[i]);
}

static void put_bash_name(const arg_spec *spec, const arg_option *option) {
    (void)spec;
    printf(" --%s", option->name);
    if (option->type == ARG_FLAG) printf(" --no-%s", option->name);
    if (option->letter) printf(" -%c", option->letter);
}

static void put_bash_value(const arg_spec *spec, const arg_option *option) {
    if (option->type == ARG_FLAG || option->type == ARG_ACTION) return;
    printf("        %s\\ --%s", spec->command, option->name);
    if (option->letter) printf(" | %s\\ -%c", spec->command, option->letter);
    fputs(") ", stdout);
    if (option->choices) {
        printf("%s=\"", is_list(option) ? "list" : "values");
        put_choices(option->choices, " ");
        puts("\" ;;");
    } else {
        puts(is_path(option) ? "files=yes ;;" : "values=\" \" ;;");
    }
}

static void put_bash_command(const arg_spec *spec, void *user) {
    const int *part = user;
    if (*part == 0) {
        printf("        %s) options=\"", spec->command);
        each_option(spec, put_bash_name);
        puts("\" ;;");
    } else if (*part == 1) {
        each_option(spec, put_bash_value);
    } else if (spec->positional_count && spec->positionals[0].choices) {
        printf("        %s) words=\"", spec->command);
        put_choices(spec->positionals[0].choices, " ");
        puts("\" ;;");
    }
}

static void describe_all(struct cli *cli, void (*describe)(const arg_spec *spec, void *user), void *user) {
    for (const cli_command *c = cli_commands; c->name; c++) cli_describe(cli, c, describe, user);
}

static void put_bash(struct cli *cli) {
    int part = 0;
    fputs("# bash completion of adatom: to be kept in share/bash-completion/completions, or read by a shell.\n"
          "_adatom() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
          "    local options= values= list= words= files=\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"",
          stdout);
    for (const cli_command *c = cli_commands; c->name; c++) printf("%s ", c->name);
    puts("help --help --version --list-devices\" -- \"$current\"))\n        return\n    fi\n    case $command in");
    describe_all(cli, put_bash_command, &part);
    puts("    esac\n    case \"$command $before\" in");
    part = 1;
    describe_all(cli, put_bash_command, &part);
    puts("    esac\n    case $command in");
    part = 2;
    describe_all(cli, put_bash_command, &part);
    puts("    esac\n"
         "    if [ -n \"$list\" ]; then # further values behind a comma\n"
         "        local done=${current%\"${current##*,}\"}\n"
         "        COMPREPLY=($(compgen -P \"$done\" -W \"$list\" -- \"${current##*,}\"))\n"
         "    elif [ -n \"$values\" ]; then\n"
         "        COMPREPLY=($(compgen -W \"$values\" -- \"$current\"))\n"
         "    elif [ -z \"$files\" ] && [ \"${current#-}\" != \"$current\" ]; then\n"
         "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "    elif [ -z \"$files\" ] && [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$words\" ]; then\n"
         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "    else\n"
         "        local IFS=$'\\n'\n"
         "        compopt -o filenames 2>/dev/null\n"
         "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "    fi\n"
         "}\n"
         "complete -F _adatom adatom");
}

static void put_zsh_option(const arg_spec *spec, const arg_option *option) {
    (void)spec;
    static const char drop[] = "[]:\\";
    const char *prefixes[] = {"--", option->type == ARG_FLAG ? "--no-" : NULL, option->letter ? "-" : NULL};
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        if (!prefixes[i]) continue;
        char name[64] = {option->letter, 0};
        fputs("            ", stdout);
        char text[2048];
        snprintf(text, sizeof text, "%s", option->help);
        for (char *at = text; *at; at++)
            if (strchr(drop, *at)) *at = ' ';
        char full[4096];
        snprintf(full, sizeof full, "%s%s[%s]", prefixes[i], i == 2 ? name : option->name, text);
        if (option->type != ARG_FLAG && option->type != ARG_ACTION) {
            size_t used = strlen(full);
            used += (size_t)snprintf(full + used, sizeof full - used, ":%s:", option->value ? option->value : " ");
            if (option->choices) {
                used += (size_t)snprintf(full + used, sizeof full - used, is_list(option) ? "_values -s , value" : "(");
                for (size_t c = 0; option->choices[c] && used < sizeof full; c++)
                    used += (size_t)snprintf(full + used, sizeof full - used, "%s%s", is_list(option) || c ? " " : "",
                                             option->choices[c]);
                if (!is_list(option) && used < sizeof full) snprintf(full + used, sizeof full - used, ")");
            } else if (is_path(option)) {
                snprintf(full + used, sizeof full - used, "_files");
            }
        }
        put_quoted(full, "");
        puts(" \\");
    }
}

static void put_zsh_command(const arg_spec *spec, void *user) {
    (void)user;
    printf("        %s) _arguments \\\n", spec->command);
    each_option(spec, put_zsh_option);
    if (spec->positional_count && spec->positionals[0].choices) {
        printf("            '1:%s:(", spec->positionals[0].name);
        put_choices(spec->positionals[0].choices, " ");
        puts(")' \\");
    }
    puts("            '*:file:_files' ;;");
}

static void put_zsh(struct cli *cli) {
    puts("#compdef adatom\n_adatom() {\n    local -a commands\n    commands=(");
    for (const cli_command *c = cli_commands; c->name; c++) {
        char row[256];
        snprintf(row, sizeof row, "%s:%s", c->name, c->summary);
        fputs("        ", stdout);
        put_quoted(row, "");
        putchar('\n');
    }
    puts("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
         "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in");
    describe_all(cli, put_zsh_command, NULL);
    puts("    esac\n}\nif [ \"$funcstack[1]\" = _adatom ]; then _adatom \"$@\"; else compdef _adatom adatom; fi");
}

static void put_fish_option(const arg_spec *spec, const arg_option *option) {
    for (int negated = 0; negated <= (option->type == ARG_FLAG); negated++) {
        printf("complete -c adatom -n '__fish_seen_subcommand_from %s' -l %s%s", spec->command, negated ? "no-" : "",
               option->name);
        if (option->letter && !negated) printf(" -s %c", option->letter);
        fputs(" -d ", stdout);
        put_quoted(option->help, "\\");
        if (option->type != ARG_FLAG && option->type != ARG_ACTION) {
            if (option->choices) {
                fputs(is_list(option) ? " -xa '(__fish_append , " : " -xa '", stdout);
                put_choices(option->choices, " ");
                fputs(is_list(option) ? ")'" : "'", stdout);
            } else {
                fputs(is_path(option) ? " -rF" : " -x", stdout);
            }
        }
        putchar('\n');
    }
}

static void put_fish_command(const arg_spec *spec, void *user) {
    (void)user;
    each_option(spec, put_fish_option);
    if (!spec->positional_count || !spec->positionals[0].choices) return;
    printf("complete -c adatom -n '__fish_seen_subcommand_from %s' -fa '", spec->command);
    put_choices(spec->positionals[0].choices, " ");
    puts("'");
}

static void put_fish(struct cli *cli) {
    puts("# fish completion of adatom");
    for (const cli_command *c = cli_commands; c->name; c++) {
        printf("complete -c adatom -n __fish_use_subcommand -fa %s -d ", c->name);
        put_quoted(c->summary, "\\");
        putchar('\n');
    }
    describe_all(cli, put_fish_command, NULL);
}

adatom_status cmd_completion(struct cli *cli, int argc, char **argv) {
    common_options common;
    const char *shell = NULL;
    arg_positional positionals[] = {{"SHELL", "whose completion", shells, &shell}};
    arg_group groups[] = {common_group(&common)};
    arg_spec spec = {.command = "completion",
                     .summary = "Prints the completion of commands, options and their values: 'eval \"$(adatom "
                                "completion bash)\"', 'adatom completion "
                                "fish | source'. An installation has it already.",
                     .positionals = positionals,
                     .positional_count = COUNT(positionals),
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    const adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) return status;
    if (strcmp(shell, "bash") == 0) put_bash(cli);
    if (strcmp(shell, "zsh") == 0) put_zsh(cli);
    if (strcmp(shell, "fish") == 0) put_fish(cli);
    return ADATOM_OK;
}
