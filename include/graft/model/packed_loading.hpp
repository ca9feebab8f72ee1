#pragma once
// Weights that a model file holds as products read them: nothing is packed at the start, and processes share them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "graft/core/byte_sum.hpp"
#include "graft/core/json.hpp"
#include "graft/gemm/int8_product.hpp"
#include "graft/gemm/product.hpp"
#include "graft/io/model_file.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"

namespace graft {

namespace detail {

/// What products of P, or those of INT8, read of a weight of ROWS outputs and COLS inputs: the name of the form, and how many bytes.
template <class P>
std::pair<std::string_view, index> packed_form(bool int8, index rows, index cols) {
  if (int8) return {"int8_turned", int8_weight::bytes(cols, rows)};
  const index bytes = packed_b<P>::size(cols, rows) * static_cast<index>(sizeof(typename P::operand));
  return {std::is_same_v<typename P::operand, float> ? "f32" : std::is_same_v<typename P::operand, double> ? "f64" : "bf16", bytes};
}

/// Compares the packed weights NAMES of SOURCE with the sums that it holds of them: they are read once, by THREADS threads.
/// @throws format_error  one is not what was written
inline void check_packed(const tensor_source& source, const std::vector<std::string>& names, int threads) {
  const auto found = source.metadata().find(packed_sums_field);
  const json sums = found == source.metadata().end() ? json() : parse_json(found->second, source.path() + " (its sums of packed weights)");
  std::vector<char> whole(names.size());
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto sum = sums.is_object() ? sums.find(names[i]) : sums.end();
    whole[i] = sum != sums.end() && *sum == byte_sum(source.at(names[i]).bytes) ? 1 : 0;
  }
  const auto damaged = std::ranges::find(whole, 0);
  if (damaged == whole.end()) return;
  throw format_error(source.path(), "tensor '" + names[static_cast<std::size_t>(damaged - whole.begin())] +
                                        "', a weight as products read it, is not what was written: the file is damaged, or was changed "
                                        "after it was made; export the model again");
}

}  // namespace detail

/// As load_trunk, of an encoder with the fingerprint PRINT, and packs each frozen weight of the trunk while its numbers are in cache.
/// Weights that SOURCE has packed for products of M's precision, or in 8 bits if the encoder multiplies so, are read where they lie, and
/// their numbers are not looked at: with_packed_trunk did. They are compared with their sums, by THREADS threads.
/// @throws format_error  as load_trunk; what is packed are another encoder's, or not what was written
template <class M>
void load_packed_trunk(M& model, const tensor_source& source, const std::string& print, int threads) {
  const bool int8 = model.trunk.int8;
  const frozen_packer<M> pack(model, false, threads);
  const auto& metadata = source.metadata();
  const auto version = metadata.find(packed_version_field), of = metadata.find(packed_print_field);
  if (version == metadata.end() || version->second != packed_version) return load_trunk(model, source, {}, pack);
  if (of == metadata.end() || of->second != print) {
    throw format_error(source.path(), "holds packed weights of another encoder than its own, which has the fingerprint " + print +
                                          ": it was changed after it was made; export the model again");
  }
  struct found {
    std::string name, packed;
    mapped_numbers<std::byte> bytes;
  };
  const auto packed_of = [&](const auto& p) -> std::optional<found> {
    const auto name = trunk_name(p.name, model.config.model_type);
    if (!name || !p.is_product_weight() || p.is_trained()) return std::nullopt;
    const auto [form, count] = detail::packed_form<typename M::precision>(int8, p.rows(), p.cols());
    std::string packed = packed_name(form, *name);
    auto bytes = source.bytes_in_file(packed, count);
    if (!bytes) return std::nullopt;
    source.expect({{*name, p.shape()}});
    return found{*name, std::move(packed), std::move(*bytes)};
  };
  std::set<std::string> mapped;
  model.for_each_parameter([&](auto& p) {
    const auto packed = packed_of(p);
    const auto numbers = packed ? source.in_file<typename M::real>(packed->name) : std::nullopt;
    if (!numbers) return;
    p.read_in_place(*numbers);
    mapped.insert(packed->name);
  });
  load_trunk(model, source, mapped, [&](auto& p) {
    if (!packed_of(p)) pack(p);
  });
  std::vector<std::string> read;
  model.for_each_parameter([&](auto& p) {
    auto packed = packed_of(p);
    if (!packed) return;
    read.push_back(packed->packed);
    auto forms = std::make_shared<packed_weight>();
    (int8 ? forms->int8 : forms->forward).read_in_place(std::move(packed->bytes));
    p.pack(std::move(forms));
  });
  detail::check_packed(source, read, threads);
}

}  // namespace graft
