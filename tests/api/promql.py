# SPDX-License-Identifier: GPL-2.0-or-later
"""What an expression of PromQL uses: metrics, labels, and the functions that they go into. Whether
it is one at all is promtool's to say."""

import collections
import re

TOKEN = re.compile(r"""\s+|(?P<string>"(?:\\.|[^"\\])*")|(?P<number>\d[\w.]*)
                       |(?P<name>[A-Za-z_:][\w:]*)|(?P<range>\[[^]]*\])|(?P<mark>[=!]~|.)""", re.X)
GROUPINGS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
OPERATORS = {"and", "or", "unless", "bool", "offset"}

# functions: those around it, the innermost last.
Use = collections.namedtuple("Use", "metric labels is_range functions")


class Reader:
    """uses: of each metric; groupings: labels of by (), on () and the like; made: labels that the
    expression makes by itself."""

    def __init__(self, text):
        self.tokens = [(m.lastgroup, m.group()) for m in TOKEN.finditer(text) if m.lastgroup]
        self.at = 0
        self.uses, self.groupings, self.made = [], set(), set()
        self._read()

    def _peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else (None, "")

    def _until(self, closing):
        begin = self.at
        while self._peek()[1] != closing:
            self.at += 1
        self.at += 1
        return self.tokens[begin:self.at]

    def _read(self):
        functions, called = [], ""
        while self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            self.at += 1
            if text == "(":
                functions.append(called)
                called = ""
            elif text == ")":
                functions.pop()
            elif text in GROUPINGS and self._peek()[1] == "(":
                self.groupings |= {t for k, t in self._until(")") if k == "name"}
            elif kind == "name" and text not in OPERATORS:
                if self._peek()[1] == "(" or self._peek()[1] in GROUPINGS:
                    called = text
                else:
                    self._use(text, functions)
            elif kind == "string" and functions[-1] == "count_values":
                self.made.add(text.strip('"'))
            elif text == "{":
                raise ValueError("a selector without the name of its metric")

    def _use(self, metric, functions):
        matchers = []
        if self._peek()[1] == "{":
            matchers = self._until("}")
        labels = {text for kind, text in matchers if kind == "name"}
        self.uses.append(Use(metric, labels, self._peek()[0] == "range", tuple(functions)))
