/* Command buffers of a program. */
#ifndef AD_VK_RECORD_H
#define AD_VK_RECORD_H

#include "vk/program/program.h"

/* Records chunk->commands; adds to *barriers. */
adatom_status ad_vk_record_chunk(const vk_program *p, const vk_segment *s, vk_chunk *chunk, int *barriers);
#endif
