#pragma once
// One adapter, whichever file it came from: what it is, and its tensors under graft's names.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graft/encoder/config.hpp"
#include "graft/heads/head_names.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/layers/tensor_names.hpp"
#include "graft/model/description.hpp"

namespace graft {

/// An adapter, a low-rank update or whatever else was tuned. Without a head its description has no labels: it cannot answer alone.
struct adapter_file {
  model_description description;
  tensor_source tensors;
  tensor_source of_trunk{tensors.path()};  // what the file repeats of the encoder: to be the same there, see check_of_trunk
  std::vector<std::string> notes{};        // what the user should know of how it was read

  bool has_head() const;
};

/// Compares what A repeats of the encoder with it. SAME(name) says whether the encoder's tensor of that name holds the same values.
/// @throws format_error  one does not: A was trained with a part of the encoder that an adapter cannot hold
template <std::predicate<const std::string&> Same>
void check_of_trunk(const adapter_file& a, Same&& same) {
  for (const auto& [name, info] : a.of_trunk.tensors()) {
    if (same(name)) continue;
    throw format_error(a.of_trunk.path(),
                       "holds '" + name +
                           "' with other values than the encoder's: it belongs to another encoder, or was trained "
                           "with a part of it that graft's adapters do not hold",
                       remedy{"trunk"});
  }
}
void check_of_trunk(const adapter_file& a, const tensor_source& trunk);

/// Names of tensors with their shapes.
using tensor_shapes = std::map<std::string, std::vector<index>>;

namespace detail {

/// Calls F(site, location) for every site: "roberta.encoder.layer.0.attention.output", ...
template <class F>
void for_each_site(const encoder_config& config, F&& f) {
  for (index n = 0; n < config.num_hidden_layers; ++n) {
    const std::string layer = config.model_type + ".encoder.layer." + std::to_string(n);
    f(layer + ".attention.output", site_location{sub_layer::attention, n});
    f(layer + ".output", site_location{sub_layer::feed_forward, n});
  }
}

/// The adapter that O describes at the site WHERE, its tensors called PREFIX....; none where its kind does not stand.
tensor_shapes adapter_at(const std::string& prefix, index hidden_size, const adapter_options& o, site_location where);

/// The same for a fusion of FUSED, and its own.
tensor_shapes fusion_at(const std::string& prefix, index hidden_size, const std::vector<mixed_adapter>& fused, const fusion_options& o,
                        site_location where);

}  // namespace detail

/// Adapters of D in an encoder with CONFIG: as a rule down_project.weight (K, H), up_project.weight (H, K), biases.
tensor_shapes all_adapters(const encoder_config& config, const adapter_options& o);

/// The dense layers of the encoder and of a head over CLASSES, without ".weight", and the shapes of their weights: what can get a low-rank
/// update.
tensor_shapes dense_layers(const encoder_config& config, index classes);

/// Low-rank updates of D around an encoder and a head over CLASSES: lora_A.weight (r, inputs), lora_B.weight (outputs, r).
tensor_shapes lora_tensors(const encoder_config& config, const model_description& d, index classes);

/// Scales of D: ia3_l (outputs, 1), or (1, inputs) of those that scale their inputs.
tensor_shapes ia3_tensors(const encoder_config& config, const model_description& d, index classes);

/// What the member A of a mix has behind the embeddings, at the encoder's projections and in its attention.
tensor_shapes mixed_tensors(const encoder_config& config, const mixed_adapter& a);

/// Prefixes of O in every layer that it does not leave out.
tensor_shapes prefix_tensors(const encoder_config& config, const prefix_options& o);

/// Every LayerNorm of the encoder, the embeddings' too.
tensor_shapes layer_norm_tensors(const encoder_config& config);

/// The head over CLASSES of an encoder with CONFIG.
tensor_shapes head_tensors(const encoder_config& config, index classes, const head_options& o = {});

/// Takes the labels of a head with CLASSES rows, which came from PATH, to be called 0, 1, ...; one row is a regression.
/// @throws format_error  no row, or more than any head has
void number_labels(model_description& d, index classes, const std::string& path);

/// The rows of the head among the tensors of SOURCE, under graft's names; 0 without one.
index head_rows(const tensor_source& source, const encoder_config& config);

/// The tensors of STORED under graft's names. SHAPES has those, and THEIRS(one of them) is what the file calls it, the same if not given.
/// @throws format_error  a tensor is missing, has another shape or no floating-point numbers, or is none of these
template <class Theirs = std::identity>
tensor_source take_tensors(const tensor_source& stored, const tensor_shapes& shapes, Theirs&& theirs = {}) {
  tensor_shapes expected;
  std::map<std::string, std::string> ours;
  for (const auto& [name, shape] : shapes) {
    const std::string their_name = theirs(name);
    expected[their_name] = shape;
    ours[their_name] = name;
  }
  stored.expect(expected);
  for (const auto& [name, shape] : expected) stored.check_finite(name);
  tensor_source result(stored.path());
  result.add_all(stored, [&](const std::string& name) -> std::optional<std::string> {
    if (name.starts_with("__pad.")) return std::nullopt;
    const tensor_info& info = stored.at(name);
    const auto found = ours.find(name);
    if (found == ours.end()) {
      throw format_error(stored.path(), "holds tensor '" + name + "' of shape " + shape_text(info.shape) +
                                            ", which graft has no use for in such an adapter");
    }
    if (!is_floating_point(info.type))
      throw format_error(stored.path(), "tensor '" + name + "' holds " + std::string(dtype_name(info.type)));
    return found->second;
  });
  return result;
}

/// Calls F(name, shape) for every tensor of a mix as D describes it, its head's left out: adapter after adapter, so that an F that refuses
/// what is not there ends a long list that nothing stands behind.
/// @throws format_error  PATH, which D came from, promises sets of mixing weights that these layers cannot be cut into
template <class F>
void for_each_mix_tensor(const encoder_config& config, const model_description& d, const std::string& path, F&& f) {
  const index h = config.hidden_size, layers = config.num_hidden_layers;
  const index sets = d.num_weight_sets == -1 ? layers : d.num_weight_sets;
  if (sets < 1 || layers % sets != 0 || d.mix.count() < 1) {
    throw format_error(path, "says that it is a mix of " + std::to_string(d.mix.count()) + " with \"num_weight_sets\" " +
                                 std::to_string(d.num_weight_sets) + ", which an encoder of " + std::to_string(layers) +
                                 " layers cannot be");
  }
  if (d.mix.mode == mixing_mode::fusion) {
    detail::for_each_site(config, [&](const std::string& site, site_location where) {
      for (const auto& [tensor, shape] : detail::fusion_at(site + ".multi_adapter", h, d.mix.adapters, d.mix.fusion, where)) {
        f(tensor, shape);
      }
    });
    for (const mixed_adapter& a : d.mix.adapters) {
      for (const auto& [tensor, shape] : mixed_tensors(config, a)) f(tensor, shape);
    }
    return;
  }
  const auto branch = [&](const std::string& name, const adapter_options* o, const mixed_adapter* fusion = nullptr) {
    detail::for_each_site(config, [&](const std::string& site, site_location where) {
      const std::string member_prefix = site + tensor_names::member + name;
      if (o != nullptr) {
        for (const auto& [tensor, shape] : detail::adapter_at(member_prefix, h, *o, where)) f(tensor, shape);
      }
      if (fusion != nullptr) {
        for (const auto& [tensor, shape] : detail::fusion_at(member_prefix, h, fusion->fused, fusion->fusion, where)) f(tensor, shape);
      }
      if (config.site_norm_eps() == 0) return;
      for (const std::string part : {".weight", ".bias"}) f(site + tensor_names::member_norm + name + part, std::vector<index>{h});
    });
  };
  for (const mixed_adapter& a : d.mix.adapters) {
    branch(a.name, a.kind == tuning_kind::adapter ? &a.adapter : nullptr, a.kind == tuning_kind::fusion ? &a : nullptr);
    for (const auto& [tensor, shape] : mixed_tensors(config, a)) f(tensor, shape);
  }
  if (d.mix.include_base) branch("base", nullptr);
  const adapter_options flex{d.mix.flex_size};
  if (d.mix.include_flex) branch("flex", &flex);
  detail::for_each_site(config, [&](const std::string& site, site_location where) {
    if (where.behind == sub_layer::attention && where.layer % (layers / sets) == 0)
      f(site + tensor_names::weighted_sum + ".weights", std::vector<index>{d.mix.count()});
  });
}

namespace detail {

/// For how many classes the head is that an update D of HELD belongs to, be it in HELD or the encoder's own.
index updated_classes(const encoder_config& config, const model_description& d, const tensor_source& held);

}  // namespace detail

/// All that an adapter, or whatever else D describes, consists of; HELD is where it comes from.
/// @throws format_error  D is a mix that HELD lacks tensors of
tensor_shapes adapter_tensors(const encoder_config& config, const model_description& d, const tensor_source& held);

namespace detail {

/// TEXT with the first FROM in it replaced by TO.
std::string replace_first(std::string text, std::string_view from, std::string_view to);

/// The weights in FOLDER under the first of NAMES that is there.
tensor_source open_first(const std::string& folder, const std::vector<std::string>& names);

/// The folder that PATH lies in, made if need be.
void make_folder_of(const std::string& path);

}  // namespace detail

/// Writes A to PATH as graft saves an adapter; the folder is made if need be.
/// @throws format_error   as parse_description: what A says of itself could not be read back
/// @throws backend_error  as safetensors_writer::write
void write_adapter(const std::string& path, const adapter_file& a);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/exchange/adapter_file-inl.hpp"  // IWYU pragma: export
#endif
