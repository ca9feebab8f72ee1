// graft's side of compare_training.py, which starts it as
//   rows GLUE_FOLDER TASK TOKENIZER_FOLDER   prints the task's training rows, cut to 128 tokens, as JSON lines of ids and label
//   write_model FILE                         writes a flat model file of the roberta-base shape: random trunk, adapter and head
//   serve FILE ROWS SETUP PRECISION          builds SETUP (plain, adapter, mix2, mix8) from FILE, then answers requests, one JSON object a
//     line:
//     {"do": "train" | "evaluate", "batch": 8, "first": 16}  does one step, or a forward, on rows 16 .. 23 of ROWS and says how long it
//     took
// Between requests it sleeps.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/data/data_set.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/data/jsonl.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/model/loading.hpp"
#include "graft/text/tokenizer.hpp"
#include "models.hpp"

namespace {

using graft::bf16;
using graft::f32;
using graft::index;
using graft::json;
using graft::ordered_json;

constexpr index classes = 2, adapter_size = 64, max_seq_length = 128;

void print_rows(const std::string& glue, const std::string& name, const std::string& tokenizer) {
  for (const graft::task_config& found : graft::find_glue_tasks(glue).tasks) {
    if (found.task.name != name) continue;
    const std::string& path = found.paths.at("train");
    const auto examples = graft::read_examples(found.task, "train", path);
    const auto set =
        graft::make_data_set(found.task, examples, path, graft::tokenizer::from_folder(tokenizer), max_seq_length, omp_get_max_threads());
    for (const graft::features& row : set.rows) {
      std::printf("%s\n", ordered_json{{"input_ids", row.input_ids}, {"label", std::to_string(row.label)}}.dump().c_str());
    }
    return;
  }
  throw graft::format_error(glue, "holds no files of the task " + name);
}

void write_model(const std::string& path) {
  const graft::encoder_config config = graft_benchmark::roberta_base();
  auto model = graft::make_adapter_classifier<f32>(config, classes, {adapter_size});
  graft::safetensors_writer writer(64);
  writer.metadata = {
      {"graft_format", std::string(graft::model_file_version)}, {"config", graft::to_json(config).dump()}, {"source", "random"}};
  model.for_each_parameter([&](auto& p) {
    if (p.role != graft::parameter_role::layer_norm) graft::draw_normal(p, 0.02, 1);
    writer.add(p.name, p.shape(), std::span<const float>(p.value().data(), static_cast<std::size_t>(p.size())));
  });
  writer.write(path);
}

std::vector<graft::features> read_rows(const std::string& path) {
  std::vector<graft::features> rows;
  for (const graft::example& row : graft::read_jsonl(path)) {
    rows.push_back(graft::featurize(row, static_cast<std::int32_t>(graft_benchmark::roberta_base().vocab_size), max_seq_length));
    rows.back().label = std::stoi(row.label.value_or("0"));
  }
  return rows;
}

/// One model with all that its training needs, stepped on request.
template <class M>
class worker {
 public:
  worker(M& model, std::vector<graft::features> rows) : model_(model), rows_(std::move(rows)), training_(model) {}

  ordered_json answer(const json& request) {
    const auto begin = std::chrono::steady_clock::now();
    const auto first = request.at("first").get<std::size_t>(), count = request.at("batch").get<std::size_t>();
    batch_.clear();
    for (std::size_t i = first; i < first + count; ++i) batch_.add(rows_[i % rows_.size()]);
    const bool train = request.at("do") == "train";
    ordered_json result;
    if (train) {
      result["loss"] = training_.step(batch_);
    } else {
      logits_.resize(batch_.size(), classes);
      model_.forward(batch_, logits_, nullptr, training_.ctx);
    }
    result["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result["rows"] = batch_.size();
    result["tokens"] = batch_.rows();
    if (!train) result["logits"] = std::vector<float>(logits_.data(), logits_.data() + logits_.size());
    return result;
  }

 private:
  M& model_;
  std::vector<graft::features> rows_;
  graft_benchmark::training<M> training_;
  graft::matrix<float> logits_;
  graft::batch batch_;
};

template <class M>
void serve(M& model, const std::string& rows) {
  worker<M> w(model, read_rows(rows));
  for (std::string line; std::getline(std::cin, line);) std::cout << w.answer(graft::parse_json(line, "request")).dump() << std::endl;
}

/// What of FILE is not the trunk: the head and, where MODEL is a single adapter's, the adapter.
template <class M>
void load_added(M& model, const graft::tensor_source& file) {
  graft::load_parameters(model, file, [](const std::string& name) -> std::optional<std::string> {
    if (name.starts_with("classifier.") || name.find(".adapter.") != std::string::npos) return name;
    return std::nullopt;
  });
}

template <class P>
void serve(const std::string& path, const std::string& rows, const std::string& setup) {
  const graft::encoder_config config = graft::parse_encoder_config(graft::model_file_config(path), path);
  graft::tensor_source file = graft::open_model(path, config.model_type);
  const auto load = [&](auto& model) {
    graft::load_trunk(model, file);
    load_added(model, file);
    file = graft::tensor_source(path);
    graft::pack_frozen(model, true, omp_get_max_threads());
  };
  if (setup == "plain") {
    auto model = graft::make_plain_classifier<P>(config, classes);
    graft::set_trainable(model, false);
    load(model);
    serve(model, rows);
  } else if (setup == "adapter") {
    auto model = graft::make_adapter_classifier<P>(config, classes, {adapter_size});
    graft::tune_adapters(model);
    load(model);
    serve(model, rows);
  } else {
    graft::multi_adapter_options mix;  // "mix2": the file's adapter twice
    for (int k = 0; k < std::stoi(setup.substr(3)); ++k) mix.adapters.push_back({"a" + std::to_string(k)});
    auto model = graft::make_multi_adapter_classifier<P>(config, classes, mix, 1);
    graft::tune_mix(model, graft::multi_adapter_ft_mode::base);
    for (const auto& adapter : mix.adapters) graft::load_mixed_adapter(model, adapter.name, file, file);
    load(model);
    serve(model, rows);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const auto is = [&](std::string_view command, std::size_t count) { return args.size() == count + 1 && args[0] == command; };
  // A precision is a line here.
  const std::map<std::string, void (*)(const std::string&, const std::string&, const std::string&)> precisions = {{"bf16", serve<bf16>},
                                                                                                                  {"f32", serve<f32>}};
  if (is("rows", 3)) {
    print_rows(args[1], args[2], args[3]);
  } else if (is("write_model", 1)) {
    write_model(args[1]);
  } else if (is("serve", 4) && precisions.contains(args[4]) &&
             (args[3] == "plain" || args[3] == "adapter" || args[3] == "mix2" || args[3] == "mix8")) {
    precisions.at(args[4])(args[1], args[2], args[3]);
  } else {
    std::fprintf(stderr, "usage: see the first lines of compare_training.cpp; compare_training.py calls this program\n");
    return 2;
  }
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
