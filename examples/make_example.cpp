// graft_make_example: writes the bundled example: two small tasks in GLUE form, a warm-up task, and a small untrained encoder in Hugging
// Face layout with its own byte-level BPE. The same seed writes the same bytes.

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <set>
#include <span>
#include <string>

#include "byte_pair_trainer.hpp"
#include "example_sentences.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/io/safetensors.hpp"

namespace {

using example::dice;
using example::pair;
using graft::index;

struct sizes {
  int warmup, train, rest;  // examples of the warm-up task; of RTE and MRPC; in each dev and test split
  index hidden, layers, heads, positions = 130;
};

/// Draws COUNT pairs that no split has had yet.
template <class Draw>
std::vector<pair> distinct(int count, Draw&& draw, dice& roll, std::set<std::string>& seen) {
  std::vector<pair> list;
  while (static_cast<int>(list.size()) < count) {
    auto next = draw(roll);
    if (seen.insert(next.a + "\t" + next.b).second) list.push_back(std::move(next));
  }
  return list;
}

/// The splits of one task; WRITE(name of the split, its pairs) puts each where it belongs.
template <class Draw, class Write>
void make_task(std::uint64_t seed, std::uint64_t stream, int train, int rest, std::map<std::string, long>& words, Draw&& draw,
               Write&& write) {
  dice roll(seed, stream);
  std::set<std::string> seen;
  for (const auto& [split, count] : {std::pair<std::string, int>{"train", train}, {"dev", rest}, {"test", rest}}) {
    const auto pairs = distinct(count, draw, roll, seen);
    write(split, pairs);
    for (const auto& p : pairs) {
      example::count_words(p.a, words);
      example::count_words(p.b, words);
    }
  }
}

void write_rte(const std::string& path, const std::vector<pair>& pairs, bool labeled) {
  std::string text = labeled ? "index\tsentence1\tsentence2\tlabel\n" : "index\tsentence1\tsentence2\n";
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    text += std::to_string(i) + "\t" + pairs[i].a + "\t" + pairs[i].b + (labeled ? "\t" + pairs[i].label : "") + "\n";
  }
  graft::write_file(path, text);
}

void write_mrpc(const std::string& path, const std::vector<pair>& pairs, bool labeled) {
  std::string text = std::string(labeled ? "Quality" : "index") + "\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto id = std::to_string(2 * i);
    text += (labeled ? pairs[i].label : std::to_string(i)) + "\t" + id + "\t" + std::to_string(2 * i + 1) + "\t" + pairs[i].a + "\t" +
            pairs[i].b + "\n";
  }
  graft::write_file(path, text);
}

void write_jsonl(const std::string& path, const std::vector<pair>& pairs) {
  std::string text;
  for (const auto& p : pairs) text += graft::ordered_json{{"text_a", p.a}, {"text_b", p.b}, {"label", p.label}}.dump() + "\n";
  graft::write_file(path, text);
}

void write_warmup_config(const std::string& folder) {
  graft::ordered_json labels = graft::ordered_json::array();
  for (int n = 0; n <= example::most_differences; ++n) labels.push_back(std::to_string(n));
  graft::ordered_json paths;
  for (const auto& [split, file] : {std::pair<std::string, std::string>{"train", "train"}, {"val", "dev"}, {"test", "test"}}) {
    paths[split] = folder + "/" + file + ".jsonl";
  }
  const graft::ordered_json config{
      {"task", "custom"}, {"name", "warmup"}, {"kind", "classification"}, {"labels", labels}, {"paths", paths}};
  graft::write_file(folder + "/warmup.json", config.dump(1) + "\n");
}

/// Weights as RobertaForMaskedLM names them, drawn with the spread that 0.02 is at a hidden size of 768. Three liberties make a small
/// encoder learn to compare two texts in a minute rather than an hour: keys start equal to queries, so that a token looks at its like;
/// both are four times as wide, so that it looks there sharply; and positions are narrow beside words, so that it looks from anywhere.
void write_encoder(const std::string& folder, const sizes& size, index vocabulary, dice& roll) {
  const index hidden = size.hidden, inner = 4 * hidden;
  const double spread = 0.02 * std::sqrt(768.0 / static_cast<double>(hidden));
  const graft::ordered_json config{{"architectures", {"RobertaForMaskedLM"}},
                                   {"model_type", "roberta"},
                                   {"vocab_size", vocabulary},
                                   {"hidden_size", hidden},
                                   {"num_hidden_layers", size.layers},
                                   {"num_attention_heads", size.heads},
                                   {"intermediate_size", inner},
                                   {"hidden_act", "gelu"},
                                   {"hidden_dropout_prob", 0.0},
                                   {"attention_probs_dropout_prob", 0.0},
                                   {"max_position_embeddings", size.positions},
                                   {"type_vocab_size", 1},
                                   {"layer_norm_eps", 1e-5},
                                   {"initializer_range", spread},
                                   {"bos_token_id", 0},
                                   {"pad_token_id", 1},
                                   {"eos_token_id", 2}};
  graft::write_file(folder + "/config.json", config.dump(1) + "\n");

  std::map<std::string, std::pair<std::vector<index>, std::vector<float>>> tensors;
  const auto random = [&](const std::string& name, index rows, index cols, double factor = 1) {
    std::vector<float> values(static_cast<std::size_t>(rows * cols));
    for (auto& value : values) value = static_cast<float>(factor * spread * roll.normal());
    tensors[name] = {{rows, cols}, std::move(values)};
  };
  const auto constant = [&](const std::string& name, index count, float value) {
    tensors[name] = {{count}, std::vector<float>(static_cast<std::size_t>(count), value)};
  };
  const auto linear = [&](const std::string& name, index inputs, index outputs) {
    random(name + ".weight", outputs, inputs);
    constant(name + ".bias", outputs, 0);
  };
  const auto layer_norm = [&](const std::string& name) {
    constant(name + ".weight", hidden, 1);
    constant(name + ".bias", hidden, 0);
  };
  const std::string embeddings = "roberta.embeddings.";
  random(embeddings + "word_embeddings.weight", vocabulary, hidden);
  random(embeddings + "position_embeddings.weight", size.positions, hidden, 0.15);
  random(embeddings + "token_type_embeddings.weight", 1, hidden);
  layer_norm(embeddings + "LayerNorm");
  for (index n = 0; n < size.layers; ++n) {
    const std::string layer = "roberta.encoder.layer." + std::to_string(n) + ".";
    for (const std::string part : {"query", "key", "value"}) linear(layer + "attention.self." + part, hidden, hidden);
    random(layer + "attention.self.query.weight", hidden, hidden, 4);
    tensors[layer + "attention.self.key.weight"] = tensors[layer + "attention.self.query.weight"];
    linear(layer + "attention.output.dense", hidden, hidden);
    layer_norm(layer + "attention.output.LayerNorm");
    linear(layer + "intermediate.dense", hidden, inner);
    linear(layer + "output.dense", inner, hidden);
    layer_norm(layer + "output.LayerNorm");
  }
  graft::safetensors_writer writer;
  writer.metadata["format"] = "pt";
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor.first, std::span<const float>(tensor.second));
  writer.write(folder + "/model.safetensors");
}

void make_example(const std::string& out, std::uint64_t seed, const sizes& size) {
  for (const std::string folder : {"/glue/RTE", "/glue/MRPC", "/warmup", "/encoder"}) graft::make_folder(out + folder);
  std::map<std::string, long> words;
  make_task(seed, 1, size.train, size.rest, words, example::entailment_pair,
            [&](const std::string& split, const auto& pairs) { write_rte(out + "/glue/RTE/" + split + ".tsv", pairs, split != "test"); });
  make_task(seed, 2, size.train, size.rest, words, example::paraphrase_pair,
            [&](const std::string& split, const auto& pairs) { write_mrpc(out + "/glue/MRPC/" + split + ".tsv", pairs, split != "test"); });
  make_task(seed, 3, size.warmup, size.rest, words, example::comparison_pair,
            [&](const std::string& split, const auto& pairs) { write_jsonl(out + "/warmup/" + split + ".jsonl", pairs); });
  write_warmup_config(out + "/warmup");
  const auto encoding = example::train_byte_pairs(words, 1000);
  encoding.write(out + "/encoder");
  dice roll(seed, 4);
  write_encoder(out + "/encoder", size, static_cast<index>(encoding.tokens.size()), roll);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string usage = "usage: graft_make_example OUT [--seed N] [--size small|full|base]\n";
  std::string out, size = "full", seed = "1";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if ((word == "--seed" || word == "--size") && i + 1 < argc) {
      (word == "--seed" ? seed : size) = argv[++i];
    } else if (out.empty() && !word.starts_with("-")) {
      out = word;
    } else {
      std::fputs(usage.c_str(), stderr);
      return 2;
    }
  }
  // "base" is for measuring: layers of roberta-base's shape
  const std::map<std::string, sizes> known{
      {"small", {300, 100, 40, 16, 2, 2}}, {"full", {50000, 8000, 400, 64, 3, 8}}, {"base", {300, 100, 40, 768, 12, 12, 514}}};
  if (out.empty() || !known.contains(size) || seed.empty() || seed.size() > 18 ||
      seed.find_first_not_of("0123456789") != std::string::npos) {
    std::fputs(usage.c_str(), stderr);
    return 2;
  }
  try {
    make_example(std::filesystem::absolute(out).lexically_normal().string(), std::stoull(seed), known.at(size));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "graft_make_example: %s\n", failure.what());
    return 1;
  }
  std::printf("wrote %s: glue/RTE, glue/MRPC, warmup, encoder\n", out.c_str());
}
