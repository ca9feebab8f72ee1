// What a run may start from: by name, or not at all, and nothing without a word.

#include "graft/exchange/start.hpp"

#include "exchange/material.hpp"
#include "graft/exchange/open_adapter.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/initialization.hpp"
#include "graft/model/loading.hpp"

using namespace graft_test;
using Catch::Contains;
using graft::model_description;
using names = std::vector<std::string>;

namespace {

/// The notes of a start from FROM for a run that trains TO, in a line each; or what is said against it, and what would help.
std::string said(const model_description& from, const model_description& to, const graft::encoder_config& config = roberta_config()) {
  std::string text;
  try {
    for (const auto& note : graft::fit_start(made_adapter(config, from), to, config).notes) text += note + '\n';
  } catch (const graft::error& failure) {
    return failure.what() + (" (" + failure.help().parameter) + " " + failure.help().value + ")";
  }
  return text;
}

model_description with_labels(model_description d, const names& labels) {
  d.labels = labels;
  d.output = labels.empty() ? graft::task_kind::regression : graft::task_kind::classification;
  return d;
}

/// Row R of the tensor NAME.
std::vector<float> row(const graft::tensor_source& source, const std::string& name, std::size_t r) {
  const auto all = source.values<float>(name);
  const std::size_t width = all.size() / static_cast<std::size_t>(source.at(name).shape[0]);
  return {all.begin() + static_cast<std::ptrdiff_t>(r * width), all.begin() + static_cast<std::ptrdiff_t>((r + 1) * width)};
}

/// A mix of adapters called NAMES, of 2, 3, ... in size.
model_description mix_of(const names& all, bool base = true) {
  model_description d;
  d.kind = graft::tuning_kind::multi_adapter;
  d.labels = {"no", "yes"};
  for (const auto& name : all) d.mix.adapters.push_back({name, {static_cast<graft::index>(name.size())}});
  d.mix.include_base = base;
  return d;
}

}  // namespace

TEST_CASE("the rows of a head follow the names of its labels") {
  for (const auto& config : {roberta_config(), bert_config()}) {
    const auto file = made_adapter(config, with_labels(houlsby(), {"x", "y", "z"}));
    const auto start = graft::fit_start(file, with_labels(houlsby(), {"z", "x", "y"}), config);
    for (const std::string part : {".weight", ".bias"}) {
      const std::string name = graft::head_names(config).out_proj + part;
      CHECK(row(start.tensors, name, 0) == row(file.tensors, name, 2));
      CHECK(row(start.tensors, name, 1) == row(file.tensors, name, 0));
      CHECK(row(start.tensors, name, 2) == row(file.tensors, name, 1));
    }
    CHECK(start.tensors.tensors().size() == file.tensors.tensors().size());
    CHECK(start.notes == names{"its head is for the labels x, y, z: the rows follow the names, here z, x, y"});
    const auto same = graft::fit_start(file, file.description, config);
    CHECK(same.notes.empty());
    check_same(same.tensors, file.tensors);
  }
}

TEST_CASE("a head for other labels is left out, and that is said") {
  const auto config = roberta_config();
  const auto xyz = with_labels(houlsby(), {"x", "y", "z"});
  CHECK(said(xyz, with_labels(houlsby(), {"r", "s", "t"})) ==
        "its head for the labels x, y, z is not taken over: this task has the labels r, s, t; its head starts as it would without it\n");
  CHECK_THAT(said(xyz, with_labels(houlsby(), {})), Contains("x, y, z is not taken over: this task has a regression"));
  CHECK_THAT(said(with_labels(houlsby(), {}), xyz), Contains("head for a regression is not taken over"));
  CHECK(said(with_labels(houlsby(), {}), with_labels(houlsby(), {})).empty());
  const auto start = graft::fit_start(made_adapter(config, xyz), with_labels(houlsby(), {"r", "s"}), config);
  CHECK_FALSE(start.tensors.contains("classifier.dense.weight"));
  CHECK_FALSE(start.tensors.contains("classifier.out_proj.bias"));
  auto headless = houlsby();
  headless.labels.clear();
  CHECK_THAT(said(headless, xyz), Contains("has no head"));
}

TEST_CASE("of a head for some of the labels their rows are taken over, the others stay, and that is said") {
  for (const auto& config : {roberta_config(), bert_config()}) {
    const auto to = with_labels(houlsby(), {"z", "new"});
    const auto file = made_adapter(config, with_labels(houlsby(), {"x", "y", "z"}));
    const auto start = graft::fit_start(file, to, config);
    CHECK(start.notes == names{"of its head for the labels x, y, z the rows of z are taken over, those of new start fresh"});
    const graft::head_names head(config);
    CHECK_FALSE(start.tensors.contains(head.out_proj + ".weight"));
    auto model = graft::make_adapter_classifier<graft::f32>(config, 2, to.adapter);
    graft::initialize(model.head, 1, true);
    const auto& weight = model.head.out_proj.weight.value();
    const std::vector<float> fresh(weight.row(1).begin(), weight.row(1).end());
    CHECK(graft::start_head(model, start.head.tensors, start.head.rows) == 4);
    const auto taken = row(file.tensors, head.out_proj + ".weight", 2);
    CHECK(std::vector<float>(weight.row(0).begin(), weight.row(0).end()) == taken);
    CHECK(std::vector<float>(weight.row(1).begin(), weight.row(1).end()) == fresh);
    CHECK(model.head.out_proj.bias.value()(0, 0) == row(file.tensors, head.out_proj + ".bias", 2)[0]);
    CHECK(model.head.dense[0].bias.value()(0, 3) == file.tensors.values<float>(head.dense + ".bias")[3]);
  }
  auto several = with_labels(houlsby(), {"x", "y"});
  several.sigmoid = true;  // a logit a label, too
  CHECK_FALSE(graft::fit_head(made_adapter(roberta_config(), several), with_labels(houlsby(), {"y", "n"}), roberta_config()).rows.empty());
  several.output = graft::task_kind::regression;
  CHECK(graft::fit_head(made_adapter(roberta_config(), several), with_labels(houlsby(), {}), roberta_config()).rows.empty());
}

TEST_CASE("labels that a file does not say are taken in the task's order, and that is said") {
  const auto peft = graft::open_start(exchange + "peft_lora", roberta_config());
  CHECK_FALSE(peft.description.labels_said);
  auto to = peft.description;
  to.labels = {"entailment", "not_entailment"};
  CHECK(graft::fit_start(peft, to, roberta_config()).notes ==
        names{"it does not say what its 2 labels are: they are taken to be entailment, not_entailment, in this order"});
  to.labels.push_back("neutral");
  const auto start = graft::fit_start(peft, to, roberta_config());
  CHECK_THAT(start.notes.at(0), Contains("2 labels without names is not taken over"));
  CHECK_FALSE(start.tensors.contains("classifier.out_proj.bias"));
}

TEST_CASE("what a file says of itself and the run is not is refused with both values") {
  auto swish = houlsby();
  swish.adapter.act = graft::activation::swish;
  CHECK_THAT(said(swish, houlsby()), Contains("activation is swish, this run's is gelu (adapter_hidden_act swish)"));
  auto behind = houlsby();
  behind.adapter.kind = "pfeiffer";
  CHECK_THAT(said(houlsby(), behind), Contains("placement is houlsby, this run's is pfeiffer (adapter_placement houlsby)"));
  CHECK_THAT(said(houlsby(4), houlsby(2)), Contains("size is 4, this run's is 2 (adapter_size 4)"));
  auto some = houlsby();
  some.adapter.leave_out = {0};
  CHECK_THAT(said(some, houlsby()), Contains("leaves out layers 0, this run none (adapter_layers 1)"));
  CHECK(said(some, some).empty());
  auto trained = houlsby();
  trained.layer_norms_trained = true;
  CHECK_THAT(said(trained, houlsby()), Contains("holds trained LayerNorms") && Contains("(adapter_layer_norm trained)"));
  CHECK(said(houlsby(), trained).empty());
  auto elsewhere = houlsby();
  elsewhere.trunk_fingerprint = "0123456789abcdef";
  auto here = houlsby();
  here.trunk_fingerprint = "fedcba9876543210";
  CHECK_THAT(said(elsewhere, here), Contains("another trunk (fingerprint 0123456789abcdef)") && Contains("fedcba9876543210"));

  auto other = lora();
  other.lora.alpha = 0.1 + 0.2;
  CHECK_THAT(said(other, lora()), Contains("alpha is 0.30000000000000004, this run's is 6.0"));
  other.lora.alpha = 0;
  CHECK_THAT(said(other, lora()), Contains("its alpha is 0.0, one above 0 is needed to train: start without it"));
  other = lora();
  other.lora.r = 2;
  CHECK_THAT(said(other, lora()), Contains("rank is 2, this run's is 3"));
  other = lora();
  other.lora.targets = {"query", "key"};
  CHECK_THAT(said(other, lora()), Contains("updates query, key, this run updates query, value (lora_target query, key)"));
  other.lora.targets = {"value", "attention.self.query"};  // the same layers by other names
  CHECK(said(other, lora()).empty());
  other = lora();
  other.lora.ranks = {{"roberta.encoder.layer.0.attention.self.query", 2}};
  CHECK_THAT(said(other, lora()),
             Contains("its rank for roberta.encoder.layer.0.attention.self.query is 2, this run's is 3 (lora_rank_pattern "
                      "roberta.encoder.layer.0.attention.self.query=2)"));
  CHECK(said(other, other).empty());
  other = lora();
  other.lora.dora = true;
  CHECK_THAT(said(other, lora()), Contains("is DoRA, this run trains a plain low-rank update (lora_dora true)"));
  CHECK_THAT(said(lora(), other), Contains("is a plain low-rank update, this run trains DoRA (lora_dora false)"));
  CHECK(said(other, other).empty());
  other.lora.dora_outputs = true;
  CHECK_THAT(said(other, lora()), Contains("is DoRA as AdapterHub's library computes it, this run trains plain updates"));
  CHECK_THAT(said(lora(), houlsby()), Contains("is a low-rank update, this run trains an adapter"));
  CHECK_THAT(said(houlsby(), mix_of({"one"})), Contains("is an adapter, this run trains a mix of adapters") && Contains("(adapters )"));
}

TEST_CASE("a mix starts from a mix of the same adapters, whatever their order") {
  const auto config = roberta_config();
  const auto file = made_adapter(config, mix_of({"aa", "bbb"}));
  const auto start = graft::fit_start(file, mix_of({"bbb", "aa"}), config);
  const std::string weights = "roberta.encoder.layer.0.attention.output.multi_adapter.weighted_sum.weights";
  const auto before = file.tensors.values<float>(weights);
  CHECK(start.tensors.values<float>(weights) == std::vector<float>{before[1], before[0], before[2]});
  CHECK_THAT(start.notes.at(0), Contains("the mixing weights follow the names"));

  CHECK_THAT(said(mix_of({"aa", "bbb"}), mix_of({"aa", "ccc"})), Contains("mix of aa, bbb, base, this run mixes aa, ccc, base"));
  CHECK_THAT(said(mix_of({"aa"}), mix_of({"aa"}, false)), Contains("mix of aa, base, this run mixes aa"));
  auto to = mix_of({"aa"});
  to.mix.adapters[0].adapter.act = graft::activation::relu;
  CHECK_THAT(said(mix_of({"aa"}), to), Contains("aa is houlsby, of size 2, with gelu") && Contains("is houlsby, of size 2, with relu"));
  to = mix_of({"aa"});
  to.mix.mode = graft::mixing_mode::gates;
  CHECK_THAT(said(mix_of({"aa"}), to), Contains("weight mode is softmax, this run's is gates"));
  to = mix_of({"aa"});
  to.num_weight_sets = -1;
  CHECK_THAT(said(mix_of({"aa"}), to), Contains("number of weight sets is 1, this run's is 2"));
  to = mix_of({"aa"});
  to.mix.include_flex = true;
  CHECK_THAT(said(mix_of({"aa"}), to), Contains("no flex adapter"));
  CHECK_THAT(said(to, mix_of({"aa"})), Contains("(include_flex 1)"));
}

namespace {

/// A tiny model that tunes adapters around the golden trunk.
graft::adapter_classifier<graft::f32> model_of(const model_description& d) {
  auto model = graft::make_adapter_classifier<graft::f32>(roberta_config(), d.num_labels(), d.adapter);
  graft::tune_adapters(model, d.layer_norms_trained);
  graft::load_trunk(model, graft::open_model(golden + "model/model.safetensors", "roberta"));
  return model;
}

/// SOURCE with the tensors of MORE.
graft::tensor_source joined(const graft::tensor_source& source, const graft::tensor_source& more) {
  graft::tensor_source all("joined");
  const auto same = [](const std::string& name) { return std::optional(name); };
  all.add_all(source, same);
  all.add_all(more, same);
  return all;
}

graft::tensor_source one(const std::string& name, const std::vector<graft::index>& shape, float value) {
  graft::tensor_source source("one");
  const auto memory = std::make_shared<std::vector<float>>(static_cast<std::size_t>(graft::element_count(shape)), value);
  source.keep_alive(memory);
  source.add(name, {graft::dtype::f32, shape, std::as_bytes(std::span(*memory))});
  return source;
}

}  // namespace

TEST_CASE("every tensor of a start has a place, and the frozen encoder stays what it is") {
  const auto d = houlsby();
  const auto file = made_adapter(roberta_config(), d);
  auto model = model_of(d);
  const auto taken = graft::start_from(model, file.tensors);
  CHECK(taken.trained == static_cast<graft::index>(file.tensors.tensors().size()));
  CHECK(taken.fresh.empty());

  auto behind = d;
  behind.adapter.kind = "pfeiffer";
  auto other = model_of(behind);
  CHECK_THAT(
      refusal([&] { graft::start_from(other, file.tensors); }),
      Contains("has 8 of 20 tensors that have no place") && Contains("roberta.encoder.layer.0.attention.output.adapter.down_project.bias"));

  const auto trunk = graft::open_model(golden + "model/model.safetensors", "roberta");
  const std::string word = "roberta.embeddings.word_embeddings.weight";
  graft::tensor_source words("words");
  words.add_all(trunk, [&](const std::string& name) { return name == word ? std::optional(name) : std::nullopt; });
  CHECK(graft::start_from(model, joined(file.tensors, words)).trained == taken.trained);
  CHECK_THAT(refusal([&] { graft::start_from(model, joined(file.tensors, one(word, trunk.at(word).shape, 1))); }),
             Contains("'" + word + "' differs from the encoder's, and this run does not train it"));
  CHECK_THAT(refusal([&] { graft::start_from(model, words); }), Contains("holds no tensor that this run trains"));
  CHECK_THAT(refusal([&] {
               graft::start_from(model, words, {"it has no head", "nothing else"});
             }),
             Contains("that this run trains: it has no head; nothing else"));

  const auto few = graft::start_from(model, one("classifier.out_proj.bias", {3}, 1));
  CHECK(few.trained == 1);
  CHECK(few.fresh.size() == static_cast<std::size_t>(taken.trained) - 1);
}

TEST_CASE("an encoder that was tuned with a head elsewhere has the labels of its config.json") {
  const temporary_folder folder;
  std::filesystem::copy_file(golden + "model/model.safetensors", folder / "model.safetensors");
  graft::json about = graft::read_json(golden + "model/config.json");
  const auto opened = [&](const std::string& field, const graft::json& value) {
    auto changed = about;
    changed[field] = value;
    graft::write_file(folder / "config.json", changed.dump());
    return graft::open_start(folder.path(), roberta_config());
  };
  const auto named = opened("id2label", {{"1", "yes"}, {"0", "no"}});
  CHECK(named.description.kind == graft::tuning_kind::full);
  CHECK(named.description.labels == names{"no", "yes"});
  CHECK(named.tensors.tensors().size() == 41);
  CHECK(graft::open_tuned(folder / "model.safetensors", roberta_config()).description.labels == names{"no", "yes"});
  auto to = named.description;
  to.labels = {"yes", "no"};
  const auto start = graft::fit_start(named, to, roberta_config());
  CHECK(row(start.tensors, "classifier.out_proj.weight", 0) == row(named.tensors, "classifier.out_proj.weight", 1));
  CHECK_FALSE(opened("id2label", {{"0", "LABEL_0"}, {"1", "LABEL_1"}}).description.labels_said);

  const auto message = [&](const std::string& field, const graft::json& value) { return refusal([&] { opened(field, value); }); };
  CHECK(message("architectures", {"RobertaForSequenceClassification"}).empty());
  CHECK_THAT(message("architectures", {"RobertaForMultipleChoice"}), Contains("head is of RobertaForMultipleChoice"));
  CHECK(opened("problem_type", "multi_label_classification").description.sigmoid);
  CHECK(opened("problem_type", "regression").description.output == graft::task_kind::regression);
  CHECK_THAT(message("problem_type", "token_classification"), Contains("regression was expected"));
  CHECK_THAT(message("id2label", {{"0", "no"}}),
             Contains("config.json: \"id2label\" is {\"0\":\"no\"}, one label for each id from 0 to 1"));
  for (const graft::json& label :
       {graft::json(1.5), graft::json(true), graft::json(nullptr), graft::json::array({"a"}), graft::json::object()}) {
    CHECK_THAT(message("id2label", {{"0", "no"}, {"1", label}}),
               Contains("\"id2label\" has the label " + label.dump() + " for id 1, a text or a whole number was expected"));
    if (label.is_null()) continue;
    CHECK_THAT(message("label2id", {{"no", 0}, {"yes", label}}),
               Contains("\"label2id\" has the id " + label.dump() + " for \"yes\", a whole number from 0 to 1 was expected"));
  }
  CHECK_THAT(message("id2label", {{"0", "no"}, {"2", "yes"}}), Contains("\"id2label\" has the id \"2\", a whole number from 0 to 1"));
  CHECK_THAT(message("id2label", {{"0", "no"}, {"00", "yes"}}), Contains("\"id2label\" has two labels for id 0, one label for each"));
  CHECK_THAT(message("id2label", {{"0", "no"}, {"1", "no"}}), Contains("config.json: \"id2label\" has \"no\" twice"));
  CHECK_THAT(message("id2label", {"no", "yes"}), Contains("\"id2label\" is [\"no\",\"yes\"], an object with one label for each id"));
  CHECK(opened("id2label", {{"0", 3}, {"1", -1}}).description.labels == names{"3", "-1"});
  CHECK_THAT(message("layer_norm_eps", 1e-6), Contains("\"layer_norm_eps\" is 1e-06") && Contains("different encoders"));
}
