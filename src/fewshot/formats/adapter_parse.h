/* An adapter from the bytes of its files. */
#ifndef AD_FEWSHOT_ADAPTER_PARSE_H
#define AD_FEWSHOT_ADAPTER_PARSE_H

#include "fewshot/adapter.h"
#include "io/safetensors.h"

/* config[config_size]: the text of the configuration; file->name is used in messages. BAD_DATA: one of them is damaged,
 * or they contradict each other. */
adatom_status ad_adapter_parse(adatom_context *ctx, const char *config, size_t config_size, const ad_safetensors *file,
                               adatom_adapter **out);
#endif
