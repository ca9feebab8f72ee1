// Every family of encoders beside transformers: logits and the gradients of all parameters, which tests/peers/families_cases.py wrote.

#include "graft/encoder/families/families.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/losses/losses.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"

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

}  // namespace

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
