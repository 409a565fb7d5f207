/* What keeps pretraining from fitting its pictures too closely: mixed pictures, turned ones, a teacher, DropBlock and
 * averages. */
#include "fewshot/pretrain.h"

#include <math.h>
#include <string.h>

enum { TURNS = 4 };

static bool mixes(const ad_pretraining *t) { return t->p.mixup > 0 || t->p.cutmix > 0; }

int ad_pretrain_times(const ad_pretraining *t) { return t->p.rotation > 0 ? TURNS : 1; }

void ad_pretrain_regular(const ad_pretraining *t, ad_build_params *build) {
    const adatom_pretrain_params *p = &t->p;
    build->regular = (ad_regular){.mixed = mixes(t),
                                  .turned = p->rotation,
                                  .average = p->average,
                                  .teacher = p->teacher ? p->teacher_weight : 0,
                                  .temperature = p->temperature,
                                  .dropped = p->dropblock,
                                  .drop_side = p->dropblock_side,
                                  .drop_ramp = (int)(t->run.steps / 2)};
}

/* ---- mixed pictures ---- */

/* A number from the gamma distribution with that shape and scale 1 [Marsaglia and Tsang, ACM TOMS 2000]. */
static double draw_gamma(ad_random *random, double shape) {
    const double boost = shape < 1 ? pow((double)ad_random_uniform(random) + 0x1p-25, 1 / shape) : 1;
    const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = (double)ad_random_normal(random), v = pow(1 + c * x, 3);
        const double u = (double)ad_random_uniform(random) + 0x1p-25;
        if (1 + c * x > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v)) return boost * d * v;
    }
}

static double draw_beta(ad_random *random, double a) {
    const double x = draw_gamma(random, a), y = draw_gamma(random, a);
    return x + y > 0 ? x / (x + y) : 0.5;
}

/* A rectangle of the other picture with that part of the area, about a place anywhere; what is outside the picture is
 * cut off [Yun et al., ICCV 2019]. Its share is what is left of the picture's own. */
static void draw_rectangle(ad_random *random, double share, int size, float *row) {
    const double side = size * sqrt(1 - share);
    const double y = size * (double)ad_random_uniform(random), x = size * (double)ad_random_uniform(random);
    const double y0 = fmax(floor(y - side / 2), 0), y1 = fmin(floor(y + side / 2), size),
                 x0 = fmax(floor(x - side / 2), 0), x1 = fmin(floor(x + side / 2), size);
    row[AD_MIX_LAMBDA] = 1;
    row[AD_MIX_TOP] = (float)y0;
    row[AD_MIX_BOTTOM] = (float)y1;
    row[AD_MIX_LEFT] = (float)x0;
    row[AD_MIX_RIGHT] = (float)x1;
    row[AD_MIX_SHARE] = (float)(1 - fmax(y1 - y0, 0) * fmax(x1 - x0, 0) / ((double)size * size));
}

void ad_pretrain_draw_mix(const ad_pretraining *t, long step, float row[AD_MIX_COLUMNS]) {
    ad_random random = ad_random_make(t->p.seed, AD_STREAM_MIX, (uint32_t)step);
    const bool both = t->p.mixup > 0 && t->p.cutmix > 0, coin = ad_random_below(&random, 2) == 0;
    const bool whole = both ? coin : t->p.mixup > 0;
    const double share = draw_beta(&random, (double)(whole ? t->p.mixup : t->p.cutmix));
    memset(row, 0, AD_MIX_COLUMNS * sizeof *row);
    if (whole)
        row[AD_MIX_LAMBDA] = row[AD_MIX_SHARE] = (float)share;
    else
        draw_rectangle(&random, share, t->run.model->net.image_size, row);
}

int32_t ad_pretrain_label(const ad_pretraining *t, long r, int i) {
    const int batch = t->run.batch;
    const int32_t *labels = t->run.session.labels + r * batch;
    return t->mix && t->mix[r * AD_MIX_COLUMNS + AD_MIX_SHARE] < 0.5f ? labels[(i + 1) % batch] : labels[i];
}

/* ---- the teacher ---- */

/* What the teacher runs, in place of the network. */
static ad_build_params teacher_build(const ad_pretraining *t, const ad_build_params *student) {
    ad_build_params build = *student;
    build.net = &t->p.teacher->net;
    build.tasks = 1;
    build.adapt = 0;
    build.steps = 0;
    build.bn = AD_BN_FROZEN;
    build.logits = true;
    build.regular = (ad_regular){.mixed = mixes(t), .turned = t->p.rotation};
    return build;
}

adatom_status ad_pretrain_teacher_bytes(const ad_pretraining *t, const ad_build_params *student, size_t *bytes) {
    static const int32_t one = 1;
    *bytes = 0;
    if (!t->p.teacher) return ADATOM_OK;
    ad_build_params build = teacher_build(t, student);
    ad_built built;
    build.chunks = &one;
    build.chunk_count = 1;
    const adatom_status status = ad_build(t->run.ctx, &build, &built);
    if (status != ADATOM_OK) return status;
    *bytes = ad_plan_owned_bytes(built.plan) + built.plan->arenas[0].bytes;
    ad_built_clear(&built);
    return ADATOM_OK;
}

static adatom_status begin_teacher(ad_pretraining *t) {
    ad_session *s = &t->teacher;
    const ad_build_params build = teacher_build(t, &t->run.session.build);
    adatom_status status;
    *s = ad_session_of(t->run.device, t->p.teacher);
    AD_TRY(ad_session_plan_beside(s, &build, &t->run.session));
    AD_TRY(ad_session_begin(s, NULL, 0));
    AD_TRY(ad_session_start(s));
done:
    return status;
}

/* The teacher sees the block's pictures as the network does: they are augmented by the step's number. */
static adatom_status ask_teacher(ad_pretraining *t, long first) {
    ad_session *s = &t->teacher;
    const ad_engine_api *api = t->run.device->engine->api;
    const size_t each = (size_t)t->run.batch * (size_t)t->run.info.classes;
    const int32_t begin = (int32_t)first;
    adatom_status status;
    memcpy(s->support, t->run.session.support, (size_t)t->run.block * (size_t)t->run.batch * sizeof *s->support);
    AD_TRY(ad_session_write_support(s));
    if (t->mix)
        AD_TRY(api->program_write(s->program, s->built.mix, 0, t->mix,
                                  (size_t)t->run.block * AD_MIX_COLUMNS * sizeof *t->mix));
    AD_TRY(api->program_write(s->program, s->built.counter, 0, &begin, sizeof begin));
    for (long r = 0; r < t->run.block; r++) {
        AD_TRY(ad_run_segment(api, s->program, AD_SEGMENT_STEP, 1));
        AD_TRY(ad_session_read(s, s->built.logits, 0, t->scores + (size_t)r * each, each));
    }
done:
    return status;
}

/* ---- all of it ---- */

/* By how many quarters each picture of a step is turned. */
static adatom_status write_turns(ad_pretraining *t) {
    ad_session *s = &t->run.session;
    const size_t batch = (size_t)t->run.batch;
    if (s->built.turned_labels < 0) return ADATOM_OK;
    int32_t *turns = ad_malloc(t->run.ctx, batch, sizeof *turns);
    if (!turns) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < batch; i++) turns[i] = (int32_t)(i % TURNS);
    const adatom_status status =
        s->device->engine->api->program_write(s->program, s->built.turned_labels, 0, turns, batch * sizeof *turns);
    ad_free(turns);
    return status;
}

adatom_status ad_pretrain_begin_regular(ad_pretraining *t) {
    const size_t block = (size_t)t->run.block, batch = (size_t)t->run.batch;
    adatom_status status = ADATOM_OK;
    if (mixes(t) && !(t->mix = ad_calloc(t->run.ctx, block * AD_MIX_COLUMNS, sizeof *t->mix)))
        return ADATOM_OUT_OF_MEMORY;
    if (t->p.teacher) {
        t->scores = ad_calloc(t->run.ctx, block * batch * (size_t)t->run.info.classes, sizeof *t->scores);
        if (!t->scores) return ADATOM_OUT_OF_MEMORY;
        AD_TRY(begin_teacher(t));
    }
    t->told = -1;
    AD_TRY(write_turns(t));
done:
    return status;
}

adatom_status ad_pretrain_load_regular(ad_pretraining *t, long first) {
    ad_session *s = &t->run.session;
    const ad_engine_api *api = s->device->engine->api;
    const size_t block = (size_t)t->run.block;
    adatom_status status = ADATOM_OK;
    if (t->told == first) return ADATOM_OK; /* all of the block is there since its first step */
    for (long r = 0; r < t->run.block && t->mix; r++) ad_pretrain_draw_mix(t, first + r, t->mix + r * AD_MIX_COLUMNS);
    if (t->mix)
        AD_TRY(api->program_write(s->program, s->built.mix, 0, t->mix, block * AD_MIX_COLUMNS * sizeof *t->mix));
    if (t->scores) {
        AD_TRY(ask_teacher(t, first));
        AD_TRY(api->program_write(s->program, s->built.teacher, 0, t->scores,
                                  block * (size_t)t->run.batch * (size_t)t->run.info.classes * sizeof *t->scores));
    }
    t->told = first;
done:
    return status;
}

void ad_pretrain_clear_regular(ad_pretraining *t) {
    ad_session_clear(&t->teacher);
    ad_free(t->mix);
    ad_free(t->scores);
}
