#include "tools/operator_sizes.h"

#include "tools/options.h"

namespace star::cli {

void declare_operator_sizes(CLI::App& app, liv::Sizes& sizes, int64_t& length,
                            const char* length_help) {
  constexpr int64_t kMost = int64_t(1) << 20;
  add_whole(app, "--width", sizes.width, 1, kMost, "Width d")->capture_default_str();
  add_whole(app, "--heads", sizes.heads, 1, kMost, "Heads H; they divide the width")
      ->capture_default_str();
  add_whole(app, "--seq", length, 1, int64_t(1) << 16, length_help);
  add_whole(app, "--window", sizes.window, 1, kMost, "Positions that banded operators see")
      ->capture_default_str();
}

}  // namespace star::cli
