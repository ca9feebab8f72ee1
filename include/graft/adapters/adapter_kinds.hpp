#pragma once
// The kinds of adapters that there are: the one place where a new kind is named. docs/adding-a-layer.md writes one.

#include "graft/adapters/general_adapter.hpp"
#include "graft/adapters/houlsby_adapter.hpp"
#include "graft/adapters/no_adapter.hpp"
#include "graft/adapters/parallel_adapter.hpp"
#include "graft/adapters/pfeiffer_adapter.hpp"
#include "graft/core/precision.hpp"

namespace graft::detail {

template <template <class> class... Kind>
struct kind_list {};

/// A line a kind. What else there is to know of one stands in its own file.
using adapter_kinds = kind_list<houlsby_adapter,   //
                                pfeiffer_adapter,  //
                                parallel_adapter,  //
                                general_adapter>;

/// F(kind) for the kind called NAME, as a class template's instance for P: f.operator()<Kind>().
template <class P, class F>
void with_adapter_kind(const std::string& name, F&& f) {
  [&]<template <class> class... Kind>(kind_list<Kind...>) {
    static_cast<void>(((Kind<P>::name == name && (f.template operator()<Kind<P>>(), true)) || ...));
  }(adapter_kinds());
}

}  // namespace graft::detail
