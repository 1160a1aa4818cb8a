#include "star/byte_level.h"

#include <array>

namespace star::synthesis {
namespace {

constexpr int kBytes = 256;
constexpr int kCharacters = 0x144;  // above the last of them

constexpr bool stands_for_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

constexpr std::array<int, kBytes> characters() {
  std::array<int, kBytes> table = {};
  int next = kBytes;
  for (int byte = 0; byte < kBytes; ++byte)
    table[size_t(byte)] = stands_for_itself(byte) ? byte : next++;
  return table;
}
constexpr std::array<int, kBytes> kCharacterOf = characters();

constexpr std::array<int, kCharacters> bytes() {
  std::array<int, kCharacters> table = {};
  for (int& byte : table) byte = -1;
  for (int byte = 0; byte < kBytes; ++byte) table[size_t(kCharacterOf[size_t(byte)])] = byte;
  return table;
}
constexpr std::array<int, kCharacters> kByteOf = bytes();

}  // namespace

int byte_character(unsigned char byte) { return kCharacterOf[byte]; }

std::string byte_level(std::string_view bytes) {
  std::string text;
  for (unsigned char byte : bytes) {
    const int character = byte_character(byte);
    if (character < 0x80) {
      text += char(character);
    } else {
      text += char(0xc0 | character >> 6);
      text += char(0x80 | (character & 0x3f));
    }
  }
  return text;
}

std::optional<std::string> from_byte_level(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    int character = static_cast<unsigned char>(text[i]);
    if (character >= 0x80) {  // all of them take two bytes
      const int next = i + 1 < text.size() ? static_cast<unsigned char>(text[++i]) : 0;
      if ((character & 0xe0) != 0xc0 || (next & 0xc0) != 0x80) return std::nullopt;
      character = (character & 0x1f) << 6 | (next & 0x3f);
      if (character < 0x80) return std::nullopt;
    }
    if (character >= kCharacters || kByteOf[size_t(character)] < 0) return std::nullopt;
    bytes += char(kByteOf[size_t(character)]);
  }
  return bytes;
}

}  // namespace star::synthesis
