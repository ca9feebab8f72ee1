#include "graft/layers/embedding.hpp"

#include "graft/core/file.hpp"
#include "support/gradient_check.hpp"
#include "support/resident.hpp"
#include "support/shared.hpp"

using graft::f64;
using graft::matrix;

TEST_CASE("rows of the table are added, and their gradients gathered where ids repeat") {
  graft::embedding<f64> layer("e", 3, 2);
  layer.weight.edit() << 1, 2, 3, 4, 5, 6;
  layer.weight.train();
  const std::vector<std::int32_t> ids{2, 0, 2};
  matrix<double> y = matrix<double>::Constant(3, 2, 10), dy(3, 2), expected(3, 2);
  graft::context ctx;
  layer.add_forward(ids, y, ctx);
  expected << 15, 16, 11, 12, 15, 16;
  CHECK(y == expected);
  dy << 1, 2, 3, 4, 5, 6;
  layer.backward(ids, dy, ctx);
  expected << 3, 4, 0, 0, 6, 8;
  CHECK(layer.weight.gradient() == expected);
  layer.backward(ids, dy, ctx);
  CHECK(layer.weight.gradient() == 2 * expected);
}

TEST_CASE("the table's gradient is its derivative, wide tables and threads change nothing") {
  for (const int threads : {1, 3}) {
    graft::embedding<f64> layer("e", 4, 130);
    graft_test::randomize(layer, 1);
    const std::vector<std::int32_t> ids{3, 1, 3, 3, 0};
    const auto dy = graft_test::random_matrix(5, 130, 2);
    graft::context ctx;
    ctx.threads = threads;
    layer.backward(ids, dy, ctx);
    matrix<double> y(5, 130);
    graft_test::check_derivatives({{"table", layer.weight.edit().data(), layer.weight.gradient().data(), layer.weight.size()}}, [&] {
      y.setZero();
      layer.add_forward(ids, y, ctx);
      return y.cwiseProduct(dy).sum();
    });
  }
}

TEST_CASE("a frozen table gets no gradient, and ids outside it are refused") {
  graft::embedding<f64> layer("e", 3, 2);
  matrix<double> y = matrix<double>::Zero(1, 2);
  graft::context ctx;
  layer.backward(std::vector<std::int32_t>{1}, y, ctx);
  CHECK_FALSE(layer.weight.has_gradient());
  for (const std::int32_t id : {-1, 3}) {
    CHECK_THROWS_WITH(layer.add_forward(std::vector<std::int32_t>{id}, y, ctx),
                      Catch::Contains("layer 'e.weight': id " + std::to_string(id) + " is outside 0 .. 2"));
  }
}

TEST_CASE("of a table in a mapped file only what is being looked up is in memory") {
  constexpr graft::index rows = 8192, cols = 512;
  const graft_test::temporary_folder folder;
  graft::write_file(folder / "table", std::string(rows * cols * sizeof(double), '\0'));
  const auto file = std::make_shared<const graft::mapped_file>(folder / "table");
  graft::embedding<f64> layer("e", rows, cols);
  layer.weight.read_in_place({file, reinterpret_cast<const double*>(file->data())});
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 0; id < rows; ++id) ids.push_back(id);
  matrix<double> y = matrix<double>::Ones(rows, cols);
  for (const int threads : {1, 3}) {
    graft::context ctx;
    ctx.threads = threads;
    layer.add_forward(ids, y, ctx);
    CHECK((y.array() == 1).all());
    CHECK(graft_test::resident_bytes(file->data()) <= static_cast<long>(file->size() / 32));
  }
}
