#include "autograd/orders.h"

namespace star {

std::string Order::name_with(int64_t size) const { return fmt::format(fmt::runtime(name), size); }

std::vector<Order> all_orders() {
  std::vector<Order> orders = composed_orders();
  for (const Order* fused : {&kGatedProduct, &kGatedConvolution, &kTiles, &kStateInChunks,
                             &kGatedScan, &kSelectiveScan, &kDeltaInChunks})
    orders.push_back(*fused);
  return orders;
}

}  // namespace star
