#include "cli.h"
#include <adatom/model.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const arg_option common_table[] = {
    {.name = "quiet",
     .letter = 'q',
     .type = ARG_FLAG,
     .offset = offsetof(common_options, quiet),
     .help = "print nothing but results and errors"},
    {.name = "verbose",
     .letter = 'v',
     .type = ARG_FLAG,
     .offset = offsetof(common_options, verbose),
     .help = "print what the library reports"},
    {.name = "list-devices", .type = ARG_ACTION, .action = ARGS_LIST_DEVICES, .help = "list the devices and stop"},
    {.name = "version", .type = ARG_ACTION, .action = ARGS_VERSION, .help = "print the version and stop"},
    {.name = "help", .letter = 'h', .type = ARG_ACTION, .action = ARGS_HELP, .help = "print this and stop"},
};
arg_group common_group(common_options *values) {
    return (arg_group){"General", common_table, COUNT(common_table), values};
}

static const char *const precisions[] = {ADATOM_PRECISION_LIST(CHOICE_TEXT) NULL};
static const arg_option device_table[] = {
    {.name = "device",
     .letter = 'd',
     .type = ARG_TEXT,
     .offset = offsetof(device_options, device),
     .initial = "auto",
     .value = "DEVICE",
     .help = "auto (the best GPU, else the CPU), cpu, vulkan, an index of 'adatom devices', a UUID, a PCI address or "
             "part of the name"},
    {.name = "precision",
     .type = ARG_ENUM,
     .offset = offsetof(device_options, precision),
     .choices = precisions,
     .initial = "fp32",
     .value = "NAME",
     .help = "fp16: keeps the largest tensors of adapting atoms in half precision, and on Vulkan devices rounds "
             "operands of convolutions "
             "to it and uses matrix units, once that has passed the kernel check on the device"},
    {.name = "threads",
     .type = ARG_INT,
     .offset = offsetof(device_options, threads),
     .least = 0,
     .most = 1024,
     .initial = "0",
     .value = "N",
     .help = "processors used by the CPU engine and for decoding; 0: all"},
    {.name = "cache-dir",
     .type = ARG_TEXT,
     .offset = offsetof(device_options, cache_dir),
     .value = "DIR",
     .help = "where decoded pictures and compiled pipelines are kept (default $ADATOM_CACHE_DIR, "
             "$XDG_CACHE_HOME/adatom or ~/.cache/adatom; on Windows %LOCALAPPDATA%/adatom/cache)"},
    {.name = "cache-size",
     .type = ARG_BYTES,
     .offset = offsetof(device_options, cache_bytes),
     .initial = "16G",
     .value = "SIZE",
     .help = "most that decoded pictures may take there besides those in use; those not used for the longest time are "
             "removed"},
    {.name = "cache",
     .type = ARG_FLAG,
     .offset = offsetof(device_options, cache),
     .initial = "yes",
     .help = "keep decoded pictures and compiled pipelines"},
    {.name = "validate",
     .type = ARG_FLAG,
     .offset = offsetof(device_options, validate),
     .help = "run under the Vulkan validation layer"},
};
arg_group device_group(device_options *values) {
    return (arg_group){"Device", device_table, COUNT(device_table), values};
}

const char *const layout_names[] = {ADATOM_LAYOUT_LIST(CHOICE_TEXT) NULL};
const char *const interpolation_names[] = {ADATOM_INTERPOLATION_LIST(CHOICE_TEXT) NULL};
const char *const sharing_names[] = {ADATOM_SHARING_LIST(CHOICE_TEXT) NULL};

static const arg_option data_table[] = {
    {.name = "data",
     .type = ARG_TEXT,
     .required = true,
     .unless = "features",
     .offset = offsetof(data_options, data),
     .value = "DATA",
     .help =
         "a folder with a folder per class, a zip or tar archive of that, a `filename,label` CSV, or builtin:shapes"},
    {.name = "split",
     .type = ARG_TEXT,
     .offset = offsetof(data_options, split),
     .value = "SPLIT",
     .help = "part of the data: base, val, novel or all of builtin sets; elsewhere the list SPLIT.csv or the folder "
             "SPLIT in it"},
    {.name = "csv",
     .type = ARG_TEXT,
     .offset = offsetof(data_options, csv),
     .value = "FILE",
     .help = "a `filename,label` list to apply to the folder or archive"},
    {.name = "data-seed",
     .type = ARG_SEED,
     .offset = offsetof(data_options, seed),
     .initial = "0",
     .value = "N",
     .help = "seed of builtin sets"},
    {.name = "per-class",
     .type = ARG_INT,
     .offset = offsetof(data_options, per_class),
     .least = 1,
     .most = 100000,
     .initial = "60",
     .value = "N",
     .help = "pictures a class of builtin sets"},
};
static const arg_option picture_table[] = {
    {.name = "background",
     .type = ARG_TEXT,
     .offset = offsetof(picture_options, background),
     .initial = "white",
     .value = "COLOUR",
     .help = "shines through transparent pictures: white, black, grey or RRGGBB in hexadecimal digits"},
    {.name = "allow-truncated",
     .type = ARG_FLAG,
     .offset = offsetof(picture_options, allow_truncated),
     .help =
         "take what there is of truncated and damaged pictures, and say how many they are, instead of refusing them"},
};
arg_group picture_group(picture_options *values) {
    return (arg_group){"Decoding", picture_table, COUNT(picture_table), values};
}

#define OPTIONS feature_options
static const arg_option feature_table[] = {
    OPTION("features", ARG_TEXT, features, .value = "FILE",
           .help =
               "features in place of a model's pictures, of any network: safetensors with 'features' and 'labels', as "
               "'adatom features' writes it, or .npy; for methods that leave the network as it is"),
    OPTION("labels", ARG_TEXT, labels, .value = "FILE",
           .help =
               "the classes of their rows: .npy of int32 or int64, or a `filename,label` CSV (default: those in the "
               "file, or in X.labels.csv or X.labels.npy beside X.npy)"),
};
#undef OPTIONS
arg_group feature_group(feature_options *values) {
    return (arg_group){"Features", feature_table, COUNT(feature_table), values};
}

adatom_status cli_check_features(struct cli *cli, const feature_options *options, const char *data, const char *name) {
    if (options->labels && !options->features)
        return cli_fail(cli, ADATOM_USAGE, "--labels are the classes of --features, which are missing");
    if (options->features && data)
        return cli_fail(cli, ADATOM_USAGE, "--features take the place of %s: give one of them", name);
    return ADATOM_OK;
}

adatom_status cli_load_features(struct cli *cli, const feature_options *options, const adatom_model *model,
                                adatom_dataset **out) {
    const adatom_features_load_params params = {
        .size = sizeof params, .labels = options->labels, .progress = cli_progress, .user = cli};
    adatom_status status = adatom_features_load(cli->ctx, options->features, &params, out);
    if (status != ADATOM_OK || !model) return status;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(*out, &info);
    if (!info.model_hash[0])
        cli_note(cli, "'%s' does not tell of which network its features are; they are taken as the model's", info.name);
    return ADATOM_OK;
}

arg_group data_group(data_options *values) { return (arg_group){"Data", data_table, COUNT(data_table), values}; }
arg_group data_group_positional(data_options *values) {
    return (arg_group){"Data", data_table + 1, COUNT(data_table) - 1, values};
}

adatom_status cli_fail(struct cli *cli, adatom_status status, const char *format, ...) {
    char text[sizeof cli->message]; /* the arguments may point into the old message */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    adatom_printable(text, cli->message, sizeof cli->message);
    return status;
}

void cli_note(struct cli *cli, const char *format, ...) {
    if (cli->quiet) return;
    char text[2048], shown[2 * sizeof text];
    progress_clear(&cli->progress);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    adatom_printable(text, shown, sizeof shown);
    fprintf(stderr, "%s\n", shown);
}

void cli_print_version(void) { printf("adatom %s\nreads %s pictures\n", adatom_version(), adatom_picture_kinds()); }

/* Checks that an adapter's folder can be made, or that its files can be replaced where it exists. */
static adatom_status check_folder(struct cli *cli, const char *folder) {
    static const char *const files[] = {"adapter.safetensors", "adapter_config.json"};
    adatom_status status = ADATOM_OK;
    struct stat info;
    char path[PATH_MAX];
    if (mkdir(folder, 0777) == 0)
        rmdir(folder);
    else if (errno != EEXIST)
        return cli_fail(cli, ADATOM_IO, "cannot make the folder '%s': %s", folder, strerror(errno));
    else if (stat(folder, &info) == 0)
        for (size_t i = 0; i < COUNT(files) && status == ADATOM_OK; i++)
            if (snprintf(path, sizeof path, "%s/%s", folder, files[i]) < (int)sizeof path)
                status = adatom_write_check(cli->ctx, path);
    return status;
}

/* The value of a text option; NULL: it is not given, or the command has no option of that name. */
static const char *text_of(const arg_spec *spec, const char *name) {
    for (size_t g = 0; g < spec->group_count; g++)
        for (size_t o = 0; o < spec->groups[g].count; o++)
            if (strcmp(spec->groups[g].options[o].name, name) == 0)
                return *(const char **)((char *)spec->groups[g].values + spec->groups[g].options[o].offset);
    return NULL;
}

/* Checks before a command's work that it will be able to write what it writes at its end: --output, --output-file,
 * --plot, --report and --html. */
static adatom_status check_outputs(struct cli *cli, const arg_spec *spec) {
    /* kept: --checkpoint keeps the work in another place, so that --output's folder may appear later. */
    const bool kept = text_of(spec, "checkpoint") != NULL;
    adatom_status status = ADATOM_OK;
    for (size_t g = 0; g < spec->group_count; g++)
        for (size_t o = 0; o < spec->groups[g].count && status == ADATOM_OK; o++) {
            const arg_option *option = &spec->groups[g].options[o];
            const bool written = strcmp(option->name, "output-file") == 0 || strcmp(option->name, "plot") == 0 ||
                                 strcmp(option->name, "report") == 0 || strcmp(option->name, "html") == 0 ||
                                 (strcmp(option->name, "output") == 0 && !kept);
            if (option->type != ARG_TEXT || !written) continue;
            const char *path = *(const char **)((char *)spec->groups[g].values + option->offset);
            if (path)
                status =
                    strcmp(option->value, "DIR") == 0 ? check_folder(cli, path) : adatom_write_check(cli->ctx, path);
        }
    return status;
}

adatom_status cli_parse(struct cli *cli, const arg_spec *spec, const common_options *common, int argc, char **argv,
                        bool *run) {
    *run = false;
    if (cli->describe) {
        cli->describe(spec, cli->describe_user);
        return ADATOM_OK;
    }
    switch (args_parse(spec, argc, argv, cli->message, sizeof cli->message)) {
    case ARGS_ERROR: return cli_fail(cli, ADATOM_USAGE, "%s", cli->message);
    case ARGS_HELP: args_help(spec, stdout); return ADATOM_OK;
    case ARGS_VERSION: cli_print_version(); return ADATOM_OK;
    case ARGS_LIST_DEVICES: return cli_print_devices(cli, "table", NULL);
    case ARGS_RUN: break;
    }
    cli->quiet = common->quiet;
    cli->verbose = common->verbose;
    progress_init(&cli->progress, cli->quiet);
    if (cli->message[0]) cli_note(cli, "%s", cli->message);
    cli->message[0] = 0; /* it is none of a failure */
    const adatom_status status = check_outputs(cli, spec);
    *run = status == ADATOM_OK;
    return status;
}

void cli_describe(struct cli *cli, const cli_command *command, void (*describe)(const arg_spec *spec, void *user),
                  void *user) {
    cli->describe = describe;
    cli->describe_user = user;
    command->run(cli, 0, NULL);
    cli->describe = NULL;
}

void cli_cache_dir(const device_options *options, char *out, size_t capacity) {
    const char *own = getenv("ADATOM_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *windows = getenv("LOCALAPPDATA");
    out[0] = 0;
    if (!options->cache) return;
    int length = 0;
    if (options->cache_dir)
        length = snprintf(out, capacity, "%s", options->cache_dir);
    else if (own && own[0])
        length = snprintf(out, capacity, "%s", own);
    else if (xdg && xdg[0] == '/') /* the XDG specification demands that relative paths are ignored */
        length = snprintf(out, capacity, "%s/adatom", xdg);
    else if (windows && windows[0])
        length = snprintf(out, capacity, "%s/adatom/cache", windows);
    else if (home && home[0])
        length = snprintf(out, capacity, "%s/.cache/adatom", home);
    if ((size_t)length >= capacity) out[0] = 0;
}

adatom_status cli_open_device(struct cli *cli, const device_options *options, adatom_device **out) {
    char cache[4096];
    cli_cache_dir(options, cache, sizeof cache);
    adatom_device_params params = {.size = sizeof params,
                                   .select = options->device,
                                   .precision = options->precision,
                                   .threads = options->threads,
                                   .cache_dir = cache[0] ? cache : NULL,
                                   .progress = cli_progress,
                                   .user = cli,
                                   .validate = options->validate};
    if (params.precision == ADATOM_PRECISION_FP16)
        cli_note(cli, "kernels of half precision are checked first where they never were");
    adatom_status status = adatom_device_open(cli->ctx, &params, out);
    if (status == ADATOM_OK) cli_note(cli, "device: %s", adatom_device_reason(*out));
    return status;
}

/* A search tells of its work in units that mean nothing to people, and of what it is trying. */
static void show_search(struct cli *cli, const adatom_progress *now) {
    progress_update(&cli->progress, floor(100 * (double)now->done / (double)now->total), 100, now->what);
}

bool cli_progress(void *user, const adatom_progress *now) {
    struct cli *cli = user;
    const char *text = now->phase == ADATOM_PHASE_DECODING      ? "pictures decoded"
                       : now->phase == ADATOM_PHASE_FITTING     ? "tasks adapted"
                       : now->phase == ADATOM_PHASE_CLASSIFYING ? "pictures classified"
                       : now->phase == ADATOM_PHASE_EXTRACTING  ? "pictures computed"
                                                                : NULL;
    if (!now->poll && now->phase == ADATOM_PHASE_CHOOSING && now->total > 0) show_search(cli, now);
    if (!now->poll && text) progress_update(&cli->progress, (double)now->done, (double)now->total, text);
    return !*cli->stopped;
}

adatom_status cli_augment(struct cli *cli, const char *text, uint32_t *flags) {
    char part[65];
    uint32_t ignored;
    if (adatom_augment_parse(text, flags)) return ADATOM_OK;
    for (;; text += strcspn(text, "+") + 1) { /* finds the part that is not known */
        const size_t length = strcspn(text, "+");
        snprintf(part, sizeof part, "%.*s", (int)(length < sizeof part ? length : sizeof part - 1), text);
        if (length == 0 || length >= sizeof part || !adatom_augment_parse(part, &ignored)) break;
    }
    return cli_fail(cli, ADATOM_USAGE,
                    "the augmentation '%s' is not known; it is made of none, shift, crop, flip, jitter, joined by +",
                    part);
}

picture_form cli_picture_form(const adatom_model_info *model) {
    return (picture_form){.size = model->image_size, .resize = model->resize, .interpolation = model->interpolation};
}

adatom_dataset_params cli_dataset_params(struct cli *cli, const data_options *options, int threads,
                                         const char *cache_dir, picture_form form) {
    return (adatom_dataset_params){.size = sizeof(adatom_dataset_params),
                                   .image_size = form.size,
                                   .resize = form.resize,
                                   .interpolation = form.interpolation,
                                   .split = options->split,
                                   .csv = options->csv,
                                   .cache_dir = cache_dir[0] ? cache_dir : NULL,
                                   .threads = threads,
                                   .seed = options->seed,
                                   .background = options->pictures.background,
                                   .allow_truncated = options->pictures.allow_truncated,
                                   .builtin_per_class = options->per_class,
                                   .progress = cli_progress,
                                   .user = cli};
}

adatom_status cli_open_dataset(struct cli *cli, const data_options *options, const device_options *device,
                               picture_form form, adatom_dataset **out) {
    char cache[4096];
    cli_cache_dir(device, cache, sizeof cache);
    adatom_dataset_params params = cli_dataset_params(cli, options, device->threads, cache, form);
    params.cache_bytes = device->cache_bytes;
    progress_start(&cli->progress, "data", 0);
    adatom_status status = adatom_dataset_open(cli->ctx, options->data, &params, out);
    progress_clear(&cli->progress);
    return status;
}

void cli_list_archs(const char *first, const char *out[MOST_ARCHS]) {
    size_t count = 0;
    if (first) out[count++] = first;
    for (size_t i = 0; count < MOST_ARCHS - 1 && adatom_model_arch(i); i++) out[count++] = adatom_model_arch(i);
    out[count] = NULL;
}
