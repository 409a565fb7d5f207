/* Texts of the enums in adatom/choice.h, and back. */
#include "base/base.h"

#include <string.h>

typedef struct choice {
    int value;
    const char *text;
} choice;

static const char *name_of(const choice *choices, size_t count, int value) {
    for (size_t i = 0; i < count; i++)
        if (choices[i].value == value) return choices[i].text;
    return "unknown";
}

static const choice *find(const choice *choices, size_t count, const char *text) {
    for (size_t i = 0; text && i < count; i++)
        if (strcmp(choices[i].text, text) == 0) return &choices[i];
    return NULL;
}

#define CHOICE(value, text) {value, text},
#define IMPLEMENT(type, LIST)                                                                                          \
    static const choice type##_choices[] = {LIST(CHOICE)};                                                             \
    const char *type##_name(type value) { return name_of(type##_choices, AD_COUNT(type##_choices), (int)value); }      \
    bool type##_parse(const char *text, type *out) {                                                                   \
        const choice *found = find(type##_choices, AD_COUNT(type##_choices), text);                                    \
        if (found) *out = (type)found->value;                                                                          \
        return found != NULL;                                                                                          \
    }

IMPLEMENT(adatom_precision, ADATOM_PRECISION_LIST)
IMPLEMENT(adatom_sharing, ADATOM_SHARING_LIST)
IMPLEMENT(adatom_stem, ADATOM_STEM_LIST)
IMPLEMENT(adatom_padding, ADATOM_PADDING_LIST)
IMPLEMENT(adatom_adapt_kind, ADATOM_ADAPT_LIST)
IMPLEMENT(adatom_optimizer, ADATOM_OPTIMIZER_LIST)
IMPLEMENT(adatom_head, ADATOM_HEAD_LIST)
IMPLEMENT(adatom_head_init, ADATOM_HEAD_INIT_LIST)
IMPLEMENT(adatom_meta, ADATOM_META_LIST)
IMPLEMENT(adatom_meta_norms, ADATOM_META_NORMS_LIST)
IMPLEMENT(adatom_distance, ADATOM_DISTANCE_LIST)
IMPLEMENT(adatom_bn, ADATOM_BN_LIST)
IMPLEMENT(adatom_conv, ADATOM_CONV_LIST)
IMPLEMENT(adatom_procedure, ADATOM_PROCEDURE_LIST)
IMPLEMENT(adatom_estimate, ADATOM_ESTIMATE_LIST)
IMPLEMENT(adatom_layout, ADATOM_LAYOUT_LIST)
IMPLEMENT(adatom_interpolation, ADATOM_INTERPOLATION_LIST)
IMPLEMENT(adatom_suite, ADATOM_SUITE_LIST)
IMPLEMENT(adatom_bench_status, ADATOM_BENCH_STATUS_LIST)
IMPLEMENT(adatom_phase, ADATOM_PHASE_LIST)

static const struct {
    uint32_t flag;
    const char *text;
} augments[] = {
#define AUGMENT(name, value, text) {value, text},
    ADATOM_AUGMENT_LIST(AUGMENT)};

size_t adatom_augment_text(uint32_t flags, char *out, size_t capacity) {
    size_t needed = 0;
    for (size_t i = 0; i < AD_COUNT(augments); i++) {
        if (!(flags & augments[i].flag)) continue;
        const char *const parts[] = {needed ? "+" : "", augments[i].text};
        for (size_t p = 0; p < AD_COUNT(parts); p++)
            for (const char *at = parts[p]; *at; at++, needed++)
                if (needed + 1 < capacity) out[needed] = *at;
    }
    if (capacity) out[AD_MIN(needed, capacity - 1)] = 0;
    return needed;
}

bool adatom_augment_parse(const char *text, uint32_t *flags) {
    uint32_t found = 0;
    for (const char *at = text; at && *at;) {
        const size_t length = strcspn(at, "+");
        size_t i = 0;
        while (i < AD_COUNT(augments) && (strncmp(at, augments[i].text, length) != 0 || augments[i].text[length])) i++;
        if (i == AD_COUNT(augments)) return false;
        found |= augments[i].flag;
        at += length;
        at += *at == '+';
    }
    if (text) *flags = found;
    return text != NULL;
}

void ad_choice_join(const char *const *texts, char *out, size_t capacity) {
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; texts[i] && used < capacity; i++)
        if (strcmp(texts[i], "default") != 0)
            used += (size_t)ad_print(out + used, capacity - used, "%s%s", used ? ", " : "", texts[i]);
}

adatom_status ad_choice_refuse(adatom_context *ctx, const char *what, int value) {
    return ad_fail(ctx, ADATOM_USAGE, "%s number %d is not known", what, value);
}
