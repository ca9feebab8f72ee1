#pragma once
// What graft::compiled holds of the templates, in the precision that GRAFT_PRECISION names. To be included once, by the library alone.

#include "graft/adapters/adapter_site-inl.hpp"
#include "graft/adapters/bottleneck-inl.hpp"
#include "graft/adapters/fusion_adapter-inl.hpp"
#include "graft/adapters/multi_adapter_site-inl.hpp"
#include "graft/adapters/plain_site-inl.hpp"
#include "graft/adapters/routed_site-inl.hpp"
#include "graft/encoder/embeddings-inl.hpp"
#include "graft/encoder/encoder-inl.hpp"
#include "graft/encoder/encoder_layer-inl.hpp"
#include "graft/heads/sequence_classification-inl.hpp"
#include "graft/layers/prefix_mix-inl.hpp"
#include "graft/layers/self_attention-inl.hpp"
#include "graft/model/model-inl.hpp"
#include "graft/predict/predictor_of-inl.hpp"
#include "graft/train/micro_batch_gradients-inl.hpp"
#include "graft/train/training_steps-inl.hpp"
#include "graft/train/tunable_of-inl.hpp"

namespace graft {

using compiled_precision = GRAFT_PRECISION;

template class prefix_mix<compiled_precision>;
template class self_attention<compiled_precision>;
template class bottleneck<compiled_precision>;
template class plain_site<compiled_precision>;
template class adapter_site<compiled_precision>;
template class fusion_adapter<compiled_precision>;
template class multi_adapter_site<compiled_precision>;
template class routed_site<compiled_precision>;
template class embeddings<compiled_precision>;
template class encoder_layer<compiled_precision, plain_site<compiled_precision>>;
template class encoder_layer<compiled_precision, adapter_site<compiled_precision>>;
template class encoder_layer<compiled_precision, multi_adapter_site<compiled_precision>>;
template class encoder_layer<compiled_precision, routed_site<compiled_precision>>;
template class encoder<compiled_precision, plain_site<compiled_precision>>;
template class encoder<compiled_precision, adapter_site<compiled_precision>>;
template class encoder<compiled_precision, multi_adapter_site<compiled_precision>>;
template class encoder<compiled_precision, routed_site<compiled_precision>>;
template class sequence_classification<compiled_precision>;
template class classifier<compiled_precision, plain_site<compiled_precision>>;
template class classifier<compiled_precision, adapter_site<compiled_precision>>;
template class classifier<compiled_precision, multi_adapter_site<compiled_precision>>;
template class micro_batch_gradients<plain_classifier<compiled_precision>>;
template class micro_batch_gradients<adapter_classifier<compiled_precision>>;
template class micro_batch_gradients<multi_adapter_classifier<compiled_precision>>;
template class detail::training_steps_of<plain_classifier<compiled_precision>>;
template class detail::training_steps_of<adapter_classifier<compiled_precision>>;
template class detail::training_steps_of<multi_adapter_classifier<compiled_precision>>;
template class detail::tunable_of<plain_classifier<compiled_precision>>;
template class detail::tunable_of<adapter_classifier<compiled_precision>>;
template class detail::tunable_of<multi_adapter_classifier<compiled_precision>>;
template class detail::predictor_of<compiled_precision>;

}  // namespace graft
