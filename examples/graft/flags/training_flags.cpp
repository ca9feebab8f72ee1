#include "flags/training_flags.hpp"

#include "graft/adapters/kind_names.hpp"
#include "graft/core/range.hpp"
#include "host/machine.hpp"

namespace graft::program {

tuning_kind training_flags::tuned() const {
  if (tune != "adapters") return tune == "full" ? tuning_kind::full : tuning_kind::head;
  return adapter_method == "lora" ? tuning_kind::lora : adapter_method == "prefix" ? tuning_kind::prefix : tuning_kind::adapter;
}

void add_training_flags(flag_table& table, training_flags& flags, bool multi) {
  table.group("Task and model");
  table.add_sources();
  table.add("task_config_path", &flags.task_config_path, "The task: a JSON file as graft prepare-tasks writes it, or one of your own.")
      .required();
  table.add("output_dir", &flags.output_dir, "Where logs, metrics, predictions and the trained parameters go.").required();
  table.add("model_type", &flags.model_type,
            "roberta, bert, ... (a full name such as roberta-base is fine). Read from the model's configuration if not given.");
  table.add("model_path", &flags.model_path, "The encoder: a file that graft export-model wrote, or a Hugging Face model.safetensors.")
      .required();
  table.add("model_config_path", &flags.model_config_path, "Its Hugging Face config.json. Looked for beside the model if not given.");
  table.add("model_tokenizer_path", &flags.model_tokenizer_path, "The folder of its vocabulary. The model's folder if not given.");
  table
      .add("max_seq_length", &flags.max_seq_length,
           "Longest sequence in tokens, special tokens included; longer texts are cut. 128 if not given, or the model's most where that is "
           "less.")
      .within({4, ranges::max_seq_length.most});
  table.add("train_examples_number", &flags.train_examples_number, "Train on this many examples only, drawn by the seed.")
      .within(ranges::count);
  table.add("train_examples_fraction", &flags.train_examples_fraction, "Train on this share of the examples only.").within(ranges::part);

  table.group("Training");
  table.add("do_train", &flags.do_train, "Train.");
  table.add("train_batch_size", &flags.train_batch_size, "Examples in a batch.").within(ranges::count);
  table.add("gradient_accumulation_steps", &flags.gradient_accumulation_steps, "Batches whose gradients make one optimizer step.")
      .within(ranges::count);
  table
      .add("micro_batch_tokens", &flags.micro_batch_tokens,
           "A batch is cut into micro-batches of about so many tokens at most, which threads take one by one; the same step to rounding. "
           "0: never, all threads work on the whole batch.")
      .formerly("tokens_at_once")
      .within(ranges::count_or_none);
  table.add("num_train_epochs", &flags.num_train_epochs, "Passes over the training set.").within(ranges::count_or_none);
  table.add("max_steps", &flags.max_steps, "Optimizer steps in all, in place of num_train_epochs; -1: not used.")
      .within({-1, ranges::count.most});
  table
      .add("learning_rate", &flags.learning_rate,
           "The highest rate: it rises to this in the warm-up, then goes on as lr_scheduler_type says.")
      .within(ranges::rate);
  table.add("warmup_steps", &flags.warmup_steps, "Steps of warm-up, in place of warmup_proportion.").within(ranges::count_or_none);
  table.add("warmup_proportion", &flags.warmup_proportion, "Share of all steps that is warm-up.").within(ranges::proportion);
  table
      .add("lr_scheduler_type", &flags.lr_scheduler_type,
           "The rate's course behind the warm-up: linearly, or along a cosine, to 0, or as it is; constant: without warm-up, too.")
      .one_of({"linear", "cosine", "constant", "constant_with_warmup"});
  table.add("optimizer_type", &flags.optimizer_type, "AdamW, or its rectified form.").one_of({"adam", "radam"});
  table.add("adam_epsilon", &flags.adam_epsilon, "The optimizer's epsilon.").within(ranges::epsilon);
  table
      .add("max_grad_norm", &flags.max_grad_norm, "Gradients are scaled down to this L2 norm, taken over all trained parameters; 0: never.")
      .within(ranges::rate);
  table
      .add(
          "class_weights", &flags.class_weights,
          "Weights of labels in the loss: balanced (n / (C n_c) for n_c of n rows and C labels), or LABEL=NUMBER,..., or a JSON object. Of "
          "several labels at once, of where one holds; balanced: (n - n_c) / n_c.")
      .takes_json();
  table.add("label_smoothing", &flags.label_smoothing, "Share of each row's label that is spread over all labels in the loss.")
      .within(ranges::proportion);
  table.add("dropout", &flags.dropout, "Dropout of encoder and head, in place of the values in the configuration.").within(ranges::dropout);
  table.add("seed", &flags.seed, "Decides order, dropout and new parameters; -1: drawn, and stored in args.json.").between(-1);
  table.add("no_shuffle", &flags.no_shuffle, "Take the training examples in the order of the file.");
  table.add("group_by_length", &flags.group_by_length, "Make batches of examples of similar length, in random order; not with no_shuffle.");
  table.add(
      "prefix_cache", &flags.prefix_cache,
      "Folder in which what the layers below the lowest tuned one make of rows is kept: computed once, then read, in other runs, too. "
      "These layers drop out nothing then.");

  table.group("Evaluation and saving");
  table.add("do_val", &flags.do_val, "Evaluate on the whole validation set at the end: val_metrics.json, val_preds.csv, val_report.json.");
  table.add("do_test", &flags.do_test, "Predict the test set at the end: test_preds.csv, test_predictions.tsv.");
  table.add("do_save", &flags.do_save, "Save what was trained: model.safetensors.");
  table.add("do_save_full", &flags.do_save_full, "Save the frozen parameters too.");
  table.add("eval_batch_size", &flags.eval_batch_size, "Examples in a batch when nothing is trained.").within(ranges::count);
  table.add("eval_every_steps", &flags.eval_every_steps, "Evaluate every so many steps and keep the best parameters; 0: only at the end.")
      .within(ranges::count_or_none);
  table.add("partial_eval_number", &flags.partial_eval_number, "Validation examples that these evaluations look at.").within(ranges::count);
  table
      .add("early_stopping_patience", &flags.early_stopping_patience,
           "End training when so many of these evaluations in a row found nothing better; the best parameters stay. 0: never.")
      .within(ranges::count_or_none);
  table
      .add("early_stopping_threshold", &flags.early_stopping_threshold,
           "For that, a better score is one that beats the best by more than this.")
      .within(ranges::rate);
  table.add("save_every_steps", &flags.save_every_steps, "Write a checkpoint every so many steps; 0: only when stopped.")
      .within(ranges::count_or_none);
  table.add("tensorboard", &flags.tensorboard,
            "Write losses, rates, scores and mixing weights for TensorBoard, too: OUTPUT_DIR/tensorboard.");
  table.add("resume", &flags.resume, "Go on from the last checkpoint in the output folder.");
  table.add("force_overwrite", &flags.force_overwrite, "Replace the run in the output folder: its logs and results are removed.");

  table.group("Adapters");
  if (!multi) {
    table.add("tune", &flags.tune, "What is trained: adapters, LayerNorms and head; everything, without adapters; or the head alone.")
        .one_of({"adapters", "full", "head"});
    table
        .add("adapter_method", &flags.adapter_method,
             "What tunes the frozen encoder: bottleneck modules, low-rank updates of its projections (LoRA), or keys and values in "
             "front of every sequence's own (prefix tuning).")
        .one_of({"bottleneck", "lora", "prefix"});
    table
        .add("adapter_placement", &flags.adapter_placement,
             "Kind of adapter: at both sites of a layer, before the LayerNorm; after the feed-forward part alone, behind it; or beside it.")
        .one_of(adapter_kind_names());
    table.add("adapter_scaling", &flags.adapter_scaling, "Factor of what an adapter adds; He et al. take 4 for parallel ones.")
        .within(ranges::adapter_scaling);
    table.add("adapter_dropout", &flags.adapter_dropout, "Dropout of what an adapter adds.").within(ranges::dropout);
    table
        .add("adapter_settings", &flags.adapter_settings,
             "What an adapter of kind general computes, a JSON object with the fields of AdapterHub's BnConfig, such as {\"ln_before\": "
             "true}.")
        .takes_json();
    table
        .add("adapter_layer_norm", &flags.adapter_layer_norm,
             "Whether LayerNorms are tuned with bottlenecks, as nlprunners does, or stay the encoder's: trained, but for a ModernBERT's, "
             "if not said.")
        .one_of({"trained", "frozen"});
    table.add("adapter_layers", &flags.adapter_layers,
              "Layers that get an adapter, update or prefix, counted from 0, such as 6-11 or 0,2,4-6; all if not given. The others' "
              "LayerNorms stay the encoder's, and training goes no deeper than the lowest.");
    table.add("lora_r", &flags.lora_r, "Rank of a low-rank update.").within(ranges::lora_r);
    table.add("lora_alpha", &flags.lora_alpha, "A low-rank update is scaled by lora_alpha / lora_r.").within(ranges::trained_lora_alpha);
    table.add("lora_dropout", &flags.lora_dropout, "Dropout of what a low-rank update reads.").within(ranges::dropout);
    table.add("lora_dora", &flags.lora_dora,
              "DoRA: the rows of a weight with its update get lengths of their own, which are trained, too.");
    table.add("lora_target", &flags.lora_target,
              "Projections that get an update: query, key, value (in a ModernBERT all in one, query_key_value), attention.output.dense, "
              "intermediate.dense, "
              "output.dense; dense: all three. If not said, query and value, or the one.");
    table.add("lora_rank_pattern", &flags.lora_rank_pattern, "Ranks of some of them, such as query=4,layer.0.attention.self.value=2.");
    table.add("lora_alpha_pattern", &flags.lora_alpha_pattern, "The same for lora_alpha.");
  }
  if (!multi) {
    table.add("prefix_length", &flags.prefix_length, "Keys and values of a prefix, in every layer.").within(ranges::prefix_length);
    table
        .add("prefix_bottleneck", &flags.prefix_bottleneck,
             "Width of the network that makes a prefix; 0: none, they are trained themselves.")
        .within(ranges::prefix_bottleneck);
    table.add("prefix_hidden_act", &flags.prefix_hidden_act, "Activation inside that network.");
    table
        .add("prefix_gates", &flags.prefix_gates,
             "Gates, by which a sequence's tokens scale the prefix: none, one, or one for keys and one for values.")
        .within(ranges::prefix_gates);
    table.add("prefix_leave_out", &flags.prefix_leave_out, "Layers without a prefix, counted from 0, as for adapter_layers.");
  }
  table.add("adapter_size", &flags.adapter_size, multi ? "Bottleneck of the flex adapter." : "Bottleneck of each adapter.")
      .within(ranges::adapter_size);
  table.add("adapter_hidden_act", &flags.adapter_hidden_act, "Activation inside a new adapter.");
  table.add("adapter_initializer_range", &flags.adapter_initializer_range, "Standard deviation of a new adapter's weights.")
      .within(ranges::deviation);
  table.add(
      "adapter_init_path", &flags.adapter_init_path,
      "Start from what this file or folder holds, matched by name: graft's, AdapterHub's, PEFT's, a model.p, a checkpoint, or tensors.");

  if (multi) {
    table.group("Mixing");
    table
        .add(
            "adapter_weights_path", &flags.adapter_weights_path,
            "What to mix, bottlenecks, LoRA, DoRA, IA3, prefixes, fusions: a JSON object, name -> file or folder, in the order of the mix.")
        .required();
    table.add("adapter_exclude", &flags.adapter_exclude, "Names to leave out.");
    table
        .add("adapter_num_weight_sets", &flags.adapter_num_weight_sets,
             "Sets of mixing weights, each shared by a run of layers; -1: one per layer.")
        .within(ranges::weight_sets);
    table
        .add("adapter_ft_mode", &flags.adapter_ft_mode,
             "Trained besides mixing weights and head: nothing; a fresh adapter on top; the encoder; the encoder and the adapters.")
        .one_of({"base", "flex", "base_ft", "full_ft"});
    table
        .add("adapter_weight_mode", &flags.adapter_weight_mode,
             "How mixing weights come from their parameters: softmax, sigmoid or as they are; or fusion: each token attends to the "
             "adapters.")
        .one_of({"softmax", "gates", "weights", "fusion"});
    table.add("adapter_fusion", &flags.adapter_fusion, "A fusion with a matrix for values, or without.").one_of({"dynamic", "static"});
    table.add("adapter_weights_learning_rate", &flags.adapter_weights_learning_rate, "The mixing weights' own learning rate.")
        .within(ranges::rate);
    table.add("adapter_use_optimized", &flags.adapter_use_optimized, "Fused kernel (1), or the plain loop that it is tested against (0).");
    table.add("adapter_include_base", &flags.adapter_include_base,
              "Mix the encoder without adapter in, or not; the mode decides if not given.");
    table.add("adapter_include_flex", &flags.adapter_include_flex, "Put a fresh adapter on top, or not; the mode decides if not given.");
  }

  table.group("Machine");
  table.add("threads", &flags.threads, threads_help).between(0, most_threads);
  table
      .add("precision", &flags.precision,
           "Number type of products: f32, bf16 (the rest stays f32), or f64 to check with; int8: what is frozen multiplies "
           "in 8 bits on the way forward, gradients do not. auto: bf16 where the processor has instructions for it, else f32.")
      .one_of({"auto", "f32", "bf16", "f64", "int8"});

  table.group("");
  auto& unused = flags.without_effect;
  table.add("no_cuda", &unused.no_cuda, "").without_effect();
  table.add("fp16", &unused.fp16, "").without_effect();
  table.add("fp16_opt_level", &unused.fp16_opt_level, "").without_effect();
  table.add("local_rank", &unused.local_rank, "").without_effect();
  table.add("server_ip", &unused.server_ip, "").without_effect();
  table.add("server_port", &unused.server_port, "").without_effect();
  table.add("model_load_mode", &unused.model_load_mode, "").without_effect();
  table.add("model_save_mode", &unused.model_save_mode, "").without_effect();
}

}  // namespace graft::program
