#pragma once
// Encoders that were tuned with a head elsewhere, as Hugging Face's transformers and sentence-transformers' CrossEncoder save them.

#include <optional>
#include <string>

#include "graft/exchange/adapter_file.hpp"
#include "graft/model/trunk_files.hpp"

namespace graft {

namespace detail {

/// The config.json beside the weights at PATH, or the one that they carry; nothing if there is none that is a model's.
std::optional<json> config_of(const std::string& path, const tensor_source& stored, std::string& where);

/// What HEAD with ROWS rows answers in a model with the config.json ABOUT, which came from WHERE; of no kind.
model_description describe_own_head(const json& about, const std::string& where, index rows, const head_options& head);

}  // namespace detail

/// The head alone, of kind "head", that MODEL holds: an encoder with CONFIG, which lies in FILES. Without it nothing is wrong with MODEL.
/// Its labels are those of id2label; what becomes of its logits, `problem_type` says, and for a CrossEncoder of sentence-transformers its
/// `activation_fn`: one number without either is a regression.
/// @throws format_error  MODEL holds none for texts or words, or one that graft does not compute: the message says why
/// Source: transformers' *ForSequenceClassification, *ForTokenClassification; sentence-transformers, cross_encoder/model.py,
/// get_default_activation_fn.
adapter_file read_own_head(const tensor_source& model, const trunk_files& files, const encoder_config& config);

/// FILE, tuned around the model that HEAD belongs to, with HEAD where it brings none. A low-rank update that brings one for as many labels
/// without saying what they are gets those of HEAD, as in PEFT.
adapter_file with_own_head(adapter_file file, const adapter_file& head);

/// MODEL with the head that FILE, tuned around it, brings in place of its own; without any where that head is made of other layers than a
/// model's own.
tensor_source model_with_head(const tensor_source& model, const adapter_file& file, const encoder_config& config);

/// ABOUT, a config.json, for a model with a head that D describes: transformers find its labels and what becomes of its logits there, and
/// so does read_own_head.
json config_with_head(json about, const model_description& d);

/// STORED, opened at PATH, weights or the folder that holds them, when it is a whole encoder with a head for texts or words, and a
/// config.json beside it or within says so; nothing when it is anything else. Its labels are those of id2label.
/// @throws format_error  its head is of another kind, or its constants are not those of CONFIG; or as labels_by_id
/// Source: transformers' RobertaForSequenceClassification, BertForSequenceClassification.
std::optional<adapter_file> read_checkpoint(const tensor_source& stored, const std::string& path, const encoder_config& config);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/checkpoint-inl.hpp"  // IWYU pragma: export
#endif
