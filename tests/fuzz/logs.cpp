// The folder of a run, as plot reads it: the same bytes as each of its logs, then as the JSON files beside good ones.

#include "harness.hpp"
// the others behind it, so that they map files its way
#include <filesystem>

#include "plot/pictures.hpp"
#include "plot/report.hpp"

GRAFT_HARNESS(logs) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::filesystem::create_directories(graft_fuzz::folder() / "run/1700000000");
  const auto draw = [] {
    graft_fuzz::attempt([] {
      const auto log = graft::program::read_run_log(graft_fuzz::folder() / "run");
      graft::program::report_html(log, graft::program::pictures(log));
    });
  };
  const std::string loss = R"({"epoch":0,"epoch_step":1,"global_step":1,"loss_val":0.5})"
                           "\n";
  for (const std::string key : {"loss_train", "train_val", "train_val_best", "weights"}) {
    graft_fuzz::write("run/1700000000/loss_train.zlog", loss);
    const auto path = graft_fuzz::write("run/1700000000/" + key + ".zlog", text);
    draw();
    ::unlink(path.c_str());
  }
  graft_fuzz::write("run/1700000000/loss_train.zlog", loss);
  for (const std::string name : {"args.json", "val_metrics.json", "val_report.json"}) {
    const auto path = graft_fuzz::write("run/" + name, text);
    draw();
    ::unlink(path.c_str());
  }
  return 0;
}
