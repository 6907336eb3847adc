/** The API's MathML as elements of the page; the only module that parses markup. */

const NAMESPACE = "http://www.w3.org/1998/Math/MathML";
const ELEMENTS = "math mrow mfrac msqrt msup msub msubsup mover mi mn mo mtext".split(" ");
const ATTRIBUTES = ["accent", "displaystyle", "form", "stretchy"];

/** Read one element of MathML. Parsing XML runs nothing, and only known elements and attributes are copied. */
export function readMathml(text) {
  const { documentElement } = new DOMParser().parseFromString(text, "application/xml");
  return copyNode(documentElement);
}

function copyNode(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (!ELEMENTS.includes(node.localName)) return "";
  const copy = document.createElementNS(NAMESPACE, node.localName);
  for (const name of ATTRIBUTES) if (node.hasAttribute(name)) copy.setAttribute(name, node.getAttribute(name));
  copy.append(...[...node.childNodes].map(copyNode));
  return copy;
}
