// Named texts, and the packed form in which the program carries its own source.
//
// The packed form, all numbers little-endian:
//
//   8 bytes      "STARPACK"
//   4 bytes      the number of files
//   per file     4 bytes: length of the name; 8 bytes: length of the text; the name; the text
//
// Files stand in the order of their names. Nothing follows the last one.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace star::synthesis {

struct TextFile {
  std::string name;
  std::string text;
  // Where in the text stands a byte that separates two documents.
  std::vector<size_t> separators = {};
};

std::string pack(std::vector<TextFile> files);

// Errors: bytes that are no pack, cut short, or too many.
std::vector<TextFile> unpack(std::span<const char> bytes);

}  // namespace star::synthesis
