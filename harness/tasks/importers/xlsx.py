"""The cells of one sheet of an .xlsx workbook as texts, with nothing but the standard library."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import DataError
from harness.errors import shown as shown_path
from harness.tasks.rows import Place, Placed

MAX_PART = 500_000_000  # bytes of one part when unpacked
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
BROKEN = (zipfile.BadZipFile, ElementTree.ParseError, KeyError, ValueError, IndexError, OSError)


def sheet_rows(path: Path, sheet: str) -> Iterator[Placed]:
    """Rows under the header in the first row, placed by the sheet's row number; empty cells are
    ''. The first sheet if none has the name. Raises DataError if it is no workbook."""
    try:
        with zipfile.ZipFile(path) as book:
            strings = _strings(book)
            cells = list(_cells(book, _part(book, sheet), strings))
    except BROKEN as error:
        what = f"not an .xlsx workbook, or damaged: {error}"
        raise DataError(path, 0, what) from None
    header = cells[0][1] if cells else {}
    for number, values in cells[1:]:
        row = {name: values.get(column, "") for column, name in header.items()}
        yield Place(shown_path(path), number), row


def _cells(
    book: zipfile.ZipFile, part: str, strings: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, row in enumerate(_xml(book, part).iter(f"{MAIN}row"), start=1):
        found = {}
        for cell in row.iter(f"{MAIN}c"):
            column = re.match("[A-Z]*", cell.get("r", ""))
            found[column[0] if column else ""] = _value(cell, strings)
        yield int(row.get("r", number)), found


def _value(cell: ElementTree.Element, strings: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{MAIN}t"))
    value = cell.find(f"{MAIN}v")
    text = (value.text if value is not None else None) or ""
    return strings[int(text)] if cell.get("t") == "s" else text


def _strings(book: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    items = _xml(book, "xl/sharedStrings.xml").findall(f"{MAIN}si")
    return ["".join(part.text or "" for part in item.iter(f"{MAIN}t")) for item in items]


def _part(book: zipfile.ZipFile, sheet: str) -> str:
    sheets = list(_xml(book, "xl/workbook.xml").iter(f"{MAIN}sheet"))
    chosen = next((s for s in sheets if s.get("name") == sheet), sheets[0])
    for relation in _xml(book, "xl/_rels/workbook.xml.rels"):
        if relation.get("Id") == chosen.get(RELATION):
            target = relation.get("Target", "")
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError(f"sheet {sheet}")


def _xml(book: zipfile.ZipFile, part: str) -> ElementTree.Element:
    if book.getinfo(part).file_size > MAX_PART:
        raise ValueError(f"{part} is larger than {MAX_PART // 10**6} MB")
    data = book.read(part)
    if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data:  # Excel writes none; bombs need them
        raise ValueError(f"{part} declares entities")
    return ElementTree.fromstring(data)
