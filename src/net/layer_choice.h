/* Which layers of a network adapt. A method adapts roles, or adapters of kernels; a choice of layers leaves of these
 * what belongs to its layers. Nodes are chosen by their names; a layer is what has the same name up to the first dot: a
 * convolution and its norm, and the shortcut that is named after it. */
#ifndef AD_NET_LAYER_CHOICE_H
#define AD_NET_LAYER_CHOICE_H

#include "net/lowrank.h"

typedef struct ad_layer_choice {
    /* Names and patterns (* any text, ? any letter) with commas between them. Each stands for the nodes whose name,
     * whole or up to one of its dots, it matches. NULL: all. */
    const char *names;
    int last; /* of these only the last so many layers that have numbers that adapt; 0: all */
} ad_layer_choice;

/* What a method adapts of a network. */
typedef struct ad_adapting {
    const char *method; /* for messages */
    unsigned roles;     /* bit 1 << role */
    ad_lowrank lowrank;
} ad_adapting;

/* chosen[net->node_count]. USAGE: a name that no node has, fewer layers than `last`, or layers in which nothing adapts.
 * Where the method adapts nothing of any network only the names are looked at. */
adatom_status ad_layers_choose(adatom_context *ctx, const ad_network *net, const ad_layer_choice *choice,
                               const ad_adapting *what, bool *chosen);
/* Whether a parameter belongs to the chosen layers (NULL: all). Coefficients that layers share do where all of these
 * layers are chosen. */
bool ad_layers_have(const ad_network *net, const bool *chosen, int param);
/* Marks the nodes that have the parameter. */
void ad_layers_mark(const ad_network *net, int param, bool *chosen);
#endif
