// graft tokenize: lines of text on stdin -> their token ids, or tokens, on stdout.

#include <iostream>
#include <string>
#include <string_view>

#include "commands/commands.hpp"
#include "flags/flags.hpp"
#include "graft/core/printable.hpp"
#include "graft/text/tokenizer.hpp"
#include "host/notes.hpp"
#include "host/standard_input.hpp"

namespace graft::program {

int tokenize(int argc, const char* const* argv) {
  std::string folder;
  bool tokens = false, offsets = false, special_tokens = false;
  flag_table flags("tokenize", "--model_tokenizer_path FOLDER [--tokens] [--offsets] [--special_tokens] < TEXT",
                   "Reads lines of text from standard input and prints a line of token ids for each, as they come. A line, which ends in "
                   "\\n or \\r\\n, is taken exactly as it is: not stripped, no special tokens put around it, and those that stand in it, "
                   "such as </s>, are text like any other without --special_tokens.");
  flags.group("Flags");
  flags
      .add("model_tokenizer_path", &folder,
           "The folder with vocab.json and merges.txt (RoBERTa), vocab.txt (BERT), a tokenizer.json, or a SentencePiece model.")
      .required();
  flags.add("tokens", &tokens, "Print tokens in place of ids.");
  flags.add("offsets", &offsets, "Print where each token stands behind it, as :BEGIN-END in characters of the line.");
  flags.add("special_tokens", &special_tokens, "Special and added tokens in a line are what they are.");
  if (!flags.parse(argc, argv)) return 0;

  const auto model = tokenizer::from_folder(folder);
  print_notes(model.notes());
  line_reader lines = standard_input();
  lines.allow_nul();
  std::string output;
  std::vector<text_span> spans;
  for (std::string_view line; lines.next(line);) {
    output.clear();
    auto* offset_list = offsets ? &spans : nullptr;
    const auto ids = special_tokens ? model.encode(line, false, offset_list) : model.encode_plain(line, offset_list);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!output.empty()) output += ' ';
      output += tokens ? printable(model.token(ids[i]), std::string::npos) : std::to_string(ids[i]);
      if (offsets) output += ":" + std::to_string(spans[i].begin) + "-" + std::to_string(spans[i].end);
    }
    output += '\n';
    if (!std::cout.write(output.data(), static_cast<std::streamsize>(output.size())) || lines.ahead().empty()) flush_output();
  }
  return 0;
}

}  // namespace graft::program
