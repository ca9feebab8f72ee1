#include "graft/exchange/open_adapter.hpp"

#if defined(__linux__)
#include <sys/inotify.h>
#include <unistd.h>
#endif

#include "exchange/material.hpp"
#include "graft/io/weights.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"
#include "support/golden.hpp"

using namespace graft_test;
using Catch::Contains;

TEST_CASE("an adapter is told by what the file or folder holds") {
  const auto kind = [](const std::string& path) { return graft::open_adapter(path, roberta_config()).description.kind; };
  CHECK(kind(exchange + "adapterhub_double") == graft::tuning_kind::adapter);
  CHECK(kind(exchange + "peft_lora") == graft::tuning_kind::lora);
  CHECK(kind(exchange + "original") == graft::tuning_kind::adapter);
  CHECK(kind(exchange + "original/model_stream.p") == graft::tuning_kind::adapter);
  CHECK(kind(golden + "model/adapter_rte.safetensors") == graft::tuning_kind::adapter);
}

TEST_CASE("graft's own adapters come back as they were, given as file or folder") {
  const temporary_folder folder;
  auto trained = houlsby();
  trained.layer_norms_trained = true;
  trained.trunk_fingerprint = "0123456789abcdef";
  auto behind = houlsby(2);
  behind.adapter.kind = "pfeiffer";
  behind.adapter.act = graft::activation::relu;
  auto headless = lora();
  headless.labels.clear();
  for (const auto& config : {roberta_config(), bert_config()}) {
    for (const auto& d : {trained, behind, lora(), headless}) {
      const auto a = made_adapter(config, d);
      graft::write_adapter(folder / "model.safetensors", a);
      for (const auto& path : {folder.path(), folder / "model.safetensors"}) {
        const auto back = graft::open_adapter(path, config);
        CHECK(graft::to_metadata(back.description) == graft::to_metadata(d));
        check_same(a.tensors, back.tensors);
      }
    }
  }
}

TEST_CASE("what holds no single adapter is refused") {
  const temporary_folder folder;
  const auto message = [&](const std::string& path) { return refusal([&] { graft::open_adapter(path, roberta_config()); }); };
  CHECK_THAT(message(folder / "nowhere"), Contains("nowhere: is not there"));
  CHECK_THAT(message(folder.path()), Contains("none of adapter_config.json, model.safetensors, model.p"));
  CHECK_THAT(message(golden + "model/model.safetensors"), Contains("holds no adapter"));
  auto a = made_adapter(roberta_config(), houlsby());
  a.description.kind = graft::tuning_kind::head;
  graft::write_adapter(folder / "model.safetensors", a);
  CHECK_THAT(message(folder.path()), Contains("is of kind \"head\""));
  graft::write_adapter(folder / "model.safetensors", made_adapter(roberta_config(), houlsby(), "classifier.dense.b"));
  CHECK_THAT(message(folder.path()), Contains("no tensor 'classifier.dense.bias'"));
  const copied_folder peft("peft_lora");
  peft.edit("adapter_config.json", [](json& j) { j.erase("peft_type"); });
  CHECK_THAT(message(peft.path()),
             Contains("adapter_config.json: has no \"peft_type\", and adapter_model.safetensors beside it is PEFT's"));
}

namespace {

/// The largest difference between the logits of MODEL, with the trunk and A in it, and those that PyTorch computed for
/// golden/exchange/NAME.
template <class M>
double logits_error(M model, const graft::adapter_file& a, const std::string& name) {
  graft::load_by_name(model, graft::open_weights(golden + "model/model.safetensors"));  // its head, too: some adapters have none
  CHECK(graft::load_by_name(model, a.tensors) == static_cast<graft::index>(a.tensors.tensors().size()));
  const auto expected = graft::read_json(exchange + "expected.json")[name];
  const auto batches = graft_test::golden_batches(golden + "model");
  REQUIRE(expected.size() == batches.size());
  graft::context ctx;
  double largest = 0;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    graft::matrix<double> logits(batches[b].size(), 2);
    model.forward(batches[b], logits, nullptr, ctx);
    for (graft::index i = 0; i < logits.rows(); ++i) {
      for (graft::index c = 0; c < 2; ++c) {
        const double wanted = expected[b][static_cast<std::size_t>(i)][static_cast<std::size_t>(c)];
        largest = std::max(largest, std::abs(logits(i, c) - wanted));
      }
    }
  }
  return largest;
}

}  // namespace

TEST_CASE("adapters of other programs give the logits that PyTorch computed for them") {
  const auto config = roberta_config();
  for (const std::string name :
       {"adapterhub_double", "adapterhub_single", "adapterhub_legacy", "original", "peft_lora", "peft_lora_pattern"}) {
    INFO(name);
    const auto a = graft::open_adapter(exchange + name, config);
    const auto& d = a.description;
    if (d.kind == graft::tuning_kind::lora) {
      auto model = graft::make_plain_classifier<graft::f64>(config, 2);
      graft::add_lora(model, d.lora);
      CHECK(logits_error(std::move(model), a, name) < 1e-12);
    } else {
      CHECK(logits_error(graft::make_adapter_classifier<graft::f64>(config, 2, d.adapter), a, name) < 1e-12);
    }
  }
}

TEST_CASE("a link that leads nowhere is named, not passed over") {
  for (const std::string name : {"head_config.json", "layer_norms.safetensors", "adapter_config.json", "pytorch_adapter.bin"}) {
    const copied_folder folder("adapterhub_double");
    std::filesystem::remove(folder / name);
    std::filesystem::create_symlink("gone", folder / name);
    CHECK_THAT(folder.refusal(), Catch::Contains(name + ": is a link to gone"));
  }
}

TEST_CASE("one file out of another library's folder, and a configuration that holds nothing, are told as such") {
  for (const std::string path : {"peft_lora/adapter_model.safetensors", "adapterhub_double/pytorch_adapter.bin"}) {
    const std::string said = graft_test::refusal([&] { graft::open_tuned(exchange + path, roberta_config()); });
    CHECK_THAT(said, Catch::Contains(path + ": is part of an adapter of PEFT's or AdapterHub's: give the folder"));
  }
  const copied_folder folder("peft_lora");
  for (const std::string given : {"[]", "\"x\"", "{}", "null"}) {
    graft::write_file(folder / "adapter_config.json", given);
    CHECK_THAT(folder.refusal(), Catch::Contains("adapter_config.json: is " + given + ", no adapter's configuration"));
  }
}

TEST_CASE("whether labels were said is kept, and what could not be read back is not written") {
  const graft_test::temporary_folder folder;
  auto a = graft_test::made_adapter(roberta_config(), graft_test::houlsby());
  for (const bool said : {false, true}) {
    a.description.labels_said = said;
    graft::write_adapter(folder / "a.safetensors", a);
    CHECK(graft::open_adapter(folder / "a.safetensors", roberta_config()).description.labels_said == said);
  }
  a.description.labels = {"x", "x", "y"};
  CHECK_THAT(graft_test::refusal([&] { graft::write_adapter(folder / "a.safetensors", a); }), Catch::Contains("\"x\" twice"));
  CHECK(graft::open_adapter(folder / "a.safetensors", roberta_config()).description.labels.size() == 3);
}

#if defined(__linux__)
TEST_CASE("a file is opened once, whatever it turns out to be") {
  for (const char* name : {"golden/exchange/original/model.p", "golden/model/adapter_rte.safetensors"}) {
    const std::string path = std::string(GRAFT_TEST_DIR) + "/" + name;
    INFO(path);
    const int watch = ::inotify_init1(IN_NONBLOCK);
    REQUIRE(::inotify_add_watch(watch, path.c_str(), IN_OPEN | IN_CLOSE_NOWRITE) >= 0);
    graft::open_tuned(path, roberta_config());
    alignas(inotify_event) char events[4096];
    CHECK(::read(watch, events, sizeof(events)) == 2 * sizeof(inotify_event));  // opened and closed
    ::close(watch);
  }
}
#endif
