#pragma once
// Bodies of graft/predict/shared_answers.hpp.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/predict/shared_answers.hpp"

namespace graft::detail {

/// Values one after the other, as bytes, on the way from one process of a program to another.
class packed_values {
 public:
  explicit packed_values(std::string bytes = {}) : bytes_(std::move(bytes)) {}
  const std::string& bytes() const { return bytes_; }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else if constexpr (std::is_same_v<T, tagged_span>) {
      put(value.label), put(value.begin), put(value.end), put(value.text), put(value.score);
    } else if constexpr (!std::is_trivially_copyable_v<typename T::value_type>) {
      put(static_cast<std::uint64_t>(value.size()));
      for (const auto& one : value) put(one);
    } else {
      put(static_cast<std::uint64_t>(value.size()));
      bytes_.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof *value.data());
    }
  }
  template <class T>
  void take(T& value) {
    if constexpr (std::is_trivially_copyable_v<T>) {
      take_bytes(&value, sizeof value);
    } else if constexpr (std::is_same_v<T, tagged_span>) {
      take(value.label), take(value.begin), take(value.end), take(value.text), take(value.score);
    } else if constexpr (!std::is_trivially_copyable_v<typename T::value_type>) {
      std::uint64_t size = 0;
      take(size);
      require(size, 1);
      value.resize(static_cast<std::size_t>(size));
      for (auto& one : value) take(one);
    } else {
      std::uint64_t size = 0;
      take(size);
      require(size, sizeof *value.data());
      value.resize(static_cast<std::size_t>(size));
      take_bytes(value.data(), value.size() * sizeof *value.data());
    }
  }

 private:
  void require(std::uint64_t count, std::size_t unit) const {
    if (count > (bytes_.size() - at_) / unit) throw backend_error("a rank sent less than was to come: the ranks run different programs");
  }
  void take_bytes(void* to, std::size_t size) {
    require(size, 1);
    if (size > 0) std::memcpy(to, bytes_.data() + at_, size);
    at_ += size;
  }

  std::string bytes_;
  std::size_t at_ = 0;
};

/// Calls f with each field of ROW that answers depend on, and with those that come back with them.
template <class Row, class F>
void for_each_field(Row& row, F&& f) requires requires {
  row.text_a;
}
{
  f(row.text_a);
  f(row.input_ids);
  f(row.token_type_ids);
  f(row.masked);
  f(row.adapter);
  f(row.line);
  f(row.error);
  f(row.words);
}
template <class Answer, class F>
void for_each_field(Answer& a, F&& f) requires requires {
  a.probabilities;
}
{
  f(a.adapter);
  f(a.label);
  f(a.score);
  f(a.probabilities);
  f(a.hidden_state);
  f(a.numbers);
  f(a.logits);
  f(a.embedding);
  f(a.error);
  f(a.line);
  f(a.tags);
  f(a.words);
  f(a.spans);
  f(a.cut_at);
}

inline std::string packed(const std::vector<example>& rows, index batch_size) {
  packed_values all;
  all.put(static_cast<std::uint64_t>(rows.size()));
  all.put(batch_size);
  for (const example& row : rows) {
    for_each_field(row, [&](const auto& field) { all.put(field); });
    all.put(row.text_b.has_value());
    if (row.text_b) all.put(*row.text_b);
  }
  return all.bytes();
}

inline std::vector<example> unpacked_rows(std::string bytes, index& batch_size) {
  packed_values all(std::move(bytes));
  std::uint64_t count = 0;
  all.take(count);
  all.take(batch_size);
  std::vector<example> rows(static_cast<std::size_t>(count));
  for (example& row : rows) {
    for_each_field(row, [&](auto& field) { all.take(field); });
    bool second = false;
    all.take(second);
    if (second) all.take(row.text_b.emplace());
  }
  return rows;
}

/// The first rank's TEXTS, one a rank, to each its own.
inline std::string scattered(rank_group& group, const std::vector<std::string>& texts) {
  const auto ranks = static_cast<std::size_t>(group.size()), self = static_cast<std::size_t>(group.rank());
  std::vector<std::uint64_t> sizes(ranks);
  for (std::size_t r = 0; r < texts.size(); ++r) sizes[r] = texts[r].size();
  group.broadcast(std::as_writable_bytes(std::span(sizes)));
  std::string own(self == 0 ? 0 : static_cast<std::size_t>(sizes[self]), '\0');
  std::vector<rank_group::outgoing> out;
  for (std::size_t r = 1; r < texts.size(); ++r) out.push_back({static_cast<int>(r), std::as_bytes(std::span(texts[r]))});
  std::vector<rank_group::incoming> in;
  if (self != 0) in.push_back({0, std::as_writable_bytes(std::span(own))});
  group.exchange(out, in);
  return self == 0 ? texts[0] : own;
}

/// What all ranks say, on the first one.
inline std::vector<std::string> collected(rank_group& group, const std::string& own) {
  const auto ranks = static_cast<std::size_t>(group.size()), self = static_cast<std::size_t>(group.rank());
  std::vector<std::uint64_t> sizes(ranks);
  std::vector<std::size_t> begins;
  for (std::size_t r = 0; r <= ranks; ++r) begins.push_back(r * sizeof(std::uint64_t));
  sizes[self] = own.size();
  group.all_gather(std::as_writable_bytes(std::span(sizes)), begins);
  std::vector<std::string> all(self == 0 ? ranks : 0);
  std::vector<rank_group::outgoing> out;
  std::vector<rank_group::incoming> in;
  for (std::size_t r = 1; r < all.size(); ++r) {
    all[r].resize(static_cast<std::size_t>(sizes[r]));
    in.push_back({static_cast<int>(r), std::as_writable_bytes(std::span(all[r]))});
  }
  if (self == 0) {
    all[0] = own;
  } else {
    out.push_back({0, std::as_bytes(std::span(own))});
  }
  group.exchange(out, in);
  return all;
}

/// Whether this rank's share is done, and its answers.
inline std::string packed(const std::vector<answer>& answers, bool done) {
  packed_values all;
  all.put(done);
  for (const answer& a : answers) for_each_field(a, [&](const auto& field) { all.put(field); });
  return all.bytes();
}

}  // namespace graft::detail

namespace graft {

GRAFT_INLINE std::vector<answer> shared_answers(rank_group& group, const predictor& model, std::span<const example> rows, index batch_size,
                                                int threads, const std::atomic<bool>* stop) {
  const auto ranks = static_cast<std::size_t>(group.size());
  if (rows.empty()) return {};
  std::vector<std::vector<example>> shares(ranks);
  for (std::size_t i = 0; i < rows.size(); ++i) shares[i % ranks].push_back(rows[i]);
  std::vector<std::string> texts(1);
  for (std::size_t r = 1; r < ranks; ++r) texts.push_back(detail::packed(shares[r], batch_size));
  detail::scattered(group, texts);
  const std::vector<answer> own = model.predict_each(shares[0], batch_size, threads, stop);
  bool done = own.size() == shares[0].size();
  const auto told = detail::collected(group, "");
  std::vector<answer> answers(rows.size());
  for (std::size_t i = 0; done && i < own.size(); ++i) answers[i * ranks] = own[i];
  for (std::size_t r = 1; r < ranks; ++r) {
    detail::packed_values all(told[r]);
    bool theirs = false;
    all.take(theirs);
    done = done && theirs;
    for (std::size_t i = r; done && i < rows.size(); i += ranks) detail::for_each_field(answers[i], [&](auto& field) { all.take(field); });
  }
  if (!done) answers.clear();
  return answers;
}

GRAFT_INLINE void end_shared_answers(rank_group& group) {
  detail::scattered(group, std::vector<std::string>(static_cast<std::size_t>(group.size())));
}

GRAFT_INLINE void share_answers(rank_group& group, const predictor& model, int threads, const std::atomic<bool>* stop) {
  for (std::string text = detail::scattered(group, {}); !text.empty(); text = detail::scattered(group, {})) {
    index batch_size = 0;
    const std::vector<example> rows = detail::unpacked_rows(std::move(text), batch_size);
    const std::vector<answer> own = model.predict_each(rows, batch_size, threads, stop);
    detail::collected(group, detail::packed(own, own.size() == rows.size()));
  }
}

}  // namespace graft
