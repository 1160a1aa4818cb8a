// The scratch memory of OpenBLAS, which the products of matrices on the CPU use.
#pragma once

namespace star {

// Takes what products of so many threads need, and keeps it. Throws `std::bad_alloc`.
void reserve_blas_memory(int threads);

}  // namespace star
