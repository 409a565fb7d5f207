/* Submissions: up to two in flight, so that the device has work while the host prepares more. */
#ifndef AD_VK_QUEUE_H
#define AD_VK_QUEUE_H

#include "vk/core/upload.h"

/* What the device took for a submission lies between these, in seconds: the host does not always see the moment when
 * one ends and the next begins. */
typedef struct vk_span {
    double least, most;
} vk_span;

typedef struct vk_flight {
    VkFence fence;
    char what[160];          /* for messages */
    double expected;         /* seconds */
    double began, last_seen; /* when the host submitted it, and when it last saw that it had not ended */
    vk_span ended;           /* when the device had ended it, if `done` */
    bool done;
} vk_flight;

typedef struct vk_queue {
    vk_device *device;
    VkQueue handle;
    VkCommandPool pool; /* of copies */
    VkCommandBuffer copy_commands;
    vk_flight flights[VK_FLIGHTS];
    int first, count; /* in flight: flights[first], then the other one */
    vk_span ended;    /* when the submission before flights[first] had ended */
    vk_uploads uploads;
    vk_buffer staging;
} vk_queue;

adatom_status ad_vk_queue_open(vk_device *d, vk_queue *out);
void ad_vk_queue_close(vk_queue *q);
/* Submits command buffers; fewer than VK_FLIGHTS are in flight. `what` names them in the message of a device that does
 * not end them in a time far above `expected` seconds. */
adatom_status ad_vk_queue_submit(vk_queue *q, const VkCommandBuffer *commands, uint32_t count, double expected,
                                 const char *what);
/* Waits for the oldest submission in flight, of which there is one. DEVICE_LOST: the device is taken for lost where it
 * does not answer in time, and nothing is asked of it any more, nor freed. */
adatom_status ad_vk_queue_wait(vk_queue *q, vk_span *took);
/* After a failure: waits for what is in flight, and leaves the message as it is. */
void ad_vk_queue_drain(vk_queue *q);
/* Submits command buffers and waits for them; nothing is in flight. */
adatom_status ad_vk_submit(vk_queue *q, const VkCommandBuffer *commands, uint32_t count, const char *what);
#endif
