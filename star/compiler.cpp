#include "star/compiler.h"

#include "star/sharing.h"

namespace star {

std::vector<Block> compile(const Genome& genome, const Pool& pool) {
  Pool effective = effective_pool(genome, pool);
  SharingPlan plan = plan_sharing(genome, effective);
  std::vector<Block> blocks;
  for (size_t l = 0; l < genome.segments.size(); ++l) {
    const Segment& segment = genome.segments[l];
    blocks.push_back({*effective.find(segment.liv), plan[l], segment.parallel});
  }
  return blocks;
}

std::vector<Block> repeated(const std::vector<Block>& blocks, int times) {
  std::vector<Block> all;
  for (int copy = 0; copy < times; ++copy) {
    const int first = int(all.size());
    for (Block block : blocks) {
      for (FeatureSource& source : block.sources) {
        source.feature += first;
        if (source.weights >= 0) source.weights += first;
      }
      all.push_back(std::move(block));
    }
  }
  return all;
}

}  // namespace star
