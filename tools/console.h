// The three standard streams. Standard output is for results: where it cannot be written, the work
// has failed. Standard error is for people: what cannot be shown there is dropped, since a closed
// terminal or a log on a full disk must cost no work.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace star::cli {

// To be called first. Descriptors 0, 1 and 2 that are closed become ones that nothing can be
// written to, so that no file opened later gets their numbers; writing to a pipe that nobody reads
// fails, rather than to end the process.
void hold_standard_streams();

// On standard error, as it is.
void say_text(std::string_view text);

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say_text(fmt::format(format, std::forward<Args>(args)...));
}

// "star: " and the text as one line, whatever is in it.
void say_error(std::string_view text);

// Writes out what was printed. Throws std::system_error where standard output cannot be written.
void flush_output();

// The exit status of a command that ends with `status`: where something that it printed could not
// be written, not 0, after a line that says so.
int finish_output(int status);

}  // namespace star::cli
