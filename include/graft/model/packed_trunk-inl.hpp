#pragma once
// Bodies of graft/model/packed_trunk.hpp.

#include <memory>
#include <span>
#include <type_traits>

#include "graft/core/byte_sum.hpp"
#include "graft/core/compiled.hpp"
#include "graft/core/json.hpp"
#include "graft/encoder/trunk_tensors.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/choose_precision.hpp"
#include "graft/model/packed_loading.hpp"
#include "graft/model/packed_trunk.hpp"

namespace graft {

GRAFT_INLINE tensor_source with_packed_trunk(const tensor_source& model, const encoder_config& config, const std::string& print,
                                             std::optional<precision> form, int threads) {
  tensor_source all(model.path());
  all.add_all(model, [](const std::string& name) { return is_packed_name(name) ? std::nullopt : std::optional(name); });
  auto metadata = model.metadata();
  for (const auto* field : {packed_version_field, packed_print_field, packed_sums_field}) metadata.erase(field);
  if (form) {
    metadata[packed_version_field] = packed_version;
    metadata[packed_print_field] = print;
    json sums = json::object();
    const bool int8 = form == precision::int8;
    in_precision(int8 ? precision::f32 : *form, [&]<class P>(P) {
      if constexpr (std::is_same_v<typename P::real, float>) {
        for (const auto& [name, shape] : trunk_tensors(config)) {
          if (shape.size() != 2 || !is_layer_tensor(name)) continue;
          auto weight = parameter<float>::factor(name, parameter_role::weight, shape[0], shape[1]);
          load_one(weight, name, model);
          int8 ? pack_int8_weight(weight, threads) : pack_weight<P>(weight, false, threads);
          const auto packed = weight.shared_packed();
          const auto [form_name, count] = detail::packed_form<P>(int8, shape[0], shape[1]);
          const std::span bytes((int8 ? packed->int8 : packed->forward).data(), static_cast<std::size_t>(count));
          sums[packed_name(form_name, name)] = byte_sum(bytes);
          all.add(packed_name(form_name, name), {dtype::u8, {count}, bytes});
          all.keep_alive(std::shared_ptr<const void>(packed));
        }
      } else {
        throw config_error("weights are packed for f32, bf16 and int8, not for f64");
      }
    });
    metadata[packed_sums_field] = sums.dump();
  }
  all.set_metadata(std::move(metadata));
  return all;
}

}  // namespace graft
