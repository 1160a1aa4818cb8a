#include "tools/source.h"

#include <filesystem>

namespace star::cli {

bool is_path(const std::string& text) {
  std::error_code none;
  return std::filesystem::is_regular_file(text, none) ||
         text.find_first_of("./") != std::string::npos;
}

}  // namespace star::cli
