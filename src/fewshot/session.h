/* A session is a model at work on a device: its parameters and the rows of data (pictures or features) in device
 * memory, a plan with as many tasks at once as memory allows, and the program made of that plan. Adaptation, training,
 * feature extraction and classification all run through it: they fill host arrays with the numbers of rows, say how
 * many steps to run, and read what came of it. A session knows the segments of a plan and none of its operations.
 *
 * The order of calls:
 *     ad_session_of, ad_session_use_pictures or ad_session_use_features
 *     ad_session_plan_tasks or ad_session_plan_parts     memory is decided here (session_memory.c)
 *     ad_session_begin                                   everything gets its memory on the device
 *     ad_session_start                                   new tasks: INIT
 *     ad_session_adapt | ad_session_train | ad_session_pass, as often as needed
 *     ad_session_clear                                   whatever happened before
 * Planning again ends the program and keeps parameters and rows.
 *
 * Interrupts: every call that runs something returns INTERRUPTED soon after the context was interrupted. Steps are
 * whole: each was done or was not, and ad_session_train tells how many were. */
#ifndef AD_FEWSHOT_SESSION_H
#define AD_FEWSHOT_SESSION_H

#include "compile/build.h"
#include "device/device.h"
#include "fewshot/row_stream.h"

typedef struct ad_session {
    adatom_device *device;
    const adatom_model *model;
    ad_row_stream rows;
    bool borrowed;         /* the rows are another session's, which outlives this one */
    ad_build_params build; /* of the plan: build.tasks tasks at once */
    ad_built built;
    /* Host arrays of the plan, there from ad_session_begin on, [round][task][picture]: rows of the support pictures and
     * their labels, rows of the queries, the classes predicted for them. */
    int32_t *support, *labels, *query, *predicted;
    int32_t *support_draw, *query_draw; /* where pictures are drawn (build.drawn): numbers that they are augmented by */
    int32_t first_draw;                 /* of ad_session_pass: the number of row 0; the others follow */
    bool *lost;                         /* [tasks], by ad_session_adapt */
    /* [tasks][rounds * query][features], by ad_session_adapt where the plan gives them (build.query_features). */
    float *features;
    struct {                         /* meta-training (session_meta.c); n: pictures a task of the outer pass */
        int32_t *labels, *predicted; /* [tasks][n]; label -1: the picture counts for nothing */
        float *loss;                 /* [tasks] of the queries */
        size_t pictures;             /* n */
    } outer;
    ad_buffer *parameters;
    ad_program *program;
    struct {
        adatom_phase phase; /* what is counted; NONE: nothing is told */
        size_t done, total;
        const char *what; /* of phase CHOOSING: what is being tried */
    } progress;
} ad_session;

/* A session with nothing on the device yet. */
ad_session ad_session_of(adatom_device *device, const adatom_model *model);
/* The rows are pictures of size x size x 3 bytes. */
void ad_session_use_pictures(ad_session *session, const uint8_t *pixels, int size);
/* The rows are features of the model's backbone; table NULL: session->rows.table is set before anything is sent. */
void ad_session_use_features(ad_session *session, const float *table);
/* From now on the session runs another model; the rows stay where they are. */
void ad_session_change_model(ad_session *session, const adatom_model *model);
/* Ends the program and forgets the plan; parameters and rows stay. */
void ad_session_end_program(ad_session *session);
void ad_session_clear(ad_session *session);

/* ---- memory (session_memory.c) ---- */

/* Bytes of device memory that a run may take: memory_bytes, or, where that is 0, half of what is free. */
size_t ad_memory_allowed(ad_engine *engine, size_t memory_bytes);

typedef struct ad_tasks_wanted {
    int tasks;            /* asked for at once; 0: as many as are useful */
    int most;             /* tasks that there are */
    size_t rows;          /* all rows, to stay on the device where that costs no task */
    size_t rows_per_task; /* else parts of so many rows for each task pass through; 0: the rows are laid out already */
    size_t memory_bytes;  /* as ad_memory_allowed */
} ad_tasks_wanted;
/* Plans for as many tasks at once as memory and the device's largest bindable range allow; session->build.tasks becomes
 * their number. The costs, half-precision storage, lanes and chunks of `build` are filled in. OUT_OF_MEMORY where not
 * even one task fits (without a limit by the caller, into all that is free). */
adatom_status ad_session_plan_tasks(ad_session *session, const ad_build_params *build, const ad_tasks_wanted *wanted);

typedef struct ad_parts_wanted {
    int units;            /* of a part at most: steps where the plan trains, else queries */
    size_t rows_per_unit; /* a step's batch; 1 for queries */
    size_t resident_rows; /* rows that stay on the device if they fit; 0: parts pass through in any case */
    size_t allowed_bytes;
    bool limited;          /* the caller set the limit: OUT_OF_MEMORY where it holds no part of one unit */
    const char *what, *so; /* the sentence of that failure: "WHAT 3.1 MiB; allowed are 2.0 MiB SO" */
} ad_parts_wanted;
/* Plans one task whose rows stay on the device, or whose rows pass through in the largest parts that fit.
 * session->build.support_rounds (or .query) becomes the units of a part. */
adatom_status ad_session_plan_parts(ad_session *session, const ad_build_params *build, const ad_parts_wanted *wanted);

/* Plans one task whose rows are those of another session that has begun. */
adatom_status ad_session_plan_beside(ad_session *session, const ad_build_params *build, const ad_session *other);

/* ---- running ---- */

/* Gives everything that was planned its memory on the device: parameters, rows, program, and the host arrays. Writes
 * the scale of pixels and the schedule, rows of AD_SCHEDULE_COLUMNS floats for `steps` steps (NULL where the plan takes
 * no steps). */
adatom_status ad_session_begin(ad_session *session, const float *schedule, int steps);
/* New tasks: sends session->support, labels and query, sets the counters to the first step and runs INIT. */
adatom_status ad_session_start(ad_session *session);
/* Runs `steps` further steps (`first`: after PREFIX) and classifies the queries: session->predicted and session->lost,
 * which is true for tasks whose adapted numbers are not all finite. All in one call of the engine, but for plans that
 * give the queries' features: each round of them is a call of its own. */
adatom_status ad_session_adapt(ad_session *session, bool first, int steps);
/* Whether the task's answers mean nothing: the task is lost, a class score was not finite, or, if it was trained, all
 * scores of every query are the same (a network that only gives zeros). Of its first `asked` queries each that is tied
 * becomes class 0. */
bool ad_session_judge(ad_session *session, int task, int asked, bool trained);
/* Sends session->support, labels and query, and sets the counters to the first step. */
adatom_status ad_session_write_tasks(ad_session *session);
/* Sends session->support and labels for the steps to come. */
adatom_status ad_session_write_support(ad_session *session);
/* Runs steps first .. first + steps - 1 in one call of the engine; the plan has one task and no lanes. INTERRUPTED:
 * *done of them were done, each of them whole, and everything they computed can be read. */
adatom_status ad_session_train(ad_session *session, long first, long steps, long *done);
/* The loss of each step of a block and the classes predicted for its pictures, by ad_session_train. */
adatom_status ad_session_read_training(ad_session *session, float *loss, int32_t *predicted);
/* The features of rows which[count] of the table (NULL: 0 .. count-1) under each task, a part after the other: `take`
 * gets those of the first .. first + n - 1 of them, n rows for each task, `stride` floats from one task to the next. */
typedef void (*ad_take_features)(void *user, size_t first, size_t n, const float *features, size_t stride);
adatom_status ad_session_pass(ad_session *session, const int32_t *which, size_t count, ad_take_features take,
                              void *user);
/* So many more of session->progress.total are done. */
void ad_session_tell(ad_session *session, size_t more);

/* ---- meta-training (session_meta.c) ---- */

/* After ad_session_begin: the rates of all outer steps, and moments and sums of zero; the scale of cosines starts
 * there. */
adatom_status ad_session_meta_begin(ad_session *session, const float *schedule, float scale);
/* Runs a group of the tasks of outer step `step`: their start, `steps` inner steps, the queries' loss, and the sum of
 * the gradients; and the update, where the group is the last. The host has filled in support, labels, query and outer,
 * whose loss and predictions it can read afterwards. INTERRUPTED: *updated tells whether the step was done; if not, no
 * further step can follow, and the parameters and moments are those before it. */
adatom_status ad_session_meta_group(ad_session *session, int steps, long step, bool last, bool *updated);

/* ---- what tasks hold ---- */

/* count floats of a task's copy of a tensor of the plan, from element `first` on. */
adatom_status ad_session_write(ad_session *session, int tensor, int task, size_t first, const float *values,
                               size_t count);
/* The first count floats of a task's copy, or of the only one (task 0). */
adatom_status ad_session_read(ad_session *session, int tensor, int task, float *values, size_t count);
/* Floats of the model's parameters on the device, numbered as in model->values. */
adatom_status ad_session_write_parameters(ad_session *session, size_t first, const float *values, size_t count);
adatom_status ad_session_read_parameters(ad_session *session, size_t first, float *values, size_t count);

/* Where the first support picture of a task in a round is. */
static inline size_t ad_session_support_at(const ad_session *s, int round, int task) {
    return ((size_t)round * (size_t)s->build.tasks + (size_t)task) * (size_t)s->build.support;
}
/* Where query number i of a task is, in query and predicted alike. */
static inline size_t ad_session_query_at(const ad_session *s, int task, int i) {
    return ((size_t)(i / s->build.query) * (size_t)s->build.tasks + (size_t)task) * (size_t)s->build.query +
           (size_t)(i % s->build.query);
}
/* The features of query number i of a task. */
static inline const float *ad_session_features_of(const ad_session *s, int task, int i) {
    const size_t rows = (size_t)s->build.query_rounds * (size_t)s->build.query;
    return s->features + ((size_t)task * rows + (size_t)i) * (size_t)s->model->net.features;
}
#endif
