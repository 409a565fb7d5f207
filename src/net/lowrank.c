#include "net/lowrank.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool ad_lowrank_adapts(const ad_node *node) { return node->kind == AD_NODE_CONV && node->k > 1; }

int ad_lowrank_gains(ad_lowrank_kind kind) { return kind == AD_LOWRANK_BORA ? 2 : kind == AD_LOWRANK_DORA; }

size_t ad_lowrank_a_count(const ad_node *node, int rank) {
    return (size_t)(node->k * node->k) * (size_t)node->c * (size_t)rank;
}

int ad_lowrank_parts(ad_lowrank_kind kind) { return 2 + ad_lowrank_gains(kind); }

const char *ad_lowrank_suffix(int part) {
    static const char *const suffixes[] = {".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector",
                                           ".lora_magnitude_vector_in"};
    return suffixes[part];
}

int ad_lowrank_file(const ad_node *node, int rank, int part, char name[AD_PARAM_NAME], int64_t shape[4]) {
    const int64_t c = ad_node_channels(node), o = node->o, k = node->k;
    snprintf(name, AD_PARAM_NAME, "%s%s", node->name, ad_lowrank_suffix(part));
    if (part > 1) {
        shape[0] = part == 2 ? o : c;
        return 1;
    }
    const int64_t a[] = {rank, c, k, k}, b[] = {o, rank, 1, 1};
    memcpy(shape, part == 0 ? a : b, sizeof a);
    return 4;
}

size_t ad_lowrank_at(const ad_node *node, int rank, const ad_lowrank_layer *layer, int part, size_t index) {
    const size_t k2 = (size_t)(node->k * node->k), c = (size_t)ad_node_channels(node);
    if (part == 0) return layer->a + (index % k2 * (size_t)node->c + index / k2 % c) * (size_t)rank + index / (k2 * c);
    return (part == 1 ? layer->b : layer->gain[part - 2]) + index;
}

uint64_t ad_lowrank_parameters(const ad_node *node, const ad_lowrank *how) {
    const uint64_t c = (uint64_t)ad_node_channels(node), o = (uint64_t)node->o,
                   gains = (uint64_t)ad_lowrank_gains(how->kind);
    return ((uint64_t)(node->k * node->k) * c + o) * (uint64_t)how->rank + (gains > 0 ? o : 0) + (gains > 1 ? c : 0);
}

void ad_lowrank_start(const ad_node *node, int rank, ad_random *random, float *a) {
    const int taps = node->k * node->k, channels = ad_node_channels(node);
    const float bound = 1.0f / sqrtf((float)(taps * channels));
    for (int tap = 0; tap < taps; tap++)
        for (int c = 0; c < node->c; c++)
            for (int r = 0; r < rank; r++)
                *a++ = c < channels ? (2.0f * ad_random_uniform(random) - 1.0f) * bound : 0.0f;
}

/* w = w*gain[x]/|w|_x; number i of channel x of a kernel of n numbers lies at x*step + i/run*jump + i%run. */
static void scale_channels(float *w, const float *gain, int channels, size_t size, size_t step, size_t run,
                           size_t jump) {
    for (int x = 0; x < channels; x++) {
        float *channel = w + (size_t)x * step;
        double squares = 0;
        for (size_t i = 0; i < size; i++) {
            const double value = (double)channel[i / run * jump + i % run];
            squares += value * value;
        }
        const double factor = (double)gain[x] / fmax(sqrt(squares), 1e-12);
        for (size_t i = 0; i < size; i++) {
            float *at = &channel[i / run * jump + i % run];
            *at = (float)(factor * (double)*at);
        }
    }
}

void ad_lowrank_merge(const ad_node *node, const ad_lowrank *how, const ad_lowrank_layer *layer, const float *block,
                      const float *w0, float *w) {
    const size_t taps = (size_t)(node->k * node->k), c = (size_t)node->c, o = (size_t)node->o, rank = (size_t)how->rank;
    const float *a = block + layer->a, *b = block + layer->b;
    for (size_t row = 0; row < taps * c; row++)
        for (size_t k = 0; k < o; k++) {
            double product = 0;
            for (size_t r = 0; r < rank; r++) product += (double)a[row * rank + r] * (double)b[k * rank + r];
            w[row * o + k] = (float)((double)w0[row * o + k] + (double)how->scale * product);
        }
    const int gains = ad_lowrank_gains(how->kind);
    if (gains > 0) scale_channels(w, block + layer->gain[0], node->o, taps * c, 1, 1, o);
    if (gains > 1) scale_channels(w, block + layer->gain[1], node->c, taps * o, o, o, c * o);
}
