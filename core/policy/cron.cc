#include "core/policy/cron.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "core/base/check.h"

namespace uc::policy {
namespace {

constexpr size_t kTextBytesMax = 256;
// February 29 comes again after eight years at most (1896, 1904).
constexpr int kDaysAhead = 8 * 366 + 2;

struct Field {
  const char* name;
  int least, most;
  std::vector<absl::string_view> names;  // of least, least + 1 ...
};

const std::vector<Field>& Fields() {
  static const auto* const fields = new std::vector<Field>{
      {"minute", 0, 59, {}},
      {"hour", 0, 23, {}},
      {"day of the month", 1, 31, {}},
      {"month",
       1,
       12,
       {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      {"day of the week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
  };
  return *fields;
}

std::optional<int> ParseNumber(const Field& field, absl::string_view text) {
  for (size_t i = 0; i < field.names.size(); ++i) {
    if (absl::EqualsIgnoreCase(text, field.names[i])) return field.least + static_cast<int>(i);
  }
  int number = 0;
  const bool digits = !text.empty() && text.size() <= 2 &&
                      std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  if (number < field.least || number > field.most) return std::nullopt;
  return number;
}

// "*", "5", "1-5", each with "/2" behind it. True: it was understood.
template <size_t N>
bool AddPart(const Field& field, absl::string_view part, std::bitset<N>* set) {
  const std::vector<absl::string_view> stepped = absl::StrSplit(part, '/');
  if (stepped.size() > 2) return false;
  int step = 1;
  if (stepped.size() == 2 &&
      (stepped[1].size() > 2 || !absl::SimpleAtoi(stepped[1], &step) || step < 1)) {
    return false;
  }
  int first = field.least, last = field.most;
  if (stepped[0] != "*") {
    const std::vector<absl::string_view> ends = absl::StrSplit(stepped[0], '-');
    const std::optional<int> from = ParseNumber(field, ends[0]);
    const std::optional<int> to = ends.size() == 2 ? ParseNumber(field, ends[1]) : from;
    if (ends.size() > 2 || !from.has_value() || !to.has_value() || *from > *to) return false;
    first = *from;
    last = ends.size() == 1 && stepped.size() == 2 ? field.most : *to;
  }
  for (int value = first; value <= last; value += step) set->set(value);
  return true;
}

template <size_t N>
absl::Status ParseField(int index, absl::string_view text, std::bitset<N>* set) {
  const Field& field = Fields()[index];
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    if (AddPart(field, part, set)) continue;
    std::string shown(text.substr(0, 40));
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return !absl::ascii_isprint(c); }, '?');
    return absl::InvalidArgumentError(absl::StrCat("'", shown, "' is no ", field.name,
                                                   ": expected *, or numbers from ", field.least,
                                                   " to ", field.most, " as in 1,2-5 or */10"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CronSchedule> CronSchedule::Parse(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.size() != 5 || text.size() > kTextBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected five fields, minute hour day month weekday, as in '0 3 * * *'; there "
        "are ",
        words.size()));
  }
  CronSchedule schedule;
  for (absl::Status status :
       {ParseField(0, words[0], &schedule.minutes_), ParseField(1, words[1], &schedule.hours_),
        ParseField(2, words[2], &schedule.days_), ParseField(3, words[3], &schedule.months_),
        ParseField(4, words[4], &schedule.weekdays_)}) {
    if (!status.ok()) return status;
  }
  if (schedule.weekdays_[7]) schedule.weekdays_.set(0);
  schedule.any_hour_ = absl::StartsWith(words[1], "*");
  schedule.any_day_ = absl::StartsWith(words[2], "*");
  schedule.any_weekday_ = absl::StartsWith(words[4], "*");
  const absl::CivilDay leap_year(2000, 1, 1);  // every date that there is
  for (absl::CivilDay day = leap_year; day < leap_year + kDaysAhead; ++day) {
    if (schedule.Comes(day)) return schedule;
  }
  return absl::InvalidArgumentError("this day never comes");
}

bool CronSchedule::Comes(absl::CivilDay day) const {
  if (!months_[day.month()]) return false;
  const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;  // absl: Monday is 0
  const bool by_day = days_[day.day()], by_weekday = weekdays_[weekday];
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

absl::Time CronSchedule::NextOf(absl::CivilDay day, absl::Time after, absl::TimeZone zone) const {
  absl::Time next = absl::InfiniteFuture();
  const auto offer = [&](absl::Time time) {
    if (time > after) next = std::min(next, time);
  };
  for (int hour = 0; hour < 24; ++hour) {
    for (int minute = 0; hours_[hour] && minute < 60; ++minute) {
      if (!minutes_[minute]) continue;
      const absl::TimeZone::TimeInfo info =
          zone.At(absl::CivilSecond(day.year(), day.month(), day.day(), hour, minute));
      switch (info.kind) {
        case absl::TimeZone::TimeInfo::UNIQUE:
          offer(info.pre);
          break;
        case absl::TimeZone::TimeInfo::SKIPPED:
          offer(info.trans);
          break;
        case absl::TimeZone::TimeInfo::REPEATED:
          offer(info.pre);
          if (any_hour_) offer(info.post);
          break;
      }
    }
  }
  return next;
}

absl::Time CronSchedule::Next(absl::Time after, absl::TimeZone zone) const {
  absl::CivilDay day = absl::ToCivilDay(after, zone);
  // At a change of clocks a day's times may lie in the next one.
  for (int ahead = 0; ahead < kDaysAhead; ++ahead, ++day) {
    if (!Comes(day)) continue;
    const absl::Time next = NextOf(day, after, zone);
    if (next != absl::InfiniteFuture()) return next;
  }
  UC_CHECK(false);  // Parse() has seen that it comes
  return absl::InfiniteFuture();
}

}  // namespace uc::policy
