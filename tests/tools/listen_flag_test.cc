// --listen=PUBLIC=PROGRAM_PORT.
#include "tools/listen_flag.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace uc::tools {
namespace {

std::string Parsed(absl::string_view text) {
  const absl::StatusOr<ListenFlag> flag = ParseListen(text);
  if (!flag.ok()) return std::string(flag.status().message());
  return flag->address.ToString() + " " + std::to_string(flag->program_port);
}

TEST(ListenFlag, AnAddressAloneOrWithTheProgramsPort) {
  EXPECT_EQ(Parsed("127.0.0.1:80"), "127.0.0.1:80 0");
  EXPECT_EQ(Parsed(":80=3000"), "0.0.0.0:80 3000");
  EXPECT_EQ(Parsed("[::1]:0=65535"), "[::1]:0 65535");
}

TEST(ListenFlag, NonsenseIsRefusedInWords) {
  for (const absl::string_view text : {":80=", ":80=0", ":80=65536", ":80=http", ":80=-1"}) {
    EXPECT_EQ(Parsed(text),
              "--listen=" + std::string(text) +
                  ": behind '=' stands the program's own port, 1 to 65535, as in :80=3000");
  }
  EXPECT_FALSE(ParseListen("=3000").ok());
  EXPECT_FALSE(ParseListen(":80=3000=4000").ok());
}

TEST(ListenFlag, AllLeadToOnePortOfTheProgram) {
  EXPECT_EQ(*ProgramPortOf(std::vector<std::string>{":80", ":81"}), 0);
  EXPECT_EQ(*ProgramPortOf(std::vector<std::string>{":80=3000", "[::]:80=3000", ":81"}), 3000);
  EXPECT_EQ(ProgramPortOf(std::vector<std::string>{":80=3000", ":81=3001"}).status().message(),
            "--listen=:81=3001: all --listen lead to one port of the program, and another says "
            "3000");
}

}  // namespace
}  // namespace uc::tools
