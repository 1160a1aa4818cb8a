#include "core/npy.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"
#include "tests/temporary.h"

using namespace star;

namespace {

template <class T>
void check_round_trip(const std::vector<int64_t>& shape, Rng& rng) {
  size_t count = 1;
  for (int64_t extent : shape) count *= size_t(extent);
  std::vector<T> values(count);
  for (T& v : values) v = T(rng.normal());
  TemporaryFolder folder;
  auto path = folder.file("round.npy");
  write_npy(path, shape, std::span<const T>(values));
  CHECK(read_file(path).find('\n') % 64 == 63);
  auto array = read_npy(path);
  CHECK(array.shape == shape);
  CHECK(std::get<std::vector<T>>(array.values) == values);
}

std::string npy_v1(const std::string& header, const std::string& data) {
  std::string text("\x93NUMPY\x01\x00", 8);
  text += char(header.size() & 0xff);
  text += char(header.size() >> 8);
  return text + header + data;
}

}  // namespace

TEST_CASE("npy: what is written is read") {
  Rng rng(1, "npy");
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{}, {1}, {7}, {0}, {3, 4}, {2, 0, 5}, {2, 3, 4, 5}}) {
    check_round_trip<float>(shape, rng);
    check_round_trip<double>(shape, rng);
  }
}

TEST_CASE("npy: the bytes that NumPy writes") {
  // numpy.save of numpy.array([1.0, -2.0], dtype=float32), whose header is padded to 128 bytes.
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  header.resize(128 - 10 - 1, ' ');
  header += '\n';
  std::string want = npy_v1(header, std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
  TemporaryFolder folder;
  auto path = folder.file("numpy.npy");
  const std::vector<float> values{1.0f, -2.0f};
  write_npy(path, std::vector<int64_t>{2}, std::span<const float>(values));
  CHECK(read_file(path) == want);
}

TEST_CASE("npy: int64, and the wider header of format 2") {
  std::string header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1)}\n";
  int64_t numbers[] = {-5, int64_t(1) << 60};
  std::string data(reinterpret_cast<const char*>(numbers), sizeof numbers);
  std::string text("\x93NUMPY\x02\x00", 8);
  text += char(header.size());
  text += std::string(3, '\0');
  TemporaryFolder folder;
  auto path = folder.file("int.npy");
  const std::string second = text + header + data, first = npy_v1(header, data);
  for (std::string_view content : {std::string_view(first), std::string_view(second)}) {
    write_file(path, {&content, 1});
    auto array = read_npy(path);
    CHECK(array.shape == std::vector<int64_t>{2, 1});
    CHECK(std::get<std::vector<int64_t>>(array.values) ==
          std::vector<int64_t>{numbers[0], numbers[1]});
  }
}

TEST_CASE("npy: faults are errors, damage never reads beyond the end") {
  TemporaryFolder folder;
  auto path = folder.file("fault.npy");
  auto fails = [&](std::string_view content) {
    write_file(path, {&content, 1});
    try {
      read_npy(path);
    } catch (const Error& e) {
      return std::string_view(e.what()).starts_with(path);
    }
    return false;
  };
  const std::string data(8, 'x');
  auto header = [](const char* descr, const char* order, const char* shape) {
    return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}}}", descr, order, shape);
  };
  CHECK_FALSE(fails(npy_v1(header("<f4", "False", "(2,)"), data)));
  CHECK(fails(npy_v1(header("<f2", "False", "(4,)"), data)));
  CHECK(fails(npy_v1(header("<f4", "True", "(2,)"), data)));
  CHECK(fails(npy_v1(header("<f4", "Maybe", "(2,)"), data)));
  CHECK(fails(npy_v1(header("<f4", "False", "(3,)"), data)));
  CHECK(fails(npy_v1(header("<f4", "False", "(-2,)"), data)));
  CHECK(fails(npy_v1(header("<f4", "False", "(4294967296, 4294967296)"), data)));
  CHECK(fails(npy_v1(header("<f4", "False", "(2,"), data)));
  CHECK(fails(npy_v1("{'descr': '<f4'}", data)));
  CHECK(fails(npy_v1("{'descr': '<f4', 'shape': (2,), 'shape': (2,)}", data)));
  CHECK(fails("PK"));

  const std::string whole = npy_v1(header("<f4", "False", "(2,)"), data);
  for (size_t n = 0; n < whole.size(); ++n) CHECK(fails(whole.substr(0, n)));
  Rng rng(3, "npy-damage");
  for (int trial = 0; trial < 300; ++trial) {
    std::string damaged = whole;
    damaged[rng.below(uint32_t(whole.size()))] = char(rng.bits());
    fails(damaged);
  }
  const std::vector<float> two(2);
  CHECK_THROWS_WITH_AS(write_npy(path, std::vector<int64_t>{3}, std::span<const float>(two)),
                       doctest::Contains("2 values do not fill shape [3]"), Error);
}
