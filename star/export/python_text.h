// Python, line by line.
#pragma once

#include <fmt/format.h>

#include <string>

namespace star::synthesis {

class PythonText {
 public:
  // A line, so many levels of four spaces in.
  template <class... Args>
  void line(int level, fmt::format_string<Args...> format, Args&&... args) {
    text_ += std::string(size_t(4 * level), ' ') +
             fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  void empty() { text_ += "\n"; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace star::synthesis
