// SharedFolder: a folder of ours that everybody can enter and read, and nobody else can write to. For what a program of
// another user must reach: the run directory is closed to it.
#ifndef CORE_EXEC_SHARED_FOLDER_H_
#define CORE_EXEC_SHARED_FOLDER_H_

#include <optional>
#include <string>
#include <vector>

namespace uc::exec {

// Where such a folder may lie, the usual one first.
std::vector<std::string> SharedPlaces();

// In `place`, made if it is not there. nullopt: it cannot be made, or somebody else has made it.
std::optional<std::string> SharedFolder(const std::string& place);

}  // namespace uc::exec

#endif  // CORE_EXEC_SHARED_FOLDER_H_
