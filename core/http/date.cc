// Dates of HTTP (RFC 9110 5.6.7), by hand: absl::ParseTime would take more than the three forms.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "core/http/writer.h"

namespace uc::http {
namespace {

constexpr absl::string_view kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};  // as absl::Weekday
constexpr absl::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr size_t kShort = 3;  // "Mon"

// Reads a date from left to right; the first thing that does not fit spoils it for good.
class DateReader {
 public:
  explicit DateReader(absl::string_view text) : rest_(text) {}

  void Literal(absl::string_view text) {
    if (rest_.substr(0, text.size()) != text) return Spoil();
    rest_.remove_prefix(text.size());
  }

  int Number(size_t digits) {
    if (rest_.size() < digits) return Spoil(), 0;
    int number = 0;
    for (char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return Spoil(), 0;
      number = number * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return number;
  }

  // asctime's day: two places, the first may be a space.
  int PaddedDay() {
    if (rest_.substr(0, 1) != " ") return Number(2);
    Literal(" ");
    return Number(1);
  }

  // The place of the name that comes next; `bytes` of each name count, npos for all.
  template <size_t kCount>
  int Name(const absl::string_view (&names)[kCount], size_t bytes) {
    for (size_t i = 0; i < kCount; ++i) {
      const absl::string_view name = names[i].substr(0, bytes);
      if (rest_.substr(0, name.size()) == name) {
        rest_.remove_prefix(name.size());
        return static_cast<int>(i);
      }
    }
    return Spoil(), 0;
  }

  bool sound() const { return sound_; }
  bool at_end() const { return sound_ && rest_.empty(); }

 private:
  void Spoil() { sound_ = false; }

  absl::string_view rest_;
  bool sound_ = true;
};

struct DateParts {
  int weekday = 0;  // from Monday
  int year = 0;
  int month = 0;  // from January
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void ReadClock(DateReader& reader, DateParts& parts) {
  parts.hour = reader.Number(2);
  reader.Literal(":");
  parts.minute = reader.Number(2);
  reader.Literal(":");
  parts.second = reader.Number(2);
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
bool ReadFixdate(absl::string_view text, DateParts& parts) {
  DateReader reader(text);
  parts.weekday = reader.Name(kDays, kShort);
  reader.Literal(", ");
  parts.day = reader.Number(2);
  reader.Literal(" ");
  parts.month = reader.Name(kMonths, kShort);
  reader.Literal(" ");
  parts.year = reader.Number(4);
  reader.Literal(" ");
  ReadClock(reader, parts);
  reader.Literal(" GMT");
  return reader.at_end();
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
bool ReadRfc850(absl::string_view text, DateParts& parts) {
  DateReader reader(text);
  parts.weekday = reader.Name(kDays, absl::string_view::npos);
  reader.Literal(", ");
  parts.day = reader.Number(2);
  reader.Literal("-");
  parts.month = reader.Name(kMonths, kShort);
  reader.Literal("-");
  parts.year = reader.Number(2);
  reader.Literal(" ");
  ReadClock(reader, parts);
  reader.Literal(" GMT");
  return reader.at_end();
}

// "Sun Nov  6 08:49:37 1994"
bool ReadAsctime(absl::string_view text, DateParts& parts) {
  DateReader reader(text);
  parts.weekday = reader.Name(kDays, kShort);
  reader.Literal(" ");
  parts.month = reader.Name(kMonths, kShort);
  reader.Literal(" ");
  parts.day = reader.PaddedDay();
  reader.Literal(" ");
  ReadClock(reader, parts);
  reader.Literal(" ");
  parts.year = reader.Number(4);
  return reader.at_end();
}

// nullopt if there is no such day, or not with that name.
std::optional<absl::Time> TimeOf(const DateParts& parts) {
  // 60: a leap second (RFC 9110), the same instant as the next minute's begin.
  if (parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  const absl::CivilDay day(parts.year, parts.month + 1, parts.day);
  if (day.day() != parts.day) return std::nullopt;
  if (static_cast<int>(absl::GetWeekday(day)) != parts.weekday) return std::nullopt;
  return absl::FromCivil(
      absl::CivilSecond(day.year(), day.month(), day.day(), parts.hour, parts.minute, parts.second),
      absl::UTCTimeZone());
}

void AppendPadded(int64_t number, int digits, std::string* out) {
  char text[8];
  for (int i = digits; i-- > 0; number /= 10) text[i] = static_cast<char>('0' + number % 10);
  out->append(text, static_cast<size_t>(digits));
}

}  // namespace

std::string FormatDate(absl::Time time) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::CivilSecond at = std::clamp(absl::ToCivilSecond(time, utc), absl::CivilSecond(0),
                                          absl::CivilSecond(9999, 12, 31, 23, 59, 59));
  const absl::string_view day = kDays[static_cast<int>(absl::GetWeekday(at))].substr(0, kShort);
  const absl::string_view month = kMonths[at.month() - 1];
  std::string text(day.data(), day.size());
  text.append(", ");
  AppendPadded(at.day(), 2, &text);
  text.append(1, ' ').append(month.data(), month.size()).append(1, ' ');
  AppendPadded(at.year(), 4, &text);
  text.append(1, ' ');
  AppendPadded(at.hour(), 2, &text);
  text.append(1, ':');
  AppendPadded(at.minute(), 2, &text);
  text.append(1, ':');
  AppendPadded(at.second(), 2, &text);
  text.append(" GMT");
  return text;
}

std::optional<absl::Time> ParseDate(absl::string_view text) {
  DateParts parts;
  if (ReadFixdate(text, parts) || ReadAsctime(text, parts)) return TimeOf(parts);
  if (!ReadRfc850(text, parts)) return std::nullopt;
  // Two digits of a year: the name of the day tells the centuries apart, as a day and the same day a
  // hundred years later never share it. RFC 9110's rule (not over 50 years ahead) would need a clock.
  const int two_digits = parts.year;
  for (const int century : {2000, 1900}) {
    parts.year = century + two_digits;
    if (const std::optional<absl::Time> time = TimeOf(parts)) return time;
  }
  return std::nullopt;
}

void DateCache::Set(absl::Time now) {
  const int64_t second = absl::ToUnixSeconds(now);
  if (second == second_) return;
  second_ = second;
  text_ = FormatDate(now);
}

}  // namespace uc::http
