#pragma once
// What the layers below the lowest tuned one make of rows, computed once and kept in files.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/fnv1a.hpp"
#include "graft/core/json.hpp"
#include "graft/core/workers.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/example.hpp"
#include "graft/encoder/known_states.hpp"
#include "graft/io/safetensors.hpp"
#include "graft/model/freezing.hpp"
#include "graft/train/training_reports.hpp"

namespace graft {

namespace detail {

/// Which code computes: its version, its compiler, and what of the processor it uses.
std::string code_identity();

}  // namespace detail

/// x_L of rows, (T, H) each, as forward_below of encoder/encoder.hpp computes it, in the type that the next layer reads: nothing is
/// rounded.
///
/// A row is known by its tokens and segments, however many files, tasks and seeds it is in. A folder serves any number of encoders: what
/// decides the numbers (weights of the L layers, sizes, precision, version, processor) is the IDENTITY, which file names begin with. A file
/// holds "input_ids" and "token_type_ids" (N), "offsets" (B + 1), "states" (N, H) and, of each row, a sum of what the others hold of it,
/// "sums" (B); it appears whole, and never changes.
/// Source: none; what PyTorch programs call precomputed features.   Tested: tests/training/prefix_cache_test.cpp
class prefix_cache final : public known_states {
 public:
  /// Opens what FOLDER, which is made if it is not there, holds of IDENTITY, 16 hexadecimal digits.
  /// @param width  H            @param type  of the numbers: F32 or F64
  /// @throws backend_error  the folder cannot be made      @throws format_error  a file there is damaged, or not what its name says
  prefix_cache(const std::string& folder, const std::string& identity, index layers, index width, dtype type);

  index layers() const override { return layers_; }
  /// As known_states says. What the file holds of a row is compared with its sum when it is found for the first time.
  /// @throws format_error  it is not what was written
  const std::byte* find(std::span<const std::int32_t> ids, std::span<const std::int32_t> types) const override;

  const std::string& folder() const { return folder_; }
  /// Rows that are known.
  index rows() const { return static_cast<index>(stored_.size()); }
  /// Bytes that a token takes.
  std::size_t token_bytes() const { return static_cast<std::size_t>(width_) * dtype_size(type_); }
  /// Those of ROWS that are not known, each once, in order.
  batch unknown(std::span<const features> rows) const;
  /// Opens files that others have written since.
  void look_again();
  /// STATES, (N, H), are those of the rows of B: writes a file, and opens it.
  /// @throws backend_error  the disk is full, or the folder not writable      @throws error  a number is not finite
  void add(const batch& b, std::span<const std::byte> states);
  /// @throws backend_error  the disk has no room for TOKENS tokens
  void require_disk_space(index tokens) const;

  /// Those who fill a folder do so one after the other, as long as the object lives; where a file system has no locks, at once, and no harm
  /// is done but work. WAITS is called once if another is at it. False in the end: *STOP turned true.
  /// What processes that were ended left half-written is removed.
  class turn {
   public:
    turn(const prefix_cache& cache, const std::function<void()>& waits, const std::atomic<bool>* stop);
    explicit operator bool() const { return mine_; }

   private:
    detail::descriptor lock_;
    bool mine_ = true;
  };

 private:
  struct row {
    std::span<const std::int32_t> ids, types;
    std::span<const std::byte> states;

    std::uint64_t sum() const;
  };
  struct stored_row : row {
    stored_row(const row& r, std::uint64_t written, const std::string& file) : row(r), sum_written(written), file_name(&file) {}

    std::uint64_t sum_written;
    const std::string* file_name;  // in files_
    mutable std::atomic<bool> compared{false};
  };
  static std::uint64_t hash_of(std::span<const std::int32_t> ids, std::span<const std::int32_t> types);
  format_error refused(const std::string& name, const std::string& reason) const;
  void open(const std::string& name);

  std::string folder_, identity_;
  index layers_, width_;
  dtype type_;
  std::map<std::string, safetensors_file> files_;  // by name
  std::unordered_multimap<std::uint64_t, stored_row> stored_;
};

/// 16 hexadecimal digits over all that decides what the lowest LAYERS layers of MODEL compute for a row with CTX: their numbers, sizes,
/// precision and how it is computed, and which code this is.
template <class M>
std::string prefix_identity(const M& model, index layers, const context& ctx) {
  using precision = typename M::precision;
  json config = to_json(model.config);
  std::erase_if(config.get_ref<json::object_t&>(), [](const auto& field) { return field.first.find("dropout") != std::string::npos; });
  fnv1a hash;
  for (const std::string& text : {std::string("rows with sums, 2"), detail::code_identity(), std::string(precision::name),
                                  std::string(model.trunk.int8 ? "int8" : ""), std::string(tile_path_name(detail::path_of<precision>(ctx))),
                                  std::to_string(layers), config.dump()}) {
    hash.add(text + "\n");
  }
  auto& trunk = const_cast<M&>(model).trunk;
  const auto add = [&](auto& part) {
    part.for_each_parameter([&](const auto& p) {
      const std::uint64_t sum = sum_of_bits(p);
      p.release_pages();
      hash.add(p.name + shape_text(p.shape()));
      hash.add(std::as_bytes(std::span(&sum, 1)));
    });
  };
  add(trunk.embedded);
  if (trunk.invertible) add(*trunk.invertible);
  if (trunk.relative) add(*trunk.relative);
  for (index l = 0; l < layers; ++l) add(trunk.layers[static_cast<std::size_t>(l)]);
  return hash.text();
}

/// The cache that MODEL, whose weights are loaded, reads from now on, in FOLDER: its layers below the lowest tuned one, which drop out
/// nothing any more, are not computed for rows that are there. Others' are, each time, until fill_prefix_cache.
/// @throws config_error  layer 0 is tuned, or something below   @throws as prefix_cache
template <class M>
std::shared_ptr<prefix_cache> use_prefix_cache(M& model, const std::string& folder, const context& ctx) {
  const index layers = model.trunk.lowest_trainable();
  if (layers < 1) {
    throw config_error(std::string("prefix_cache keeps what the layers below the lowest tuned one make of rows, and ") +
                           (layers < 0 ? "the embeddings, or what stands behind them, are tuned here" : "layer 0 is tuned here") +
                           ": tune upper layers alone, or leave it out",
                       remedy{"prefix_cache", "none"});
  }
  const auto cache = std::make_shared<prefix_cache>(folder, prefix_identity(model, layers, ctx), layers, model.config.hidden_size,
                                                    dtype_of<typename M::real>());
  model.trunk.known = cache;
  return cache;
}

/// Computes those of ROWS that CACHE, which MODEL uses, does not know, and writes them, 64 MB a file. False when *STOP turns true on the
/// way: the files that were written by then stay. The bits do not depend on how many rows are missing, nor on the number of threads.
/// @throws backend_error  the disk is full, or would be: files that are complete stay      @throws as prefix_cache
template <class M>
bool fill_prefix_cache(M& model, prefix_cache& cache, std::span<const features> rows, context& ctx, const prefix_progress& progress = {},
                       const std::atomic<bool>* stop = nullptr) {
  using real = typename M::real;
  if (cache.unknown(rows).size() == 0) return true;
  const prefix_cache::turn turn(cache, progress.waits, stop);
  if (!turn) return false;
  cache.look_again();
  const batch all = cache.unknown(rows);
  if (progress.rows) progress.rows(0, all.size());
  if (all.size() == 0) return true;
  cache.require_disk_space(all.rows());
  detail::pack_layers(model, 0, cache.layers(), frozen_packer<M>(model, false, ctx.threads), ctx.threads);
  const encoder_config& c = model.config;
  const bool whole = c.hidden_size % 16 == 0 && c.intermediate_size % 16 == 0 && c.embedding_width() % 16 == 0;
  // the number of a row's numbers decides how they are aligned, which bits depend on: there it is computed alone
  std::vector<index> units;
  micro_batches(all, whole ? usual_micro_batch_tokens : 1, units);
  const auto stopped = [&] { return stop != nullptr && stop->load(); };
  constexpr std::size_t file_bytes = std::size_t{1} << 26;
  buffer<real> states;
  for (std::size_t first = 0, last = 0; first + 1 < units.size(); first = last) {
    const auto tokens = [&](std::size_t unit) { return all.offsets[static_cast<std::size_t>(units[unit])]; };
    const auto bytes = [&](std::size_t unit) { return static_cast<std::size_t>(tokens(unit) - tokens(first)) * cache.token_bytes(); };
    for (last = first + 1; last + 1 < units.size() && bytes(last + 1) <= file_bytes;) ++last;
    batch file_batch;
    file_batch.assign(all, units[first], units[last]);
    states.resize(file_batch.rows(), c.hidden_size);
    for_each_unit(static_cast<index>(last - first), ctx, [&](index i, context& worker) {
      if (stopped()) return;
      const std::size_t unit = first + static_cast<std::size_t>(i);
      batch part;
      part.assign(all, units[unit], units[unit + 1]);
      scratch::mark mark(worker.memory);
      view<real> y = worker.memory.template take<real>(part.rows(), c.hidden_size);
      model.trunk.forward_below(part, cache.layers(), y, worker);
      states.get().middleRows(tokens(unit) - tokens(first), part.rows()) = y;
    });
    if (stopped()) return false;
    cache.add(file_batch, std::as_bytes(std::span(states.get().data(), static_cast<std::size_t>(states.get().size()))));
    if (progress.rows) progress.rows(units[last], all.size());
  }
  return true;
}

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/train/prefix_cache-inl.hpp"  // IWYU pragma: export
#endif
