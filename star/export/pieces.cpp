#include "star/export/pieces.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/error.h"
#include "star/embed.h"
#include "star/pack.h"

STAR_EMBED(star_export_pack, STAR_PACK_FILE);

namespace star::synthesis {
namespace {

constexpr std::string_view kFolder = "pieces/";

// By their path from this folder, without suffix.
std::map<std::string, std::string> packed_files() {
  std::map<std::string, std::string> files;
  for (auto& file : unpack({star_export_pack_begin, star_export_pack_end})) {
    const std::filesystem::path path(file.name);
    const std::string folder = path.parent_path().filename() == "pieces" ? "pieces/" : "";
    files[folder + path.stem().string()] = std::move(file.text);
  }
  return files;
}

// Without its imports and the empty lines behind them.
std::string definition(const std::string& piece) {
  size_t at = 0;
  while (piece.compare(at, 7, "import ") == 0 || piece.compare(at, 5, "from ") == 0 ||
         piece[at] == '\n')
    at = piece.find('\n', at) + 1;
  return piece.substr(at);
}

}  // namespace

std::string export_file(std::string_view name) {
  const auto files = packed_files();
  const auto at = files.find(std::string(name));
  require(at != files.end(), "export: the program carries no {}", name);
  return at->second;
}

bool names(std::string_view text, std::string_view word) {
  const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t at = 0; (at = text.find(word, at)) != text.npos; at += word.size()) {
    const size_t end = at + word.size();
    if ((at == 0 || !(part(text[at - 1]) || text[at - 1] == '.')) &&
        (word.ends_with('(') || end == text.size() || !part(text[end])))
      return true;
  }
  return false;
}

std::string pieces_for(std::string_view text) {
  std::map<std::string, std::string> unused;
  for (auto& [path, piece] : packed_files())
    if (path.starts_with(kFolder)) unused[path.substr(kFolder.size())] = definition(piece);
  std::map<std::string, std::string> used;
  std::vector<std::string> to_read = {std::string(text)};
  while (!to_read.empty()) {
    const std::string reading = std::move(to_read.back());
    to_read.pop_back();
    std::erase_if(unused, [&](auto& piece) {
      if (!names(reading, piece.first + "(")) return false;
      used.insert(piece);
      to_read.push_back(piece.second);
      return true;
    });
  }
  std::string all;
  for (auto& [name, piece] : used) all += piece + "\n\n";
  return all;
}

std::string imports_for(std::string_view text) {
  std::string standard, others = "import torch\n";
  for (const char* module : {"math", "os"})
    if (text.find(std::string(module) + ".") != text.npos)
      standard += "import " + std::string(module) + "\n";
  if (text.find("F.") != text.npos) others += "import torch.nn.functional as F\n";
  return standard + (standard.empty() ? "" : "\n") + others +
         "from safetensors.torch import load_file\nfrom torch import nn\n";
}

}  // namespace star::synthesis
