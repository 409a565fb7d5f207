#include "cli.h"
#include "out_of_memory.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* The signal handler, which takes no user data, reaches the context and the commands through these two variables. */
static adatom_context *volatile interruptible;
static volatile sig_atomic_t stopped;

/* The same signal may end a program that the output is piped to. SIGPIPE is ignored then, so that writing to that
 * program does not end this one before its checkpoint is kept. */
static void on_signal(int number) {
    (void)number;
    signal(SIGPIPE, SIG_IGN);
    stopped = 1;
    if (interruptible) adatom_context_interrupt(interruptible); /* for calls that have no progress callback */
}

/* Catches Ctrl-C, SIGTERM and hang-ups. A second Ctrl-C or SIGTERM finds the default action again and ends the program
 * at once. A hang-up may come twice (from the shell and from the system), and is caught each time; nohup's wish to
 * ignore hang-ups is kept. */
static void catch_signals(void) {
    const struct sigaction once = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND},
                           always = {.sa_handler = on_signal};
    struct sigaction hangup;
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGTERM, &once, NULL);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &always, NULL);
}

static void on_log(void *user, adatom_log_level level, const char *text) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    struct cli *cli = user;
    adatom_log_level most = cli->verbose ? ADATOM_LOG_DEBUG : cli->quiet ? ADATOM_LOG_ERROR : ADATOM_LOG_WARNING;
    if (level > most) return;
    progress_clear(&cli->progress);
    fprintf(stderr, "%s: %s\n", names[level], text);
}

static void usage(FILE *out) {
    fprintf(out, "usage: adatom COMMAND [options]\n\nFew-shot adaptation of decomposed convolutional networks on "
                 "Vulkan devices and CPUs.\n\n");
    for (const cli_command *c = cli_commands; c->name; c++) fprintf(out, "  %-10s %s\n", c->name, c->summary);
    fprintf(out, "\n'adatom COMMAND --help' lists a command's options.\n");
}

static adatom_status dispatch(struct cli *cli, int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word) {
        usage(stderr);
        return cli_fail(cli, ADATOM_USAGE, "a command is missing");
    }
    size_t count = 0;
    for (const cli_command *c = cli_commands; c->name; c++, count++)
        if (strcmp(word, c->name) == 0) return c->run(cli, argc - 2, argv + 2);
    if (word[0] == '-' || strcmp(word, "help") == 0) {
        common_options common = {0};
        arg_group groups[] = {common_group(&common)};
        arg_spec spec = {.command = "", .summary = "", .groups = groups, .group_count = 1};
        char help[] = "--help", *help_argv[] = {help};
        bool asked = strcmp(word, "help") == 0;
        switch (
            args_parse(&spec, asked ? 1 : argc - 1, asked ? help_argv : argv + 1, cli->message, sizeof cli->message)) {
        case ARGS_HELP: usage(stdout); return ADATOM_OK;
        case ARGS_VERSION: cli_print_version(); return ADATOM_OK;
        case ARGS_LIST_DEVICES: return cli_print_devices(cli, "table", NULL);
        case ARGS_ERROR: return ADATOM_USAGE;
        case ARGS_RUN: return cli_fail(cli, ADATOM_USAGE, "a command is missing; 'adatom --help' lists them");
        }
    }
    const char *close = args_nearest(word, &cli_commands[0].name, count, sizeof cli_commands[0]);
    if (close) return cli_fail(cli, ADATOM_USAGE, "unknown command '%s'; did you mean '%s'?", word, close);
    return cli_fail(cli, ADATOM_USAGE, "unknown command '%s'; 'adatom --help' lists the commands", word);
}

int main(int argc, char **argv) {
    struct cli cli = {.stopped = &stopped};
    adatom_context_params params = {.size = sizeof params, .log = on_log, .user = &cli};
    memory_watch();
    progress_init(&cli.progress, false);
    adatom_status status = adatom_context_create(&params, &cli.ctx);
    if (status == ADATOM_OK) {
        interruptible = cli.ctx;
        catch_signals();
        status = dispatch(&cli, argc, argv);
        if (status == ADATOM_OK && (fflush(stdout) != 0 || ferror(stdout)))
            status = cli_fail(&cli, ADATOM_IO, "cannot write to standard output");
    }
    progress_clear(&cli.progress);
    if (status != ADATOM_OK) {
        const char *message = cli.message[0] ? cli.message : adatom_context_message(cli.ctx);
        char shown[2 * sizeof cli.message];
        adatom_printable(message[0] ? message : adatom_status_text(status), shown, sizeof shown);
        fprintf(stderr, "adatom: %s\n", shown);
    }
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    interruptible = NULL;
    adatom_context_destroy(&cli.ctx);
    if (status == ADATOM_DEVICE_LOST) { /* its driver's threads may still be at work: what ends with exit() is theirs */
        fflush(NULL);
        _exit(adatom_status_exit_code(status));
    }
    return adatom_status_exit_code(status);
}
