#pragma once
// A named, possibly trainable matrix of numbers.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/file.hpp"
#include "graft/core/function_view.hpp"
#include "graft/core/random.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// What a parameter is for: decides weight decay (`weight` alone has it) and the learning rate (`mixing` has its own).
enum class parameter_role : std::uint8_t { weight, bias, layer_norm, adapter, mixing };

/// Bytes in memory of their own, or where a mapped file has them.
class packed_bytes {
 public:
  /// Memory of its own for COUNT of them, to be filled.
  std::byte* take(index count) {
    file_ = {};
    return allocated_.resize(1, count).data();
  }
  void read_in_place(mapped_numbers<std::byte> bytes) { file_ = std::move(bytes); }
  bool empty() const { return data() == nullptr; }
  const std::byte* data() const {
    if (file_.data != nullptr) return file_.data;
    return allocated_.empty() ? nullptr : allocated_.get().data();
  }

 private:
  buffer<std::byte> allocated_;
  mapped_numbers<std::byte> file_{};
};

/// A frozen weight as products read it, made once (gemm/product.hpp).
struct packed_weight {
  packed_bytes forward;   // of y = x W^T
  packed_bytes backward;  // of dx = dy W; empty where nothing is trained
  packed_bytes int8;      // of y = x W^T in 8 bits (gemm/int8_product.hpp), in place of forward; else empty
};

/// A named matrix of numbers, either *frozen*, numbers that are only read, wherever they lie, and as products read them; or *trained*,
/// numbers of its own and their gradient. It begins frozen. Vectors are stored as one row. Copies of a frozen parameter share its numbers;
/// whoever edits them, or trains them, gets numbers of its own. Tested: tests/core/parameter_test.cpp
template <class T>
class parameter {
 public:
  std::string name;  // Hugging Face's
  parameter_role role = parameter_role::weight;
  index gradient_offset = 0;  // core/gradients.hpp

  /// A row of SIZE numbers, all FILL: a bias, or weights of a normalization.
  static parameter vector(std::string name, parameter_role role, index size, T fill = T(0)) {
    parameter p(std::move(name), role, form::vector, 1, size);
    if (fill != T(0)) p.edit().setConstant(fill);
    return p;
  }
  /// A matrix whose rows are looked up, not multiplied: embeddings.
  static parameter table(std::string name, parameter_role role, index rows, index cols) {
    return {std::move(name), role, form::table, rows, cols};
  }
  /// The weight of a layer that multiplies by it: products read it, so it may be packed.
  static parameter factor(std::string name, parameter_role role, index rows, index cols) {
    return {std::move(name), role, form::factor, rows, cols};
  }

  index rows() const { return rows_; }
  index cols() const { return cols_; }
  index size() const { return rows_ * cols_; }
  std::vector<index> shape() const { return form_ == form::vector ? std::vector<index>{cols_} : std::vector<index>{rows_, cols_}; }
  bool is_product_weight() const { return form_ == form::factor; }
  bool is_trained() const { return std::holds_alternative<trained>(state_); }

  const_view<T> value() const {
    if (const auto* t = std::get_if<trained>(&state_)) return t->value.get();
    const auto& numbers = std::get<frozen>(state_).value;
    if (const auto* file = std::get_if<mapped_numbers<T>>(&numbers)) return {file->data, rows_, cols_};
    return std::as_const(*std::get<allocated_numbers>(numbers)).get();
  }
  /// The value, to be changed: what it was packed as is gone, and nobody else sees the change.
  view<T> edit() {
    if (auto* t = std::get_if<trained>(&state_)) {
      t->packed_is_current = false;
      return t->value.get();
    }
    auto& f = std::get<frozen>(state_);
    f.packed.reset();
    auto* allocated = std::get_if<allocated_numbers>(&f.value);
    if (allocated == nullptr || allocated->use_count() > 1) f.value = std::make_shared<zeroed_matrix<T>>(value());
    return std::get<allocated_numbers>(f.value)->get();
  }

  /// From frozen to trained, without a gradient yet.
  void train() {
    if (is_trained()) return;
    edit();
    state_ = trained{std::move(*std::get<allocated_numbers>(std::get<frozen>(state_).value)), {}, nullptr, false};
  }
  /// From trained to frozen; its gradient is gone.
  void freeze() {
    if (auto* t = std::get_if<trained>(&state_)) state_ = frozen{std::make_shared<zeroed_matrix<T>>(std::move(t->value)), nullptr};
  }

  /// What a backward pass adds to, and whether one did; zeros, and memory for them, when it is first asked for.
  /// @throws error  the parameter is frozen
  view<T> gradient() {
    auto* t = std::get_if<trained>(&state_);
    if (t == nullptr) throw error("parameter '" + name + "' is frozen: it has no gradient");
    if (t->gradient.size() == 0) t->gradient = matrix<T>::Zero(rows_, cols_);
    return t->gradient;
  }
  bool has_gradient() const {
    const auto* t = std::get_if<trained>(&state_);
    return t != nullptr && t->gradient.size() > 0;
  }

  /// Loads a frozen parameter: NUMBERS, as many as it has, are read where they lie, as long as nobody edits or trains them.
  /// @throws error  the parameter is trained
  void read_in_place(mapped_numbers<T> numbers) { expect_frozen("see a file") = frozen{std::move(numbers), nullptr}; }
  /// Products read the value as FORMS (gemm/product.hpp), until it is edited. The pages of a mapped file may leave then.
  void pack(std::shared_ptr<packed_weight> forms) {
    if (auto* t = std::get_if<trained>(&state_)) {
      t->packed = std::move(forms);
      t->packed_is_current = true;
      return;
    }
    auto& f = std::get<frozen>(state_);
    f.packed = std::move(forms);
    release_pages();
  }
  /// The value is not read for a while: where it lies in a mapped file, its pages leave this process until then.
  void release_pages() const {
    if (const auto* numbers = file_numbers())
      numbers->file->release_pages(std::as_bytes(std::span(numbers->data, static_cast<std::size_t>(size()))));
  }
  /// Row R, for one who reads few of many: where it lies, or, if it is long and in a mapped file, a copy in BUFFER (cols). With the row
  /// itself the pages around it would come into memory, and soon the whole table.
  const T* row(index r, T* buffer) const {
    constexpr index least = 2048;  // bytes: of shorter rows a page has several, and to ask for each costs more than it has
    const auto* numbers = file_numbers();
    const T* const there = value().row_data(r);
    const std::span row(there, static_cast<std::size_t>(cols_));
    return numbers != nullptr && cols_ * index{sizeof(T)} >= least && numbers->file->copy(std::as_bytes(row), buffer) ? buffer : there;
  }
  const packed_weight* packed() const {
    if (const auto* t = std::get_if<trained>(&state_)) return t->packed_is_current ? t->packed.get() : nullptr;
    return std::get<frozen>(state_).packed.get();
  }
  /// What a frozen parameter is packed as, for those who keep it.
  std::shared_ptr<const packed_weight> shared_packed() const { return std::get<frozen>(state_).packed; }
  /// Memory for new forms: that of those which an edit has made worthless, if nobody else reads them.
  std::shared_ptr<packed_weight> memory_for_packing() {
    auto* t = std::get_if<trained>(&state_);
    return t != nullptr && t->packed.use_count() == 1 ? std::move(t->packed) : std::make_shared<packed_weight>();
  }
  /// Makes a frozen parameter read the numbers and packed forms of OTHER, which is frozen too and of its shape.
  /// @throws error  one of them is trained, or of another shape
  void share(const parameter& other) {
    if (other.is_trained() || other.rows_ != rows_ || other.cols_ != cols_) {
      throw error("parameter '" + name + "' cannot share '" + other.name + "': frozen numbers of its own shape were expected");
    }
    expect_frozen("share numbers") = std::get<frozen>(other.state_);
  }

 private:
  const mapped_numbers<T>* file_numbers() const {
    const auto* f = std::get_if<frozen>(&state_);
    return f != nullptr ? std::get_if<mapped_numbers<T>>(&f->value) : nullptr;
  }

  enum class form : std::uint8_t { vector, table, factor };
  using allocated_numbers = std::shared_ptr<zeroed_matrix<T>>;
  struct frozen {
    std::variant<allocated_numbers, mapped_numbers<T>> value;
    std::shared_ptr<const packed_weight> packed;
  };
  struct trained {
    zeroed_matrix<T> value;
    matrix<T> gradient;
    std::shared_ptr<packed_weight> packed;
    bool packed_is_current;
  };

  parameter(std::string given_name, parameter_role given_role, form given_form, index rows, index cols)
      : name(std::move(given_name)),
        role(given_role),
        form_(given_form),
        rows_(rows),
        cols_(cols),
        state_(frozen{std::make_shared<zeroed_matrix<T>>(rows, cols), nullptr}) {}

  frozen& expect_frozen(const char* wanted) {
    if (is_trained()) throw error("parameter '" + name + "' is trained: it cannot " + wanted + ", freeze it first");
    return std::get<frozen>(state_);
  }

  form form_;
  index rows_, cols_;
  std::variant<frozen, trained> state_;
};

/// What visits parameters: anything that takes one, by its address, so that a layer's walk over its parameters is compiled once.
template <class T>
using parameter_visitor = function_view<void(parameter<T>&)>;

/// A sum over the bits of P's numbers, each mixed with its place, so that changes do not cancel: other numbers have another sum, but for a
/// chance of 2^-64.
template <class T>
std::uint64_t sum_of_bits(const parameter<T>& p) {
  using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const T* const numbers = p.value().data();
  std::uint64_t sum = 0;
  for (index i = 0; i < p.size(); ++i) {
    sum += detail::mix64(std::bit_cast<word>(numbers[i]) ^ detail::mix64(static_cast<std::uint64_t>(i)));
  }
  return sum;
}

/// Checks CONDITION. NEEDED() says what would be right; it is called on failure only, so that success builds no text.
/// @throws shape_error  as shape_error::of_argument
template <class View, class Text>
void check_shape(bool condition, std::string_view layer, std::string_view argument, const View& m, Text&& needed) {
  if (condition) return;
  throw shape_error::of_argument(layer, argument, m.rows(), m.cols(), needed());
}

}  // namespace graft
