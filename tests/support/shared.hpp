#pragma once
// Where optional test material lies: a folder `shared` beside the checkout, or $GRAFT_SHARED.

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

namespace graft_test {

/// The full path of RELATIVE inside the optional material, or "" (and a line on stderr: the caller returns, its test is skipped) when it is
/// absent.
inline std::string shared_path(const std::string& relative) {
  const char* variable = std::getenv("GRAFT_SHARED");
  const std::filesystem::path root =
      variable != nullptr ? std::filesystem::path(variable) : std::filesystem::path(GRAFT_TEST_DIR) / "../../shared";
  const auto path = (root / relative).lexically_normal();
  if (std::filesystem::exists(path)) return path.string();
  std::cerr << "SKIPPED: " << relative << " is not there (set GRAFT_SHARED)\n";
  return "";
}

/// A fresh, empty folder that is removed with the object.
class temporary_folder {
 public:
  temporary_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "graft_test_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace graft_test
