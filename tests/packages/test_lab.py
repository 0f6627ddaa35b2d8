#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenario of tests/lab through the packages' units and socket, in the guest with systemd."""
import host
import lab
import test_everything
import test_scenario


class Scenario(host.PackagesTest, test_scenario.Scenario):
    """All of it."""


class Everything(host.PackagesTest):
    """Of it, what is the hardest for a host: no wrong turn of an outer packet is forgiven."""
    everything = test_everything.Everything.everything
    collisions = staticmethod(test_everything.Everything.collisions)

    def test_off_link_rp_filter_strict(self):
        self.everything(True, 1)


if __name__ == "__main__":
    lab.main()
