"""bpf_object: a BPF program in C, compiled by clang and embedded into the binary as bytes."""

# -g: the types of the maps are BTF. mcpu=v3: atomic operations that return what was there (Linux 5.12).
# idirafter: clang does not know the host's <asm/types.h> when it compiles for bpf.
_COMPILE = """
clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I. \
  -idirafter /usr/include/$$(uname -m)-linux-gnu -c $(location {source}) -o $(@D)/object.o
{{
  echo '#include "{header}"'
  echo 'namespace {namespace} {{'
  echo 'alignas(8) const unsigned char {symbol}[] = {{'
  od -An -v -tu1 $(@D)/object.o | sed 's/ *\\([0-9]\\+\\)/\\1,/g'
  echo '}};'
  echo 'const size_t {symbol}Bytes = sizeof({symbol});'
  echo '}}  // namespace {namespace}'
}} > $@
rm $(@D)/object.o
"""

def bpf_object(name, source, header, namespace, symbol, includes = []):
    """Makes NAME.cc, which defines `symbol` and `symbol`Bytes as `header` declares them.

    Args:
      name: of the rule and of the file.
      source: the program.
      header: the path, from the root, of the header.
      namespace: where the symbols are.
      symbol: the array of bytes.
      includes: headers of ours that the program includes.
    """
    native.genrule(
        name = name,
        srcs = [source] + includes,
        outs = [name + ".cc"],
        cmd = _COMPILE.format(
            source = source,
            header = header,
            namespace = namespace,
            symbol = symbol,
        ),
    )
