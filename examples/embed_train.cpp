// Trains an adapter inside someone else's main.  embed_train MODEL_FOLDER TASK OUT
// MODEL_FOLDER: a Hugging Face folder.  TASK: a task configuration with "train" and "val".  OUT: the adapter, a .safetensors file.
#include <iostream>

#include "graft/training.hpp"

int main(int argc, char** argv) try {
  if (argc != 4) throw graft::error("usage: embed_train MODEL_FOLDER TASK OUT");
  const std::string folder = argv[1];
  const graft::task_config tasks = graft::read_task_config(argv[2]);
  const graft::task& task = tasks.task;
  const auto tokens = graft::tokenizer::from_folder(folder);
  const auto read = [&](const std::string& split) {
    const auto& path = tasks.paths.at(split);
    return graft::make_data_set(task, graft::read_examples(task, split, path), path, tokens, 128);
  };
  const auto train = read("train"), validation = read("val");

  graft::model_description tuned = graft::describe(graft::tuning_kind::adapter, task);
  tuned.adapter.size = 32;
  graft::tunable_model model({.model_path = folder, .config_path = folder + "/config.json"}, tuned, {.seed = 1});
  graft::trainer trainer(model, task, {.num_train_epochs = 2, .learning_rate = 1e-3, .eval_every_steps = 10}, train, &validation);
  trainer.run({.evaluated = [](const graft::evaluation_report& r) {
    std::cout << "step " << r.state.global_step << ": " << r.metrics.major << (r.best ? ", the best so far\n" : "\n");
  }});
  model.save_tuned(argv[3]);
} catch (const std::exception& failure) {
  std::cerr << "embed_train: " << failure.what() << '\n';
  return 1;
}
