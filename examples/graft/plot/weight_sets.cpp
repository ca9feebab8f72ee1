#include "plot/weight_sets.hpp"

#include <algorithm>
#include <cstddef>
#include <map>

#include "graft/core/text_list.hpp"

namespace graft::program::detail {

bool same_weights(const std::vector<series>& a, const std::vector<series>& b) {
  const auto same_value = [](double p, double q) { return p == q || (p != p && q != q); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const series& p, const series& q) {
    return p.x == q.x && std::equal(p.y.begin(), p.y.end(), q.y.begin(), q.y.end(), same_value);
  });
}

/// {0, 1, 2, 5} -> "layers 0-2, 5"
std::string layers_text(const std::vector<int>& layers) {
  std::string out = layers.size() == 1 ? "layer " : "layers ";
  for (std::size_t begin = 0; begin < layers.size();) {
    std::size_t end = begin + 1;
    while (end < layers.size() && layers[end] == layers[end - 1] + 1) ++end;
    out += begin == 0 ? "" : ", ";
    out += std::to_string(layers[begin]);
    if (end - begin > 1) out += std::string("-") + std::to_string(layers[end - 1]);
    begin = end;
  }
  return out;
}

/// "layers 0-11 (all sites)", "layer 3, attention + feed-forward", "layer 0, attention; layer 1, feed-forward"
std::string sites_text(const std::vector<int>& sites, std::size_t sites_in_model) {
  std::map<int, int> sites_of_layer;  // 1 attention, 2 feed-forward, 3 both
  for (const int site : sites) sites_of_layer[site / 2] |= 1 << (site % 2);
  static const char* const names[] = {"attention", "feed-forward", "attention + feed-forward"};
  std::string out;
  for (const int kind : {3, 1, 2}) {
    std::vector<int> layers;
    for (const auto& [layer, has] : sites_of_layer) {
      if (has == kind) layers.push_back(layer);
    }
    if (layers.empty()) continue;
    add_to_list(out, layers_text(layers), "; ");
    out += sites.size() == sites_in_model && kind == 3 ? " (all sites)" : std::string(", ") + names[kind - 1];
  }
  return out;
}

}  // namespace graft::program::detail

namespace graft::program {

std::vector<weight_set> weight_sets(const run_log& log) {
  std::vector<weight_set> sets;
  for (const auto& [site, lines] : log.site_weights) {
    const auto same =
        std::find_if(sets.begin(), sets.end(), [&here = lines](const weight_set& s) { return detail::same_weights(s.lines, here); });
    if (same != sets.end()) {
      same->sites.push_back(site);
    } else {
      sets.push_back({"", {site}, lines});
    }
  }
  for (auto& set : sets) set.name = detail::sites_text(set.sites, log.site_weights.size());
  return sets;
}

}  // namespace graft::program
