"""A gate as a JUnit file, the form that every CI reads: a test case for each line of a gate."""

from __future__ import annotations

from xml.etree import ElementTree

from harness.results.render import visible
from harness.results.rulings import GateResult, Ruling


def junit_xml(result: GateResult) -> bytes:
    """The file's bytes.

    FAIL is a failure, ERROR an error, INCONCLUSIVE is skipped unless it stops.
    """
    root = ElementTree.Element("testsuites", name="harness gate")
    suites: dict[str, list[Ruling]] = {}
    for ruling in result.rulings:
        suites.setdefault(ruling.task, []).append(ruling)
    for task, rulings in suites.items():
        suite = ElementTree.SubElement(root, "testsuite", name=_text(task))
        kinds = [_kind(one) for one in rulings]
        suite.set("tests", str(len(kinds)))
        for plural, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(plural, str(kinds.count(kind)))
        for ruling, kind in zip(rulings, kinds, strict=True):
            _add_case(suite, ruling, kind)
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _kind(ruling: Ruling) -> str:
    if ruling.outcome == "ERROR":
        return "error"
    if ruling.stops:
        return "failure"
    return "skipped" if ruling.outcome == "INCONCLUSIVE" else ""


def _add_case(suite: ElementTree.Element, ruling: Ruling, kind: str) -> None:
    group = f" ({ruling.group})" if ruling.group else ""
    case = ElementTree.SubElement(
        suite, "testcase", name=_text(f"{ruling.metric}{group}: {ruling.line}")
    )
    case.set("classname", _text(ruling.cell or f"{ruling.task}[{ruling.model}]"))
    case.set("time", "0")
    if kind:
        found = ElementTree.SubElement(case, kind, message=_text(ruling.reason))
        found.set("type", ruling.outcome)
        if ruling.worst and kind == "failure":
            found.text = _text(f"lost most: {', '.join(ruling.worst)}")
    else:
        ElementTree.SubElement(case, "system-out").text = _text(ruling.reason)


def _text(text: str) -> str:
    """XML has no place for most control characters, nor for half a surrogate pair."""
    return visible(text)
