// Build-time program: `pack OUT FILE...` writes the files as one packed text (star/pack.h), which
// the build embeds in the binary. The names are kept as they are given.
#include <cstdio>
#include <exception>

#include "core/error.h"
#include "core/file.h"
#include "star/pack.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: pack OUT FILE...\n");
    return 2;
  }
  try {
    std::vector<star::synthesis::TextFile> files;
    for (int i = 2; i < argc; ++i) files.push_back({argv[i], star::read_file(argv[i])});
    std::string packed = star::synthesis::pack(std::move(files));
    std::string_view piece = packed;
    star::write_file(argv[1], {&piece, 1});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "pack: %s\n", e.what());
    return 1;
  }
  return 0;
}
