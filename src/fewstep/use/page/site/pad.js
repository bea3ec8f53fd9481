// Paper that takes strokes from a mouse, a finger, a pen or the keyboard.
//
// A drawing is a list of strokes, a stroke a list of [x, y] in the unit square, y downwards.

const PEN = 5 / 105; // as wide as on the drawings that the network was trained on
const NEAR = 0.006; // points closer than that say nothing new
const MOVE = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  // `changed(done)` is called at every point that is drawn, and with `done` when a stroke has ended.
  constructor(canvas, changed, say, most = 1000) {
    this.canvas = canvas;
    this.changed = changed;
    this.say = say;
    this.most = most;
    this.strokes = [];
    this.pointer = null; // the one that draws: a second finger does not
    this.pen = null; // of the keyboard: {x, y, down}
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#moved(event));
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, (event) => this.#up(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#lift());
    new ResizeObserver(() => this.paint()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  set drawing(strokes) {
    this.strokes = strokes;
    this.pen = null;
    this.paint();
  }

  get drawing() {
    return this.strokes;
  }

  undo() {
    if (!this.strokes.length) return;
    this.strokes.pop();
    this.#ended();
  }

  clear() {
    if (!this.strokes.length) return;
    this.strokes.length = 0;
    this.#ended();
  }

  paint() {
    const { canvas } = this;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side) return;
    canvas.width = canvas.height = side; // which wipes it
    const paper = canvas.getContext("2d");
    paper.strokeStyle = paper.fillStyle = getComputedStyle(canvas).color;
    paper.lineWidth = PEN * side;
    paper.lineCap = paper.lineJoin = "round";
    for (const stroke of this.strokes) trace(paper, stroke, side);
    canvas.parentElement.classList.toggle("empty", !this.strokes.length && !this.pen);
    if (this.pen) this.#paintPen(paper, side);
  }

  #paintPen(paper, side) {
    const { x, y, down } = this.pen;
    paper.lineWidth = Math.max(1, 0.01 * side);
    paper.beginPath();
    paper.arc(x * side, y * side, 0.04 * side, 0, 7);
    paper.stroke();
    if (down) paper.fill();
  }

  #down(event) {
    if (this.pointer !== null || event.button > 0) return;
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.pen = null;
    this.strokes.push([this.#place(event)]);
    this.#drawn();
  }

  #moved(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.#add(this.#place(one));
    this.#drawn();
  }

  #up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.#ended();
  }

  #key(event) {
    const key = event.key.toLowerCase();
    if (event.key in MOVE) this.#steer(MOVE[event.key], event.shiftKey ? 0.01 : 0.05);
    else if (key === " " || key === "enter") this.#press();
    else if (key === "z" || key === "backspace") this.undo();
    else if (["c", "delete", "escape"].includes(key) && !event.ctrlKey && !event.metaKey)
      this.clear();
    else return;
    event.preventDefault();
  }

  #steer([right, down], step) {
    this.pen ??= { x: 0.5, y: 0.5, down: false };
    this.pen.x = inside(this.pen.x + right * step);
    this.pen.y = inside(this.pen.y + down * step);
    if (!this.pen.down) return this.paint();
    this.#add([this.pen.x, this.pen.y]);
    this.#drawn();
  }

  #press() {
    this.pen ??= { x: 0.5, y: 0.5, down: false };
    if (this.pen.down) return this.#lift();
    this.pen.down = true;
    this.strokes.push([[this.pen.x, this.pen.y]]);
    this.say("Pen down");
    this.#drawn();
  }

  #lift() {
    if (!this.pen?.down) return;
    this.pen.down = false;
    this.say("Pen up");
    this.#ended();
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      inside((event.clientX - box.left) / box.width),
      inside((event.clientY - box.top) / box.height),
    ];
  }

  #add(point) {
    const stroke = (this.strokes.length || this.strokes.push([])) && this.strokes.at(-1);
    const last = stroke.at(-1);
    if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) < NEAR) return;
    stroke.push(point);
    if (this.strokes.reduce((sum, one) => sum + one.length, 0) > this.most) this.#thin();
  }

  #thin() {
    const every = (stroke) => stroke.filter((_, i) => i % 2 === 0 || i === stroke.length - 1);
    this.strokes.splice(0, this.strokes.length, ...this.strokes.slice(-this.most / 2).map(every));
  }

  #drawn() {
    this.paint();
    this.changed(false);
  }

  #ended() {
    this.paint();
    this.changed(true);
  }
}

function trace(paper, stroke, side) {
  paper.beginPath();
  const [first, ...rest] = stroke.map(([x, y]) => [x * side, y * side]);
  paper.moveTo(...first);
  let [x, y] = first;
  for (const [u, v] of rest) {
    paper.quadraticCurveTo(x, y, (x + u) / 2, (y + v) / 2);
    [x, y] = [u, v];
  }
  paper.lineTo(x, y);
  paper.stroke();
}

function inside(share) {
  return Math.round(Math.min(1, Math.max(0, share)) * 1e4) / 1e4;
}
