#pragma once
// Bodies of graft/predict/shared_answers.hpp.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/predict/shared_answers.hpp"

namespace graft::detail {

/// All fields of what goes from one process to another: one that is added and not named here does not compile.
inline auto fields_of(tagged_span& of) {
  auto& [label, begin, end, text, score] = of;
  return std::tie(label, begin, end, text, score);
}
inline auto fields_of(labeled_span& of) {
  auto& [label, begin, end] = of;
  return std::tie(label, begin, end);
}
inline auto fields_of(example& of) {
  auto& [text_a, text_b, ids, types, masked, label, label_is_list, adapter, line, error, words, tags, are_numbers, spans, widened] = of;
  return std::tie(text_a, text_b, ids, types, masked, label, label_is_list, adapter, line, error, words, tags, are_numbers, spans, widened);
}
inline auto fields_of(answer& of) {
  auto& [adapter, label, score, probabilities, state, numbers, logits, tags, words, spans, cut_at, embedding, error, line] = of;
  return std::tie(adapter, label, score, probabilities, state, numbers, logits, tags, words, spans, cut_at, embedding, error, line);
}
template <class T>
concept has_fields = requires(T& of) {
  fields_of(of);
};
template <class T>
concept maybe_there = std::is_same_v<T, std::optional<typename T::value_type>>;

/// Values one after the other, as bytes, on the way from one process of a program to another.
class packed_values {
 public:
  explicit packed_values(std::string bytes = {}) : bytes_(std::move(bytes)) {}
  const std::string& bytes() const { return bytes_; }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else if constexpr (has_fields<T>) {
      std::apply([&](const auto&... field) { (put(field), ...); }, fields_of(const_cast<T&>(value)));
    } else if constexpr (maybe_there<T>) {
      put(value.has_value());
      if (value) put(*value);
    } else {
      put(static_cast<std::uint64_t>(value.size()));
      if constexpr (std::is_trivially_copyable_v<typename T::value_type>) {
        bytes_.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof *value.data());
      } else {
        for (const auto& one : value) put(one);
      }
    }
  }
  /// @throws backend_error  there is less
  template <class T>
  void take(T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      take_bytes(&value, sizeof value);
    } else if constexpr (has_fields<T>) {
      std::apply([&](auto&... field) { (take(field), ...); }, fields_of(value));
    } else if constexpr (maybe_there<T>) {
      bool there = false;
      take(there);
      value.reset();
      if (there) take(value.emplace());
    } else {
      std::uint64_t size = 0;
      take(size);
      require(size);  // a byte each, at least
      value.resize(static_cast<std::size_t>(size));
      if constexpr (std::is_trivially_copyable_v<typename T::value_type>) {
        take_bytes(value.data(), value.size() * sizeof *value.data());
      } else {
        for (auto& one : value) take(one);
      }
    }
  }

 private:
  void require(std::uint64_t size) const {
    if (size > bytes_.size() - at_) throw backend_error("a rank sent less than was to come: the ranks run different programs");
  }
  void take_bytes(void* to, std::size_t size) {
    require(size);
    if (size > 0) std::memcpy(to, bytes_.data() + at_, size);
    at_ += size;
  }

  std::string bytes_;
  std::size_t at_ = 0;
};

inline bool same_text(const example& a, const example& b) {
  return a.text_a == b.text_a && a.text_b == b.text_b && a.input_ids == b.input_ids && a.words == b.words;
}

/// The first rank's TEXTS, one a rank, to each its own.
inline std::string scattered(rank_group& group, const std::vector<std::string>& texts) {
  const auto ranks = static_cast<std::size_t>(group.size()), self = static_cast<std::size_t>(group.rank());
  std::vector<std::uint64_t> sizes(ranks);
  for (std::size_t r = 0; r < texts.size(); ++r) sizes[r] = texts[r].size();
  group.broadcast(std::as_writable_bytes(std::span(sizes)));
  std::string text(self == 0 ? 0 : static_cast<std::size_t>(sizes[self]), '\0');
  std::vector<rank_group::outgoing> out;
  for (std::size_t r = 1; r < texts.size(); ++r) out.push_back({static_cast<int>(r), std::as_bytes(std::span(texts[r]))});
  std::vector<rank_group::incoming> in;
  if (self != 0) in.push_back({0, std::as_writable_bytes(std::span(text))});
  group.exchange(out, in);
  return self == 0 ? texts[0] : text;
}

/// What all ranks say, on the first one.
inline std::vector<std::string> collected(rank_group& group, const std::string& text) {
  const auto ranks = static_cast<std::size_t>(group.size()), self = static_cast<std::size_t>(group.rank());
  std::vector<std::uint64_t> sizes(ranks);
  std::vector<std::size_t> begins;
  for (std::size_t r = 0; r <= ranks; ++r) begins.push_back(r * sizeof(std::uint64_t));
  sizes[self] = text.size();
  group.all_gather(std::as_writable_bytes(std::span(sizes)), begins);
  std::vector<std::string> all(self == 0 ? ranks : 0);
  std::vector<rank_group::outgoing> out;
  std::vector<rank_group::incoming> in;
  for (std::size_t r = 1; r < all.size(); ++r) {
    all[r].resize(static_cast<std::size_t>(sizes[r]));
    in.push_back({static_cast<int>(r), std::as_writable_bytes(std::span(all[r]))});
  }
  if (self == 0) {
    all[0] = text;
  } else {
    out.push_back({0, std::as_bytes(std::span(text))});
  }
  group.exchange(out, in);
  return all;
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::vector<answer> shared_answers(rank_group& group, const predictor& model, std::span<const example> rows, index batch_size,
                                                int threads, const std::atomic<bool>* stop) {
  const auto ranks = static_cast<std::size_t>(group.size());
  if (rows.empty()) return {};
  std::vector<std::vector<example>> shares(ranks);
  std::vector<std::vector<std::size_t>> numbers(
      ranks);  // of those rows; of one text for several adapters, side by side, all are one rank's
  for (std::size_t i = 0, dealt = 0; i < rows.size(); ++i) {
    if (i > 0 && !detail::same_text(rows[i], rows[i - 1])) ++dealt;
    shares[dealt % ranks].push_back(rows[i]);
    numbers[dealt % ranks].push_back(i);
  }
  std::vector<std::string> texts(1);
  for (std::size_t r = 1; r < ranks; ++r) {
    detail::packed_values share;
    share.put(batch_size);
    share.put(shares[r]);
    texts.push_back(share.bytes());
  }
  detail::scattered(group, texts);
  std::vector<answer> share = model.predict_each(shares[0], batch_size, threads, stop);
  auto told = detail::collected(group, "");
  std::vector<answer> answers(rows.size());
  for (std::size_t r = 0; r < ranks; ++r) {
    if (r > 0) detail::packed_values(std::move(told[r])).take(share);
    if (share.size() != shares[r].size()) return {};  // it was stopped
    for (std::size_t i = 0; i < share.size(); ++i) answers[numbers[r][i]] = std::move(share[i]);
  }
  return answers;
}

GRAFT_INLINE void end_shared_answers(rank_group& group) {
  detail::scattered(group, std::vector<std::string>(static_cast<std::size_t>(group.size())));
}

GRAFT_INLINE void share_answers(rank_group& group, const predictor& model, int threads, const std::atomic<bool>* stop) {
  for (std::string text = detail::scattered(group, {}); !text.empty(); text = detail::scattered(group, {})) {
    detail::packed_values share(std::move(text)), answers;
    index batch_size = 0;
    std::vector<example> rows;
    share.take(batch_size);
    share.take(rows);
    answers.put(model.predict_each(rows, batch_size, threads, stop));
    detail::collected(group, answers.bytes());
  }
}

}  // namespace graft
