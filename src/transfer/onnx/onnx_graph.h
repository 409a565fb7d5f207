/* A network as the nodes and constant tensors of an ONNX graph. */
#ifndef AD_TRANSFER_ONNX_GRAPH_H
#define AD_TRANSFER_ONNX_GRAPH_H

#include "net/network.h"
#include "transfer/onnx/protobuf.h"

#include <adatom/transfer.h>

#define AD_ONNX_PIXELS "pixels"
#define AD_ONNX_FEATURES "features"
#define AD_ONNX_LOGITS "logits"

/* Bytes that nodes and tensors take at most. */
uint64_t ad_onnx_graph_bytes(const adatom_model *model, const adatom_onnx_params *params);
/* From AD_ONNX_PIXELS [N][3][size][size] to AD_ONNX_FEATURES [N][features] and, where the model has a classifier,
 * AD_ONNX_LOGITS [N][way]. Appends the fields of a GraphProto for nodes and for constant tensors. */
adatom_status ad_onnx_graph(const adatom_model *model, const adatom_onnx_params *params, ad_protobuf *nodes,
                            ad_protobuf *tensors);
#endif
