// The probabilities as bars, and in words once they have come to rest.

const REST = 600; // milliseconds

export class Odds {
  constructor(list, verdict, pad) {
    this.list = list;
    this.verdict = verdict;
    this.pad = pad;
    this.rows = [];
  }

  // One row for each class; the bars stand at nothing.
  classes(cards, hues) {
    this.names = cards.map((card) => card.name);
    this.hues = cards.map((card) => hues[card.hue]);
    this.rows = cards.map((card, i) => row(this.names[i], this.hues[i]));
    this.list.replaceChildren(...this.rows);
    this.show(null);
  }

  // A probability for each class, or null where there is nothing to tell.
  show(shares) {
    const first = shares ? shares.indexOf(Math.max(...shares)) : -1;
    this.rows.forEach((one, i) => {
      const share = shares?.[i] ?? 0;
      one.classList.toggle("first", i === first);
      one.querySelector("i").style.width = `${100 * share}%`;
      one.querySelector(".share").textContent = shares ? percent(share) : "";
    });
    this.pad.classList.toggle("sure", first >= 0 && shares[first] > 0.5);
    if (first >= 0) this.pad.style.setProperty("--hue", this.hues[first]);
    clearTimeout(this.timer);
    if (!shares) return this.say("");
    const text = `Most likely ${this.names[first]}, ${percent(shares[first])}`;
    this.timer = setTimeout(() => this.say(text), REST);
  }

  say(text) {
    this.verdict.textContent = text;
  }
}

function row(name, hue) {
  const item = document.createElement("li");
  item.style.setProperty("--hue", hue);
  const label = part("span", "label");
  label.textContent = name;
  const bar = part("span", "bar");
  bar.append(document.createElement("i"));
  item.append(label, bar, part("span", "share"));
  return item;
}

function part(kind, name) {
  return Object.assign(document.createElement(kind), { className: name });
}

function percent(share) {
  const nearly = share > 0.99 && share < 0.9995; // sure, but not a hundred
  return `${(100 * share).toFixed(nearly ? 1 : 0)}\u00a0%`;
}
