// Whole files in and out, with errors that name the path.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace star {

// The bytes of a regular file. Errors: missing, not a regular file, unreadable.
std::string read_file(const std::string& path);

// Writes the pieces one after the other as the file `path`, all or nothing: they go to `path.tmp`,
// which is synchronised and then renamed, so that whoever looks sees the old file or the new one.
void write_file(const std::string& path, std::span<const std::string_view> pieces);

// Fails as `write_file` would where the path cannot be written; to be asked before long work.
void require_writable(const std::string& path);

}  // namespace star
