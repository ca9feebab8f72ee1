// Answers inside someone else's main.  embed_predict MODEL_FOLDER TUNED TEXT_A [TEXT_B]
// MODEL_FOLDER: a Hugging Face folder.  TUNED: the model.safetensors that a trainer saved around that model.
#include <iostream>

#include "graft/predictor.hpp"

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: embed_predict MODEL_FOLDER TUNED TEXT_A [TEXT_B]\n";
    return 2;
  }
  try {
    const std::string folder = argv[1];
    const graft::predictor model({.model_path = folder, .config_path = folder + "/config.json", .tokenizer_path = folder}, argv[2]);

    graft::example row;
    row.text_a = argv[3];
    if (argc > 4) row.text_b = argv[4];
    for (const graft::answer& answer : model.predict(std::vector{row})) {
      std::cout << answer.label << " (" << answer.score << ")\n";
    }
  } catch (const std::exception& failure) {
    std::cerr << "embed_predict: " << failure.what() << '\n';
    return 1;
  }
}
