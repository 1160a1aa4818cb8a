#include "star/source_text.h"

// STAR_PACK_FILE is made by tools/pack.cpp when the program is built.
asm(".section .rodata\n"
    ".balign 16\n"
    ".global star_source_pack_begin\n"
    ".global star_source_pack_end\n"
    "star_source_pack_begin:\n"
    ".incbin \"" STAR_PACK_FILE
    "\"\n"
    "star_source_pack_end:\n"
    ".byte 0\n"
    ".previous\n");

extern "C" const char star_source_pack_begin[];
extern "C" const char star_source_pack_end[];

namespace star {

std::vector<TextFile> source_text() {
  return unpack({star_source_pack_begin, star_source_pack_end});
}

}  // namespace star
