/* builtin:shapes, a procedural data set. A class is a form filled with a texture (13 x 8 = 104 classes; base, val and
 * novel share forms and textures but no pair of them). Everything else varies from picture to picture and carries no
 * information on the class: colours, place, size, rotation, shear, light, shadow, background, clutter, occluders, focus
 * and noise. The pictures are the same on every machine, since only + - * / and square roots of floats are used. */
#include "io/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__ /* gcc needs no pragma: in ISO C mode, which the build uses, it contracts nothing */
#pragma STDC FP_CONTRACT OFF
#endif

enum { LATTICE = 8, CLUTTER_MAX = 3, BACKDROPS = 3, PICTURES_MAX = 100000 };

static const char *const form_names[] = {"aitch", "crescent", "cross",  "disc", "ell",     "gear",    "halfdisc",
                                         "ring",  "spiral",   "square", "star", "trefoil", "triangle"};
static const char *const texture_names[] = {"blotches", "bullseye", "checker", "dots",
                                            "fine",     "hatch",    "plain",   "stripes"};
enum form { AITCH, CRESCENT, CROSS, DISC, ELL, GEAR, HALF_DISC, RING, SPIRAL, SQUARE, STAR, TREFOIL, TRIANGLE, FORMS };
enum texture { BLOTCHES, BULLSEYE, CHECKER, DOTS, FINE, HATCH, PLAIN, STRIPES, TEXTURES };
enum { CLASSES = FORMS * TEXTURES };
_Static_assert((int)CLASSES == (int)AD_SHAPES_CLASSES, "ad_shapes has a number for each class");

typedef struct vec {
    float x, y;
} vec;
typedef struct rgb {
    float c[3];
} rgb;

/* A form placed in the picture: point p of the picture is point q = m (p - centre) of the form. */
typedef struct placed {
    vec centre;
    float m[4];
    enum form form;
    rgb colour;
} placed;

typedef struct scene {
    placed object;
    enum texture texture;
    rgb colours[2], background[2];
    vec phase, shadow;
    vec light, slope; /* directions: of the light, and in which the background's colour changes */
    float shade, shadow_depth, lattice[2][LATTICE][LATTICE];
    float soft;  /* width of edges in units of the object: one pixel, or more where the picture is out of focus */
    float pixel; /* the same in units of the picture */
    int backdrop, clutter_count;
    bool occluded;
    float backdrop_frequency, backdrop_contrast;
    placed clutter[CLUTTER_MAX], occluder;
    float noise, exposure;
} scene;

/* --- arithmetic --- */

#define PI 3.14159265f

static float clamp01(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static float length(float x, float y) { return sqrtf(x * x + y * y); }
static float between(ad_random *r, float low, float high) { return low + (high - low) * ad_random_uniform(r); }

/* Cosine and sine of an angle in turns, by Taylor polynomials on an eighth of a turn; error < 4e-6. */
static vec direction(float turns) {
    float t = turns - floorf(turns);
    int quarter = (int)(t * 4 + 0.5f);
    float a = (t - (float)quarter * 0.25f) * 2 * PI, b = a * a;
    float s = a * (1 - b / 6 * (1 - b / 20 * (1 - b / 42))), c = 1 - b / 2 * (1 - b / 12 * (1 - b / 30 * (1 - b / 56)));
    switch (quarter & 3) {
    case 0: return (vec){c, s};
    case 1: return (vec){-s, c};
    case 2: return (vec){-c, -s};
    default: return (vec){s, -c};
    }
}

/* Angle of (x, y) in turns, -0.5..0.5; error < 2e-6 turns [Abramowitz and Stegun, 4.4.49]. */
static float turns_of(float x, float y) {
    float ax = fabsf(x), ay = fabsf(y), big = AD_MAX(ax, ay);
    if (big == 0) return 0;
    float t = AD_MIN(ax, ay) / big, u = t * t;
    float a = t * (0.9998660f + u * (-0.3302995f + u * (0.1801410f + u * (-0.0851330f + u * 0.0208351f)))) / (2 * PI);
    if (ay > ax) a = 0.25f - a;
    if (x < 0) a = 0.5f - a;
    return y < 0 ? -a : a;
}

/* Rotates q into the first of n equal sectors around the x axis, and mirrors the sector's lower half up. */
static vec fold(vec q, int n) {
    float a = turns_of(q.x, q.y) * (float)n, r = length(q.x, q.y);
    vec d = direction((a - floorf(a + 0.5f)) / (float)n);
    return (vec){r * d.x, r * fabsf(d.y)};
}

static float box(float x, float y, float half_width, float half_height) {
    return AD_MAX(fabsf(x) - half_width, fabsf(y) - half_height);
}

/* --- forms and textures --- */

/* Approximate distance to the form's edge, negative inside; forms have a radius of about 1. */
static float form_distance(enum form form, vec q) {
    float r = length(q.x, q.y);
    switch (form) {
    case CRESCENT: return AD_MAX(r - 0.95f, 0.75f - length(q.x - 0.5f, q.y));
    case CROSS: return AD_MIN(box(q.x, q.y, 0.95f, 0.3f), box(q.x, q.y, 0.3f, 0.95f));
    case DISC: return r - 0.85f;
    case ELL: return AD_MIN(box(q.x + 0.4f, q.y, 0.28f, 0.95f), box(q.x, q.y - 0.67f, 0.68f, 0.28f));
    case GEAR: {
        vec f = fold(q, 8);
        return AD_MAX(AD_MIN(r - 0.7f, box(f.x - 0.75f, f.y, 0.25f, 0.15f)), 0.25f - r);
    }
    case AITCH: return AD_MIN(box(fabsf(q.x) - 0.55f, q.y, 0.24f, 0.95f), box(q.x, q.y, 0.5f, 0.22f));
    case HALF_DISC: return AD_MAX(length(q.x, q.y - 0.45f) - 1, q.y - 0.45f);
    case RING: return fabsf(r - 0.68f) - 0.26f;
    case SPIRAL: {
        float arm = r / 0.5f - turns_of(q.x, q.y);
        return AD_MAX(fabsf(arm - floorf(arm + 0.5f)) * 0.5f - 0.15f, r - 1.05f);
    }
    case SQUARE: return box(q.x, q.y, 0.75f, 0.75f);
    case STAR: { /* the edge from a tip at radius 1 to a notch at 0.45, 36 degrees on */
        vec f = fold(q, 5), tip = {1, 0}, notch = {0.36405f, 0.26450f};
        vec edge = {notch.x - tip.x, notch.y - tip.y};
        return ((f.x - tip.x) * edge.y - (f.y - tip.y) * edge.x) / length(edge.x, edge.y);
    }
    case TREFOIL: {
        vec f = fold(q, 3);
        return length(f.x - 0.5f, f.y) - 0.48f;
    }
    default: {
        vec f = fold(q, 3);
        return f.x - 0.55f;
    }
    }
}

/* Triangle wave of period 1 between -1/4 and 1/4, the distance to the edge of a stripe. */
static float stripe(float x) { return fabsf(x - floorf(x) - 0.5f) - 0.25f; }

static float lattice_noise(const float lattice[LATTICE][LATTICE], float x, float y) {
    float fx = floorf(x), fy = floorf(y), u = x - fx, v = y - fy;
    int i = (int)fx & (LATTICE - 1), j = (int)fy & (LATTICE - 1), i1 = (i + 1) & (LATTICE - 1),
        j1 = (j + 1) & (LATTICE - 1);
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    float top = lattice[j][i] + (lattice[j][i1] - lattice[j][i]) * u,
          bottom = lattice[j1][i] + (lattice[j1][i1] - lattice[j1][i]) * u;
    return top + (bottom - top) * v;
}

/* The share of the second colour at q, 0..1. */
static float texture_value(const scene *s, vec q) {
    float d = 0, cell; /* d: distance to the edge between the colours */
    switch (s->texture) {
    case BLOTCHES:
        d = (lattice_noise(s->lattice[0], q.x * 2.6f + s->phase.x, q.y * 2.6f + s->phase.y) - 0.5f) * 0.5f;
        break;
    case BULLSEYE: d = stripe(length(q.x, q.y) / 0.5f) * 0.5f; break;
    case CHECKER: {
        float a = stripe(q.x / 0.8f + s->phase.x) * 0.8f, b = stripe(q.y / 0.8f + s->phase.y) * 0.8f;
        d = a * b < 0 ? -AD_MIN(fabsf(a), fabsf(b)) : AD_MIN(fabsf(a), fabsf(b));
        break;
    }
    case DOTS:
    case HATCH: {
        cell = s->texture == DOTS ? 0.5f : 0.48f;
        float a = q.x / cell + s->phase.x, b = q.y / cell + s->phase.y;
        a = fabsf(a - floorf(a) - 0.5f) * cell;
        b = fabsf(b - floorf(b) - 0.5f) * cell;
        d = s->texture == DOTS ? length(a, b) - 0.16f : AD_MIN(a, b) - 0.07f;
        break;
    }
    case FINE: d = stripe(q.x / 0.34f + s->phase.x) * 0.34f; break;
    case STRIPES: d = stripe(q.x / 0.85f + s->phase.x) * 0.85f; break;
    default: return 0;
    }
    return clamp01(0.5f - d / s->soft);
}

/* --- the scene of a picture --- */

/* Each number is drawn by a statement of its own, since C leaves the order of evaluation within an expression open. */
static vec random_point(ad_random *r, float low, float high) {
    float x = between(r, low, high), y = between(r, low, high);
    return (vec){x, y};
}

static rgb random_colour(ad_random *r) {
    rgb colour;
    for (int i = 0; i < 3; i++) colour.c[i] = between(r, 0.05f, 1);
    return colour;
}

static float contrast(rgb a, rgb b) {
    return fabsf(0.3f * (a.c[0] - b.c[0]) + 0.6f * (a.c[1] - b.c[1]) + 0.1f * (a.c[2] - b.c[2]));
}

/* A random colour with at least the wanted contrast to the others; after 24 tries the last one. */
static rgb different_colour(ad_random *r, const rgb *others, int count, float wanted) {
    rgb colour = random_colour(r);
    for (int tries = 0; tries < 24; tries++) {
        bool good = true;
        for (int i = 0; i < count; i++) good = good && contrast(colour, others[i]) >= wanted;
        if (good) break;
        colour = random_colour(r);
    }
    return colour;
}

static placed place(ad_random *r, enum form form, vec centre, float radius_low, float radius_high, float turn,
                    float shear) {
    float radius = between(r, radius_low, radius_high);
    vec d = direction(between(r, -turn, turn));
    float stretch = 1 + between(r, -shear, shear), slant = between(r, -shear, shear);
    float wide = stretch / radius, high = 1 / (stretch * radius);
    return (placed){.centre = centre,
                    .m = {(d.x + slant * d.y) * wide, (d.y - slant * d.x) * wide, -d.y * high, d.x * high},
                    .form = form,
                    .colour = random_colour(r)};
}

static vec to_form(const placed *p, vec at) {
    float x = at.x - p->centre.x, y = at.y - p->centre.y;
    return (vec){p->m[0] * x + p->m[1] * y, p->m[2] * x + p->m[3] * y};
}

static void make_scene(scene *s, ad_random *r, int class_index, int size) {
    *s = (scene){.texture = (enum texture)(class_index % TEXTURES)};
    float radius = between(r, 0.5f, 0.75f), reach = 0.9f - radius;
    vec centre = random_point(r, -reach, reach);
    s->object = place(r, (enum form)(class_index / TEXTURES), centre, radius, radius, 0.1f, 0.15f);
    s->colours[0] = random_colour(r);
    s->colours[1] = different_colour(r, s->colours, 1, 0.25f);
    s->background[0] = different_colour(r, s->colours, 2, 0.15f);
    s->background[1] = different_colour(r, s->colours, 2, 0.15f);
    s->phase = random_point(r, 0, LATTICE);
    s->light = direction(ad_random_uniform(r));
    s->slope = direction(ad_random_uniform(r));
    s->shade = between(r, 0.1f, 0.4f);
    float drop = between(r, 0.04f, 0.16f);
    s->shadow = (vec){-s->light.x * drop, -s->light.y * drop};
    s->shadow_depth = ad_random_uniform(r) < 0.6f ? between(r, 0.2f, 0.6f) : 0;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < LATTICE * LATTICE; i++) s->lattice[k][i / LATTICE][i % LATTICE] = ad_random_uniform(r);
    }
    float focus = ad_random_uniform(r) < 0.5f ? between(r, 0.02f, 0.07f) : 0;
    s->pixel = AD_MAX(2.0f / (float)size, focus);
    s->soft = s->pixel / radius;
    s->backdrop = (int)ad_random_below(r, BACKDROPS);
    s->backdrop_frequency = between(r, 1.0f, 4.0f);
    s->backdrop_contrast = between(r, 0.05f, 0.4f);
    s->clutter_count = (int)ad_random_below(r, CLUTTER_MAX + 1);
    for (int i = 0; i < s->clutter_count; i++) {
        vec at = random_point(r, -1, 1);
        enum form form = (enum form)ad_random_below(r, FORMS);
        s->clutter[i] = place(r, form, at, 0.08f, 0.22f, 0.5f, 0.4f);
    }
    s->occluded = ad_random_uniform(r) < 0.4f;
    vec away = random_point(r, -radius, radius);
    s->occluder = place(r, SQUARE, (vec){centre.x + away.x, centre.y + away.y}, 0.1f, 0.2f, 0.5f, 0.6f);
    s->noise = between(r, 0.01f, 0.08f);
    s->exposure = between(r, 0.7f, 1.2f);
}

/* --- a picture --- */

static rgb mix(rgb a, rgb b, float part) {
    for (int i = 0; i < 3; i++) a.c[i] += (b.c[i] - a.c[i]) * part;
    return a;
}

static rgb cover(const scene *s, const placed *p, vec at, rgb under) {
    vec q = to_form(p, at);
    if (q.x * q.x + q.y * q.y > 4) return under;
    float scale = length(p->m[2], p->m[3]);
    return mix(under, p->colour, clamp01(0.5f - form_distance(p->form, q) / (s->pixel * scale)));
}

static rgb colour_at(const scene *s, vec at) {
    float along = at.x * s->slope.x + at.y * s->slope.y, pattern = 0;
    if (s->backdrop == 1)
        pattern =
            lattice_noise(s->lattice[1], at.x * s->backdrop_frequency + 9, at.y * s->backdrop_frequency + 9) - 0.5f;
    if (s->backdrop == 2)
        pattern = clamp01(0.5f - stripe(along * s->backdrop_frequency) / (s->pixel * s->backdrop_frequency)) - 0.5f;
    rgb colour = mix(s->background[0], s->background[1], clamp01(0.5f + 0.4f * along + pattern * s->backdrop_contrast));
    for (int i = 0; i < s->clutter_count; i++) colour = cover(s, &s->clutter[i], at, colour);

    const placed *object = &s->object;
    if (s->shadow_depth > 0) {
        vec q = to_form(object, (vec){at.x - s->shadow.x, at.y - s->shadow.y});
        if (q.x * q.x + q.y * q.y < 2.5f) {
            float dark = clamp01(0.5f - form_distance(object->form, q) / (4 * s->soft)) * s->shadow_depth;
            for (int i = 0; i < 3; i++) colour.c[i] *= 1 - dark;
        }
    }
    vec q = to_form(object, at);
    if (q.x * q.x + q.y * q.y < 2.5f) {
        float inside = clamp01(0.5f - form_distance(object->form, q) / s->soft);
        if (inside > 0) {
            rgb paint = mix(s->colours[0], s->colours[1], texture_value(s, q));
            /* The object is lit like a dome. */
            float lit =
                1 + s->shade * ((at.x - object->centre.x) * s->light.x + (at.y - object->centre.y) * s->light.y) * 2;
            for (int i = 0; i < 3; i++) paint.c[i] *= lit;
            colour = mix(colour, paint, inside);
        }
    }
    return s->occluded ? cover(s, &s->occluder, at, colour) : colour;
}

void ad_shapes_render(uint64_t seed, int class_index, int picture, int size, uint8_t *out) {
    ad_random r = ad_random_make(seed, AD_STREAM_SHAPES, (uint32_t)class_index * PICTURES_MAX + (uint32_t)picture);
    scene s;
    make_scene(&s, &r, class_index, size);
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            vec at = {((float)x + 0.5f) * 2 / (float)size - 1, ((float)y + 0.5f) * 2 / (float)size - 1};
            rgb colour = colour_at(&s, at);
            uint32_t bits = ad_random_bits(&r);
            /* A channel's noise is the sum of two of four random bytes; neighbouring channels share one, so that their
             * noise correlates. */
            for (int i = 0; i < 3; i++) {
                float noise = ((float)(bits >> (8 * i) & 255) + (float)(bits >> (8 * i + 8) & 255)) / 255 - 1;
                *out++ = (uint8_t)(clamp01(colour.c[i] * s.exposure + noise * s.noise) * 255 + 0.5f);
            }
        }
    }
}

/* --- the data set --- */

static const char *split_of(int class_index) {
    /* The 13 groups are the symbols of a Latin square over forms and textures: each has every texture once. The groups
     * of novel and of val lie apart, since neighbouring forms with the same texture are confused most: so the splits
     * are equally hard for a classifier that learns nothing. */
    static const char *const groups[FORMS] = {"novel", "base",  "val",  "base", "novel", "base", "val",
                                              "base",  "novel", "base", "base", "base",  "base"};
    return groups[(class_index / TEXTURES + 5 * (class_index % TEXTURES)) % FORMS];
}

typedef struct listing {
    int classes, per_class;
    char names[CLASSES][32], path[64];
} listing;

static const char *listed_path(const void *user, size_t image) {
    listing *l = (listing *)(uintptr_t)user;
    snprintf(l->path, sizeof l->path, "%s/%05d", l->names[image / (size_t)l->per_class],
             (int)(image % (size_t)l->per_class));
    return l->path;
}

static bool in_split(int class_index, const char *split) {
    return !split || !strcmp(split, "all") || !strcmp(split, split_of(class_index));
}

uint64_t ad_shapes_key(const char *split, const adatom_dataset_params *params) {
    enum { TINY = 8 };
    uint64_t facts[3] = {(uint64_t)params->image_size, params->seed, (uint64_t)params->builtin_per_class};
    uint64_t key = ad_hash(facts, sizeof facts, AD_DATASET_VERSION);
    /* The key hashes a tiny picture of each class, so that a change in how pictures are drawn changes the key. */
    for (int c = 0; c < CLASSES; c++) {
        uint8_t pixels[TINY * TINY * 3];
        if (!in_split(c, split)) continue;
        ad_shapes_render(params->seed, c, 0, TINY, pixels);
        key = ad_hash(pixels, sizeof pixels, key + (uint64_t)c);
    }
    return key;
}

/* Makes the block of a split's pictures of size x size, with size 0 one without room for pixels. */
static adatom_status list_shapes(adatom_context *ctx, const char *split, const adatom_dataset_params *params, int size,
                                 ad_block *block, ad_shapes *out) {
    listing list = {.per_class = params->builtin_per_class};
    /* Names of forms and textures are in alphabetical order, so that the classes are, too, as in any data set. */
    for (int c = 0; c < CLASSES; c++) {
        if (!in_split(c, split)) continue;
        snprintf(list.names[list.classes], sizeof list.names[0], "%s-%s", form_names[c / TEXTURES],
                 texture_names[c % TEXTURES]);
        out->numbers[list.classes++] = c;
    }
    if (list.classes == 0)
        return ad_fail(ctx, ADATOM_BAD_DATA, "builtin:shapes has no split '%s': base, val, novel and all are there",
                       split);
    const char *names[CLASSES];
    size_t counts[CLASSES];
    for (int c = 0; c < list.classes; c++) {
        names[c] = list.names[c];
        counts[c] = (size_t)list.per_class;
    }
    out->seed = params->seed;
    out->per_class = list.per_class;
    out->images = (size_t)list.classes * (size_t)list.per_class;
    return ad_block_make(ctx, size, list.classes, names, counts, out->images, listed_path, &list, block);
}

adatom_status ad_shapes_list(adatom_context *ctx, const char *split, const adatom_dataset_params *params,
                             ad_block *block, ad_shapes *out) {
    return list_shapes(ctx, split, params, 0, block, out);
}

void ad_shapes_draw(const ad_shapes *shapes, size_t first, size_t count, int size, int threads, uint8_t *pixels) {
    const size_t stride = (size_t)size * (size_t)size * 3, each = (size_t)shapes->per_class;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 8)
    for (size_t i = first; i < first + count; i++)
        ad_shapes_render(shapes->seed, shapes->numbers[i / each], (int)(i % each), size, pixels + (i - first) * stride);
}

adatom_status ad_shapes_open(adatom_context *ctx, const char *split, const adatom_dataset_params *params,
                             ad_block *block) {
    ad_shapes shapes = {0};
    const size_t stride = (size_t)params->image_size * (size_t)params->image_size * 3;
    adatom_status status = list_shapes(ctx, split, params, params->image_size, block, &shapes);
    if (status != ADATOM_OK) return status;
    const size_t each = (size_t)shapes.per_class;
    for (size_t at = 0; at < shapes.images && status == ADATOM_OK; at += each) {
        status = ad_interrupted(ctx);
        ad_shapes_draw(&shapes, at, each, params->image_size, params->threads,
                       (uint8_t *)block->bytes + block->pixels_at + at * stride);
        ad_report(ctx, ADATOM_PHASE_DECODING, at + each, shapes.images);
    }
    return status;
}
