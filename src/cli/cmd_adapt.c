#include "choice_report.h"
#include "method_options.h"
#include "page_adapt.h"
#include "report.h"
#include "terminal.h"
#include <adatom/choose.h>

#include <string.h>

typedef struct adapt_options {
    const char *model, *images, *output, *adapt, *augment, *report;
    output_options result;
    adatom_estimate estimate;
    arg_texts tried;
    int batch, shift, folds;
    float holdout, budget;
    bool leave_one_out, estimated, early_stop;
    uint64_t seed;
} adapt_options;

#define AUTO "auto"
/* The methods, and auto in place of "default", which is no method's name. */
#define ADAPT_TEXT(value, text) (value) == ADATOM_ADAPT_DEFAULT ? AUTO : (text),
static const char *const adapt_choices[] = {ADATOM_ADAPT_LIST(ADAPT_TEXT) NULL};
static const char *const estimates[] = {ADATOM_ESTIMATE_LIST(CHOICE_TEXT) NULL};

#define OPTIONS adapt_options
static const arg_option table[] = {
    OPTION("model", ARG_TEXT, model, .required = true, .unless = "features", .value = "FILE",
           .help = "the network to adapt, safetensors"),
    OPTION("images", ARG_TEXT, images, .required = true, .unless = "features", .value = "DIR",
           .help = "a folder with a folder per class, any numbers of pictures; or an archive, a `filename,label` CSV, "
                   "or builtin:shapes"),
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "DIR",
           .help = "folder for adapter.safetensors and adapter_config.json; made where it is missing"),
    OPTION("adapt", ARG_CHOICE, adapt, .choices = adapt_choices, .initial = AUTO, .value = "NAME",
           .help = "what adapts; auto tries several on the pictures themselves and takes one"),
    OPTION("try", ARG_CHOICES, tried, .choices = method_names + 1, .value = "LIST",
           .help = "what auto tries, the more important first (default centroid,cosine,atoms,atoms+norm,norm)"),
    OPTION("budget", ARG_REAL, budget, .least = 1e-6, .most = 1e9, .value = "N",
           .help =
               "most multiply-adds, in thousand millions, that auto takes for trying (default 2500); it decides how "
               "many rates, numbers of steps and folds there are"),
    OPTION("batch", ARG_INT, batch, .least = 1, .most = 65536, .value = "N",
           .help =
               "pictures a step, where there are more of them or they are augmented (default 64; with auto 16 where "
               "the network adapts)"),
    OPTION("augment", ARG_TEXT, augment, .initial = "none", .value = "LIST",
           .help = "none, shift or crop, with +flip and +jitter, e.g. shift+flip"),
    OPTION("shift", ARG_INT, shift, .least = 0, .most = 1024, .value = "N",
           .help = "pixels of shift; 0: a tenth of the picture"),
    OPTION("estimate", ARG_ENUM, estimate, .choices = estimates + 1, .base = 1, .value = "KIND",
           .help =
               "how the accuracy is estimated (default leave-one-out with at most 64 pictures, else folds; with auto "
               "folds)"),
    OPTION("leave-one-out", ARG_FLAG, leave_one_out, .help = "short for --estimate leave-one-out"),
    OPTION("folds", ARG_INT, folds, .least = 2, .most = 1000, .value = "K",
           .help = "number of parts with --estimate folds (default 5; with auto 3 to 5, as the budget allows)"),
    OPTION("holdout", ARG_REAL, holdout, .least = 1e-6, .most = 0.9, .value = "F",
           .help = "part of each class that is held out; implies --estimate holdout (there 0.2 without it)"),
    OPTION("early-stop", ARG_FLAG, early_stop,
           .help = "take the best of ten numbers of steps up to --steps, by the estimate's pictures; the estimate is "
                   "then optimistic"),
    OPTION("seed", ARG_SEED, seed, .initial = "1", .value = "N",
           .help = "seed of random heads, folds, batches and augmentation"),
    PAGE_OPTION(adapt_options),
};
#undef OPTIONS

static const report_column columns[] = {
    {"class", CELL_TEXT, "class", NULL},
    {"pictures", CELL_COUNT, "images", NULL},
    {"tested", CELL_COUNT, "tested", NULL},
    {"right", CELL_COUNT, "right", NULL},
};

static void on_problem(void *user, const char *sentence) { cli_note(user, "preflight: %s", sentence); }

/* Prints what is wrong with the pictures but not fatal; what is fatal fails later, when the data set is opened. */
static adatom_status preflight(struct cli *cli, const data_options *data, const device_options *device,
                               picture_form form) {
    const adatom_dataset_params params = cli_dataset_params(cli, data, device->threads, "", form);
    const adatom_verify_params verify = {
        .size = sizeof verify, .dataset = &params, .least = 2, .report = on_problem, .user = cli};
    size_t problems = 0;
    progress_start(&cli->progress, "preflight", 0);
    adatom_status status = adatom_dataset_verify(cli->ctx, data->data, &verify, &problems);
    progress_clear(&cli->progress);
    return status;
}

static adatom_status open_pictures(struct cli *cli, const adapt_options *o, const picture_options *pictures,
                                   const device_options *device, const adatom_model *model, adatom_dataset **out) {
    char cache[4096];
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &m);
    const data_options data = {.data = o->images, .per_class = 60, .pictures = *pictures};
    const adatom_status status = preflight(cli, &data, device, cli_picture_form(&m));
    if (status != ADATOM_OK) return status;
    cli_cache_dir(device, cache, sizeof cache);
    adatom_dataset_params params = cli_dataset_params(cli, &data, device->threads, cache, cli_picture_form(&m));
    params.refuse_empty = true;
    params.refuse_splits = true;
    params.cache_bytes = device->cache_bytes;
    return adatom_dataset_open(cli->ctx, o->images, &params, out);
}

static adatom_status look_at_balance(struct cli *cli, const adatom_dataset *dataset) {
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    const char *name, *least_name = NULL, *most_name = NULL;
    size_t least = SIZE_MAX, most = 0, first, count;
    adatom_dataset_describe(dataset, &info);
    for (int c = 0; c < info.classes; c++) {
        adatom_status status = adatom_dataset_class(dataset, c, &name, &first, &count);
        if (status != ADATOM_OK) return status;
        if (count < least) {
            least = count;
            least_name = name;
        }
        if (count > most) {
            most = count;
            most_name = name;
        }
    }
    if (most >= 4 * least)
        cli_note(cli, "preflight: the classes are unbalanced: '%s' has %zu pictures, '%s' has %zu", most_name, most,
                 least_name, least);
    return ADATOM_OK;
}

static json_t *class_rows(const adatom_adapter *adapter, int classes) {
    json_t *rows = json_array();
    for (int c = 0; c < classes; c++) {
        adatom_adapter_class one = ADATOM_INIT(adatom_adapter_class);
        if (adatom_adapter_get_class(adapter, c, &one) != ADATOM_OK) break;
        json_array_append_new(rows, json_pack("{s:o,s:i,s:i,s:i}", "class", report_text(one.name), "images", one.images,
                                              "tested", one.tested, "right", one.right));
    }
    return rows;
}

/* What every result tells, whether there is an adapter or not. */
static json_t *begin_document(const adatom_dataset *dataset, const adatom_device *device) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_device_info i = ADATOM_INIT(adatom_device_info);
    adatom_dataset_describe(dataset, &d);
    adatom_device_describe(device, &i);
    json_t *document = report_document("adapt");
    json_object_set_new(document, "device", report_device(&i));
    report_precision(document, &i);
    json_object_set_new(document, "dataset", report_dataset(&d));
    return document;
}

/* choice NULL: the method was named. */
static adatom_status report(struct cli *cli, const adapt_options *o, const page_call *call,
                            const adatom_adapter *adapter, const adatom_choice *choice, const adatom_model *model,
                            const adatom_dataset *dataset, const adatom_device *device, double seconds) {
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_choice_info chosen = ADATOM_INIT(adatom_choice_info);
    char above[8192], below[1536], folder[512], calibration[256] = "", estimate[384] = "accuracy    not estimated",
                                                without[96] = "";
    adatom_adapter_describe(adapter, &a);
    adatom_dataset_describe(dataset, &d);
    if (choice) adatom_choice_describe(choice, &chosen);
    json_t *document = begin_document(dataset, device), *config = json_loads(a.config_json, 0, NULL);
    json_object_set_new(document, "accuracy",
                        json_pack("{s:s,s:i,s:i,s:f,s:[f,f],s:i}", "estimate", a.estimate, "tested", a.tested, "right",
                                  a.right, "mean", a.accuracy, "wilson95", a.low, a.high, "diverged", a.diverged));
    json_object_set_new(document, "adapter",
                        json_pack("{s:o,s:s,s:I,s:I,s:I,s:I}", "folder", report_text(o->output), "hash", a.hash,
                                  "adapted", (json_int_t)a.adapted, "head", (json_int_t)a.head, "adapted_bytes",
                                  (json_int_t)a.adapted * 4, "head_bytes", (json_int_t)a.head * 4));
    json_object_set_new(document, "calibration",
                        a.calibrated ? json_pack("{s:i,s:f,s:f,s:f}", "pictures", a.calibrated, "temperature",
                                                 a.temperature, "loss_before", a.loss_before, "loss", a.loss)
                                     : json_null());
    json_object_set_new(document, "seconds", json_real(seconds));
    if (choice) json_object_set_new(document, "choice", choice_json(cli, choice));
    json_object_del(json_object_get(config, "calibration"), "familiarity"); /* of use to 'classify' alone */
    json_object_set_new(document, "config", config);
    json_object_set_new(document, "classes", class_rows(adapter, a.classes));
    if (a.diverged)
        snprintf(without, sizeof without, ", without %d of its %d parts, which diverged", a.diverged, a.tasks);
    if (a.tested)
        snprintf(estimate, sizeof estimate, "accuracy    %.2f %% (%d of %d; 95 %% interval %.1f to %.1f %%) by %s%s%s",
                 100 * a.accuracy, a.right, a.tested, 100 * a.low, 100 * a.high, a.estimate,
                 json_is_true(report_get(config, "estimate.early_stop")) ? ", optimistic: the steps were chosen by it"
                 : chosen.folds                                          ? ", the choice made anew without each"
                                                                         : "",
                 without);
    if (a.calibrated)
        snprintf(calibration, sizeof calibration,
                 "calibration temperature %.3g by %d pictures (log loss %.3f without it, %.3f with it), for 'classify "
                 "--calibrated' and '--reject'\n",
                 a.temperature, a.calibrated, a.loss_before, a.loss);
    const int length = snprintf(above, sizeof above, "%s, %d classes, %zu pictures, %d steps, %.1f s\n\n", a.method,
                                a.classes, d.images, a.steps, seconds);
    if (choice) choice_text(choice, above + length, sizeof above - (size_t)length - 1);
    if (choice) strcat(above, "\n");
    snprintf(
        below, sizeof below,
        "\n%s\n%sfitted      %d of %d of the pictures it was adapted to\nadapter     %s: %llu numbers adapted (%llu "
        "bytes), classifier "
        "%llu (%llu bytes)\n",
        estimate, calibration, a.fitted_right, a.fitted, terminal_name(o->output, folder, sizeof folder),
        (unsigned long long)a.adapted, (unsigned long long)a.adapted * 4, (unsigned long long)a.head,
        (unsigned long long)a.head * 4);
    const struct report r = {.document = document,
                             .rows = "classes",
                             .columns = columns,
                             .column_count = COUNT(columns),
                             .above = above,
                             .below = below};
    adatom_status status = report_write(cli, &o->result, &r);
    if (status == ADATOM_OK && o->report) status = page_adapt(cli, o->report, document, adapter, model, dataset, call);
    json_decref(document);
    return status;
}

static adatom_status choose_estimate(struct cli *cli, adapt_options *o) {
    const bool held = o->holdout > 0;
    if ((o->leave_one_out && (held || (o->estimate && o->estimate != ADATOM_ESTIMATE_LEAVE_ONE_OUT))) ||
        (held && o->estimate && o->estimate != ADATOM_ESTIMATE_HOLDOUT))
        return cli_fail(cli, ADATOM_USAGE, "--estimate, --leave-one-out and --holdout contradict each other");
    if (o->leave_one_out) o->estimate = ADATOM_ESTIMATE_LEAVE_ONE_OUT;
    if (held) o->estimate = ADATOM_ESTIMATE_HOLDOUT;
    return ADATOM_OK;
}

static adatom_status check_choice(struct cli *cli, const adapt_options *o, bool chooses) {
    if (!chooses && (o->tried.count || o->budget > 0))
        return cli_fail(cli, ADATOM_USAGE, "--try and --budget belong to --adapt auto, not to --adapt %s", o->adapt);
    return ADATOM_OK;
}

static adatom_status choose(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                            const adapt_options *o, const adatom_fit_params *fit, adatom_choice **choice,
                            adatom_adapter **adapter) {
    adatom_adapt_kind kinds[ARGS_LIST_MAX];
    for (int k = 0; k < o->tried.count; k++) adatom_adapt_kind_parse(o->tried.items[k], &kinds[k]);
    const adatom_choose_params params = {.size = sizeof params,
                                         .fit = fit,
                                         .kinds = o->tried.count ? kinds : NULL,
                                         .kind_count = (size_t)o->tried.count,
                                         .budget = (double)o->budget * 1e9};
    return adatom_adapter_choose(device, model, dataset, &params, choice, adapter);
}

/* What an interrupted search knew. */
static adatom_status report_part(struct cli *cli, const adapt_options *o, const page_call *call,
                                 const adatom_choice *choice, const adatom_dataset *dataset,
                                 const adatom_device *device, adatom_status ended) {
    json_t *document = begin_document(dataset, device);
    const adatom_status status = choice_report_part(cli, &o->result, choice, document, ended);
    if (status == ended && o->report) page_adapt(cli, o->report, document, NULL, NULL, dataset, call);
    json_decref(document);
    return status;
}

adatom_status cmd_adapt(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    picture_options picture_values;
    feature_options feature_values;
    adapt_options o;
    method_options method_values;
    arg_group groups[] = {{"Adapter", table, COUNT(table), &o},
                          feature_group(&feature_values),
                          method_group(&method_values),
                          picture_group(&picture_values),
                          device_group(&device_values),
                          result_group(&o.result),
                          common_group(&common)};
    arg_spec spec = {.command = "adapt",
                     .summary = "Adapts a model to a folder of pictures of new classes, estimates how good the result "
                                "is, and writes an adapter "
                                "for 'adatom classify'.",
                     .notes = "The estimate adapts to the pictures without some of them and asks for those, until each "
                              "was asked for once; the "
                              "adapter is then made from all. Its interval is Wilson's for proportions. Pictures that "
                              "occur twice make it "
                              "optimistic: the preflight names them. Without --steps there are as many as the method "
                              "has, or five passes over the "
                              "pictures where those are more.",
                     .groups = groups,
                     .group_count = COUNT(groups)};
    bool run = false;
    adatom_choice *choice = NULL;
    adatom_device *device = NULL;
    adatom_model *model = NULL;
    adatom_dataset *dataset = NULL;
    adatom_adapter *adapter = NULL;
    uint32_t augment = 0;
    const page_call call = {argc, argv};
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    const bool chooses = strcmp(o.adapt, AUTO) == 0;
    TRY(choose_estimate(cli, &o));
    TRY(check_choice(cli, &o, chooses));
    TRY(cli_augment(cli, o.augment, &augment));
    TRY(cli_check_features(cli, &feature_values, o.images, "--images"));
    if (o.model) TRY(adatom_model_load(cli->ctx, o.model, &model));
    TRY(feature_values.features ? cli_load_features(cli, &feature_values, model, &dataset)
                                : open_pictures(cli, &o, &picture_values, &device_values, model, &dataset));
    TRY(look_at_balance(cli, dataset));
    TRY(cli_open_device(cli, &device_values, &device));
    const adatom_method method = method_params(&method_values, o.adapt, o.seed);
    const adatom_fit_params params = {.size = sizeof params,
                                      .method = &method,
                                      .batch = o.batch,
                                      .augment = augment,
                                      .shift = o.shift,
                                      .estimate = o.estimate,
                                      .folds = o.folds,
                                      .holdout = o.holdout,
                                      .early_stop = o.early_stop,
                                      .base_model = o.model,
                                      .progress = cli_progress,
                                      .user = cli};
    progress_start(&cli->progress, "adapt", 0);
    status = chooses ? choose(device, model, dataset, &o, &params, &choice, &adapter)
                     : adatom_adapter_fit(device, model, dataset, &params, &adapter);
    const double seconds = progress_seconds(&cli->progress);
    progress_clear(&cli->progress);
    if (status == ADATOM_INTERRUPTED && choice) status = report_part(cli, &o, &call, choice, dataset, device, status);
    TRY(status);
    TRY(adatom_adapter_save(adapter, o.output));
    TRY(report(cli, &o, &call, adapter, choice, model, dataset, device, seconds));
done:
    adatom_choice_destroy(&choice);
    adatom_adapter_destroy(&adapter);
    adatom_dataset_destroy(&dataset);
    adatom_model_destroy(&model);
    adatom_device_destroy(&device);
    return status;
}
