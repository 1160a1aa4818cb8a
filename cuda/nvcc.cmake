# The CUDA backend for a GPU: code for sm_80 and sm_90, and PTX for what comes later. The runtime is
# linked statically; it opens the driver itself, and cuda/cublas.cu opens cuBLAS.
set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
  message(FATAL_ERROR "nvcc ${CMAKE_CUDA_COMPILER_VERSION} does not know C++20; 12.0 or newer does")
endif()
set(CMAKE_CUDA_STANDARD 20)
# Which flag that is CMake 3.25 does not know yet.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA_FLAGS_RELEASE "-O2")

add_library(cuda_backend OBJECT ${cuda_files})
add_library(older_glibc OBJECT cuda/glibc.cpp)
target_sources(cuda_backend INTERFACE $<TARGET_OBJECTS:older_glibc>)
# fmt 9 does not ask nvcc for constexpr, of which its headers make use all the same.
target_compile_definitions(cuda_backend PRIVATE FMT_USE_CONSTEXPR=1)
target_compile_options(cuda_backend PRIVATE --Werror=all-warnings -Xcompiler=-Wall)
set_target_properties(cuda_backend PROPERTIES CUDA_RUNTIME_LIBRARY Static)
target_link_libraries(cuda_backend PUBLIC core cpu ${CMAKE_DL_LIBS} -static-libstdc++ -static-libgcc)

# What the card does at best, for the first run on one (tools/gpu).
add_executable(ceilings cuda/ceilings/ceilings.cu)
target_compile_definitions(ceilings PRIVATE FMT_USE_CONSTEXPR=1)
target_compile_options(ceilings PRIVATE --Werror=all-warnings -Xcompiler=-Wall)
set_target_properties(ceilings PROPERTIES CUDA_RUNTIME_LIBRARY Static)
target_link_libraries(ceilings cuda_backend)
