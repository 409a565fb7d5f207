/* The CPU engine's exp, sigmoid and normal distribution against libm in double precision over all magnitudes: no worse
 * than cpu/activation.h says. */
#include "cpu/activation.h"
#include "tests/run_suite.h"

#include <math.h>

#define EPS 0x1p-24

static float from_bits(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Every 257th number from 2^-31 up to 128, where nothing changes any more. */
enum { FIRST = 0x30000000, LAST = 0x43000000, STEP = 257 };

/* The largest error seen and where; one assertion for all, since a million take long. */
typedef struct worst {
    double error, at;
} worst;

static void note(worst *w, float x, double got, double want, double unit) {
    const double error = fabs(got - want) / (EPS * unit);
    if (error <= w->error) return;
    w->error = error;
    w->at = (double)x;
}

static void assert_at_most(const worst *w, double most) {
    ck_assert_msg(w->error > 0 && w->error <= most, "off by %g EPS at %.9g, not %g", w->error, w->at, most);
}

START_TEST(exponential) {
    worst w = {0};
    for (uint32_t bits = FIRST; bits < LAST; bits += STEP) {
        const float x = -from_bits(bits);
        if (x < -87) continue;
        note(&w, x, ad_cpu_exp_negative(x), exp((double)x), exp((double)x));
    }
    assert_at_most(&w, 2);
    ck_assert(ad_cpu_exp_negative(0) == 1 && ad_cpu_exp_negative(-87.1f) == 0 && ad_cpu_exp_negative(-INFINITY) == 0);
    ck_assert(isnan(ad_cpu_exp_negative(NAN)));
}
END_TEST

START_TEST(sigmoid) {
    worst of = {0}, rest = {0};
    for (uint32_t bits = FIRST; bits < LAST; bits += STEP)
        for (int sign = -1; sign <= 1; sign += 2) {
            const float x = (float)sign * from_bits(bits);
            if (fabsf(x) > 87) continue;
            const ad_cpu_sigmoids got = ad_cpu_sigmoid(x);
            const double want = 1 / (1 + exp(-(double)x)), other = 1 / (1 + exp((double)x));
            note(&of, x, got.of, want, want);
            note(&rest, x, got.rest, other, other);
        }
    assert_at_most(&of, 4);
    assert_at_most(&rest, 4);
    ck_assert(ad_cpu_sigmoid(100).of == 1 && ad_cpu_sigmoid(-100).of == 0 && isnan(ad_cpu_sigmoid(NAN).of));
}
END_TEST

START_TEST(normal) {
    worst w = {0};
    for (uint32_t bits = FIRST; bits < LAST; bits += STEP)
        for (int sign = -1; sign <= 1; sign += 2) {
            const float x = (float)sign * from_bits(bits);
            note(&w, x, ad_cpu_normal(x), erfc(-(double)x / sqrt(2)) / 2, 1);
        }
    assert_at_most(&w, 4);
    ck_assert(ad_cpu_normal(6) == 1 && ad_cpu_normal(-6) == 0 && isnan(ad_cpu_normal(NAN)));
}
END_TEST

/* The loops over numbers that lie together give what the functions of one number give, within what fused multiply-adds
 * change; in place too, and whatever the count. */
START_TEST(loops) {
    enum { COUNT = 37 };
    const int act = _i;
    float v[COUNT], dy[COUNT], y[COUNT], d[COUNT];
    for (int i = 0; i < COUNT; i++) {
        v[i] = 0.37f * (float)(i - 18);
        dy[i] = 1 + 0.1f * (float)i;
    }
    ad_cpu_activate(act, 0.25f, v, y, COUNT);
    ad_cpu_activate_back(act, 0.25f, v, dy, d, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const double want = ad_cpu_act(act, 0.25f, v[i]), slope = ad_cpu_act_slope(act, 0.25f, v[i]);
        ck_assert_msg(fabs((double)y[i] - want) <= 40 * EPS, "%s(%g)", ad_act_name(act), v[i]);
        ck_assert_msg(fabs((double)d[i] - slope * (double)dy[i]) <= 40 * EPS * (double)dy[i], "%s'(%g)",
                      ad_act_name(act), v[i]);
    }
    float in_place[COUNT];
    memcpy(in_place, v, sizeof v);
    ad_cpu_activate(act, 0.25f, in_place, in_place, COUNT);
    ck_assert(memcmp(in_place, y, sizeof y) == 0);
    memcpy(in_place, dy, sizeof dy);
    ad_cpu_activate_back(act, 0.25f, v, in_place, in_place, COUNT);
    ck_assert(memcmp(in_place, d, sizeof d) == 0);
    const float lost = NAN;
    ad_cpu_activate(act, 0.25f, &lost, y, 1);
    ck_assert(isnan(y[0]));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("activation");
    TCase *tests = tcase_create("activation");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, exponential);
    tcase_add_test(tests, sigmoid);
    tcase_add_test(tests, normal);
    tcase_add_loop_test(tests, loops, 0, AD_ACT_COUNT);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}
