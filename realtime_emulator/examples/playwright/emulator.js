// Playwright's `test` with an emulator: a script for each test, and what passed in its calls.
import { test as base, expect } from '@playwright/test';

export { expect };

const URL = process.env.EMULATOR_URL;
const SECONDS = 20;

async function ask(method, path, body) {
  const answer = await fetch(URL + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function waitFor(what, find) {
  const deadline = Date.now() + SECONDS * 1000;
  for (;;) {
    const found = await find();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not in ${SECONDS} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

export class Call {
  constructor(id) {
    this.id = id;
  }

  /** What passed: `{ at, dir, data }`, `dir` being `in` from the service and `out` to it. */
  async recording() {
    return (await ask('GET', `/emulator/calls/${this.id}/events`)).events;
  }

  /** The server's events; with `'out'`, those of the page. */
  async events(dir = 'in') {
    return (await this.recording()).filter((line) => line.dir === dir).map((line) => line.data);
  }

  /** The first event of this type. */
  waitFor(type, dir = 'in') {
    return waitFor(type, async () => (await this.events(dir)).find((event) => event.type === type));
  }

  async state() {
    return (await ask('GET', '/emulator')).calls.find((call) => call.id === this.id);
  }
}

export class Emulator {
  /** Merges settings into the script. */
  script(settings) {
    return ask('PATCH', '/emulator', settings);
  }

  state() {
    return ask('GET', '/emulator');
  }

  /** The newest call, once its page is connected. */
  async call() {
    const found = await waitFor('a connected call', async () =>
      (await this.state()).calls.find((call) => call.connected),
    );
    return new Call(found.id);
  }
}

export const test = base.extend({
  // `test.use({ script: … })` sets it for a file or a group of tests.
  script: [{}, { option: true }],
  emulator: async ({ script }, use) => {
    await ask('DELETE', '/emulator');
    const emulator = new Emulator();
    await emulator.script(script);
    await use(emulator);
    await ask('DELETE', '/emulator');
  },
});
