#include "cuda/cublas.h"

#include <glob.h>

#include <cstdlib>

#if defined(__CUDACC__)
#include <dlfcn.h>
#endif

#include "cuda/backend.h"

namespace star::cuda {
namespace {

// What cuBLAS would take of its own on the cards that ask for most (cuBLAS manual, cublasSetWorkspace).
constexpr size_t kWorkspaceBytes = size_t(32) << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void add_matches(std::vector<std::string>& places, const std::string& pattern) {
  glob_t found = {};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    places.insert(places.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
}

void succeed(int status, const char* what) {
  require(status == CUBLAS_STATUS_SUCCESS, "cuda: cuBLAS {}, it says {}", what, status);
}

}  // namespace

std::vector<std::string> cublas_places() {
  if (std::string named = environment("STAR_CUBLAS"); !named.empty()) return {named};
  std::vector<std::string> places, roots = {"/usr", "/usr/local", "/opt/*"};
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (std::string root = environment(name); !root.empty()) roots.insert(roots.begin(), root);
  if (std::string home = environment("HOME"); !home.empty()) roots.push_back(home + "/.local");
  const std::string versions[] = {"libcublas.so.13", "libcublas.so.12"};
  places.assign(versions, versions + 2);
  for (auto& file : versions) {
    add_matches(places, "/usr/local/cuda*/lib64/" + file);
    for (auto& root : roots)
      for (const char* folder : {"/lib/", "/lib/python3*/site-packages/nvidia/*/lib/",
                                 "/lib/python3*/dist-packages/nvidia/*/lib/"})
        add_matches(places, root + folder + file);
  }
  return places;
}

const Cublas& Cublas::here() {
  static const Cublas cublas;
  return cublas;
}

#if !defined(__CUDACC__)

Cublas::Cublas()
    : multiply_f32(cublasGemmStridedBatchedEx),
      multiply_f64(cublasDgemmStridedBatched),
      create_(cublasCreate),
      set_stream_(cublasSetStream),
      set_workspace_(cublasSetWorkspace),
      version_("emulated cuBLAS") {}

void* Cublas::function(const char*) const { return library_; }

#else

namespace {

// The names in the library are what the macros of its header make of those in the manual.
#define STAR_TEXT_(x) #x
#define STAR_TEXT(x) STAR_TEXT_(x)

void* open_library() {
  const std::vector<std::string> places = cublas_places();
  for (auto& place : places) {
    // It asks for its other half, which lies beside it and which the loader need not know.
    if (size_t folder = place.rfind('/'); folder != place.npos) {
      const std::string other = place.substr(0, folder) + "/libcublasLt" +
                                place.substr(place.rfind("/libcublas") + sizeof "/libcublas" - 1);
      dlopen(other.c_str(), RTLD_NOW | RTLD_GLOBAL);
    }
    if (void* library = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  }
  fail("cuda: cuBLAS is needed for matrix products; {} was not found, STAR_CUBLAS may name it",
       places.size() == 1 ? places[0] : "libcublas.so.13 or .12");
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  require(function != nullptr, "cuda: {} is missing in the cuBLAS of this machine", name);
}

}  // namespace

Cublas::Cublas() : library_(open_library()) {
  find(library_, STAR_TEXT(cublasGemmStridedBatchedEx), multiply_f32);
  find(library_, STAR_TEXT(cublasDgemmStridedBatched), multiply_f64);
  find(library_, STAR_TEXT(cublasCreate), create_);
  find(library_, STAR_TEXT(cublasSetStream), set_stream_);
  find(library_, STAR_TEXT(cublasSetWorkspace), set_workspace_);
  decltype(&cublasGetProperty) property = nullptr;
  find(library_, STAR_TEXT(cublasGetProperty), property);
  int major = 0, minor = 0, patch = 0;
  succeed(property(MAJOR_VERSION, &major), "has no version");
  succeed(property(MINOR_VERSION, &minor), "has no version");
  succeed(property(PATCH_LEVEL, &patch), "has no version");
  version_ = fmt::format("cuBLAS {}.{}.{}", major, minor, patch);
}

void* Cublas::function(const char* name) const { return dlsym(library_, name); }

#endif

// A stream takes a handle's memory away: it comes first.
cublasHandle_t Cublas::handle() const {
  thread_local cublasHandle_t handle = nullptr;
  if (handle) return handle;
  cublasHandle_t fresh = nullptr;
  void* workspace = nullptr;
  succeed(create_(&fresh), "could not be started");
  succeed(set_stream_(fresh, stream()), "refused a stream");
  check(cudaMalloc(&workspace, kWorkspaceBytes), "memory for cuBLAS");
  succeed(set_workspace_(fresh, workspace, kWorkspaceBytes), "refused its memory");
  return handle = fresh;
}

}  // namespace star::cuda
