// What a request costs in core/http: heads of 40, 170 and 700 bytes, split heads, bodies, responses.
//   bazel run -c opt //benchmarks:http_benchmark
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "core/base/check.h"
#include "core/http/parser.h"
#include "core/http/writer.h"

namespace uc::http {
namespace {

// 40, 170 and 700 bytes: a bare client, wrk or curl with some fields, a browser with cookies.
std::string Head(int64_t bytes) {
  std::string head = "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n";
  if (bytes >= 170) {
    head =
        "GET /index.html?page=7 HTTP/1.1\r\nHost: www.example.org\r\n"
        "User-Agent: curl/7.88.1\r\nAccept: text/html,*/*\r\nAccept-Encoding: gzip\r\n"
        "Connection: keep-alive\r\n";
  }
  if (bytes >= 700) {
    absl::StrAppend(&head,
                    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nCache-Control: max-age=0\r\n"
                    "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n"
                    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n"
                    "Referer: https://www.example.org/a/long/path/to/another/page.html\r\n");
  }
  // The last field fills it up; "X: " and two CRLFs are 7 bytes.
  const size_t wanted = static_cast<size_t>(bytes);
  if (head.size() + 7 < wanted) {
    absl::StrAppend(&head, "X: ", std::string(wanted - head.size() - 7, 'x'), "\r\n");
  }
  return head + "\r\n";
}

// All steps of `input`; returns how many messages were complete.
int Drain(RequestParser& parser, absl::string_view input) {
  int messages = 0;
  for (;;) {
    const Step step = parser.Next(input);
    input.remove_prefix(step.consumed);
    UC_CHECK(step.kind != Step::Kind::kError);
    if (step.kind == Step::Kind::kNeedMore) return messages;
    messages += step.kind == Step::Kind::kComplete ? 1 : 0;
  }
}

// Two heads in turn that differ in the byte at this place.
void ParseInTurn(benchmark::State& state, size_t place) {
  const std::string head = Head(state.range(0));
  std::string other = head;
  other[place] = '2';
  const std::string* const heads[] = {&head, &other};
  RequestParser parser{ParserLimits()};
  size_t turn = 0;
  for (auto _ : state) {
    const std::string& next = *heads[turn++ % 2];
    const Step step = parser.Next(next);
    UC_CHECK(step.kind == Step::Kind::kHead && step.consumed == next.size());
    benchmark::DoNotOptimize(parser.head().fields.data());
    UC_CHECK(parser.Next("").kind == Step::Kind::kComplete);
  }
  state.SetLabel(absl::StrCat(head.size(), " bytes"));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * head.size()));
}

// In Host: each is read in full.
void BM_ParseHead(benchmark::State& state) {
  ParseInTurn(state, Head(state.range(0)).find("Host: ") + 6);
}
BENCHMARK(BM_ParseHead)->Arg(40)->Arg(170)->Arg(700);

// In the last value, as behind a proxy that traces.
void BM_ParseHeadWithOtherValue(benchmark::State& state) {
  ParseInTurn(state, Head(state.range(0)).size() - 5);
}
BENCHMARK(BM_ParseHeadWithOtherValue)->Arg(170)->Arg(700);

// The same field lines again and again, as on most kept connections.
void BM_ParseHeadLikeLast(benchmark::State& state) {
  const std::string head = Head(state.range(0));
  RequestParser parser{ParserLimits()};
  for (auto _ : state) {
    const Step step = parser.Next(head);
    UC_CHECK(step.kind == Step::Kind::kHead && step.consumed == head.size());
    UC_CHECK(parser.Next("").kind == Step::Kind::kComplete);
  }
  state.SetLabel(absl::StrCat(head.size(), " bytes"));
}
BENCHMARK(BM_ParseHeadLikeLast)->Arg(40)->Arg(170)->Arg(700);

void BM_ParsePipelined16(benchmark::State& state) {
  std::string input;
  for (int i = 0; i < 16; ++i) input += Head(state.range(0));
  RequestParser parser{ParserLimits()};
  for (auto _ : state) UC_CHECK(Drain(parser, input) == 16);
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(BM_ParsePipelined16)->Arg(40)->Arg(170);

// Cut in two: scanned in two goes, gathered, then read.
void BM_ParseHeadInTwo(benchmark::State& state) {
  const std::string head = Head(state.range(0));
  const absl::string_view first = absl::string_view(head).substr(0, head.size() / 2);
  const absl::string_view second = absl::string_view(head).substr(head.size() / 2);
  RequestParser parser{ParserLimits()};
  for (auto _ : state) {
    UC_CHECK(Drain(parser, first) == 0);
    UC_CHECK(Drain(parser, second) == 1);
  }
}
BENCHMARK(BM_ParseHeadInTwo)->Arg(170)->Arg(700);

// The worst that a slow peer can do: time per byte must not grow with the head.
void BM_ParseHeadByteByByte(benchmark::State& state) {
  const std::string head = Head(state.range(0));
  RequestParser parser{ParserLimits()};
  for (auto _ : state) {
    for (const char& c : head) Drain(parser, absl::string_view(&c, 1));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * head.size()));
}
BENCHMARK(BM_ParseHeadByteByByte)->Arg(170)->Arg(7000)->Arg(28000);

void BM_ParseChunkedBody(benchmark::State& state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  std::string input = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 16; ++i) AppendChunk(data, &input);
  AppendLastChunk(&input);
  RequestParser parser{ParserLimits()};
  for (auto _ : state) UC_CHECK(Drain(parser, input) == 1);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * input.size()));
}
BENCHMARK(BM_ParseChunkedBody)->Arg(16)->Arg(4096);

void BM_AppendResponseHead(benchmark::State& state) {
  DateCache date;
  date.Set(absl::UnixEpoch());
  const Field fields[] = {{"Content-Type", "text/plain; charset=utf-8"},
                          {"ETag", "\"5f3a-1b2c\""},
                          {"Cache-Control", "max-age=3600"},
                          {"X-Request-Id", "0123456789abcdef"}};
  ResponseHead head;
  head.fields = absl::MakeConstSpan(fields, static_cast<size_t>(state.range(0)));
  head.date = date.text();
  head.content_length = 13;
  std::string out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(AppendResponseHead(head, &out));
  }
  state.SetLabel(absl::StrCat(out.size(), " bytes"));
}
BENCHMARK(BM_AppendResponseHead)->Arg(0)->Arg(1)->Arg(4);

// The same app's next answer within the second.
void BM_AppendResponseHeadLikeLast(benchmark::State& state) {
  DateCache date;
  date.Set(absl::UnixEpoch());
  const Field fields[] = {{"Content-Type", "text/plain; charset=utf-8"}};
  ResponseHead head;
  head.fields = fields;
  head.date = date.text();
  HeadWriter writer;
  std::string out;
  for (auto _ : state) {
    out.clear();
    head.content_length = (head.content_length + 7) % 1000;
    benchmark::DoNotOptimize(writer.Append(head, &out));
  }
}
BENCHMARK(BM_AppendResponseHeadLikeLast);

void BM_AppendChunk(benchmark::State& state) {
  const std::string data(4096, 'x');
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendChunk(data, &out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_AppendChunk);

void BM_SetDateWithinASecond(benchmark::State& state) {
  DateCache date;
  absl::Time now = absl::UnixEpoch();
  for (auto _ : state) {
    date.Set(now);
    benchmark::DoNotOptimize(date.text().data());
  }
}
BENCHMARK(BM_SetDateWithinASecond);

void BM_ParseDate(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(ParseDate("Mon, 23 Nov 2026 16:11:07 GMT"));
  }
}
BENCHMARK(BM_ParseDate);

}  // namespace
}  // namespace uc::http
