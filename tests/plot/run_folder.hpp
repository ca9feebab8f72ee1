#pragma once
// A run's output folder with logs of the test's own making.

#include <filesystem>
#include <string>

#include "graft/core/file.hpp"
#include "support/shared.hpp"

namespace graft_test {

struct run_folder {
  temporary_folder folder;

  const std::string& path() const { return folder.path(); }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    graft::write_file(folder / name, text);
  }
};

inline std::string loss_row(int step, const std::string& loss, const std::string& more = "") {
  return "{\"epoch\":0,\"epoch_step\":" + std::to_string(step) + ",\"global_step\":" + std::to_string(step) + ",\"loss_val\":" + loss +
         more + ",\"TIMESTAMP\":1583000000.5}\n";
}

inline std::string score_row(int step, const std::string& score) {
  return "{\"score\":" + score + ",\"train_global_state\":{\"epoch\":0,\"epoch_step\":0,\"global_step\":" + std::to_string(step) +
         "},\"TIMESTAMP\":1583000000.5}\n";
}

/// SITES: the members of "weights", such as "layer_00":{"rte":0.5,"base":0.5}
inline std::string weights_row(int step, const std::string& sites) {
  return "{\"weights\":{" + sites + "},\"tgs\":{\"epoch\":0,\"epoch_step\":0,\"global_step\":" + std::to_string(step) +
         "},\"TIMESTAMP\":1583000000.5}\n";
}

}  // namespace graft_test
