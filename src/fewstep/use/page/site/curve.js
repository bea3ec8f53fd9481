// The adaptation curve: the loss on the drawings over the inner steps, as an SVG.

const LEFT = 34, RIGHT = 388, TOP = 12, BOTTOM = 112;

export function curve(svg, points) {
  const known = points.filter(([, loss]) => loss !== null);
  if (!known.length) return nothing(svg);
  const last = known.at(-1)[0] || 1;
  const most = Math.max(...known.map(([, loss]) => loss)) || 1;
  const x = (step) => LEFT + ((RIGHT - LEFT) * step) / last;
  const y = (loss) => BOTTOM - ((BOTTOM - TOP) * loss) / most;
  const path = known.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join("L");
  const [step, loss] = known.at(-1);
  svg.replaceChildren(
    ...[0, most / 2, most].flatMap((value) => [
      rule(y(value)),
      label(short(value), LEFT - 6, y(value) + 4, "end"),
    ]),
    label("0", x(0), BOTTOM + 16, "middle"),
    label("inner step", (LEFT + RIGHT) / 2, BOTTOM + 16, "middle"),
    label(String(last), x(last), BOTTOM + 16, "middle"),
    made("path", { class: "area", d: `M${path}L${x(step)},${BOTTOM}L${x(known[0][0])},${BOTTOM}Z` }),
    made("path", { class: "line", d: `M${path}`, pathLength: 1 }),
    made("circle", { class: "end", cx: x(step), cy: y(loss), r: 4 }),
  );
  const told = `from ${short(known[0][1])} to ${short(loss)} in ${last} inner steps`;
  svg.setAttribute("aria-label", `The adaptation curve: the loss goes ${told}`);
}

function nothing(svg) {
  const grid = [TOP, (TOP + BOTTOM) / 2, BOTTOM].map((y) => rule(y));
  svg.replaceChildren(...grid, label("once two classes have a drawing", 200, BOTTOM + 16, "middle"));
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

function label(text, x, y, anchor) {
  const element = made("text", { x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}

function short(value) {
  return value === 0 ? "0" : Number(value.toPrecision(2)).toString();
}
