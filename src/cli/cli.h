/* What the commands share: the context, messages, and the option groups that several commands have. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "args.h"
#include "progress.h"
#include <adatom/adatom.h>
#include <adatom/dataset.h>
#include <adatom/device.h>
#include <adatom/features.h>
#include <adatom/model.h>
#include <signal.h>

struct cli {
    adatom_context *ctx;
    const volatile sig_atomic_t *stopped; /* set by a signal that asks the program to end */
    char message[1024];                   /* what went wrong in the program; "": the context has the message, if any */
    bool quiet, verbose;
    progress progress;
    /* Where this is set, cli_parse() hands over the command's options and does nothing else (manuals, completions). */
    void (*describe)(const arg_spec *spec, void *user);
    void *describe_user;
};

/* A command reads its arguments (program and command removed), does its work, and returns the status that main() turns
 * into the exit code. */
typedef struct cli_command {
    const char *name, *summary;
    adatom_status (*run)(struct cli *cli, int argc, char **argv);
} cli_command;

adatom_status cmd_devices(struct cli *cli, int argc, char **argv);
adatom_status cmd_doctor(struct cli *cli, int argc, char **argv);
adatom_status cmd_bench(struct cli *cli, int argc, char **argv);
adatom_status cmd_tune(struct cli *cli, int argc, char **argv);
adatom_status cmd_data(struct cli *cli, int argc, char **argv);
adatom_status cmd_pretrain(struct cli *cli, int argc, char **argv);
adatom_status cmd_metatrain(struct cli *cli, int argc, char **argv);
adatom_status cmd_episodes(struct cli *cli, int argc, char **argv);
adatom_status cmd_reproduce(struct cli *cli, int argc, char **argv);
adatom_status cmd_adapt(struct cli *cli, int argc, char **argv);
adatom_status cmd_classify(struct cli *cli, int argc, char **argv);
adatom_status cmd_import(struct cli *cli, int argc, char **argv);
adatom_status cmd_decompose(struct cli *cli, int argc, char **argv);
adatom_status cmd_round(struct cli *cli, int argc, char **argv);
adatom_status cmd_export(struct cli *cli, int argc, char **argv);
adatom_status cmd_features(struct cli *cli, int argc, char **argv);
adatom_status cmd_inspect(struct cli *cli, int argc, char **argv);
adatom_status cmd_manual(struct cli *cli, int argc, char **argv);
adatom_status cmd_completion(struct cli *cli, int argc, char **argv);
extern const cli_command cli_commands[]; /* ended by a name NULL */
enum { MOST_COMMANDS = 32 };

/* Evaluates a status; on failure leaves through the function's `done:` label, as AD_TRY does in the library. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status != ADATOM_OK) goto done;                                                                            \
    } while (0)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The texts of a list of adatom/choice.h as an option's choices: {ADATOM_..._LIST(CHOICE_TEXT) NULL}. */
#define CHOICE_TEXT(value, text) text,

/* Keeps one sentence as cli->message and returns status. */
adatom_status cli_fail(struct cli *cli, adatom_status status, const char *format, ...) ADATOM_PRINTF(3, 4);
/* Prints a line on stderr, unless --quiet is given. */
void cli_note(struct cli *cli, const char *format, ...) ADATOM_PRINTF(2, 3);
/* An adatom_progress_callback whose user is the struct cli: shows the progress, and ends the call after a signal. */
bool cli_progress(void *cli, const adatom_progress *now);
/* Reads "shift+flip" as flags; USAGE names the part that is not known. */
adatom_status cli_augment(struct cli *cli, const char *text, uint32_t *flags);

/* The options that every command has. */
typedef struct common_options {
    bool quiet, verbose;
} common_options;
arg_group common_group(common_options *values);

typedef struct device_options {
    const char *device, *cache_dir;
    adatom_precision precision;
    uint64_t cache_bytes; /* most bytes of decoded pictures in the cache */
    int threads;
    bool cache, validate;
} device_options;
arg_group device_group(device_options *values);

/* The texts of adatom_layout, adatom_sharing and adatom_interpolation, ended by NULL. The first sharing, "default", is
 * no option's value. */
extern const char *const layout_names[], *const sharing_names[], *const interpolation_names[];

/* Fills out, ended by NULL, with `first` (unless it is NULL) and the architectures that the library knows, as an
 * option's choices. */
enum { MOST_ARCHS = 64 };
void cli_list_archs(const char *first, const char *out[MOST_ARCHS]);

/* The options on how pictures are decoded, for every command that reads pictures. */
typedef struct picture_options {
    const char *background;
    bool allow_truncated;
} picture_options;
arg_group picture_group(picture_options *values);

typedef struct data_options {
    const char *data, *split, *csv;
    uint64_t seed;
    int per_class;
    picture_options pictures; /* belongs to picture_group() */
} data_options;
arg_group data_group(data_options *values);
/* The same without --data, for a command that takes the data as an argument. */
arg_group data_group_positional(data_options *values);

/* Features in place of pictures, for commands that need no more of a network than its features. */
typedef struct feature_options {
    const char *features, *labels;
} feature_options;
arg_group feature_group(feature_options *values);
/* USAGE: --labels without --features, or one of the options that name pictures (texts; NULL: not given) beside it. */
adatom_status cli_check_features(struct cli *cli, const feature_options *options, const char *data, const char *name);
/* model (may be NULL): whose features they should be. */
adatom_status cli_load_features(struct cli *cli, const feature_options *options, const adatom_model *model,
                                adatom_dataset **out);

/* Parses the arguments and checks that the outputs can be written. Prints help, version or the list of devices where
 * asked for; *run is false when the command has nothing more to do. */
adatom_status cli_parse(struct cli *cli, const arg_spec *spec, const common_options *common, int argc, char **argv,
                        bool *run);
/* Hands the options of a command to `describe`. */
void cli_describe(struct cli *cli, const cli_command *command, void (*describe)(const arg_spec *spec, void *user),
                  void *user);
/* Prints the version, and which kinds of pictures this build reads. */
void cli_print_version(void);
/* The cache folder that these options and the environment choose; "": there is none. */
void cli_cache_dir(const device_options *options, char *out, size_t capacity);
/* Opens the device and prints on stderr which it is and why. */
adatom_status cli_open_device(struct cli *cli, const device_options *options, adatom_device **out);
/* The form that pictures are brought to: a model's preprocessing. 0: the library's default. */
typedef struct picture_form {
    int size, resize;
    adatom_interpolation interpolation;
} picture_form;
picture_form cli_picture_form(const adatom_model_info *model);
/* The parameters to open a data set with. cache_dir "": no cache. */
adatom_dataset_params cli_dataset_params(struct cli *cli, const data_options *options, int threads,
                                         const char *cache_dir, picture_form form);
adatom_status cli_open_dataset(struct cli *cli, const data_options *options, const device_options *device,
                               picture_form form, adatom_dataset **out);
/* Prints the list of devices as a result; format and file as in report.h. */
adatom_status cli_print_devices(struct cli *cli, const char *format, const char *file);
#endif
