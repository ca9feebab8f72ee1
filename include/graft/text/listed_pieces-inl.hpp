#pragma once
// Bodies of graft/text/listed_pieces.hpp.

#include <algorithm>
#include <limits>
#include <utility>

#include "graft/core/compiled.hpp"
#include "graft/text/json_walk.hpp"
#include "graft/text/listed_pieces.hpp"

namespace graft::detail {

/// Follows where in the file the parser is, and takes what stands in the places that list something.
class piece_walk : public json_walk<piece_walk> {
 public:
  listed_pieces found;

  bool number_unsigned(std::uint64_t number) {
    const bool possible = number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return take(possible ? static_cast<std::int64_t>(number) : -1);
  }
  bool other() { return take(-1); }
  bool string(std::string& text) {
    if (within(place::merges)) {
      found.merges.push_back(merge_parts(text));
    } else if (within(place::merge)) {
      part_of_merge(std::move(text));
    } else if (within(place::token) && name_ == "content") {
      if (text.empty() || !found.added.back().text.empty()) return false;
      found.added.back().text = std::move(text);
    } else {
      return take(-1);
    }
    return true;
  }
  bool key(std::string& name) {
    name_ = std::move(name);
    if (within(place::file) && name_ == "model") return !std::exchange(has_model_, true);
    if (within(place::file) && name_ == "added_tokens") return !std::exchange(has_added_, true);
    if (within(place::model) && name_ == "vocab") return !std::exchange(has_vocabulary_, true);
    if (within(place::model) && name_ == "merges") return !std::exchange(has_merges_, true);
    return true;
  }
  bool start_object(std::size_t /*members*/) { return enter(true); }
  bool start_array(std::size_t /*elements*/) { return enter(false); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }

 private:
  enum class place : std::uint8_t { file, model, vocabulary, merges, merge, added, token, elsewhere };

  bool within(place here) const { return !open_.empty() && open_.back() == here; }
  bool enter(bool object) {
    open_.push_back(inside(object));
    return std::ssize(open_) <= deepest_json;
  }
  bool leave() {
    if (within(place::merge) && parts_ != 2) found.merges.back() = {};
    open_.pop_back();
    return true;
  }
  /// Where one is inside the object, or array, that begins here.
  place inside(bool object) {
    if (open_.empty()) return object ? place::file : place::elsewhere;
    if (within(place::file) && object && name_ == "model") return place::model;
    if (within(place::file) && !object && name_ == "added_tokens") return place::added;
    if (within(place::model) && name_ == "vocab" && object) {
      found.by_name = true;
      return place::vocabulary;
    }
    if (within(place::model) && name_ == "merges" && !object) {
      found.has_merges = true;
      return place::merges;
    }
    if (within(place::added) && object) {
      found.added.emplace_back();
      return place::token;
    }
    take(-1);
    if (within(place::merges) && !object) {
      parts_ = 0;
      return place::merge;
    }
    return place::elsewhere;
  }
  /// A value that is ID, or -1: another.
  bool take(std::int64_t id) {
    if (within(place::vocabulary)) {
      found.pieces.push_back({std::move(name_), id});
    } else if (within(place::token) && name_ == "id") {
      found.added.back().id = id;
    } else if (within(place::merges)) {
      found.merges.emplace_back();
    } else if (within(place::merge)) {
      part_of_merge({});
    }
    return true;
  }
  void part_of_merge(std::string text) {
    auto& [left, right] = found.merges.back();
    if (parts_ < 2) (parts_ == 0 ? left : right) = std::move(text);
    ++parts_;
  }

  std::vector<place> open_;
  std::string name_;  // of the member whose value comes
  int parts_ = 0;     // of the merge, so far
  bool has_model_ = false, has_added_ = false, has_vocabulary_ = false, has_merges_ = false;
};

GRAFT_INLINE std::optional<listed_pieces> list_pieces(std::string_view text) {
  piece_walk walk;
  if (!json::sax_parse(text, &walk)) return std::nullopt;
  return std::move(walk.found);
}

GRAFT_INLINE std::pair<std::string, std::string> merge_parts(std::string_view merge) {
  const auto space = std::min(merge.find(' '), merge.size());
  return {std::string(merge.substr(0, space)), std::string(merge.substr(std::min(space + 1, merge.size())))};
}

}  // namespace graft::detail
