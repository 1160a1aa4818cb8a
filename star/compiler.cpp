#include "star/compiler.h"

#include "star/sharing.h"

namespace star::synthesis {

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

std::vector<Block> stretched(const std::vector<Block>& blocks, int times) {
  const int count = int(blocks.size());
  // Where the first copy of each LIV comes to stand, and how far the next copy is from it.
  std::vector<int> place(blocks.size()), run(blocks.size());
  for (int begin = 0, end = 0; begin < count; begin = end) {
    for (++end; end < count && blocks[size_t(end)].parallel;) ++end;
    for (int l = begin; l < end; ++l) {
      place[size_t(l)] = begin * times + (l - begin);
      run[size_t(l)] = end - begin;
    }
  }
  std::vector<Block> all(blocks.size() * size_t(times));
  for (int l = 0; l < count; ++l) {
    for (int copy = 0; copy < times; ++copy) {
      auto moved = [&](int liv) { return place[size_t(liv)] + copy * run[size_t(liv)]; };
      Block block = blocks[size_t(l)];
      for (FeatureSource& source : block.sources) {
        source.feature = moved(source.feature);
        if (source.weights >= 0) source.weights = moved(source.weights);
      }
      all[size_t(moved(l))] = std::move(block);
    }
  }
  return all;
}

}  // namespace star::synthesis
