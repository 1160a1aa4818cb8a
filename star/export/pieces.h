// The parts of an exported program that are Python already: star/export/pieces, packed into this
// one. A piece defines one function or class, after which its file is called, and names the pieces
// that it calls; its imports are for editors and are left out here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace star::synthesis {

// The text of a file of this folder or of pieces/, by its name.
std::string export_file(std::string_view name);

// Whether the text has this as a whole word.
bool names(std::string_view text, std::string_view word);

// The definitions of all pieces that the text calls, and that these call in turn, in the order of
// their names, each followed by two empty lines.
std::string pieces_for(std::string_view text);

// The lines of import that the text needs.
std::string imports_for(std::string_view text);

}  // namespace star::synthesis
