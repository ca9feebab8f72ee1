#pragma once
// What embeddings of texts are asked for.

#include <optional>
#include <string>
#include <vector>

#include "graft/core/index.hpp"
#include "graft/heads/pooling.hpp"

namespace graft {

/// How embeddings are made, where it is not as the model's folder says.
struct embedding_options {
  std::string folder{};                 // of sentence-transformers, with modules.json; "": the model's own
  std::vector<pooling> poolings{};      // in place of all that modules.json says to do behind the encoder; none: as it says
  bool normalize = false;               // to length 1, at the end
  index dimensions = 0;                 // the first of them alone; 0: all
  std::string prompt_name{};            // which of the model's prompts goes in front of texts; "": its default, if it has one
  std::optional<std::string> prompt{};  // that text, in place of the model's
};

}  // namespace graft
