#include "core/http/read_fields.h"

#include <llhttp.h>

#include "core/http/syntax.h"

namespace uc::http {
namespace {

struct Reading {
  std::vector<Field>* fields;
  size_t fields_max;
  bool too_many = false;
  bool bad_name = false;
};

// A name is all that stands between the begin of a line and its colon, and it is not empty. llhttp lets an
// empty one pass, and calls this for "Content-Length :" before it sees the fault.
int OnName(llhttp_t* parser, const char* at, size_t size) {
  Reading& reading = *static_cast<Reading*>(parser->data);
  if (reading.fields->size() == reading.fields_max) {
    reading.too_many = true;
    return -1;
  }
  if (size == 0 || at[-1] != '\n' || at[size] != ':') {
    reading.bad_name = true;
    return -1;
  }
  reading.fields->push_back({absl::string_view(at, size), absl::string_view()});
  return 0;
}

// The body is not llhttp's: it stops here, before it thinks about framing or upgrades.
int OnHeadEnd(llhttp_t*) { return HPE_PAUSED; }

constexpr llhttp_settings_t kSettings = {
    .on_header_field = OnName,
    .on_headers_complete = OnHeadEnd,
};

Fault FaultOf(llhttp_errno_t error, const llhttp_t& parser) {
  // The request line is "token target HTTP/1.x", as we know: only the token can be at fault.
  if (error == HPE_INVALID_METHOD || error == HPE_INVALID_CONSTANT ||
      error == HPE_PAUSED_H2_UPGRADE) {
    return Fault{.status = 501, .reason = "unknown method"};
  }
  const char* reason = llhttp_get_error_reason(&parser);
  return Fault{.status = 400, .reason = reason != nullptr ? reason : "malformed head"};
}

// Values need no callback: they go from the colon to the end of the line.
void FillValues(absl::string_view head, std::vector<Field>& fields) {
  const char* next = head.data() + head.size() - 2;
  for (size_t i = fields.size(); i-- > 0;) {
    const absl::string_view name = fields[i].name;
    const char* begin = name.data() + name.size() + 1;
    fields[i].value =
        StripWhitespace(absl::string_view(begin, static_cast<size_t>(next - 2 - begin)));
    next = name.data();
  }
}

}  // namespace

Fault ReadFields(absl::string_view head, size_t lines, size_t fields_max,
                 std::vector<Field>* fields, SecondOpinion* opinion) {
  fields->clear();
  Reading reading = {.fields = fields, .fields_max = fields_max};
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &kSettings);
  parser.data = &reading;
  const llhttp_errno_t error = llhttp_execute(&parser, head.data(), head.size());
  if (reading.too_many) return Fault{.status = 431, .reason = "too many fields"};
  if (reading.bad_name) return Fault{.status = 400, .reason = "malformed field name"};
  if (error != HPE_PAUSED) return FaultOf(error, parser);
  if (fields->size() + 2 != lines) return Fault{.status = 400, .reason = "line without a field"};
  FillValues(head, *fields);
  opinion->chunked = (parser.flags & F_CHUNKED) != 0;
  opinion->content_length.reset();
  if ((parser.flags & F_CONTENT_LENGTH) != 0) opinion->content_length = parser.content_length;
  return Fault();
}

}  // namespace uc::http
