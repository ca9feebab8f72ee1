#pragma once
// Encoders that were tuned with a head elsewhere, as Hugging Face's transformers save them.

#include <optional>
#include <string>

#include "graft/exchange/adapter_file.hpp"

namespace graft {

namespace detail {

/// The config.json beside the weights at PATH, or the one that they carry; nothing if there is none that is a model's.
std::optional<json> config_of(const std::string& path, const tensor_source& stored, std::string& where);

}  // namespace detail

/// The model at PATH, weights or the folder that holds them, when it is a whole encoder with a head for whole texts, and a config.json
/// beside it or within says so; nothing when it is anything else. Its labels are those of id2label.
/// @throws format_error  its head is of another kind, or its constants are not those of CONFIG; or as labels_by_id
/// Source: transformers' RobertaForSequenceClassification, BertForSequenceClassification.
std::optional<adapter_file> read_checkpoint(const std::string& path, const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/checkpoint-inl.hpp"  // IWYU pragma: export
#endif
