// Every family of encoders beside transformers: logits and the gradients of all parameters, which tests/peers/families_cases.py wrote.

#include "graft/encoder/families/families.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/losses/losses.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"

namespace {

const std::string families = GRAFT_TEST_DIR "/golden/peers/";

/// The rows of models.py, with the labels 0, 1, 0, ...
graft::batch rows() {
  graft::batch b;
  for (const auto& line : graft::parse_json(
           "[" +
               [] {
                 std::string text = graft::read_file(families + "rows.jsonl"), all;
                 for (const char c : text) all += c == '\n' ? ',' : c;
                 return all.substr(0, all.rfind(','));
               }() +
               "]",
           "rows.jsonl")) {
    graft::features row;
    row.input_ids = line.at("input_ids").get<std::vector<std::int32_t>>();
    row.token_type_ids.assign(row.input_ids.size(), 0);
    row.label = static_cast<std::int32_t>(b.size() % 2);
    b.add(row);
  }
  return b;
}

/// The largest difference of any gradient, and of the loss.
template <class P>
double worst_gradient(const std::string& folder, int threads) {
  using real = typename P::real;
  const auto config = graft::read_encoder_config(folder + "/config.json");
  const auto& family = graft::family_of(config.model_type);
  auto model = graft::make_plain_classifier<P>(config, 2, graft::usual_head(config));
  graft::load_parameters(model, graft::open_model(folder, config.model_type), [](const std::string& name) { return std::optional(name); });
  graft::tune_everything(model);
  const graft::batch b = rows();
  graft::context ctx;
  ctx.threads = threads;
  typename graft::plain_classifier<P>::trace trace;
  graft::matrix<real> logits(b.size(), 2), dlogits(b.size(), 2);
  model.forward(b, logits, &trace, ctx);
  graft::view<real> d(dlogits);
  graft::cross_entropy<real>(logits, b.labels, &d);
  model.backward(d, b, trace, ctx);
  const graft::safetensors_file theirs(folder + "/gradients.safetensors");
  double worst = 0;
  std::size_t count = 0;
  model.for_each_parameter([&](auto& p) {
    const std::string name = graft::name_in_files(family, p.name);
    INFO(name);
    REQUIRE(theirs.contains(name));
    const auto expected = theirs.values<double>(name);
    const auto own = p.gradient();
    REQUIRE(static_cast<graft::index>(expected.size()) == own.size());
    for (graft::index i = 0; i < own.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(own.data()[i]) - expected[static_cast<std::size_t>(i)]));
    ++count;
  });
  CHECK(count == theirs.tensors().size());
  return worst;
}

/// The same of what is tuned around the encoder, a Houlsby adapter or a low-rank update, and its values in tuned.safetensors there.
template <class M>
double worst_tuned_gradient(M model, const std::string& folder, const std::string& part) {
  using real = typename M::real;
  const auto& config = model.config;
  const auto& family = graft::family_of(config.model_type);
  const graft::safetensors_file theirs(folder + "/tuned.safetensors");
  const auto name_there = [&](const std::string& name) {
    const auto at = name.find(part);
    const std::string layer = name.substr(0, at) + (part == ".adapter." ? ".dense" : "");
    return graft::name_in_files(family, layer) + name.substr(at);
  };
  graft::load_parameters(model, graft::open_model(folder, config.model_type),
                         [&](const std::string& name) { return name.find(part) == name.npos ? std::optional(name) : std::nullopt; });
  model.for_each_parameter([&](auto& p) {
    p.freeze();
    if (p.name.find(part) == p.name.npos) return;
    const auto values = theirs.values<double>(name_there(p.name));
    REQUIRE(static_cast<graft::index>(values.size()) == p.size());
    for (graft::index i = 0; i < p.size(); ++i) p.edit().data()[i] = static_cast<real>(values[static_cast<std::size_t>(i)]);
    p.train();
  });
  const graft::batch b = rows();
  graft::context ctx;
  ctx.threads = 1;
  typename M::trace trace;
  graft::matrix<real> logits(b.size(), 2), dlogits(b.size(), 2);
  model.forward(b, logits, &trace, ctx);
  graft::view<real> d(dlogits);
  graft::cross_entropy<real>(logits, b.labels, &d);
  model.backward(d, b, trace, ctx);
  double worst = 0, largest = 1;
  std::size_t count = 0;
  model.for_each_parameter([&](auto& p) {
    if (!p.is_trained()) return;
    const auto expected = theirs.values<double>("gradient." + name_there(p.name));
    const auto own = p.gradient();
    for (const double one : expected) largest = std::max(largest, std::abs(one));
    for (graft::index i = 0; i < own.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(own.data()[i]) - expected[static_cast<std::size_t>(i)]));
    ++count;
  });
  std::size_t expected_count = 0;
  for (const auto& [name, info] : theirs.tensors())
    expected_count += name.find(part) != name.npos && !name.starts_with("gradient.") ? 1 : 0;
  CHECK(count == expected_count);
  return worst / largest;
}

template <class P>
double worst_tuned_gradient(const std::string& folder) {
  const auto config = graft::read_encoder_config(folder + "/config.json");
  const auto head = graft::usual_head(config);
  auto updated = graft::make_plain_classifier<P>(config, 2, head);
  const graft::safetensors_file theirs(folder + "/tuned.safetensors");
  graft::lora_options o{2, 3, {}};
  graft::for_each_projection(updated, [&](auto& layer) {
    const bool there = theirs.contains(graft::name_in_files(graft::family_of(config.model_type), layer.name()) + ".lora_A.weight");
    if (there) o.targets.push_back(layer.name());
  });
  graft::add_lora(updated, o);
  return std::max(worst_tuned_gradient(graft::make_adapter_classifier<P>(config, 2, {3}, head), folder, ".adapter."),
                  worst_tuned_gradient(std::move(updated), folder, ".lora_"));
}

}  // namespace

TEST_CASE("the gradients of adapters and low-rank updates in every family are those of torch") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(families + "families")) {
    const std::string folder = entry.path().string();
    if (!std::filesystem::exists(folder + "/tuned.safetensors")) continue;
    INFO(folder);
    CHECK(worst_tuned_gradient<graft::f64>(folder) < 1e-9);
    // One model is so made that half a unit in the last place of its weights moves its gradients in f64 by up to 2.1e-5.
    const bool amplifies = folder.ends_with("/deberta_v2_shape_2_gelu");
    CHECK(worst_tuned_gradient<graft::f32>(folder) < (amplifies ? 4e-5 : 1e-5));
    ++count;
  }
  CHECK(count >= 3 * graft::model_families().size());  // three shapes each
}

TEST_CASE("the gradients of every family's parameters are those of transformers") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(families + "families")) {
    const std::string folder = entry.path().string();
    if (!std::filesystem::exists(folder + "/gradients.safetensors")) continue;
    INFO(folder);
    CHECK(worst_gradient<graft::f64>(folder, 1) < 1e-9);
    CHECK(worst_gradient<graft::f64>(folder, 2) < 1e-9);
    CHECK(worst_gradient<graft::f32>(folder, 1) < 1e-5);
    ++count;
  }
  CHECK(count > 2 * graft::model_families().size());
}
