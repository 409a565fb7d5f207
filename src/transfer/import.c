/* A state_dict from elsewhere becomes a model. */
#include "io/tensor_file.h"
#include "transfer/layout.h"

#include <adatom/transfer.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define USUAL_SIZE 224
#define MAX_NAMES 5 /* of the missing or left-over tensors that a message lists */

typedef struct importing {
    adatom_context *ctx;
    adatom_import_params params;
    ad_tensor_file file;
    ad_name_map map;
} importing;

/* One way of reading the file: a layout, a network, and what stands before the layout's names. */
typedef struct reading {
    const ad_layout *layout;
    adatom_model_params network;
    char prefix[64];
    int score; /* tensors found, less those missing or left over */
} reading;

/* The tensor for `outer`: by the map, else under the layout's name behind the prefix. What stands beside the backbone
 * ("classifier" beside "feature.trunk...") may be behind a shorter prefix. */
static const ad_file_tensor *find(const importing *in, const char *prefix, const ad_outer *outer) {
    char name[2 * AD_LAYOUT_NAME];
    const char *mapped = ad_name_map_source(&in->map, outer);
    if (mapped) return ad_tensor_file_find(&in->file, mapped);
    for (size_t length = strlen(prefix);; length--) {
        if (length && prefix[length - 1] != '.') continue;
        snprintf(name, sizeof name, "%.*s%s", (int)length, prefix, outer->name);
        const ad_file_tensor *tensor = ad_name_map_omits(&in->map, name) ? NULL : ad_tensor_file_find(&in->file, name);
        if (tensor || length == 0 || outer->kind != AD_OUTER_HEAD) return tensor;
    }
}

/* A tensor that nothing needs and nobody misses. */
static bool ignored(const importing *in, const reading *r, const char *name) {
    static const char counter[] = "num_batches_tracked";
    const size_t length = strlen(name), prefix = strlen(r->prefix);
    if (length >= sizeof counter - 1 && strcmp(name + length - (sizeof counter - 1), counter) == 0) return true;
    for (int i = 0; r->layout->ignored[i]; i++)
        if (strncmp(name, r->prefix, prefix) == 0 && ad_layout_matches(r->layout->ignored[i], name + prefix))
            return true;
    return ad_name_map_omits(&in->map, name);
}

/* Whether a tensor has the numbers that `outer` needs. 1s at the end of a shape make no difference: a 1x1 kernel may be
 * the [o,c] of a linear layer, and torchvision's factors before a residual sum are [c,1,1]. */
static bool fits(const ad_outer *outer, const ad_file_tensor *tensor) {
    const size_t both = (size_t)AD_MIN(outer->rank, tensor->rank);
    return memcmp(tensor->shape, outer->shape, both * sizeof *outer->shape) == 0 &&
           (tensor->rank == outer->rank || tensor->elements == ad_outer_elements(outer));
}

/* Which tensors of the file the list uses (taken), and how many of the list are found and missing; exact: one of
 * another shape counts as missing. */
static void match(const importing *in, const reading *r, const ad_outer_list *list, bool exact, bool *taken, int *found,
                  int *missing) {
    *found = *missing = 0;
    for (int i = 0; i < list->count; i++) {
        const ad_outer *outer = &list->items[i];
        const ad_file_tensor *tensor = find(in, r->prefix, outer);
        if (tensor) taken[tensor - in->file.tensors] = true;
        if (outer->again || outer->kind == AD_OUTER_COUNTER) continue;
        *(tensor && (!exact || fits(outer, tensor)) ? found : missing) += 1;
    }
}

/* How early a prefix is looked for: less is earlier. Those of known parts come first, fewer parts before more. */
static int rank_of(const char *prefix) {
    enum { LAST = 1 << 20 };
    int rank = 0;
    for (size_t length = 0; *prefix && rank < LAST; prefix += length) {
        int i = 0;
        while (ad_layout_prefixes[i] && strncmp(prefix, ad_layout_prefixes[i], strlen(ad_layout_prefixes[i])) != 0) i++;
        if (!ad_layout_prefixes[i]) return LAST + (int)strlen(prefix);
        length = strlen(ad_layout_prefixes[i]);
        rank = rank * 16 + i + 1;
    }
    return rank;
}

/* Width, stem and prefix from the first convolution, classes from the head: false if the file has no such
 * convolution. */
static bool measure(const importing *in, reading *r, const ad_network *guess, ad_outer_list *list) {
    const ad_file_tensor *first = NULL, *head = NULL;
    const ad_outer *outer = &list->items[0];
    const char *mapped = ad_name_map_source(&in->map, outer);
    const size_t length = strlen(outer->name);
    int best = INT_MAX;
    r->prefix[0] = 0;
    if (mapped) first = ad_tensor_file_find(&in->file, mapped);
    const bool is_given = first != NULL;
    for (size_t i = 0; i < in->file.count && !is_given; i++) {
        const char *name = in->file.tensors[i].name;
        const size_t all = strlen(name);
        char prefix[sizeof r->prefix];
        if (all < length || strcmp(name + all - length, outer->name) != 0 || all - length >= sizeof prefix - 1)
            continue;
        if (all > length && name[all - length - 1] != '.') continue;
        snprintf(prefix, sizeof prefix, "%.*s", (int)(all - length), name);
        if (rank_of(prefix) >= best) continue;
        best = rank_of(prefix);
        first = &in->file.tensors[i];
        strcpy(r->prefix, prefix);
    }
    if (!first || first->rank != 4 || first->shape[0] < 4 || first->shape[0] > 1024 || first->shape[0] % 4)
        return false;
    bool others;
    if (first->shape[0] != ad_network_width(r->network.arch, &others) && !others) return false;
    r->network.width = (int)first->shape[0];
    if (guess->made_from.stem) r->network.stem = first->shape[2] == 3 ? ADATOM_STEM_3X3 : ADATOM_STEM_7X7;
    for (int i = 0; i < list->count; i++)
        if (list->items[i].kind == AD_OUTER_HEAD && list->items[i].rank == 2)
            head = find(in, r->prefix, &list->items[i]);
    r->network.classes = head && head->rank == 2 && head->shape[0] <= 65536 ? (int)head->shape[0] : 0;
    return true;
}

/* How well the file fits layout and arch; score INT_MIN where it does not at all. */
static adatom_status try_reading(const importing *in, const ad_layout *layout, const char *arch, reading *r) {
    ad_network net = {0};
    ad_outer_list list = {0};
    adatom_status status;
    int found, missing;
    *r = (reading){.layout = layout, .score = INT_MIN};
    r->network = (adatom_model_params){.arch = arch,
                                       .sharing = ADATOM_SHARING_NONE,
                                       .norm_epsilon = layout->epsilon,
                                       .padding = layout->padding,
                                       .classes = 1,
                                       .image_size = USUAL_SIZE}; /* the names have no size */
    bool *taken = ad_calloc(in->ctx, in->file.count, sizeof *taken);
    if (!taken) return ADATOM_OUT_OF_MEMORY;
    AD_TRY(ad_network_build(in->ctx, &r->network, &net));
    AD_TRY(ad_layout_list(in->ctx, layout, &net, &list));
    if (!measure(in, r, &net, &list)) goto done;
    ad_network_clear(&net);
    ad_free(list.items);
    list.items = NULL;
    AD_TRY(ad_network_build(in->ctx, &r->network, &net));
    AD_TRY(ad_layout_list(in->ctx, layout, &net, &list));
    match(in, r, &list, true, taken, &found, &missing);
    if (found == 0) goto done;
    r->score = found - missing;
    for (size_t i = 0; i < in->file.count; i++) r->score -= !taken[i] && !ignored(in, r, in->file.tensors[i].name);
done:
    ad_free(taken);
    ad_free(list.items);
    ad_network_clear(&net);
    return status;
}

static bool asked(const char *wish, const char *name) {
    return !wish || strcmp(wish, "auto") == 0 || strcmp(wish, name) == 0;
}

AD_CHOSEN(is_layout, ADATOM_LAYOUT_LIST)
AD_CHOSEN(is_interpolation, ADATOM_INTERPOLATION_LIST)

static adatom_status recognise(const importing *in, reading *best) {
    const char *layout = adatom_layout_name(in->params.layout);
    bool possible = false;
    *best = (reading){.score = INT_MIN};
    if (!is_layout((int)in->params.layout)) return ad_choice_refuse(in->ctx, "layout", (int)in->params.layout);
    for (int l = 0; l < ad_layout_count; l++)
        for (int a = 0; a < AD_LAYOUT_ARCHS && ad_layouts[l].archs[a]; a++) {
            reading r;
            if (!asked(layout, ad_layouts[l].name) || !asked(in->params.arch, ad_layouts[l].archs[a])) continue;
            possible = true;
            adatom_status status = try_reading(in, &ad_layouts[l], ad_layouts[l].archs[a], &r);
            if (status != ADATOM_OK) return status;
            if (r.score > best->score) *best = r;
            if ((status = ad_interrupted(in->ctx)) != ADATOM_OK) return status;
        }
    if (!possible)
        return ad_fail(in->ctx, ADATOM_USAGE,
                       "no layout '%s' of a network '%s' is known; 'adatom import --list' and adatom_import_source() "
                       "tell which are",
                       layout, in->params.arch ? in->params.arch : "auto");
    if (best->score == INT_MIN)
        return ad_fail(
            in->ctx, ADATOM_BAD_DATA,
            "'%s': none of its %zu tensors has the name of a first convolution of a network that is known (its first "
            "tensor is '%s'); give the names with a map",
            in->file.name, in->file.count, in->file.count ? in->file.tensors[0].name : "");
    return ADATOM_OK;
}

/* Adds a name to a message of at most MAX_NAMES. */
static void mention(char *text, size_t capacity, int number, const char *name) {
    const size_t used = strlen(text);
    if (number < MAX_NAMES)
        snprintf(text + used, capacity - used, "%s'%.100s'", number ? ", " : "", name);
    else if (number == MAX_NAMES)
        snprintf(text + used, capacity - used, ", ...");
}

static adatom_status check_complete(const importing *in, const reading *r, const ad_outer_list *list) {
    char absent[800] = "", left[800] = "", name[2 * AD_LAYOUT_NAME];
    int found, missing, spare = 0, number = 0;
    bool *taken = ad_calloc(in->ctx, in->file.count, sizeof *taken);
    if (!taken) return ADATOM_OUT_OF_MEMORY;
    match(in, r, list, false, taken, &found, &missing);
    for (int i = 0; i < list->count && missing; i++) {
        const ad_outer *outer = &list->items[i];
        if (outer->again || outer->kind == AD_OUTER_COUNTER || find(in, r->prefix, outer)) continue;
        const char *mapped = ad_name_map_source(&in->map, outer);
        snprintf(name, sizeof name, "%s%s", mapped ? "" : r->prefix, mapped ? mapped : outer->name);
        mention(absent, sizeof absent, number++, name);
    }
    for (size_t i = 0; i < in->file.count; i++)
        if (!taken[i] && !ignored(in, r, in->file.tensors[i].name))
            mention(left, sizeof left, spare++, in->file.tensors[i].name);
    ad_free(taken);
    if (missing && spare)
        return ad_fail(in->ctx, ADATOM_BAD_DATA,
                       "'%s', read as %s of %s: %d tensors are missing: %.300s; and %d are left over: %.300s",
                       in->file.name, r->network.arch, r->layout->name, missing, absent, spare, left);
    if (missing)
        return ad_fail(in->ctx, ADATOM_BAD_DATA, "'%s', read as %s of %s: %d tensors are missing: %s", in->file.name,
                       r->network.arch, r->layout->name, missing, absent);
    if (spare)
        return ad_fail(in->ctx, ADATOM_BAD_DATA,
                       "'%s', read as %s of %s: %d tensors are left over: %s (a map can leave them out)", in->file.name,
                       r->network.arch, r->layout->name, spare, left);
    return ADATOM_OK;
}

static void shape_text(char *out, size_t capacity, int rank, const int64_t *shape) {
    size_t used = (size_t)snprintf(out, capacity, "[");
    for (int i = 0; i < rank && used < capacity; i++)
        used += (size_t)snprintf(out + used, capacity - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    if (used < capacity) snprintf(out + used, capacity - used, "]");
}

static adatom_status check_tensor(const importing *in, const ad_outer *outer, const ad_file_tensor *tensor) {
    char is[200], expected[100];
    if (!ad_file_tensor_is_float(tensor))
        return ad_fail(in->ctx, ADATOM_BAD_DATA,
                       "'%s': tensor '%s' holds integers; floating-point numbers were expected", in->file.name,
                       tensor->name);
    if (fits(outer, tensor)) return ADATOM_OK;
    shape_text(is, sizeof is, tensor->rank, tensor->shape);
    shape_text(expected, sizeof expected, outer->rank, outer->shape);
    return ad_fail(in->ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has the shape %s; %s was expected", in->file.name,
                   tensor->name, is, expected);
}

static adatom_status check_tensors(const importing *in, const reading *r, const ad_outer_list *list) {
    for (int i = 0; i < list->count; i++) {
        const ad_outer *outer = &list->items[i];
        if (outer->again || outer->kind == AD_OUTER_COUNTER) continue;
        adatom_status status = check_tensor(in, outer, find(in, r->prefix, outer));
        if (status != ADATOM_OK) return status;
    }
    return ADATOM_OK;
}

static adatom_status read_tensor(const importing *in, const ad_outer *outer, const ad_file_tensor *tensor,
                                 adatom_model *model) {
    enum { PART = 4096 };
    const ad_network *net = &model->net;
    const bool variance = outer->kind == AD_OUTER_PARAM && outer->part == 1;
    float values[PART];
    for (size_t e = 0; e < tensor->elements; e++) {
        if (e % PART == 0) ad_file_tensor_floats(tensor, e, AD_MIN(tensor->elements - e, (size_t)PART), values);
        const float value = values[e % PART];
        if (!isfinite(value) || (variance && value < 0))
            return ad_fail(in->ctx, ADATOM_BAD_DATA,
                           "'%s': tensor '%s' has the value %g at element %zu; a %s number was expected", in->file.name,
                           tensor->name, (double)value, e, variance ? "finite, non-negative" : "finite");
        if (outer->kind == AD_OUTER_KERNEL) {
            const ad_param *p = &net->params[net->nodes[outer->node].kernel];
            model->values[p->offset + ad_param_at(p, 0, e)] = value;
        } else if (outer->kind == AD_OUTER_BIAS) {
            /* norm(x + b) with mean m is norm(x) with mean m - b. The mean was read before: see read_all. */
            const ad_param *p = &net->params[net->nodes[outer->node + 1].statistics];
            model->values[p->offset + ad_param_at(p, 0, e)] -= value;
        } else {
            model->values[net->params[outer->param].offset + ad_outer_at(net, outer, e)] = value;
        }
    }
    return ADATOM_OK;
}

static adatom_status read_all(const importing *in, const reading *r, const ad_outer_list *list, adatom_model *model) {
    for (int biases = 0; biases < 2; biases++)
        for (int i = 0; i < list->count; i++) {
            const ad_outer *outer = &list->items[i];
            const ad_file_tensor *tensor = find(in, r->prefix, outer);
            if (outer->again || outer->kind == AD_OUTER_COUNTER || (outer->kind == AD_OUTER_BIAS) != biases) continue;
            adatom_status status = read_tensor(in, outer, tensor, model);
            if (status != ADATOM_OK) return status;
        }
    return ADATOM_OK;
}

/* Finds how the source prepares pictures for the network; NULL if that is not known. */
static adatom_status find_preparation(const importing *in, const reading *r, const ad_preparation **out) {
    const char *weights = in->params.weights, *layout = r->layout->name, *arch = r->network.arch;
    char known[200] = "";
    size_t used = 0;
    *out = ad_preparation_find(layout, arch, weights);
    if (*out || !weights) return ADATOM_OK;
    for (int i = 0; i < ad_preparation_count && used < sizeof known; i++)
        if (ad_preparation_is_for(&ad_preparations[i], layout, arch))
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                     ad_preparations[i].weights);
    return ad_fail(in->ctx, ADATOM_USAGE, "no weights '%s' of %s's %s are known%s%s", weights, layout, arch,
                   used ? "; these are: " : "", known);
}

/* Chooses to what the shorter side is scaled: as asked for, else as the source does. At another size than the source's
 * nothing is cropped. */
static adatom_status choose_resize(const importing *in, const ad_preparation *source, int size, int *out) {
    const adatom_import_params *p = &in->params;
    if (p->crop != 0 && p->resize)
        return ad_fail(in->ctx, ADATOM_USAGE, "crop and resize exclude each other: one follows from the other");
    if (p->crop != 0 && !(p->crop >= 0.01f && p->crop <= 1))
        return ad_fail(in->ctx, ADATOM_USAGE, "a crop of %g: a fraction from 0.01 to 1 is possible", (double)p->crop);
    *out = p->resize                        ? p->resize
           : p->crop != 0                   ? ad_resize_for_crop(size, (double)p->crop)
           : source && size == source->size ? ad_preparation_resize(source)
           : !source && size == USUAL_SIZE  ? 256
                                            : size;
    if (*out >= size && *out <= 4096) return ADATOM_OK;
    return ad_fail(in->ctx, ADATOM_USAGE, "pictures cannot be scaled to %d before %d x %d are cropped from them", *out,
                   size, size);
}

static adatom_status preprocessing(const importing *in, const ad_preparation *source, adatom_model *model) {
    const adatom_import_params *p = &in->params;
    adatom_status status = choose_resize(in, source, model->net.image_size, &model->resize);
    if (status != ADATOM_OK) return status;
    if (!is_interpolation((int)p->interpolation))
        return ad_choice_refuse(in->ctx, "interpolation", (int)p->interpolation);
    if (p->interpolation != ADATOM_INTERPOLATION_DEFAULT)
        model->interpolation = p->interpolation;
    else if (source)
        model->interpolation = source->interpolation;
    const bool own = p->std[0] != 0 || p->std[1] != 0 || p->std[2] != 0;
    if (!own && !source) return ADATOM_OK;
    for (int i = 0; i < 3; i++) {
        const float mean = own ? p->mean[i] : source->mean[i], std = own ? p->std[i] : source->std[i];
        if (!(fabsf(mean) <= 1e6f) || !(std >= 1e-6f && std <= 1e6f))
            return ad_fail(in->ctx, ADATOM_USAGE, "the preprocessing's mean %g and std %g are impossible", (double)mean,
                           (double)std);
        model->mean[i] = mean;
        model->std[i] = std;
    }
    return ADATOM_OK;
}

/* What PyTorch puts before a network's own names where it runs on several devices or is compiled. */
static size_t wrapping(const char *prefix) {
    static const char parallel[] = "module.", compiled[] = "_orig_mod.";
    size_t length = 0;
    for (;;) {
        const char *rest = prefix + length;
        if (strncmp(rest, parallel, sizeof parallel - 1) == 0)
            length += sizeof parallel - 1;
        else if (strncmp(rest, compiled, sizeof compiled - 1) == 0)
            length += sizeof compiled - 1;
        else
            return length;
    }
}

/* The names to export under. */
static void remember(const importing *in, const reading *r, const ad_outer_list *list, adatom_model *model) {
    ad_origin *origin = &model->origin;
    const size_t skip = wrapping(r->prefix);
    snprintf(origin->layout, sizeof origin->layout, "%s", r->layout->name);
    snprintf(origin->prefix, sizeof origin->prefix, "%s", r->prefix + skip);
    for (int i = 0; i < list->count; i++) {
        const ad_file_tensor *tensor =
            list->items[i].kind == AD_OUTER_HEAD ? find(in, r->prefix, &list->items[i]) : NULL;
        const size_t all = tensor ? strlen(tensor->name) : 0, own = strlen(list->items[i].name);
        if (all > own + skip)
            snprintf(origin->head_prefix, sizeof origin->head_prefix, "%.*s", (int)(all - own - skip),
                     tensor->name + skip);
    }
}

/* `file` is taken. */
static adatom_status import_file(adatom_context *context, ad_tensor_file *file, const adatom_import_params *params,
                                 adatom_model **out) {
    importing in = {.ctx = context, .file = *file, .params = *params};
    ad_network net = {0};
    ad_outer_list list = {0};
    adatom_model *model = NULL;
    const ad_preparation *source = NULL;
    reading r;
    adatom_status status;
    if (in.file.is_model)
        AD_TRY(ad_fail(context, ADATOM_BAD_DATA, "'%s' is a model of this program already", in.file.name));
    AD_TRY(ad_name_map_read(context, in.params.map, &in.map));
    AD_TRY(recognise(&in, &r));
    AD_TRY(find_preparation(&in, &r, &source));
    r.network.image_size = in.params.image_size ? in.params.image_size
                           : source             ? source->size
                                                : ad_network_pictures(r.network.arch);
    AD_TRY(ad_network_build(context, &r.network, &net));
    AD_TRY(ad_layout_list(context, r.layout, &net, &list));
    AD_TRY(ad_name_map_check(context, &in.map, in.params.map, &list));
    AD_TRY(check_complete(&in, &r, &list));
    AD_TRY(check_tensors(&in, &r, &list)); /* before memory is taken for the first tensor's word */
    AD_TRY(ad_model_create_blank(context, &r.network, &model));
    AD_TRY(read_all(&in, &r, &list, model));
    AD_TRY(preprocessing(&in, source, model));
    remember(&in, &r, &list, model);
    ad_model_rehash(model);
    *out = model;
    model = NULL;
done:
    adatom_model_destroy(&model);
    ad_free(list.items);
    ad_network_clear(&net);
    ad_name_map_clear(&in.map);
    ad_tensor_file_clear(&in.file);
    return status;
}

adatom_status adatom_model_import_bytes(adatom_context *context, const char *name, const void *bytes, size_t size,
                                        const adatom_import_params *params, adatom_model **out) {
    adatom_import_params p;
    ad_tensor_file file = {0};
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_import_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    AD_TRY(status);
    AD_TRY(ad_tensor_file_parse(context, name, bytes, size, &file));
    AD_TRY(import_file(context, &file, &p, out));
done:
    return ad_call_end(context, &outer, status);
}

adatom_status adatom_model_import(adatom_context *context, const char *path, const adatom_import_params *params,
                                  adatom_model **out) {
    adatom_import_params p;
    ad_tensor_file file = {0};
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_import_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    AD_TRY(status);
    AD_TRY(ad_tensor_file_open(context, path, &file));
    AD_TRY(import_file(context, &file, &p, out));
done:
    return ad_call_end(context, &outer, status);
}
