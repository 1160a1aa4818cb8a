#include "autograd/orders.h"

namespace star::autograd {

std::string Order::name_with(int64_t size) const { return fmt::format(fmt::runtime(name), size); }

std::vector<int64_t> fits(bool does) {
  return does ? std::vector<int64_t>{0} : std::vector<int64_t>{};
}

const std::vector<Order>& all_orders() {
  static const std::vector<Order> all = [] {
    std::vector<Order> orders = composed_orders();
    for (const Order* fused : {&kGatedProduct, &kGatedConvolution, &kTiles, &kStateInChunks,
                               &kGatedScan, &kSelectiveScan, &kDeltaInChunks})
      orders.push_back(*fused);
    return orders;
  }();
  return all;
}

}  // namespace star::autograd
