#include "star/drawing.h"

#include <algorithm>
#include <map>

#include "core/error.h"

namespace star {
namespace {

// What LIV l gives to others and takes from them: "gives k v", "q of 1, k of 3".
std::string link_text(const std::vector<Link>& links, int l) {
  std::vector<Role> given;
  std::map<int, std::string> taken;
  for (const Link& link : links) {
    if (link.to == l) taken[link.from] += text_of(link.role) + std::string(" ");
    const bool is_new = std::find(given.begin(), given.end(), link.role) == given.end();
    if (link.from == l && is_new) given.push_back(link.role);
  }
  std::vector<std::string> parts;
  for (auto& [from, names] : taken) parts.push_back(fmt::format("{}of {}", names, from + 1));
  if (!given.empty()) parts.push_back(fmt::format("gives {}", fmt::join(texts_of(given), " ")));
  return fmt::format("{}", fmt::join(parts, ", "));
}

// One kind of sharing: for each LIV the brackets of the groups, in as few lanes as keep them apart,
// and the text.
struct Column {
  std::string head;
  size_t lanes = 0, text_width = 0;
  std::vector<std::vector<const char*>> brackets;  // for each LIV and lane
  std::vector<std::string> texts;

  Column(const char* name, const Genome& genome, const SharingKind& kind,
         const std::vector<Link>& links)
      : head(name), brackets(genome.segments.size()) {
    for (int l = 0; l < int(genome.segments.size()); ++l) texts.push_back(link_text(links, l));
    for (auto& text : texts) text_width = std::max(text_width, text.size());
    std::vector<int> last;  // the LIV at which each lane is free again
    for (std::vector<int> members : sharing_groups(genome.segments, kind)) {
      std::erase_if(members, [&](int l) { return texts[size_t(l)].empty(); });
      if (members.size() < 2) continue;
      size_t lane = 0;
      while (lane < last.size() && last[lane] >= members.front()) ++lane;
      if (lane == last.size()) last.push_back(0);
      last[lane] = members.back();
      add_bracket(members, lane);
    }
    lanes = last.size();
    for (auto& row : brackets) row.resize(lanes, " ");
  }

  void add_bracket(const std::vector<int>& members, size_t lane) {
    for (int l = members.front(); l <= members.back(); ++l) {
      const bool member = std::find(members.begin(), members.end(), l) != members.end();
      std::vector<const char*>& row = brackets[size_t(l)];
      row.resize(std::max(row.size(), lane + 1), " ");
      row[lane] = l == members.front() ? "┌" : l == members.back() ? "└" : member ? "├" : "│";
    }
  }

  size_t width() const { return lanes == 0 ? 0 : std::max(head.size(), lanes + 1 + text_width); }

  // The cell of LIV l, filled up with spaces.
  std::string cell(size_t l) const {
    return fmt::format("{} {:{}}", fmt::join(brackets[l], ""), texts[l], width() - lanes - 1);
  }
};

// How a LIV stands in the stream: alone, or in a run that reads the same.
const char* stream_mark(const Genome& genome, size_t l) {
  const bool joins = genome.segments[l].parallel;
  const bool joined = l + 1 < genome.segments.size() && genome.segments[l + 1].parallel;
  return joins ? (joined ? "├" : "└") : joined ? "┌" : "│";
}

void append_line(std::string& table, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  table += line + '\n';
}

}  // namespace

std::string size_text(int64_t bytes) {
  if (bytes >= 10 << 20) return fmt::format("{:.1f} MiB", double(bytes) / (1 << 20));
  if (bytes >= 10 << 10) return fmt::format("{:.1f} KiB", double(bytes) / (1 << 10));
  return fmt::format("{} B", bytes);
}

std::vector<Link> links_of(const Backbone& backbone, bool weights) {
  std::vector<Link> links;
  for (int l = 0; l < int(backbone.blocks().size()); ++l) {
    const Block& block = backbone.blocks()[size_t(l)];
    for (size_t g = 0; g < block.sources.size(); ++g) {
      const FeatureSource& source = block.sources[g];
      const bool reused = source.feature != l;
      const int from = weights ? source.weights : source.feature;
      if (from != l && reused != weights) links.push_back({from, l, block.liv.groups[g].role});
    }
  }
  return links;
}

std::string draw(const Genome& genome, const Backbone& backbone, int64_t cache_context) {
  const size_t depth = genome.segments.size();
  const size_t number = std::max<size_t>(3, fmt::formatted_size("{}", depth));
  size_t name = sizeof("norm, embed") - 1;
  for (const Block& b : backbone.blocks()) name = std::max(name, b.liv.name.size());
  size_t size = std::max<size_t>(10, size_text(backbone.cache_bytes(cache_context)).size());
  for (size_t l = 0; l < depth; ++l)
    size = std::max(size, size_text(backbone.layer_cache_bytes(int(l), cache_context)).size());
  std::vector<Column> columns;
  columns.emplace_back("weights", genome, kWeightSharing, links_of(backbone, true));
  columns.emplace_back("features", genome, kFeatureSharing, links_of(backbone, false));
  std::erase_if(columns, [](const Column& c) { return c.lanes == 0; });

  std::string table;
  auto line = [&](const std::string& place, const char* mark, const std::string& what,
                  const std::string& parameters, const std::string& cache, const auto& cell) {
    std::string text = fmt::format("{:>{}} {} {:{}}  {:>10}  {:>{}}", place, number, mark, what,
                                   name, parameters, cache, size);
    for (const Column& c : columns) text += "  " + cell(c);
    append_line(table, text);
  };
  auto heads = [](const Column& c) { return fmt::format("{:{}}", c.head, c.width()); };
  auto nothing = [](const Column&) { return std::string(); };
  const int64_t embedding = backbone.parameter_count() - backbone.body_parameter_count();
  int64_t in_layers = 0;
  line("LIV", " ", "class", "parameters", "cache", heads);
  line("", " ", "embed", fmt::to_string(embedding), "", nothing);
  for (size_t l = 0; l < depth; ++l) {
    const int64_t parameters = backbone.layer_parameter_count(int(l));
    in_layers += parameters;
    line(fmt::to_string(l + 1), stream_mark(genome, l), backbone.blocks()[l].liv.name,
         fmt::to_string(parameters), size_text(backbone.layer_cache_bytes(int(l), cache_context)),
         [&](const Column& c) { return c.cell(l); });
  }
  line("", " ", "norm, embed", fmt::to_string(backbone.body_parameter_count() - in_layers), "",
       nothing);
  line("", " ", "total", fmt::to_string(backbone.parameter_count()),
       size_text(backbone.cache_bytes(cache_context)), nothing);
  return table;
}

}  // namespace star
