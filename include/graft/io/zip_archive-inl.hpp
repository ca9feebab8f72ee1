#pragma once
// Bodies of graft/io/zip_archive.hpp.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "graft/core/compiled.hpp"
#include "graft/core/error.hpp"
#include "graft/io/byte_reader.hpp"
#include "graft/io/zip_archive.hpp"

namespace graft {

GRAFT_INLINE std::map<std::string, std::span<const std::byte>> zip_entries(const mapped_file& file) {
  const std::string_view all = file.text();
  byte_reader reader({file.data(), file.size()}, file.path());

  // The directory is found from the end: a record of 22 bytes, behind it a comment of at most 65535.
  const std::size_t tail_start = all.size() - std::min<std::size_t>(all.size(), 22 + 65535);
  const std::size_t found = all.substr(tail_start).rfind("PK\5\6");
  if (found == all.npos) throw format_error(file.path(), "has no zip directory at its end (cut short?)");
  const std::size_t end_record = tail_start + found;
  reader.seek(end_record + 10);
  std::uint64_t count = reader.read<std::uint16_t>();
  reader.read<std::uint32_t>();  // size of the directory
  std::uint64_t directory = reader.read<std::uint32_t>();
  reader.bytes(reader.read<std::uint16_t>());  // comment
  const std::size_t locator = end_record - std::min<std::size_t>(end_record, 20);
  if (all.substr(locator, 4) == "PK\6\7") {  // zip64: the numbers lie in a larger record
    reader.seek(locator + 8);
    const auto record = reader.read<std::uint64_t>();
    reader.seek(record);
    if (reader.text(4) != "PK\6\6") reader.fail("is no zip64 directory record");
    reader.bytes(28);
    count = reader.read<std::uint64_t>();
    reader.read<std::uint64_t>();  // size of the directory
    directory = reader.read<std::uint64_t>();
  }

  std::map<std::string, std::span<const std::byte>> entries;
  reader.seek(directory);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (reader.text(4) != "PK\1\2") reader.fail("is no zip directory entry, one was expected");
    reader.read<std::uint32_t>();  // versions
    const auto flags = reader.read<std::uint16_t>();
    const auto method = reader.read<std::uint16_t>();
    reader.read<std::uint64_t>();  // time, date, check sum
    std::uint64_t stored_size = reader.read<std::uint32_t>();
    std::uint64_t size = reader.read<std::uint32_t>();
    const auto name_size = reader.read<std::uint16_t>();
    const auto extra_size = reader.read<std::uint16_t>();
    const auto comment_size = reader.read<std::uint16_t>();
    reader.read<std::uint64_t>();  // disk, attributes
    std::uint64_t local = reader.read<std::uint32_t>();
    const std::string name(reader.text(name_size));
    byte_reader extra(reader.bytes(extra_size), file.path(), reader.position() - extra_size);
    while (extra.position() + 4 <= extra_size) {
      const auto id = extra.read<std::uint16_t>();
      const auto field_size = extra.read<std::uint16_t>();
      byte_reader field(extra.bytes(field_size), file.path(), reader.position() - extra_size + extra.position() - field_size);
      if (id != 1) continue;  // 1: the numbers that do not fit 32 bits, in this order
      for (auto* number : {&size, &stored_size, &local}) {
        if (*number == 0xffffffff) *number = field.read<std::uint64_t>();
      }
    }
    reader.bytes(comment_size);
    const std::uint64_t next = reader.position();

    if ((flags & 1) != 0) reader.fail("zip entry '" + name + "' is encrypted");
    if (method != 0 || stored_size != size) {
      reader.fail("zip entry '" + name + "' is compressed, PyTorch stores its entries as they are: save it again with torch.save");
    }
    reader.seek(local);
    if (reader.text(4) != "PK\3\4") reader.fail("is no zip entry, '" + name + "' was expected");
    reader.bytes(22);
    const auto local_name_size = reader.read<std::uint16_t>();
    const auto local_extra_size = reader.read<std::uint16_t>();
    reader.bytes(std::uint64_t{local_name_size} + local_extra_size);
    if (!entries.emplace(name, reader.bytes(size)).second) reader.fail("holds zip entry '" + name + "' twice");
    reader.seek(next);
  }
  return entries;
}

}  // namespace graft
