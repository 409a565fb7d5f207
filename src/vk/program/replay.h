/* Runs of a program: its recorded segments, replayed in bounded submissions. */
#ifndef AD_VK_REPLAY_H
#define AD_VK_REPLAY_H

#include "vk/program/program.h"

/* ad_engine_api */
adatom_status ad_vk_program_run(ad_program *, const ad_run *runs, int count);
adatom_status ad_vk_program_profile(ad_program *, bool on);
double ad_vk_program_op_ns(ad_program *, int op);
#endif
