#include "tests/support/spirv.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of the SPIR-V specification that occur in glslang's output. */
enum {
    OP_UNDEF = 1,
    OP_STRING = 7,
    OP_EXT_INST_IMPORT = 11,
    OP_EXT_INST = 12,
    OP_MEMORY_MODEL = 14,
    OP_ENTRY_POINT = 15,
    OP_CAPABILITY = 17,
    OP_TYPE_FIRST = 19,
    OP_TYPE_LAST = 39,
    OP_CONSTANT_TRUE = 41,
    OP_CONSTANT_FALSE = 42,
    OP_CONSTANT = 43,
    OP_SPEC_CONSTANT_TRUE = 48,
    OP_SPEC_CONSTANT_FALSE = 49,
    OP_SPEC_CONSTANT = 50,
    OP_SPEC_CONSTANT_OP = 52,
    OP_FUNCTION = 54,
    OP_FUNCTION_END = 56,
    OP_FUNCTION_CALL = 57,
    OP_VARIABLE = 59,
    OP_LOAD = 61,
    OP_STORE = 62,
    OP_COPY_MEMORY = 63,
    OP_ACCESS_CHAIN = 65,
    OP_IN_BOUNDS_ACCESS_CHAIN = 66,
    OP_DECORATE = 71,
    OP_MEMBER_DECORATE = 72,
    OP_VECTOR_SHUFFLE = 79,
    OP_COMPOSITE_EXTRACT = 81,
    OP_COMPOSITE_INSERT = 82,
    OP_IMAGE_FETCH = 95,
    OP_IADD = 128,
    OP_ISUB = 130,
    OP_IMUL = 132,
    OP_UDIV = 134,
    OP_SDIV = 135,
    OP_UMOD = 137,
    OP_SREM = 138,
    OP_SMOD = 139,
    OP_LOGICAL_EQUAL = 164,
    OP_LOGICAL_NOT_EQUAL = 165,
    OP_LOGICAL_OR = 166,
    OP_LOGICAL_AND = 167,
    OP_LOGICAL_NOT = 168,
    OP_SELECT = 169,
    OP_IEQUAL = 170,
    OP_INOT_EQUAL = 171,
    OP_CONTROL_BARRIER = 224,
    OP_MEMORY_BARRIER = 225,
    OP_PHI = 245,
    OP_LOOP_MERGE = 246,
    OP_SELECTION_MERGE = 247,
    OP_LABEL = 248,
    OP_BRANCH = 249,
    OP_BRANCH_CONDITIONAL = 250,
    OP_SWITCH = 251,
    OP_KILL = 252,
    OP_RETURN = 253,
    OP_RETURN_VALUE = 254,
    OP_UNREACHABLE = 255,
    OP_NO_LINE = 317,
    OP_MODULE_PROCESSED = 330,
    OP_DECORATE_ID = 332,
    OP_SUBGROUP_FIRST = 333,
    OP_SUBGROUP_LAST = 366,
    OP_TYPE_MATRIX_KHR = 4456,
    OP_MATRIX_LOAD_KHR,
    OP_MATRIX_STORE_KHR,
    OP_MATRIX_MULTIPLY_KHR,
    OP_TYPE_MATRIX_NV = 5358,
    OP_MATRIX_LOAD_NV,
    OP_MATRIX_STORE_NV,
    OP_MATRIX_MULTIPLY_NV,
};
enum { DECORATION_SPEC_ID = 1, DECORATION_BUILT_IN = 11, DECORATION_BINDING = 33 };
enum { CLASS_INPUT = 1, CLASS_PRIVATE = 6, CLASS_FUNCTION = 7 };
enum { BUILT_IN_NUM_WORKGROUPS = 24, BUILT_IN_WORKGROUP_SIZE = 25, BUILT_IN_WORKGROUP_ID = 26 };
enum { NONE = -1 };

typedef struct block {
    size_t begin, end; /* words; begin is the label's, end the one after the last instruction */
    uint32_t label;
    uint32_t merge; /* the merge block of the construct that it heads; 0: it heads none */
    uint32_t next;  /* the continue target of the loop that it heads */
    int function;
    bool divergent;
} block;

typedef struct function {
    uint32_t id;
    size_t begin;
    int first, count; /* blocks */
    bool result_differs, called_divergently;
} function;

typedef struct module {
    const uint32_t *words;
    size_t count, bound;
    size_t *defined;     /* by id: the word of the instruction that defines it */
    bool *differs;       /* by id: the value, or what the variable holds, differs between invocations */
    int *block_of_label; /* by id */
    int32_t *spec_id, *built_in, *binding;
    block *blocks;
    function *functions;
    int block_count, function_count;
    bool changed;
} module;

static int op_at(const module *m, size_t at) { return (int)(m->words[at] & 0xffff); }
static size_t length_at(const module *m, size_t at) { return m->words[at] >> 16; }
static bool is_matrix(int op) {
    return (op >= OP_MATRIX_LOAD_KHR && op <= OP_MATRIX_MULTIPLY_KHR) ||
           (op >= OP_MATRIX_LOAD_NV && op <= OP_MATRIX_MULTIPLY_NV);
}
static bool is_collective(int op) {
    return op == OP_CONTROL_BARRIER || (op >= OP_SUBGROUP_FIRST && op <= OP_SUBGROUP_LAST) || is_matrix(op);
}
static bool is_type(int op) {
    return (op >= OP_TYPE_FIRST && op <= OP_TYPE_LAST) || op == OP_TYPE_MATRIX_KHR || op == OP_TYPE_MATRIX_NV;
}

/* Where the instruction has the id that it defines: word 1, word 2, or 0: it defines none. */
static size_t result_word(int op) {
    switch (op) {
    case OP_STORE:
    case OP_COPY_MEMORY:
    case OP_DECORATE:
    case OP_MEMBER_DECORATE:
    case OP_CONTROL_BARRIER:
    case OP_MEMORY_BARRIER:
    case OP_LOOP_MERGE:
    case OP_SELECTION_MERGE:
    case OP_FUNCTION_END:
    case OP_NO_LINE:
    case OP_MATRIX_STORE_KHR:
    case OP_MATRIX_STORE_NV: return 0;
    case OP_UNDEF: return 2;
    case OP_STRING:
    case OP_EXT_INST_IMPORT:
    case OP_LABEL: return 1;
    default: break;
    }
    if (is_type(op)) return 1;
    if (op < OP_EXT_INST || (op >= OP_MEMORY_MODEL && op <= OP_CAPABILITY)) return 0;
    if (op >= OP_MODULE_PROCESSED && op <= OP_DECORATE_ID) return 0;
    return op >= OP_BRANCH && op <= OP_UNREACHABLE ? 0 : 2;
}

static void read_decoration(module *m, const uint32_t *at) {
    int32_t *const tables[] = {m->spec_id, m->built_in, m->binding};
    static const uint32_t kinds[] = {DECORATION_SPEC_ID, DECORATION_BUILT_IN, DECORATION_BINDING};
    for (int k = 0; k < 3; k++)
        if (at[2] == kinds[k]) tables[k][at[1]] = (int32_t)at[3];
}

static void read_block(module *m, size_t *at, int function_number) {
    block *b = &m->blocks[m->block_count];
    *b = (block){.begin = *at, .label = m->words[*at + 1], .function = function_number};
    m->block_of_label[b->label] = m->block_count++;
    for (bool more = true; more;) {
        const int op = op_at(m, *at);
        if (op == OP_LOOP_MERGE || op == OP_SELECTION_MERGE) b->merge = m->words[*at + 1];
        if (op == OP_LOOP_MERGE) b->next = m->words[*at + 2];
        more = op < OP_BRANCH || op > OP_UNREACHABLE;
        *at += length_at(m, *at);
    }
    b->end = *at;
}

static module *read_module(const uint32_t *words, size_t count) {
    module *m = calloc(1, sizeof *m);
    *m = (module){.words = words, .count = count, .bound = words[3]};
    m->defined = calloc(m->bound, sizeof *m->defined);
    m->differs = calloc(m->bound, sizeof *m->differs);
    m->block_of_label = calloc(m->bound, sizeof *m->block_of_label);
    m->blocks = calloc(count, sizeof *m->blocks);
    m->functions = calloc(count, sizeof *m->functions);
    int32_t **const tables[] = {&m->spec_id, &m->built_in, &m->binding};
    for (int t = 0; t < 3; t++) {
        *tables[t] = malloc(m->bound * sizeof(int32_t));
        for (size_t id = 0; id < m->bound; id++) (*tables[t])[id] = NONE;
    }
    for (size_t at = 5; at < count; at += length_at(m, at)) {
        const int op = op_at(m, at);
        const size_t result = result_word(op);
        if (result) m->defined[words[at + result]] = at;
        if (op == OP_DECORATE && length_at(m, at) > 3) read_decoration(m, words + at);
    }
    for (size_t at = 5; at < count;) {
        const int op = op_at(m, at);
        if (op == OP_FUNCTION)
            m->functions[m->function_count++] = (function){.id = words[at + 2], .begin = at, .first = m->block_count};
        if (op == OP_LABEL) {
            read_block(m, &at, m->function_count - 1);
            m->functions[m->function_count - 1].count++;
        } else {
            at += length_at(m, at);
        }
    }
    return m;
}

static void destroy_module(module *m) {
    void *const parts[] = {m->defined,   m->differs, m->block_of_label, m->blocks,
                           m->functions, m->spec_id, m->built_in,       m->binding};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) free(parts[i]);
    free(m);
}

static function *function_of(module *m, uint32_t id) {
    for (int f = 0; f < m->function_count; f++)
        if (m->functions[f].id == id) return &m->functions[f];
    return NULL;
}

/* The variable or parameter that a pointer points into; *indices_differ: whether it points elsewhere for each
 * invocation. */
static uint32_t base_of(const module *m, uint32_t pointer, bool *indices_differ) {
    *indices_differ = false;
    for (;;) {
        const size_t at = m->defined[pointer];
        const int op = op_at(m, at);
        if (op != OP_ACCESS_CHAIN && op != OP_IN_BOUNDS_ACCESS_CHAIN) return pointer;
        for (size_t w = 4; w < length_at(m, at); w++) *indices_differ |= m->differs[m->words[at + w]];
        pointer = m->words[at + 3];
    }
}

static uint32_t class_of(const module *m, uint32_t base) {
    const size_t at = m->defined[base];
    return op_at(m, at) == OP_VARIABLE ? m->words[at + 3] : CLASS_FUNCTION; /* glslang passes pointers to copies */
}

static void set_differs(module *m, uint32_t id) {
    m->changed |= !m->differs[id];
    m->differs[id] = true;
}

static void set_divergent(module *m, int first, int end) {
    for (int b = first; b < end; b++) {
        m->changed |= !m->blocks[b].divergent;
        m->blocks[b].divergent = true;
    }
}

/* Divergent within its function, or because of where the function is called. The latter does not make results differ:
 * who calls it elsewhere gets the same result as the others. */
static bool is_divergent(const module *m, const block *b) {
    return b->divergent || m->functions[b->function].called_divergently;
}

static bool load_differs(const module *m, uint32_t pointer) {
    bool indices_differ = false;
    const uint32_t base = base_of(m, pointer, &indices_differ), storage = class_of(m, base);
    if (indices_differ) return true;
    if (storage == CLASS_FUNCTION || storage == CLASS_PRIVATE) return m->differs[base];
    if (storage != CLASS_INPUT) return false;
    const int32_t built_in = m->built_in[base];
    return built_in != BUILT_IN_NUM_WORKGROUPS && built_in != BUILT_IN_WORKGROUP_SIZE &&
           built_in != BUILT_IN_WORKGROUP_ID;
}

static void follow_store(module *m, const block *b, uint32_t pointer, bool value_differs) {
    bool indices_differ = false;
    const uint32_t base = base_of(m, pointer, &indices_differ), storage = class_of(m, base);
    if (storage != CLASS_FUNCTION && storage != CLASS_PRIVATE) return;
    const bool called_divergently = storage == CLASS_PRIVATE && m->functions[b->function].called_divergently;
    if (value_differs || indices_differ || b->divergent || called_divergently) set_differs(m, base);
}

/* Whether an argument, or what it points to, differs. glslang stores an argument in the same block just before the
 * call: then that value counts. The variable itself differs already where that block does not run for all. */
static bool argument_differs(const module *m, const block *b, size_t call, uint32_t argument) {
    bool ignored = false;
    bool differs = m->differs[base_of(m, argument, &ignored)];
    for (size_t at = b->begin; at < call; at += length_at(m, at))
        if (op_at(m, at) == OP_STORE && m->words[at + 1] == argument) differs = m->differs[m->words[at + 2]];
    return differs;
}

/* Arguments differ: so do parameters; and what a pointer points to is the same on both sides. */
static void follow_call(module *m, const block *b, size_t at) {
    function *callee = function_of(m, m->words[at + 3]);
    size_t parameter = callee->begin + length_at(m, callee->begin);
    for (size_t w = 4; w < length_at(m, at); w++, parameter += length_at(m, parameter)) {
        bool ignored = false;
        const uint32_t inside = m->words[parameter + 2], outside = base_of(m, m->words[at + w], &ignored);
        if (argument_differs(m, b, at, m->words[at + w])) set_differs(m, inside);
        if (op_at(m, m->defined[outside]) == OP_VARIABLE && m->differs[inside]) set_differs(m, outside);
    }
    if (is_divergent(m, b) && !callee->called_divergently) {
        callee->called_divergently = true;
        m->changed = true;
    }
    if (callee->result_differs) set_differs(m, m->words[at + 2]);
}

/* Words [*first, *end) of an instruction that are ids of values. */
static void value_words(const module *m, size_t at, size_t *first, size_t *end) {
    *first = 3;
    *end = length_at(m, at);
    switch (op_at(m, at)) {
    case OP_EXT_INST: *first = 5; break;
    case OP_COMPOSITE_EXTRACT: *end = 4; break;
    case OP_VECTOR_SHUFFLE:
    case OP_COMPOSITE_INSERT:
    case OP_IMAGE_FETCH: *end = 5; break;
    default: break;
    }
}

static void follow_instruction(module *m, const block *b, size_t at) {
    const int op = op_at(m, at);
    const uint32_t *words = m->words + at;
    if (op == OP_LOAD) {
        if (load_differs(m, words[3])) set_differs(m, words[2]);
    } else if (op == OP_STORE) {
        follow_store(m, b, words[1], m->differs[words[2]]);
    } else if (op == OP_COPY_MEMORY) {
        follow_store(m, b, words[1], load_differs(m, words[2]));
    } else if (op == OP_FUNCTION_CALL) {
        follow_call(m, b, at);
    } else if (result_word(op) == 2 && op != OP_VARIABLE && op != OP_ACCESS_CHAIN && op != OP_IN_BOUNDS_ACCESS_CHAIN) {
        size_t first = 0, end = 0;
        value_words(m, at, &first, &end);
        for (size_t w = first; w < end; w += op == OP_PHI ? 2 : 1)
            if (words[w] < m->bound && m->differs[words[w]]) set_differs(m, words[2]);
    }
}

/* The innermost loop that block b is in: its header; NONE: it is in none. Blocks are laid out so that a construct lies
 * between its header and its merge block. */
static int loop_of(const module *m, int b) {
    for (int h = b; h >= m->functions[m->blocks[b].function].first; h--)
        if (m->blocks[h].next && m->block_of_label[m->blocks[h].merge] > b) return h;
    return NONE;
}

/* Marks what does not run for all invocations because of how block b ends. */
static void follow_end(module *m, int b) {
    block *here = &m->blocks[b];
    function *f = &m->functions[here->function];
    size_t last = here->begin;
    for (size_t at = here->begin; at < here->end; at += length_at(m, at)) last = at;
    const int op = op_at(m, last), loop = loop_of(m, b);
    const int loop_end = loop == NONE ? 0 : m->block_of_label[m->blocks[loop].merge];
    const bool leaves = op == OP_RETURN || op == OP_RETURN_VALUE || op == OP_KILL;
    if (op == OP_RETURN_VALUE && (here->divergent || m->differs[m->words[last + 1]])) {
        m->changed |= !f->result_differs;
        f->result_differs = true;
    }
    if ((op == OP_BRANCH_CONDITIONAL || op == OP_SWITCH) && m->differs[m->words[last + 1]]) {
        if (here->merge && !here->next)
            set_divergent(m, b + 1, m->block_of_label[here->merge]);
        else if (loop != NONE) /* the condition of a loop */
            set_divergent(m, loop, loop_end);
    }
    if (!here->divergent) return;
    if (leaves) { /* the others go on without those that have left */
        set_divergent(m, b + 1, f->first + f->count);
        if (loop != NONE) set_divergent(m, loop, loop_end);
    }
    if (op != OP_BRANCH || loop == NONE) return;
    const uint32_t to = m->words[last + 1];
    if (to == m->blocks[loop].merge) set_divergent(m, loop, loop_end);
    if (to == m->blocks[loop].next) set_divergent(m, b + 1, m->block_of_label[to]);
}

int spirv_divergent_barriers(const uint32_t *words, size_t count, int *seen) {
    module *m = read_module(words, count);
    int found = 0;
    *seen = 0;
    do {
        m->changed = false;
        for (int b = 0; b < m->block_count; b++) {
            for (size_t at = m->blocks[b].begin; at < m->blocks[b].end; at += length_at(m, at))
                follow_instruction(m, &m->blocks[b], at);
            follow_end(m, b);
        }
    } while (m->changed);
    for (int b = 0; b < m->block_count; b++)
        for (size_t at = m->blocks[b].begin; at < m->blocks[b].end; at += length_at(m, at)) {
            if (!is_collective(op_at(m, at))) continue;
            ++*seen;
            found += is_divergent(m, &m->blocks[b]);
        }
    destroy_module(m);
    return found;
}

/* ---- constants and bindings
 * ------------------------------------------------------------------------------------------ */

typedef struct constants {
    const uint32_t *given;
    int count;
} constants;

static bool evaluate_operation(const module *m, const constants *c, size_t at, int64_t *value);

/* False: the id is no constant of whole numbers or truth values, or comes of an operation that is not known here. */
static bool evaluate(const module *m, const constants *c, uint32_t id, int64_t *value) {
    const size_t at = m->defined[id];
    const int32_t spec = m->spec_id[id];
    const bool given = spec != NONE && spec < c->count;
    switch (op_at(m, at)) {
    case OP_CONSTANT_TRUE:
    case OP_CONSTANT_FALSE: *value = op_at(m, at) == OP_CONSTANT_TRUE; return true;
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
        *value = given ? c->given[spec] != 0 : op_at(m, at) == OP_SPEC_CONSTANT_TRUE;
        return true;
    case OP_CONSTANT: *value = (int32_t)m->words[at + 3]; return true;
    case OP_SPEC_CONSTANT: *value = (int32_t)(given ? c->given[spec] : m->words[at + 3]); return true;
    case OP_SPEC_CONSTANT_OP: return evaluate_operation(m, c, at, value);
    default: return false;
    }
}

static bool evaluate_operation(const module *m, const constants *c, size_t at, int64_t *value) {
    int64_t v[3] = {0};
    const int op = (int)m->words[at + 3];
    for (size_t w = 4; w < length_at(m, at) && w < 7; w++)
        if (!evaluate(m, c, m->words[at + w], &v[w - 4])) return false;
    switch (op) {
    case OP_LOGICAL_AND: *value = v[0] && v[1]; return true;
    case OP_LOGICAL_OR: *value = v[0] || v[1]; return true;
    case OP_LOGICAL_NOT: *value = !v[0]; return true;
    case OP_LOGICAL_EQUAL:
    case OP_IEQUAL: *value = v[0] == v[1]; return true;
    case OP_LOGICAL_NOT_EQUAL:
    case OP_INOT_EQUAL: *value = v[0] != v[1]; return true;
    case OP_SELECT: *value = v[0] ? v[1] : v[2]; return true;
    case OP_IADD: *value = v[0] + v[1]; return true;
    case OP_ISUB: *value = v[0] - v[1]; return true;
    case OP_IMUL: *value = v[0] * v[1]; return true;
    case OP_UDIV:
    case OP_SDIV:
        if (v[1]) *value = v[0] / v[1];
        return v[1] != 0;
    case OP_UMOD:
    case OP_SREM:
    case OP_SMOD:
        if (v[1]) *value = v[0] % v[1];
        return v[1] != 0;
    default: return false;
    }
}

static void touch(const module *m, uint32_t pointer, uint32_t *bindings) {
    bool ignored = false;
    const int32_t binding = m->binding[base_of(m, pointer, &ignored)];
    if (binding != NONE) *bindings |= 1u << binding;
}

static void visit(module *m, const constants *c, int b, bool *visited, uint32_t *read, uint32_t *written) {
    if (visited[b]) return;
    visited[b] = true;
    size_t last = m->blocks[b].begin;
    for (size_t at = m->blocks[b].begin; at < m->blocks[b].end; at += length_at(m, at)) {
        last = at;
        const int op = op_at(m, at);
        if (op == OP_LOAD) touch(m, m->words[at + 3], read);
        if (op == OP_STORE || op == OP_COPY_MEMORY) touch(m, m->words[at + 1], written);
        if (op == OP_COPY_MEMORY) touch(m, m->words[at + 2], read);
        if (op == OP_FUNCTION_CALL) visit(m, c, function_of(m, m->words[at + 3])->first, visited, read, written);
    }
    const uint32_t *words = m->words + last;
    int64_t condition = 0;
    if (op_at(m, last) == OP_BRANCH) visit(m, c, m->block_of_label[words[1]], visited, read, written);
    if (op_at(m, last) == OP_SWITCH) {
        visit(m, c, m->block_of_label[words[2]], visited, read, written);
        for (size_t w = 4; w < length_at(m, last); w += 2)
            visit(m, c, m->block_of_label[words[w]], visited, read, written);
    }
    if (op_at(m, last) != OP_BRANCH_CONDITIONAL) return;
    const bool known = evaluate(m, c, words[1], &condition);
    if (!known || condition) visit(m, c, m->block_of_label[words[2]], visited, read, written);
    if (!known || !condition) visit(m, c, m->block_of_label[words[3]], visited, read, written);
}

void spirv_touched_bindings(const uint32_t *words, size_t count, const uint32_t *given, int given_count, uint32_t *read,
                            uint32_t *written) {
    module *m = read_module(words, count);
    bool *visited = calloc((size_t)m->block_count + 1, sizeof *visited);
    const constants c = {given, given_count};
    uint32_t entry = 0;
    for (size_t at = 5; at < count && !entry; at += length_at(m, at))
        if (op_at(m, at) == OP_ENTRY_POINT) entry = words[at + 2];
    *read = 0;
    *written = 0;
    visit(m, &c, function_of(m, entry)->first, visited, read, written);
    free(visited);
    destroy_module(m);
}
