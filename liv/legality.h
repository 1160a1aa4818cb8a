// Which operators have a meaning and a fast form.
#pragma once

#include <string>
#include <vector>

#include "liv/pool.h"

namespace star {

// Why an operator on these groups is illegal, a line a reason; empty if it is legal.
std::vector<std::string> check_operator(const OperatorGenome& op,
                                        const std::vector<FeatureGroup>& groups);

// The reasons that check_operator may give when all digits are in range, each once; in a line about
// a group they stand behind its role and a colon.
std::vector<std::string> refusals();

}  // namespace star
