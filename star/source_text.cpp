#include "star/source_text.h"

#include "star/embed.h"

STAR_EMBED(star_source_pack, STAR_PACK_FILE);

namespace star::synthesis {

std::vector<TextFile> source_text() {
  return unpack({star_source_pack_begin, star_source_pack_end});
}

}  // namespace star::synthesis
