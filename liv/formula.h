// What an entry of T(x) is made of, in words of mathematics, read off the digits of a class.
#pragma once

#include <string>

#include "liv/pool.h"

namespace star::liv {

// "T_{ij} = softmax_j(q_i·k_j / √e)". Marks as in TeX: _ below, ^ above, braces around more than one
// letter. e is the width of a head, n_i the number of tokens that i sees, w the window; features are
// as they are used, after convolution, rotation and nonlinearity.
std::string formula_of(const LivClass& liv);

}  // namespace star::liv
