/* Recipes as JSON. Tables say which members there are, of which type and range; whatever is not in them is refused. */
#include "fewshot/method.h"
#include "fewshot/recipe.h"
#include "io/json.h"

#include <stdio.h>
#include <string.h>

#define FORMAT_VERSION 1
#define MAX_FILE_BYTES ((size_t)1 << 20)
#define MAX_RESULTS 64
#define MAX_SEED 9007199254740992.0 /* 2^53: what other JSON readers keep */

typedef enum value_type {
    VALUE_TEXT,   /* const char * */
    VALUE_PATH,   /* const char *, resolved against the recipe's folder */
    VALUE_HASH,   /* const char *, 16 hexadecimal digits */
    VALUE_INT,    /* int */
    VALUE_SEED,   /* uint64_t */
    VALUE_FLOAT,  /* float */
    VALUE_RATE,   /* float; a 0 that is written becomes -1, none: 0 is the default */
    VALUE_DOUBLE, /* double */
    VALUE_FLAG,   /* bool */
    VALUE_JSON,   /* json_t *: an object or array with rules of its own */
    VALUE_CHOICE  /* an enum of adatom/choice.h, by its text */
} value_type;

typedef struct member {
    const char *name;
    value_type type;
    bool required;
    size_t offset;
    double least, most;
} member;

/* The whole file, before its objects are read. */
typedef struct outline {
    int version;
    const char *name, *source, *notes, *model, *model_hash;
    json_t *data, *episodes, *results;
} outline;

typedef struct result_outline {
    json_t *method, *expected;
} result_outline;

#define AT(type, member) offsetof(type, member)
static const member outline_members[] = {
    {"format_version", VALUE_INT, true, AT(outline, version), FORMAT_VERSION, FORMAT_VERSION},
    {"name", VALUE_TEXT, true, AT(outline, name), 0, 0},
    {"source", VALUE_TEXT, false, AT(outline, source), 0, 0},
    {"notes", VALUE_TEXT, false, AT(outline, notes), 0, 0},
    {"model", VALUE_PATH, true, AT(outline, model), 0, 0},
    {"model_hash", VALUE_HASH, false, AT(outline, model_hash), 0, 0},
    {"data", VALUE_JSON, true, AT(outline, data), 0, 0},
    {"episodes", VALUE_JSON, true, AT(outline, episodes), 0, 0},
    {"results", VALUE_JSON, true, AT(outline, results), 0, 0},
};
static const member data_members[] = {
    {"spec", VALUE_PATH, false, AT(adatom_recipe_info, spec), 0, 0},
    {"split", VALUE_TEXT, false, AT(adatom_recipe_info, split), 0, 0},
    {"csv", VALUE_PATH, false, AT(adatom_recipe_info, csv), 0, 0},
    {"supply", VALUE_TEXT, false, AT(adatom_recipe_info, supply), 0, 0},
    {"hash", VALUE_HASH, false, AT(adatom_recipe_info, data_hash), 0, 0},
    {"seed", VALUE_SEED, false, AT(adatom_recipe_info, data_seed), 0, MAX_SEED},
    {"per_class", VALUE_INT, false, AT(adatom_recipe_info, per_class), 1, 100000},
};
static const member episodes_members[] = {
    {"way", VALUE_INT, true, AT(adatom_recipe, episodes.way), 2, 1024},
    {"shot", VALUE_INT, true, AT(adatom_recipe, episodes.shot), 1, 1024},
    {"query", VALUE_INT, true, AT(adatom_recipe, episodes.query), 1, 4096},
    {"tasks", VALUE_INT, true, AT(adatom_recipe, episodes.tasks), 2, ADATOM_EPISODES_MOST},
    {"seed", VALUE_SEED, true, AT(adatom_recipe, episodes.seed), 0, MAX_SEED},
    {"without_replacement", VALUE_FLAG, false, AT(adatom_recipe, episodes.without_replacement), 0, 0},
    {"first", VALUE_INT, false, AT(adatom_recipe, info.first), 0, ADATOM_EPISODES_MOST},
    {"count", VALUE_INT, false, AT(adatom_recipe, info.count), 0, ADATOM_EPISODES_MOST},
    {"list_hash", VALUE_HASH, false, AT(adatom_recipe, info.list_hash), 0, 0},
};
static const member result_members[] = {
    {"method", VALUE_JSON, true, AT(result_outline, method), 0, 0},
    {"expected", VALUE_JSON, true, AT(result_outline, expected), 0, 0},
};
static const member expected_members[] = {
    {"accuracy", VALUE_DOUBLE, true, AT(adatom_recipe_result, accuracy), 0, 1},
    {"ci95", VALUE_DOUBLE, true, AT(adatom_recipe_result, ci95), 0, 1},
    {"tolerance", VALUE_DOUBLE, false, AT(adatom_recipe_result, tolerance), 0, 1},
};
/* What is allowed together is checked by ad_settings_resolve(). */
#define TEXTS(name, LIST) static const char *const name[] = {LIST(AD_CHOICE_TEXT) NULL}
TEXTS(adapt_texts, ADATOM_ADAPT_LIST);
TEXTS(optimizer_texts, ADATOM_OPTIMIZER_LIST);
TEXTS(head_texts, ADATOM_HEAD_LIST);
TEXTS(head_init_texts, ADATOM_HEAD_INIT_LIST);
TEXTS(distance_texts, ADATOM_DISTANCE_LIST);
TEXTS(bn_texts, ADATOM_BN_LIST);
TEXTS(conv_texts, ADATOM_CONV_LIST);
TEXTS(recipe_texts, ADATOM_PROCEDURE_LIST);
#undef TEXTS
/* Of each member that is a VALUE_CHOICE, the texts of the enum in the order of its values, and what a sentence calls
 * it. */
typedef struct choice {
    const char *member, *what;
    const char *const *texts;
} choice;
static const choice choices[] = {
    {"adapt", "the method", adapt_texts},
    {"optimizer", "the optimizer", optimizer_texts},
    {"head", "the head", head_texts},
    {"head_init", "the start of the head", head_init_texts},
    {"distance", "the distance", distance_texts},
    {"bn", "the batch norm policy", bn_texts},
    {"conv", "the convolution", conv_texts},
    {"recipe", "the recipe", recipe_texts},
};
static const member method_members[] = {
    {"adapt", VALUE_CHOICE, true, AT(adatom_method, adapt), 0, 0},
    {"steps", VALUE_INT, false, AT(adatom_method, steps), 0, 1e6},
    {"optimizer", VALUE_CHOICE, false, AT(adatom_method, optimizer), 0, 0},
    {"lr", VALUE_RATE, false, AT(adatom_method, lr), 0, 1000},
    {"lr_atoms", VALUE_RATE, false, AT(adatom_method, lr_atoms), 0, 1000},
    {"lr_norm", VALUE_RATE, false, AT(adatom_method, lr_norm), 0, 1000},
    {"lr_full", VALUE_RATE, false, AT(adatom_method, lr_full), 0, 1000},
    {"lr_adapter", VALUE_RATE, false, AT(adatom_method, lr_adapter), 0, 1000},
    {"rank", VALUE_INT, false, AT(adatom_method, rank), 0, 256},
    {"adapter_scale", VALUE_FLOAT, false, AT(adatom_method, adapter_scale), 0, 1000},
    {"momentum", VALUE_RATE, false, AT(adatom_method, momentum), 0, 1},
    {"dampening", VALUE_RATE, false, AT(adatom_method, dampening), 0, 1},
    {"nesterov", VALUE_FLAG, false, AT(adatom_method, nesterov), 0, 0},
    {"weight_decay", VALUE_FLOAT, false, AT(adatom_method, weight_decay), 0, 100},
    {"label_smoothing", VALUE_FLOAT, false, AT(adatom_method, label_smoothing), 0, 0.99},
    {"head", VALUE_CHOICE, false, AT(adatom_method, head), 0, 0},
    {"head_init", VALUE_CHOICE, false, AT(adatom_method, head_init), 0, 0},
    {"cosine_scale", VALUE_FLOAT, false, AT(adatom_method, cosine_scale), 0, 1000},
    {"distance", VALUE_CHOICE, false, AT(adatom_method, distance), 0, 0},
    {"bn", VALUE_CHOICE, false, AT(adatom_method, bn), 0, 0},
    {"conv", VALUE_CHOICE, false, AT(adatom_method, conv), 0, 0},
    {"recipe", VALUE_CHOICE, false, AT(adatom_method, procedure), 0, 0},
    {"layers", VALUE_TEXT, false, AT(adatom_method, layers), 0, 0},
    {"last", VALUE_INT, false, AT(adatom_method, last), 0, 1e6},
    {"inverse_penalty", VALUE_FLOAT, false, AT(adatom_method, inverse_penalty), 0, 1e6},
    {"shrinkage", VALUE_FLOAT, false, AT(adatom_method, shrinkage), 0, 1},
    {"neighbours", VALUE_INT, false, AT(adatom_method, neighbours), 0, 1e6},
    {"label_noise", VALUE_FLOAT, false, AT(adatom_method, label_noise), 0, 0.999},
    {"support_views", VALUE_INT, false, AT(adatom_method, support_views), 0, 64},
    {"mirror", VALUE_FLAG, false, AT(adatom_method, mirror), 0, 0},
};
#undef AT

typedef struct reader {
    adatom_context *ctx;
    const char *file;
} reader;

/* A relative path becomes one from where the program runs; the new text takes the old one's place in the file's
 * JSON. */
static adatom_status resolve(const reader *r, json_t *object, const char *key, const char **text) {
    const char *slash = strrchr(r->file, '/');
    if (ad_is_absolute(*text) || !slash || strncmp(*text, "builtin:", 8) == 0) return ADATOM_OK;
    char *path = ad_format(r->ctx, "%.*s/%s", (int)(slash - r->file), r->file, *text);
    if (!path) return ADATOM_OUT_OF_MEMORY;
    json_t *value = json_string_nocheck(path);
    ad_free(path);
    if (json_object_set_new(object, key, value))
        return ad_fail(r->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", r->file);
    *text = json_string_value(value);
    return ADATOM_OK;
}

static bool is_hash(const char *text) { return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16; }

/* The value of a text, or USAGE's sentence as BAD_DATA. "default" is no text of a file. */
static adatom_status read_choice(const reader *r, const char *where, const char *name, const char *text, int *out) {
    const choice *c = choices;
    char known[256];
    while (strcmp(c->member, name) != 0) c++;
    for (int i = 0; c->texts[i]; i++)
        if (strcmp(text, c->texts[i]) == 0 && strcmp(text, "default") != 0) {
            *out = i;
            return ADATOM_OK;
        }
    ad_choice_join(c->texts, known, sizeof known);
    return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %.*s: %s '%s' is not known; it is one of %s", r->file,
                   (int)strlen(where) - 1, where, c->what, text, known);
}

/* where: the object's path with a dot, or "". */
static adatom_status read_value(const reader *r, const char *where, json_t *object, const member *m, json_t *value,
                                void *out) {
    const char **text = out;
    const json_int_t whole = json_integer_value(value);
    const double number = json_number_value(value);
    const bool within = number >= m->least && number <= m->most;
    switch (m->type) {
    case VALUE_TEXT:
    case VALUE_PATH:
    case VALUE_HASH:
        *text = json_string_value(value);
        if (!*text || !**text)
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %s%s must be a text", r->file, where, m->name);
        if (m->type == VALUE_HASH && !is_hash(*text))
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %s%s must be a hash of 16 hexadecimal digits", r->file,
                           where, m->name);
        return m->type == VALUE_PATH ? resolve(r, object, m->name, text) : ADATOM_OK;
    case VALUE_INT:
    case VALUE_SEED:
        if (!json_is_integer(value) || !within)
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %s%s must be a whole number from %.0f to %.0f", r->file,
                           where, m->name, m->least, m->most);
        if (m->type == VALUE_INT)
            *(int *)out = (int)whole;
        else
            *(uint64_t *)out = (uint64_t)whole;
        return ADATOM_OK;
    case VALUE_FLOAT:
    case VALUE_RATE:
    case VALUE_DOUBLE:
        if (!json_is_number(value) || !within)
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %s%s must be a number from %g to %g", r->file, where,
                           m->name, m->least, m->most);
        if (m->type != VALUE_DOUBLE)
            *(float *)out = m->type == VALUE_RATE && number == 0 ? -1.0f : (float)number;
        else
            *(double *)out = number;
        return ADATOM_OK;
    case VALUE_FLAG:
        if (!json_is_boolean(value))
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %s%s must be true or false", r->file, where, m->name);
        *(bool *)out = json_is_true(value);
        return ADATOM_OK;
    case VALUE_JSON: *(json_t **)out = value; return ADATOM_OK;
    case VALUE_CHOICE:
        if (!json_string_value(value) || !*json_string_value(value))
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %s%s must be a text", r->file, where, m->name);
        return read_choice(r, where, m->name, json_string_value(value), out);
    }
    return ADATOM_OK;
}

static adatom_status read_object(const reader *r, const char *where, json_t *object, const member *members,
                                 size_t count, void *out) {
    const char *key;
    json_t *value;
    if (!json_is_object(object)) {
        const int length = where[0] ? (int)strlen(where) - 1 : 0;
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %.*s must be an object", r->file, length ? length : 8,
                       length ? where : "the file");
    }
    json_object_foreach(object, key, value) {
        size_t i = 0;
        while (i < count && strcmp(key, members[i].name) != 0) i++;
        if (i == count) return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': there is no member %s%s", r->file, where, key);
    }
    for (size_t i = 0; i < count; i++) {
        adatom_status status = ADATOM_OK;
        if ((value = json_object_get(object, members[i].name)))
            status = read_value(r, where, object, &members[i], value, (char *)out + members[i].offset);
        else if (members[i].required)
            status = ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %s%s is missing", r->file, where, members[i].name);
        if (status != ADATOM_OK) return status;
    }
    return ADATOM_OK;
}
#define READ(reader, where, object, members, out) read_object(reader, where, object, members, AD_COUNT(members), out)

static adatom_status check_info(const reader *r, const adatom_recipe *recipe) {
    const adatom_recipe_info *info = &recipe->info;
    const int tasks = recipe->episodes.tasks, rest = tasks - info->first;
    const bool builtin = info->spec && strncmp(info->spec, "builtin:", 8) == 0;
    if (!info->spec && !info->supply)
        return ad_fail(r->ctx, ADATOM_BAD_DATA,
                       "'%s': data.spec is missing, or data.supply that says what the user must bring", r->file);
    if (!builtin && (info->data_seed || info->per_class))
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': data.seed and data.per_class are for builtin sets", r->file);
    if (rest < 2 || info->count > rest || info->count == 1) /* an interval needs two episodes */
        return ad_fail(r->ctx, ADATOM_BAD_DATA,
                       "'%s': episodes.first and episodes.count must leave two or more of the %d episodes", r->file,
                       tasks);
    return ADATOM_OK;
}

static adatom_status read_result(const reader *r, json_t *object, int index, adatom_recipe *recipe) {
    const adatom_recipe_info *info = &recipe->info;
    adatom_recipe_result *out = &recipe->results[index];
    adatom_method *method = &recipe->methods[index];
    adatom_status status = ADATOM_OK;
    result_outline parts = {0};
    char where[64], why[AD_MESSAGE_BYTES];
    ad_settings settings;
    snprintf(where, sizeof where, "results[%d].", index);
    AD_TRY(READ(r, where, object, result_members, &parts));
    snprintf(where, sizeof where, "results[%d].expected.", index);
    AD_TRY(READ(r, where, parts.expected, expected_members, out));
    if (out->tolerance > 0 && !(info->data_hash && info->list_hash))
        AD_TRY(ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': %stolerance needs data.hash and episodes.list_hash", r->file,
                       where));
    snprintf(where, sizeof where, "results[%d].method.", index);
    AD_TRY(READ(r, where, parts.method, method_members, method));
    method->size = sizeof *method;
    method->seed = recipe->episodes.seed;
    out->method = method;
    if (ad_settings_resolve(r->ctx, method, NULL, &settings) != ADATOM_OK) {
        snprintf(why, sizeof why, "%s", r->ctx->message);
        AD_TRY(ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': results[%d].method: %s", r->file, index, why));
    }
done:
    return status;
}

adatom_status adatom_recipe_parse(adatom_context *context, const char *name, const char *text, size_t size,
                                  adatom_recipe **out) {
    adatom_status status = ADATOM_OK;
    const reader r = {context, name};
    outline parts = {0};
    json_error_t error;
    *out = NULL;
    adatom_recipe *recipe = ad_calloc(context, 1, sizeof *recipe);
    if (!recipe) return ADATOM_OUT_OF_MEMORY;
    recipe->ctx = context;
    adatom_recipe_info *info = &recipe->info;
    if (!(recipe->file = ad_strdup(context, name))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    status = ad_json_parse(context, text, size, &recipe->json, &error);
    if (status == ADATOM_BAD_DATA)
        AD_TRY(ad_fail(context, ADATOM_BAD_DATA, "'%s' line %d: not valid JSON: %s", name, error.line, error.text));
    AD_TRY(status);
    AD_TRY(READ(&r, "", recipe->json, outline_members, &parts));
    AD_TRY(READ(&r, "data.", parts.data, data_members, info));
    AD_TRY(READ(&r, "episodes.", parts.episodes, episodes_members, recipe));
    recipe->episodes.size = sizeof recipe->episodes;
    info->episodes = &recipe->episodes;
    AD_TRY(check_info(&r, recipe));
    info->name = parts.name;
    info->source = parts.source;
    info->notes = parts.notes;
    info->model = parts.model;
    info->model_hash = parts.model_hash;
    const size_t count = json_array_size(parts.results);
    if (count < 1 || count > MAX_RESULTS)
        AD_TRY(
            ad_fail(context, ADATOM_BAD_DATA, "'%s': results must be an array of 1 to %d objects", name, MAX_RESULTS));
    recipe->results = ad_calloc(context, count, sizeof *recipe->results);
    recipe->methods = ad_calloc(context, count, sizeof *recipe->methods);
    if (!recipe->results || !recipe->methods) AD_TRY(ADATOM_OUT_OF_MEMORY);
    info->results = (int)count;
    for (int i = 0; i < info->results; i++)
        AD_TRY(read_result(&r, json_array_get(parts.results, (size_t)i), i, recipe));
    *out = recipe;
    recipe = NULL;
done:
    adatom_recipe_destroy(&recipe);
    return status;
}

adatom_status adatom_recipe_load(adatom_context *context, const char *path, adatom_recipe **out) {
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    char *text = NULL;
    size_t size = 0;
    *out = NULL;
    adatom_status status = ad_read_file(context, path, MAX_FILE_BYTES, &text, &size);
    if (status == ADATOM_OK) status = adatom_recipe_parse(context, path, text, size, out);
    ad_free(text);
    return ad_call_end(context, &outer, status);
}

void adatom_recipe_destroy(adatom_recipe **recipe) {
    if (!recipe || !*recipe) return;
    json_decref((*recipe)->json);
    ad_free((*recipe)->results);
    ad_free((*recipe)->methods);
    ad_free((*recipe)->file);
    ad_free(*recipe);
    *recipe = NULL;
}

adatom_status adatom_recipe_describe(const adatom_recipe *recipe, adatom_recipe_info *out) {
    return AD_INFO(recipe->ctx, adatom_recipe_info, &recipe->info, out);
}

adatom_status adatom_recipe_get(const adatom_recipe *recipe, int result, adatom_recipe_result *out) {
    if (result < 0 || result >= recipe->info.results)
        return ad_fail(recipe->ctx, ADATOM_USAGE, "'%s' has no result %d, only 0 to %d", recipe->file, result,
                       recipe->info.results - 1);
    return AD_INFO(recipe->ctx, adatom_recipe_result, &recipe->results[result], out);
}
