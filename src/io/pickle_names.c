#include "io/pickle_names.h"

#define STORAGE(name, type, bytes)                                                                                     \
    { "torch", name "Storage", AD_PICKLE_AS_STORAGE, type, bytes }
#define TYPE(name, type, bytes)                                                                                        \
    { "torch", name, AD_PICKLE_AS_TYPE, type, bytes }

const ad_pickle_name ad_pickle_names[] = {
    {"collections", "OrderedDict", AD_PICKLE_AS_DICT, AD_NUMBER_BYTES, 0},
    {"torch._utils", "_rebuild_tensor", AD_PICKLE_AS_TENSOR, AD_NUMBER_BYTES, 0},
    {"torch._utils", "_rebuild_tensor_v2", AD_PICKLE_AS_TENSOR, AD_NUMBER_BYTES, 0},
    {"torch._utils", "_rebuild_tensor_v3", AD_PICKLE_AS_TENSOR_3, AD_NUMBER_BYTES, 0},
    {"torch._utils", "_rebuild_parameter", AD_PICKLE_AS_WRAPPED, AD_NUMBER_BYTES, 0},
    {"torch._utils", "_rebuild_parameter_with_state", AD_PICKLE_AS_WRAPPED, AD_NUMBER_BYTES, 0},
    {"torch._tensor", "_rebuild_from_type_v2", AD_PICKLE_AS_FROM_TYPE, AD_NUMBER_BYTES, 0},
    {"torch", "Tensor", AD_PICKLE_AS_NAMED, AD_NUMBER_BYTES, 0},
    {"torch.nn.parameter", "Parameter", AD_PICKLE_AS_WRAPPED, AD_NUMBER_BYTES, 0},
    {"torch.nn.parameter", "Buffer", AD_PICKLE_AS_NAMED, AD_NUMBER_BYTES, 0},
    {"torch", "Size", AD_PICKLE_AS_SIZE, AD_NUMBER_BYTES, 0},
    STORAGE("Float", AD_NUMBER_F32, 4),
    STORAGE("Half", AD_NUMBER_F16, 2),
    STORAGE("BFloat16", AD_NUMBER_BF16, 2),
    STORAGE("Double", AD_NUMBER_F64, 8),
    STORAGE("Long", AD_NUMBER_INTEGER, 8),
    STORAGE("Int", AD_NUMBER_INTEGER, 4),
    STORAGE("Short", AD_NUMBER_INTEGER, 2),
    STORAGE("Char", AD_NUMBER_INTEGER, 1),
    STORAGE("Byte", AD_NUMBER_INTEGER, 1),
    STORAGE("Bool", AD_NUMBER_INTEGER, 1),
    STORAGE("Untyped", AD_NUMBER_BYTES, 1),
    {"torch.storage", "UntypedStorage", AD_PICKLE_AS_STORAGE, AD_NUMBER_BYTES, 1},
    TYPE("float32", AD_NUMBER_F32, 4),
    TYPE("float16", AD_NUMBER_F16, 2),
    TYPE("bfloat16", AD_NUMBER_BF16, 2),
    TYPE("float64", AD_NUMBER_F64, 8),
    TYPE("int64", AD_NUMBER_INTEGER, 8),
    TYPE("uint64", AD_NUMBER_INTEGER, 8),
    TYPE("int32", AD_NUMBER_INTEGER, 4),
    TYPE("uint32", AD_NUMBER_INTEGER, 4),
    TYPE("int16", AD_NUMBER_INTEGER, 2),
    TYPE("uint16", AD_NUMBER_INTEGER, 2),
    TYPE("int8", AD_NUMBER_INTEGER, 1),
    TYPE("uint8", AD_NUMBER_INTEGER, 1),
    TYPE("bool", AD_NUMBER_INTEGER, 1),
    /* What training writes beside the network: counters, results, the command line. Nothing of it is used. */
    {"torch", "device", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"collections", "Counter", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"argparse", "Namespace", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"__builtin__", "set", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"builtins", "set", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"_codecs", "encode", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"numpy", "dtype", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"numpy.core.multiarray", "scalar", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
    {"numpy._core.multiarray", "scalar", AD_PICKLE_AS_OTHER, AD_NUMBER_BYTES, 0},
};

bool ad_pickle_find_name(ad_pickle_text module, ad_pickle_text name, uint32_t *row) {
    for (uint32_t i = 0; i < AD_COUNT(ad_pickle_names); i++)
        if (ad_pickle_is(module, ad_pickle_names[i].module) && ad_pickle_is(name, ad_pickle_names[i].name)) {
            *row = i;
            return true;
        }
    return false;
}
