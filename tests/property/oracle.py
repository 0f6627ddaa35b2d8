# SPDX-License-Identifier: GPL-2.0-or-later
"""
What must be in the kernel after quiescence, from the declaration and the world, by
design.md, kernel.md and api.md. It shares no code with the agent. nftables: packets.py.
"""

from world import ANY, GROUP, MAIN, PROTOCOL, WILD, network

TOS = {"inherit": 1}
RP_FILTER = {"off": 0, "strict": 1, "loose": 2}
LANDING, FIRST_TABLE = 9999, 7000


def device_of(name, tunnel):
    return tunnel.get("device", name)


def meet(ends, others):
    return all(end in (WILD, other) or other == WILD for end, other in zip(ends, others))


def enabled(resource):
    return resource.get("enabled", True)


class Expected:
    """After one quiescence."""

    def __init__(self):
        self.objects = {}        # (noun, key) -> fields; rules and routes with symbolic tables
        self.blind = set()       # devices of which the documents leave all open
        self.usable = {}         # device -> tunnel, those whose device may be used
        self.opened = set()      # devices whose forwarding the agent switched on
        self.addresses = set()   # (device, prefix), the agent's
        self.froms = set()       # prefixes that have a table
        self.unknown_own = False  # a local address that only the kernel knows


class Oracle:
    """Carries what only history tells: whose an address or a sysctl is, what it was before."""

    def __init__(self):
        self.found_links = set()
        self.ends = {}           # device -> endpoints, as it was seen last
        self.sysctl_rows = {}    # (device, name) -> ("ours", before, wanted) or ("found", wanted)
        self.expected = Expected()

    def forget_devices(self, world):
        """Rows of devices that are gone, or were made anew by somebody else."""
        for row in [r for r in self.sysctl_rows if r[0] not in world.devices()]:
            del self.sysctl_rows[row]
        self.found_links &= set(world.links)

    def settle(self, declaration, world):
        """One quiescence: the world as it becomes, and what is to be seen."""
        out = Expected()
        self.forget_devices(world)
        self.links(declaration, world, out)
        self.addresses(declaration, world, out)
        routes = self.exits(declaration, world, out)
        wanted = self.wanted_sysctls(declaration, world, out)
        self.sysctls(world, out, wanted)
        out.opened = {device for (device, name), row in self.sysctl_rows.items()
                      if name == "forwarding" and row[0] == "ours"}
        for device, name in world.sysctls:
            out.objects["sysctl", f"{device} {name}"] = {
                "value": str(world.sysctls[device, name])}
        out.objects["sysctl", "ip_forward"] = {"value": str(world.ip_forward)}
        self.policy(declaration, world, out, routes)
        for (table, dst, metric), fields in world.routes.items():
            out.objects["route", f"{table} {dst} {metric} 0"] = fields
        for rule in world.rules:
            out.objects["rule", rule] = {}
        self.expected = out
        return out

    # links

    def links(self, declaration, world, out):
        wanted = {device_of(name, t): (name, t)
                  for name, t in declaration["tunnels"].items() if enabled(t)}
        for device in (world.ours - set(wanted)) | world.remade:
            for row in [r for r in self.sysctl_rows if r[0] == device]:
                del self.sysctl_rows[row]
            again = device in wanted
            world.drop_device(device)
            if again:
                world.ours.add(device)
                world.birth(device)
        self.found_links &= set(wanted)
        blocked = self.blocked_devices(wanted, world)
        for device, (name, tunnel) in sorted(wanted.items()):
            self.link(device, name, tunnel, world, out, device in blocked)
        for device, fields in world.links.items():
            out.objects["link", device] = fields

    def link(self, device, name, tunnel, world, out, blocked):
        fields, keep = self.link_fields(name, tunnel, world)
        foreign = world.links.get(device)
        if foreign is not None:
            differs = any(fields[f] not in (WILD, foreign[f]) for f in fields
                          if f not in ("group", "alias"))
            adoptable = (tunnel.get("adopt") and foreign["driver"] == "ipip"
                         and foreign["remote"] != ANY)
            if not adoptable:
                if not differs:
                    self.found_links.add(device)
                if device in self.found_links:
                    out.usable[device] = name, tunnel
                return
            self.found_links.discard(device)
            del world.links[device]
            world.ours.add(device)
        out.usable[device] = name, tunnel
        if blocked:
            out.blind.add(device)
        if device not in world.ours:
            if keep or device in out.blind:
                return
            world.ours.add(device)
            world.birth(device)
        out.objects["link", device] = fields

    def blocked_devices(self, wanted, world):
        """A foreign device has their endpoints, or another that is blocked may have them still."""
        ends = {device: self.ends_of(self.link_fields(name, tunnel, world)[0])
                for device, (name, tunnel) in wanted.items()}
        blocked, more = set(), {device for device, end in ends.items() if any(
            link["driver"] == "ipip" and other != device and meet(end, self.ends_of(link))
            for other, link in world.links.items())}
        while more:
            blocked |= more
            held = [self.ends[device] for device in blocked if device in self.ends]
            more = {device for device in set(ends) - blocked
                    if any(meet(ends[device], end) for end in held)}
        self.ends = {device: self.ends.get(device, end) if device in blocked else end
                     for device, end in ends.items()}
        return blocked

    @staticmethod
    def ends_of(fields):
        return fields["local"], fields["remote"], fields["underlay"]

    @staticmethod
    def link_fields(name, tunnel, world):
        underlay = tunnel.get("underlay", "")
        local = tunnel.get("local", "auto")
        answer = world.lookup(tunnel["remote"], underlay)
        mtu = tunnel.get("mtu", "auto")
        if mtu == "auto":
            mtu = WILD
            if answer:
                mtu = str(min(max(answer[2] - 20, 68), 65515))
        keep = False
        if local == "auto":
            keep = not answer or answer[1] == ANY
            local = WILD if keep else answer[1]
        if underlay and underlay not in world.devices():
            underlay, keep = WILD, True
        return {
            "driver": "ipip", "local": local, "remote": tunnel["remote"], "underlay": underlay,
            "ttl": str(tunnel.get("ttl", 64)), "tos": str(TOS.get(t := tunnel.get("tos", 0), t)),
            "pmtudisc": "true" if tunnel.get("path_mtu_discovery", True) else "false",
            "proto": "4", "fwmark": "0", "encap": "0", "external": "false", "mtu": str(mtu),
            "up": "true", "group": str(GROUP), "alias": f"ipipd:ID:{name}"}, keep

    # addresses

    def addresses(self, declaration, world, out):
        for device, (_, tunnel) in out.usable.items():
            if device not in world.devices():
                continue
            for prefix in tunnel.get("addresses", ()):
                if tunnel.get("adopt"):
                    world.addrs.discard((device, prefix))
                out.addresses.add((device, prefix))
        # the kernel takes along what hung on an address that the agent takes back
        for device, prefix in sorted(self.expected.addresses - out.addresses - world.addrs):
            if device in world.devices():
                world.delete_addr(device, prefix, out.addresses)
        for device, prefix in world.addrs | out.addresses:
            out.objects["address", f"{device} {prefix}"] = {}

    # exit routes

    def exits(self, declaration, world, out):
        """The enabled ones whose tunnel's device may be used: they have rules."""
        having = []
        for name, e in declaration["exit_routes"].items():
            tunnel = declaration["tunnels"][e["tunnel"]]
            device = device_of(e["tunnel"], tunnel)
            if not enabled(e) or not enabled(tunnel) or device not in out.usable:
                continue
            if self.waits_for_source(declaration, world, out, e.get("source")):
                continue
            having.append((device, tunnel, e))
            source = e.get("source") or tunnel["addresses"][0].split("/")[0]
            standing = device in world.ours or device in world.links
            up = device in world.ours or (standing and world.links[device]["up"] == "true")
            for dst in e["destinations"]:
                for source_prefix in e.get("from") or ["0.0.0.0/0"]:
                    if network(source_prefix).prefixlen == 0:
                        source_prefix = ANY
                    self.exit(world, out, e, (source_prefix, dst, device, source,
                                              up and world.own(source, out.addresses)))
        return having

    @staticmethod
    def waits_for_source(declaration, world, out, source):
        """It stands on a tunnel that is disabled, and nowhere else."""
        if not source or world.own(source, out.addresses):
            return False
        holders = [t for t in declaration["tunnels"].values()
                   if source in [a.split("/")[0] for a in t.get("addresses", [])]]
        return bool(holders) and not any(enabled(t) for t in holders)

    @staticmethod
    def exit(world, out, e, route):
        source_prefix, dst, device, source, possible = route
        table = FIRST_TABLE if source_prefix == ANY else source_prefix
        if table != FIRST_TABLE:
            out.froms.add(source_prefix)
        key = (table, dst, e.get("metric", 0))
        fields = {"type": "unicast", "device": device, "gateway": ANY, "prefsrc": source,
                  "scope": "253", "protocol": str(PROTOCOL)}
        foreign = world.routes.get(key)
        if foreign:
            if not e.get("adopt") or not possible:
                return
            del world.routes[key]
        if device in out.blind:
            out.objects["route", f"{table} {dst} {key[2]} 0"] = WILD
        elif possible:
            out.objects["route", f"{table} {dst} {key[2]} 0"] = fields

    # policy rules

    def policy(self, declaration, world, out, routes):
        def rule(priority, source, action, table=0, suppress=-1, target=0, mark="0 0"):
            out.objects["rule", f"{priority} {source} {mark} {action} {table} {suppress} "
                                f"{target} {PROTOCOL}"] = {}

        if not routes:
            return
        every = "0.0.0.0/0"
        rule(LANDING, every, "nop")
        rule(7005, every, "goto", target=LANDING, mark=f"{GROUP} {0xffffffff}")
        own = set()
        for name, tunnel in declaration["tunnels"].items():
            if enabled(tunnel):
                fields, keep = self.link_fields(name, tunnel, world)
                own.add(fields["local"])
                out.unknown_own |= fields["local"] == WILD and not keep
        for device, prefix in world.addrs:
            if device not in world.ours and device not in out.usable:
                own.add(prefix.split("/")[0])
        for address in own:
            if address != WILD and not address.startswith("127."):
                rule(7000, address + "/32", "goto", target=LANDING)
        for _, _, e in routes:
            for source in e.get("from") or [every]:
                f = network(source).prefixlen
                table = source if f else FIRST_TABLE
                for length in {network(d).prefixlen for d in e["destinations"]}:
                    priority = 7010 + 66 * (32 - f) + 2 * (32 - length)
                    rule(priority, source, "lookup", MAIN, length)
                    rule(priority + 1, source, "lookup", table, length - 1)

    # sysctls

    @staticmethod
    def wanted_sysctls(declaration, world, out):
        wanted = {}
        for device, (_, tunnel) in out.usable.items():
            if tunnel.get("rp_filter", "keep") != "keep":
                wanted[device, "rp_filter"] = RP_FILTER[tunnel["rp_filter"]]
        for rule in declaration["nat_rules"].values():
            if not enabled(rule):
                continue
            ingress = [rule["in_interface"]] if rule.get("in_interface") else list(out.usable)
            for device in [rule["out_interface"], *ingress]:
                wanted[device, "forwarding"] = 1
        return {k: v for k, v in wanted.items() if k in world.sysctls}

    def sysctls(self, world, out, wanted):
        for key in set(self.sysctl_rows) | set(wanted):
            row, now = self.sysctl_rows.get(key), world.sysctls.get(key)
            if key not in wanted:
                self.give_back(world, key, row, now)
                continue
            value = wanted[key]
            found = row and row[0] == "found"
            if now == value:
                self.sysctl_rows[key] = ("ours", row[1], value) if row and not found else (
                    "found", value)
            elif key[0] in out.blind and key[1] == "rp_filter":
                world.sysctls[key] = WILD  # it may wait for its device
            elif found and row[1] == value and key[0] not in world.ours:
                pass  # changed by its owner: a conflict
            else:
                before = row[1] if row else now  # what was found first
                self.sysctl_rows[key] = ("ours", before, value)
                world.sysctls[key] = value

    def give_back(self, world, key, row, now):
        del self.sysctl_rows[key]
        if row[0] != "ours" or now != row[2]:
            return
        if key[1] == "forwarding" and world.ip_forward and not row[1]:
            return
        world.sysctls[key] = row[1]
