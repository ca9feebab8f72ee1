// Answers to lines, as many as come, in memory for a window of them.  embed_stream MODEL_FOLDER TUNED < TEXTS
// MODEL_FOLDER: a Hugging Face folder.  TUNED: the model.safetensors that a trainer saved around that model.
#include <iostream>
#include <string>

#include "graft/predictor.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: embed_stream MODEL_FOLDER TUNED < TEXTS\n";
    return 2;
  }
  try {
    const std::string folder = argv[1];
    const graft::predictor model({.model_path = folder, .config_path = folder + "/config.json", .tokenizer_path = folder}, argv[2]);

    const auto next_line = [](graft::example& row) { return static_cast<bool>(std::getline(std::cin, row.text_a)); };
    for (const graft::answer& answer : graft::answer_stream(model, next_line)) {
      std::cout << answer.label << '\t' << answer.score << '\n';
    }
  } catch (const std::exception& failure) {
    std::cerr << "embed_stream: " << failure.what() << '\n';
    return 1;
  }
}
