// Ids and hidden states of a real encoder beside transformers'.  hidden_states MODEL TOKENIZER_FOLDER TEXTS.jsonl HIDDEN_STATES.safetensors
// Prints the largest differences; 1 as exit status where ids differ, f32 is farther away than 1e-5, or a token's state points elsewhere by
// a cosine below 0.9999 in bf16, below 0.998 in int8, or below 0.999 there in the mean.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "graft/core/context.hpp"
#include "graft/core/json.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/featurize.hpp"
#include "graft/io/model_file.hpp"
#include "graft/io/weights.hpp"
#include "graft/model/choose_precision.hpp"
#include "graft/model/freezing.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/model.hpp"
#include "graft/model/trunk_files.hpp"
#include "graft/text/tokenizer.hpp"

namespace {

using states = graft::matrix<double>;

/// What comes out of the last layer for every token of ROWS, a sequence at a time.
std::vector<states> hidden_states(const graft::trunk_files& files, graft::precision precision, const std::vector<graft::features>& rows) {
  const auto config = graft::read_trunk_config(files);
  return graft::in_precision(graft::effective_precision(precision), [&]<class P>(P) {
    auto model = graft::make_plain_classifier<P>(config, 1);
    graft::load_trunk(model, graft::open_model(files.model_path, config.model_type));
    graft::context ctx;
    model.trunk.int8 = precision == graft::precision::int8;
    if (model.trunk.int8) graft::pack_frozen(model, false, ctx.threads);
    std::vector<states> all;
    for (const graft::features& row : rows) {
      graft::batch b;
      b.add(row);
      graft::matrix<typename P::real> y(b.rows(), config.hidden_size);
      model.trunk.forward(b, y, nullptr, ctx);
      all.push_back(y.template cast<double>());
    }
    return all;
  });
}

double cosine(const states& a, const states& b) { return a.cwiseProduct(b).sum() / (a.norm() * b.norm()); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    const graft::trunk_files files{.model_path = argv[1], .config_path = std::string(argv[2]) + "/config.json", .tokenizer_path = argv[2]};
    const auto texts = graft::read_vocabulary(files.tokenizer_path, graft::read_trunk_config(files));
    std::vector<graft::features> rows;
    std::ifstream in(argv[3]);
    bool same_ids = true;
    for (std::string line; std::getline(in, line);) {
      const auto stored = graft::json::parse(line);
      graft::example row;
      row.text_a = stored.at("text_a").get<std::string>();
      if (stored.contains("text_b")) row.text_b = stored.at("text_b").get<std::string>();
      rows.push_back(graft::featurize(row, texts, 63));
      if (rows.back().input_ids == stored.at("ids").get<std::vector<std::int32_t>>()) continue;
      same_ids = false;
      std::cout << "other ids: " << line << '\n';
    }

    const auto theirs = graft::open_weights(argv[4]);
    const auto first = theirs.values<float>("first"), mean = theirs.values<float>("mean"), last = theirs.values<float>("states");
    const auto f32 = hidden_states(files, graft::precision::f32, rows), bf16 = hidden_states(files, graft::precision::bf16, rows),
               int8 = hidden_states(files, graft::precision::int8, rows);
    const graft::index kept = f32[0].cols() / 4;
    double difference = 0, least = 1, least_int8 = 1, int8_sum = 0;
    graft::index tokens = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const states means = f32[i].colwise().mean();
      for (graft::index k = 0; k < kept; ++k) {
        const auto stored = i * static_cast<std::size_t>(kept) + static_cast<std::size_t>(k);
        const graft::index column = 4 * k + static_cast<graft::index>(i % 4);
        difference = std::max({difference, std::abs(f32[i](0, column) - first.at(stored)), std::abs(means(0, column) - mean.at(stored))});
      }
      for (graft::index token = 0; token < f32[i].rows(); ++token, ++tokens) {
        least = std::min(least, cosine(f32[i].row(token), bf16[i].row(token)));
        const double in_int8 = cosine(f32[i].row(token), int8[i].row(token));
        least_int8 = std::min(least_int8, in_int8);
        int8_sum += in_int8;
      }
    }
    for (std::size_t k = 0; k < last.size(); ++k) difference = std::max(difference, std::abs(f32.back().data()[k] - last[k]));
    std::cout << rows.size() << " texts: " << (same_ids ? "the same ids" : "OTHER IDS") << "; f32 differs by " << difference
              << " at most; the least cosine over all tokens is " << least << " in bf16, " << least_int8 << " in int8 (mean "
              << int8_sum / static_cast<double>(tokens) << ")\n";
    const bool close = difference <= 1e-5 && least >= 0.9999 && least_int8 >= 0.998 && int8_sum >= 0.999 * static_cast<double>(tokens);
    return same_ids && close && rows.size() == 50 ? 0 : 1;
  } catch (const std::exception& failure) {
    std::cerr << "hidden_states: " << failure.what() << '\n';
    return 1;
  }
}
