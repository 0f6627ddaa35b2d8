#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual, as it is built: mandoc has nothing to say, all that there is stands in it, by what
the programs themselves tell, and its examples, with those of the README, are commands."""
import json
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1])
SECTIONS = {
    "ipipctl.1": "OPTIONS, RESOURCES, COMMANDS, EXIT STATUS, ENVIRONMENT, FILES",
    "ipipd.conf.5": "SETTINGS",
    "ipipd-api.7": "RESOURCES, REQUESTS, PARAMETERS, ANSWERS, PROBLEMS, METRICS",
    "ipipd.8": "OPTIONS, SIGNALS, EXIT STATUS, ENVIRONMENT, FILES",
}
EVERYWHERE = "NAME, DESCRIPTION, EXAMPLES, SEE ALSO"


def run(*command):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)


def rendered(page):
    """Of a terminal without bold; long lines, so that nothing is cut in two."""
    text = run("mandoc", "-T", "utf8", "-O", "width=1000", page).stdout
    return re.sub(".\b", "", text)


def section(text, title):
    """Its lines, without their indent."""
    found = re.search(rf"^{title}\n(.*?)(?=^\S|\Z)", text, re.M | re.S)
    return [line.strip() for line in found.group(1).splitlines()] if found else []


def completed(*words):
    """What ipipctl would complete the last word to."""
    lines = run(BUILD / "ipipctl", "complete", "--", *words).stdout.splitlines()
    return [line.partition("\t")[0] for line in lines]


def commands():
    """The words of each that there is."""
    for word in completed(""):
        verbs = completed(word, "")
        is_noun = "list" in verbs or "new" in verbs
        for verb in verbs if is_noun else ():
            yield word, verb
        if not is_noun:
            yield (word,)


def client_faults(text):
    terms = section(text, "OPTIONS") + section(text, "RESOURCES") + section(text, "COMMANDS")
    heads = [re.split(r"[ ,=\[]", line)[0] for line in terms]
    options = {name for line in terms for name in re.findall(r"--(?:\[no-\])?[a-z-]+", line)}
    for words in commands():
        names = {" ".join(words), " ".join(("NOUN",) + words[1:])} - {"NOUN"}
        if not any((line + " ").startswith(name + " ") for line in terms for name in names):
            yield "the command " + " ".join(words)
        for option in completed(*words, "--"):
            bare = option.replace("--no-", "--")
            if options.isdisjoint({option, "--[no-]" + bare[2:]}):
                yield f"the option {option} of {' '.join(words)}"
    for noun in ("tunnel", "exit", "nat"):
        if noun not in heads:
            yield "the noun " + noun
    statuses = [line for line in section(text, "EXIT STATUS") if line.isdigit()]
    if statuses != [str(i) for i in range(9)]:
        yield "an exit status"


def agent_faults(text):
    options = [line.split()[0] for line in section(text, "OPTIONS") if line.startswith("--")]
    for option in re.findall(r"^  (--[a-z-]+)", run(BUILD / "ipipd", "--help").stdout, re.M):
        if option not in options:
            yield "the option " + option


def settings_faults(text):
    lines = section(text, "SETTINGS")
    sample = (ROOT / "packaging" / "ipipd.conf").read_text(encoding="utf-8")
    for name in re.findall(r"^#?(\w+) =", sample, re.M):
        if not any(line.startswith(name + " = ") for line in lines):
            yield "the setting " + name
    for title in re.findall(r"^\[\w+\]", sample, re.M):
        if title not in lines:
            yield "the section " + title


def api_faults(text):
    document = json.loads((ROOT / "api" / "openapi.json").read_text(encoding="utf-8"))
    requests, terms = section(text, "REQUESTS"), {}
    for title in ("RESOURCES", "PARAMETERS", "ANSWERS", "PROBLEMS", "METRICS"):
        terms[title] = {term for line in section(text, title)
                        for term in re.findall(r"(?:^|; )([\w-]+)(?=[:,])", line)}
    for path, methods in document["paths"].items():
        any_kind = re.sub(r"^/v1/(tunnels|exit-routes|nat-rules)", "/v1/{kind}", path)
        for method in methods:
            names = {f"{method.upper()} {path}", f"{method.upper()} {any_kind}"}
            if method != "head" and names.isdisjoint(requests):
                yield f"the request {method.upper()} {path}"
    components = document["components"]
    wanted = {"PARAMETERS": [p["name"] for p in components["parameters"].values()
                             if p["in"] == "query"],
              "PROBLEMS": components["schemas"]["Problem"]["properties"]["code"]["enum"],
              "METRICS": re.findall("`([a-z_]+)`",
                                    run(BUILD / "ipipd", "--print", "metrics").stdout)}
    wanted["RESOURCES"] = [
        name for kind in ("Tunnel", "ExitRoute", "NatRule")
        for name in components["schemas"][kind + "Declaration"]["properties"]]
    for title, names in wanted.items():
        yield from (f"{name} in {title}" for name in names if name not in terms[title])
        if not names:
            yield "anything that belongs into " + title
    for line in section(text, "ANSWERS"):
        members = components["schemas"].get(line, {}).get("properties", {})
        yield from (f"the member {name} of {line}" for name in members
                    if name not in terms["ANSWERS"])


FAULTS = {"ipipctl.1": client_faults, "ipipd.conf.5": settings_faults,
          "ipipd-api.7": api_faults, "ipipd.8": agent_faults}


def page_faults(name):
    page = BUILD / "packaging" / "man" / name
    if not page.exists():
        yield "is not built: tests/deps installs scdoc"
        return
    lint = run("mandoc", "-T", "lint", "-W", "warning", page)
    if lint.returncode or lint.stdout:
        yield lint.stdout
    text = rendered(page)
    for title in (EVERYWHERE + ", " + SECTIONS[name]).split(", "):
        if not section(text, title):
            yield "lacks the section " + title
    yield from ("lacks " + what for what in FAULTS[name](text))


def examples(text):
    """Commands of ipipctl, behind a prompt or by themselves, without what a shell does with them,
    nor what is said of them behind some blanks."""
    text = text.replace("\\\n", " ")
    prompt = r"^(?: {4}(?:[A-Z]?[$#] )?|[$#] )"
    for line in re.findall(prompt + r"(ipipctl .*?)(?= {4,}|$)", text, re.M):
        yield shlex.split(re.split(r" [|>]|>", line)[0], comments=True)


def example_faults():
    texts = {"README.md": (ROOT / "README.md").read_text(encoding="utf-8")}
    for name in SECTIONS:
        source = ROOT / "packaging" / "man" / (name + ".scd")
        texts[name] = source.read_text(encoding="utf-8").replace("\\\\\n", " ")
    for name, text in texts.items():
        for words in examples(text):
            # what is wrong with the words is said before the help is shown
            if run(BUILD / words[0], *words[1:], "--help").returncode:
                yield f"{name}: no command: {' '.join(words)}"
    if not any(list(examples(text)) for text in texts.values()):
        yield "no example was found"


def main():
    count = 0
    for name in SECTIONS:
        for what in page_faults(name):
            print(f"{name}: {what}")
            count += 1
    for what in example_faults():
        print(what)
        count += 1
    print(f"{len(SECTIONS)} pages, {count} faults")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
