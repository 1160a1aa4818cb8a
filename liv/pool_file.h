// A pool as text, so that a user can search other operators (star/README.md). A line each, in any
// order; `#` begins a comment, blank lines are skipped:
//
//     featurizer 1: q 21111, k 21111, v 21111      # its feature groups: role and digits
//     class 1 SA-1: 12123                          # an operator
//     class a D-SA-1: differential of 1
//
// Identifiers are one character of base 36; that of a featurizer is not 0, since it is the first
// digit of operators. Names are free, without spaces.
#pragma once

#include <string>
#include <string_view>

#include "liv/pool.h"

namespace star::liv {

// Throws `Error` that names the file, the line and what is wrong: an unknown role, an identifier or
// a name given twice, a digit out of range, an illegal operator with its reason.
Pool parse_pool(std::string_view text, const std::string& file);

// The text from which parse_pool makes an equal pool.
std::string pool_text(const Pool& pool);

// "paper", "extended", or the text of a pool file; throws `Error` otherwise.
Pool named_pool(const std::string& name_or_text);

// What is given for --pool as what `named_pool` takes: "paper" and "extended" stay, of a file it is
// the text, which has been checked.
std::string pool_setting(const std::string& name_or_path);

}  // namespace star::liv
