#include "graft/exchange/adapterhub.hpp"

#include <set>

#include "exchange/material.hpp"
#include "graft/exchange/adapterhub_config.hpp"
#include "graft/exchange/peft.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/io/torch_file.hpp"

using namespace graft_test;
using Catch::Contains;
using graft::json;

namespace {

const std::string site = "roberta.encoder.layer.1.output.";

/// What opening the folder NAME says after FIELD of FILE's "config" was set to VALUE.
std::string with_field(const std::string& name, const std::string& file, const std::string& field, const json& value) {
  const copied_folder folder(name);
  folder.edit(file, [&](json& j) { j["config"][field] = value; });
  return folder.refusal();
}

graft::adapter_file round_trip(const graft::adapter_file& a, const graft::encoder_config& config, bool beside = false) {
  const temporary_folder folder;
  graft::write_adapterhub(folder / "out", a, config, "rte", beside);
  auto back = graft::read_adapterhub(folder / "out", config);
  CHECK(back.description.kind == graft::tuning_kind::adapter);
  CHECK(back.description.task_name == "rte");
  CHECK(back.description.adapter.size == a.description.adapter.size);
  CHECK(back.description.adapter.act == a.description.adapter.act);
  CHECK(back.description.adapter.kind == a.description.adapter.kind);
  CHECK(back.description.layer_norms_trained == a.description.layer_norms_trained);
  CHECK(back.description.output == a.description.output);
  CHECK(back.description.labels == a.description.labels);
  check_same(a.tensors, back.tensors);
  return back;
}

}  // namespace

TEST_CASE("double_seq_bn, a torch.save file, with its head") {
  const auto a = graft::read_adapterhub(exchange + "adapterhub_double", roberta_config());
  CHECK(a.description.kind == graft::tuning_kind::adapter);
  CHECK(a.description.task_name == "rte");
  CHECK(a.description.adapter.size == 4);
  CHECK(a.description.adapter.act == graft::activation::swish);
  CHECK(a.description.adapter.kind == "houlsby");
  CHECK_FALSE(a.description.layer_norms_trained);
  CHECK(a.description.labels == std::vector<std::string>{"entailment", "not_entailment"});
  CHECK(a.tensors.tensors().size() == 20);
  const graft::torch_file weights(exchange + "adapterhub_double/pytorch_adapter.bin");
  const graft::torch_file head(exchange + "adapterhub_double/pytorch_model_head.bin");
  CHECK(a.tensors.values<float>(site + "adapter.down_project.weight") ==
        weights.values<float>(site + "adapters.rte.adapter_down.0.weight"));
  CHECK(a.tensors.values<float>("roberta.encoder.layer.0.attention.output.adapter.up_project.bias") ==
        weights.values<float>("roberta.encoder.layer.0.attention.output.adapters.rte.adapter_up.bias"));
  CHECK(a.tensors.values<float>("classifier.dense.weight") == head.values<float>("heads.rte.1.weight"));
  CHECK(a.tensors.values<float>("classifier.out_proj.bias") == head.values<float>("heads.rte.4.bias"));
}

TEST_CASE("seq_bn, safetensors, with a reduction factor a layer") {
  const auto a = graft::read_adapterhub(exchange + "adapterhub_single", roberta_config());
  CHECK(a.description.adapter.size == 2);
  CHECK(a.description.adapter.act == graft::activation::relu);
  CHECK(a.description.adapter.kind == "pfeiffer");
  CHECK(a.has_head());
  CHECK(a.tensors.tensors().size() == 12);
  CHECK_FALSE(a.tensors.contains("roberta.encoder.layer.1.attention.output.adapter.up_project.bias"));
}

TEST_CASE("the first version's names, without a head") {
  const auto a = graft::read_adapterhub(exchange + "adapterhub_legacy", roberta_config());
  CHECK(a.description.task_name == "sst-2");
  CHECK(a.description.adapter.size == 1);
  CHECK(a.description.adapter.act == graft::activation::gelu);
  CHECK(a.description.adapter.kind == "houlsby");
  CHECK_FALSE(a.has_head());
  const graft::torch_file weights(exchange + "adapterhub_legacy/pytorch_adapter.bin");
  CHECK(a.tensors.values<float>(site + "adapter.down_project.weight") ==
        weights.values<float>(site + "layer_text_task_adapters.sst-2.adapter_down.0.weight"));
}

TEST_CASE("configurations by name, and weights without the model's prefix") {
  const copied_folder folder("adapterhub_legacy");  // of size 1: at least that is what 8 // 16 becomes
  folder.rewrite("pytorch_adapter.bin", [](std::string& name, auto&) { name.erase(0, 8); });
  for (const char* name : {"houlsby", "double_seq_bn"}) {
    folder.edit("adapter_config.json", [&](json& j) { j["config"] = name; });
    const auto a = graft::read_adapterhub(folder.path(), roberta_config());
    CHECK(a.description.adapter.kind == "houlsby");
    CHECK(a.description.adapter.act == graft::activation::swish);
  }
  folder.rewrite("pytorch_adapter.bin", [](std::string& name, auto&) {
    if (name.find("attention.output") != name.npos) name.clear();
  });
  for (const char* name : {"pfeiffer", "seq_bn"}) {
    folder.edit("adapter_config.json", [&](json& j) { j["config"] = name; });
    const auto a = graft::read_adapterhub(folder.path(), roberta_config());
    CHECK(a.description.adapter.kind == "pfeiffer");
    CHECK(a.description.adapter.act == graft::activation::relu);
  }
  folder.edit("adapter_config.json", [](json& j) { j["config"] = "pfeiffer+inv"; });
  CHECK_THAT(folder.refusal(), Contains("pfeiffer+inv") && Contains("seq_bn"));
}

TEST_CASE("what is written for AdapterHub comes back: both places, every activation, sizes that do not divide, heads of all kinds") {
  const auto config = roberta_config();
  for (const auto act : {graft::activation::gelu, graft::activation::relu, graft::activation::swish}) {
    auto d = houlsby();
    d.adapter.act = act;
    round_trip(made_adapter(config, d), config);
  }
  for (graft::index size = 1; size <= 9; ++size) round_trip(made_adapter(config, houlsby(size)), config);
  auto d = houlsby(2);
  d.adapter.kind = "pfeiffer";
  d.labels.clear();
  round_trip(made_adapter(config, d), config);
  d.adapter.leave_out = {1};
  round_trip(made_adapter(config, d), config);
  d.adapter.leave_out.clear();
  d.output = graft::task_kind::regression;
  round_trip(made_adapter(config, d), config);
}

TEST_CASE("the configuration of a head is what the library's class takes, and no more: it refuses others") {
  const auto fields = [](bool tokens) {
    const temporary_folder folder;
    auto d = houlsby();
    if (tokens) {
      d.output = graft::task_kind::token_classification;
      d.head = graft::token_head(roberta_config());
    }
    round_trip(made_adapter(roberta_config(), d), roberta_config());
    graft::write_adapterhub(folder / "out", made_adapter(roberta_config(), d), roberta_config(), "rte", false);
    std::set<std::string> names;
    const json about = graft::read_json(folder / "out/head_config.json");
    for (const auto& [name, value] : about["config"].items()) names.insert(name);
    return names;
  };
  std::set<std::string> names{"head_type", "num_labels", "layers", "activation_function", "label2id", "dropout_prob"};
  CHECK(fields(true) == names);
  names.insert({"use_pooler", "bias"});
  CHECK(fields(false) == names);
}

TEST_CASE("sizes survive the library's own rounding, whatever the width") {
  for (const graft::index hidden : {312, 768, 1024}) {
    for (graft::index size = 1; size <= hidden; size += 7) {
      const double factor = static_cast<double>(hidden) / (static_cast<double>(size) + 0.5);
      CHECK(graft::detail::reduced_size(hidden, factor) == size);
    }
  }
  CHECK(graft::detail::reduced_size(768, 16) == 48);
  CHECK(graft::detail::reduced_size(8, 16) == 1);
}

TEST_CASE("BERT: its pooler is the head's first layer, or stays the trunk's") {
  const auto config = bert_config();
  round_trip(made_adapter(config, houlsby()), config);
  const auto back = round_trip(made_adapter(config, houlsby(), "bert.pooler."), config);
  CHECK_FALSE(back.tensors.contains("bert.pooler.dense.weight"));
  CHECK(back.tensors.contains("classifier.weight"));
}

TEST_CASE("trained LayerNorms have no place: refused, or written beside and read again") {
  const temporary_folder folder;
  const auto config = roberta_config();
  auto d = houlsby();
  d.layer_norms_trained = true;
  const auto a = made_adapter(config, d);
  CHECK_THAT(refusal([&] { graft::write_adapterhub(folder / "out", a, config, "rte", false); }),
             Contains("LayerNorms were trained") && Contains("layer_norms.safetensors"));
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
  round_trip(a, config, true);
}

TEST_CASE("an adapter written over another leaves nothing of it") {
  const temporary_folder folder;
  const auto config = roberta_config();
  auto d = houlsby();
  d.layer_norms_trained = true;
  graft::write_adapterhub(folder.path(), made_adapter(config, d), config, "rte", true);
  d = houlsby();
  d.labels.clear();
  graft::write_adapterhub(folder.path(), made_adapter(config, d), config, "rte", false);
  const auto back = graft::read_adapterhub(folder.path(), config);
  CHECK_FALSE(back.has_head());
  CHECK_FALSE(back.description.layer_norms_trained);
}

TEST_CASE("AdapterHub's form takes low-rank updates of the projections that it knows, and refuses names that it cannot hold") {
  const temporary_folder folder;
  const auto config = roberta_config();
  const auto updates = [&](const graft::lora_options& o) {
    auto d = lora();
    d.lora = o;
    return refusal([&] { graft::write_adapterhub(folder / "o", made_adapter(config, d), config, "a", false); });
  };
  CHECK(updates({2, 3, {"query", "value", "intermediate.dense"}}).empty());
  CHECK(graft::read_adapterhub(folder / "o", config).description.lora.targets ==
        std::vector<std::string>{"attention.self.query", "attention.self.value", "intermediate.dense"});
  CHECK_THAT(updates({2, 3, {"attention.output.dense"}}), Contains("changes projections that are not query, key, value"));
  CHECK_THAT(updates({2, 3, {"query", "layer.0.attention.self.key"}}), Contains("changes other projections in one layer than in another"));
  CHECK_THAT(updates({.r = 2, .ranks = {{"roberta.encoder.layer.0.attention.self.query", 1}}}),
             Contains("ranks or scales of each projection"));
  CHECK_THAT(updates({.r = 2, .dora = true}), Contains("is DoRA in PEFT's form"));
  CHECK(updates({.r = 2, .targets = {"value"}, .dora = true, .dora_outputs = true}).empty());
  const auto dora = graft::read_adapterhub(folder / "o", config);
  CHECK(dora.description.lora.dora_outputs);
  CHECK(dora.tensors.at("roberta.encoder.layer.1.attention.self.value.lora_magnitude_vector").shape.size() == 1);
  CHECK(graft::parse_description(graft::to_metadata(dora.description), "d").lora.dora_outputs);
  CHECK_THAT(refusal([&] { graft::write_peft(folder / "p", dora, config); }), Contains("which PEFT does not"));
  CHECK(updates({.r = 2, .alpha = 2, .targets = {"query"}, .gates = true}).empty());
  const auto gated = graft::read_adapterhub(folder / "o", config);
  CHECK(gated.description.lora.gates);
  CHECK(gated.tensors.contains("roberta.encoder.layer.1.attention.self.query.lora_gate.bias"));
  CHECK(graft::parse_description(graft::to_metadata(gated.description), "d").lora.gates);
  CHECK_THAT(refusal([&] { graft::write_peft(folder / "p", gated, config); }), Contains("has gates, which PEFT does not have"));
  for (const char* name : {"", "a.b", "a/b", "a b"}) {
    CHECK_THAT(refusal([&] { graft::write_adapterhub(folder / "o", made_adapter(config, houlsby()), config, name, false); }),
               Contains("adapter_name is \"" + std::string(name) + "\""));
  }
}

TEST_CASE("AdapterHub: what a configuration says in another way is the same kind, and every other setting a general one") {
  const auto read = [](const json& fields, const char* act = "swish", bool has_version = true) {
    json given{{"mh_adapter", true}, {"output_adapter", true}, {"non_linearity", act}, {"reduction_factor", 2}};
    given.update(fields);
    json about{{"config", given}, {"name", "one"}};
    if (has_version) about["version"] = "1.3.0";
    return graft::detail::describe_adapterhub(about, roberta_config(), "c").adapter;
  };
  CHECK(read(json::object()).kind == "houlsby");
  CHECK(read({{"scaling", 4.0}}) == graft::adapter_options{4, graft::activation::swish, "houlsby", 4});
  CHECK(read({{"mh_adapter", false}, {"original_ln_before", true}}).kind == "pfeiffer");
  CHECK(read({{"mh_adapter", false}, {"is_parallel", true}, {"original_ln_before", true}, {"residual_before_ln", false}}).kind ==
        "parallel");
  CHECK(read({{"residual_before_ln", false}}).kind == "houlsby");                           // h either way
  CHECK(read({{"adapter_residual_before_ln", true}, {"dropout", 0.5}}).kind == "houlsby");  // only counts with ln_after
  CHECK(read({{"mh_adapter", false}}).settings == R"({"mh_adapter":false})");
  CHECK(read({{"leave_out", {0}}}) == graft::adapter_options{4, graft::activation::swish, "houlsby", 1, "", {0}});
  CHECK(read({{"leave_out", {0}}, {"ln_before", true}}).settings == R"({"ln_before":true,"sizes":[0,4]})");
  CHECK(read({{"reduction_factor", {{"0", 8}, {"default", 2}}}}).settings == R"({"sizes":[1,4]})");
  CHECK(read({{"inv_adapter", "nice"}, {"inv_adapter_reduction_factor", 1}}).settings ==
        R"({"inv_adapter":"nice","inv_adapter_reduction_factor":1.0})");
  CHECK(read({{"scaling", "channel"}, {"ln_before", true}}).settings == R"({"ln_before":true,"scaling":"channel"})");
  CHECK(read(json::object(), "gelu").act == graft::activation::gelu);
  CHECK(read(json::object(), "gelu", false).act == graft::activation::gelu_new);
  CHECK(read(json::object(), "gelu_orig", false).act == graft::activation::gelu);
  CHECK(read(json::object(), "LeakyReLU").act == graft::activation::leaky_relu);
}

TEST_CASE("AdapterHub: fields that graft does not compute are refused by name") {
  const auto message = [](const std::string& field, const json& value, const std::string& name = "adapterhub_double") {
    return with_field(name, "adapter_config.json", field, value);
  };
  CHECK_THAT(message("of_tomorrow", true), Contains("adapter_config.json: \"of_tomorrow\" is true"));
  CHECK_THAT(message("phm_layer", true), Contains("is a Compacter"));
  CHECK_THAT(message("ln_before", 1), Contains("\"ln_before\" is 1, true or false was expected"));
  CHECK_THAT(message("residual_before_ln", "post_add"), Contains("\"residual_before_ln\" is \"post_add\", which only"));
  CHECK_THAT(message("scaling", "wide"), Contains("\"scaling\" is \"wide\", \"learned\" or \"channel\" was expected"));
  for (const json& wrong : {json(3), json(true), json("x"), json::object()})
    CHECK_THAT(message("leave_out", wrong), Contains("\"leave_out\" is"));
  for (const json& wrong : {json(true), json::object(), json::array()}) CHECK_THAT(message("scaling", wrong), Contains("\"scaling\" is"));
  CHECK_THAT(message("leave_out", {0, 1}), Contains("\"leave_out\" is [0,1]: there is no adapter in any layer"));
  CHECK_THAT(message("output_adapter", false, "adapterhub_single"), Contains("there is no adapter"));
  for (const char* in_training : {"dropout", "stochastic_depth", "init_weights_seed"}) CHECK(message(in_training, 0.1).empty());
  CHECK_THAT(message("inv_adapter", "glow"), Contains("\"inv_adapter\" is \"glow\", which graft does not compute"));
  CHECK_THAT(message("invertible_adapter", {{"block_type", "nice"}}), Contains("\"invertible_adapter\""));
  CHECK_THAT(message("architecture", "reft"), Contains("\"architecture\" is \"reft\": ReFT is not computed"));
  CHECK_THAT(message("non_linearity", "prelu"), Contains("\"non_linearity\" is \"prelu\""));
  CHECK_THAT(message("reduction_factor", {{"0", 2}}), Contains("for layer 1"));
  for (const double factor : {1e-300, 1e-4, 6 / 65'537.0}) {
    CHECK_THAT(message("reduction_factor", factor), Contains("is the adapter's size, 1 to 65536 was expected"));
  }
  for (const graft::json& factor : {graft::json("16"), graft::json(), graft::json(-2), graft::json(1e10)}) {
    CHECK_THAT(message("reduction_factor", factor), Contains("a positive number for layer 0 was expected"));
  }
  CHECK_THAT(message("reduction_factor", 0), Contains("\"reduction_factor\" is 0"));
  CHECK(message("init_weights", "mam_adapter").empty());
  CHECK(message("non_linearity", "silu").empty());
}

TEST_CASE("LayerNorms beside an adapter belong to it alone, of two weights files one counts, and that is said") {
  const temporary_folder folder;
  auto d = houlsby();
  d.layer_norms_trained = true;
  graft::write_adapterhub(folder / "a", made_adapter(roberta_config(), d), roberta_config(), "rte", true);
  CHECK(graft::read_adapterhub(folder / "a", roberta_config()).notes.empty());
  const auto at = [&](const std::string& name) { return folder / ("a/" + name); };
  {
    const graft::torch_file own(at("pytorch_adapter.bin"));
    graft::safetensors_writer again;
    std::vector<float> other(32, 0.5F);
    for (const auto& [name, info] : own.tensors()) {
      const auto count = static_cast<std::size_t>(info.count());
      again.add(name, info.shape, std::span<const float>(other).first(count));
    }
    again.write(at("adapter.safetensors"));
  }
  const auto both = graft::read_adapterhub(folder / "a", roberta_config());
  REQUIRE(both.notes.size() == 1);
  CHECK_THAT(both.notes[0], Contains("/a: holds pytorch_adapter.bin and adapter.safetensors: pytorch_adapter.bin counts"));
  std::filesystem::remove(at("pytorch_adapter.bin"));
  CHECK_THAT(refusal([&] { graft::read_adapterhub(folder / "a", roberta_config()); }),
             Contains("/a/layer_norms.safetensors: belongs to another adapter than the one in") && Contains("/a/adapter.safetensors"));
  const graft::tensor_source norms = graft::safetensors_file(at("layer_norms.safetensors"));
  graft::safetensors_writer unsaid;  // as it was written before
  for (const auto& [name, info] : norms.tensors()) unsaid.copy(name, info);
  unsaid.write(at("layer_norms.safetensors"));
  CHECK(graft::read_adapterhub(folder / "a", roberta_config()).description.layer_norms_trained);
}

TEST_CASE("an adapter for another model is refused") {
  const copied_folder folder("adapterhub_double");
  folder.edit("adapter_config.json", [](json& j) { j["hidden_size"] = 768; });
  CHECK_THAT(folder.refusal(), Contains("\"hidden_size\" is 768, the model's is 8"));
  folder.edit("adapter_config.json", [](json& j) { j["model_type"] = "bert"; });
  CHECK_THAT(folder.refusal(), Contains("is for a bert model"));
  folder.edit("adapter_config.json", [](json& j) { j["model_type"] = "gpt2"; });
  CHECK_THAT(folder.refusal(), Contains("\"model_type\" is \"gpt2\""));
}

TEST_CASE("heads that graft does not compute are refused by name") {
  const auto message = [](const std::string& field, const json& value) {
    return with_field("adapterhub_double", "head_config.json", field, value);
  };
  CHECK_THAT(message("head_type", "question_answering"), Contains("head_config.json: \"head_type\" is \"question_answering\""));
  CHECK_THAT(message("activation_function", "prelu"), Contains("\"activation_function\" is \"prelu\""));
  CHECK_THAT(message("layers", 0), Contains("\"layers\" is 0, a whole number from 1 to 100 was expected"));
  CHECK_THAT(message("layers", 1), Contains("'heads.rte.1.bias' has shape (8), (2) was expected"));
  CHECK_THAT(message("layers", 3), Contains("'heads.rte.4.bias' has shape (2), (8) was expected"));
  CHECK_THAT(message("use_pooler", true), Contains("\"use_pooler\" is true, and a roberta has no pooler here"));
  CHECK_THAT(message("bias", false), Contains("holds tensor 'heads.rte.4.bias'"));
  CHECK(message("activation_function", "relu").empty());
  CHECK(message("dropout_prob", 0.5).empty());
  CHECK_THAT(message("multilabel", true), Contains("\"multilabel\" is true"));
  CHECK_THAT(message("num_labels", 0), Contains("a head for 0 labels"));
  CHECK_THAT(message("num_labels", 3), Contains("label2id") && Contains("from 0 to 2"));
  CHECK_THAT(message("label2id", {{"a", 0}, {"b", 0}}), Contains("label2id"));
  CHECK_THAT(message("label2id", {{"a", 0}, {"b", 7}}), Contains("label2id"));
  CHECK(message("label2id", nullptr).empty());
  CHECK(message("id2label", {{"0", "a"}, {"1", "b"}}).empty());  // by which alone transformers answers
}

TEST_CASE("the head of RobertaForSequenceClassification, under its own names") {
  const copied_folder folder("adapterhub_double");
  folder.edit("head_config.json", [](json& j) {
    j["config"] = nullptr;
    j["model_class"] = "RobertaForSequenceClassification";
    j["name"] = nullptr;
    j["num_labels"] = 2;
    j["label2id"] = {{"bad", 0}, {"good", 1}};
  });
  folder.rewrite("pytorch_model_head.bin", [](std::string& name, auto&) {
    name = graft::detail::replace_first(graft::detail::replace_first(name, "heads.rte.1", "classifier.dense"), "heads.rte.4",
                                        "classifier.out_proj");
  });
  const auto a = graft::read_adapterhub(folder.path(), roberta_config());
  CHECK(a.description.labels == std::vector<std::string>{"bad", "good"});
  CHECK(a.tensors.values<float>("classifier.out_proj.bias") ==
        graft::read_adapterhub(exchange + "adapterhub_double", roberta_config()).tensors.values<float>("classifier.out_proj.bias"));
  folder.edit("head_config.json", [](json& j) { j["model_class"] = "RobertaForMaskedLM"; });
  CHECK_THAT(folder.refusal(), Contains("RobertaForMaskedLM"));
}

TEST_CASE("AdapterHub: tensors that are missing, of another shape, or unknown are refused with their names and shapes") {
  const std::string up = site + "adapters.rte.adapter_up.weight";
  const auto message = [](const std::string& file, const std::function<void(std::string&, std::vector<graft::index>&)>& change) {
    const copied_folder folder("adapterhub_double");
    folder.rewrite(file, change);
    return folder.refusal();
  };
  const std::string adapter = "pytorch_adapter.bin", head = "pytorch_model_head.bin";
  CHECK(message(adapter, [](auto&, auto&) {}).empty());
  CHECK_THAT(message(adapter, [&](std::string& name, auto&) { name = name == up ? "" : name; }),
             Contains("no tensor '" + up + "'") && Contains("(8, 4)"));
  CHECK_THAT(message(adapter,
                     [&](std::string& name, auto& shape) {
                       shape = name == up ? std::vector<graft::index>{4, 8} : shape;
                     }),
             Contains("'" + up + "' has shape (4, 8), (8, 4) was expected"));
  CHECK_THAT(message(head,
                     [&](std::string& name, auto& shape) {
                       shape = name == "heads.rte.4.weight" ? std::vector<graft::index>{8, 2} : shape;
                     }),
             Contains("'heads.rte.4.weight' has shape (8, 2), (2, 8) was expected"));
  CHECK_THAT(message(head, [](std::string& name, auto&) { name = name == "heads.rte.4.bias" ? "heads.rte.5.bias" : name; }),
             Contains("heads.rte.4.bias"));
  const copied_folder more("adapterhub_double");
  more.edit("adapter_config.json", [](json& j) {
    j["config"]["mh_adapter"] = false;
    j["config"]["original_ln_before"] = true;
  });
  CHECK_THAT(more.refusal(), Contains("holds tensor 'roberta.encoder.layer.0.attention.output.adapters.rte.") && Contains("of shape"));
  std::filesystem::remove(more / "pytorch_adapter.bin");
  CHECK_THAT(more.refusal(), Contains("none of pytorch_adapter.bin, adapter.safetensors"));
}
