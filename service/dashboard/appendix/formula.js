/** The LaTeX that the API writes its working in, as MathML, which browsers draw by themselves. */

const NAMESPACE = "http://www.w3.org/1998/Math/MathML";
const TOKEN = /\\[a-z]+|\d[\d.]*|[^\s]/gi;
const SYMBOLS = {
  "\\mu": "μ",
  "\\sigma": "σ",
  "\\varepsilon": "ε",
  "\\sum": "Σ",
  "\\approx": "≈",
  "\\cdot": "·",
  "\\cdots": "⋯",
  "-": "−",
};
const RELATIONS = ["=", "≈"];

/** A `<math>` for each piece that a line may break before: =, ≈, +, and what follows a comma. */
export function renderPieces(latex) {
  const pieces = splitPieces(parseRow(latex.match(TOKEN) ?? [])).map((nodes) => make("math", nodes));
  for (const piece of pieces) piece.setAttribute("displaystyle", "true");
  return pieces;
}

function splitPieces(nodes) {
  const pieces = [[]];
  let depth = 0;
  for (const node of nodes) {
    const sign = node.textContent;
    const breaks = depth === 0 && (RELATIONS.includes(sign) || sign === "+");
    if (breaks && pieces.at(-1).length > 0) pieces.push([]);
    // A plus that opens a piece is still between two numbers.
    if (breaks) node.setAttribute("form", "infix");
    pieces.at(-1).push(node);
    if (sign === "(") depth += 1;
    if (sign.startsWith(")")) depth -= 1;
    if (sign === "," && depth === 0) pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** Read tokens, taking them off the list, up to the end or the brace that closes. */
function parseRow(tokens) {
  const nodes = [];
  while (tokens.length > 0) {
    const token = tokens.shift();
    if (token === "}") break;
    if (token === "^") nodes.push(make("msup", [nodes.pop(), parseArgument(tokens)]));
    else nodes.push(parseNode(token, tokens, nodes.at(-1)));
  }
  return nodes;
}

function parseNode(token, tokens, previous) {
  if (token === "{") return make("mrow", parseRow(tokens));
  if (token === "\\frac") return make("mfrac", [parseArgument(tokens), parseArgument(tokens)]);
  if (token === "\\sqrt") return make("msqrt", [parseArgument(tokens)]);
  const text = SYMBOLS[token] ?? token;
  if (/^\d/.test(text)) return make("mn", [text]);
  if (/^\p{L}$/u.test(text) && text !== "Σ") return make("mi", [text]);
  const operator = make("mo", [text]);
  if ("()".includes(text)) operator.setAttribute("stretchy", "false");
  const isAfterOperator = previous?.localName === "mo" && previous.textContent !== ")";
  const isSign = text === "−" && (!previous || isAfterOperator);
  if (isSign) operator.setAttribute("form", "prefix");
  return operator;
}

function parseArgument(tokens) {
  const token = tokens.shift();
  return token === "{" ? make("mrow", parseRow(tokens)) : parseNode(token, tokens);
}

function make(name, children) {
  const node = document.createElementNS(NAMESPACE, name);
  node.append(...children);
  return node;
}
