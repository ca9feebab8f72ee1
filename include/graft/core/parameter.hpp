#pragma once
// A named, possibly trainable matrix of numbers.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graft/core/error.hpp"
#include "graft/core/types.hpp"

namespace graft {

/// What a parameter is for: decides weight decay (`weight` alone has it) and the learning rate (`mixing` has its own).
enum class parameter_role : std::uint8_t { weight, bias, layer_norm, adapter, mixing };

/// A frozen weight as products read it, made once (gemm/product.hpp).
struct packed_weight {
  buffer<std::byte> forward;   // of y = x W^T
  buffer<std::byte> backward;  // of dx = dy W; empty where nothing is trained
};

/// {Hugging Face name, value, gradient, trainable}. Vectors are stored as one row. `grad` holds no memory until a trainable
/// backward needs it.
template <class T>
struct parameter {
  std::string name;
  parameter_role role = parameter_role::weight;
  bool is_vector = false;
  bool trainable = false;
  shared_matrix<T> value;
  matrix<T> grad;
  bool is_factor = false;  // products read it: it may be packed
  std::shared_ptr<const packed_weight> packed{};

  static parameter vector(std::string name, parameter_role role, index size, T fill = T(0)) {
    return {std::move(name), role, true, false, matrix<T>::Constant(1, size, fill), {}, false, {}};
  }
  static parameter table(std::string name, parameter_role role, index rows, index cols) {
    return {std::move(name), role, false, false, shared_matrix<T>(rows, cols), {}, false, {}};
  }
  /// The weight of a layer that multiplies by it.
  static parameter factor(std::string name, parameter_role role, index rows, index cols) {
    parameter p = table(std::move(name), role, rows, cols);
    p.is_factor = true;
    return p;
  }

  index size() const { return value.size(); }
  std::vector<index> shape() const { return is_vector ? std::vector<index>{value.cols()} : std::vector<index>{value.rows(), value.cols()}; }
  /// The gradient to add to; allocated and zeroed at the first use.
  matrix<T>& gradient() {
    if (grad.size() == 0) grad = matrix<T>::Zero(value.rows(), value.cols());
    return grad;
  }
};

template <class View>
std::string shape_text_of(const View& m) {
  return shape_text({m.rows(), m.cols()});
}

/// Checks CONDITION. NEEDED() says what would be right; it is called on failure only, so that success builds no text.
/// @throws shape_error  "layer 'LAYER': ARGUMENT is (r, c), NEEDED()"
template <class View, class Text>
void check_shape(bool condition, std::string_view layer, std::string_view argument, const View& m, Text&& needed) {
  if (condition) return;
  throw shape_error("layer '" + std::string(layer) + "': " + std::string(argument) + " is " + shape_text_of(m) + ", " + needed());
}

}  // namespace graft
