"""The house rules that a program can check.

Each rule is a function from a Tree to a list of complaints ("path:line: what is wrong"), next to the
small trees that it must complain about: a rule that no longer sees anything fails its own test.
A rule has no allow-list, unless the reason stands here.
"""

import builtins
import os
import re
import shutil
import subprocess

from source_text import cpp_code, python_code, shell_code

CPP = (".cc", ".h", ".c")

# Name -> (check, {claim: tree that must be refused}, trees that must pass).
RULES = {}


def rule(name, refused, accepted=()):
    """Registers a rule under `name`; trees are written as {path: text}."""

    def register(check):
        RULES[name] = (check, refused, list(accepted))
        return check

    return register


def includes(tree, path):
    """(line number, what is included with its delimiters) of each #include."""
    for number, line in enumerate(cpp_code(tree.text(path)).splitlines(), start=1):
        match = re.match(r'\s*#\s*include(?:_next)?\s*([<"][^>"]+[>"])', line)
        if match:
            yield number, match[1]


def code(tree, path):
    text = tree.text(path)
    if path.endswith(CPP):
        return cpp_code(text)
    if path.endswith(".py") or re.match(r"#!.*\bpython", text):
        return python_code(text)
    if path.endswith(".sh") or re.match(r"#!.*\b(ba|da)?sh\b", text):
        return shell_code(text)
    return ""


def complaints_about(tree, paths, pattern, complaint):
    return [
        f"{path}:{number}: {complaint}: {line.strip()}"
        for path in paths
        for number, line in enumerate(code(tree, path).splitlines(), start=1)
        if re.search(pattern, line)
    ]


# --- Layers -----------------------------------------------------------------------------------

# DESIGN, "Layout and ranks". A folder that is missing here is refused: give it a rank.
RANKS = {
    "base": 0,
    "ring": 1,
    "net": 1,
    "http": 1,
    "link": 1,
    "scoreboard": 1,
    "policy": 1,
    "app": 2,
    "exec": 2,
    "worker": 3,
    "coordinator": 3,
    "front": 4,
}


@rule(
    "IncludeRanks",
    refused={
        "LowerIncludesHigher": {"core/base/a.h": '#include "core/net/b.h"\n'},
        "LeavesKnowEachOther": {"core/http/a.cc": '#  include "core/ring/b.h"\n'},
        "WorkerIncludesCoordinator": {"core/worker/a.cc": '#include "core/coordinator/b.h"\n'},
        "CoordinatorIncludesWorker": {"core/coordinator/a.cc": '#include "core/worker/b.h"\n'},
        "AppIncludesExec": {"core/app/a.cc": '#include "core/exec/b.h"\n'},
        "CoreIncludesTools": {"core/base/a.cc": '#include "tools/b.h"\n'},
        "CoreIncludesTests": {"core/base/a.cc": '#include "tests/b.h"\n'},
        "FolderWithoutRank": {"core/drawer/a.cc": "int a;\n"},
        "IncludedFolderWithoutRank": {"core/app/a.cc": '#include "core/drawer/b.h"\n'},
        "PathNotFromTheRoot": {"core/http/a.cc": '#include "../ring/b.h"\n'},
        "PathFromTheFolder": {"core/http/a.cc": '#include "b.h"\n', "core/http/b.h": "\n"},
    },
    accepted=[
        {
            "core/worker/a.cc": '#include "core/worker/b.h"\n#include "core/app/c.h"\n'
            '#include "absl/time/time.h"\n// #include "core/coordinator/d.h"\n',
            "tests/http/a.cc": '#include "core/worker/b.h"\n',
        }
    ],
)
def include_ranks(tree):
    complaints = []
    for path in tree.files("core", endings=CPP):
        parts = path.split("/")
        if len(parts) < 3 or parts[1] not in RANKS:
            complaints.append(f"{path}: this folder of core/ has no rank")
            continue
        own = parts[1]
        for number, included in includes(tree, path):
            where, target = f"{path}:{number}", included[1:-1]
            sibling = os.path.join(tree.root, os.path.dirname(path), target)
            if re.match(r"(tools|tests|benchmarks)/", target):
                complaints.append(f"{where}: core/ does not know {target}")
            elif included[0] == '"' and (target.startswith("../") or os.path.exists(sibling)):
                complaints.append(f"{where}: write {target} from the root: core/...")
            elif target.startswith("core/"):
                other = target.split("/")[1]
                if other not in RANKS:
                    complaints.append(f"{where}: core/{other} has no rank")
                elif other != own and RANKS[other] >= RANKS[own]:
                    complaints.append(
                        f"{where}: core/{own} (rank {RANKS[own]}) includes"
                        f" core/{other} (rank {RANKS[other]})"
                    )
    return complaints


@rule(
    "PureFolders",
    refused={
        "Unistd": {"core/policy/a.cc": "#include <unistd.h>\n"},
        "Sys": {"core/http/a.h": "#include <sys/socket.h>\n"},
        "Fcntl": {"core/http/a.h": "#include <fcntl.h>\n"},
        "Liburing": {"core/policy/a.h": '#include "liburing.h"\n'},
        "Chrono": {"core/policy/a.h": "#include <chrono>\n"},
        "Ctime": {"core/policy/a.h": "#include <ctime>\n"},
        "AbslClock": {"core/policy/a.h": '#include "absl/time/clock.h"\n'},
        "OwnClock": {"core/policy/a.h": '#include "core/base/clock.h"\n'},
        "Random": {"core/policy/a.h": "#include <random>\n"},
        "Rand": {"core/policy/a.cc": "int Roll() { return rand() % 6; }\n"},
        "Now": {"core/policy/a.cc": "auto Late() { return absl::Now(); }\n"},
    },
    accepted=[
        {
            "core/policy/a.cc": '#include "absl/time/time.h"\n// not <unistd.h>, not rand()\n'
            'int operand(int); int brand = operand(1); auto s = "rand()";\n',
            "core/net/a.cc": "#include <unistd.h>\n",
        }
    ],
)
def pure_folders(tree):
    """core/policy and core/http: no system call, no clock, no chance; `now` is an argument."""
    folders = ("core/policy", "core/http")
    impure = re.compile(
        r"(unistd|fcntl|liburing|time|pthread|signal|poll)\.h|sys/.*|linux/.*"
        r"|ctime|chrono|random|thread|absl/time/clock\.h|absl/random/.*|core/base/(clock|fd)\.h"
    )
    complaints = [
        f"{path}:{number}: a pure folder includes {included}"
        for path in tree.files(*folders, endings=CPP)
        for number, included in includes(tree, path)
        if impure.fullmatch(included[1:-1])
    ]
    return complaints + complaints_about(
        tree,
        tree.files(*folders, endings=CPP),
        r"\b(rand|random|clock_gettime|gettimeofday)\s*\(|\babsl::Now\s*\(|\btime\((0|NULL|nullptr)\)",
        "a pure folder asks for time or chance",
    )


# --- Waiting ----------------------------------------------------------------------------------


@rule(
    "NobodySleeps",
    refused={
        "Sleep": {"tests/a.cc": "void F() { sleep(1); }\n"},
        "Usleep": {"core/net/a.cc": "void F() { usleep (1); }\n"},
        "Nanosleep": {"core/net/a.c": "void F() { nanosleep(&t, 0); }\n"},
        "ClockNanosleep": {"core/net/a.cc": "void F() { clock_nanosleep(0, 0, &t, 0); }\n"},
        "SleepFor": {"tests/a.cc": "void F() { std::this_thread::sleep_for(1s); }\n"},
        "AbslSleepFor": {"tests/a.cc": "void F() { absl::SleepFor(absl::Seconds(1)); }\n"},
        "Python": {"tests/e2e/a.py": "import time\ntime.sleep(1)\n"},
        "PythonWithoutEnding": {"tests/e2e/a": "#!/usr/bin/env python3\ntime.sleep(0.1)\n"},
        "Shell": {"tests/a.sh": "start & sleep 1\n"},
    },
    accepted=[
        {
            "tests/a.cc": '// we never sleep(1)\nconst char* kText = "sleep(1)";\nint asleep(int);\n',
            "tests/a.py": '"""No time.sleep(1) here."""\n# sleep(1)\n',
            "tools/load.cc": "void F() { sleep(1); }\n",
        }
    ],
)
def nobody_sleeps(tree):
    """A wait is for a message, a pidfd, an EOF or a deadline that has a name."""
    paths = tree.files("core", "tests")
    shell = [path for path in paths if path.endswith(".sh")]
    return complaints_about(
        tree,
        paths,
        r"\b(sleep|usleep|nanosleep|clock_nanosleep|sleep_for|sleep_until|SleepFor)\s*\(",
        "sleeps",
    ) + complaints_about(tree, shell, r"(^|[\s;&|(])sleep\s+[\d.$\"]", "sleeps")


# --- Documentation ----------------------------------------------------------------------------


@rule(
    "FlagsAreInReadme",
    refused={
        "NotNamed": {
            "tools/main.cc": 'ABSL_FLAG(int, kill_timeout, 5, "Seconds.");\n',
            "README.md": "`--kill` and `--kill-timeouts`\n",
        },
        "TypeWithComma": {
            "tools/main.cc": 'ABSL_FLAG((std::map<int, int>), odd_one, {}, "");\n',
            "README.md": "\n",
        },
        "OptionInATable": {
            "tools/cli/options.h": 'constexpr Option kOptions[] = {{"--max-memory", "..."}};\n',
            "README.md": "\n",
        },
        "NoReadme": {"tools/main.cc": 'ABSL_FLAG(int, name, 5, "");\n'},
    },
    accepted=[
        {
            "tools/main.cc": 'ABSL_FLAG(absl::Duration, kill_timeout,\n  5, "");\n'
            'auto a = "--listen=127.0.0.1:8080"; auto b = "a -- b --c";  // "--gone"\n',
            "README.md": "| `--kill-timeout=5s` | `--listen` |\n",
        }
    ],
)
def flags_are_in_readme(tree):
    """Flags are ABSL_FLAG names, and string literals of tools/ that begin with two dashes."""
    readme = tree.text("README.md")
    flags = {}
    for path in tree.files("tools", endings=CPP):
        text = re.sub(r"(?m)^(\s*)//.*$", "", tree.text(path))
        text = re.sub(r"(?m)\s//[^\n]*$", "", text)
        for match in re.finditer(r"\bABSL_FLAG\(\s*(?:\(.*?\)|[^,(]+)\s*,\s*(\w+)\s*,", text, re.S):
            flags.setdefault(match[1].replace("_", "-"), path)
        # "--no-" alone is the beginning of any switch that is turned off.
        for match in re.finditer(r'"--(?!no-")([a-z][a-z0-9]*(?:[-_][a-z0-9]+)*)', text):
            flags.setdefault(match[1].replace("_", "-"), path)
    return [
        f"{path}: --{flag} is not in README.md"
        for flag, path in sorted(flags.items())
        if not re.search(rf"(?<![\w-])--{re.escape(flag)}(?![\w-])", readme)
    ]


# --- Tests ------------------------------------------------------------------------------------


def rules_of(text):
    """(rule, its attributes) of each target of a BUILD file: Starlark is near enough to Python for ours to be run."""
    found = []

    class Names(dict):
        def __missing__(self, name):
            if hasattr(builtins, name):
                return getattr(builtins, name)

            def call(*_, **attributes):
                found.append((name, attributes))
                return []  # as glob() and select() may

            return call

    exec(compile(text, "BUILD.bazel", "exec"), Names())  # pylint: disable=exec-used
    return found


@rule(
    "EveryTestIsRun",
    refused={
        "NoTarget": {"tests/a/BUILD.bazel": "", "tests/a/b_test.cc": "\n"},
        "NoPackage": {"tests/a/b_test.py": "\n"},
        "OnlyInALibrary": {
            "tests/a/BUILD.bazel": 'cc_library(name = "b_test", srcs = ["b_test.cc"])\n',
            "tests/a/b_test.cc": "\n",
        },
        "NotInTheListThatCounts": {
            "tests/a/BUILD.bazel": 'ALONE = ["b", "c"]\n'
            '[sh_test(name = n, data = [n + "_test.py"], tags = ["x"] if n in ALONE else []) for n in ["b"]]\n',
            "tests/a/b_test.py": "\n",
            "tests/a/c_test.py": "\n",
        },
    },
    accepted=[
        {
            "tests/a/BUILD.bazel": 'cc_test(name = "b", srcs = ["b_test.cc", "sub/c_test.cc"] + glob(["*.h"]))\n',
            "tests/a/b_test.cc": "\n",
            "tests/a/sub/c_test.cc": "\n",
        }
    ],
)
def every_test_is_run(tree):
    """A file of tests that no target has passes for ever."""
    run = set()
    for path in tree.files("tests", endings=("/BUILD.bazel",)):
        package = os.path.dirname(path)
        for name, attributes in rules_of(tree.text(path)):
            if name.endswith("_test"):
                files = attributes.get("srcs", []) + attributes.get("data", [])
                run.update(os.path.join(package, file) for file in files)
    return [
        f"{path}: no target of its package runs it"
        for path in tree.files("tests", endings=("_test.py", "_test.cc"))
        if path not in run
    ]


# --- Files ------------------------------------------------------------------------------------

TOP_LEVEL = {
    ".bazelignore",
    ".bazelrc",
    ".bazelversion",
    ".ci",
    ".clang-format",
    ".gitignore",
    "BUILD.bazel",
    "README.md",
    "WORKSPACE",
    "benchmarks",
    "core",
    "tests",
    "tools",
}


@rule(
    "TopLevelIsFixed",
    refused={"File": {"notes.txt": "a\n"}, "Folder": {"src/a.cc": "\n"}},
    accepted=[{"README.md": "a\n", "core/base/a.cc": "\n", ".bazel/bin/a": "a"}],
)
def top_level_is_fixed(tree):
    return [f"{name}: not one of the top level" for name in tree.top_level() if name not in TOP_LEVEL]


# Fixtures are put together from pieces: these names stand in no file, not even in this one.
@rule(
    "NoRegistryHosts",
    refused={
        "Npm": {"tools/a": "get https://registry." + "npmjs" + ".org/x\n"},
        "Debian": {"tools/a.sh": "deb http://deb." + "debian.org/debian bookworm main\n"},
        "Pypi": {"README.md": "pip install -i https://pypi." + "org/simple x\n"},
        "Mirror": {"WORKSPACE": 'url = "https://mirror.' + 'bazel.build/x"\n'},
    },
    accepted=[{"README.md": "See https://github.com/a/b and files.h\n"}],
)
def no_registry_hosts(tree):
    """Where packages come from is the machine's affair (apt's sources, npm's settings), not ours."""
    host = re.compile(
        r"\b(registry|mirrors?|deb|security|archive|snapshot|ftp|proxy|packages|files)"
        r"(\.[\w-]+)+\.(org|com|net|io|dev|build)\b"
        r"|\b(pypi|npmjs|crates|rubygems|deb)\.(org|com|io|net)\b",
        re.IGNORECASE,
    )
    return [
        f"{path}:{number}: names a registry: {line.strip()}"
        for path in tree.files()
        for number, line in tree.lines(path)
        if host.search(line)
    ]


@rule(
    "HeaderGuards",
    refused={
        "None": {"core/base/a.h": "int a;\n"},
        "Pragma": {"core/base/a.h": "#pragma once\n"},
        "OtherName": {"core/base/fd.h": "#ifndef FD_H\n#define FD_H\n#endif\n"},
        "NotDefined": {"core/base/fd.h": "#ifndef CORE_BASE_FD_H_\n#endif\n"},
    },
    accepted=[
        {"core/base/fd.h": "// a\n#ifndef CORE_BASE_FD_H_\n#define CORE_BASE_FD_H_\n#endif\n"}
    ],
)
def header_guards(tree):
    """The guard is the path: core/base/fd.h has CORE_BASE_FD_H_."""
    complaints = []
    for path in tree.files("core", "tools", "tests", "benchmarks", endings=(".h",)):
        guard = re.sub(r"\W", "_", path).upper() + "_"
        lines = [line.strip() for line in cpp_code(tree.text(path)).splitlines() if line.strip()]
        if lines[:2] != [f"#ifndef {guard}", f"#define {guard}"]:
            complaints.append(f"{path}: wants the header guard {guard}")
    return complaints


@rule(
    "FilesEndInNewline",
    refused={
        "NoNewline": {"core/base/a.cc": "int a;"},
        "EmptyLines": {"core/base/a.cc": "int a;\n\n"},
    },
    accepted=[{"core/base/a.cc": "int a;\n", "core/base/BUILD.bazel": ""}],
)
def files_end_in_newline(tree):
    # Recorded HTTP and fuzz inputs are bytes, and their last byte is part of the test.
    recorded = (".http", ".bin", ".golden", ".raw", ".txt")
    complaints = []
    for path in tree.files():
        text = tree.text(path)
        if not path.endswith(recorded) and "/corpus/" not in path and text:
            if not text.endswith("\n") or text.endswith("\n\n"):
                complaints.append(f"{path}: must end in exactly one newline")
    return complaints


@rule(
    "ClangFormat",
    refused={"Unformatted": {".clang-format": "BasedOnStyle: Google\n", "core/a.cc": "int  a ;\n"}},
    accepted=[{".clang-format": "BasedOnStyle: Google\n", "core/a.cc": "int a;\n"}],
)
def clang_format(tree):
    """Cure: clang-format -i FILE. None, that is "skipped", where clang-format is not installed."""
    if shutil.which("clang-format") is None:
        return None
    paths = tree.files("core", "tools", "tests", "benchmarks", endings=CPP)
    if not paths:
        return []
    run = subprocess.run(
        ["clang-format", "--dry-run", "--Werror", "--style=file", *paths],
        cwd=tree.root,
        capture_output=True,
        text=True,
        check=False,
    )
    warned = re.findall(r"(?m)^(\S+?):(\d+):\d+: error", run.stderr)
    first = {}
    for path, number in warned:
        first.setdefault(path, number)
    complaints = [f"{path}:{number}: not as clang-format writes it" for path, number in first.items()]
    if run.returncode != 0 and not complaints:
        complaints.append(f"clang-format failed: {run.stderr.strip()}")
    return complaints
