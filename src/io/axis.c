/* The weights by which an axis of a picture is scaled. */
#include "io/decode.h"

#include <math.h>

void ad_axis_free(ad_axis *a) {
    ad_free(a->first);
    ad_free(a->taps);
    ad_free(a->weights);
    ad_free(a->whole_weights);
}

static adatom_status allocate(int count, int taps_max, bool whole, ad_axis *a) {
    const size_t weights = (size_t)taps_max * (whole ? sizeof *a->whole_weights : sizeof *a->weights);
    void *room = ad_malloc(NULL, (size_t)count, weights);
    a->taps_max = taps_max;
    a->first = ad_malloc(NULL, (size_t)count, sizeof *a->first);
    a->taps = ad_malloc(NULL, (size_t)count, sizeof *a->taps);
    if (whole)
        a->whole_weights = room;
    else
        a->weights = room;
    return a->first && a->taps && room ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
}

adatom_status ad_axis_make(const ad_axis_place *p, ad_axis *a) {
    const double scale = (double)p->extent / p->shrink / p->scaled, support = AD_MAX(scale, 1.0);
    adatom_status status = ADATOM_OK;
    AD_TRY(allocate(p->count, (int)(2 * support) + 3, false, a));
    for (int i = 0; i < p->count; i++) {
        double centre = (i + p->offset + 0.5) * scale, sum = 0;
        int from = (int)AD_MAX(0.0, floor(centre - support + 0.5)),
            to = (int)AD_MIN((double)p->in, floor(centre + support + 0.5));
        float *w = a->weights + (size_t)i * (size_t)a->taps_max;
        for (int j = from; j < to; j++) sum += AD_MAX(0.0, 1.0 - fabs((j + 0.5 - centre) / support));
        for (int j = from; j < to; j++)
            w[j - from] = (float)(AD_MAX(0.0, 1.0 - fabs((j + 0.5 - centre) / support)) / sum);
        a->first[i] = from;
        a->taps[i] = to - from;
    }
done:
    return status;
}

static double triangle(double x) { return AD_MAX(0.0, 1.0 - fabs(x)); }

/* Keys' cubic convolution with a = -1/2. */
static double cubic_at(double x) {
    x = fabs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0;
}

/* Sharpens the weights by as much as a decoder blurs that makes one pixel of the mean of `shrink` pixels: the mean of n
 * neighbours weakens a slow wave of w radians an output pixel by w^2 (1 - 1/n^2) / 24. The weights have room for one
 * more tap on either side. A pixel outside the picture counts as the one at the border. */
static void sharpen(const ad_axis_place *p, double *w, int *from, int *taps) {
    const double b = -(1 - 1.0 / ((double)p->shrink * p->shrink)) / 24;
    const int last = p->in - 1, left = *from > 0, right = *from + *taps - 1 < last;
    double before = 0;
    for (int j = *taps - 1; j >= 0; j--) w[j + left] = w[j];
    if (left) w[0] = 0;
    if (right) w[*taps + left] = 0;
    *from -= left;
    *taps += left + right;
    for (int j = 0; j < *taps; j++) {
        const double here = w[j], after = j + 1 < *taps ? w[j + 1] : 0;
        const int neighbours = (*from + j > 0) + (*from + j < last);
        w[j] = here + b * (before + after - neighbours * here);
        before = here;
    }
}

/* Computes the weights of one output pixel. The order of operations is Pillow's, so that the last bit is the same. t is
 * a pixel of the shown picture. */
static void filter(const ad_axis_place *p, bool cubic, int shown, double *w, int *from, int *taps) {
    const double scale = (double)p->extent / p->scaled, widened = AD_MAX(scale, 1.0);
    const double support = (cubic ? 2.0 : 1.0) * widened, centre = (shown + 0.5) * scale;
    const double start = p->reversed ? (double)p->extent - (double)p->in * p->shrink : 0; /* of pixel 0, as shown */
    double sum = 0;
    *from = (int)AD_MAX(0.0, (centre - support - start) / p->shrink + 0.5);
    const int to = (int)AD_MIN((double)p->in, (centre + support - start) / p->shrink + 0.5);
    *taps = to - *from;
    for (int j = 0; j < *taps; j++) {
        const double t = (double)(j + *from) * p->shrink + start;
        const double x = (t - centre + 0.5 * p->shrink) * (1.0 / widened);
        w[j] = cubic ? cubic_at(x) : triangle(x);
        sum += w[j];
    }
    for (int j = 0; j < *taps; j++) w[j] /= sum;
    if (p->shrink > 1) sharpen(p, w, from, taps);
}

adatom_status ad_axis_make_whole(const ad_axis_place *p, bool cubic, ad_axis *a) {
    const double support = AD_MAX((double)p->extent / p->scaled, 1.0) * (cubic ? 2 : 1) / p->shrink;
    const int taps_max = (int)(2 * support) + 5;
    adatom_status status = ADATOM_OK;
    double *w = ad_malloc(NULL, (size_t)taps_max, sizeof *w);
    if (!w) return ADATOM_OUT_OF_MEMORY;
    AD_TRY(allocate(p->count, taps_max, true, a));
    for (int i = 0; i < p->count; i++) {
        int from = 0, taps = 0;
        filter(p, cubic, p->reversed ? p->scaled - 1 - p->offset - i : p->offset + i, w, &from, &taps);
        int32_t *whole = a->whole_weights + (size_t)i * (size_t)taps_max;
        for (int j = 0; j < taps; j++) {
            const double scaled = w[p->reversed ? taps - 1 - j : j] * (1 << AD_WHOLE_BITS);
            whole[j] = (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
        }
        a->first[i] = p->reversed ? p->in - from - taps : from;
        a->taps[i] = taps;
    }
done:
    ad_free(w);
    return status;
}
