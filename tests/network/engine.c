/* The engines' results after a few steps against the reference's. */
#include "tests/network/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_adapters(const setting *s, const ad_built *b, const inputs *in, const ad_engine_api *api,
                           ad_program *program) {
    for (int l = 0; l < b->lowrank_count; l++)
        for (int task = 0; task < TASKS; task++) {
            size_t a, rest;
            float *numbers = adapter_room(s, b, in, &a, &rest, l);
            const size_t block = (size_t)task * b->adapted_count;
            adapter_numbers(s, in, &b->lowrank[l], task, numbers, numbers + a);
            must(api->program_write(program, b->adapted, (block + b->lowrank[l].a) * 4, numbers, a * 4), "write");
            must(api->program_write(program, b->adapted, (block + b->lowrank[l].b) * 4, numbers + a, rest * 4),
                 "write");
            free(numbers);
        }
    for (int task = 0; task < TASKS; task++) {
        size_t count = 0;
        float *numbers = alignment_numbers(b, in, task, &count);
        const size_t at = (size_t)task * b->adapted_count + b->alignment_offset;
        if (numbers) must(api->program_write(program, b->adapted, at * 4, numbers, count * 4), "write");
        free(numbers);
    }
}

static void write_all(ad_engine *e, ad_program *program, const ad_built *b, const inputs *in) {
    const ad_engine_api *api = e->api;
    const int32_t zero = 0;
    must(api->program_write(program, b->support_index, 0, in->support, sizeof in->support), "write");
    must(api->program_write(program, b->support_labels, 0, in->labels, sizeof in->labels), "write");
    must(api->program_write(program, b->query_index, 0, in->query, sizeof in->query), "write");
    must(api->program_write(program, b->schedule, 0, in->schedule, sizeof in->schedule), "write");
    must(api->program_write(program, b->norm, 0, in->norm, sizeof in->norm), "write");
    if (b->mix >= 0) must(api->program_write(program, b->mix, 0, in->mix, sizeof in->mix), "write");
    if (b->teacher >= 0) must(api->program_write(program, b->teacher, 0, in->teacher, sizeof in->teacher), "write");
    if (b->turned_labels >= 0)
        must(api->program_write(program, b->turned_labels, 0, in->turns, sizeof in->turns), "write");
    must(api->program_write(program, b->counter, 0, &zero, 4), "write");
    must(api->program_write(program, b->eval_counter, 0, &zero, 4), "write");
}

/* Bytes of all u of a task, and how many there are in half precision. */
static size_t u_bytes(const ad_plan *plan, int *halves) {
    size_t bytes = 0;
    for (int t = 0; t < plan->tensor_count; t++) {
        if (strcmp(plan->tensors[t].name, "u") != 0) continue;
        bytes += plan->tensors[t].count * ad_type_bytes(plan->tensors[t].type);
        *halves += plan->tensors[t].type == AD_F16;
    }
    return bytes;
}

/* Runs the plan twice in one program: replay gives the same bytes. Fills the adapted block and the predictions. */
static void run_plan(ad_engine *e, const setting *s, const inputs *in, const ad_built *b, int number, float *got,
                     int32_t *predicted) {
    const ad_engine_api *api = e->api;
    ad_buffer *external[3] = {0};
    const size_t bytes[3] = {b->plan->arenas[0].bytes, b->plan->arenas[1].bytes, b->plan->arenas[2].bytes};
    const void *data[3] = {in->model->values, in->pixels, in->pixels + 10 * 3 * s->size * s->size};
    for (int a = 0; a < 3; a++) {
        must(api->buffer_create(e, bytes[a], &external[a]), "buffer");
        must(api->buffer_write(e, external[a], 0, data[a], bytes[a]), "buffer");
    }
    const size_t count = TASKS * b->adapted_count;
    float *again = malloc(count * sizeof *again);
    ad_program *program = NULL;
    must(api->program_create(e, b->plan, external, &program), "program");
    for (int repeat = 0; repeat < 2; repeat++) {
        write_all(e, program, b, in);
        must(ad_run_segment(api, program, AD_SEGMENT_INIT, 1), "init");
        write_adapters(s, b, in, api, program);
        const ad_run runs[] = {{AD_SEGMENT_PREFIX, 1}, {AD_SEGMENT_STEP, STEPS}, {AD_SEGMENT_EVAL, 1}};
        if (b->plan->through) must(api->program_run(program, runs, 3), "all");
        for (int k = 0; k < 3 && !b->plan->through; k++) must(api->program_run(program, &runs[k], 1), "segment");
        must(api->program_read(program, b->adapted, 0, repeat ? again : got, count * sizeof *got), "read");
        must(api->program_read(program, b->query_predicted, 0, predicted, TASKS * WAY * SHOT * sizeof *predicted),
             "read");
    }
    api->program_destroy(&program);
    if (memcmp(got, again, count * sizeof *got) != 0) {
        fprintf(stderr, "%s, setting %d: replay gives other bytes\n", api->name, number);
        failures++;
    }
    free(again);
    for (int a = 0; a < 3; a++) api->buffer_destroy(e, &external[a]);
}

/* An engine that works by task: one lane for all of them, left after each segment or only at the end, gives the same
 * bytes and takes less memory. */
static void check_lanes(ad_engine *e, const setting *s, const inputs *in, const ad_built *b, int number,
                        const float *want, const int32_t *classes) {
    size_t least = ad_plan_owned_bytes(b->plan);
    for (int through = 0; through < 2; through++) {
        ad_built one = make_plan_with(s, in, false, 1, through);
        const size_t bytes = TASKS * one.adapted_count * sizeof(float), owned = ad_plan_owned_bytes(one.plan);
        float *got = malloc(bytes);
        int32_t predicted[TASKS * WAY * SHOT];
        run_plan(e, s, in, &one, number, got, predicted);
        if (memcmp(got, want, bytes) != 0 || memcmp(predicted, classes, sizeof predicted) != 0 || owned >= least) {
            fprintf(stderr, "%s, setting %d: one lane%s gives other bytes or takes more memory\n", e->api->name, number,
                    through ? " for everything" : "");
            failures++;
        }
        least = owned + 1; /* nothing may be needed for longer than a segment */
        free(got);
        ad_built_clear(&one);
    }
}

void check_engine(ad_engine *e, const setting *s, int number, bool half) {
    ad_limits limits;
    e->api->limits(e, &limits);
    const int lanes = limits.lanes ? TASKS : 0;
    inputs in = make_inputs(s, s->adam ? 0.003f : 0.02f);
    ad_built b = make_plan_with(s, &in, half, lanes, false), whole = make_plan_with(s, &in, false, lanes, false),
             exact = make_plan(s, &in);
    int halves = 0, none = 0;
    const size_t bytes_u = u_bytes(b.plan, &halves), bytes_exact = u_bytes(whole.plan, &none);
    if (none != 0 || (half ? 2 * bytes_u != bytes_exact : halves != 0) ||
        ad_plan_owned_bytes(b.plan) > ad_plan_owned_bytes(whole.plan)) {
        fprintf(stderr, "setting %d: u has %zu bytes in half precision, %zu else\n", number, bytes_u, bytes_exact);
        failures++;
    }
    if (half && halves == 0) goto done;
    const size_t count = TASKS * b.adapted_count;
    float *got = malloc(count * sizeof *got);
    int32_t predicted[TASKS * WAY * SHOT];
    run_plan(e, s, &in, &b, number, got, predicted);
    if (lanes && !half) check_lanes(e, s, &in, &b, number, got, predicted);
    interpreter *run = start(s, &exact, &in);
    const double *want = interpreter_tensor(run, exact.adapted),
                 *labels = interpreter_tensor(run, exact.query_predicted);
    double *began = malloc(count * sizeof *began), worst = 0, off = 0, way = 0;
    memcpy(began, want, count * sizeof *began);
    for (int t = 0; t < STEPS; t++) interpreter_run(run, AD_SEGMENT_STEP);
    interpreter_run(run, AD_SEGMENT_EVAL);
    /* Three steps through relus and maxima: a rounding near a kink may move a gradient a little. */
    for (size_t i = 0; i < count; i++) {
        const double d = (double)got[i] - want[i];
        worst = fmax(worst, fabs(d) / (1e-2 + fabs(want[i])));
        off += d * d;
        way += (want[i] - began[i]) * (want[i] - began[i]);
    }
    int differ = 0;
    for (int i = 0; i < TASKS * WAY * SHOT; i++) differ += predicted[i] != (int)labels[i];
    /* 2^-11 of u moves more maxima, and turns gradients that are nearly zero, of which Adam makes whole steps: then the
     * way as a whole counts. */
    const bool close = half ? sqrt(off / way) < 0.2 : worst < 2e-3 && sqrt(off / way) < 0.1;
    if (!close || differ > 1) {
        fprintf(stderr,
                "%s, setting %d%s (%s %s adapt %x bn %d): off by %g relative, %g of the way, %d predictions differ\n",
                e->api->name, number, half ? " in half precision" : "", s->arch, s->sharing, s->adapt, s->bn, worst,
                sqrt(off / way), differ);
        failures++;
    }
    free(began);
    free(got);
    interpreter_destroy(&run);
done:
    ad_built_clear(&b);
    ad_built_clear(&whole);
    ad_built_clear(&exact);
    free_inputs(&in);
}
