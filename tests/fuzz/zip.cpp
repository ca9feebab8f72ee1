// zip archives, whatever is in them.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include "graft/io/zip_archive.hpp"

GRAFT_HARNESS(zip) {
  const auto path = graft_fuzz::write("x", {reinterpret_cast<const char*>(data), size});
  graft_fuzz::attempt([&] {
    const graft::mapped_file file(path);
    [[maybe_unused]] volatile unsigned sum = 0;
    for (const auto& [name, bytes] : graft::zip_entries(file)) {
      for (const auto byte : bytes) sum = sum + static_cast<unsigned>(byte);
    }
  });
  return 0;
}
