#include "core/npy.h"

#include <charconv>
#include <cstring>
#include <set>

#include "core/error.h"
#include "core/file.h"

namespace star {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

template <class T>
constexpr std::string_view kDescr = "";
template <>
constexpr std::string_view kDescr<float> = "<f4";
template <>
constexpr std::string_view kDescr<double> = "<f8";
template <>
constexpr std::string_view kDescr<int64_t> = "<i8";

// Elements of an array, or −1 where their bytes overflow.
int64_t count_of(std::span<const int64_t> shape, size_t width) {
  int64_t count = 1, bytes = 0;
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return -1;
  return __builtin_mul_overflow(count, int64_t(width), &bytes) ? -1 : count;
}

template <class T>
void write_array(const std::string& path, std::span<const int64_t> shape,
                 std::span<const T> values) {
  int64_t count = count_of(shape, sizeof(T));
  require(count >= 0 && size_t(count) == values.size(), "{}: {} values do not fill shape [{}]",
          path, values.size(), fmt::join(shape, ", "));
  // A tuple of one keeps its comma.
  auto header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                            kDescr<T>, fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  size_t prefix = kMagic.size() + 4;
  size_t total = (prefix + header.size() + 1 + 63) / 64 * 64;
  header.resize(total - prefix - 1, ' ');
  header += '\n';
  require(header.size() <= 0xffff, "{}: too many dimensions", path);
  std::string start(kMagic);
  start += {'\x01', '\x00', char(header.size() & 0xff), char(header.size() >> 8)};
  auto bytes = std::as_bytes(values);
  const std::string_view pieces[] = {
      start, header, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
  write_file(path, pieces);
}

// The header is a Python literal of a known form: {'key': value, …} with text, a truth value and a
// tuple of whole numbers.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  NpyHeader read() {
    NpyHeader header;
    std::set<std::string> seen;
    expect('{');
    while (!accept('}')) {
      auto key = quoted();
      expect(':');
      require(seen.insert(key).second, "{}: '{}' twice in the header", file_, key);
      if (key == "descr") {
        header.descr = quoted();
      } else if (key == "fortran_order") {
        header.fortran_order = truth();
      } else if (key == "shape") {
        header.shape = tuple();
      } else {
        fail("{}: unknown key '{}' in the header", file_, key);
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    require(seen.size() == 3 && text_.empty(), "{}: header is damaged", file_);
    return header;
  }

 private:
  void skip_space() {
    size_t n = text_.find_first_not_of(" \n");
    text_.remove_prefix(n == text_.npos ? text_.size() : n);
  }
  bool accept(char c) {
    skip_space();
    bool found = text_.starts_with(c);
    if (found) text_.remove_prefix(1);
    return found;
  }
  void expect(char c) { require(accept(c), "{}: '{}' missing in the header", file_, c); }
  std::string quoted() {
    expect('\'');
    size_t n = text_.find('\'');
    require(n != text_.npos, "{}: header ends within text", file_);
    std::string word(text_.substr(0, n));
    text_.remove_prefix(n + 1);
    return word;
  }
  bool truth() {
    skip_space();
    bool value = text_.starts_with("True");
    require(value || text_.starts_with("False"), "{}: fortran_order is no truth value", file_);
    text_.remove_prefix(value ? 4 : 5);
    return value;
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> items;
    expect('(');
    while (!accept(')')) {
      skip_space();
      int64_t item = -1;
      auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), item);
      require(error == std::errc() && item >= 0, "{}: shape is damaged", file_);
      text_.remove_prefix(size_t(end - text_.data()));
      items.push_back(item);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return items;
  }

  std::string_view text_;
  const std::string& file_;
};

template <class T>
std::vector<T> read_values(std::string_view data, std::span<const int64_t> shape,
                           const std::string& file) {
  int64_t count = count_of(shape, sizeof(T));
  require(count >= 0, "{}: shape overflows", file);
  require(data.size() == size_t(count) * sizeof(T), "{}: shape [{}] needs {} bytes, {} follow",
          file, fmt::join(shape, ", "), size_t(count) * sizeof(T), data.size());
  std::vector<T> values(static_cast<size_t>(count));
  if (count > 0) std::memcpy(values.data(), data.data(), data.size());
  return values;
}

}  // namespace

void write_npy(const std::string& path, std::span<const int64_t> shape,
               std::span<const float> values) {
  write_array(path, shape, values);
}

void write_npy(const std::string& path, std::span<const int64_t> shape,
               std::span<const double> values) {
  write_array(path, shape, values);
}

NpyArray read_npy(const std::string& path) { return parse_npy(read_file(path), path); }

NpyHeader parse_npy_header(std::string_view data, const std::string& path) {
  require(data.starts_with(kMagic) && data.size() >= 12, "{}: not a NumPy file", path);
  auto byte = [&](size_t i) { return size_t(static_cast<unsigned char>(data[i])); };
  // Formats 2 and 3 differ from 1 in the width of the header's length only, for our purpose.
  require(byte(6) >= 1 && byte(6) <= 3, "{}: NumPy format {} is unknown", path, byte(6));
  bool narrow = byte(6) == 1;
  size_t length = byte(8) | byte(9) << 8;
  if (!narrow) length |= byte(10) << 16 | byte(11) << 24;
  const size_t prefix = narrow ? 10 : 12;
  require(length <= data.size() - prefix, "{}: header is cut short", path);
  NpyHeader header = HeaderReader(data.substr(prefix, length), path).read();
  header.size = prefix + length;
  return header;
}

NpyArray parse_npy(std::string_view data, const std::string& path) {
  const NpyHeader header = parse_npy_header(data, path);
  data.remove_prefix(header.size);

  require(!header.fortran_order, "{}: Fortran order is not supported", path);
  NpyArray array{header.shape, {}};
  if (header.descr == kDescr<float>) {
    array.values = read_values<float>(data, header.shape, path);
  } else if (header.descr == kDescr<double>) {
    array.values = read_values<double>(data, header.shape, path);
  } else if (header.descr == kDescr<int64_t>) {
    array.values = read_values<int64_t>(data, header.shape, path);
  } else {
    fail("{}: element type '{}' is not supported", path, header.descr);
  }
  return array;
}

}  // namespace star
