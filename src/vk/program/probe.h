/* Peaks of the device by small shaders of their own (shaders/probe_*.comp): arithmetic in registers, matrix units,
 * memory. */
#ifndef AD_VK_PROBE_H
#define AD_VK_PROBE_H

#include "vk/program/engine.h"

adatom_status ad_vk_probe(ad_engine *engine, ad_probe *probe); /* ad_engine_api */
#endif
