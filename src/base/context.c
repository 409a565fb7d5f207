/* The context: its message, log and interrupt flag. */
#include "base/base.h"

#include <string.h>

static const struct {
    const char *name, *text;
    int exit_code;
} statuses[] = {
#define ADATOM_X(name, code, text) {#name, text, code},
    ADATOM_STATUS_LIST(ADATOM_X)
#undef ADATOM_X
};

const char *adatom_status_name(adatom_status s) {
    return (size_t)s < AD_COUNT(statuses) ? statuses[s].name : "UNKNOWN";
}
const char *adatom_status_text(adatom_status s) {
    return (size_t)s < AD_COUNT(statuses) ? statuses[s].text : "unknown";
}
int adatom_status_exit_code(adatom_status s) { return (size_t)s < AD_COUNT(statuses) ? statuses[s].exit_code : 1; }
const char *adatom_version(void) { return ADATOM_VERSION; }

adatom_status adatom_context_create(const adatom_context_params *params, adatom_context **out) {
    *out = ad_calloc(NULL, 1, sizeof **out);
    if (!*out) return ADATOM_OUT_OF_MEMORY;
    if (params) (*out)->params = *params;
    return ADATOM_OK;
}

void adatom_context_destroy(adatom_context **context) {
    if (!context) return;
    ad_free(*context);
    *context = NULL;
}

const char *adatom_context_message(const adatom_context *context) { return context ? context->message : ""; }
void adatom_context_interrupt(adatom_context *context) { atomic_store(&context->interrupted, true); }

adatom_status ad_interrupted(adatom_context *ctx) {
    return atomic_load(&ctx->interrupted) ? ad_fail(ctx, ADATOM_INTERRUPTED, "interrupted") : ADATOM_OK;
}

adatom_status ad_leave(adatom_context *ctx, adatom_status status) {
    if (status == ADATOM_INTERRUPTED) atomic_store(&ctx->interrupted, false);
    if (status == ADATOM_OK) ctx->message[0] = 0;
    return status;
}

/* Names in it come from files and archives: nothing of them may steer the terminal. */
static void make_sentence(const char *format, va_list args, char out[AD_MESSAGE_BYTES]) ADATOM_PRINTF(1, 0);
static void make_sentence(const char *format, va_list args, char out[AD_MESSAGE_BYTES]) {
    char text[AD_MESSAGE_BYTES];
    if (ad_vprint(text, sizeof text, format, args) >= (int)sizeof text) ad_utf8_trim(text);
    adatom_printable(text, out, AD_MESSAGE_BYTES);
}

adatom_status ad_fail(adatom_context *ctx, adatom_status status, const char *format, ...) {
    if (!ctx) return status;
    char text[AD_MESSAGE_BYTES]; /* the arguments may point into the old message */
    va_list args;
    va_start(args, format);
    make_sentence(format, args, text);
    va_end(args);
    memcpy(ctx->message, text, sizeof text);
    return status;
}

void ad_log(adatom_context *ctx, adatom_log_level level, const char *format, ...) {
    if (!ctx || !ctx->params.log) return;
    char text[AD_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    make_sentence(format, args, text);
    va_end(args);
    ctx->params.log(ctx->params.user, level, text);
}
