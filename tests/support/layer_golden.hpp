#pragma once
// Layers against the tensors of golden/layers/NAME.safetensors.

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <tuple>

#include "graft/core/context.hpp"
#include "graft/core/parameter.hpp"
#include "graft/io/safetensors.hpp"
#include "support/random_values.hpp"

namespace graft_test {

class layer_golden {
 public:
  explicit layer_golden(const std::string& name) : file_(std::string(GRAFT_TEST_DIR) + "/golden/layers/" + name + ".safetensors") {}

  /// The tensor NAME; a vector is one row.
  graft::matrix<double> matrix(const std::string& name) const {
    const auto& shape = file_.at(name).shape;
    graft::matrix<double> m(shape.size() == 1 ? 1 : shape[0], shape.back());
    file_.read(name, std::span(m.data(), static_cast<std::size_t>(m.size())));
    return m;
  }
  std::vector<std::int64_t> integers(const std::string& name) const { return file_.values<std::int64_t>(name); }

  /// Where sequences of the golden's `lengths` begin.
  std::vector<graft::index> offsets() const {
    std::vector<graft::index> all{0};
    for (const auto length : integers("lengths")) all.push_back(all.back() + length);
    return all;
  }

  /// Sets every parameter of PART; its name in the file is the longest ending of its own name that is there.
  template <class Part>
  void load(Part& part) const {
    part.for_each_parameter([&](auto& p) {
      const graft::matrix<double> value = matrix(stored_name(p.name));
      REQUIRE(value.size() == p.size());
      p.edit() = value.cast<typename std::decay_t<decltype(p.value())>::Scalar>();
    });
  }

  /// CHECKs M against the tensor NAME, to TOLERANCE of its largest element.
  template <class M>
  void check(const std::string& name, const M& m, double tolerance = 1e-12) const {
    INFO(name);
    const auto expected = matrix(name);
    CHECK(largest_difference(m, expected) <= tolerance * std::max(1.0, expected.cwiseAbs().maxCoeff()));
  }

  /// CHECKs the gradient of every trained parameter of PART.
  template <class Part>
  void check_gradients(Part& part) const {
    part.for_each_parameter([&](auto& p) {
      if (p.is_trained()) check("d" + stored_name(p.name), p.gradient());
    });
  }

  /// Loads PART (trainable as it is), runs it forward and backward and CHECKs all that the file holds. INPUTS: "x", or "h" and "x".
  template <class Part, std::size_t Inputs>
  void check_part(Part& part, const std::array<std::string, Inputs>& inputs, graft::context& ctx) const {
    load(part);
    typename Part::saved s;
    const auto dy = matrix("dy");
    graft::matrix<double> y(dy.rows(), dy.cols());
    std::array<graft::matrix<double>, Inputs> in, d;
    for (std::size_t i = 0; i < Inputs; ++i) d[i] = in[i] = matrix(inputs[i]);
    std::apply([&](const auto&... m) { part.forward(graft::const_view<double>(m)..., y, &s, ctx); }, in);
    std::apply(
        [&](auto&... m) {
          std::tuple views{graft::view<double>(m)...};
          std::apply([&](auto&... v) { part.backward(dy, s, &v..., ctx); }, views);
        },
        d);
    check("y", y);
    for (std::size_t i = 0; i < Inputs; ++i) check("d" + inputs[i], d[i]);
    check_gradients(part);
  }

 private:
  std::string stored_name(const std::string& name) const {
    for (std::size_t at = 0; at != std::string::npos; at = name.find('.', at + 1)) {
      const std::string ending = name.substr(at == 0 ? 0 : at + 1);
      if (file_.contains(ending)) return ending;
    }
    FAIL("no tensor for " << name);
    return "";
  }

  graft::safetensors_file file_;
};

}  // namespace graft_test
