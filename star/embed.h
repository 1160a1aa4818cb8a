// Files that the program carries: packed at build time (tools/pack.cpp), read where they lie.
#pragma once

// STAR_EMBED(name, path) puts the bytes of the file between name_begin and name_end. Once a name.
#define STAR_EMBED(name, path)          \
  asm(".section .rodata\n"              \
      ".balign 16\n"                    \
      ".global " #name                  \
      "_begin\n"                        \
      ".global " #name "_end\n" #name   \
      "_begin:\n"                       \
      ".incbin \"" path "\"\n" #name    \
      "_end:\n"                         \
      ".byte 0\n"                       \
      ".previous\n");                   \
  extern "C" const char name##_begin[]; \
  extern "C" const char name##_end[]
