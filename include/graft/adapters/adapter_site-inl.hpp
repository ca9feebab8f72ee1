#pragma once
// Bodies of graft/adapters/adapter_site.hpp.

#include <algorithm>

#include "graft/adapters/adapter_site.hpp"
#include "graft/adapters/kind_names.hpp"
#include "graft/core/compiled.hpp"

namespace graft {

template <class P>
adapter_site<P>::adapter_site(const std::string& adapter_prefix, const std::string& norm_prefix, index hidden_size, double eps,
                              const adapter_options& o, site_location where)
    : norm(norm_prefix, hidden_size, eps) {
  detail::with_adapter_kind<P>(parse_adapter_kind(o.kind), [&]<class Kind>() {
    const bool left_out = std::find(o.leave_out.begin(), o.leave_out.end(), where.layer) != o.leave_out.end();
    if (left_out || !Kind::stands_at(o, where)) return;
    auto& made = adapter.template emplace<Kind>(adapter_prefix, hidden_size, o, where);
    const std::uint64_t number = 2 * static_cast<std::uint64_t>(where.layer) + (where.behind == sub_layer::feed_forward ? 1 : 0);
    if constexpr (requires { made.module.dropout; }) {
      made.module.dropout = {o.dropout, dropout_streams + number};
    } else if (o.dropout > 0) {
      throw config_error("adapter_dropout is not for adapters of kind " + o.kind);
    }
  });
}

template <class P>
adapter_site<P>::adapter_site(const std::string& adapter_prefix, const std::string& norm_prefix, index hidden_size, double eps,
                              const std::vector<mixed_adapter>& fused, const fusion_options& o, site_location where)
    : norm(norm_prefix, hidden_size, eps) {
  if (fusion_adapter<P>::stands_at(fused, where)) {
    adapter.template emplace<fusion_adapter<P>>(adapter_prefix, hidden_size, fused, o, where);
  }
}

template <class P>
adapter_site<P>::adapter_site(const std::string& norm_prefix, index hidden_size, double eps) : norm(norm_prefix, hidden_size, eps) {}

template <class P>
void adapter_site<P>::forward(const_view<real> h, const_view<real> x, view<real> y, saved* s, context& ctx) const {
  std::visit(
      [&]<class Kind>(const Kind& kind) {
        typename Kind::saved* kind_saved = nullptr;
        if (s != nullptr) {
          kind_saved = std::get_if<typename Kind::saved>(&s->adapter);  // memory that was there is used again
          if (kind_saved == nullptr) kind_saved = &s->adapter.template emplace<typename Kind::saved>();
        }
        kind.forward(h, x, norm, y, kind_saved, ctx);
      },
      adapter);
}

template <class P>
void adapter_site<P>::backward(const_view<real> dy, const saved& s, view<real>* dh, view<real>* dx, context& ctx) {
  std::visit([&]<class Kind>(Kind& kind) { kind.backward(dy, std::get<typename Kind::saved>(s.adapter), norm, dh, dx, ctx); }, adapter);
}

template <class P>
const bottleneck<P>* adapter_site<P>::module() const {
  return std::visit(
      [](const auto& kind) -> const bottleneck<P>* {
        if constexpr (requires { kind.module; }) {
          return &kind.module;
        } else {
          return nullptr;
        }
      },
      adapter);
}

#if defined(GRAFT_PRECISION)  // graft::compiled
template class adapter_site<GRAFT_PRECISION>;
#endif

}  // namespace graft
