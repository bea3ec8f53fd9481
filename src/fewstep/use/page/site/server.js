// Asking the server, one question of a kind at a time.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

// The server's answer. Throws Refused with its words, or with ours where there is no server.
export async function ask(path, content) {
  const post = content && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  };
  let answer;
  try {
    answer = await fetch(path, post);
  } catch {
    throw new Refused(0, "The server has stopped. Start fewstep draw again, then reload.");
  }
  const found = await answer.json().catch(() => ({ error: "The server could not do it" }));
  if (!answer.ok) throw new Refused(answer.status, found.error);
  return found;
}

// A function that runs once at a time: what is asked for meanwhile is done once, afterwards.
export function latest(act) {
  let running = null;
  let again = false;
  const run = async () => {
    try {
      do {
        again = false;
        await act();
      } while (again);
    } finally {
      running = null;
    }
  };
  return () => {
    again = true;
    running ??= run();
    return running;
  };
}
