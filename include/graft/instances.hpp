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
#include "graft/layers/attention_prefix-inl.hpp"
#include "graft/layers/coupling-inl.hpp"
#include "graft/layers/coupling_mix-inl.hpp"
#include "graft/layers/embedding-inl.hpp"
#include "graft/layers/feed_forward-inl.hpp"
#include "graft/layers/layer_norm-inl.hpp"
#include "graft/layers/linear-inl.hpp"
#include "graft/layers/low_rank-inl.hpp"
#include "graft/layers/mixing_weights-inl.hpp"
#include "graft/layers/prefix_mix-inl.hpp"
#include "graft/layers/projection_mix-inl.hpp"
#include "graft/layers/relative_positions-inl.hpp"
#include "graft/layers/rotary_positions-inl.hpp"
#include "graft/layers/self_attention-inl.hpp"
#include "graft/model/model-inl.hpp"
#include "graft/predict/predictor_of-inl.hpp"
#include "graft/train/micro_batch_gradients-inl.hpp"
#include "graft/train/training_steps-inl.hpp"
#include "graft/train/tunable_of-inl.hpp"

namespace graft {

using compiled_precision = GRAFT_PRECISION;

template class attention_prefix<compiled_precision>;
template class coupling<compiled_precision>;
template class coupling_mix<compiled_precision>;
template class embedding<compiled_precision>;
template class feed_forward<compiled_precision>;
template class layer_norm<compiled_precision>;
template class linear<compiled_precision>;
template class low_rank<compiled_precision>;
template class relative_positions<compiled_precision>;
template class rotary_positions<compiled_precision>;
template class mixing_weights<compiled_precision>;
template class prefix_mix<compiled_precision>;
template class projection_mix<compiled_precision>;
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
