// A prefix cache changes no bit: empty, partly full or full, for any number of threads, in any batch, stopped or not.

#include "graft/train/prefix_cache.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "graft/model/lora.hpp"
#include "graft/model/prefix.hpp"
#include "graft/train/trainer_of.hpp"
#include "support/shared.hpp"
#include "training/tiny_task.hpp"

namespace {

namespace folders = std::filesystem;
using Catch::Matchers::Contains;

/// Three layers; WHOLE: of sizes that are multiples of 16, where a row's bits do not depend on the batch.
graft::encoder_config cached_config(bool whole = true, double dropout = 0.1, const std::string& type = "roberta") {
  auto c = graft_test::tiny_config();
  c.model_type = type;
  c.num_hidden_layers = 3;
  c.hidden_size = whole ? 48 : 20;
  c.num_attention_heads = whole ? 3 : 2;
  c.intermediate_size = whole ? 64 : 28;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = dropout;
  return c;
}

/// Adapters in layers 1 and 2, or in all but those of LEAVE_OUT.
template <class P>
graft::adapter_classifier<P> upper(const graft::encoder_config& c, const std::vector<graft::index>& leave_out = {0}) {
  graft::adapter_options o{4};
  o.leave_out = leave_out;
  auto model = graft::make_adapter_classifier<P>(c, 2, o);
  graft_test::draw_weights(model);
  graft::tune_adapters(model);
  return model;
}

struct cached_run {
  std::vector<double> losses, scores;
  std::vector<graft::matrix<double>> parameters;
  bool operator==(const cached_run&) const = default;
};

graft::training_options cached_options(int threads) {
  graft::training_options o;
  o.train_batch_size = 12;
  o.num_train_epochs = 2;
  o.learning_rate = 1e-3;
  o.eval_every_steps = 3;
  o.micro_batch_tokens = 40;
  o.seed = 5;
  o.threads = threads;
  return o;
}

/// MODEL trained for two epochs, with what FOLDER holds, of which FILLED training rows are put there before; "": without one.
template <class M>
cached_run train_cached(M model, const std::string& folder, int threads, std::size_t filled = 1000) {
  const auto data = graft_test::rows(40, 1), validation = graft_test::rows(15, 2);
  graft::context ctx;
  ctx.threads = threads;
  if (!folder.empty()) {
    const auto cache = graft::use_prefix_cache(model, folder, ctx);
    const auto rows = std::span(data.rows).first(std::min(filled, data.rows.size()));
    REQUIRE(graft::fill_prefix_cache(model, *cache, rows, ctx));
  }
  cached_run result;
  graft::training_observer observer;
  observer.step = [&](const auto& r) { result.losses.push_back(r.loss); };
  observer.evaluated = [&](const auto& r) { result.scores.push_back(r.loss); };
  graft::trainer_of(model, graft_test::two_classes(), cached_options(threads), data, &validation).run(observer);
  for (const auto* p : graft::trainable_parameters(model)) result.parameters.emplace_back(p->value().template cast<double>());
  return result;
}

std::vector<std::string> cache_files(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : folders::directory_iterator(folder)) names.push_back(entry.path().string());
  std::sort(names.begin(), names.end());
  return names;
}

template <class P>
void check_caches(bool whole, const std::string& type = "roberta", bool int8 = false) {
  const auto c = cached_config(whole, 0.1, type);
  const auto model = [&] {
    auto made = upper<P>(c);
    made.trunk.int8 = int8;
    return made;
  };
  const graft_test::temporary_folder folder;
  const auto expected = train_cached(model(), folder / "one", 1);
  REQUIRE(expected.losses.size() == 8);
  for (const int threads : {1, 2, 3}) {
    INFO(threads << " threads");
    const std::string own = folder / std::to_string(threads);
    CHECK(train_cached(model(), own, threads, 0) == expected);   // nothing in files
    CHECK(train_cached(model(), own, threads, 17) == expected);  // the rest is computed again and again
    CHECK(train_cached(model(), own, threads) == expected);      // it is filled up
    const auto files = cache_files(own);
    CHECK(files.size() == 2);
    CHECK(train_cached(model(), own, threads) == expected);  // nothing is computed
    CHECK(cache_files(own) == files);
  }
  auto none = c;
  none.hidden_dropout_prob = none.attention_probs_dropout_prob = 0;
  if (whole && !int8) CHECK(train_cached(upper<P>(none), "", 2) == train_cached(upper<P>(none), folder / "one", 2));
  CHECK(cache_files(folder / "one").size() == 1);  // dropout does not matter
}

}  // namespace

TEST_CASE("training has the same bits with an empty, a partly full and a full prefix cache, on any number of threads") {
  check_caches<graft::f32>(true);
  check_caches<graft::f32>(false);
  check_caches<graft::bf16>(true);
  check_caches<graft::f64>(false);
  check_caches<graft::f32>(true, "roberta", true);
}

TEST_CASE("what lies below is the same alone and in a batch") {
  const auto c = cached_config();
  const auto model = upper<graft::f32>(c);
  const auto data = graft_test::rows(9, 3);
  graft::batch all;
  for (const auto& row : data.rows) all.add(row);
  graft::context ctx;
  const graft::training_step training(ctx, 0);  // which is not asked
  graft::buffer<float> together, alone;
  model.trunk.forward_below(all, 2, together.resize(all.rows(), 48), ctx);
  CHECK(ctx.training());
  for (graft::index i = 0; i < all.size(); ++i) {
    graft::batch one;
    one.assign(all, i, i + 1);
    model.trunk.forward_below(one, 2, alone.resize(one.rows(), 48), ctx);
    CHECK((alone.get().array() == together.get().middleRows(all.offsets[static_cast<std::size_t>(i)], one.rows()).array()).all());
  }
}

TEST_CASE("a run with a prefix cache that is stopped and resumed ends with the same bits") {
  const auto data = graft_test::rows(40, 1);
  const graft_test::temporary_folder folder;
  const auto run = [&](int stops_after, bool resumes, std::string cached) {
    auto model = upper<graft::f32>(cached_config());
    auto o = cached_options(2);
    o.eval_every_steps = 0;
    o.checkpoint_path = folder / "checkpoint";
    graft::context ctx;
    if (!cached.empty()) graft::fill_prefix_cache(model, *graft::use_prefix_cache(model, cached, ctx), data.rows, ctx);
    std::atomic<bool> stop = false;
    graft::training_observer observer;
    observer.step = [&](const auto& r) { stop = r.global_step == stops_after; };
    graft::trainer_of training(model, graft_test::two_classes(), o, data, nullptr);
    if (resumes) training.resume(o.checkpoint_path);
    training.run(observer, &stop);
    std::vector<graft::matrix<float>> all;
    for (const auto* p : graft::trainable_parameters(model)) all.emplace_back(p->value());
    return all;
  };
  const auto expected = run(0, false, folder / "cache");
  run(5, false, folder / "cache");
  CHECK(run(0, true, folder / "another") == expected);
  run(5, false, folder / "cache");
  CHECK_THROWS_WITH(run(0, true, ""), Contains("is of another run: the prefix cache is not the same as then"));
}

TEST_CASE("what 8 bits make of rows is another cache") {
  const auto c = cached_config(true, 0);
  auto model = upper<graft::f32>(c, {1});
  const std::string before = graft::prefix_identity(model, 1, graft::context());
  model.trunk.int8 = true;
  CHECK(graft::prefix_identity(model, 1, graft::context()) != before);
}

TEST_CASE("whatever is tuned above, and where everything but the head is known") {
  const auto c = cached_config(true, 0);
  const graft_test::temporary_folder folder;
  const auto check = [&](const char* name, auto&& make, graft::index layers) {
    INFO(name);
    auto model = make();
    graft::context ctx;
    CHECK(graft::use_prefix_cache(model, folder / name, ctx)->layers() == layers);
    CHECK(train_cached(make(), folder / name, 2) == train_cached(make(), "", 2));
  };
  check(
      "pfeiffer",
      [&] {
        return upper<graft::f32>(c, {0, 1});
      },
      2);
  const auto plain = [&](auto&& tune) {
    auto model = graft::make_plain_classifier<graft::f32>(c, 2);
    graft_test::draw_weights(model);
    tune(model);
    return model;
  };
  const auto lora = [&] {
    return plain([](auto& model) {
      graft::add_lora(model, {2, 4, {"layer.2.attention.self.query"}});
      graft::initialize_lora(model, 1);
      graft::tune_lora(model);
    });
  };
  check("lora", lora, 2);
  const auto prefix = [&] {
    return plain([](auto& model) {
      graft::add_prefix(model, {.length = 3, .bottleneck = 4, .leave_out = {0}});
      graft::initialize_prefix(model, 1);
      graft::tune_prefix(model);
    });
  };
  check("prefix", prefix, 1);
  check(
      "head", [&] { return plain([](auto& model) { graft::tune_head(model); }); }, 3);
}

TEST_CASE("what has nothing frozen below takes no prefix cache") {
  const graft_test::temporary_folder folder;
  graft::context ctx;
  auto lowest = upper<graft::f64>(cached_config(), {1});
  CHECK_THROWS_WITH(graft::use_prefix_cache(lowest, folder / "x", ctx), Contains("layer 0 is tuned here: tune upper layers alone"));
  auto all = graft::make_plain_classifier<graft::f64>(cached_config(), 2);
  graft::tune_everything(all);
  CHECK_THROWS_WITH(graft::use_prefix_cache(all, folder / "x", ctx),
                    Contains("the embeddings, or what stands behind them, are tuned here"));
  CHECK_FALSE(folders::exists(folder / "x"));

  auto later = upper<graft::f64>(cached_config());  // ... nor is it tuned then
  graft::use_prefix_cache(later, folder / "x", ctx);
  later.trunk.layers[0].feed.output.weight.train();
  graft::matrix<double> logits(1, 2);
  graft::batch b;
  b.add(graft_test::rows(1, 1).rows[0]);
  decltype(later)::trace trace;
  CHECK_THROWS_WITH(later.forward(b, logits, &trace, ctx), Contains("the lowest 1 layers are known as they were"));
}

TEST_CASE("other weights, layers and precisions have other files, and other rows are found by what they are") {
  const graft_test::temporary_folder folder;
  graft::context ctx;
  const auto data = graft_test::rows(20, 1);
  const auto missing = [&](auto&& model, std::span<const graft::features> rows) {
    const auto cache = graft::use_prefix_cache(model, folder.path(), ctx);
    const auto count = cache->unknown(rows).size();
    graft::fill_prefix_cache(model, *cache, rows, ctx);
    return count;
  };
  auto twice = data.rows;
  twice.insert(twice.end(), data.rows.begin(), data.rows.end());
  CHECK(missing(upper<graft::f32>(cached_config()), std::span(twice)) == 20);
  for (auto& row : twice) row.label = 0, row.token_type_ids.assign(row.input_ids.size(), 0);  // said, where it was not
  CHECK(missing(upper<graft::f32>(cached_config(true, 0.3)), std::span(twice).subspan(7)) == 0);
  CHECK(missing(upper<graft::bf16>(cached_config()), data.rows) == 20);
  CHECK(missing(upper<graft::f32>(cached_config(), {0, 1}), data.rows) == 20);
  auto other = upper<graft::f32>(cached_config());
  other.trunk.embedded.word.weight.edit()(29, 3) += 1e-6F;
  CHECK(missing(other, data.rows) == 20);
  twice[0].input_ids.pop_back();
  twice[0].token_type_ids.pop_back();
  CHECK(missing(upper<graft::f32>(cached_config()), twice) == 1);
}

TEST_CASE("files of a prefix cache that are cut short, or somebody else's, are refused in a line") {
  const graft_test::temporary_folder folder;
  graft::context ctx;
  const auto open = [&] {
    auto model = upper<graft::f32>(cached_config());
    const auto cache = graft::use_prefix_cache(model, folder.path(), ctx);
    graft::fill_prefix_cache(model, *cache, graft_test::rows(5, 1).rows, ctx);
    return cache->rows();
  };
  CHECK(open() == 5);
  const std::string file = cache_files(folder.path()).at(0);
  const std::string whole = graft::read_file(file);
  const auto refused = [&](const std::string& text, const std::string& reason) {
    graft::write_file(file, text);
    CHECK_THROWS_WITH(open(), Contains(file + ": is no whole file of a prefix cache: ") && Contains(reason) && Contains("remove it"));
  };
  refused(whole.substr(0, whole.size() - 7), "byte");
  refused("", "");
  graft::safetensors_writer writer;
  const std::vector<float> numbers(3);
  writer.add("x", {3}, std::span<const float>(numbers));
  writer.write(folder / "y");
  refused(graft::read_file(folder / "y"), "does not say that it is one of");
  graft::write_file(file, whole);
  graft::write_file(folder / "notes.txt", "not ours");
  const std::string half = graft::temporary_name(file, "0123456789abcdef");
  graft::write_file(half, "half");
  CHECK(open() == 5);
  CHECK(folders::exists(half));  // nothing was to be written
  folders::remove(file);
  CHECK(open() == 5);
  CHECK_FALSE(folders::exists(half));
  CHECK(graft::read_file(file) == whole);
  CHECK(folders::exists(folder / "notes.txt"));
}

TEST_CASE("a bit that changed in a file of a prefix cache is no other answer: a line, or the row is computed") {
  const graft_test::temporary_folder folder;
  const auto data = graft_test::rows(5, 1);
  const auto open = [&] {
    graft::context ctx;
    auto model = upper<graft::f32>(cached_config());
    const auto cache = graft::use_prefix_cache(model, folder.path(), ctx);
    return cache->unknown(data.rows).size();
  };
  {
    graft::context ctx;
    auto model = upper<graft::f32>(cached_config());
    graft::fill_prefix_cache(model, *graft::use_prefix_cache(model, folder.path(), ctx), data.rows, ctx);
  }
  CHECK(open() == 0);
  const std::string file = cache_files(folder.path()).at(0), whole = graft::read_file(file);
  const graft::safetensors_file good(file);
  for (const char* name : {"states", "sums", "input_ids", "token_type_ids", "offsets"}) {
    INFO(name);
    const auto bytes = good.at(name).bytes;
    const auto last = good.at("states").bytes;
    const std::size_t begin = whole.size() - static_cast<std::size_t>(last.data() + last.size() - bytes.data());
    for (const std::size_t at : {bytes.size() / 3 / 8 * 8, bytes.size() - (std::string(name) == "offsets" ? 16 : 1)}) {
      std::string changed = whole;
      changed[begin + at] ^= 4;
      graft::write_file(file, changed);
      graft::index unknown = 0;
      try {
        unknown = open();
      } catch (const graft::format_error& failure) {
        CHECK_THAT(failure.what(), Contains(file + ": is no whole file of a prefix cache: ") && Contains("remove it"));
        continue;
      }
      CHECK(unknown > 0);
    }
  }
  std::string changed = whole;
  changed[changed.size() / 2] ^= 4;  // states are most of a file
  graft::write_file(file, changed);
  CHECK_THROWS_WITH(open(), Contains("what it holds of a row is not what was written; remove it, and its rows are computed anew"));
}

TEST_CASE("a disk that fills up while a prefix cache is written leaves what was there") {
  const graft_test::temporary_folder folder;
  graft::context ctx;
  auto model = upper<graft::f32>(cached_config());
  const auto cache = graft::use_prefix_cache(model, folder.path(), ctx);
  graft::fill_prefix_cache(model, *cache, graft_test::rows(5, 1).rows, ctx);
  const auto before = cache_files(folder.path());
  const auto more = graft_test::rows(30, 2);
  {
    struct small_files {
      small_files() {
        ::getrlimit(RLIMIT_FSIZE, &before);
        const rlimit small{4000, before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
      }
      ~small_files() { ::setrlimit(RLIMIT_FSIZE, &before), std::signal(SIGXFSZ, handler); }
      rlimit before{};
      void (*handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
    } const scope;
    CHECK_THROWS_AS(graft::fill_prefix_cache(model, *cache, more.rows, ctx), graft::backend_error);
  }
  CHECK(cache_files(folder.path()) == before);
  CHECK(graft::fill_prefix_cache(model, *cache, more.rows, ctx));
  CHECK(cache->rows() == 35);
  CHECK_THROWS_WITH(cache->require_disk_space(graft::index{1} << 40),
                    Contains("has no room for the ") && Contains("MB that the prefix cache still"));
}

TEST_CASE("two that fill a prefix cache at once do it one after the other") {
  const graft_test::temporary_folder folder;
  const auto data = graft_test::rows(60, 1);
  std::atomic<int> computed = 0;
  const auto fill = [&] {
    auto model = upper<graft::f64>(cached_config());
    graft::context ctx;
    ctx.threads = 1;
    graft::prefix_progress progress;
    progress.rows = [&](std::int64_t done, std::int64_t all) { computed += done == all ? static_cast<int>(all) : 0; };
    graft::fill_prefix_cache(model, *graft::use_prefix_cache(model, folder.path(), ctx), data.rows, ctx, progress);
  };
  std::thread other(fill);
  fill();
  other.join();
  CHECK(computed == 60);
  CHECK(cache_files(folder.path()).size() == 1);

  auto model = upper<graft::f64>(cached_config());
  graft::context ctx;
  const auto cache = graft::use_prefix_cache(model, folder.path(), ctx);
  const graft::prefix_cache::turn first(*cache, {}, nullptr);
  const std::atomic<bool> stop = true;
  bool waited = false;
  graft::prefix_progress progress;
  progress.waits = [&] { waited = true; };
  CHECK_FALSE(graft::fill_prefix_cache(model, *cache, graft_test::rows(61, 1).rows, ctx, progress, &stop));
  CHECK(waited);
}
