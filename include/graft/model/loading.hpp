#pragma once
// Tensors from files into a model's parameters, by name.

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/tensor_source.hpp"
#include "graft/layers/tensor_names.hpp"
#include "graft/model/model.hpp"

namespace graft {

namespace detail {
inline constexpr auto nothing = [](auto&) {};  // is done with a parameter that was read
}  // namespace detail

/// Reads P, the tensor NAME of SOURCE, and calls THEN(P) while its numbers are in cache.
/// @throws format_error  as load_parameters
template <class T, class Then = decltype(detail::nothing)>
void load_one(parameter<T>& p, const std::string& name, const tensor_source& source, const Then& then = detail::nothing) {
  source.expect({{name, p.shape()}});
  constexpr index large = 1 << 16;
  const auto in_file = p.size() >= large && !p.is_trained() ? source.in_file<T>(name) : std::nullopt;
  if (in_file) {
    source.check_finite(name);
    p.read_in_place(*in_file);
    then(p);
    p.release_pages();
  } else {
    source.read(name, std::span(p.edit().data(), static_cast<std::size_t>(p.size())));
    source.release_pages(name);
    then(p);
  }
}

/// Reads every parameter p of MODEL for which RENAME(p.name), a std::optional<std::string>, gives the tensor's name in SOURCE.
/// Returns how many were read. Large tensors that lie in the file as they are needed are not copied: a frozen parameter sees the mapped
/// file, which must not be changed in place while the model lives (graft replaces files, it never changes them). THEN(p) is called for
/// each as it is read, while its numbers are in cache.
/// @throws format_error  a tensor is missing, or has another shape than the parameter
template <class M, class Rename, class Then = decltype(detail::nothing)>
index load_parameters(M& model, const tensor_source& source, Rename&& rename, const Then& then = detail::nothing) {
  index count = 0;
  model.for_each_parameter([&](auto& p) {
    const std::optional<std::string> name = rename(p.name);
    if (!name) return;
    load_one(p, *name, source, then);
    ++count;
  });
  return count;
}

/// The name under which a trunk's file has the parameter NAME of a model of MODEL_TYPE; nothing for what is added to a trunk: adapters,
/// low-rank updates, mixing weights and fresh heads. In a multi-adapter the pretrained LayerNorms are those of `base`; without base in the
/// mix they are not used. BERT's pooler belongs to the trunk.
std::optional<std::string> trunk_name(const std::string& name, const std::string& model_type);

/// Everything of MODEL that has a trunk_name, but for the pooler where SOURCE brings none, and the tensors that are KNOWN; THEN as
/// load_parameters calls it.
template <class M, class Then = decltype(detail::nothing)>
void load_trunk(M& model, const tensor_source& source, const std::set<std::string>& known = {}, const Then& then = detail::nothing) {
  const bool pooler = brings_pooler(source);
  const auto rename = [&](const std::string& name) -> std::optional<std::string> {
    if (!pooler && is_pooler(name)) return std::nullopt;
    const auto of_trunk = trunk_name(name, model.config.model_type);
    return of_trunk && known.contains(*of_trunk) ? std::nullopt : of_trunk;
  };
  load_parameters(model, source, rename, then);
}

/// The adapter called NAME in the mix from ADAPTER, a single adapter's tensors, and its LayerNorms from NORMS: the same tensors, or the
/// trunk's where the adapter was trained with those. Its embeddings' LayerNorm and head are not used.
template <class P>
void load_mixed_adapter(multi_adapter_classifier<P>& model, const std::string& name, const tensor_source& adapter,
                        const tensor_source& norms) {
  // The parameters of PART called ...IN_MIX..., from SOURCE, which calls them ...ALONE....
  const auto load = [](auto& part, const tensor_source& source, const std::string& in_mix, const char* alone) {
    load_parameters(part, source, [&](const std::string& parameter) -> std::optional<std::string> {
      const auto at = parameter.find(in_mix);
      if (at == std::string::npos) return std::nullopt;
      return parameter.substr(0, at) + alone + parameter.substr(at + in_mix.size());
    });
  };
  const std::string member_prefix = tensor_names::member + name + ".", norm_prefix = tensor_names::member_norm + name + ".";
  if (model.trunk.invertible) load(*model.trunk.invertible, adapter, member_prefix, ".adapter.");
  for (auto& l : model.trunk.layers) {
    load(l.attention, adapter, member_prefix, ".");
    load(l.feed, adapter, member_prefix, ".");
    for (auto* site : {&l.attention_site, &l.feed_site}) {
      load(*site, adapter, member_prefix, ".adapter.");
      load(*site, norms, norm_prefix, ".LayerNorm.");
    }
  }
}

/// Every parameter that SOURCE has a tensor of the same name for. Returns how many.
/// @throws format_error  not a single one, or one has another shape
template <class M>
index load_by_name(M& model, const tensor_source& source) {
  const index count = load_parameters(model, source, [&](const std::string& name) -> std::optional<std::string> {
    if (source.contains(name)) return name;
    return std::nullopt;
  });
  if (count == 0) throw format_error(source.path(), "holds no tensor with a name that this model knows");
  return count;
}

/// The head of MODEL takes over from HEAD, the tensors of another's under the same names: the dense layers that HEAD has, and as its
/// row i of the last the row ROWS[i], if there is one. Returns how many parameters that changed.
/// @throws format_error  a tensor is missing, or of another shape
template <class M>
index start_head(M& model, const tensor_source& head, const std::vector<std::optional<std::size_t>>& rows) {
  using real = typename M::real;
  const auto& out_name = model.head.out_proj.weight.name;
  std::set<std::string> dense;
  for (const auto& layer : model.head.dense) dense.insert({layer.weight.name, layer.bias.name});
  index count = load_parameters(model, head, [&](const std::string& name) {
    return dense.contains(name) && head.contains(name) ? std::optional(name) : std::nullopt;
  });
  const index there = head.at(out_name).shape.empty() ? 0 : head.at(out_name).shape[0];
  for (auto* p : {&model.head.out_proj.weight, &model.head.out_proj.bias}) {
    std::vector<index> shape = p->shape();
    shape[0] = there;
    head.expect({{p->name, shape}});
    const std::vector<real> values = head.template values<real>(p->name);
    const auto width = static_cast<std::size_t>(p->size()) / rows.size();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i]) std::copy_n(values.data() + *rows[i] * width, width, p->edit().data() + i * width);
    }
    ++count;
  }
  return count;
}

/// What a model took from the tensors that it starts from.
struct taken_start {
  index trained = 0;                    // of the parameters that are trained
  std::vector<std::string> fresh;       // those parameters that are trained and were not there
  std::vector<std::string> of_the_mix;  // mixed adapters' that are not trained and held other values before
};

namespace detail {

/// Whether the tensor NAME of SOURCE holds the values of P, rounded to the tensor's type where that is a narrower one.
template <class real>
bool holds_values(const tensor_source& source, const std::string& name, const parameter<real>& p) {
  const auto count = static_cast<std::size_t>(p.size());
  if (const dtype type = source.at(name).type; dtype_size(type) < sizeof(real)) {
    return source.values<real>(name) == rounded_to(type, std::span(p.value().data(), count));
  }
  const auto in_file = source.in_file<real>(name);
  if (in_file) source.check_finite(name);
  const std::vector<real> copy = in_file ? std::vector<real>() : source.values<real>(name);
  const real* stored = in_file ? in_file->data : copy.data();
  return std::equal(stored, stored + count, p.value().data());
}

}  // namespace detail

/// Starts MODEL, which holds its trunk and in which is set what will be trained, from SOURCE: every tensor goes to the parameter of its
/// name. Those of the trunk that are not trained must be as they are: the model would be saved without them. NOTES say what was left out.
/// @throws format_error  not a single one is taken, one has no place in MODEL or another shape, or one that is not trained differs
template <class M>
taken_start start_from(M& model, const tensor_source& source, const std::vector<std::string>& notes = {}) {
  using parameter_type = parameter<typename M::real>;
  const std::string& type = model.config.model_type;
  std::map<std::string, const parameter_type*> by_name, of_trunk;
  model.for_each_parameter([&](auto& p) {
    by_name[p.name] = &p;
    if (const auto name = trunk_name(p.name, type)) of_trunk[*name] = &p;
  });
  const auto trunk = trunk_tensors(model.config);
  taken_start taken;
  std::set<std::string> wanted;
  std::vector<std::string> unknown;
  for (const auto& [name, info] : source.tensors()) {
    if (name.starts_with("__")) continue;  // filling, and packed weights
    const auto mine = by_name.find(name);
    const auto base = of_trunk.find(name);  // of a mix: its LayerNorms have names of their own there
    if (mine == by_name.end() && base == of_trunk.end()) {
      if (!trunk.contains(name)) unknown.push_back(name);
      continue;
    }
    const parameter_type& p = mine != by_name.end() ? *mine->second : *base->second;
    source.expect({{name, p.shape()}});
    if (p.is_trained() && mine != by_name.end()) {
      wanted.insert(name);
    } else if (!detail::holds_values(source, name, p)) {
      if (name.find(".multi_adapter.") == name.npos) {
        throw format_error(source.path(), "tensor '" + name + "' differs from the encoder's, and this run does not train it",
                           remedy{"kind", "full"});
      }
      taken.of_the_mix.push_back(name);
      wanted.insert(name);
    }
  }
  if (!unknown.empty()) {
    throw format_error(source.path(), "has " + std::to_string(unknown.size()) + " of " + std::to_string(source.tensors().size()) +
                                          " tensors that have no place in what this run trains, the first of them '" + unknown[0] + "'");
  }
  load_parameters(model, source, [&](const std::string& name) { return wanted.contains(name) ? std::optional(name) : std::nullopt; });
  model.for_each_parameter([&](auto& p) {
    if (!p.is_trained()) return;
    wanted.contains(p.name) ? void(++taken.trained) : taken.fresh.push_back(p.name);
  });
  if (taken.trained == 0 && taken.of_the_mix.empty()) {
    std::string why;
    for (const std::string& note : notes) why += (why.empty() ? ": " : "; ") + note;
    throw format_error(source.path(), "holds no tensor that this run trains" + why);
  }
  return taken;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/model/loading-inl.hpp"  // IWYU pragma: export
#endif
