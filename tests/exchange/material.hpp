#pragma once
// The goldens in golden/exchange/, and copies of them with something changed.

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graft/core/json.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/torch_writer.hpp"
#include "graft/io/weights.hpp"
#include "support/shared.hpp"

namespace graft_test {

inline const std::string golden = GRAFT_TEST_DIR "/golden/";
inline const std::string exchange = golden + "exchange/";

inline graft::encoder_config roberta_config() { return graft::read_encoder_config(golden + "model/config.json"); }
inline graft::encoder_config bert_config() { return graft::read_encoder_config(golden + "bert/config.json"); }

/// What F says when it throws one of graft's errors; "" if nothing.
inline std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const graft::error& failure) {
    return failure.what();
  }
  return "";
}

/// A copy of the folder golden/exchange/NAME.
class copied_folder {
 public:
  explicit copied_folder(const std::string& name) { std::filesystem::copy(exchange + name, folder_.path()); }
  const std::string& path() const { return folder_.path(); }
  std::string operator/(const std::string& name) const { return folder_ / name; }

  /// Changes the JSON file NAME.
  void edit(const std::string& name, const std::function<void(graft::json&)>& change) const {
    graft::json value = graft::read_json(folder_ / name);
    change(value);
    graft::write_file(folder_ / name, value.dump());
  }

  /// Writes the weights file NAME again, as torch.save does, each tensor under the name and shape that CHANGE leaves; "" leaves it out.
  void rewrite(const std::string& name, const std::function<void(std::string&, std::vector<graft::index>&)>& change) const {
    const graft::tensor_source source = graft::open_weights(folder_ / name);
    graft::torch_writer writer;
    for (const auto& [old, info] : source.tensors()) {
      std::string renamed = old;
      auto shape = info.shape;
      change(renamed, shape);
      if (!renamed.empty()) writer.add(renamed, shape, info.type, info.bytes);
    }
    writer.write(folder_ / name);
  }

  /// What opening the folder for the tiny RoBERTa says; "" if nothing.
  std::string refusal() const {
    return graft_test::refusal([&] { graft::open_adapter(path(), roberta_config()); });
  }

 private:
  temporary_folder folder_;
};

/// The same names, shapes and values.
inline void check_same(const graft::tensor_source& a, const graft::tensor_source& b) {
  CHECK(a.tensors().size() == b.tensors().size());
  for (const auto& [name, info] : a.tensors()) {
    INFO(name);
    REQUIRE(b.contains(name));
    CHECK(b.at(name).shape == info.shape);
    CHECK(b.values<float>(name) == a.values<float>(name));
  }
}

/// An adapter as D describes it, filled with numbers, for an encoder with CONFIG. WITHOUT: the start of names to leave out.
inline graft::adapter_file made_adapter(const graft::encoder_config& config, const graft::model_description& d,
                                        const std::string& without = "none") {
  graft::adapter_file a{d, graft::tensor_source("made")};
  graft::tensor_source all("all");
  all.add("bert.pooler.dense.weight", {});  // so that it is wanted
  const auto described = [&] {
    if (d.kind != graft::tuning_kind::multi_adapter) return graft::adapter_tensors(config, d, all);
    graft::tensor_shapes shapes = graft::head_tensors(config, d.num_labels());
    graft::for_each_mix_tensor(config, d, "made", [&](const auto& name, const auto& shape) { shapes[name] = shape; });
    return shapes;
  };
  float next = 0;
  for (const auto& [name, shape] : described()) {
    if (name.starts_with(without)) continue;
    const auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(graft::element_count(shape)));
    for (float& v : *values) v = next += 0.25F;
    a.tensors.keep_alive(values);
    a.tensors.add(name, {graft::dtype::f32, shape, std::as_bytes(std::span(*values))});
  }
  return a;
}

inline graft::model_description houlsby(graft::index size = 4) {
  graft::model_description d;
  d.kind = graft::tuning_kind::adapter;
  d.task_name = "rte";
  d.labels = {"no", "yes", "maybe"};
  d.adapter.size = size;
  d.layer_norms_trained = false;
  return d;
}

inline graft::model_description lora() {
  graft::model_description d;
  d.kind = graft::tuning_kind::lora;
  d.labels = {"0", "1"};
  d.layer_norms_trained = false;
  d.lora = {3, 6, {"query", "value"}};
  return d;
}

}  // namespace graft_test
