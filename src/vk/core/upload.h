/* Bytes that move while programs run. What was sent waits in a list. After each submission, while the device computes,
 * the host copies a piece of it: into the buffer itself where that is mapped; else into a part of a staging buffer, and
 * the next submission begins by copying it from there. Of these parts there is one more than there are submissions in
 * flight, so that the one that is filled next is never in use. */
#ifndef AD_VK_UPLOAD_H
#define AD_VK_UPLOAD_H

#include "vk/core/buffer.h"

enum { VK_UPLOAD_PARTS = VK_FLIGHTS + 1 };

typedef struct vk_upload {
    vk_buffer *to;
    size_t offset, bytes;
    const char *data;
} vk_upload;

typedef struct vk_uploads {
    vk_upload *list;
    size_t first, count, capacity;             /* list[first .. count-1] wait */
    vk_buffer staging;                         /* VK_UPLOAD_PARTS parts */
    VkCommandPool pool;                        /* of the command buffers; the owner's */
    VkCommandBuffer commands[VK_UPLOAD_PARTS]; /* from each part to where the bytes belong */
    int part;                                  /* the next to be filled */
    bool filled;                               /* the one before is, and goes with the next submission */
} vk_uploads;

adatom_status ad_vk_upload_add(vk_device *d, vk_uploads *u, vk_buffer *to, size_t offset, const void *data,
                               size_t bytes);
/* Copies a piece: some milliseconds of the host's time. */
adatom_status ad_vk_upload_piece(vk_device *d, vk_uploads *u);
/* What the next submission has to begin with; VK_NULL_HANDLE: nothing. */
VkCommandBuffer ad_vk_upload_take(vk_uploads *u);
/* Whether bytes wait in the list. */
static inline bool ad_vk_upload_waiting(const vk_uploads *u) { return u->first < u->count; }
/* Forgets what waits. */
void ad_vk_upload_drop(vk_uploads *u);
void ad_vk_upload_clear(vk_device *d, vk_uploads *u);
#endif
