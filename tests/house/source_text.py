"""Source text without what is not code, line numbers kept."""

import io
import re
import tokenize

# Comments and literals of C++, the longest possible first; a literal's quotes stay. A digit
# separator (1'000) is no quote.
_CPP = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<raw>     R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)" )
  | (?P<literal> "(?:\\.|[^"\\\n])*" | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*' )
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def cpp_code(text):
    """C or C++ with comments and the contents of literals blanked; include lines are kept whole."""

    def replace(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if match["literal"] and re.match(r"\s*#\s*include\b", text[line_start:]):
            return match[0]
        if match["literal"]:
            return match[0][0] + _blank(match[0][1:-1]) + match[0][-1]
        return _blank(match[0])

    return _CPP.sub(replace, text)


def python_code(text):
    """Python with comments and strings blanked; as it is if it cannot be tokenized."""
    lines = text.splitlines(keepends=True)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    for token in tokens:
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            (first, start), (last, end) = token.start, token.end
            for row in range(first, last + 1):
                line = lines[row - 1]
                left = start if row == first else 0
                right = end if row == last else len(line)
                lines[row - 1] = line[:left] + _blank(line[left:right]) + line[right:]
    return "".join(lines)


def shell_code(text):
    """Shell with whole-line comments blanked."""
    return re.sub(r"(?m)^\s*#.*$", lambda match: _blank(match[0]), text)
