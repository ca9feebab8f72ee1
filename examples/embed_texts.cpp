// How near two texts are.  embed_texts MODEL_FOLDER TEXT TEXT
// MODEL_FOLDER: of sentence-transformers, or of any encoder.
#include <iostream>

#include "graft/predictor.hpp"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: embed_texts MODEL_FOLDER TEXT TEXT\n";
    return 2;
  }
  try {
    const graft::embedder model(argv[1]);
    const auto vectors = model.embed({argv[2], argv[3]});
    std::cout << graft::cosine_similarity(vectors[0], vectors[1]) << '\n';
  } catch (const std::exception& failure) {
    std::cerr << "embed_texts: " << failure.what() << '\n';
    return 1;
  }
}
