#pragma once
// Bodies of graft/exchange/adapterhub_setup.hpp.

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/file.hpp"
#include "graft/core/json.hpp"
#include "graft/core/text_list.hpp"
#include "graft/encoder/families/families.hpp"
#include "graft/exchange/adapterhub.hpp"
#include "graft/exchange/adapterhub_config.hpp"
#include "graft/exchange/adapterhub_setup.hpp"
#include "graft/exchange/config_fields.hpp"
#include "graft/io/hf_names.hpp"
#include "graft/io/torch_writer.hpp"

namespace graft::detail {

/// The names in SETUP, the member "adapter_setup" of PATH.
GRAFT_INLINE std::vector<std::string> fused_names(const json& setup, const std::string& path) {
  const auto type = required<std::string>(setup, "type", path);
  const auto refuse = [&](const std::string& what) {
    throw format_error(
        path, "puts adapters together as " + what + ", which graft does not compute; a fusion (Fuse) of single adapters was expected");
  };
  if (type != "Fuse") refuse(type == "Stack" ? "a stack" : "\"" + type + "\"");
  std::vector<std::string> names;
  for (const json& child : required<std::vector<json>>(setup, "children", path)) {
    if (const auto inner = required<std::string>(child, "type", path); inner != "single") refuse("a fusion of \"" + inner + "\"");
    const auto single = required<std::vector<std::string>>(child, "children", path);
    names.push_back(single.empty() ? "" : single[0]);
    const bool taken = names.back() == "base" || names.back() == "flex" || names.back() == "none";
    if (taken || names.back().empty() || names.back().find_first_of("./\t") != std::string::npos) {
      throw format_error(path,
                         "\"" + names.back() + "\" cannot be an adapter's name: base, flex and none are taken, . and / separate names");
    }
  }
  return names;
}

GRAFT_INLINE fusion_options adapterhub_fusion(const json& given, const std::string& path) {
  check_fields(given, {{"temperature", false}},
               {"query", "key", "value", "query_before_ln", "residual_before", "value_before_softmax", "value_initialized",
                "regularization", "dropout_prob", "architecture"},
               path);
  const auto flag = [&](const char* field) { return required<bool>(given, field, path); };
  return {flag("query"), flag("key"), flag("value"), optional<bool>(given, "query_before_ln", path, false), flag("residual_before")};
}

/// The library's name of graft's tensor NAME of the fusion called FUSION.
GRAFT_INLINE std::string adapterhub_fusion_name(const std::string& name, const std::string& fusion) {
  return replace_first(name, ".multi_adapter.fusion.", ".adapter_fusion_layer." + fusion + ".");
}

/// Whether NAME is of the fusion itself.
GRAFT_INLINE bool is_of_fusion(const std::string& name) { return name.find(".multi_adapter.fusion.") != name.npos; }

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE bool is_adapterhub_setup(const std::string& folder) {
  return is_folder(folder) && is_there(std::filesystem::path(folder) / "adapter_setup.json");
}

GRAFT_INLINE adapter_file read_adapterhub_setup(const std::string& folder, const encoder_config& config) {
  const std::filesystem::path top(folder);
  const std::string path = (top / "adapter_setup.json").string();
  const json about = read_json(path);
  const auto setup = required<json>(about, "adapter_setup", path);
  adapter_file a{{}, tensor_source(folder)};
  model_description& d = a.description;
  d.kind = tuning_kind::multi_adapter;
  d.mix.mode = mixing_mode::fusion;
  d.mix.include_base = false;
  std::string fusion;
  for (const std::string& name : detail::fused_names(setup, path)) {
    const adapter_file one = read_adapterhub((top / name).string(), config);
    if (one.description.kind != tuning_kind::adapter || one.description.layer_norms_trained) {
      throw format_error((top / name).string(), std::string("is ") +
                                                    (one.description.kind == tuning_kind::adapter ? "an adapter with trained LayerNorms"
                                                                                                  : "no bottleneck adapter") +
                                                    ", which a fusion cannot hold");
    }
    d.mix.adapters.push_back({name, one.description.adapter});
    a.notes.insert(a.notes.end(), one.notes.begin(), one.notes.end());
    a.tensors.add_all(one.tensors, [&](const std::string& tensor) -> std::optional<std::string> {
      if (tensor.find(".adapter.") == tensor.npos) return std::nullopt;  // its own head
      return detail::replace_first(tensor, ".adapter.", tensor_names::member + name + ".");
    });
    add_to_list(fusion, name, ",");
  }
  if (const json more = setup.value("kwargs", json()); more.is_object()) fusion = optional<std::string>(more, "name", path, fusion);
  if (fusion.find_first_of("./") != fusion.npos)
    throw format_error(path, "\"" + fusion + "\" cannot be a fusion's name: . and / separate names");

  const std::string of_fusion = (top / fusion / "adapter_fusion_config.json").string();
  const json fusion_about = read_json(of_fusion);
  detail::check_model(fusion_about, config, of_fusion);
  json given = required<json>(fusion_about, "config", of_fusion);
  d.mix.fusion = detail::adapterhub_fusion(given, of_fusion);
  try {
    check_fusion(d.mix);
  } catch (const config_error& failure) {
    throw format_error(path, failure.what());
  }
  const tensor_source file =
      detail::open_first((top / fusion).string(), {"pytorch_model_adapter_fusion.bin", "model_adapter_fusion.safetensors"});
  tensor_source stored(file.path());
  stored.add_all(file, [&](const std::string& name) -> std::optional<std::string> {  // the library also writes those whose names begin so
    if (name.find(".adapter_fusion_layer." + fusion + ".") == name.npos) return std::nullopt;
    return canonical_name(name, config.model_type);
  });
  tensor_shapes shapes;
  for_each_mix_tensor(config, d, folder, [&](const std::string& name, const std::vector<index>& shape) {
    if (detail::is_of_fusion(name)) shapes[name] = shape;
  });
  a.tensors.add_all(take_tensors(stored, shapes, [&](const std::string& name) { return detail::adapterhub_fusion_name(name, fusion); }));

  if (const json head = about.value("head_setup", json()); !head.is_null()) {
    const bool one = head.is_string() && head.get<std::string>().find('/') == std::string::npos &&
                     is_there(top / head.get<std::string>() / "head_config.json");
    if (!one) throw format_error(path, "\"head_setup\" is " + shown(head) + ", the name of one head whose folder is there was expected");
    d.task_name = head.get<std::string>();
    detail::read_adapterhub_head((top / d.task_name).string(), config, d, a.tensors);
  }
  return a;
}

GRAFT_INLINE void write_adapterhub_setup(const std::string& folder, const adapter_file& a, const encoder_config& config) {
  const model_description& d = a.description;
  if (d.kind != tuning_kind::multi_adapter || d.mix.mode != mixing_mode::fusion) {
    throw config_error(a.tensors.path() + ": is a mix whose weights are the same for all tokens, for which AdapterHub has no form");
  }
  const std::filesystem::path top(folder);
  std::string fusion;
  ordered_json children = ordered_json::array();
  for (const mixed_adapter& one : d.mix.adapters) {
    const std::string member_prefix = tensor_names::member + one.name + ".";
    const bool last = &one == &d.mix.adapters.back();
    adapter_file alone{d, tensor_source(a.tensors.path())};
    alone.description.kind = tuning_kind::adapter;
    alone.description.adapter = one.adapter;
    alone.description.layer_norms_trained = false;
    if (!last) {
      alone.description.labels.clear();
      alone.description.output = task_kind::classification;
    }
    alone.tensors.add_all(a.tensors, [&](const std::string& name) -> std::optional<std::string> {
      if (name.find(member_prefix) != name.npos) return detail::replace_first(name, member_prefix, ".adapter.");
      return last && name.find(".multi_adapter.") == name.npos ? std::optional(name) : std::nullopt;  // the head
    });
    write_adapterhub((top / one.name).string(), alone, config, one.name, false);
    add_to_list(fusion, one.name, ",");
    children.push_back({{"type", "single"}, {"children", {one.name}}});
  }
  torch_writer matrices;
  for (const auto& [name, info] : a.tensors.tensors()) {
    if (!detail::is_of_fusion(name)) continue;
    matrices.add(name_in_files(family_of(config.model_type), detail::adapterhub_fusion_name(name, fusion)), info.shape, info.type,
                 info.bytes);
  }
  const fusion_options& f = d.mix.fusion;
  std::vector<std::string> names;
  for (const mixed_adapter& one : d.mix.adapters) names.push_back(one.name);
  const ordered_json about{{"adapter_names", names},
                           {"config",
                            {{"dropout_prob", nullptr},
                             {"key", f.key},
                             {"query", f.query},
                             {"query_before_ln", f.query_before_ln},
                             {"regularization", f.value},
                             {"residual_before", f.residual_before},
                             {"temperature", false},
                             {"value", f.value},
                             {"value_before_softmax", true},
                             {"value_initialized", f.value}}},
                           {"hidden_size", config.hidden_size},
                           {"model_class", model_class(config.model_type, config.named_type) + "AdapterModel"},
                           {"model_name", nullptr},
                           {"model_type", config.named_type.empty() ? config.model_type : config.named_type},
                           {"name", fusion},
                           {"version", "adapters.1.2.0"}};
  staged_files files((top / fusion).string());
  matrices.write(files.staged_path("pytorch_model_adapter_fusion.bin"));
  write_file(files.staged_path("adapter_fusion_config.json"), about.dump(2) + "\n");
  files.commit({"model_adapter_fusion.safetensors"});
  const ordered_json setup{{"adapter_setup", {{"type", "Fuse"}, {"children", children}}},
                           {"head_setup", a.has_head() ? json(d.mix.adapters.back().name) : json()},
                           {"version", "adapters.1.2.0"}};
  write_file((top / "adapter_setup.json").string(), setup.dump(2) + "\n");
}

}  // namespace graft
