# SPDX-License-Identifier: GPL-2.0-or-later
"""
A namespace as the property test sees it: what `ip -j` and `nft -j` say, in the words of the
fake kernel's state; and the lines of its scripts, done by ip, nft and sysctl.
"""

import ipaddress
import json

import lab
from world import ANY, WILD, World, covers, network

TABLES = {"main": 254, "default": 253, "local": 255}
PROTOCOLS = {"kernel": 2, "boot": 3, "static": 4}


# ------------------------------------------------------------------- reading

def objects(ns):
    found = {}
    text = lab.run(ns, "ip", "-j", "-d", "-N", "-batch", "-",
                   stdin="address show\nroute show table all type unicast\nrule show\n")
    lists = []
    while text.strip():
        part, end = json.JSONDecoder().raw_decode(text.lstrip())
        lists.append(part)
        text = text.lstrip()[end:]
    links(ns, lists[0], found)
    routes(lists[1], found)
    rules(lists[2], found)
    ruleset(ns, found)
    return found


def links(ns, listed, found):
    for link in listed:
        name = link["ifname"]
        if name == "tunl0":
            continue
        kind = link.get("linkinfo", {}).get("info_kind", "")
        more = link.get("linkinfo", {}).get("info_data", {}) if kind == "ipip" else {}
        tos = more.get("tos", "0")
        found["link", name] = {
            "driver": kind, "local": address(more.get("local")),
            "remote": address(more.get("remote")), "underlay": more.get("link") or "",
            "ttl": str(more.get("ttl", 0)), "mtu": str(link["mtu"]),
            "tos": "1" if tos == "inherit" else str(int(str(tos), 0)),
            "pmtudisc": "true" if more.get("pmtudisc") else "false",
            "proto": "4", "fwmark": str(int(str(more.get("fwmark", 0)), 0)), "encap": "0",
            "external": "true" if more.get("external") else "false",
            "up": "true" if "UP" in link["flags"] else "false",
            "group": number(link.get("group", 0), {"default": 0}),
            "alias": link.get("ifalias", "")}
        for a in link["addr_info"]:
            if a["family"] == "inet":
                found["address", f"{name} {a['local']}/{a['prefixlen']}"] = {}
        for switch in ("forwarding", "rp_filter"):
            found["sysctl", f"{name} {switch}"] = {
                "value": lab.sysctl(ns, f"net/ipv4/conf/{name}/{switch}")}
    found["sysctl", "ip_forward"] = {"value": lab.sysctl(ns, "net/ipv4/ip_forward")}


def address(text):
    return text if text and text != "any" else ANY


def number(text, names):
    return str(names.get(text, text))


def routes(listed, found):
    for r in listed:
        table = int(number(r.get("table", 254), TABLES))
        if table == 255:
            continue
        dst = "0.0.0.0/0" if r["dst"] == "default" else r["dst"]
        found["route", f"{table} {network(dst)} {r.get('metric', 0)} 0"] = {
            "type": "unicast", "device": r.get("dev", ""), "gateway": r.get("gateway", ANY),
            "prefsrc": r.get("prefsrc", ANY), "scope": number(r.get("scope", 0), {"link": 253}),
            "protocol": number(r["protocol"], PROTOCOLS)}


def rules(listed, found):
    for r in listed:
        if r["priority"] in (0, 32766, 32767):
            continue
        source = "0.0.0.0/0" if r["src"] == "all" else f"{r['src']}/{r.get('srclen', 32)}"
        mark = int(str(r.get("fwmark", 0)), 0)
        mask = int(str(r.get("fwmask", 0xffffffff if mark else 0)), 0)
        action = "goto" if "goto" in r else "nop" if "nop" in r else "lookup"
        table = number(r.get("table", 0), TABLES) if action == "lookup" else 0
        found["rule", f"{r['priority']} {source} {mark} {mask} {action} {table} "
                      f"{r.get('suppress_prefixlen', r.get('suppress_prefixlength', -1))} "
                      f"{r.get('goto', 0)} {number(r.get('protocol', 0), PROTOCOLS)}"] = {}


def ruleset(ns, found):
    listed = lab.run(ns, "nft", "-j", "-n", "list", "table", "ip", "ipipd", check=False)
    if listed.status:
        return
    chains, texts = {}, {}
    for thing in json.loads(listed.out)["nftables"]:
        (noun, it), = thing.items()
        if noun == "table":
            found["nft-table", it["name"]] = {"flags": "0"}
        elif noun in ("set", "map"):
            a_set(noun, it, found)
        elif noun == "chain":
            chains[it["name"]] = it
        elif noun == "rule":
            texts.setdefault(it["chain"], []).append(rule_text(it["expr"]))
    for name, it in chains.items():
        found["nft-chain", name] = {
            "type": it["type"], "hook": it["hook"], "priority": str(it["prio"]),
            "accept": "true" if it["policy"] == "accept" else "false",
            "rules": "; ".join(texts.get(name, []))}


def a_set(noun, it, found):
    name, interval = it["name"], "interval" in it.get("flags", [])
    kind = it["type"] if isinstance(it["type"], str) else it["type"][0]
    found["nft-set", name] = {"type": kind, "map": str(noun == "map").lower(),
                              "interval": str(interval).lower()}
    for element in it.get("elem", []):
        to = ANY
        if noun == "map":
            element, to = element
        if isinstance(element, dict) and "elem" in element:
            element = element["elem"]["val"]
        if kind == "ifname":
            found["nft-element", f"{name} {element} 0.0.0.0/0"] = {"to": to}
            continue
        for prefix in prefixes(element):
            found["nft-element", f"{name} {prefix}"] = {"to": to}


def prefixes(element):
    if isinstance(element, str):
        return [f"{element}/32"]
    if "prefix" in element:
        return [f"{element['prefix']['addr']}/{element['prefix']['len']}"]
    first, last = map(ipaddress.IPv4Address, element["range"])
    return ipaddress.summarize_address_range(first, last)


def rule_text(expressions):
    words = []
    for expression in expressions:
        (verb, it), = expression.items()
        if verb == "match":
            words += match(it)
        elif verb == "mangle":
            words += ["clamp", "true"]
        elif verb == "snat":
            words += ["snat_map", it["addr"]["map"]["data"][1:], "verdict", "snat"]
        elif verb in ("accept", "drop", "masquerade"):
            words += ["verdict", verb]
        else:
            raise AssertionError(f"a rule has {expression}")
    return " ".join(words)


def match(it):
    left, right = it["left"], it["right"]
    if "meta" in left and left["meta"]["key"] in ("iifname", "oifname"):
        side = left["meta"]["key"][:3]
        return [side + "_set", right[1:]] if right.startswith("@") else [side, right]
    if left.get("payload", {}).get("field") in ("saddr", "daddr"):
        return [left["payload"]["field"] + "_set", right[1:]]
    if "ct" in left:
        return ["established", "true"]
    return []  # of the clamp: what a SYN is


# -------------------------------------------------------------------- doing

class RealWorld(World):
    """What the real kernel does otherwise than the fake one."""

    def lookup(self, to, oif=""):
        answer = super().lookup(to, oif)
        if answer or not oif or self.links.get(oif, {}).get("up") != "true":
            return answer
        # "assume that it is on link" (net/ipv4/route.c), with an address of its own, else with
        # that of the first device that has one (inet_select_addr in net/ipv4/devinet.c)
        mine = sorted(p for d, p in self.addrs if d == oif)
        others = self.ours or any(not p.startswith("127.") for _, p in self.addrs)
        source = mine[0].split("/")[0] if mine else WILD if others else ANY
        return oif, source, int(self.links[oif]["mtu"])

    def do_route(self, words, known):
        options = dict(zip(words[1::2], words[2::2]))
        if "via" in options and not any(d == options["dev"] and covers(p, options["via"])
                                        for d, p in self.addrs):
            return False  # the gateway cannot be reached
        return super().do_route(words, known)


def can(line):
    """What is not for this kernel, or has other consequences in it."""
    return not any(word in line for word in (
        "remote 0.0.0.0", "172.16.16.23/24", "172.16.17.1/24", "10.1.0.2/16", "mtu 60",
        "delete set", "172.16.16.9 src"))


def do(ns, line):
    words = line.split()
    {"link": link, "foreign-link": foreign_link, "addr": addr, "route": route, "rule": rule,
     "element": element, "delete": delete, "flush": flush, "sysctl": sysctl}[words[0]](
         ns, words[1:])


def link(ns, words):
    name, options = words[0], words[1:]
    if not lab.has_link(ns, name):
        lab.ip(ns, f"link add {name} type dummy", f"link set {name} up")
        return
    change, settings = [], []  # each at once: between two messages the agent repairs
    while options:
        word = options.pop(0)
        if word in ("up", "down"):
            settings.append(word)
        else:
            (settings if word in ("mtu", "group", "alias") else change).append(
                f"{word} {options.pop(0)}")
    if settings:
        lab.ip(ns, f"link set {name} {' '.join(settings)}")
    if any(word.startswith("ttl ") and word != "ttl 0" for word in change):
        change.append("pmtudisc")  # iproute2 takes no other with it
    if change:
        try:
            lab.ip(ns, f"link change {name} type ipip {' '.join(change)}")
        except lab.CommandFailed as failed:  # it is somebody's dummy, or has just gone
            if "Failed to get existing tunnel info" not in str(failed):
                raise


def foreign_link(ns, words):
    lab.ip(ns, f"link add {words[0]} type ipip local {words[2]} remote {words[3]} ttl 64",
           f"link set {words[0]} mtu 1480 up")


def addr(ns, words):
    lab.ip(ns, f"address replace {words[1]} dev {words[0]}")


def route(ns, words):
    lab.ip(ns, f"route replace {' '.join(words)} protocol 4")


def rule(ns, words):
    # it may be there, and is one rule then as before; that there is one is compared
    lab.ip(ns, f"rule add priority {words[0]} {' '.join(words[1:])} protocol 4", check=False)


def element(ns, words):
    lab.nft(ns, f"add element ip ipipd {words[0]} {{ {words[1]} }}\n", check=False)


def delete(ns, words):
    noun, rest = words[0], " ".join(words[1:])
    if noun == "link":
        lab.ip(ns, f"link delete {rest}")
    elif noun == "addr":
        lab.ip(ns, f"address delete {words[2]} dev {words[1]}")
    elif noun == "rule":
        for line in lab.rule_lines(ns):
            if line.split(":")[0] == words[1]:
                lab.ip(ns, f"rule delete priority {words[1]}", check=False)
    elif noun == "route":
        lab.ip(ns, f"route delete {rest}", check=False)
    elif noun == "chain":
        lab.nft(ns, f"flush chain ip ipipd {rest}\ndelete chain ip ipipd {rest}\n", check=False)
    elif noun == "element":
        lab.nft(ns, f"delete element ip ipipd {words[1]} {{ {words[2]} }}\n", check=False)


def flush(ns, _):
    lab.nft(ns, "delete table ip ipipd\n", check=False)


def sysctl(ns, words):
    if words[0] == "ip_forward":
        lab.sysctl(ns, "net/ipv4/ip_forward", words[1])
    else:
        lab.sysctl(ns, f"net/ipv4/conf/{words[0]}/{words[1]}", words[2])
