// Callables that somebody else owns.

#include "graft/core/function_view.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "graft/core/parameter.hpp"

namespace {

int doubled(int x) { return 2 * x; }
int seen_sizes = 0;
void add_size(graft::parameter<float>& p) { seen_sizes += static_cast<int>(p.size()); }

}  // namespace

TEST_CASE("a function_view calls what it was made of: a lambda with state, a constant one, a function") {
  const auto twice = [](graft::function_view<int(int)> f, int x) { return f(f(x)); };
  int calls = 0;
  CHECK(twice([&](int x) { return x + ++calls; }, 1) == 4);
  CHECK(calls == 2);
  const auto squared = [](int x) { return x * x; };
  CHECK(twice(squared, 3) == 81);
  CHECK(twice(doubled, 3) == 12);
  CHECK(twice(&doubled, 3) == 12);
}

TEST_CASE("a visitor of parameters may be a function, and may return what nobody wants") {
  auto p = graft::parameter<float>::vector("p", graft::parameter_role::bias, 3);
  const auto visit = [&](graft::parameter_visitor<float> f) { f(p); };
  visit(add_size);
  CHECK(seen_sizes == 3);
  std::set<const void*> all;
  visit([&](auto& one) { return all.insert(&one); });
  CHECK(all.size() == 1);
}
