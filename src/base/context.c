/* The context: its message, its log, and the call that runs with it. */
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
uint32_t adatom_version_number(void) { return ADATOM_VERSION_NUMBER; }
uint32_t adatom_api_version(void) { return ADATOM_API_VERSION; }

adatom_status adatom_context_create(const adatom_context_params *params, adatom_context **out) {
    adatom_context_params p;
    *out = NULL;
    const adatom_status status = AD_PARAMS(NULL, adatom_context_params, params, &p);
    if (status != ADATOM_OK) return status;
    *out = ad_calloc(NULL, 1, sizeof **out);
    if (!*out) return ADATOM_OUT_OF_MEMORY;
    (*out)->params = p;
    return ADATOM_OK;
}

void adatom_context_destroy(adatom_context **context) {
    if (!context) return;
    ad_free(*context);
    *context = NULL;
}

const char *adatom_context_message(const adatom_context *context) { return context ? context->message : ""; }
void adatom_context_interrupt(adatom_context *context) { atomic_store(&context->interrupted, true); }

ad_call ad_call_begin(adatom_context *ctx, adatom_progress_callback progress, void *user) {
    const ad_call outer = ctx->call;
    if (outer.depth == 0) atomic_store(&ctx->interrupted, false);
    if (outer.depth == 0 || progress)
        ctx->call = (ad_call){.progress = progress, .user = user, .now = ADATOM_INIT(adatom_progress)};
    ctx->call.silent = outer.depth > 0 && !progress;
    ctx->call.depth = outer.depth + 1;
    return outer;
}

adatom_status ad_call_end(adatom_context *ctx, const ad_call *outer, adatom_status status) {
    ctx->call = *outer;
    return ad_leave(ctx, status);
}

adatom_status ad_leave(adatom_context *ctx, adatom_status status) {
    if (status == ADATOM_OK) ctx->message[0] = 0;
    return status;
}

static void ask(adatom_context *ctx) {
    const ad_call *call = &ctx->call;
    if (!call->progress || atomic_load(&ctx->interrupted)) return;
    if (!call->progress(call->user, &call->now)) atomic_store(&ctx->interrupted, true);
}

void ad_report_details(adatom_context *ctx, const adatom_progress *now) {
    ad_call *call = &ctx->call;
    if (call->silent) return;
    call->now = *now;
    call->now.size = sizeof call->now;
    ask(ctx);
    call->now.poll = true;
    call->now.training = NULL; /* the details are only valid during the report */
}

void ad_report(adatom_context *ctx, adatom_phase phase, uint64_t done, uint64_t total) {
    ad_report_details(ctx, &(adatom_progress){.phase = phase, .done = done, .total = total});
}

bool ad_stopping(adatom_context *ctx) {
    ctx->call.now.poll = true;
    ask(ctx);
    return atomic_load(&ctx->interrupted);
}

adatom_status ad_interrupted(adatom_context *ctx) {
    return ad_stopping(ctx) ? ad_fail(ctx, ADATOM_INTERRUPTED, "interrupted") : ADATOM_OK;
}

/* Formats a sentence. It may hold names from files and archives: they are made printable, so that nothing in them
 * steers a terminal. */
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
