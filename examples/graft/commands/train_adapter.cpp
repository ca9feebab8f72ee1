// graft train-adapter: trains, evaluates, predicts and saves one adapter (or low-rank update), or the baselines without: everything, or the
// head alone.

#include "commands/commands.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/lora.hpp"
#include "run/precision.hpp"
#include "run/train_model.hpp"

namespace graft::program {
namespace {

template <class P>
int train_one(prepared_run& run) {
  const index classes = run.tasks.task.num_labels();
  const training_flags& f = run.flags;
  const auto finish = [&](auto& model, const model_description& description, const std::string& trained) {
    load_trunk(model, run.trunk);
    start_head(model, run);
    run.trunk = tensor_source(f.model_path);
    load_start(model, run, description);
    return train_model(model, run, description, trained);
  };
  if (f.tune == "adapters" && f.adapter_method == "lora") {
    auto model = make_plain_classifier<P>(run.config, classes);
    model_description description = describe(run, "lora");
    description.lora = {f.lora_r, f.lora_alpha, f.lora_target};
    add_lora(model, description.lora);
    initialize_lora(model, run.seed());
    tune_lora(model);
    return finish(model, description, "low-rank updates of rank " + std::to_string(f.lora_r) + ", and head");
  }
  if (f.tune == "adapters") {
    const activation act = parse_activation(f.adapter_hidden_act);
    const adapter_placement placement = parse_placement(f.adapter_placement);
    const bool layer_norms = f.adapter_layer_norm == "trained";
    auto model = make_adapter_classifier<P>(run.config, classes, f.adapter_size, act, placement);
    initialize_adapters(model, f.adapter_initializer_range, run.seed());
    tune_adapters(model, layer_norms);
    model_description description = describe(run, "adapter");
    description.adapter_size = f.adapter_size;
    description.adapter_hidden_act = act;
    description.placement = placement;
    description.layer_norms_trained = layer_norms;
    return finish(
        model, description,
        f.adapter_placement + " adapters of size " + std::to_string(f.adapter_size) + (layer_norms ? ", LayerNorms" : "") + " and head");
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
  return in_precision(run.flags.precision, [&]<class P>(P) { return train_one<P>(run); });
}

}  // namespace graft::program
