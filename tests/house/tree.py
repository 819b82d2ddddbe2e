"""Tree: the files of a checkout that are ours, read from the disk, without git and without Bazel."""

import os

# What tools make beside the sources; .gitignore names the same.
NOT_OURS = {".git", ".bazel", "__pycache__", "node_modules"}


class Tree:
    def __init__(self, root):
        self.root = root
        self._texts = {}

    def top_level(self):
        return sorted(name for name in os.listdir(self.root) if name not in NOT_OURS)

    def files(self, *folders, endings=()):
        """Paths from the root, below `folders` (all if none), with one of `endings` (any if none)."""
        found = []
        for folder, subfolders, names in os.walk(self.root):
            subfolders[:] = sorted(name for name in subfolders if name not in NOT_OURS)
            found += (os.path.relpath(os.path.join(folder, name), self.root) for name in names)
        return sorted(
            path
            for path in found
            if (not folders or any(path.startswith(folder + "/") for folder in folders))
            and (not endings or path.endswith(tuple(endings)))
        )

    def text(self, path):
        """The text of a file; "" if there is no such file, or if it holds no text."""
        if path not in self._texts:
            try:
                with open(os.path.join(self.root, path), encoding="utf-8") as file:
                    self._texts[path] = file.read()
            except (OSError, UnicodeDecodeError):
                self._texts[path] = ""
        return self._texts[path]

    def lines(self, path):
        """(number, line) pairs, counted from 1."""
        return enumerate(self.text(path).splitlines(), start=1)
