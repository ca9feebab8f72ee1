#pragma once
// Learns a small byte-level byte-pair encoding, in the two files that RoBERTa's tokenizer reads.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/file.hpp"
#include "graft/core/json.hpp"

namespace example {

/// GPT-2's stand-in for each byte: itself where it prints, otherwise a letter from U+0100 on, as UTF-8.
inline std::vector<std::string> byte_symbols() {
  std::vector<std::string> symbols;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    const int point = prints ? byte : next++;
    symbols.push_back(point < 0x80 ? std::string(1, static_cast<char>(point))
                                   : std::string{static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 0x3f))});
  }
  return symbols;
}

/// Counts the pieces of plain English TEXT that merges may not cross: a word with the space before it, or one punctuation mark.
inline void count_words(const std::string& text, std::map<std::string, long>& words) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + (text[at] == ' ' ? 1 : 0);
    if (end < text.size() && letter(text[end])) {
      while (end < text.size() && letter(text[end])) ++end;
    } else {
      ++end;
    }
    ++words[text.substr(at, end - at)];
    at = end;
  }
}

struct byte_pair_encoding {
  std::vector<std::string> tokens;  ///< a token's id is its place
  std::vector<std::pair<std::string, std::string>> merges;

  void write(const std::string& folder) const {
    graft::ordered_json vocabulary;
    for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary[tokens[id]] = id;
    graft::write_file(folder + "/vocab.json", vocabulary.dump());
    std::string lines = "#version: 0.2\n";
    for (const auto& [left, right] : merges) lines += left + " " + right + "\n";
    graft::write_file(folder + "/merges.txt", lines);
  }
};

/// Merges the most frequent neighbors (the first in byte order on a tie) until there are SIZE tokens or every word is one.
inline byte_pair_encoding train_byte_pairs(const std::map<std::string, long>& words, std::size_t size) {
  const auto symbols = byte_symbols();
  byte_pair_encoding result{{"<s>", "<pad>", "</s>", "<unk>"}, {}};
  result.tokens.insert(result.tokens.end(), symbols.begin(), symbols.end());
  std::vector<std::pair<std::vector<std::string>, long>> split;
  for (const auto& [word, count] : words) {
    split.push_back({{}, count});
    for (const char c : word) split.back().first.push_back(symbols[static_cast<unsigned char>(c)]);
  }
  while (result.tokens.size() + 1 < size) {
    std::map<std::pair<std::string, std::string>, long> counts;
    for (const auto& [parts, count] : split) {
      for (std::size_t i = 1; i < parts.size(); ++i) counts[{parts[i - 1], parts[i]}] += count;
    }
    if (counts.empty()) break;
    auto best = counts.begin();
    for (auto entry = counts.begin(); entry != counts.end(); ++entry) {
      if (entry->second > best->second) best = entry;
    }
    const auto [left, right] = best->first;
    result.merges.emplace_back(left, right);
    result.tokens.push_back(left + right);
    for (auto& [parts, count] : split) {
      for (std::size_t i = 1; i < parts.size(); ++i) {
        if (parts[i - 1] != left || parts[i] != right) continue;
        parts[i - 1] += right;
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }
  result.tokens.push_back("<mask>");
  return result;
}

}  // namespace example
