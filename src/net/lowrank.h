/* Low-rank adapters of the k x k convolutions of a network, for comparison with atoms (docs/methods.md, "Low-rank
 * adapters"): to a kernel w0 [k*k][c][o], ordinary or composed, that stays as it is, a product of rank r is added for
 * each task, v[ij][c][o] = w0[ij][c][o] + scale * sum_r A[ij][c][r] B[o][r], and LoRA [arXiv 2106.09685] takes w = v.
 * DoRA [arXiv 2402.09353] adapts the size of each output channel apart from its direction, w = gain[o] v/|v|_o; BoRA
 * [arXiv 2412.06441] then does the same to the input channels of the result. */
#ifndef AD_NET_LOWRANK_H
#define AD_NET_LOWRANK_H

#include "net/network.h"

typedef enum ad_lowrank_kind { AD_LOWRANK_NONE, AD_LOWRANK_LORA, AD_LOWRANK_DORA, AD_LOWRANK_BORA } ad_lowrank_kind;
enum { AD_LOWRANK_GAINS = 2, AD_LOWRANK_MOST = 256 };

typedef struct ad_lowrank {
    ad_lowrank_kind kind;
    int32_t rank; /* 1..AD_LOWRANK_MOST */
    float scale;
} ad_lowrank;

/* Where the tensors of a layer lie: floats from the start of a task's block of adapted numbers. */
typedef struct ad_lowrank_layer {
    int node;
    size_t a, b;                   /* [k*k][c][rank], [o][rank] */
    size_t gain[AD_LOWRANK_GAINS]; /* DoRA, BoRA: [o]; BoRA: [c] */
} ad_lowrank_layer;

/* The same layer in a file, named after its convolution: part 0 is A [rank][c][k][k], 1 is B [o][rank][1][1] (both as
 * PEFT has them), then come the gains [o] and [c]. */
int ad_lowrank_parts(ad_lowrank_kind kind);
const char *ad_lowrank_suffix(int part);
/* Fills name and shape, returns the rank. */
int ad_lowrank_file(const ad_node *node, int rank, int part, char name[AD_PARAM_NAME], int64_t shape[4]);
/* Where element `index` of the file's tensor lies in the block. */
size_t ad_lowrank_at(const ad_node *node, int rank, const ad_lowrank_layer *layer, int part, size_t index);

/* Convolutions of one pixel, shortcuts among them, have no such adapter. */
bool ad_lowrank_adapts(const ad_node *node);
/* Gains of a layer, the outputs' first: 0, 1 or 2. */
int ad_lowrank_gains(ad_lowrank_kind kind);
size_t ad_lowrank_a_count(const ad_node *node, int rank);
/* Numbers that count as parameters of one layer: without the padding of c. */
uint64_t ad_lowrank_parameters(const ad_node *node, const ad_lowrank *how);
/* A's start: uniform in +-1/sqrt(k*k*c) (He's uniform start with slope sqrt 5, as in PEFT); zero for padding. B starts
 * at zero, gains as the sizes of w0's channels: the adapted kernel then is w0. */
void ad_lowrank_start(const ad_node *node, int rank, ad_random *random, float *a);
/* The kernel w of a task whose adapted numbers are block; w0 as above. w may be w0. */
void ad_lowrank_merge(const ad_node *node, const ad_lowrank *how, const ad_lowrank_layer *layer, const float *block,
                      const float *w0, float *w);
#endif
