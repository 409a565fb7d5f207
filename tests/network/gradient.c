/* The plan's gradient (double reference, operation by operation) against central differences of its loss. */
#include "tests/network/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parameter that number e of a task's adapted block belongs to. */
static const char *name_of(const inputs *in, const ad_built *b, size_t e) {
    const ad_network *net = &in->model->net;
    for (int i = 0; i < net->param_count; i++) {
        const ad_param *p = &net->params[i];
        if (b->at[i] != AD_NOT_ADAPTED && e >= b->at[i] && e - b->at[i] < p->count) return p->name;
    }
    return "a number that no parameter of the network has";
}

/* A run after one step, and what the plan says of it. */
typedef struct point {
    inputs in;
    ad_built b;
    interpreter *run;
    double *adapted, *gradient, *loss;
    float turned; /* weight of the loss of turns */
    double *kept; /* the plan's gradient, [TASKS][adapted_count] */
} point;

static point begin_point(const setting *s) {
    point p = {.in = make_inputs(s, 0), .turned = s->regular.turned};
    p.b = make_plan(s, &p.in);
    p.run = start(s, &p.b, &p.in);
    interpreter_run(p.run, AD_SEGMENT_STEP);
    p.run->hold = true;
    p.adapted = interpreter_tensor(p.run, p.b.adapted);
    p.gradient = interpreter_tensor(p.run, p.b.gradient);
    p.loss = interpreter_tensor(p.run, p.b.loss);
    const size_t bytes = TASKS * p.b.adapted_count * sizeof *p.kept;
    p.kept = malloc(bytes);
    memcpy(p.kept, p.gradient, bytes);
    return p;
}

static void end_point(point *p) {
    free(p->kept);
    interpreter_destroy(&p->run);
    ad_built_clear(&p->b);
    free_inputs(&p->in);
}

/* The loss of a task where it stands now. */
static double loss_of(point *p, size_t task) {
    interpreter_tensor(p->run, p->b.counter)[0] = 0;
    interpreter_run(p->run, AD_SEGMENT_STEP);
    memcpy(p->gradient, p->kept, TASKS * p->b.adapted_count * sizeof *p->kept);
    const double turned = p->b.turned_loss < 0 ? 0 : interpreter_tensor(p->run, p->b.turned_loss)[task];
    return p->loss[task] + (double)p->turned * turned;
}

enum { DRAWS = 24 };
static void check_numbers(const setting *s, int number) {
    point p = begin_point(s);
    ad_random random = ad_random_make(11, AD_STREAM_CHECK, (uint32_t)number);
    int compared = 0, nonzero = 0, wrong = 0;
    for (int k = 0; k < DRAWS; k++) { /* each takes two runs */
        size_t task = ad_random_below(&random, TASKS), e = ad_random_below(&random, (uint32_t)p.b.adapted_count);
        const double *kept = p.kept + task * p.b.adapted_count;
        /* Much of the block is padding, which has gradient 0 and changes nothing: three in four draws are moved to the
         * next number that has a gradient. */
        for (size_t seen = 0; k % 4 && kept[e] == 0 && seen < p.b.adapted_count; seen++)
            e = (e + 1) % p.b.adapted_count;
        double *at = &p.adapted[task * p.b.adapted_count + e], before = *at, sides[2];
        const double h = 1e-6;
        for (int side = 0; side < 2; side++) {
            *at = before + (side ? h : -h);
            sides[side] = loss_of(&p, task);
        }
        *at = before;
        const double numeric = (sides[1] - sides[0]) / (2 * h);
        compared++;
        nonzero += fabs(numeric) > 1e-6;
        if (fabs(numeric - kept[e]) > 1e-5 * (1 + fabs(numeric))) {
            fprintf(stderr,
                    "setting %d (%s %s adapt %x): d loss[%zu] / d adapted[%zu], of '%s', is %.9g, the plan says %.9g\n",
                    number, s->arch, s->sharing, s->adapt, task, e, name_of(&p.in, &p.b, e), numeric, kept[e]);
            wrong++;
        }
    }
    if (nonzero < DRAWS / 2)
        fprintf(stderr, "setting %d: only %d of %d differences are not zero\n", number, nonzero, compared);
    failures += wrong > 0 || nonzero < DRAWS / 2;
    end_point(&p);
}

/* The derivative along v, of which the numbers from begin to end are +1 or -1, against the plan's. The step is small:
 * deep networks have so many kinks that a longer one meets some. */
static bool direction_agrees(point *p, size_t task, const double *v, size_t begin, size_t end) {
    double *at = p->adapted + task * p->b.adapted_count, *before = malloc((end - begin) * sizeof *before), sides[2];
    const double *kept = p->kept + task * p->b.adapted_count;
    double says = 0, size = 0, h = 1e-7 / sqrt((double)(end - begin));
    memcpy(before, at + begin, (end - begin) * sizeof *before);
    for (int side = 0; side < 2; side++) {
        for (size_t e = begin; e < end; e++) at[e] = before[e - begin] + (side ? h : -h) * v[e];
        sides[side] = loss_of(p, task);
    }
    memcpy(at + begin, before, (end - begin) * sizeof *before);
    free(before);
    for (size_t e = begin; e < end; e++) {
        says += kept[e] * v[e];
        size += kept[e] * kept[e];
    }
    const double numeric = (sides[1] - sides[0]) / (2 * h);
    return fabs(numeric - says) <= 1e-4 * sqrt(size) + 1e-14 / h;
}

/* Networks of millions of numbers: along random directions each number counts, in a few steps. Where one disagrees each
 * parameter is tried alone, for the message. */
static void check_directions(const setting *s, int number) {
    point p = begin_point(s);
    ad_random random = ad_random_make(12, AD_STREAM_CHECK, (uint32_t)number);
    double *v = malloc(p.b.adapted_count * sizeof *v);
    bool agrees = true;
    for (size_t task = 0; task < TASKS; task++) {
        for (size_t e = 0; e < p.b.adapted_count; e++) v[e] = ad_random_below(&random, 2) ? 1 : -1;
        agrees = direction_agrees(&p, task, v, 0, p.b.adapted_count) && agrees;
    }
    const ad_network *net = &p.in.model->net;
    for (int i = 0; i < net->param_count && !agrees; i++) {
        const ad_param *param = &net->params[i];
        const size_t at = p.b.at[i];
        if (at == AD_NOT_ADAPTED) continue;
        if (!direction_agrees(&p, 0, v, at, at + param->count))
            fprintf(stderr, "setting %d (%s %s adapt %x): wrong gradient of '%s'\n", number, s->arch, s->sharing,
                    s->adapt, param->name);
    }
    if (!agrees)
        fprintf(stderr, "setting %d (%s %s adapt %x): the gradient disagrees with differences of the loss\n", number,
                s->arch, s->sharing, s->adapt);
    failures += !agrees;
    free(v);
    end_point(&p);
}

void check_gradient(const setting *s, int number) {
    if (s->large)
        check_directions(s, number);
    else
        check_numbers(s, number);
}
