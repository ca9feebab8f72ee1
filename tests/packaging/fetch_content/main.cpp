// JSON and files, from a fetched graft.

#include "graft/encoder/config.hpp"
#include "graft/version.hpp"

int main() {
  try {
    graft::parse_encoder_config(graft::parse_json("{}", "config"), "config");
  } catch (const graft::format_error&) {
    return GRAFT_VERSION_MAJOR == 0 ? 0 : 1;
  }
  return 1;
}
