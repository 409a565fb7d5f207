/* What every command shares: the context, messages, the option groups that several commands take. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "args.h"
#include "progress.h"
#include <adatom/adatom.h>
#include <adatom/dataset.h>
#include <adatom/device.h>
#include <adatom/model.h>
#include <signal.h>

struct cli {
    adatom_context *ctx;
    const volatile sig_atomic_t *stopped; /* a signal asks the program to end */
    char message[1024];                   /* what went wrong, if the library did not say it */
    bool quiet, verbose;
    progress progress;
};

/* Every command: reads its arguments (program and command removed), does its work, returns the status that main turns
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
adatom_status cmd_episodes(struct cli *cli, int argc, char **argv);
adatom_status cmd_reproduce(struct cli *cli, int argc, char **argv);
adatom_status cmd_adapt(struct cli *cli, int argc, char **argv);
adatom_status cmd_classify(struct cli *cli, int argc, char **argv);
adatom_status cmd_import(struct cli *cli, int argc, char **argv);
adatom_status cmd_decompose(struct cli *cli, int argc, char **argv);
adatom_status cmd_export(struct cli *cli, int argc, char **argv);
adatom_status cmd_inspect(struct cli *cli, int argc, char **argv);

/* Leaves through the function's `done:` label, as in the library. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status != ADATOM_OK) goto done;                                                                            \
    } while (0)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The texts of a list of adatom/choice.h, for an option's choices: {ADATOM_..._LIST(CHOICE_TEXT) NULL}. */
#define CHOICE_TEXT(value, text) text,

/* Keeps one sentence and returns status. */
adatom_status cli_fail(struct cli *cli, adatom_status status, const char *format, ...) ADATOM_PRINTF(3, 4);
/* A line on stderr, unless --quiet. */
void cli_note(struct cli *cli, const char *format, ...) ADATOM_PRINTF(2, 3);
/* An adatom_progress_callback, its user the struct cli: draws what is counted, and ends the call after a signal. */
bool cli_progress(void *cli, const adatom_progress *now);
/* "--augment shift+flip" as flags; USAGE names the part that is not known. */
adatom_status cli_augment(struct cli *cli, const char *text, uint32_t *flags);

/* Common options; part of every spec. */
typedef struct common_options {
    bool quiet, verbose;
} common_options;
arg_group common_group(common_options *values);

typedef struct device_options {
    const char *device, *cache_dir;
    adatom_precision precision;
    uint64_t cache_bytes; /* of decoded pictures */
    int threads;
    bool cache, validate;
} device_options;
arg_group device_group(device_options *values);

/* Whose names a network's tensors have, and what shares coefficients (the first is no value of an option); both end
 * with NULL. */
extern const char *const layout_names[], *const sharing_names[], *const interpolation_names[];

/* The architectures that the library knows, for an option's choices: `first` (NULL: nothing) and all of them. */
enum { MOST_ARCHS = 64 };
void cli_list_archs(const char *first, const char *out[MOST_ARCHS]);

/* How pictures are decoded; part of every command that reads some. */
typedef struct picture_options {
    const char *background;
    bool allow_truncated;
} picture_options;
arg_group picture_group(picture_options *values);

typedef struct data_options {
    const char *data, *split, *csv;
    uint64_t seed;
    int per_class;
    picture_options pictures; /* of a group of its own */
} data_options;
arg_group data_group(data_options *values);
/* The same without --data: the command takes the data as an argument. */
arg_group data_group_positional(data_options *values);

/* Parses; help, version and the list of devices are printed here. *run is false when there is nothing more to do. */
adatom_status cli_parse(struct cli *cli, const arg_spec *spec, const common_options *common, int argc, char **argv,
                        bool *run);
/* The version, and which kinds of pictures this build reads. */
void cli_print_version(void);
/* The cache folder of these options; "" when there is none. */
void cli_cache_dir(const device_options *options, char *out, size_t capacity);
/* Opens the device and says on stderr which and why. */
adatom_status cli_open_device(struct cli *cli, const device_options *options, adatom_device **out);
/* What pictures are made to be: a model's preprocessing. 0: the library's default. */
typedef struct picture_form {
    int size, resize;
    adatom_interpolation interpolation;
} picture_form;
picture_form cli_picture_form(const adatom_model_info *model);
/* cache_dir "": none. The device's options hold cache folder and threads. */
adatom_dataset_params cli_dataset_params(struct cli *cli, const data_options *options, int threads,
                                         const char *cache_dir, picture_form form);
adatom_status cli_open_dataset(struct cli *cli, const data_options *options, const device_options *device,
                               picture_form form, adatom_dataset **out);
/* The list of devices as a result; format and file as in report.h. */
adatom_status cli_print_devices(struct cli *cli, const char *format, const char *file);
#endif
