// graft tokenize: lines of text on stdin -> their token ids, or tokens, on stdout.

#include <cstdint>
#include <iostream>
#include <string>

#include "commands.hpp"
#include "flags.hpp"
#include "graft/core/printable.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft::program {

int tokenize(int argc, const char* const* argv) {
  std::string folder;
  bool tokens = false;
  flag_table flags("tokenize", "--model_tokenizer_path FOLDER [--tokens] < TEXT",
                   "Reads lines of text from standard input and prints a line of token ids for each. A line is taken exactly as it is: not "
                   "stripped, no special tokens put around it, and those that stand in it, such as </s>, are text like any other.");
  flags.group("Flags");
  flags.add("model_tokenizer_path", &folder, "The folder with vocab.json and merges.txt (RoBERTa), vocab.txt (BERT), or a tokenizer.json.")
      .required();
  flags.add("tokens", &tokens, "Print tokens in place of ids.");
  if (!flags.parse(argc, argv)) return 0;

  const auto model = tokenizer::from_folder(folder);
  std::string line;
  for (std::uint64_t number = 1; std::getline(std::cin, line); ++number) {
    std::string output;
    try {
      for (const auto id : model.encode_plain(line))
        output += (output.empty() ? "" : " ") + (tokens ? printable(model.token(id), std::string::npos) : std::to_string(id));
    } catch (const encoding_error& failure) {
      throw format_error::at_line("standard input", number, failure.what());
    }
    std::cout << output << '\n';
  }
  return 0;
}

}  // namespace graft::program
