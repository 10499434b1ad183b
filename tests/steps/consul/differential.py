"""Sends the same calls to two servers and compares what they answer.

`differential.py THEIRS OURS CALLS DIFFERENCES`. Compared are the status, the headers below, and
the body: JSON by its values, anything else by its octets. What must differ stands in DIFFERENCES, a
line each: which calls (a pattern), what of the reply, and the reason. A line that no call needs is
a fault as well, so that the list stays true.

What of the reply:
  header NAME          a header, or several by a pattern
  null PATH            a value that is null there, and empty here
  json PATH [KEY!=V]   a value; the path has keys, `*` for any one, `**` for any number. Only of
                       objects that have another KEY, if it says so
  item PATH KEY=VALUE  the items of a list that have this
  order PATH           the order of a list, which is always another one; `.` is the whole body
  set PATH             the order of a list, which is nobody's business
  text                 the body as it stands
  is STATUS TEXT       the reply, which must be this
  any                  everything
"""

import copy
import difflib
import fnmatch
import http.client
import json
import re
import sys
import time
import urllib.parse

HEADERS = [
    "Content-Type", "Allow", "X-Consul-Index", "X-Consul-KnownLeader", "X-Consul-LastContact",
    "X-Consul-Effective-Consistency", "X-Consul-Query-Backend", "X-Consul-Default-ACL-Policy",
    "X-Consul-Reason", "X-Consul-ContentHash",
]
KINDS = ["header", "json", "null", "item", "order", "set", "text", "is", "any"]
# For how long a read may differ: an agent tells the catalog of a change in its own time.
PATIENCE = 1.0


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name: headers[name] for name in HEADERS if headers[name] is not None}
        if status == 500:
            # An error is no answer that has an index, though Consul gives it one.
            self.headers = {name: self.headers[name] for name in ["Content-Type"]
                            if name in self.headers}
        self.index = self.headers.get("X-Consul-Index")
        self.json = None
        if headers.get("Content-Type", "").startswith("application/json"):
            self.json = [json.loads(body)]

    def become(self, other):
        self.__dict__.update(other.__dict__)

    def lines(self):
        body = self.body.decode(errors="replace")
        if self.json is not None:
            body = json.dumps(self.json[0], indent=2, sort_keys=True)
        headers = [f"{name}: {value}" for name, value in sorted(self.headers.items())]
        return [str(self.status), *headers, *body.splitlines()]


class Server:
    def __init__(self, url):
        self.url = url
        at = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(at.hostname, at.port, timeout=20)
        self.index, self.node = "1", ""
        self.node = self.call("GET", "/v1/agent/self", None).json[0]["Config"]["NodeName"]

    def path(self, path):
        path = path.replace("{index}", self.index)
        path = path.replace("{node}", self.node)
        # What no client sends as it stands.
        return re.sub(r'["^\[\]]', lambda found: urllib.parse.quote(found[0]), path)

    def call(self, method, path, body):
        headers = {} if body is None else {"Content-Type": "application/json"}
        for last in [False, True]:
            try:
                sent = body and body.replace("{node}", self.node)
                self.connection.request(method, self.path(path), sent, headers)
                got = self.connection.getresponse()
                return Reply(got.status, got.headers, got.read())
            except ConnectionError:
                # A server may close a connection between two calls; the next one is opened.
                self.connection.close()
                if last:
                    raise

    def curl(self, method, path, body):
        words = ["curl", "-i", "-X", method, f"'{self.url}{self.path(path)}'"]
        return " ".join(words + ([] if body is None else ["-d", f"'{body}'"]))


class Difference:
    def __init__(self, line):
        self.line = line
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 3 or not all(parts):
            raise SystemExit(f"not `calls | what | reason`: {line}")
        self.calls, what, self.reason = parts
        self.kind, _, self.what = what.partition(" ")
        if self.kind not in KINDS:
            raise SystemExit(f"unknown kind `{self.kind}`: {line}")
        self.needed = False

    def applies(self, call):
        return fnmatch.fnmatchcase(call, self.calls)

    def even(self, theirs, ours):
        """Makes both equal in this, and remembers whether they were not."""
        if self.kind == "header":
            for name in fnmatch.filter(HEADERS, self.what):
                self.needed |= theirs.headers.get(name) != ours.headers.get(name)
                theirs.headers.pop(name, None)
                ours.headers.pop(name, None)
        elif self.kind == "null":
            if theirs.json is not None and ours.json is not None:
                path = ["*", *self.what.split(".")]
                self.needed |= fill(theirs.json, ours.json, path)
        elif self.kind in ["json", "item", "order", "set"]:
            if theirs.json is not None and ours.json is not None:
                self.even_json(theirs.json, ours.json)
        elif self.kind == "text":
            self.needed |= theirs.body != ours.body
            theirs.body = ours.body = b""
            theirs.json = ours.json = None
        elif self.kind == "any":
            self.needed |= theirs.lines() != ours.lines()
            theirs.become(ours)
        elif self.kind == "is":
            status, _, text = self.what.partition(" ")
            if (str(ours.status), ours.body.decode()) == (status, text):
                self.needed |= theirs.status != ours.status or theirs.body != ours.body
                theirs.become(ours)


    def even_json(self, *bodies):
        """Each body is a list of one value."""
        path, _, item = self.what.partition(" ")
        unless = item.split("!=") if self.kind == "json" and item else None
        path = ["*"] if path == "." else ["*", *path.split(".")]
        key, _, wanted = item.partition("=")
        touched = []
        for body in bodies:
            if self.kind == "json":
                touched.append(prune(body, path, unless))
                continue
            lists = lists_at(body, path)
            if self.kind == "item":
                touched.append([[one for one in found if one[key] == wanted] for found in lists])
            else:
                touched.append(copy.deepcopy(lists))
            for found in lists:
                if self.kind == "item":
                    found[:] = [one for one in found if one[key] != wanted]
                else:
                    found.sort(key=json.dumps)
        # A set may have the same order by chance.
        self.needed |= touched[0] != touched[1] or self.kind == "set"


def matching(value, part):
    """The values of an object or a list whose key or place matches."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [(key, inner) for key, inner in list(pairs) if fnmatch.fnmatchcase(str(key), part)]


def prune(value, path, unless=None):
    """Takes what is at that path out of a value, unless it is in an object in which that key has
    that value; what that was."""
    if not isinstance(value, (dict, list)):
        return []
    first, rest = path[0], path[1:]
    if first == "**":
        inside = [taken for _, inner in matching(value, "*")
                  for taken in prune(inner, path, unless)]
        return prune(value, rest, unless) + inside
    found = matching(value, first)
    if rest:
        return [taken for _, inner in found for taken in prune(inner, rest, unless)]
    if unless and isinstance(value, dict) and value.get(unless[0]) == unless[1]:
        return []
    for key, _ in reversed(found):
        del value[key]
    return found


def fill(theirs, ours, path):
    """Puts our empty value in the place of their null at that path; whether there was one."""
    if type(theirs) is not type(ours) or not isinstance(theirs, (dict, list)):
        return False
    first, rest = path[0], path[1:]
    filled = first == "**" and fill(theirs, ours, rest)
    for key, inner in matching(theirs, "*" if first == "**" else first):
        other = ours.get(key) if isinstance(ours, dict) else ours[key] if key < len(ours) else None
        if first == "**":
            filled |= fill(inner, other, path)
        elif rest:
            filled |= fill(inner, other, rest)
        elif inner is None and other in ({}, []):
            theirs[key] = other
            filled = True
    return filled


def lists_at(value, path):
    """The lists at that path."""
    if not path:
        return [value] if isinstance(value, list) else []
    if not isinstance(value, (dict, list)):
        return []
    return [found for _, inner in matching(value, path[0]) for found in lists_at(inner, path[1:])]


def entries(file):
    """The entries of a file: lines with what is indented below them, without comments."""
    found = []
    for line in open(file, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith(" "):
            found[-1] += " " + line.strip()
        elif line and not line.startswith("#"):
            found.append(line)
    return found


def even_indexes(theirs, ours, servers, path):
    """An index is compared by what it says: the same as before, a later one, none."""
    for reply, server in zip([theirs, ours], servers):
        if reply.index is not None:
            word = "an index" if int(reply.index) > 0 else "0"
            if "{index}" in path:
                word = "as it was" if reply.index == server.index else "another"
            reply.headers["X-Consul-Index"] = word
    if "{index}" in path and ours.headers.get("X-Consul-Index") == "as it was":
        # Consul's indexes are those of whole tables: others' changes wake it now and then.
        theirs.headers["X-Consul-Index"] = "as it was"


def compare(servers, call, differences):
    method, path, body = (call.split(" ", 2) + [None])[:3]
    is_read = method in ["GET", "HEAD", "OPTIONS"]
    end = time.monotonic() + (PATIENCE if is_read else 0)
    replies = [None, None]
    while True:
        for i in range(2):
            replies[i] = servers[i].call(method, path, body)
        indexes = [reply.index for reply in replies]
        even_indexes(*replies, servers, path)
        before = [difference.needed for difference in differences]
        for difference in differences:
            if difference.applies(f"{method} {path}"):
                difference.even(*replies)
        lines = [reply.lines() for reply in replies]
        if lines[0] == lines[1] or time.monotonic() >= end:
            break
        for difference, needed in zip(differences, before):
            difference.needed = needed
        time.sleep(0.02)
    for server, index in zip(servers, indexes):
        server.index = index or server.index
    if lines[0] == lines[1]:
        return True
    print(servers[1].curl(method, path, body))
    for line in difflib.unified_diff(*lines, "Consul", "Rollcall", lineterm="", n=3):
        print(f"    {line}")
    print()
    return False


def main():
    servers = [Server(sys.argv[1]), Server(sys.argv[2])]
    calls = entries(sys.argv[3])
    differences = [Difference(line) for line in entries(sys.argv[4])]
    wrong = sum(not compare(servers, call, differences) for call in calls)
    stale = [difference.line for difference in differences if not difference.needed]
    for line in stale:
        print(f"no call needs this difference: {line}")
    print(f"  {len(calls)} calls, {len(differences)} differences that must be; "
          f"{wrong} calls answered otherwise, {len(stale)} lines to take out")
    return 1 if wrong or stale else 0


sys.exit(main())
