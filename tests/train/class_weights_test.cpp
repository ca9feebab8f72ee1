#include "graft/train/class_weights.hpp"

#include <catch2/catch.hpp>

#include "graft/core/error.hpp"

namespace {

using graft::parse_class_weights;
using graft::task_kind;

const graft::task& three() {
  static const graft::task t = graft::custom_task("three", task_kind::classification, {"a", "b=c", "d, e"});
  return t;
}

graft::features with_label(std::int32_t label) {
  graft::features row;
  row.label = label;
  return row;
}

graft::features with_labels(const std::vector<std::int32_t>& labels) {
  graft::features row;
  row.label_set = labels;
  return row;
}

}  // namespace

TEST_CASE("balanced weights are scikit-learn's, and of several labels at once what each lacks to half of the rows") {
  std::vector<graft::features> rows;
  for (const int label : {0, 0, 1, 2, 0, 2, 1, 0, 2, 0}) rows.push_back(with_label(label));
  CHECK(graft::balanced_class_weights(three(), rows) == std::vector<double>{0.6666666666666666, 1.6666666666666667, 1.1111111111111112});
  rows.resize(2);
  CHECK_THROWS_WITH(graft::balanced_class_weights(three(), rows),
                    "class_weights cannot be balanced: none of the training rows has the label \"b=c\"; give weights by name");

  const graft::task several = graft::custom_task("several", task_kind::multi_label, {"x", "y"});
  std::vector<graft::features> sets{with_labels({0}), with_labels({0, 1}), with_labels({}), with_labels({0})};
  CHECK(graft::balanced_class_weights(several, sets) == std::vector<double>{1.0 / 3, 3});
  sets.resize(2);
  CHECK_THROWS_WITH(graft::balanced_class_weights(several, sets), Catch::Contains("each of the training rows has the label \"x\""));
}

TEST_CASE("weights are given by name or in the order of the labels") {
  CHECK(parse_class_weights("b=c=2.5,a=0.5", three()) == std::vector<double>{0.5, 2.5, 1});
  CHECK(parse_class_weights(R"({"d, e": 3})", three()) == std::vector<double>{1, 1, 3});
  CHECK(parse_class_weights("[1, 2, 3e-1]", three()) == std::vector<double>{1, 2, 0.3});
  const auto refused = [](const std::string& text, const std::string& why) {
    CHECK_THROWS_WITH(parse_class_weights(text, three()), Catch::Contains(why));
  };
  refused("yes=1", "names the label \"yes\", one of ");
  refused("a=1,a=2", "names the label \"a\" twice");
  refused("a=0", "class_weights is 0, above 0 to ");
  refused("a=1,", "class_weights has \"\", balanced, LABEL=NUMBER");
  refused("a", "class_weights has \"a\"");
  refused("a=1x", "class_weights has \"a=1x\"");
  refused("2,3", "class_weights has \"2\"");
  refused(R"({"a": "1"})", "class_weights has \"\"1\"\"");
  refused("{a: 1}", "class_weights has \"{a: 1}\"");
  refused("[1, 2]", "class_weights has 2 numbers, one for each of the 3 labels");
  refused("[]", "class_weights has \"[]\"");
  const graft::task number = graft::custom_task("number", task_kind::regression, {});
  CHECK_THROWS_WITH(parse_class_weights("a=1", number), Catch::Contains("number is a regression"));
  CHECK_THROWS_AS(graft::check_loss({{}, 0.1}, number), graft::config_error);
  CHECK_THROWS_AS(graft::check_loss({{1, 2}, 0}, three()), graft::config_error);
  CHECK_NOTHROW(graft::check_loss({}, number));
}
