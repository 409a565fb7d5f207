#include "compile/layers/layers.h"
const ad_layer ad_layer_channel_scale = {0};
