/* What meta-training refuses, with which status and what it says, and runs that diverge. */
#include "base/base.h"
#include "tests/shapes_fixture.h"

#include <adatom/train.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64], left[80];

static void begin(void) {
    setup();
    snprintf(path, sizeof path, "/tmp/adatom-meta-refused-%d.safetensors", (int)getpid());
    snprintf(left, sizeof left, "%s.checkpoint", path);
}

static void end(void) {
    unlink(left);
    teardown();
}

typedef struct watch {
    int steps;
} watch;

static bool see(void *user, const adatom_progress *progress) {
    watch *w = user;
    if (progress->training) w->steps = (int)progress->done;
    return true;
}

static void check_refused(const adatom_metatrain_params *p, adatom_status status, const char *says) {
    const adatom_status got = adatom_metatrain(device, base, p, NULL);
    ck_assert_msg(got == status && strstr(adatom_context_message(ctx), says), "%s, not %s ('%s'): %s",
                  adatom_status_name(got), adatom_status_name(status), says, adatom_context_message(ctx));
    ck_assert_msg(access(path, F_OK) != 0, "%s: a model was written", says);
}

#define WRONG(status, says, ...)                                                                                       \
    {                                                                                                                  \
        status, says, { .size = sizeof(adatom_metatrain_params), __VA_ARGS__ }                                         \
    }
#define INNER(...)                                                                                                     \
    .inner = &(const adatom_method) { .size = sizeof(adatom_method), __VA_ARGS__ }
#define MAML(...) .meta = ADATOM_META_MAML, INNER(__VA_ARGS__)
#define USE(says, ...) WRONG(ADATOM_USAGE, says, __VA_ARGS__)

START_TEST(test_refused) {
    static const int late[] = {2, 60}, twice[] = {2, 2};
    const adatom_model_params classes = {.size = sizeof classes, .classes = 5},
                              large = {.size = sizeof large, .image_size = 32},
                              other = {.size = sizeof other, .arch = "resnet10"},
                              unknown = {.size = sizeof unknown, .arch = "conv5"};
    const struct {
        adatom_status status;
        const char *says;
        adatom_metatrain_params p;
    } wrong[] = {
        USE("way is 1; it must be in [2, 1000]", .way = 1),
        USE("way is 1001", .way = 1001),
        USE("shot is -1", .shot = -1),
        USE("query is 20000", .query = 20000),
        USE("tasks of a step is 2000", .meta_batch = 2000, .epoch_tasks = 2000),
        USE("an epoch of 1000 tasks cannot be divided into steps of 7", .meta_batch = 7),
        USE("2000 epochs of 1000 tasks are too many: at most 1000000", .epochs = 2000),
        USE("epochs is -1", .epochs = -1),
        USE("61440 tasks of 20000000 pictures are too many", .way = 1000, .shot = 10000, .query = 10000,
            .meta_batch = 1024, .epoch_tasks = 1024),
        USE("lr is nan", .lr = NAN),
        USE("lr is inf", .lr = INFINITY),
        USE("a rate (lr) of 0 learns nothing", .lr = -1),
        USE("momentum is 1;", .momentum = 1),
        USE("weight decay is nan", .weight_decay = NAN),
        USE("the milestone 60 is not between", .milestones = late, .milestone_count = 2),
        USE("the milestone 2 is not between", .milestones = twice, .milestone_count = 2),
        USE("1 milestones", .milestone_count = 1),
        USE("decay is 1;", .decay = 1),
        USE("shift is -3", .shift = -3),
        USE("exclude each other", .augment = ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_CROP),
        USE("validation tasks is -1", .validation = novel, .validation_tasks = -1),
        USE("validation way is 1;", .validation = novel, .validation_way = 1),
        USE("tasks at once is -1", .tasks_at_once = -1),
        USE("checkpoint seconds is -1", .checkpoint_seconds = -1),
        USE("the kind of meta-training", .meta = (adatom_meta)9),
        USE("the distance", .distance = (adatom_distance)9),
        USE("the optimizer", .optimizer = (adatom_optimizer)9),
        USE("the statistics of norms", .norms = (adatom_meta_norms)9),
        USE("classes are not chosen", .model = &classes),
        USE("the model to start from has architecture conv4, not resnet10", .model = &other, .from = model),
        USE("'conv5'", .model = &unknown),
        USE("the data set's pictures are 16 pixels, the model wants 32", .model = &large),
        USE("the cosine scale is -1", .distance = ADATOM_DISTANCE_COSINE, .cosine_scale = -1),
        USE("with protonet nothing adapts to a task", INNER(.steps = 3)),
        USE("'lora' cannot adapt to its tasks; atoms, head", MAML(.adapt = ADATOM_ADAPT_LORA)),
        USE("'centroid' cannot adapt", MAML(.adapt = ADATOM_ADAPT_CENTROID)),
        USE("'logistic' cannot adapt", .meta = ADATOM_META_REPTILE, INNER(.adapt = ADATOM_ADAPT_LOGISTIC)),
        USE("with anil only the classifier adapts (head or cosine), not 'atoms'", .meta = ADATOM_META_ANIL,
            INNER(.adapt = ADATOM_ADAPT_ATOMS)),
        USE("the distance to class means is chosen with protonet only", .distance = ADATOM_DISTANCE_COSINE, MAML(0)),
        USE("from means or from the model, not 'zero'", MAML(.head_init = ADATOM_HEAD_INIT_ZERO)),
        USE("from means or from the model, not 'random'", MAML(.head_init = ADATOM_HEAD_INIT_RANDOM)),
        USE("no recipe, label noise or smoothing", MAML(.label_noise = 0.2f)),
        USE("no recipe, label noise or smoothing", MAML(.label_smoothing = 0.1f)),
        USE("no views and mirror images", MAML(.support_views = 2)),
        USE("no views and mirror images", MAML(.mirror = true)),
        USE("a scale of cosines is of use with the distance cosine only", .cosine_scale = 10),
        USE("no policy of batch norm", MAML(.bn = ADATOM_BN_SUPPORT)),
        USE("no recipe", .meta = ADATOM_META_ANIL,
            INNER(.adapt = ADATOM_ADAPT_HEAD, .procedure = ADATOM_PROCEDURE_CLOSERLOOK_BASELINE)),
        USE("a learning rate of nan", MAML(.lr_atoms = NAN)),
        USE("the number of steps is -2", MAML(.steps = -2)),
        USE("the last -1 layers", MAML(.last = -1)),
        USE("layer9", MAML(.layers = "layer9")),
        USE("a classifier of 5 classes that is learned cannot be validated with 3", .validation = novel,
            .validation_way = 3, MAML(.head_init = ADATOM_HEAD_INIT_MODEL)),
        USE("contradict", .resume = true, .restart = true),
        WRONG(ADATOM_BAD_DATA, "has 8 pictures; 4 shots and 5 queries need 9", .shot = 4, .query = 5),
        WRONG(ADATOM_BAD_DATA, "has 64 classes; 65-way", .way = 65, .query = 2),
        WRONG(ADATOM_BAD_DATA, "has 8 pictures; 1 shots and 15 queries need 16", .query = 5,
              .validation = novel), /* of validation, before the first step */
        WRONG(ADATOM_BAD_DATA, "there is no checkpoint", .resume = true, .checkpoint = "/nonexistent/c"),
        WRONG(ADATOM_OUT_OF_MEMORY, "one task needs", .query = 5, .memory_bytes = 100000),
    };
    for (size_t i = 0; i < AD_COUNT(wrong); i++) {
        adatom_metatrain_params p = wrong[i].p;
        watch w = {0};
        p.output = path;
        p.progress = see;
        p.user = &w;
        check_refused(&p, wrong[i].status, wrong[i].says);
        ck_assert_msg(w.steps == 0, "%s: %d steps before it was refused", wrong[i].says, w.steps);
    }
    const adatom_metatrain_params nowhere = {.size = sizeof nowhere},
                                  away = {.size = sizeof away, .output = "/nonexistent/m"}, odd = {.size = 1000000};
    check_refused(&nowhere, ADATOM_USAGE, "needs a file to write the model to");
    check_refused(&away, ADATOM_IO, "/nonexistent");
    check_refused(&odd, ADATOM_USAGE, "adatom_metatrain_params");
}
END_TEST

/* A run that diverges says so, and leaves no model. */
START_TEST(test_diverges) {
    const adatom_method inner = {.size = sizeof(adatom_method),
                                 .adapt = ADATOM_ADAPT_FULL,
                                 .head = ADATOM_HEAD_LINEAR,
                                 .lr_full = 900,
                                 .lr = 900};
    const adatom_metatrain_params p = {.size = sizeof p,
                                       .from = model,
                                       .meta = ADATOM_META_MAML,
                                       .inner = &inner,
                                       .query = 3,
                                       .epochs = 2,
                                       .epoch_tasks = 24,
                                       .optimizer = ADATOM_OPTIMIZER_SGD,
                                       .lr = 900,
                                       .output = path};
    check_refused(&p, ADATOM_FAILED, "training diverged");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("metatrain_refused");
    TCase *tests = tcase_create("metatrain_refused");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_diverges);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
