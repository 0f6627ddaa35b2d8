# SPDX-License-Identifier: GPL-2.0-or-later
"""From medians to verdicts, and to the table."""
import textwrap

FORM = "{:44} {:>11} {:>11} {:>8}  {:20} {}"


def _ratio(judge, ours, baseline):
    """As the goal counts it: how many times faster, or how many times as long."""
    if baseline is None:
        return None
    upper, lower = (ours, baseline) if judge.sense == "within" else (baseline, ours)
    return upper / lower if lower else None


def _floor(judge, medians, baseline):
    return _ratio(judge, getattr(medians[judge.floor], judge.measure), baseline) \
        if judge.floor else None


def _is_met(judge, ours, ratio):
    if not judge.sense:
        return None
    if judge.sense == "most":
        return ours <= judge.bound
    if ratio is None:
        return False
    return ratio >= judge.bound if judge.sense == "faster" else ratio <= judge.bound


def results(row, size, rounds, medians, samples):
    for judge in row.judges:
        ours = medians[judge.ours]
        baseline = medians[judge.baseline] if judge.baseline else None
        value = getattr(ours, judge.measure)
        against = getattr(baseline, judge.measure) if baseline else None
        ratio = _ratio(judge, value, against)
        yield {
            "row": row.name, "what": row.what.format(*size), "size": size, "rounds": rounds,
            "measured": judge.ours, "measure": judge.measure, "unit": row.unit, "ours": value,
            "ours_cpu": ours.cpu, "baseline_name": judge.baseline, "baseline": against,
            "baseline_cpu": baseline.cpu if baseline else None, "ratio": ratio,
            "sense": judge.sense, "bound": judge.bound, "met": _is_met(judge, value, ratio),
            "why": row.why, "floor": _floor(judge, medians, against),
            "all_ours": [s.value for s in samples[judge.ours]],
            "all_baseline": [s.value for s in samples.get(judge.baseline, ())],
        }


def amount(value, unit="s"):
    if value is None:
        return "-"
    if unit == "MB":
        return f"{value:.1f} MB"
    if unit != "s":
        return f"{value:g}"
    for scale, name in ((1, "s"), (1e3, "ms")):
        if value * scale >= 1:
            return f"{value * scale:.3g} {name}"
    return f"{value * 1e6:.3g} us"


def _goal(result):
    words = {"faster": "at least {:g} x", "within": "within {:g} x"}
    if result["sense"] == "most":
        return f"at most {amount(result['bound'], _unit(result))}"
    return words.get(result["sense"], "printed").format(result["bound"])


def _unit(result):
    # what a row counts beside its times
    if "memory" in result["measured"]:
        return "MB"
    return "" if result["measured"].startswith("modifying") else result["unit"]


def line(result):
    """One row of the table; with CPU times under it where there are any."""
    unit = _unit(result)
    what = result["what"] if result["measured"] == "ours" else \
        f"{result['row']}: {result['measured']}"
    if result["measure"] == "cpu":
        what = f"{result['row']}: CPU"
    beside = f" {result['baseline_name']}" if result["baseline_name"] else ""
    met = {None: "", True: "met", False: "NOT MET"}[result["met"]]
    if result["met"] is False and result["floor"] is not None:
        met += f", floor {result['floor']:.3g}"
    text = FORM.format(what[:44], amount(result["ours"], unit),
                       amount(result["baseline"], unit),
                       "-" if result["ratio"] is None else f"{result['ratio']:.3g}",
                       (_goal(result) + beside)[:34], met)
    if result["measure"] == "value" and result["ours_cpu"] is not None:
        text += "\n" + FORM.format("    CPU", amount(result["ours_cpu"]),
                                   amount(result["baseline_cpu"]), "", "", "").rstrip()
    if result["met"] is False and result["why"]:
        text += "\n" + textwrap.fill(result["why"], 100, initial_indent="    ",
                                     subsequent_indent="    ")
    return text.rstrip()


def table(all_results):
    lines = [FORM.format("what", "ours", "baseline", "ratio", "goal", ""), "-" * 110]
    for result in all_results:
        lines.append(f"{result['row']}: BROKEN: {' '.join(result['broken'].split())[:200]}"
                     if "broken" in result else line(result))
    return "\n".join(["", *lines])
