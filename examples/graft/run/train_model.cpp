#include "run/train_model.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "flags/advice.hpp"
#include "graft/core/printable.hpp"
#include "graft/data/batch.hpp"
#include "graft/exchange/checkpoint.hpp"
#include "graft/exchange/start.hpp"
#include "graft/model/loading.hpp"
#include "graft/model/memory.hpp"
#include "graft/train/evaluation.hpp"
#include "graft/train/trainer.hpp"
#include "host/lost_pages.hpp"
#include "host/ranks.hpp"
#include "run/event_file.hpp"
#include "run/progress.hpp"
#include "run/run_files.hpp"

namespace graft::program {

namespace {

/// How training that diverged ended.
struct early_end {
  std::int64_t step = 0;
  std::string what, text;
  bool usable = false;
  std::int64_t parameters_step = 0;  // the parameters that are left are those after this step
};

/// What the flags ask to be saved takes at most so many bytes.
std::int64_t bytes_to_save(const model_size& size, const prepared_run& run) {
  std::int64_t numbers = 0, files = 0;
  if (run.flags.do_save_full) numbers += size.all, ++files;
  if (run.flags.do_save) numbers += size.tuned, ++files;
  constexpr std::int64_t header = 1 << 20;  // bytes: more than names and shapes take
  return numbers * size.number_bytes + files * header;
}

/// Says where ranks cannot share the steps.
void note_idle_ranks(const prepared_run& run, const model_size& size) {
  if (ranks() == nullptr) return;
  if (size.trained * size.number_bytes > most_gradient_bytes) {
    std::fprintf(stderr,
                 "graft: the gradients, %.0f MB, are too large for ranks to share the steps: each computes all of them, and they share "
                 "evaluations alone\n",
                 static_cast<double>(size.trained * size.number_bytes) / 1e6);
    return;
  }
  const auto& rows = run.split("train")->rows;
  batch usual;
  std::vector<index> cuts;
  for (std::size_t i = 0; i < rows.size() && usual.size() < run.flags.train_batch_size; ++i) usual.add(rows[i]);
  micro_batches(usual, run.flags.micro_batch_tokens, cuts);
  if (const std::ptrdiff_t parts = std::ssize(cuts) - 1; parts < ranks()->size()) {
    std::fprintf(
        stderr,
        "graft: a batch of %td rows is cut into about %td micro-batches, and no more of the %d ranks have work at a time: a larger "
        "--train_batch_size, or a smaller --micro_batch_tokens, gives it to more\n",
        usual.size(), parts, ranks()->size());
  }
}

trainer::outcome train_with_logs(tunable_model& model, const prepared_run& run, const training_options& options, const model_hooks& hooks,
                                 const std::string& trained, early_end& ended) {
  const data_set* validation = run.split("val");
  trainer training(model, run.tasks.task, options, *run.split("train"), validation);
  const bool resumed = run.folder->where() == run_folder::start::from_checkpoint;
  if (resumed) training.resume(run.checkpoint());
  const model_size size = model.size();
  index longest = 0;
  for (const features& row : run.split("train")->rows) longest = std::max(longest, std::ssize(row.input_ids));
  index tokens = std::min(options.train_batch_size, std::ssize(run.split("train")->rows)) * longest;
  if (options.micro_batch_tokens > 0) tokens = std::min(tokens, options.threads * std::max(longest, options.micro_batch_tokens * 9 / 8));
  print_banner(run, trained, size.all, size.trained, training.total_steps(),
               model.training_bytes(tokens, longest, options.threads, validation != nullptr));
  note_idle_ranks(run, size);
  if (resumed) std::printf("  resumed  after step %lld\n", static_cast<long long>(training.state().global_step));
  const std::int64_t bytes = bytes_to_save(size, run);
  if (bytes > 0) run.folder->require_disk_space(bytes);  // before an earlier run is removed
  begin_output(run);
  if (bytes > 0) run.folder->reserve(bytes);  // a disk that fills up in the meantime costs no training
  if (!fill_prefix_cache(model, run, &stop_requested())) return trainer::outcome::stopped;

  log_writer log(run.folder->log_folder());
  std::optional<event_file> events;
  if (run.flags.tensorboard && run.folder->writes()) events.emplace(run.folder->event_file(), training.state().global_step + 1);
  if (events)
    log.also = [&](const std::string& key, const ordered_json& entry) {
      if (key != "weights") return;
      scalars values;
      for (const auto& [site, weights] : entry["weights"].items()) {
        for (const auto& [name, weight] : weights.items()) values.emplace_back("weights/" + site + "/" + name, weight.get<double>());
      }
      events->write(entry["tgs"]["global_step"].get<std::int64_t>(), values);
    };
  progress line(stdout, training.total_steps(), training.state().global_step);
  const auto total = training.total_steps();
  if (!resumed && hooks.log_step) hooks.log_step(log, position(0, 0, 0), 0, total);
  const auto warn_once = [&line](bool& warned, const std::string& text) {
    if (std::exchange(warned, true)) return;
    line.clear();
    std::fprintf(stderr, "graft: warning: %s\n", text.c_str());
  };
  bool log_warned = false, checkpoint_warned = false;
  log.not_written = [&](const backend_error& e) { warn_once(log_warned, std::string(e.what()) + "; training goes on, logs lack lines"); };
  if (events) events->not_written = log.not_written;
  std::int64_t checkpoint_step = resumed ? training.state().global_step : -1;
  std::string not_saved;
  training_observer observer;
  observer.check_inputs = [&] { check_files(run); };
  observer.saved = [&](const training_state& s) {
    checkpoint_step = s.global_step;
    checkpoint_warned = false;
  };
  observer.not_saved = [&](const backend_error& e) {
    not_saved = e.what();
    warn_once(checkpoint_warned, not_saved + "; training goes on, and tries again at the next checkpoint");
  };
  observer.step = [&](const step_report& r) {
    const auto step_position = position(r.epoch, r.epoch_step, r.global_step);
    auto entry = step_position;
    entry["loss_val"] = r.loss;
    entry["pred_entropy"] = r.entropy;
    entry["learning_rate"] = r.learning_rate;
    entry["grad_norm"] = r.gradient_norm;
    entry["tokens_per_second"] = static_cast<double>(r.tokens) / r.seconds;
    if (events) {
      events->write(r.global_step, {{"train/loss", r.loss},
                                    {"train/learning_rate", r.learning_rate},
                                    {"train/grad_norm", r.gradient_norm},
                                    {"train/pred_entropy", r.entropy},
                                    {"train/tokens_per_second", static_cast<double>(r.tokens) / r.seconds}});
    }
    log.write("loss_train", std::move(entry));
    if (hooks.log_step) hooks.log_step(log, step_position, r.global_step, total);
    line.update(r.global_step, r.loss, r.learning_rate, r.examples);
  };
  observer.evaluated = [&](const evaluation_report& r) {
    const ordered_json entry{{"score", r.metrics.major},
                             {"train_global_state", position(r.state.epoch, r.state.epoch_step, r.state.global_step)}};
    log.write("train_val", entry);
    if (r.best) log.write("train_val_best", entry);
    if (events) {
      scalars values{{"eval/loss", r.loss}};
      for (const auto& [name, value] : r.metrics.minor) values.emplace_back("eval/" + name, value);
      events->write(r.state.global_step, values);
    }
    line.clear();
    std::printf("step %lld: validation loss %.4f  %s%s\n", static_cast<long long>(r.state.global_step), r.loss,
                metrics_text(r.metrics).c_str(), r.best ? "  (best so far)" : "");
    std::fflush(stdout);
  };
  try {
    const lost_pages_covered covered;
    const auto outcome = training.run(observer, &stop_requested());
    line.clear();
    if (outcome == trainer::outcome::stopped) {
      const std::int64_t step = training.state().global_step;
      log.write("errors", {{"error", "stopped by a signal"}, {"global_step", step}});
      if (checkpoint_step != step && run.folder->writes()) {
        throw backend_error("stopped after step " + std::to_string(step) + " of " + std::to_string(total) + ", and " + not_saved + "; " +
                            (checkpoint_step < 0 ? "there is no checkpoint to go on from"
                                                 : "the checkpoint of step " + std::to_string(checkpoint_step) + " is as it was"));
      }
      std::fprintf(stderr, "graft: stopped after step %lld of %lld; the same command with --resume goes on from there\n",
                   static_cast<long long>(step), static_cast<long long>(total));
    } else if (const auto& end = training.diverged(); end) {
      log.write("errors", {{"error", "training diverged: " + end->what}, {"global_step", end->step}});
      const std::int64_t best = training.state().best_score ? training.state().best_step : end->step - 1;
      ended.text = "step " + std::to_string(end->step) + ": " + end->what;
      ended.step = end->step;
      ended.what = end->what;
      ended.usable = end->usable;
      ended.parameters_step = best;
    } else if (training.state().best_score) {
      if (training.stops_early() && training.state().global_step < total) {
        std::printf("stopped early after step %lld of %lld: no better score in %lld evaluations\n",
                    static_cast<long long>(training.state().global_step), static_cast<long long>(total),
                    static_cast<long long>(training.state().stalled_evaluations));
      }
      std::printf("best: step %lld, %s %.4f\n", static_cast<long long>(training.state().best_step), run.tasks.task.major.c_str(),
                  *training.state().best_score);
    }
    return outcome;
  } catch (const std::exception& failure) {
    line.clear();
    log_warned = true;  // a full disk, say, is likely what stopped the run: the first message is the one to show
    log.write("errors", {{"error", failure.what()}, {"global_step", training.state().global_step}});
    throw;
  }
}

/// @throws format_error  an answer to a row of SPLIT is no finite number: neither a score nor a prediction comes of it
void require_answers(const prepared_run& run, const std::string& split, const_view<double> logits) {
  try {
    require_finite(logits);
  } catch (const row_error& failure) {
    throw format_error(run.tasks.paths.at(split), "row " + std::to_string(failure.row() + 1) + ": " + failure.reason());
  }
}

/// False when a signal stopped it on the way.
bool evaluate_and_predict(const tunable_model& model, const prepared_run& run, const training_options& options) {
  const std::atomic<bool>* const stop = &stop_requested();
  for (const std::string split : {"val", "val_mismatched"}) {
    const data_set* set = run.split(split);
    if (!run.flags.do_val || set == nullptr) continue;
    const auto e = model.evaluate(run.tasks.task, set->rows, options.eval_batch_size, options.threads, stop, options.micro_batch_tokens,
                                  options.group);
    if (!e) return false;
    check_files(run);
    require_answers(run, split, e->logits);
    if (!run.folder->writes()) continue;
    write_metrics(run.file(split + "_metrics.json"), *e);
    write_logits(run.file(split + "_preds.csv"), e->logits);
    write_report(run.file(split + "_report.json"), run.tasks.task, e->logits, set->rows, run.examples.at(split));
    std::printf("%s: loss %.4f  %s\n", split.c_str(), e->loss, metrics_text(e->metrics).c_str());
  }
  for (const std::string split : {"test", "test_mismatched"}) {
    const data_set* set = run.split(split);
    if (!run.flags.do_test || set == nullptr) continue;
    const auto numbers =
        model.predict_logits(set->rows, options.eval_batch_size, options.threads, stop, options.micro_batch_tokens, options.group);
    if (!numbers) return false;
    const const_view<double> logits(numbers->data(), std::ssize(*numbers) / run.tasks.task.num_labels(), run.tasks.task.num_labels());
    check_files(run);
    require_answers(run, split, logits);
    if (!run.folder->writes()) continue;
    write_logits(run.file(split + "_preds.csv"), logits);
    if (run.tasks.task.kind == task_kind::token_classification) {
      write_tagged(run.file(split + "_predictions.conll"), run.tasks.task, logits, set->rows, run.examples.at(split));
    } else {
      write_submission(run.file(split + "_predictions.tsv"), run.tasks.task, logits);
    }
    std::printf("%s: %zu predictions written\n", split.c_str(), set->rows.size());
  }
  return true;
}

}  // namespace

void load_encoder(tunable_model& model, prepared_run& run) {
  const bool trains = run.flags.do_train && run.folder->where() != run_folder::start::after_training;
  const bool fresh_pooler = model.load_encoder(run.trunk, trains && run.flags.prefix_cache.empty(), trainer_options(run).threads);
  if (run.own_head) {
    std::string text = "is left out: none of this task's labels is among its own, and this task's head starts fresh";
    if (!run.head.rows.empty()) {  // what the run starts from besides may take their place
      model.start_head(run.head.tensors, run.head.rows);
      text = "starts this task's: " + head_start_text(run.head, model.description());
    }
    std::printf("the head in %s, for %s, %s\n", printable(run.flags.model_path, 4000).c_str(),
                printable(head_text(run.own_head->description), 4000).c_str(), printable(text, 4000).c_str());
  }
  run.head.tensors = tensor_source(run.flags.model_path);
  run.trunk = tensor_source(run.flags.model_path);
  if (fresh_pooler && run.flags.adapter_init_path.empty()) {
    std::fprintf(stderr,
                 "graft: %s: brings no pooler, as masked-LM pretraining leaves it: a fresh one is trained and saved with the head\n",
                 run.flags.model_path.c_str());
  }
}

void load_start(tunable_model& model, prepared_run& run) {
  const std::string& path = run.flags.adapter_init_path;
  const auto own_head = std::exchange(run.own_head, std::nullopt);
  if (path.empty()) return;
  fitted_start start = [&] {
    try {
      adapter_file file = open_start(path, run.config);
      if (file.has_head() && own_head) file = with_own_head(std::move(file), *own_head);
      return fit_start(file, model.description(), run.config);
    } catch (const config_error& failure) {
      throw config_error("--adapter_init_path " + std::string(failure.what()) + advice(failure) + ", or leave --adapter_init_path out");
    }
  }();
  taken_start taken;
  if (start.head.rows.empty() || !start.tensors.tensors().empty()) taken = model.start_from(start.tensors, start.notes);
  if (!start.head.rows.empty()) {
    const index changed = model.start_head(start.head.tensors, start.head.rows);
    taken.trained += changed;
    std::erase_if(taken.fresh, [&](const std::string& name) { return start.head.tensors.contains(name); });
  }
  if (!taken.of_the_mix.empty()) {
    start.notes.push_back("its mixed adapters are not those of --adapter_weights_path (" + std::to_string(taken.of_the_mix.size()) +
                          " tensors differ, the first of them " + taken.of_the_mix[0] + "): its own count");
  }
  if (!taken.fresh.empty()) {
    start.notes.push_back(std::to_string(taken.fresh.size()) +
                          " tensors to train are not taken from it and start as they would without it, the first of them " +
                          taken.fresh[0]);
  }
  std::printf("starts from %s: %td of the %zu tensors to train\n", printable(path, 4000).c_str(), taken.trained,
              static_cast<std::size_t>(taken.trained) + taken.fresh.size());
  for (const std::string& note : start.notes) std::printf("  %s\n", printable(note, 4000).c_str());
}

namespace {

/// Parameters that an earlier start of the run trained and saved.
void load_trained(tunable_model& model, const prepared_run& run) {
  const std::string name = std::filesystem::exists(run.file("model.safetensors")) ? "model.safetensors" : "model_full.safetensors";
  if (run.folder->writes()) model.load_trained(safetensors_file(run.file(name)));
  if (ranks() != nullptr) model.share_trained(*ranks());
  std::printf("  goes on  with what %s holds: training is done\n", name.c_str());
  std::fflush(stdout);
}

/// Writes what the flags ask for and an earlier start of the run has not left there.
void save_trained(const tunable_model& model, const prepared_run& run, const std::map<std::string, std::string>& more = {}) {
  if (!run.folder->writes()) return;
  const auto wanted = [&](bool flag, const char* name) {
    return flag && !(run.folder->where() == run_folder::start::after_training && std::filesystem::exists(run.file(name)));
  };
  run.folder->require_here();
  run.folder->release();
  const bool everything = wanted(run.flags.do_save_full, "model_full.safetensors");
  try {
    // what was trained is in memory, and each step of it was looked after: a file that changes now costs none of it
    if (wanted(run.flags.do_save, "model.safetensors")) model.save_tuned(run.file("model.safetensors"), more);
    if (everything) model.save_everything(run.file("model_full.safetensors"), more);
  } catch (const backend_error& failure) {
    throw backend_error(std::string(failure.what()) +
                        (std::filesystem::exists(run.checkpoint())
                             ? "; the last checkpoint is as it was: make room, and the same command with --resume goes on from there"
                             : "; nothing that was saved before is lost"));
  }
  if (!everything) return;
  try {
    check_files(run);
  } catch (const format_error&) {  // what is frozen was read while it was written
    ::unlink(run.file("model_full.safetensors").c_str());
    throw;
  }
}

}  // namespace

int train_model(tunable_model& model, const prepared_run& run, const std::string& trained, const model_hooks& hooks) {
  if (!run.flags.prefix_cache.empty()) model.use_prefix_cache(run.flags.prefix_cache);
  const training_options options = trainer_options(run);
  const bool after_training = run.folder->where() == run_folder::start::after_training;
  if (run.flags.do_train && !after_training) {
    early_end ended;
    const auto outcome = train_with_logs(model, run, options, hooks, trained, ended);
    if (outcome == trainer::outcome::stopped) return 130;
    if (outcome == trainer::outcome::diverged) {
      run.folder->diverged(ended.step, ended.what);  // before it is saved: what is saved and not marked is taken for trained
      if (ended.usable) {
        save_trained(model, run,
                     {{"graft_ended", ended.text + "; the parameters are those after step " + std::to_string(ended.parameters_step)}});
      }
      const bool saved = ended.usable && (run.flags.do_save || run.flags.do_save_full);
      std::fprintf(
          stderr, "graft: training diverged at step %lld: %s; %s; a lower --learning_rate or more warm-up may help%s\n",
          static_cast<long long>(ended.step), ended.what.c_str(),
          saved ? ("the parameters after step " + std::to_string(ended.parameters_step) + " are saved").c_str() : "nothing is saved",
          run.flags.precision == "bf16" || run.flags.precision == "int8" ? ", or --precision f32" : "");
      return diverged_exit_code;
    }
  } else {
    const model_size size = model.size();
    print_banner(run, trained, size.all, size.trained, 0, size.all * size.number_bytes);
    begin_output(run);
    if (after_training) load_trained(model, run);
    model.pack(options.threads);
    if (!fill_prefix_cache(model, run, &stop_requested())) return 130;
  }
  const bool no_steps = run.flags.max_steps == 0 || (run.flags.max_steps < 0 && run.flags.num_train_epochs == 0);
  if (!after_training && (!run.flags.do_train || no_steps) && run.flags.adapter_init_path.empty()) {
    std::printf("nothing was trained: these are the numbers of %s\n",
                run.head.rows.empty() ? "a fresh head"
                : std::find(run.head.rows.begin(), run.head.rows.end(), std::nullopt) == run.head.rows.end()
                    ? "the model's head"
                    : "a head that is partly fresh");
  }
  save_trained(model, run);
  if (!evaluate_and_predict(model, run, options)) {  // after saving: if this fails or is ended, the training is not lost
    const bool saved = run.flags.do_save || run.flags.do_save_full;
    std::fprintf(stderr, "graft: stopped before the evaluation's end; %s\n",
                 saved ? "what was trained is saved: the same command goes on with the evaluation"
                       : "nothing was asked to be saved (--do_save): the same command begins anew");
    return 130;
  }
  run.folder->finish();
  return 0;
}

}  // namespace graft::program
