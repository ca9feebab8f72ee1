// Runs one harness over the files of a folder.  Usage: graft_fuzz_replay READER FOLDER
// It crashes where the harness does. Of files called good_... some reader must take the bytes, of bad_... none may.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string_view>
#include <vector>

#include "graft/core/file.hpp"
#include "harness.hpp"

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: graft_fuzz_replay READER FOLDER\n", 2;
  const auto* found = graft_fuzz::listed_harness::first;
  while (found != nullptr && std::string_view(found->name) != argv[1]) found = found->next;
  if (found == nullptr) return std::cerr << "there is no harness for " << argv[1] << "\n", 2;

  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  int wrong = files.empty() ? 1 : 0;
  for (const auto& file : files) {
    const std::string name = file.filename().string();
    std::cout << name << std::flush;  // before the harness runs, so that a crash is told with its file
    const auto bytes = graft::read_file(file.string());
    const auto before = graft_fuzz::accepted;
    found->run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    const bool taken = graft_fuzz::accepted != before;
    const bool fine = !(name.starts_with("good_") && !taken) && !(name.starts_with("bad_") && taken);
    std::cout << (taken ? " is read" : " is refused") << (fine ? "\n" : ", which is wrong\n");
    wrong += fine ? 0 : 1;
  }
  return wrong == 0 ? 0 : 1;
}
