// Three classes to begin with, drawn by an unsteady hand, and a fourth drawing to ask about.

export function shapes() {
  return [
    { name: "circle", drawings: [drawn(circle)] },
    { name: "cross", drawings: [drawn(cross)] },
    { name: "wave", drawings: [drawn(wave)] },
  ];
}

export function asked() {
  return drawn([circle, cross, wave][Math.floor(3 * Math.random())]);
}

const steps = (count) => Array.from({ length: count + 1 }, (_, i) => i / count);
const line = (from, to) => steps(16).map((t) => from.map((v, i) => v + t * (to[i] - v)));

function circle() {
  const start = noise(0.6) - 1.6;
  return [steps(40).map((t) => turn(start + 6.4 * t, 0.3 + 0.02 * t))];
}

function cross() {
  return [line([0.25, 0.22], [0.76, 0.78]), line([0.77, 0.24], [0.23, 0.77])];
}

function wave() {
  return [steps(48).map((t) => [0.14 + 0.72 * t, 0.5 - 0.2 * Math.sin(9.2 * t)])];
}

function turn(angle, radius) {
  return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)];
}

function noise(size) {
  return size * (2 * Math.random() - 1);
}

// A shape slanted, stretched and shifted a little, as no two drawings are alike.
function drawn(shape) {
  const [a, b, c, d] = [1 + noise(0.12), noise(0.12), noise(0.12), 1 + noise(0.12)];
  const [right, down] = [noise(0.04), noise(0.04)];
  const moved = ([x, y]) => [
    0.5 + a * (x - 0.5) + b * (y - 0.5) + right,
    0.5 + c * (x - 0.5) + d * (y - 0.5) + down,
  ];
  const whole = (v) => Math.round(Math.min(1, Math.max(0, v)) * 1e4) / 1e4;
  return shape().map((stroke) => stroke.map((point) => moved(point).map(whole)));
}
