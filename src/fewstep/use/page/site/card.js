// A class: its name, up to five drawings of which one is on the paper, and how they are seen.

import { Pad } from "./pad.js";

export const HUES = [165, 30, 255, 85, 320, 200, 0, 130, 285, 55];

export class Card {
  // `page.changed()` is called whenever there is something else to learn, `page.drawing()` while a
  // stroke grows, `page.gone(card)` to be removed.
  constructor(page, hue, name) {
    this.page = page;
    this.hue = hue;
    this.name = name;
    this.drawings = [[]];
    this.seen = [];
    this.at = 0;
    this.element = document.getElementById("class").content.cloneNode(true).firstElementChild;
    this.element.style.setProperty("--hue", HUES[hue]);
    const drawing = (done) => (done ? this.#drawn() : page.drawing());
    this.pad = new Pad(this.#part("pad"), drawing, page.say, page.points);
    this.#part("undo").onclick = () => this.pad.undo();
    this.#part("clear").onclick = () => this.#cleared();
    this.#part("remove").onclick = () => page.gone(this);
    const field = this.#part("name");
    field.maxLength = page.longest;
    field.onchange = () => this.#called(field.value.trim());
    field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
    this.#called(name);
    this.select(0);
  }

  // What there is to learn from: drawings with anything on them.
  get drawn() {
    return this.drawings.filter((drawing) => drawing.length);
  }

  set drawn(drawings) {
    this.drawings = drawings.length ? drawings : [[]];
    this.seen = [];
    this.select(0);
  }

  // `urls` are pictures of `drawn`, in that order.
  see(urls) {
    const next = urls[Symbol.iterator]();
    this.seen = this.drawings.map((drawing) => (drawing.length ? next.next().value : undefined));
    this.#strip();
  }

  select(at) {
    this.at = at;
    this.pad.drawing = this.drawings[at];
    this.#strip();
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }

  #drawn() {
    this.seen[this.at] = undefined;
    this.#strip();
    this.page.changed();
  }

  #cleared() {
    if (this.drawings.length === 1) return this.pad.clear();
    this.drawings.splice(this.at, 1);
    this.seen.splice(this.at, 1);
    this.select(Math.max(0, this.at - 1));
    this.page.changed();
  }

  #called(name) {
    const changed = name !== this.name;
    if (name && (!changed || this.page.free(name))) this.name = name;
    else this.page.say(name ? `There is a class ${name} already` : "A class needs a name");
    this.#part("name").value = this.name;
    const labels = { name: "Name of class", remove: "Remove class", undo: "Undo in", clear: "Clear" };
    for (const [part, label] of Object.entries(labels))
      this.#part(part).setAttribute("aria-label", `${label} ${this.name}`);
    this.#part("pad").setAttribute("aria-label", `Paper of class ${this.name}`);
    if (changed) this.page.changed();
  }

  #strip() {
    const buttons = this.drawings.map((drawing, i) => this.#thumb(drawing, i));
    if (this.drawings.length < this.page.most && this.drawings.every((drawing) => drawing.length))
      buttons.push(this.#more());
    const strip = this.#part("strip");
    const at = [...strip.children].indexOf(document.activeElement);
    strip.replaceChildren(...buttons);
    strip.children[at]?.focus();
  }

  #thumb(drawing, i) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Drawing ${i + 1} of class ${this.name}`);
    button.setAttribute("aria-current", String(i === this.at));
    button.onclick = () => this.select(i);
    if (this.seen[i]) button.append(Object.assign(new Image(), { src: this.seen[i], alt: "" }));
    return button;
  }

  #more() {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "+";
    button.className = "more";
    button.setAttribute("aria-label", `Another drawing of class ${this.name}`);
    button.onclick = () => {
      this.drawings.push([]);
      this.select(this.drawings.length - 1);
      this.pad.canvas.focus();
    };
    return button;
  }
}
