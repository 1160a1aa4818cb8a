#include "tools/report_page.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "star/embed.h"
#include "tools/web_page.h"

STAR_EMBED(star_report_pack, STAR_PACK_FILE);

namespace star::cli {
namespace {

constexpr std::string_view kGenerator = "<meta name=\"generator\" content=\"star report\">",
                           kRun = "\n<meta name=\"star-run\" content=\"", kEnd = "\">";

// A value of an attribute of the page: bytes that would end it, or that are not ASCII, are written
// out, so that equal names have equal texts, and two names two.
std::string attribute_text(const std::string& name) {
  std::string text;
  for (unsigned char c : name) {
    const bool plain = c > ' ' && c < 127 && !std::strchr("\"&<>%", c);
    text += plain ? std::string(1, char(c)) : fmt::format("%{:02X}", int(c));
  }
  return text;
}

std::string attribute_value(std::string_view text) {
  std::string name;
  for (size_t i = 0; i < text.size(); ++i) {
    int byte = 0;
    const bool coded =
        text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 1] + 2, byte, 16).ptr == &text[i + 1] + 2;
    name += coded ? char(byte) : text[i];
    i += coded ? 2 : 0;
  }
  return name;
}

}  // namespace

PageOrigin page_origin(std::string_view page) {
  constexpr size_t kHead = 1000;
  const size_t at = page.substr(0, kHead).find(kGenerator);
  if (at == page.npos) return {};
  std::string_view rest = page.substr(at + kGenerator.size());
  if (!rest.starts_with(kRun)) return {true, ""};
  rest.remove_prefix(kRun.size());
  return {true, attribute_value(rest.substr(0, rest.find(kEnd)))};
}

std::string report_page(const nlohmann::json& document) {
  std::string page = web_page({star_report_pack_begin, star_report_pack_end}, "report", document);
  return page.insert(page.find(kGenerator) + kGenerator.size(),
                     fmt::format("{}{}{}", kRun, attribute_text(document.at("run")), kEnd));
}

}  // namespace star::cli
