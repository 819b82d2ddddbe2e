#include "core/app/mime.h"

#include "gtest/gtest.h"

namespace uc::app {
namespace {

TEST(MimeTest, TypesOfTheWebAreKnown) {
  EXPECT_EQ(MediaTypeOf("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(MediaTypeOf("a/b/style.css"), "text/css; charset=utf-8");
  EXPECT_EQ(MediaTypeOf("app.mjs"), "text/javascript; charset=utf-8");
  EXPECT_EQ(MediaTypeOf("data.json"), "application/json");
  EXPECT_EQ(MediaTypeOf("m.wasm"), "application/wasm");
  EXPECT_EQ(MediaTypeOf("x.woff2"), "font/woff2");
  EXPECT_EQ(MediaTypeOf("site.webmanifest"), "application/manifest+json");
  EXPECT_EQ(MediaTypeOf("first.3gp"), "video/3gpp");
  EXPECT_EQ(MediaTypeOf("last.zst"), "application/zstd");
}

TEST(MimeTest, CaseDoesNotMatter) { EXPECT_EQ(MediaTypeOf("PHOTO.JpEg"), "image/jpeg"); }

TEST(MimeTest, OnlyTheLastExtensionOfTheNameCounts) {
  EXPECT_EQ(MediaTypeOf("archive.html.gz"), "application/gzip");
  EXPECT_EQ(MediaTypeOf("v1.html/readme"), kUnknownMediaType);
}

TEST(MimeTest, WhatIsUnknownIsBytes) {
  for (const char* name : {"", "README", ".html", "a.", "a.unknown", "a.htmlx", "a.htm\xff",
                           "a.averyveryverylongextension", "dir.html/"}) {
    EXPECT_EQ(MediaTypeOf(name), kUnknownMediaType) << name;
  }
}

}  // namespace
}  // namespace uc::app
