#include "graft/core/fnv1a.hpp"

#include <catch2/catch.hpp>

TEST_CASE("FNV-1a gives its published values") {
  const auto hash = [](std::string_view text) {
    graft::fnv1a h;
    h.add(text);
    return h.value();
  };
  CHECK(hash("") == 0xcbf29ce484222325);
  CHECK(hash("a") == 0xaf63dc4c8601ec8c);
  CHECK(hash("foobar") == 0x85944171f73967e8);
}
