/* Manual pages in mdoc(7), from the tables that --help is made of. */
#include "build_commit.h"
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

static size_t put_word(const char *word, size_t length, bool first) {
    size_t bytes = 0;
    if (first && (*word == '.' || *word == '\'')) bytes += (size_t)printf("\\&"); /* else a macro's line */
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '\\')
            bytes += (size_t)printf("\\e");
        else
            bytes += putchar(word[i]) != EOF;
    }
    return bytes;
}

/* Text as lines of up to 78 bytes. A sentence begins a line: mdoc puts the wider space there. */
static void put_text(const char *text) {
    enum { WIDTH = 78 };
    size_t column = 0;
    bool sentence_ended = false;
    while (*text) {
        const size_t length = strcspn(text, " \n");
        if (column > 0 && (column + 1 + length > WIDTH || (sentence_ended && isupper((unsigned char)*text)))) {
            putchar('\n');
            column = 0;
        }
        if (column > 0) column += putchar(' ') != EOF;
        if (length > 0) column += put_word(text, length, column == 0);
        sentence_ended = length > 0 && text[length - 1] == '.';
        text += length;
        if (text[0] == '\n' && text[1] == '\n') {
            printf("%s.Pp\n", column ? "\n" : "");
            column = 0;
        }
        while (*text == ' ' || *text == '\n') text++;
    }
    if (column > 0) putchar('\n');
}

static void begin(const char *page, const char *name, const char *summary) {
    char upper[64];
    size_t length = 0;
    for (; page[length] && length < sizeof upper - 1; length++)
        upper[length] = (char)toupper((unsigned char)page[length]);
    upper[length] = 0;
    const int month = atoi(ADATOM_BUILD_DATE + 5); /* YYYY-MM-DD */
    printf(".Dd %s %d, %.4s\n.Dt %s 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", months[month - 1], atoi(ADATOM_BUILD_DATE + 8),
           ADATOM_BUILD_DATE, upper, page);
    printf("%c%s\n.Sh SYNOPSIS\n.Nm %s\n", tolower((unsigned char)summary[0]), summary + 1, name);
}

static void end(const char *others) {
    puts(".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n.It 0\nSuccess.\n.It 1\nIt failed.\n.It 2\nThe command line is "
         "wrong.\n.It 3\nThere is no usable device, or it lacks what is needed.\n.It 4\nData are bad or missing.\n.It "
         "5\nA "
         "check failed.\n.It 130\nIt was interrupted, and a checkpoint is kept where the command keeps one.\n.El");
    printf(".Sh SEE ALSO\n%s", others);
}

static void put_option(const arg_option *option) {
    const char *flag = option->type == ARG_FLAG ? "-[no-]" : "-";
    fputs(".It ", stdout);
    if (option->letter) printf("Fl %c , ", option->letter);
    printf("Fl %s%s", flag, option->name);
    if (option->value) printf(" Ar %s", option->value);
    putchar('\n');
    put_text(option->help);
    if (option->choices) {
        fputs(".br\nPossible values:", stdout);
        for (size_t i = 0; option->choices[i]; i++) printf("%s\n.Cm %s", i ? " ," : "", option->choices[i]);
        puts(" .");
    }
    if (option->initial && option->type != ARG_FLAG)
        printf("%sThe default is\n.Cm %s .\n", option->choices ? "" : ".br\n", option->initial);
}

static void put_page(const arg_spec *spec, void *user) {
    const cli_command *command = user;
    char page[64], name[64];
    snprintf(page, sizeof page, "adatom-%s", spec->command);
    snprintf(name, sizeof name, "adatom %s", spec->command);
    begin(page, name, command->summary);
    for (size_t i = 0; i < spec->positional_count; i++) printf(".Ar %s\n", spec->positionals[i].name);
    if (spec->rest_name) printf(".Ar %s ...\n", spec->rest_name);
    for (size_t g = 0; g < spec->group_count; g++)
        for (size_t i = 0; i < spec->groups[g].count; i++)
            if (spec->groups[g].options[i].required)
                printf(".Fl -%s Ar %s\n", spec->groups[g].options[i].name, spec->groups[g].options[i].value);
    puts(".Op Ar options\n.Sh DESCRIPTION");
    put_text(spec->summary);
    if (spec->positional_count || spec->rest_name) puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < spec->positional_count; i++) {
        printf(".It Ar %s\n", spec->positionals[i].name);
        put_text(spec->positionals[i].help);
    }
    if (spec->rest_name) {
        printf(".It Ar %s ...\n", spec->rest_name);
        put_text(spec->rest_help);
    }
    if (spec->positional_count || spec->rest_name) puts(".El");
    if (spec->notes) {
        puts(".Pp");
        put_text(spec->notes);
    }
    puts(".Sh OPTIONS");
    for (size_t g = 0; g < spec->group_count; g++) {
        printf(".Ss %s\n.Bl -tag -width Ds\n", spec->groups[g].title);
        for (size_t i = 0; i < spec->groups[g].count; i++)
            if (!spec->groups[g].options[i].renamed) put_option(&spec->groups[g].options[i]);
        puts(".El");
    }
    end(".Xr adatom 1\n");
}

static void put_program(void) {
    begin("adatom", "adatom", "Few-shot adaptation of convolutional networks on Vulkan devices and CPUs");
    puts(".Ar command\n.Op Ar options\n.Sh DESCRIPTION");
    put_text("A network whose kernels are composed of a few atoms with shared coefficients is trained once on many "
             "classes. For new classes with a handful of pictures each, only the atoms and a classifier adapt. The "
             "commands are:");
    puts(".Bl -tag -width completion");
    for (const cli_command *c = cli_commands; c->name; c++) {
        printf(".It Cm %s\n", c->name);
        put_text(c->summary);
    }
    puts(
        ".El\n.Pp\nResults go to standard output, everything else to standard error.\n.Sh ENVIRONMENT\n.Bl -tag -width "
        "Ds\n.It Ev ADATOM_CACHE_DIR\nThe folder for compiled pipelines and decoded pictures, in place of\n.Pa "
        "~/.cache/adatom .\n.It Ev NO_COLOR\nNo colours.\n.El");
    char others[64 * MOST_COMMANDS] = "", *names[MOST_COMMANDS];
    size_t count = 0, used = 0;
    for (const cli_command *c = cli_commands; c->name; c++) { /* in the order of the alphabet */
        size_t at = count++;
        for (; at > 0 && strcmp(names[at - 1], c->name) > 0; at--) names[at] = names[at - 1];
        names[at] = (char *)(uintptr_t)c->name;
    }
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(others + used, sizeof others - used, ".Xr adatom-%s 1%s\n", names[i],
                                 i + 1 < count ? " ," : "");
    end(others);
}

adatom_status cmd_manual(struct cli *cli, int argc, char **argv) {
    common_options common;
    const char *choices[MOST_COMMANDS + 2] = {"adatom"}, *name = NULL;
    for (size_t i = 0; cli_commands[i].name && i < MOST_COMMANDS; i++) choices[i + 1] = cli_commands[i].name;
    arg_positional positionals[] = {{"COMMAND", "a command, or adatom for the program itself", choices, &name}};
    arg_group groups[] = {common_group(&common)};
    arg_spec spec = {.command = "manual",
                     .summary = "Prints the manual page of a command: 'adatom manual adapt | man -l -'.",
                     .positionals = positionals,
                     .positional_count = COUNT(positionals),
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    const adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) return status;
    const cli_command *command = cli_commands;
    while (command->name && strcmp(command->name, name) != 0) command++;
    if (command->name)
        cli_describe(cli, command, put_page, (void *)(uintptr_t)command);
    else
        put_program();
    return ADATOM_OK;
}
