// Whether what is better at the size of a search is better in a larger model: the same genomes,
// wider, and deeper by repeating the backbone or each of its LIVs.
//
// The larger model keeps the learning rate of the search unless rates are given; then each genome
// is shown at that of them which is best for it. No rule is applied: that the rate should fall as
// 1/width holds for the hidden matrices of models which are parametrised for it (µP: Yang et al.,
// "Tensor programs V", arXiv 2203.03466), and not for embeddings, norms, convolutions and decays,
// which are a good part of small models.
#pragma once

#include "star/after/agreement.h"
#include "star/after/rates.h"

namespace star::synthesis {

struct TransferOptions {
  std::vector<std::string> names = {"@transformer", "@hybrid", "@mamba"};  // beside the group
  std::string from;              // of kSubjectGroups; empty: usual_group
  int top = 8;                   // so many of the group, best first; 0: all
  int64_t width = 0, heads = 0;  // 0: twice the width, and so many heads that they keep theirs
  int repeat = 2;
  bool stretch = false;       // repeats each LIV in place (star/compiler.h)
  int64_t steps = 0;          // 0: the search's
  std::vector<double> rates;  // of the larger model; empty: the search's
};

struct TransferRow {
  Evaluation small;                       // as the search trains
  Tuned tuned;                            // the larger model, from one seed
  double small_rank = 0, large_rank = 0;  // by quality, of those that did not fail

  const Evaluation& large() const { return tuned.chosen().by_seed[0]; }
  bool ok() const { return small.ok() && large().ok(); }
  const std::string& failure() const { return small.ok() ? large().failure : small.failure; }
};

struct TransferTable {
  TransferOptions options;            // nothing left open
  std::vector<TransferRow> rows;      // best first in the larger model, what failed last
  std::vector<Agreement> agreements;  // of the metrics kTransferred, in their order
};

inline const std::vector<std::string> kTransferred = {"quality", "params", "cache"};

// Throws `Error` for a name or a group that is not known, and sizes that do not fit each other.
TransferTable transfer_table(const Study& study, TransferOptions options);

}  // namespace star::synthesis
