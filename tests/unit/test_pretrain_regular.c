/* What keeps pretraining from fitting its pictures too closely: mixed and turned pictures, a teacher, DropBlock and
 * averages, each of which changes the model and resumes exactly. */
#include "fewshot/pretrain.h"
#include "tests/shapes_fixture.h"

#include <adatom/train.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[80], left[100];
static adatom_model *teacher;

static const adatom_model_params small = {
    .size = sizeof small, .arch = "conv4", .image_size = 16, .width = 8, .atoms = 4};

/* Of so many channels that Winograd's way pays. */
static const adatom_model_params wide = {
    .size = sizeof wide, .arch = "conv4", .image_size = 16, .width = 32, .atoms = 4};

typedef struct seen {
    uint64_t stop;      /* step at which to stop; 0: none */
    double first, last; /* losses of the epochs */
    bool streamed;
    size_t bytes; /* of device memory, without a teacher's */
} seen;

static bool watch(void *user, const adatom_progress *now) {
    seen *s = user;
    if (!now->training) return true;
    s->streamed = now->training->streamed;
    s->bytes = now->training->arena_bytes;
    if (now->training->epoch_end) s->last = now->training->loss;
    if (now->training->epoch_end && s->first == 0) s->first = now->training->loss;
    return !s->stop || now->done < s->stop;
}

static adatom_pretrain_params params_of(seen *s) {
    return (adatom_pretrain_params){.size = sizeof(adatom_pretrain_params),
                                    .model = &small,
                                    .epochs = 2,
                                    .batch = 40,
                                    .seed = 4,
                                    .output = path,
                                    .progress = watch,
                                    .user = s};
}

static void begin(void) {
    setup();
    seen s = {0};
    snprintf(path, sizeof path, "/tmp/adatom-regular-%d.safetensors", (int)getpid());
    snprintf(left, sizeof left, "%s.checkpoint", path);
    adatom_pretrain_params p = params_of(&s);
    p.seed = 9;
    OK(adatom_pretrain(device, base, &p, &teacher));
}

static void end(void) {
    adatom_model_destroy(&teacher);
    unlink(path);
    unlink(left);
    teardown();
}

/* Sets what the number says; false: there is no such number. */
static bool choose(adatom_pretrain_params *p, int number) {
    switch (number) {
    case 0: p->mixup = 0.4f; return true;
    case 1: p->cutmix = 1; return true;
    case 2:
        p->mixup = 2;
        p->cutmix = 0.5f;
        p->teacher = teacher;
        return true;
    case 3: p->rotation = 0.5f; return true;
    case 4: p->average = 0.9f; return true;
    case 5:
        p->teacher = teacher;
        p->teacher_weight = 0.3f;
        p->temperature = 2;
        p->rotation = 1;
        return true;
    case 6:
        p->dropblock = 0.2f;
        p->average = 0.5f;
        p->dropblock_side = 2;
        return true;
    case 7:
        p->model = &wide;
        p->epochs = 1;
        p->fast = true;
        return true;
    default: return false;
    }
}
enum { CHOICES = 8 };

static void train(const adatom_pretrain_params *p, char hash[17]) {
    adatom_model *out = NULL;
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    OK(adatom_pretrain(device, base, p, &out));
    adatom_model_describe(out, &info);
    memcpy(hash, info.hash, sizeof info.hash);
    adatom_model_destroy(&out);
}

START_TEST(test_each_resumes_exactly) {
    char plain[17], whole[17], parts[17], streamed[17];
    seen s = {0};
    adatom_pretrain_params p = params_of(&s);
    ck_assert(choose(&p, _i));
    adatom_pretrain_params without = params_of(&s);
    without.model = p.model;
    without.epochs = p.epochs;
    train(&without, plain);
    s = (seen){0};
    train(&p, whole);
    ck_assert_str_ne(plain, whole);
    ck_assert(isfinite(s.last) && s.last > 0);
    s = (seen){.stop = 7}; /* in the middle of an epoch and of a block */
    p.resume = true;
    ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_INTERRUPTED);
    s.stop = p.epochs > 1 ? 15 : 9;
    ck_assert_int_eq(adatom_pretrain(device, base, &p, NULL), ADATOM_INTERRUPTED);
    adatom_pretrain_params other = p; /* other settings do not fit the checkpoint */
    other.label_smoothing = 0.1f;
    ck_assert_int_eq(adatom_pretrain(device, base, &other, NULL), ADATOM_BAD_DATA);
    s.stop = 0;
    train(&p, parts);
    ck_assert_str_eq(whole, parts);
    ck_assert_int_ne(access(left, F_OK), 0);
    p.resume = false;
    p.memory_bytes = s.bytes - (100 << 10); /* not all pictures */
    if (p.teacher) p.memory_bytes += (size_t)600 << 10;
    s = (seen){0};
    train(&p, streamed);
    ck_assert_msg(s.streamed, "the pictures are resident with %zu bytes", p.memory_bytes);
    ck_assert_str_eq(whole, streamed);
}
END_TEST

/* Shares are within [0, 1], have the mean and spread of their distribution, and are the area that a rectangle leaves.
 */
START_TEST(test_mixes) {
    enum { STEPS = 4000 };
    const float shapes[] = {0.2f, 1, 5};
    for (size_t k = 0; k < AD_COUNT(shapes); k++)
        for (int cut = 0; cut < 2; cut++) {
            ad_pretraining t = {.p = {.seed = 3}, .run = {.model = model}};
            double sum = 0, squares = 0;
            if (cut)
                t.p.cutmix = shapes[k];
            else
                t.p.mixup = shapes[k];
            for (long step = 0; step < STEPS; step++) {
                float row[AD_MIX_COLUMNS], again[AD_MIX_COLUMNS];
                ad_pretrain_draw_mix(&t, step, row);
                ad_pretrain_draw_mix(&t, step, again);
                ck_assert_mem_eq(row, again, sizeof row);
                const double share = (double)row[AD_MIX_SHARE];
                ck_assert(share >= 0 && share <= 1);
                if (cut) {
                    const double area = (double)((row[2] - row[1]) * (row[4] - row[3]));
                    ck_assert(row[0] == 1 && row[1] >= 0 && row[2] <= 16 && row[3] >= 0 && row[4] <= 16);
                    ck_assert_double_eq_tol(share, 1 - area / 256, 1e-6);
                } else {
                    ck_assert(row[0] == row[AD_MIX_SHARE] && row[2] == 0 && row[4] == 0);
                }
                sum += share;
                squares += share * share;
            }
            const double mean = sum / STEPS, variance = squares / STEPS - mean * mean;
            if (cut) { /* rectangles lose what is outside of the picture */
                ck_assert_msg(mean > 0.5 && mean < 0.9, "shape %g: mean %g", (double)shapes[k], mean);
                continue;
            }
            ck_assert_msg(fabs(mean - 0.5) < 0.03, "shape %g: mean %g", (double)shapes[k], mean);
            const double want = 1 / (4 * (2 * (double)shapes[k] + 1));
            ck_assert_msg(fabs(variance - want) < 0.1 * want, "shape %g: variance %g, not %g", (double)shapes[k],
                          variance, want);
        }
}
END_TEST

/* A network that learns from nothing but the teacher's probabilities comes nearer to them. */
START_TEST(test_teacher_teaches) {
    seen s = {0};
    adatom_pretrain_params p = params_of(&s);
    char hash[17];
    p.teacher = teacher;
    p.teacher_weight = 1;
    p.temperature = 1;
    p.epochs = 8;
    p.augment = ADATOM_AUGMENT_NONE;
    train(&p, hash);
    ck_assert_msg(s.last < 0.7 * s.first, "the divergence from the teacher was %.4f, then %.4f", s.first, s.last);
}
END_TEST

START_TEST(test_refused) {
    const adatom_model_params bigger = {.size = sizeof bigger, .image_size = 32, .width = 8, .classes = 64};
    adatom_model *larger = NULL, *headless = NULL;
    OK(adatom_model_create(ctx, &bigger, &larger));
    OK(adatom_model_create(ctx, &small, &headless));
    const struct {
        adatom_pretrain_params p;
        const char *sentence;
    } wrong[] = {{{.mixup = NAN}, "mixup is nan"},
                 {{.mixup = -1}, "mixup is -1"},
                 {{.cutmix = 101}, "cutmix is 101"},
                 {{.rotation = -0.5f}, "rotation is -0.5"},
                 {{.rotation = 1, .batch = 30}, "each picture is shown four times; a batch of 30"},
                 {{.average = 1}, "average is 1; it must be in [0, 1)"},
                 {{.dropblock = 0.95f}, "dropblock is 0.95"},
                 {{.dropblock_side = 65}, "dropblock side is 65"},
                 {{.teacher_weight = 0.4f}, "and no teacher"},
                 {{.temperature = 3}, "and no teacher"},
                 {{.teacher = teacher, .temperature = 0.05f}, "temperature is 0.05"},
                 {{.teacher = teacher, .teacher_weight = 1.5f}, "teacher weight is 1.5"},
                 {{.teacher = teacher, .teacher_weight = -1}, "a teacher of weight 0 teaches nothing"},
                 {{.teacher = larger}, "the teacher's pictures are 32 pixels, the network's 16"},
                 {{.teacher = headless}, "the teacher's classifier has 0 classes; the data set has 64"}};
    for (size_t i = 0; i < AD_COUNT(wrong); i++) {
        seen s = {0};
        adatom_pretrain_params p = wrong[i].p;
        const adatom_pretrain_params usual = params_of(&s);
        p.size = usual.size;
        p.model = usual.model;
        p.epochs = 1;
        if (!p.batch) p.batch = usual.batch;
        p.output = usual.output;
        ck_assert_msg(adatom_pretrain(device, base, &p, NULL) == ADATOM_USAGE, "%zu: %s", i,
                      adatom_context_message(ctx));
        ck_assert_msg(strstr(adatom_context_message(ctx), wrong[i].sentence), "%zu: '%s' does not say '%s'", i,
                      adatom_context_message(ctx), wrong[i].sentence);
    }
    adatom_model_destroy(&larger);
    adatom_model_destroy(&headless);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pretrain_regular");
    TCase *c = tcase_create("pretrain_regular");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_loop_test(c, test_each_resumes_exactly, 0, CHOICES);
    tcase_add_test(c, test_mixes);
    tcase_add_test(c, test_teacher_teaches);
    tcase_add_test(c, test_refused);
    suite_add_tcase(suite, c);
    return run_suite(suite, CK_NOFORK);
}
