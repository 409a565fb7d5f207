/* How a segment is cut into command buffers, and how long each is expected to take. */
#ifndef AD_VK_SCHEDULE_H
#define AD_VK_SCHEDULE_H

#include "vk/program/program.h"

/* One submission is kept to about this, because desktop systems reset a GPU that doesn't answer for a second or two. */
#define VK_TARGET_SECONDS 0.1

/* How long each operation may take before anything was measured. */
adatom_status ad_vk_expect_times(vk_program *p);
/* Divides launches that take too long, cuts the segment where the expected time exceeds half the target, and records
 * each part. The segment must not be running. */
adatom_status ad_vk_segment_record(vk_program *p, ad_segment_id id);
void ad_vk_segments_clear(vk_program *p);
/* What is expected of a chunk, and whether all its operations were measured. */
double ad_vk_chunk_seconds(const vk_program *p, const vk_segment *s, const vk_chunk *chunk);
bool ad_vk_chunk_measured(const vk_program *p, const vk_segment *s, const vk_chunk *chunk);
/* The chunks begin .. end - 1 (counted on from turn to turn) took `factor` times what was expected of them. Afterwards
 * s->stale says whether the segment is divided too coarsely or far too finely for what is known now. */
void ad_vk_learn(vk_program *p, ad_segment_id id, int64_t begin, int64_t end, double factor);
#endif
