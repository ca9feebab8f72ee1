#pragma once
// UTF-8 text as the tokenizers need it, checked once. Unicode classes come from utf8proc.

#include <utf8proc.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "graft/core/error.hpp"
#include "graft/core/utf8.hpp"

namespace graft {

/// A text is not valid UTF-8. `what()` names the byte; whoever knows file and line adds them.
class encoding_error : public error {
 public:
  explicit encoding_error(std::uint64_t offset);
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  std::uint64_t offset_;
};

namespace detail {

/// Unicode's White_Space property, which is `\s` in a regular expression.
constexpr bool is_white_space(std::int32_t value) {
  if (value < 0x80) return value == ' ' || (value >= '\t' && value <= '\r');
  const auto category = utf8proc_category(value);
  return value == 0x85 || (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

/// What Python's str.strip() removes: White_Space and the four ASCII separators.
bool is_stripped(std::int32_t value);

}  // namespace detail

/// @throws encoding_error  TEXT is not valid UTF-8 (overlong forms and surrogates are not)
void require_utf8(std::string_view text);

/// Valid UTF-8 without white space at its start, as Python's str.lstrip(), or without what REMOVED is true for.
std::string_view strip_left(std::string_view text, bool (*removed)(std::int32_t) = detail::is_stripped);

/// Valid UTF-8 without white space at its end, as Python's str.rstrip(), or without what REMOVED is true for.
std::string_view strip_right(std::string_view text, bool (*removed)(std::int32_t) = detail::is_stripped);

/// Valid UTF-8 without white space at either end, as Python's str.strip().
std::string_view strip(std::string_view text);

}  // namespace graft

#if !defined(GRAFT_COMPILED)
#include "graft/text/utf8-inl.hpp"  // IWYU pragma: export
#endif
