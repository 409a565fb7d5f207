#include "compile/layers/layers.h"
const ad_layer ad_layer_layer_norm = {0};
