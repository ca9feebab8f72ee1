#pragma once
// A pickle machine that can build the dictionaries of tensors which PyTorch saves, and nothing else: no code in a file is ever run.

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "graft/io/byte_reader.hpp"

namespace graft::detail {

/// What a pickle builds. Texts are windows onto the file.
struct pickle_value {
  enum kind_type { none, boolean, integer, real, text, sequence, dictionary, global, storage, tensor };
  static constexpr std::array<const char*, 10> kind_names{"None",       "a boolean", "a number", "a number",  "a text",
                                                          "a sequence", "a dict",    "a class",  "a storage", "a tensor"};
  kind_type kind = none;
  std::int64_t number = 0;    // boolean, integer; storage: its elements; tensor: the element it begins at
  std::string_view string{};  // text; global: "torch.FloatStorage"; storage: its key
  std::vector<const pickle_value*>
      items{};  // sequence; dictionary: keys and values in turn; storage: its global; tensor: storage, sizes, strides

  const char* kind_name() const { return kind_names[kind]; }
};

/// Runs one pickle at the position of READER, which moves behind it.
/// Understands protocol 2, the one that torch.save writes, as far as a dictionary of tensors needs it, and these globals:
/// collections.OrderedDict, torch.*Storage (as names only), torch._utils._rebuild_tensor, _rebuild_tensor_v2, _rebuild_parameter.
/// Values refer to one another but are all owned here, so neither depth nor cycles cost anything.
/// @throws format_error  another opcode or global, named; a malformed or cut pickle; more than a million values
/// Source: CPython Lib/pickletools.py; torch/_utils.py and torch/serialization.py.   Tested: tests/io/torch_file_test.cpp
class pickle_machine {
 public:
  explicit pickle_machine(byte_reader& reader) : reader_(reader) {}
  pickle_machine(const pickle_machine&) = delete;

  const pickle_value& run();

  /// Every value that the pickle made on its way.
  const std::deque<pickle_value>& values() const { return values_; }

 private:
  using value = pickle_value;

  void step(std::uint8_t opcode);

  [[noreturn]] void refuse(std::uint8_t opcode) const;

  void push(value v);
  void need(std::size_t count) const;
  value* top() const;
  value* pop();
  std::vector<const value*> pop_many(std::size_t count);
  std::vector<const value*> pop_to_mark();
  void tuple(std::size_t count);
  void recall(std::uint32_t number);
  void extend(value::kind_type kind, const std::vector<const value*>& items, std::size_t multiple);

  std::int64_t long_integer();

  void global();

  /// ('storage', torch.FloatStorage, key, device, elements[, None])
  void persistent_id();

  void reduce();

  static constexpr int limit_ = 10'000'000;
  byte_reader& reader_;
  std::deque<value> values_;
  std::vector<value*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, value*> memo_;
};

}  // namespace graft::detail

#if !defined(GRAFT_COMPILED)
#include "graft/io/pickle-inl.hpp"  // IWYU pragma: export
#endif
