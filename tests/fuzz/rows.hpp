#pragma once
// Files of rows, read as every shape of task there is, then featurized and labeled.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include <string>
#include <string_view>
#include <vector>

#include "graft/data/data_set.hpp"
#include "graft/data/example_reader.hpp"
#include "graft/text/tokenizer.hpp"

namespace graft_fuzz {

inline const graft::tokenizer& tiny_roberta() {
  static const auto made = [] {
    write("vocab.json", R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"l":4,"o":5,"lo":6,"w":7,"low":8,"<mask>":9})");
    write("merges.txt", "#version: 0.2\nl o\nlo w\n");
    return graft::tokenizer::from_folder(folder().path());
  }();
  return made;
}

/// Reads PATH as each split of TASKS.
inline void read_rows(const std::vector<graft::task>& tasks, const std::string& path) {
  for (const auto& task : tasks) {
    for (const auto& split : task.splits) {
      attempt([&] {
        std::vector<std::uint64_t> skipped;
        const auto rows = graft::read_examples(task, split.name, path, &skipped);
        const auto named = task.kind == graft::task_kind::token_classification ? graft::with_tags_of(task, rows, path) : task;
        for (const auto& ready : graft::make_data_set(named, rows, path, tiny_roberta(), 16, 1).rows) {
          require(!ready.input_ids.empty() && ready.input_ids.size() <= 16 && ready.token_type_ids.size() == ready.input_ids.size());
        }
        attempt([&] { graft::make_data_set(task, rows, path, 10, 16, 1); });  // rows that bring their ids need no tokenizer
      });
    }
  }
}

/// Tasks of one's own, of one label and a number; and one of tags for words.
inline std::vector<graft::task> own_tasks() {
  return {graft::custom_task("own", graft::task_kind::classification, {"no", "yes", "1"}),
          graft::custom_task("own", graft::task_kind::regression, {})};
}
inline graft::task tag_task() { return graft::custom_task("own", graft::task_kind::token_classification, {}); }

}  // namespace graft_fuzz
