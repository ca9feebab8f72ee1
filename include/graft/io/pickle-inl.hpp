#pragma once
// Bodies of graft/io/pickle.hpp.

#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/io/pickle.hpp"

namespace graft::detail {

GRAFT_INLINE const pickle_value& pickle_machine::run() {
  for (int steps = 0; steps < limit_; ++steps) {
    const auto opcode = reader_.read<std::uint8_t>();
    if (opcode == '.') return *pop();
    step(opcode);
  }
  reader_.fail("this pickle is longer than that of any model");
}

GRAFT_INLINE void pickle_machine::step(std::uint8_t opcode) {
  switch (opcode) {
    case 0x80:  // PROTO
      if (const int protocol = reader_.read<std::uint8_t>(); protocol != 2) {
        reader_.fail("pickle protocol " + std::to_string(protocol) + " was found, 2 (the default of torch.save) was expected");
      }
      return;
    case '(':
      return marks_.push_back(stack_.size());  // MARK
    case '}':
      return push({value::dictionary});  // EMPTY_DICT
    case ']':                            // EMPTY_LIST
    case ')':
      return push({value::sequence});  // EMPTY_TUPLE
    case 'N':
      return push({value::none});  // NONE
    case 0x88:                     // NEWTRUE
    case 0x89:
      return push({value::boolean, opcode == 0x88});
    case 'J':
      return push({value::integer, reader_.read<std::int32_t>()});  // BININT
    case 'K':
      return push({value::integer, reader_.read<std::uint8_t>()});  // BININT1
    case 'M':
      return push({value::integer, reader_.read<std::uint16_t>()});  // BININT2
    case 0x8a:
      return push({value::integer, long_integer()});  // LONG1
    case 'G':
      reader_.bytes(8);
      return push({value::real});  // BINFLOAT: its value is of no use here
    case 'X':                      // BINUNICODE
    case 'T':
      return push({value::text, 0, reader_.text(reader_.read<std::uint32_t>())});  // BINSTRING
    case 'U':
      return push({value::text, 0, reader_.text(reader_.read<std::uint8_t>())});  // SHORT_BINSTRING
    case 'q':
      memo_[reader_.read<std::uint8_t>()] = top();
      return;  // BINPUT
    case 'r':
      memo_[reader_.read<std::uint32_t>()] = top();
      return;  // LONG_BINPUT
    case 'h':
      return recall(reader_.read<std::uint8_t>());  // BINGET
    case 'j':
      return recall(reader_.read<std::uint32_t>());  // LONG_BINGET
    case 't':
      return push({value::sequence, 0, {}, pop_to_mark()});  // TUPLE
    case 0x85:
      return tuple(1);
    case 0x86:
      return tuple(2);
    case 0x87:
      return tuple(3);
    case 'a':
      return extend(value::sequence, {pop()}, 1);  // APPEND
    case 'e':
      return extend(value::sequence, pop_to_mark(), 1);  // APPENDS
    case 's':
      return extend(value::dictionary, pop_many(2), 2);  // SETITEM
    case 'u':
      return extend(value::dictionary, pop_to_mark(), 2);  // SETITEMS
    case 'c':
      return global();
    case 'Q':
      return persistent_id();
    case 'R':
      return reduce();
    case 'b':  // BUILD: an OrderedDict's attributes (PyTorch's _metadata), of no use here
      pop();
      if (top()->kind != value::dictionary) reader_.fail("a pickle sets attributes of " + std::string(top()->kind_name()));
      return;
    default:
      refuse(opcode);
  }
}

GRAFT_INLINE void pickle_machine::refuse(std::uint8_t opcode) const {
  static constexpr std::pair<std::uint8_t, const char*> known[] = {
      {'i', "INST"},     {'o', "OBJ"},    {0x81, "NEWOBJ"}, {0x92, "NEWOBJ_EX"}, {0x93, "STACK_GLOBAL"}, {0x82, "EXT1"},    {0x83, "EXT2"},
      {0x84, "EXT4"},    {'P', "PERSID"}, {0x95, "FRAME"},  {0x94, "MEMOIZE"},   {0x8b, "LONG4"},        {'B', "BINBYTES"}, {'I', "INT"},
      {'L', "LONG"},     {'S', "STRING"}, {'V', "UNICODE"}, {'F', "FLOAT"},      {'p', "PUT"},           {'g', "GET"},      {'0', "POP"},
      {'1', "POP_MARK"}, {'2', "DUP"},    {'d', "DICT"},    {'l', "LIST"},       {0x8f, "EMPTY_SET"}};
  char text[8];
  std::snprintf(text, sizeof text, "0x%02x", opcode);
  std::string name = text;
  for (const auto& [code, its_name] : known) {
    if (code == opcode) name = its_name;
  }
  reader_.fail("pickle opcode " + name +
               " is not one that a dict of tensors needs, and is not run: save model.state_dict() with torch.save");
}

GRAFT_INLINE void pickle_machine::push(value v) {
  if (values_.size() >= 1'000'000) reader_.fail("this pickle builds more values than that of any model");
  stack_.push_back(&values_.emplace_back(std::move(v)));
}

GRAFT_INLINE void pickle_machine::need(std::size_t count) const {
  const std::size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() < bottom + count) reader_.fail("a pickle takes more from its stack than is there");
}

GRAFT_INLINE pickle_machine::value* pickle_machine::top() const {
  need(1);
  return stack_.back();
}

GRAFT_INLINE pickle_machine::value* pickle_machine::pop() {
  value* const v = top();
  stack_.pop_back();
  return v;
}

GRAFT_INLINE std::vector<const pickle_machine::value*> pickle_machine::pop_many(std::size_t count) {
  need(count);
  std::vector<const value*> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return items;
}

GRAFT_INLINE std::vector<const pickle_machine::value*> pickle_machine::pop_to_mark() {
  if (marks_.empty()) reader_.fail("a pickle takes more from its stack than is there");
  auto items = pop_many(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

GRAFT_INLINE void pickle_machine::tuple(std::size_t count) { push({value::sequence, 0, {}, pop_many(count)}); }

GRAFT_INLINE void pickle_machine::recall(std::uint32_t number) {
  const auto found = memo_.find(number);
  if (found == memo_.end()) reader_.fail("a pickle recalls value " + std::to_string(number) + ", which it never stored");
  stack_.push_back(found->second);
}

GRAFT_INLINE void pickle_machine::extend(value::kind_type kind, const std::vector<const value*>& items, std::size_t multiple) {
  value* const target = top();
  if (target->kind != kind || items.size() % multiple != 0) {
    reader_.fail("a pickle adds " + std::to_string(items.size()) + " items to " + target->kind_name());
  }
  target->items.insert(target->items.end(), items.begin(), items.end());
}

GRAFT_INLINE std::int64_t pickle_machine::long_integer() {
  const auto bytes = reader_.bytes(reader_.read<std::uint8_t>());
  if (bytes.size() > 8) reader_.fail("a pickle holds an integer of " + std::to_string(bytes.size()) + " bytes, at most 8 were expected");
  if (bytes.empty()) return 0;
  std::uint64_t number = static_cast<std::int8_t>(bytes.back()) < 0 ? ~std::uint64_t{0} : 0;
  std::memcpy(&number, bytes.data(), bytes.size());
  return static_cast<std::int64_t>(number);
}

GRAFT_INLINE void pickle_machine::global() {
  const auto start = reader_.position();
  const auto module = reader_.line();
  const auto name = reader_.line();
  const std::string full = std::string(module) + "." + std::string(name);
  static constexpr std::array<std::string_view, 14> known{"collections.OrderedDict",
                                                          "torch._utils._rebuild_tensor",
                                                          "torch._utils._rebuild_tensor_v2",
                                                          "torch._utils._rebuild_parameter",
                                                          "torch.DoubleStorage",
                                                          "torch.FloatStorage",
                                                          "torch.HalfStorage",
                                                          "torch.BFloat16Storage",
                                                          "torch.LongStorage",
                                                          "torch.IntStorage",
                                                          "torch.ShortStorage",
                                                          "torch.CharStorage",
                                                          "torch.ByteStorage",
                                                          "torch.BoolStorage"};
  for (const auto entry : known) {
    if (full == entry) return push({value::global, 0, entry});
  }
  reader_.seek(start);
  reader_.fail("a pickle asks for '" + full +
               "', which a dict of tensors does not need, and which is not run: save model.state_dict() with torch.save");
}

GRAFT_INLINE void pickle_machine::persistent_id() {
  const value* id = pop();
  const auto& items = id->items;
  const bool fine = id->kind == value::sequence && (items.size() == 5 || (items.size() == 6 && items[5]->kind == value::none)) &&
                    items[0]->kind == value::text && items[0]->string == "storage" && items[1]->kind == value::global &&
                    items[2]->kind == value::text && items[4]->kind == value::integer && items[4]->number >= 0;
  if (!fine) reader_.fail("a pickle refers to something other than the storage of a tensor");
  push({value::storage, items[4]->number, items[2]->string, {items[1]}});
}

GRAFT_INLINE void pickle_machine::reduce() {
  const value* arguments = pop();
  const value* function = pop();
  if (function->kind != value::global || arguments->kind != value::sequence) reader_.fail("a pickle calls something that is no function");
  const auto& items = arguments->items;
  if (function->string == "collections.OrderedDict" && items.empty()) return push({value::dictionary});
  if (function->string == "torch._utils._rebuild_parameter" && !items.empty() && items[0]->kind == value::tensor) {
    return push(*items[0]);
  }
  const bool rebuild = function->string.starts_with("torch._utils._rebuild_tensor");
  if (rebuild && items.size() >= 4 && items[0]->kind == value::storage && items[1]->kind == value::integer &&
      items[2]->kind == value::sequence && items[3]->kind == value::sequence) {
    return push({value::tensor, items[1]->number, {}, {items[0], items[2], items[3]}});
  }
  reader_.fail("a pickle calls " + std::string(function->string) + " with arguments that it does not take");
}

}  // namespace graft::detail
