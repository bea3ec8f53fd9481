// The page: what is drawn is its own, so that every tab is; the server remembers the last ones,
// and a reload finds them again by the identifier behind the #.

import { Card, HUES } from "./card.js";
import { curve } from "./curve.js";
import { Odds } from "./odds.js";
import { Pad } from "./pad.js";
import { ask, latest } from "./server.js";
import { asked, shapes } from "./shapes.js";

const AT_REST = 250; // milliseconds from the end of a stroke to learning
const BETWEEN = 40; // milliseconds between two predictions: an eye sees no more of them
const BEGIN = 3; // classes on a new page
const LOSS = "The loss on your drawings";
const get = (id) => document.getElementById(id);

const about = await ask("about");
const page = {
  changed: () => changed(),
  drawing: () => timer && atRest(), // the next stroke of the same drawing: wait for it
  gone: (card) => gone(card),
  free: (name) => !cards.some((card) => card.name.toLowerCase() === name.toLowerCase()),
  say: (text) => odds.say(text),
  most: about.limits.drawings,
  points: about.limits.points,
  longest: about.limits.name,
};
const query = new Pad(get("query"), () => working(predict()), page.say, page.points);
const odds = new Odds(get("odds"), get("verdict"), query.canvas);
const add = Object.assign(document.createElement("button"), { type: "button", className: "add" });
let cards = [];
let fit = null; // {id, cards}: what was learned last
let timer = 0; // runs from the end of a stroke to learning
let under_way = 0; // questions to the server that are not answered

// --- classes

function begin(classes) {
  cards = [];
  get("classes").replaceChildren(add);
  for (const { name, drawings } of classes) grow(name).drawn = drawings;
  while (cards.length < BEGIN) grow();
  changed();
}

function grow(name) {
  const hue = HUES.findIndex((_, i) => !cards.some((card) => card.hue === i));
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].find((letter) => page.free(letter));
  const card = new Card(page, hue, name ?? free);
  cards.push(card);
  add.before(card.element);
  add.hidden = cards.length >= about.limits.classes;
  return card;
}

function gone(card) {
  const at = cards.indexOf(card);
  cards.splice(at, 1);
  card.element.remove();
  if (cards.length < 2) grow();
  add.hidden = false;
  (cards[at] ?? cards.at(-1)).pad.canvas.focus();
  changed();
}

function changed() {
  const anything = cards.some((card) => card.drawn.length);
  get("show").hidden = anything;
  get("over").hidden = !anything;
  atRest();
}

function atRest() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = 0;
    working(adapt());
  }, AT_REST);
  busy();
}

// --- learning and asking

// Whether what is shown is about to change: for those who listen to the page rather than see it.
async function working(promise) {
  under_way += 1;
  busy();
  await promise;
  under_way -= 1;
  busy();
}

function busy() {
  get("try").setAttribute("aria-busy", String(timer > 0 || under_way > 0));
}

const adapt = latest(async () => {
  const drawn = cards.filter((card) => card.drawn.length);
  if (drawn.length < 2) return forget();
  const classes = drawn.map((card) => ({ name: card.name, drawings: card.drawn }));
  document.body.classList.add("busy");
  await trying(async () => {
    const learned = await ask("adapt", { classes });
    fit = { id: learned.id, cards: drawn };
    history.replaceState(null, "", `#${fit.id}`);
    drawn.forEach((card, i) => card.see(learned.seen[i]));
    odds.classes(drawn, HUES);
    curve(get("curve"), learned.curve);
    const steps = learned.curve.at(-1)?.[0] ?? 0;
    const time = `${steps} inner steps in ${learned.seconds.toFixed(2)}\u00a0s`;
    get("learned").textContent = `${LOSS}: ${time}`;
    get("keep").hidden = !about.kept;
  });
  document.body.classList.remove("busy");
  await predict();
});

const predict = latest(async () => {
  if (!fit || !query.drawing.length) {
    get("seen").hidden = true;
    return odds.show(null);
  }
  await trying(async () => {
    const found = await ask("predict", { id: fit.id, drawing: query.drawing });
    if (!query.drawing.length) return;
    Object.assign(get("seen"), { src: found.seen, hidden: false });
    odds.show(found.probabilities);
    await new Promise((done) => setTimeout(done, BETWEEN));
  });
});

function forget() {
  fit = null;
  history.replaceState(null, "", location.pathname);
  for (const card of cards) card.see([]);
  odds.classes(cards, HUES);
  curve(get("curve"), []);
  get("learned").textContent = LOSS;
  get("keep").hidden = true;
  odds.say("");
  predict();
}

async function trying(act) {
  try {
    await act();
    trouble("");
  } catch (refused) {
    if (refused.status === 404 && fit) {
      fit = null; // others have come since: learn it again
      changed();
    } else trouble(refused.message);
  }
}

function trouble(text) {
  get("trouble").textContent = text;
  get("trouble").hidden = !text;
}

// --- the page's own buttons

async function show() {
  begin(shapes());
  query.drawing = [];
  const patient = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 22;
  await working(adapt());
  const strokes = asked();
  const drawing = (query.drawing = []);
  for (const stroke of strokes) {
    const growing = [];
    drawing.push(growing);
    for (const point of stroke) {
      if (query.drawing !== drawing || query.pointer !== null) return;
      growing.push(point);
      query.paint();
      working(predict());
      await new Promise((done) => setTimeout(done, patient));
    }
  }
}

async function keep() {
  await trying(async () => {
    const { where } = await ask("keep", { id: fit.id });
    odds.say(`Written to ${where}`);
  });
}

function over() {
  query.drawing = [];
  begin([]);
}

async function start() {
  const known = location.hash.slice(1);
  const before = known && (await ask(`examples/${known}`).catch(() => null));
  begin(before ? before.classes : []);
}

get("init").textContent = about.init;
query.canvas.setAttribute("aria-label", "Paper for the drawing to be recognized");
document.querySelector("#try .undo").onclick = () => query.undo();
document.querySelector("#try .clear").onclick = () => query.clear();
get("show").onclick = show;
get("keep").onclick = keep;
get("over").onclick = over;
add.innerHTML = "<b>+</b>Add a class";
add.onclick = () => grow().pad.canvas.focus();
await start();
