#include "graft/core/parameter.hpp"

#include <catch2/catch.hpp>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

using graft::parameter_role;

TEST_CASE("a parameter knows its shape and gets its gradient when it is asked for") {
  auto table = graft::parameter<float>::table("a.weight", parameter_role::weight, 2, 3);
  CHECK(table.shape() == std::vector<graft::index>{2, 3});
  CHECK(table.value().isZero(0));
  CHECK_FALSE(table.is_trained());
  CHECK_FALSE(table.has_gradient());
  CHECK_THROWS_WITH(table.gradient(), "parameter 'a.weight' is frozen: it has no gradient");
  table.train();
  CHECK_FALSE(table.has_gradient());
  table.gradient()(1, 2) += 4;
  table.gradient()(1, 2) += 1;
  CHECK(table.gradient().rows() == 2);
  CHECK(table.gradient().sum() == 5);

  const auto vector = graft::parameter<float>::vector("a.bias", parameter_role::layer_norm, 3, 1.0F);
  CHECK(vector.shape() == std::vector<graft::index>{3});
  CHECK(vector.value().rows() == 1);
  CHECK(vector.value().sum() == 3);
}

namespace {

using numbers = graft::matrix<float>;

graft::parameter<float> weight() { return graft::parameter<float>::factor("w", parameter_role::weight, 40, 50); }
std::shared_ptr<graft::packed_weight> forms() { return std::make_shared<graft::packed_weight>(); }

}  // namespace

TEST_CASE("a parameter is frozen or trained, and keeps its numbers on the way") {
  auto p = weight();
  p.edit().setConstant(2);
  const float* memory = p.value().data();
  p.train();
  CHECK(p.is_trained());
  CHECK(p.value().data() == memory);
  p.gradient().setOnes();
  p.edit()(1, 1) = 3;
  p.train();  // it is
  CHECK(p.has_gradient());
  p.freeze();
  CHECK_FALSE(p.has_gradient());
  CHECK(p.value()(1, 1) == 3);
  p.train();
  CHECK_FALSE(p.has_gradient());
  CHECK(p.value().data() == memory);
  CHECK(p.value().sum() == 2 * 2000 + 1);
}

TEST_CASE("what is frozen is shared, with its packed forms, until somebody changes it") {
  auto a = weight(), b = weight();
  a.edit().setConstant(2);
  a.pack(forms());
  b.share(a);
  const auto copy = a;
  CHECK(b.value().data() == a.value().data());
  CHECK(copy.value().data() == a.value().data());
  CHECK(b.packed() == a.packed());
  SECTION("by editing") { b.edit()(0, 0) = 7; }
  SECTION("by training") {
    b.train();
    b.edit()(0, 0) = 7;
  }
  CHECK(b.value()(0, 0) == 7);
  CHECK(b.packed() == nullptr);
  CHECK(a.value()(0, 0) == 2);
  CHECK(a.packed() != nullptr);
  CHECK(copy.value()(0, 0) == 2);
}

TEST_CASE("copies of a trained parameter have numbers and a gradient of their own") {
  auto a = weight();
  a.train();
  a.gradient().setOnes();
  auto copy = a;
  a.edit()(0, 0) = 1;
  a.gradient()(0, 0) = 5;
  CHECK(copy.value()(0, 0) == 0);
  CHECK(copy.gradient()(0, 0) == 1);
}

TEST_CASE("a trained parameter is not shared or read from a file, and packed only until it is edited") {
  auto a = weight(), b = weight();
  a.train();
  a.pack(forms());
  CHECK(a.packed() != nullptr);
  a.edit();
  CHECK(a.packed() == nullptr);
  CHECK_THROWS_WITH(a.read_in_place({nullptr, nullptr}), "parameter 'w' is trained: it cannot see a file, freeze it first");
  CHECK_THROWS_WITH(a.share(b), "parameter 'w' is trained: it cannot share numbers, freeze it first");
  CHECK_THROWS_WITH(b.share(a), "parameter 'w' cannot share 'w': frozen numbers of its own shape were expected");
  auto other = graft::parameter<float>::factor("o", parameter_role::weight, 50, 40);
  CHECK_THROWS_WITH(b.share(other), "parameter 'w' cannot share 'o': frozen numbers of its own shape were expected");
}

TEST_CASE("numbers in a mapped file are read where they lie, packed or not, and copied before they change") {
  const graft_test::temporary_folder folder;
  numbers stored(40, 50);
  for (graft::index i = 0; i < stored.size(); ++i) stored.data()[i] = static_cast<float>(i);
  graft::write_file(folder / "w", {reinterpret_cast<const char*>(stored.data()), static_cast<std::size_t>(stored.size()) * 4});
  auto p = weight();
  {
    const auto file = std::make_shared<const graft::mapped_file>(folder / "w");
    p.pack(forms());
    p.read_in_place({file, reinterpret_cast<const float*>(file->data())});
    CHECK(p.packed() == nullptr);
    CHECK(static_cast<const void*>(p.value().data()) == file->data());
  }
  p.pack(forms());  // the pages leave, and come again
  CHECK(p.value() == stored);
  SECTION("edited") { p.edit()(0, 0) = 9; }
  SECTION("trained") {
    p.train();
    p.edit()(0, 0) = 9;
  }
  stored(0, 0) = 9;
  CHECK(p.value() == stored);
  CHECK(graft::read_file(folder / "w").substr(0, 4) == std::string(4, '\0'));
}

TEST_CASE("a wrong shape is refused in one line") {
  const graft::matrix<float> m(2, 3);
  bool asked = false;
  const auto needed = [&] {
    asked = true;
    return std::string("needs 4 columns");
  };
  graft::check_shape(true, "l", "x", m, needed);
  CHECK_FALSE(asked);
  CHECK_THROWS_AS(graft::check_shape(false, "l", "x", m, needed), graft::shape_error);
  CHECK_THROWS_WITH(graft::check_shape(false, "l", "x", m, needed), "layer 'l': x is (2, 3), needs 4 columns");
}

TEST_CASE("a sum of bits knows each number and its place, whatever else changes with it") {
  auto p = graft::parameter<double>::factor("w", graft::parameter_role::weight, 4, 4);
  for (graft::index i = 0; i < p.size(); ++i) p.edit().data()[i] = static_cast<double>(i + 1);
  const auto before = graft::sum_of_bits(p);
  CHECK(graft::sum_of_bits(p) == before);
  p.edit() *= -1;  // an even number of signs
  CHECK(graft::sum_of_bits(p) != before);
  p.edit() *= -1;
  CHECK(graft::sum_of_bits(p) == before);
  p.edit().row(0).swap(p.edit().row(1));
  CHECK(graft::sum_of_bits(p) != before);
}
