#pragma once
// A Hugging Face folder of a tiny encoder, made anew: configuration, vocabulary, weights.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/random.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/safetensors.hpp"

namespace graft_test {

/// Pieces of the tiny vocabularies: five that are special (BERT's; RoBERTa's have a space in place of a mask), then the letters from a.
inline std::vector<std::string> tiny_pieces_of(const std::string& kind) {
  std::vector<std::string> pieces = kind == "bert" ? std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
                                                   : std::vector<std::string>{"<s>", "<pad>", "</s>", "<unk>", "\u0120"};
  for (char letter = 'a'; pieces.size() < 20; ++letter) pieces.emplace_back(1, letter);
  return pieces;
}

inline void write_vocabulary(const std::string& folder, const std::string& kind, const std::vector<std::string>& pieces) {
  std::filesystem::create_directories(folder);
  std::string lines;
  graft::json ids;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    lines += pieces[i] + "\n";
    ids[pieces[i]] = i;
  }
  if (kind == "bert") graft::write_file(folder + "/vocab.txt", lines);
  if (kind != "bert") graft::write_file(folder + "/vocab.json", ids.dump());
  if (kind != "bert") graft::write_file(folder + "/merges.txt", "#version: 0.2\n");
}

/// Two layers of width 6 of KIND, "bert" or "roberta"; FIELDS go into its config.json; RENAME says under which name a tensor stands in the
/// file, or that it does not.
inline void write_tiny_folder(
    const std::string& folder, const std::string& kind, const graft::json& fields = graft::json::object(),
    const std::function<std::optional<std::string>(const std::string&)>& rename = [](const std::string& name) {
      return std::optional(name);
    }) {
  const bool bert = kind == "bert";
  graft::json config{{"model_type", kind},
                     {"vocab_size", 20},
                     {"hidden_size", 6},
                     {"num_hidden_layers", 2},
                     {"num_attention_heads", 2},
                     {"intermediate_size", 10},
                     {"type_vocab_size", bert ? 2 : 1},
                     {"max_position_embeddings", 140},
                     {"pad_token_id", bert ? 0 : 1}};
  config.update(fields);
  std::filesystem::create_directories(folder);
  graft::write_file(folder + "/config.json", config.dump());
  graft::safetensors_writer writer;
  std::vector<std::vector<float>> tensors;
  std::uint64_t tensor_number = 0;
  for (const auto& [name, shape] : graft::trunk_tensors(graft::parse_encoder_config(config, "config.json"))) {
    const graft::random_stream stream(1, 0, ++tensor_number);
    auto& values = tensors.emplace_back(static_cast<std::size_t>(graft::element_count(shape)));
    const float mean = name.ends_with("LayerNorm.weight") ? 1 : 0;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = mean + static_cast<float>(0.3 * stream.normal(i));
  }
  std::size_t next = 0;
  for (const auto& [name, shape] : graft::trunk_tensors(graft::parse_encoder_config(config, "config.json"))) {
    const auto& values = tensors[next++];
    if (const auto other = rename(name)) writer.add<float>(*other, shape, std::span<const float>(values));
  }
  writer.write(folder + "/model.safetensors");
  write_vocabulary(folder, kind, tiny_pieces_of(kind));
}

/// Writes VALUE over element ELEMENT of the tensor NAME in the safetensors file PATH, whose header stays as it is.
template <class T>
void overwrite_number(const std::string& path, const std::string& name, std::size_t element, T value) {
  std::string bytes = graft::read_file(path);
  const auto data = [&] {
    const graft::safetensors_file file(path);
    std::size_t all = 0;
    for (const auto& [each, info] : file.tensors()) all += info.bytes.size();
    const std::byte* first = file.at(name).bytes.data();
    for (const auto& [each, info] : file.tensors()) first = std::min(first, info.bytes.data());
    return bytes.size() - all + static_cast<std::size_t>(file.at(name).bytes.data() - first);
  }();
  std::memcpy(bytes.data() + data + element * sizeof(T), &value, sizeof(T));
  graft::write_file(path, bytes);
}

}  // namespace graft_test
