// The CPU kernels of one instruction set. Every file of this folder that includes this header is
// compiled once for each target (STAR_TARGET: v2, v3, v4 on x86-64, neon on AArch64); cpu/cpu.cpp
// chooses among the tables when the program starts.
#pragma once

#include "core/exec.h"

#ifndef STAR_TARGET
#error "compile with -DSTAR_TARGET=<namespace of the instruction set>"
#endif

namespace star::cpu::STAR_TARGET {

#define KERNEL(name, Arguments) \
  template <class T>            \
  void name(Exec& exec, const Arguments<T>& args);
#include "core/kernels.def"
#undef KERNEL

}  // namespace star::cpu::STAR_TARGET

// At the end of a kernel's file, inside the namespace.
#define STAR_INSTANTIATE(name, Arguments)                    \
  template void name<float>(Exec&, const Arguments<float>&); \
  template void name<double>(Exec&, const Arguments<double>&);
