// A backbone as a table for people: a row a LIV, with brackets that connect what runs in parallel
// and what shares.
#pragma once

#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/genome.h"

namespace star {

// Bytes with a unit: "512 B", "12.0 KiB".
std::string size_text(int64_t bytes);

// LIV `to` takes a feature group, or its weights, of LIV `from`. LIVs count from 0.
struct Link {
  int from, to;
  Role role;
};
std::vector<Link> links_of(const Backbone& backbone, bool weights);

// The table of the model compiled from `genome`: class, parameters owned, cache at `cache_context`
// tokens, and for both kinds of sharing a bracket for each group, beside what a LIV gives to the
// others ("gives k v") and takes ("k v of 1"). LIVs count from 1. Lines end in "\n".
std::string draw(const Genome& genome, const Backbone& backbone, int64_t cache_context);

}  // namespace star
