// Trains an adapter inside someone else's main.  embed_train MODEL_FOLDER TASK OUT
// MODEL_FOLDER: a Hugging Face folder.  TASK: a task configuration with "train" and "val".  OUT: the adapter, a .safetensors file.
#include <iostream>

#include "graft/graft.hpp"

int main(int argc, char** argv) try {
  if (argc != 4) throw graft::error("usage: embed_train MODEL_FOLDER TASK OUT");
  const std::string folder = argv[1];
  const auto config = graft::read_encoder_config(folder + "/config.json");
  const auto trunk = graft::open_model(folder, config.model_type);
  const auto tokens = graft::tokenizer::from_folder(folder);
  const auto tasks = graft::read_task_config(argv[2]);
  const graft::task& task = tasks.task;
  const auto read = [&](const std::string& split) {
    const auto& path = tasks.paths.at(split);
    return graft::make_data_set(task, graft::read_examples(task, split, path), path, tokens, 128, omp_get_max_threads());
  };
  const auto train = read("train"), validation = read("val");

  const graft::index size = 32;
  auto model = graft::make_adapter_classifier<graft::f32>(config, task.num_labels(), size);
  graft::load_trunk(model, trunk);
  graft::initialize_adapters(model, 0.0002, 1);
  graft::initialize(model.head, 1, !graft::brings_pooler(trunk));
  graft::tune_adapters(model);

  graft::trainer trainer(model, task, {.num_train_epochs = 2, .learning_rate = 1e-3, .eval_every_steps = 10}, train, &validation);
  trainer.run({.evaluated = [](const graft::evaluation_report& r) {
    std::cout << "step " << r.state.global_step << ": " << r.result.metrics.major << (r.best ? ", the best so far\n" : "\n");
  }});
  graft::model_description description{.kind = "adapter", .task_name = task.name, .output = task.kind, .labels = task.labels};
  description.trunk_fingerprint = graft::fingerprint(trunk, graft::to_json(config), graft::trunk_tensors(config, trunk));
  description.adapter_size = size;
  graft::save_tuned(model, argv[3], graft::to_metadata(description));
} catch (const std::exception& failure) {
  std::cerr << "embed_train: " << failure.what() << '\n';
  return 1;
}
