// OriginTarget: the target of a request as the server behind a gateway gets it (RFC 9112 section 3.2). Pure.
//
//   http://a/b?c  ->  Host: a     /b?c        OPTIONS http://a  ->  Host: a     *
//   http://u@a    ->  Host: a     /           CONNECT a:443     ->  Host: a:443 a:443
//
// The host of an absolute target is the request's, whatever the Host field says (3.2.2): a gateway that decides by one
// of them and a server that goes by the other would not speak of the same request.
#ifndef CORE_HTTP_ORIGIN_TARGET_H_
#define CORE_HTTP_ORIGIN_TARGET_H_

#include "absl/strings/string_view.h"

namespace uc::http {

struct OriginTarget {
  absl::string_view host;   // null data: what the Host field says
  absl::string_view slash;  // "/" where a path is missing, before `rest`
  absl::string_view rest;
};

// Of a request that RequestParser has accepted. Views into `target`, and into static text.
OriginTarget ToOriginTarget(absl::string_view method, absl::string_view target);

}  // namespace uc::http

#endif  // CORE_HTTP_ORIGIN_TARGET_H_
