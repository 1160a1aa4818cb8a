#include "tools/figure.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/file.h"
#include "core/host_device.h"
#include "tools/table.h"

namespace star::cli {
namespace {

constexpr int64_t kPanel = 240, kLeastCell = 11;  // pixels; a cell that has a label
constexpr size_t kLabelled = 48;                  // tokens up to which each has one
constexpr double kLetter = 6;                     // the width of one in labels
constexpr size_t kLetters = 10;                   // of a label
constexpr int64_t kGap = 24, kHead = 46, kPanelHead = 18, kBar = 56;

// RFC 4648.
std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? uint8_t(bytes[i + k]) : uint8_t(0));
    for (size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// What may stand in a picture as it is, by its length in bytes; 0: it would not be seen.
size_t visible(std::string_view text) {
  utf8proc_int32_t c;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t size =
      utf8proc_iterate(bytes, utf8proc_ssize_t(std::min<size_t>(text.size(), 4)), &c);
  if (size <= 0) return 0;
  const utf8proc_category_t kind = utf8proc_category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_SO ? size_t(size) : 0;
}

class Svg {
 public:
  void text(double x, double y, const std::string& words, const char* anchor, double size,
            bool upright = false) {
    const std::string turn =
        upright ? fmt::format(" transform='rotate(-90 {:.1f} {:.1f})'", x, y) : "";
    body_ +=
        fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='{}' font-size='{}'{}>{}</text>\n", x,
                    y, anchor, size, turn, escaped(words));
  }
  void image(double x, double y, double width, double height, const std::string& png) {
    body_ += fmt::format(
        "<image x='{0:.1f}' y='{1:.1f}' width='{2:.1f}' height='{3:.1f}' "
        "preserveAspectRatio='none' style='image-rendering:pixelated' "
        "href='data:image/png;base64,{4}'/>\n<rect x='{0:.1f}' y='{1:.1f}' width='{2:.1f}' "
        "height='{3:.1f}' fill='none' stroke='black'/>\n",
        x, y, width, height, base64(png));
  }
  std::string document(double width, double height) const {
    return fmt::format(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{0:.0f}' height='{1:.0f}' "
        "viewBox='0 0 {0:.0f} {1:.0f}' font-family='ui-monospace, Menlo, Consolas, monospace' "
        "xml:space='preserve'>\n<rect width='100%' height='100%' fill='white'/>\n{2}</svg>\n",
        width, height, body_);
  }

 private:
  static std::string escaped(const std::string& words) {
    std::string text;
    for (char c : words)
      text += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return text;
  }

  std::string body_;
};

class Drawing {
 public:
  explicit Drawing(const Figure& f)
      : figure_(f),
        length_(f.columns.at(0).matrices.length),
        rows_(chosen_rows(f.columns[0].matrices.rows, f.panels)) {
    labelled_ = size_t(length_) <= kLabelled;
    cell_ = double(kPanel) / double(length_);
    if (labelled_) cell_ = std::max<double>(cell_, kLeastCell);
    side_ = cell_ * double(length_);
    for (int64_t i = 0; i < length_; ++i) {
      labels_.push_back(figure_.tokens.empty() ? fmt::to_string(i)
                                               : label_of(figure_.tokens[size_t(i)]));
      if (shown(i)) margin_ = std::max(margin_, kLetter * double(width_of(labels_.back())) + 8);
    }
    upright_ = labelled_ && margin_ > cell_ + 8;
    margin_ = std::max(margin_, 16.0);
  }

  std::string svg() {
    const int64_t columns = int64_t(figure_.columns.size());
    const int64_t across =
        columns > 1 ? columns : int64_t(std::ceil(std::sqrt(double(rows_.size()))));
    const double width = side_ + margin_ + kGap, height = side_ + margin_ + kPanelHead + kGap;
    svg_.text(kGap, 24, figure_.title, "start", 14);
    svg_.text(kGap, 40, "a row: a token that reads; a column: a token that wrote", "start", 10);
    for (size_t p = 0; p < rows_.size() * size_t(columns); ++p) {
      const size_t row = p / size_t(columns), column = p % size_t(columns);
      const int64_t place = columns > 1 ? int64_t(p) : int64_t(row);
      const int64_t line = place / across;
      panel(kGap + double(place % across) * width, kHead + double(line) * height, row, column);
    }
    const int64_t lines =
        columns > 1 ? int64_t(rows_.size()) : blocks_of(int64_t(rows_.size()), across);
    const double bottom = kHead + double(lines) * height;
    const double total = std::max(kGap + double(across) * width, 440.0);
    bar(bottom);
    return svg_.document(total, bottom + kBar);
  }

 private:
  // Whether a token has its label: all, or each that many divide.
  bool shown(int64_t i) const { return labelled_ || i % std::max<int64_t>(1, length_ / 8) == 0; }

  void panel(double left, double top, size_t row, size_t column) {
    const auto& [name, matrices] = figure_.columns[column];
    const int64_t r = rows_[row];
    double scale = 0;
    for (auto& other : figure_.columns) scale = std::max(scale, scale_of(other.matrices, r));
    const double x = left + margin_, y = top + kPanelHead + margin_;
    svg_.text(x, top + 12,
              fmt::format("{}{}{} {}, full colour from {:.2g} on", name, name.empty() ? "" : ", ",
                          figure_.rows, r + 1, scale),
              "start", 11);
    Picture picture(length_, length_);
    draw_matrix(picture, 0, 0, 1, matrices, r, scale);
    svg_.image(x, y, side_, side_, picture.png());
    for (int64_t i = 0; i < length_; ++i) {
      if (!shown(i)) continue;
      const double middle = (double(i) + 0.5) * cell_ + 3;
      svg_.text(x - 4, y + middle, labels_[size_t(i)], "end", 10);
      if (upright_)
        svg_.text(x + middle, y - 4, labels_[size_t(i)], "start", 10, true);
      else
        svg_.text(x + middle - 3, y - 4, labels_[size_t(i)], "middle", 10);
    }
  }

  // From the darkest negative to the darkest positive, in parts of what is drawn so.
  void bar(double top) {
    constexpr int64_t kHalf = 150;
    Picture picture(2 * kHalf + 1, 1);
    for (int64_t i = -kHalf; i <= kHalf; ++i) {
      const double size = std::pow(10.0, kDecades * (double(std::abs(i)) / kHalf - 1));
      picture.fill(i + kHalf, 0, 1, 1, colour_of_entry(i < 0 ? -size : size, 1));
    }
    svg_.image(kGap, top, 2 * kHalf + 1, 14, picture.png());
    for (int decade = 0; decade < int(kDecades); ++decade) {
      const double away = kHalf * (1 - decade / kDecades);
      const std::string part = fmt::format("{:g}", std::pow(10.0, -decade));
      svg_.text(kGap + kHalf - away, top + 26, "−" + part, "middle", 10);
      svg_.text(kGap + kHalf + away, top + 26, part, "middle", 10);
    }
    svg_.text(kGap + kHalf, top + 26, "0", "middle", 10);
    Picture absent(1, 1);
    absent.fill(0, 0, 1, 1, kAbsent);
    svg_.image(kGap + 2 * kHalf + 24, top, 14, 14, absent.png());
    svg_.text(kGap + 2 * kHalf + 44, top + 11, "exactly 0", "start", 10);
    svg_.text(kGap, top + 42, "times the full colour of the panel; what is larger looks alike",
              "start", 10);
  }

  const Figure& figure_;
  const int64_t length_;
  const std::vector<int64_t> rows_;
  std::vector<std::string> labels_;
  bool labelled_, upright_;
  double cell_, side_, margin_ = 0;
  Svg svg_;
};

}  // namespace

std::vector<NamedMatrices> named_maps(const LivClass& liv, const DenseCore& whole,
                                      const std::function<DenseCore(int part)>& materialize) {
  if (!liv.differential) return {{"", whole}};
  const DenseCore first = materialize(0);
  DenseCore second = first;
  for (size_t i = 0; i < whole.entries.size(); ++i) second.entries[i] -= whole.entries[i];
  return {{"T₀", first}, {"λT₁", second}, {"T = T₀ − λT₁", whole}};
}

std::string label_of(std::string_view token) {
  if (token.empty()) return "∅";
  std::string text;
  for (size_t letters = 0; !token.empty(); ++letters) {
    if (letters == kLetters) return text + "…";
    const size_t size = visible(token);
    const char c = token[0];
    text += size > 0    ? std::string(token.substr(0, size))
            : c == ' '  ? "␣"
            : c == '\n' ? "↵"
                        : fmt::format("\\x{:02x}", uint8_t(c));
    token.remove_prefix(std::max<size_t>(size, 1));
  }
  return text;
}

void draw_figure(const std::string& path, const Figure& figure) {
  const std::string text = Drawing(figure).svg();
  write_file(path, std::array{std::string_view(text)});
}

}  // namespace star::cli
