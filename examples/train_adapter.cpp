// graft train-adapter: trains, evaluates, predicts and saves one adapter, or the baselines without: everything, or the head alone.

#include "commands.hpp"
#include "graft/model/initialization.hpp"
#include "train_model.hpp"

namespace graft::program {
namespace {

template <class P>
int train(prepared_run& run) {
  const index classes = run.tasks.task.num_labels();
  const training_flags& f = run.flags;
  const auto finish = [&](auto& model, const model_description& description, const std::string& trained) {
    load_trunk(model, run.trunk);
    run.trunk = tensor_source(f.model_path);  // lets go of the mapped file
    initialize(model.head, run.seed());
    if (!f.adapter_init_path.empty()) load_by_name(model, safetensors_file(f.adapter_init_path));
    return train_model(model, run, description, trained);
  };
  if (f.tune == "adapters") {
    const activation act = parse_activation(f.adapter_hidden_act);
    auto model = make_adapter_classifier<P>(run.config, classes, f.adapter_size, act);
    initialize_adapters(model, f.adapter_initializer_range, run.seed());
    tune_adapters(model);
    model_description description = describe(run, "adapter");
    description.adapter_size = f.adapter_size;
    description.adapter_hidden_act = act;
    return finish(model, description, "adapters of size " + std::to_string(f.adapter_size) + ", LayerNorms and head");
  }
  auto model = make_plain_classifier<P>(run.config, classes);
  if (f.tune == "full") {
    tune_everything(model);
    return finish(model, describe(run, "full"), "everything, without adapters");
  }
  tune_head(model);
  return finish(model, describe(run, "head"), "the head alone");
}

}  // namespace

int train_adapter(int argc, const char* const* argv) {
  training_flags flags;
  flag_table table(
      "train-adapter", "--ZZsrc FILE --task_config_path FILE --output_dir FOLDER [FLAGS]",
      "Trains one adapter on a task: small bottleneck modules in every layer of a frozen encoder, with the LayerNorms and a head.");
  add_training_flags(table, flags, false);
  if (!table.parse(argc, argv)) return 0;
  prepared_run run = prepare("train-adapter", table, flags);
  return run.flags.precision == "f64" ? train<f64>(run) : train<f32>(run);
}

}  // namespace graft::program
