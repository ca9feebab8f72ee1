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
  bool tokens = false;
  flag_table flags("tokenize", "--model_tokenizer_path FOLDER [--tokens] < TEXT",
                   "Reads lines of text from standard input and prints a line of token ids for each, as they come. A line, which ends in "
                   "\\n or \\r\\n, is taken exactly as it is: not stripped, no special tokens put around it, and those that stand in it, "
                   "such as </s>, are text like any other.");
  flags.group("Flags");
  flags.add("model_tokenizer_path", &folder, "The folder with vocab.json and merges.txt (RoBERTa), vocab.txt (BERT), or a tokenizer.json.")
      .required();
  flags.add("tokens", &tokens, "Print tokens in place of ids.");
  if (!flags.parse(argc, argv)) return 0;

  const auto model = tokenizer::from_folder(folder);
  print_notes(model.notes());
  line_reader lines = standard_input();
  lines.allow_nul();
  std::string output;
  for (std::string_view line; lines.next(line);) {
    output.clear();
    for (const auto id : model.encode_plain(line)) {
      if (!output.empty()) output += ' ';
      output += tokens ? printable(model.token(id), std::string::npos) : std::to_string(id);
    }
    output += '\n';
    if (!std::cout.write(output.data(), static_cast<std::streamsize>(output.size())) || lines.ahead().empty()) flush_output();
  }
  return 0;
}

}  // namespace graft::program
