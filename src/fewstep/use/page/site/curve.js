// The adaptation curve: the loss on the drawings over the inner steps, as an SVG.
//
// The first steps take most of the loss, so the scale of steps is stretched there.

const LEFT = 34, RIGHT = 388, TOP = 12, BOTTOM = 112;
const TICKS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export function curve(svg, points) {
  const known = points.filter(([, loss]) => loss !== null);
  if (!known.length) return nothing(svg);
  const [last, final] = known.at(-1);
  const most = Math.max(...known.map(([, loss]) => loss)) || 1;
  const x = (step) => LEFT + ((RIGHT - LEFT) * Math.log1p(step)) / (Math.log1p(last) || 1);
  const y = (loss) => BOTTOM - ((BOTTOM - TOP) * loss) / most;
  const places = known.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
  const path = places.length > 1 ? places.join("L") : `${places[0]}h0`;
  svg.replaceChildren(
    ...[0, most / 2, most].flatMap((loss) => [
      rule(y(loss)),
      label(short(loss), LEFT - 7, y(loss) + 4, "end"),
    ]),
    ...TICKS.filter((step) => step <= last).map((step) => label(step, x(step), BOTTOM + 16)),
    made("path", { class: "area", d: `M${path}V${BOTTOM}H${x(known[0][0])}Z` }),
    made("path", { class: "line", d: `M${path}`, pathLength: 1 }),
    ...known.map(([step, loss]) => made("circle", { cx: x(step), cy: y(loss), r: 3 })),
  );
  const told = `from ${short(known[0][1])} to ${short(final)} in ${last} inner steps`;
  svg.setAttribute("aria-label", `The adaptation curve: the loss goes ${told}`);
}

function nothing(svg) {
  const grid = [TOP, (TOP + BOTTOM) / 2, BOTTOM].map((y) => rule(y));
  svg.replaceChildren(...grid, label("once two classes have a drawing", 211, BOTTOM + 16));
  svg.setAttribute("aria-label", "The adaptation curve: nothing is learned yet");
}

function rule(y) {
  return made("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y, y2: y });
}

function made(kind, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function label(text, x, y, anchor = "middle") {
  const element = made("text", { x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}

function short(value) {
  return Number(value.toPrecision(2)).toString();
}
