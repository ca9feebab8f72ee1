#pragma once
// The entries of a zip archive (zip64 too) whose entries are stored without compression, as PyTorch writes them.

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "graft/core/file.hpp"

namespace graft {

/// Name -> bytes of every entry of the archive FILE; the bytes lie in the mapping of FILE.
/// @throws format_error  no zip archive, cut short, an entry outside the file, compressed, encrypted or named twice
/// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.   Tested: tests/io/torch_file_test.cpp
std::map<std::string, std::span<const std::byte>> zip_entries(const mapped_file& file);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/io/zip_archive-inl.hpp"  // IWYU pragma: export
#endif
