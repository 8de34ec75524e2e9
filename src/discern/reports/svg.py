"""Figures of plots/ as inline SVG that keeps to the policy of a page and uses its font."""

import hashlib
import io
import re
import warnings
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_LINE_STYLE = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
"""What matplotlib says in a style sheet of the figure, which the policy of the page would refuse."""

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EXTRA_DIGITS = re.compile(r"(\.\d\d)\d+")
_REFERENCE = re.compile(r"(?:url\()?#(?P<id>\w+)\)?$")
_REFERRING = ("href", "clip-path")
_COORDINATES = ("d", "x", "y", "width", "height", "transform")
_DROPPED = ("metadata", "style")
_TEXTS = ("text", "tspan")


def figure_to_svg(figure: Figure, *, title: str, description: str) -> Markup:
    """Return a figure as an SVG element for a page, with a title and a description for screen readers.

    Text stays text, in the font of the page, and is escaped. The element has no size of its own, no style attribute
    and no ids but those it refers to, which no other figure has. The same figure always gives the same text.
    """
    root = ElementTree.fromstring(_NOT_IN_XML.sub("\ufffd", _draw(figure)))  # noqa: S314 - matplotlib has written it
    _remove_namespaces(root)
    _remove_children(root, _DROPPED)
    for element in root.iter():
        _move_style_to_attributes(element)
        _shorten_coordinates(element)
    content = ElementTree.tostring(root, encoding="unicode")
    title, description = (_NOT_IN_XML.sub("\ufffd", text) for text in (title, description))
    prefix = "f" + hashlib.sha256(f"{content}{title}{description}".encode()).hexdigest()[:8]
    _rename_ids(root, prefix)
    _dissolve_groups(root)
    svg = Element("svg", {"viewBox": root.get("viewBox", ""), "role": "img", **_LINE_STYLE})
    svg.set("aria-labelledby", f"{prefix}-title {prefix}-description")
    ElementTree.SubElement(svg, "title", id=f"{prefix}-title").text = title
    ElementTree.SubElement(svg, "desc", id=f"{prefix}-description").text = description
    svg.extend(root)
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - the XML writer has escaped it


def _draw(figure: Figure) -> str:
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "discern"}), warnings.catch_warnings():
        # The page's own fonts write what matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="(?s)Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return buffer.getvalue()


def _remove_namespaces(root: Element) -> None:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if name.startswith("{")]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))


def _remove_children(parent: Element, tags: tuple[str, ...]) -> None:
    """Remove children of these kinds at any depth, and the white space between the others."""
    if parent.tag not in _TEXTS:
        parent.text = None
    for child in list(parent):
        if child.tag in tags:
            parent.remove(child)
        else:
            _remove_children(child, tags)
            child.tail = None


def _move_style_to_attributes(element: Element) -> None:
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if value and name != "font-family":
            element.set(name, value)


def _shorten_coordinates(element: Element) -> None:
    """Keep two digits, a hundredth of a point, and no rotation by nothing."""
    for name in _COORDINATES:
        if name in element.attrib:
            element.set(name, _EXTRA_DIGITS.sub(r"\1", " ".join(element.attrib[name].split())))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]


def _rename_ids(root: Element, prefix: str) -> None:
    """Number the ids that something refers to, and remove all others."""
    references = [found for element in root.iter() for found in _list_references(element)]
    names = {name: f"{prefix}-{place}" for place, name in enumerate(dict.fromkeys(name for *_, name in references), 1)}
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own in names:
            element.set("id", names[own])
    for element, attribute, name in references:
        element.set(attribute, element.attrib[attribute].replace(name, names[name]))


def _list_references(element: Element) -> list[tuple[Element, str, str]]:
    """Return element, attribute and id of each reference to another element."""
    found = ((attribute, _REFERENCE.match(value)) for attribute, value in element.attrib.items())
    return [(element, attribute, match["id"]) for attribute, match in found if match and attribute in _REFERRING]


def _dissolve_groups(parent: Element) -> None:
    """Put the children of groups without attributes in their place."""
    children = list(parent)
    for child in children:
        _dissolve_groups(child)
        parent.remove(child)
    for child in children:
        if child.tag == "g" and not child.attrib:
            parent.extend(child)
        elif child.tag != "defs" or len(child):
            parent.append(child)
