/* Makes a network node by node. Families of networks (stages.c, inverted.c, convnext.c) describe theirs as rows of a
 * table and build them with these functions. The first failure stays in `status`; node numbers are then 0 and whatever
 * follows is harmless. */
#ifndef AD_NET_BUILDER_H
#define AD_NET_BUILDER_H

#include "net/network.h"

/* The activations of networks; the codes of ad_node.act. */
#include "plan/activation.h"

typedef struct ad_builder {
    adatom_context *ctx;
    ad_network *net;
    adatom_status status;
    int act; /* of ad_build_norm and ad_build_act where they are to have one */
    float slope;
    float epsilon; /* of batch norms */
    bool same;     /* TensorFlow's SAME padding; else k/2 on each side */
    int layer, stage, block, place;
} ad_builder;

/* What every network says of itself. The first member of each family's row. */
typedef struct ad_arch {
    const char *name;
    int image_size; /* usual size of its pictures */
    int published;  /* size of those that published weights were trained with */
    int width;      /* channels of its first stage, or of the stem where that comes first */
    bool stems;     /* has a stem to choose */
    bool widths;    /* can be made with other widths than its own */
    float epsilon;  /* of batch norms; 0: 1e-5 */
    bool same;      /* pads as TensorFlow does */
} ad_arch;

/* Networks of one kind. */
typedef struct ad_family {
    const void *rows;
    size_t count, size; /* rows, bytes of one */
    void (*build)(ad_builder *b, const ad_arch *row);
    /* Whether groups of so many channels divide every width; NULL: it has no layers that could share by groups. */
    bool (*divides)(const ad_arch *row, int width, int group);
} ad_family;
extern const ad_family ad_family_stages, ad_family_inverted, ad_family_convnext;

typedef struct ad_conv_spec {
    int input, o;
    int k, stride; /* 0: 1 */
    int groups;    /* 0: 1 */
    ad_part part;
    bool bias;     /* no batch norm follows */
    bool whole;    /* no padding: windows lie side by side */
    bool ordinary; /* never decomposed */
} ad_conv_spec;

/* What a node is before it is of a kind. Only the parameters of its kind are there; the others are -1. */
extern const ad_node ad_build_bare;
/* The input node. */
int ad_build_input(ad_builder *b);
/* A convolution of the layer `prefix`, whose norm is made by ad_build_norm(). */
int ad_build_conv(ad_builder *b, const char *prefix, const ad_conv_spec *spec);
int ad_build_norm(ad_builder *b, const char *prefix, int input, int residual, bool activation);
/* The next layer of the network: a convolution, its batch norm and, if wanted, the activation. */
int ad_build_layer(ad_builder *b, const ad_conv_spec *spec, int residual, bool activation);
/* The name of the next layer. */
void ad_build_next(ad_builder *b, char prefix[24]);
int ad_build_act(ad_builder *b, const char *prefix, int input, int act);
/* scale x + residual, one factor a channel. */
int ad_build_scale(ad_builder *b, const char *prefix, int input, int residual);
int ad_build_layer_norm(ad_builder *b, const char *prefix, int input, float epsilon);
int ad_build_gate(ad_builder *b, const char *prefix, int input, int gate);
/* prefix "": the network's own. */
int ad_build_pool(ad_builder *b, const char *prefix, int input, int k, int stride, int pad, bool average);
/* The mean over all positions. */
int ad_build_mean(ad_builder *b, int input);
#endif
