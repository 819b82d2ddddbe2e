// Which of a program's listeners is its site.
#include "core/front/site_choice.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace uc::front {
namespace {

using Where = SiteChoice::Where;
using Verdict = SiteChoice::Verdict;

// "127.0.0.1:3000", "[::]:3000 dual", "0.0.0.0:41234 any".
WishedSite Wish(absl::string_view text) {
  WishedSite wish;
  wish.dual_stack = absl::ConsumeSuffix(&text, " dual");
  wish.any_port = absl::ConsumeSuffix(&text, " any");
  wish.address = *net::Address::Parse(text);
  return wish;
}

// The program has listened at all of these, in this order; "settle": it was READY. Its site, and what was taken for it
// before.
std::string SiteOf(Where where, std::vector<uint16_t> named, absl::string_view listeners) {
  SiteChoice choice(where, std::move(named));
  std::string former;
  for (const absl::string_view one : absl::StrSplit(listeners, ", ", absl::SkipEmpty())) {
    if (one == "settle") {
      choice.Settle();
      continue;
    }
    const WishedSite wish = Wish(one);
    const Verdict verdict = choice.Judge(wish);
    if (verdict == Verdict::kOther) continue;
    if (verdict == Verdict::kInstead) {
      absl::StrAppend(&former, ", not ", choice.chosen()->address.ToString());
    }
    choice.Choose(wish);
  }
  if (!choice.chosen().has_value()) return "none";
  return absl::StrCat(choice.chosen()->address.ToString(), former);
}

std::string SiteOf(absl::string_view listeners) { return SiteOf(Where::kProgram, {}, listeners); }

bool IsCertain(Where where, std::vector<uint16_t> named, absl::string_view listener) {
  SiteChoice choice(where, std::move(named));
  if (!listener.empty()) choice.Choose(Wish(listener));
  return choice.certain();
}

TEST(SiteChoice, TheFirstThatIsNotOnTheLoopbackElseTheFirst) {
  EXPECT_EQ(SiteOf("[::]:3000 dual"), "[::]:3000");
  EXPECT_EQ(SiteOf("127.0.0.1:8000"), "127.0.0.1:8000");
  EXPECT_EQ(SiteOf("[::1]:8000"), "[::1]:8000");
  EXPECT_EQ(SiteOf("0.0.0.0:3000, 0.0.0.0:9100"), "0.0.0.0:3000");
  EXPECT_EQ(SiteOf("0.0.0.0:3000, 127.0.0.1:9100"), "0.0.0.0:3000");
  EXPECT_EQ(SiteOf("127.0.0.1:9100, 0.0.0.0:3000"), "0.0.0.0:3000, not 127.0.0.1:9100");
  EXPECT_EQ(SiteOf("[::1]:9100, 192.0.2.1:3000"), "192.0.2.1:3000, not [::1]:9100");
  EXPECT_EQ(SiteOf("[::ffff:127.0.0.1]:9100, 0.0.0.0:3000"),
            "0.0.0.0:3000, not [::ffff:127.0.0.1]:9100");
  EXPECT_EQ(SiteOf("127.0.0.1:9100, 127.0.0.1:9101"), "127.0.0.1:9100");
}

TEST(SiteChoice, ADebuggerIsNeverTheSiteUnlessItsPortIsNamed) {
  for (const absl::string_view debugger :
       {"127.0.0.1:9229", "0.0.0.0:9229", "[::1]:9230", "127.0.0.1:9291"}) {
    EXPECT_EQ(SiteOf(debugger), "none");
    EXPECT_EQ(SiteOf(absl::StrCat(debugger, ", 127.0.0.1:3000")), "127.0.0.1:3000");
  }
  EXPECT_EQ(SiteOf("0.0.0.0:9228"), "0.0.0.0:9228");
  EXPECT_EQ(SiteOf("0.0.0.0:9292"), "0.0.0.0:9292");
  EXPECT_EQ(SiteOf(Where::kProgram, {9229}, "0.0.0.0:9229"), "0.0.0.0:9229");
  EXPECT_EQ(SiteOf("127.0.0.1:9229 any, 0.0.0.0:9230 any"), "0.0.0.0:9230") << "chance";
}

TEST(SiteChoice, ANamedPortIsBetterThanAllOthersAndAtAnyTime) {
  EXPECT_EQ(SiteOf(Where::kProgram, {3000}, "0.0.0.0:9100, 127.0.0.1:3000"),
            "127.0.0.1:3000, not 0.0.0.0:9100");
  EXPECT_EQ(SiteOf(Where::kProgram, {3000}, "0.0.0.0:4000, settle, 0.0.0.0:3000"),
            "0.0.0.0:3000, not 0.0.0.0:4000");
  EXPECT_EQ(SiteOf(Where::kProgram, {3000, 4000}, "0.0.0.0:3000, 0.0.0.0:4000"), "0.0.0.0:3000");
  EXPECT_EQ(SiteOf(Where::kProgram, {3000}, "0.0.0.0:4000"), "0.0.0.0:4000")
      << "a version that listens elsewhere";
}

TEST(SiteChoice, ASettledGuessStays) {
  EXPECT_EQ(SiteOf("127.0.0.1:9100, settle, 0.0.0.0:3000"), "127.0.0.1:9100");
}

TEST(SiteChoice, AnyPortOfTheLoopbackIsTheProgramsOwnAffair) {
  EXPECT_EQ(SiteOf("127.0.0.1:40111 any"), "none");
  EXPECT_EQ(SiteOf("127.0.0.1:40111 any, 127.0.0.1:8000"), "127.0.0.1:8000");
  EXPECT_EQ(SiteOf("[::]:40111 any, 0.0.0.0:40112 any"), "[::]:40111");
  EXPECT_EQ(SiteOf(Where::kProgram, {40111}, "127.0.0.1:40111 any"), "none") << "by chance";
}

TEST(SiteChoice, WithListenTheFirstIsTheSiteUntilItsPortComes) {
  EXPECT_EQ(SiteOf(Where::kListen, {80}, "127.0.0.1:40111 any"), "127.0.0.1:40111");
  EXPECT_EQ(SiteOf(Where::kListen, {80}, "127.0.0.1:9100, 0.0.0.0:3000"), "127.0.0.1:9100");
  EXPECT_EQ(SiteOf(Where::kListen, {80}, "0.0.0.0:3000, settle, 0.0.0.0:80"),
            "0.0.0.0:80, not 0.0.0.0:3000");
}

TEST(SiteChoice, WhereThePortIsSaidNoOtherIsTheSite) {
  EXPECT_EQ(SiteOf(Where::kNamed, {3000}, "0.0.0.0:9100, 0.0.0.0:40111 any"), "none");
  EXPECT_EQ(SiteOf(Where::kNamed, {3000}, "0.0.0.0:9100, 127.0.0.1:3000"), "127.0.0.1:3000");
  EXPECT_TRUE(IsCertain(Where::kNamed, {3000}, "127.0.0.1:3000"));
}

TEST(SiteChoice, AddressesOfOnePortAreOneSite) {
  SiteChoice choice(Where::kProgram, {});
  choice.Choose(Wish("0.0.0.0:3000"));
  EXPECT_EQ(choice.Judge(Wish("[::]:3000")), Verdict::kSite);
  EXPECT_EQ(choice.Judge(Wish("127.0.0.1:3000")), Verdict::kSite);
  EXPECT_EQ(choice.Judge(Wish("0.0.0.0:3001")), Verdict::kOther);
  choice.Choose(Wish("[::]:3000"));
  EXPECT_EQ(choice.chosen()->address.ToString(), "0.0.0.0:3000");
}

TEST(SiteChoice, AGuessIsCertainWhereNothingBetterCanCome) {
  EXPECT_FALSE(IsCertain(Where::kProgram, {}, ""));
  EXPECT_TRUE(IsCertain(Where::kProgram, {}, "0.0.0.0:3000"));
  EXPECT_FALSE(IsCertain(Where::kProgram, {}, "127.0.0.1:3000"));
  EXPECT_TRUE(IsCertain(Where::kProgram, {3000}, "127.0.0.1:3000"));
  EXPECT_FALSE(IsCertain(Where::kProgram, {3000}, "0.0.0.0:4000"));
  EXPECT_TRUE(IsCertain(Where::kListen, {3000}, "127.0.0.1:4000"));
  SiteChoice choice(Where::kProgram, {});
  choice.Choose(Wish("127.0.0.1:3000"));
  choice.Settle();
  EXPECT_TRUE(choice.certain());
}

// --- Covers ---

bool Covered(absl::string_view listener, absl::string_view wish) {
  const WishedSite here = Wish(listener);
  return Covers({here.address, here.dual_stack}, Wish(wish));
}

TEST(SiteListener, CoversWhatConnectsToIt) {
  EXPECT_TRUE(Covered("127.0.0.1:3000", "127.0.0.1:3000"));
  EXPECT_TRUE(Covered("0.0.0.0:3000", "127.0.0.1:3000"));
  EXPECT_TRUE(Covered("[::]:3000", "[::1]:3000"));
  EXPECT_TRUE(Covered("[::]:3000 dual", "[::]:3000 dual"));
  EXPECT_TRUE(Covered("[::]:3000 dual", "[::]:3000"));
  EXPECT_TRUE(Covered("[::]:3000 dual", "127.0.0.1:3000"));
}

TEST(SiteListener, DoesNotCoverMore) {
  EXPECT_FALSE(Covered("127.0.0.1:3000", "0.0.0.0:3000"));
  EXPECT_FALSE(Covered("0.0.0.0:3000", "0.0.0.0:3001"));
  EXPECT_FALSE(Covered("0.0.0.0:3000", "[::]:3000"));
  EXPECT_FALSE(Covered("[::]:3000", "0.0.0.0:3000"));
  EXPECT_FALSE(Covered("[::]:3000", "[::]:3000 dual"));
  EXPECT_FALSE(Covered("[::1]:3000 dual", "127.0.0.1:3000"));
}

}  // namespace
}  // namespace uc::front
