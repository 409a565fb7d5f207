/* The machine that reads pickles: a stack of values, marks in it, and a memo of values that are named again. */
#include "io/pickle.h"

#include "base/bytes.h"
#include "io/pickle_names.h"

#include <stdio.h>
#include <string.h>

/* A value takes more memory than the one or two bytes that make it. A state dictionary needs some ten times its pickle,
 * a list of small numbers 18 times. */
#define FREE_BYTES ((size_t)1 << 20)
#define MOST_TIMES 24
/* 300,000 tensors. Numbers of values fit into 32 bits. */
#define MOST_BYTES ((size_t)64 << 20)
enum { LOOK_EVERY = 1 << 20, SHOWN = 100 };

enum {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_NONE = 'N',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_BINPERSID = 'Q',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_EMPTY_LIST = ']',
    OP_EMPTY_TUPLE = ')',
    OP_PROTO = 0x80,
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_LONG4 = 0x8b,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINBYTES8 = 0x8e,
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_FROZENSET = 0x91,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95
};

/* Opcodes that are refused, by the names that Python gives them. */
static const struct {
    unsigned char code;
    const char *name;
} refused[] = {
    {'2', "DUP"},    {'F', "FLOAT"},      {'I', "INT"},         {'L', "LONG"},         {'P', "PERSID"},
    {'S', "STRING"}, {'V', "UNICODE"},    {'d', "DICT"},        {'g', "GET"},          {'i', "INST"},
    {'l', "LIST"},   {'o', "OBJ"},        {'p', "PUT"},         {0x82, "EXT1"},        {0x83, "EXT2"},
    {0x84, "EXT4"},  {0x92, "NEWOBJ_EX"}, {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"},
};

typedef struct reader {
    adatom_context *ctx;
    ad_pickle *out;
    const unsigned char *bytes;
    size_t size, at;
    size_t op; /* where the opcode that is carried out stands */
    ad_pickle_value *stack, *memo;
    uint32_t *marks; /* heights of the stack */
    size_t height, stack_capacity, mark_count, mark_capacity, memo_count, memo_capacity;
    size_t taken; /* bytes of memory */
} reader;

static adatom_status wrong(const reader *r, const char *what) {
    return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': byte %zu of its pickle: %s", r->out->name, r->op, what);
}

static adatom_status refuse_name(const reader *r, const char *what, ad_pickle_text module, ad_pickle_text name) {
    return ad_fail(r->ctx, ADATOM_BAD_DATA,
                   "'%s': byte %zu of its pickle %s '%.*s.%.*s', which no state dictionary is made of; nothing was run "
                   "(save the network's state_dict() alone)",
                   r->out->name, r->op, what, (int)AD_MIN(module.length, (size_t)SHOWN), module.bytes,
                   (int)AD_MIN(name.length, (size_t)SHOWN), name.bytes);
}

static adatom_status refuse_call(const reader *r, const ad_pickle_name *name) {
    return ad_fail(r->ctx, ADATOM_BAD_DATA,
                   "'%s': byte %zu of its pickle calls '%s.%s' in a way that no state dictionary does; nothing was run",
                   r->out->name, r->op, name->module, name->name);
}

static adatom_status refuse_opcode(const reader *r, unsigned char code) {
    const char *name = "unknown";
    for (size_t i = 0; i < AD_COUNT(refused); i++)
        if (refused[i].code == code) name = refused[i].name;
    return ad_fail(
        r->ctx, ADATOM_BAD_DATA,
        "'%s': byte %zu of its pickle is the opcode 0x%02x (%s), which no state dictionary uses; nothing was "
        "run",
        r->out->name, r->op, code, name);
}

/* Room for one more item. What the arrays take is bounded by what was read so far. */
static adatom_status grow(reader *r, void **array, size_t count, size_t *capacity, size_t item_bytes) {
    if (count < *capacity) return ADATOM_OK;
    enum { FIRST = 32, MANY = 1 << 16 };
    const size_t before = *capacity, grown = before == 0 ? FIRST : before < MANY ? 2 * before : before + before / 2;
    const size_t more = (grown - before) * item_bytes;
    if (r->taken + more > FREE_BYTES && (r->taken + more - FREE_BYTES) / MOST_TIMES > r->at)
        return wrong(r, "its values take too much memory for so few bytes");
    void *larger = ad_realloc(r->ctx, *array, before, grown, item_bytes);
    if (!larger) return ADATOM_OUT_OF_MEMORY;
    r->taken += more;
    *array = larger;
    *capacity = grown;
    return ADATOM_OK;
}

static adatom_status push(reader *r, ad_pickle_value value) {
    adatom_status status = grow(r, (void **)&r->stack, r->height, &r->stack_capacity, sizeof *r->stack);
    if (status == ADATOM_OK) r->stack[r->height++] = value;
    return status;
}

/* What is below the last mark is out of reach. */
static size_t floor_of(const reader *r) { return r->mark_count ? r->marks[r->mark_count - 1] : 0; }

static adatom_status pop(reader *r, ad_pickle_value *out) {
    if (r->height <= floor_of(r)) return wrong(r, "nothing is on the stack");
    *out = r->stack[--r->height];
    return ADATOM_OK;
}

/* Takes the last mark away; *from: where the values after it begin. */
static adatom_status pop_mark(reader *r, size_t *from) {
    if (r->mark_count == 0) return wrong(r, "no mark is on the stack");
    *from = r->marks[--r->mark_count];
    return ADATOM_OK;
}

static adatom_status top(const reader *r, ad_pickle_kind kind, const char *expected, ad_pickle_value *out) {
    if (r->height <= floor_of(r)) return wrong(r, "nothing is on the stack");
    *out = r->stack[r->height - 1];
    if (out->kind != kind) return wrong(r, expected);
    return ADATOM_OK;
}

static adatom_status add_item(reader *r, uint32_t container, ad_pickle_value value) {
    ad_pickle *p = r->out;
    adatom_status status = grow(r, (void **)&p->items, p->item_count, &p->item_capacity, sizeof *p->items);
    if (status != ADATOM_OK) return status;
    const uint32_t index = (uint32_t)p->item_count++;
    p->items[index] = (ad_pickle_item){value, AD_PICKLE_NONE};
    ad_pickle_container *c = &p->containers[container];
    if (c->count++ == 0)
        c->first = index;
    else
        p->items[c->last].next = index;
    c->last = index;
    return ADATOM_OK;
}

/* Pushes a new container with what the stack holds from `from` on. */
static adatom_status push_container(reader *r, ad_pickle_kind kind, size_t from) {
    ad_pickle *p = r->out;
    adatom_status status =
        grow(r, (void **)&p->containers, p->container_count, &p->container_capacity, sizeof *p->containers);
    if (status != ADATOM_OK) return status;
    const uint32_t container = (uint32_t)p->container_count++;
    p->containers[container] = (ad_pickle_container){AD_PICKLE_NONE, AD_PICKLE_NONE, 0};
    for (size_t i = from; i < r->height; i++)
        if ((status = add_item(r, container, r->stack[i])) != ADATOM_OK) return status;
    r->height = from;
    return push(r, (ad_pickle_value){.kind = kind, .index = container});
}

static adatom_status push_tuple(reader *r, size_t count) {
    if (r->height - floor_of(r) < count) return wrong(r, "nothing is on the stack");
    return push_container(r, AD_PICKLE_TUPLE, r->height - count);
}

/* Moves what the stack holds from `from` on into the container below it. */
static adatom_status extend(reader *r, ad_pickle_kind kind, size_t from) {
    const bool pairs = kind == AD_PICKLE_DICT;
    const size_t count = r->height - from;
    if (from <= floor_of(r)) return wrong(r, "nothing is on the stack");
    const ad_pickle_value target = r->stack[from - 1];
    if (target.kind != kind)
        return wrong(r, pairs ? "what gets members is no dictionary" : "what gets members is no list");
    if (pairs && count % 2) return wrong(r, "a key has no value");
    for (size_t i = from; i < r->height; i++) {
        adatom_status status = add_item(r, target.index, r->stack[i]);
        if (status != ADATOM_OK) return status;
    }
    r->height = from;
    return ADATOM_OK;
}

/* ---- numbers and texts ---- */

static adatom_status need(const reader *r, uint64_t count) {
    if (count <= r->size - r->at) return ADATOM_OK;
    return wrong(r, "the pickle ends within it");
}

static adatom_status read_number(reader *r, size_t count, uint64_t *out) {
    adatom_status status = need(r, count);
    if (status != ADATOM_OK) return status;
    *out = ad_little_endian(r->bytes + r->at, count);
    r->at += count;
    return ADATOM_OK;
}

static adatom_status push_int(reader *r, int64_t number) {
    return push(r, (ad_pickle_value){.kind = AD_PICKLE_INT, .number = number});
}

static adatom_status push_other(reader *r) { return push(r, (ad_pickle_value){.kind = AD_PICKLE_OTHER}); }

static adatom_status push_bool(reader *r, bool is) {
    return push(r, (ad_pickle_value){.kind = AD_PICKLE_BOOL, .number = is});
}

/* A number of `width` bytes that has no sign, or the two's complement of one that has. */
static adatom_status read_int(reader *r, size_t width, bool has_sign) {
    uint64_t number = 0;
    adatom_status status = read_number(r, width, &number);
    if (status != ADATOM_OK) return status;
    if (has_sign && width > 0 && width < 8 && number >> (8 * width - 1)) number |= UINT64_MAX << 8 * width;
    return push_int(r, (int64_t)number);
}

/* An integer of any length; those beyond 64 bits are nothing that is used. */
static adatom_status read_long(reader *r, size_t length_bytes) {
    uint64_t length = 0;
    adatom_status status = read_number(r, length_bytes, &length);
    if (status != ADATOM_OK) return status;
    if (length <= 8) return read_int(r, (size_t)length, true);
    if ((status = need(r, length)) != ADATOM_OK) return status;
    r->at += (size_t)length;
    return push_other(r);
}

static adatom_status read_text(reader *r, size_t length_bytes, bool is_text) {
    uint64_t length = 0;
    adatom_status status = read_number(r, length_bytes, &length);
    if (status != ADATOM_OK) return status;
    if ((status = need(r, length)) != ADATOM_OK) return status;
    const size_t at = r->at;
    r->at += (size_t)length;
    if (!is_text) return push_other(r);
    return push(r, (ad_pickle_value){.kind = AD_PICKLE_TEXT, .index = (uint32_t)length, .number = (int64_t)at});
}

static adatom_status skip(reader *r, size_t count) {
    adatom_status status = need(r, count);
    if (status == ADATOM_OK) r->at += count;
    return status;
}

/* ---- names and calls ---- */

static adatom_status push_name(reader *r, ad_pickle_text module, ad_pickle_text name) {
    uint32_t row = 0;
    if (!ad_pickle_find_name(module, name, &row)) return refuse_name(r, "names", module, name);
    return push(r, (ad_pickle_value){.kind = AD_PICKLE_NAME, .index = row});
}

static adatom_status read_line(reader *r, ad_pickle_text *out) {
    const unsigned char *from = r->bytes + r->at, *end = memchr(from, '\n', r->size - r->at);
    if (!end) return wrong(r, "the pickle ends within it");
    *out = (ad_pickle_text){(const char *)from, (size_t)(end - from)};
    r->at += out->length + 1;
    return ADATOM_OK;
}

static adatom_status read_global(reader *r) {
    ad_pickle_text module = {0}, name = {0};
    adatom_status status = read_line(r, &module);
    if (status == ADATOM_OK) status = read_line(r, &name);
    return status == ADATOM_OK ? push_name(r, module, name) : status;
}

static adatom_status stack_global(reader *r) {
    ad_pickle_value name = {0}, module = {0};
    adatom_status status = pop(r, &name);
    if (status == ADATOM_OK) status = pop(r, &module);
    if (status != ADATOM_OK) return status;
    if (name.kind != AD_PICKLE_TEXT || module.kind != AD_PICKLE_TEXT) return wrong(r, "what it names is no text");
    return push_name(r, ad_pickle_text_of(r->out, module), ad_pickle_text_of(r->out, name));
}

/* An OrderedDict of nothing or, as Python 2 wrote it, of a list of pairs. */
static adatom_status call_dict(reader *r, const ad_pickle_name *name, ad_pickle_value arguments) {
    const ad_pickle *p = r->out;
    adatom_status status = push_container(r, AD_PICKLE_DICT, r->height);
    if (status != ADATOM_OK) return status;
    const uint32_t dict = r->stack[r->height - 1].index, only = ad_pickle_first(p, arguments);
    if (only == AD_PICKLE_NONE) return ADATOM_OK;
    if (p->items[only].next != AD_PICKLE_NONE || p->items[only].value.kind != AD_PICKLE_LIST)
        return refuse_call(r, name);
    for (uint32_t i = ad_pickle_first(p, p->items[only].value); i != AD_PICKLE_NONE; i = p->items[i].next) {
        const ad_pickle_value pair = p->items[i].value;
        const bool is_pair =
            (pair.kind == AD_PICKLE_LIST || pair.kind == AD_PICKLE_TUPLE) && p->containers[pair.index].count == 2;
        if (!is_pair) return refuse_call(r, name);
        const uint32_t key = ad_pickle_first(p, pair), value = p->items[key].next;
        status = add_item(r, dict, p->items[key].value);
        if (status == ADATOM_OK) status = add_item(r, dict, p->items[value].value);
        if (status != ADATOM_OK) return status;
    }
    return ADATOM_OK;
}

static adatom_status call(reader *r, ad_pickle_value function, ad_pickle_value arguments) {
    const ad_pickle *p = r->out;
    if (function.kind != AD_PICKLE_NAME) return wrong(r, "what is called is no constructor");
    const ad_pickle_name *name = &ad_pickle_names[function.index];
    if (arguments.kind != AD_PICKLE_TUPLE) return refuse_call(r, name);
    const uint32_t first = ad_pickle_first(p, arguments);
    const ad_pickle_value none = {.kind = AD_PICKLE_OTHER},
                          only = first == AD_PICKLE_NONE ? none : p->items[first].value;
    switch (name->use) {
    case AD_PICKLE_AS_DICT: return call_dict(r, name, arguments);
    case AD_PICKLE_AS_OTHER: return push_other(r);
    case AD_PICKLE_AS_SIZE: return only.kind == AD_PICKLE_TUPLE ? push(r, only) : refuse_call(r, name);
    case AD_PICKLE_AS_TENSOR:
    case AD_PICKLE_AS_TENSOR_3:
        return push(r, (ad_pickle_value){AD_PICKLE_TENSOR, arguments.index, (int64_t)function.index});
    case AD_PICKLE_AS_WRAPPED: return only.kind == AD_PICKLE_TENSOR ? push(r, only) : refuse_call(r, name);
    case AD_PICKLE_AS_FROM_TYPE: {
        const uint32_t type = first == AD_PICKLE_NONE ? AD_PICKLE_NONE : p->items[first].next;
        const uint32_t inner = type == AD_PICKLE_NONE ? AD_PICKLE_NONE : p->items[type].next;
        if (inner == AD_PICKLE_NONE || only.kind != AD_PICKLE_NAME) return refuse_call(r, name);
        const ad_pickle_use use = ad_pickle_names[only.index].use;
        if (use != AD_PICKLE_AS_TENSOR && use != AD_PICKLE_AS_TENSOR_3 && use != AD_PICKLE_AS_WRAPPED)
            return refuse_call(r, name);
        return call(r, only, p->items[inner].value);
    }
    case AD_PICKLE_AS_NAMED:
    case AD_PICKLE_AS_STORAGE:
    case AD_PICKLE_AS_TYPE: break;
    }
    return refuse_call(r, name);
}

/* REDUCE calls anything of the list; NEWOBJ, cls.__new__, only what is a class. */
static adatom_status reduce(reader *r, bool is_new) {
    ad_pickle_value arguments = {0}, function = {0};
    adatom_status status = pop(r, &arguments);
    if (status == ADATOM_OK) status = pop(r, &function);
    if (status != ADATOM_OK) return status;
    if (is_new && function.kind == AD_PICKLE_NAME) {
        const ad_pickle_name *name = &ad_pickle_names[function.index];
        const bool is_class =
            name->use == AD_PICKLE_AS_OTHER || name->use == AD_PICKLE_AS_DICT || name->use == AD_PICKLE_AS_WRAPPED;
        if (!is_class) return refuse_call(r, name);
    }
    return call(r, function, arguments);
}

/* Of a parameter, as PyTorch wrote it before 2018: whether it needs a gradient, and its hooks. */
static bool is_parameter_state(const ad_pickle *p, ad_pickle_value state) {
    if (state.kind != AD_PICKLE_TUPLE || p->containers[state.index].count > 4) return false;
    for (uint32_t i = ad_pickle_first(p, state); i != AD_PICKLE_NONE; i = p->items[i].next) {
        const ad_pickle_kind kind = p->items[i].value.kind;
        if (kind != AD_PICKLE_BOOL && kind != AD_PICKLE_OTHER && kind != AD_PICKLE_DICT) return false;
    }
    return true;
}

/* The attributes of a dictionary (_metadata), of a record or of a parameter are passed over; nothing else gets any. */
static adatom_status build(reader *r) {
    ad_pickle_value state = {0};
    adatom_status status = pop(r, &state);
    if (status != ADATOM_OK) return status;
    if (r->height <= floor_of(r)) return wrong(r, "nothing is on the stack");
    const ad_pickle_kind kind = r->stack[r->height - 1].kind;
    const bool is_allowed = kind == AD_PICKLE_DICT || kind == AD_PICKLE_OTHER ||
                            (kind == AD_PICKLE_TENSOR && is_parameter_state(r->out, state));
    if (!is_allowed) return wrong(r, "BUILD sets attributes of what has none in a state dictionary");
    return ADATOM_OK;
}

static adatom_status storage(reader *r) {
    ad_pickle *p = r->out;
    ad_pickle_value id = {0};
    adatom_status status = pop(r, &id);
    if (status != ADATOM_OK) return status;
    const uint32_t first = id.kind == AD_PICKLE_TUPLE ? ad_pickle_first(p, id) : AD_PICKLE_NONE;
    const ad_pickle_value none = {.kind = AD_PICKLE_OTHER},
                          what = first == AD_PICKLE_NONE ? none : p->items[first].value;
    if (what.kind != AD_PICKLE_TEXT || !ad_pickle_is(ad_pickle_text_of(p, what), "storage"))
        return wrong(r, "what is kept outside of the pickle is no storage of numbers");
    status = grow(r, (void **)&p->storages, p->storage_count, &p->storage_capacity, sizeof *p->storages);
    if (status != ADATOM_OK) return status;
    p->storages[p->storage_count++] = id.index;
    return push(r, (ad_pickle_value){.kind = AD_PICKLE_STORAGE, .index = id.index});
}

/* ---- the memo: places are given one after the other, as every pickler does ---- */

static adatom_status put(reader *r, uint64_t place) {
    if (r->height <= floor_of(r)) return wrong(r, "nothing is on the stack");
    if (place > r->memo_count) return wrong(r, "a place of the memo is left out");
    const ad_pickle_value value = r->stack[r->height - 1];
    if (place == r->memo_count) {
        adatom_status status = grow(r, (void **)&r->memo, r->memo_count, &r->memo_capacity, sizeof *r->memo);
        if (status != ADATOM_OK) return status;
        r->memo_count++;
    }
    r->memo[place] = value;
    return ADATOM_OK;
}

static adatom_status read_place(reader *r, size_t width, bool is_put) {
    uint64_t place = 0;
    adatom_status status = read_number(r, width, &place);
    if (status != ADATOM_OK) return status;
    if (is_put) return put(r, place);
    if (place >= r->memo_count) return wrong(r, "this place of the memo is empty");
    return push(r, r->memo[place]);
}

/* ---- the machine ---- */

static adatom_status mark(reader *r) {
    adatom_status status = grow(r, (void **)&r->marks, r->mark_count, &r->mark_capacity, sizeof *r->marks);
    if (status == ADATOM_OK) r->marks[r->mark_count++] = (uint32_t)r->height;
    return status;
}

/* What ends with a mark: a tuple, members, a set, or nothing. */
static adatom_status gather(reader *r, unsigned char code) {
    size_t from = 0;
    ad_pickle_value set = {0};
    adatom_status status = pop_mark(r, &from);
    if (status != ADATOM_OK) return status;
    if (code == OP_TUPLE) return push_container(r, AD_PICKLE_TUPLE, from);
    if (code == OP_APPENDS) return extend(r, AD_PICKLE_LIST, from);
    if (code == OP_SETITEMS) return extend(r, AD_PICKLE_DICT, from);
    r->height = from;
    if (code == OP_FROZENSET) return push_other(r);
    if (code == OP_ADDITEMS) return top(r, AD_PICKLE_OTHER, "what gets members is no set", &set);
    return ADATOM_OK; /* POP_MARK */
}

static adatom_status proto(reader *r) {
    uint64_t version = 0;
    adatom_status status = read_number(r, 1, &version);
    if (status == ADATOM_OK && (version < 2 || version > 5)) return wrong(r, "its protocol is none of 2 to 5");
    return status;
}

static adatom_status step(reader *r, unsigned char code) {
    ad_pickle_value value = {0};
    switch (code) {
    case OP_PROTO: return proto(r);
    case OP_FRAME: return skip(r, 8);
    case OP_MARK: return mark(r);
    case OP_POP: return pop(r, &value);
    case OP_TUPLE:
    case OP_APPENDS:
    case OP_SETITEMS:
    case OP_FROZENSET:
    case OP_ADDITEMS:
    case OP_POP_MARK: return gather(r, code);
    case OP_NONE: return push_other(r);
    case OP_NEWTRUE: return push_bool(r, true);
    case OP_NEWFALSE: return push_bool(r, false);
    case OP_BININT: return read_int(r, 4, true);
    case OP_BININT1: return read_int(r, 1, false);
    case OP_BININT2: return read_int(r, 2, false);
    case OP_LONG1: return read_long(r, 1);
    case OP_LONG4: return read_long(r, 4);
    case OP_BINFLOAT: {
        adatom_status status = skip(r, 8);
        return status == ADATOM_OK ? push_other(r) : status;
    }
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINUNICODE: return read_text(r, 1, true);
    case OP_BINSTRING:
    case OP_BINUNICODE: return read_text(r, 4, true);
    case OP_BINUNICODE8: return read_text(r, 8, true);
    case OP_SHORT_BINBYTES: return read_text(r, 1, false);
    case OP_BINBYTES: return read_text(r, 4, false);
    case OP_BINBYTES8: return read_text(r, 8, false);
    case OP_EMPTY_TUPLE: return push_tuple(r, 0);
    case OP_TUPLE1: return push_tuple(r, 1);
    case OP_TUPLE2: return push_tuple(r, 2);
    case OP_TUPLE3: return push_tuple(r, 3);
    case OP_EMPTY_LIST: return push_container(r, AD_PICKLE_LIST, r->height);
    case OP_EMPTY_DICT: return push_container(r, AD_PICKLE_DICT, r->height);
    case OP_EMPTY_SET: return push_other(r);
    case OP_APPEND: return r->height ? extend(r, AD_PICKLE_LIST, r->height - 1) : wrong(r, "nothing is on the stack");
    case OP_SETITEM:
        return r->height > 1 ? extend(r, AD_PICKLE_DICT, r->height - 2) : wrong(r, "nothing is on the stack");
    case OP_BINGET: return read_place(r, 1, false);
    case OP_LONG_BINGET: return read_place(r, 4, false);
    case OP_BINPUT: return read_place(r, 1, true);
    case OP_LONG_BINPUT: return read_place(r, 4, true);
    case OP_MEMOIZE: return put(r, r->memo_count);
    case OP_GLOBAL: return read_global(r);
    case OP_STACK_GLOBAL: return stack_global(r);
    case OP_REDUCE: return reduce(r, false);
    case OP_NEWOBJ: return reduce(r, true);
    case OP_BUILD: return build(r);
    case OP_BINPERSID: return storage(r);
    default: return refuse_opcode(r, code);
    }
}

adatom_status ad_pickle_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size, ad_pickle *out) {
    reader r = {.ctx = ctx, .out = out, .bytes = bytes};
    adatom_status status = ADATOM_OK;
    *out = (ad_pickle){.name = name, .bytes = bytes};
    r.size = AD_MIN(size, MOST_BYTES);
    for (size_t count = 1;; count++) {
        r.op = r.at;
        if (r.at == r.size)
            AD_TRY(wrong(&r, size > MOST_BYTES ? "it is longer than 64 MiB"
                                               : "it ends without STOP (is the file truncated?)"));
        const unsigned char code = r.bytes[r.at++];
        if (code == OP_STOP) break;
        AD_TRY(step(&r, code));
        if (count % LOOK_EVERY == 0) AD_TRY(ad_interrupted(ctx));
    }
    AD_TRY(pop(&r, &out->root));
    if (r.height || r.mark_count) AD_TRY(wrong(&r, "more than one value is left at its end"));
    out->size = r.at;
done:
    ad_free(r.stack);
    ad_free(r.memo);
    ad_free(r.marks);
    if (status != ADATOM_OK) ad_pickle_clear(out);
    return status;
}

void ad_pickle_clear(ad_pickle *pickle) {
    ad_free(pickle->items);
    ad_free(pickle->containers);
    ad_free(pickle->storages);
    *pickle = (ad_pickle){0};
}

uint32_t ad_pickle_first(const ad_pickle *pickle, ad_pickle_value container) {
    return pickle->containers[container.index].first;
}

uint32_t ad_pickle_pair(const ad_pickle *pickle, uint32_t item, ad_pickle_value *key, ad_pickle_value *value) {
    const ad_pickle_item *first = &pickle->items[item], *second = &pickle->items[first->next];
    *key = first->value;
    *value = second->value;
    return second->next;
}

ad_pickle_value ad_pickle_member(const ad_pickle *pickle, ad_pickle_value dict, const char *name) {
    ad_pickle_value key, value, found = {.kind = AD_PICKLE_OTHER};
    for (uint32_t i = ad_pickle_first(pickle, dict); i != AD_PICKLE_NONE;) {
        i = ad_pickle_pair(pickle, i, &key, &value);
        if (key.kind == AD_PICKLE_TEXT && ad_pickle_is(ad_pickle_text_of(pickle, key), name)) found = value;
    }
    return found;
}

ad_pickle_text ad_pickle_text_of(const ad_pickle *pickle, ad_pickle_value text) {
    return (ad_pickle_text){(const char *)pickle->bytes + text.number, text.index};
}

bool ad_pickle_is(ad_pickle_text text, const char *word) {
    return text.length == strlen(word) && memcmp(text.bytes, word, text.length) == 0;
}
