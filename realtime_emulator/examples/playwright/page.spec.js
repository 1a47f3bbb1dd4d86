import { expect, test } from './emulator.js';

test.use({ script: { rules: [{ words: ['open'], say: 'Until six.' }] } });

async function startCall(page) {
  await page.goto('/');
  await page.getByRole('button', { name: 'Call' }).click();
  await expect(page.getByRole('status')).toHaveText('In a call.');
}

async function ask(page, question) {
  await page.getByLabel('Your question').fill(question);
  await page.getByRole('button', { name: 'Ask' }).click();
}

test('the page shows what the model says', async ({ page, emulator }) => {
  await startCall(page);
  await ask(page, 'How long are you open?');
  await expect(page.getByRole('listitem')).toHaveText(['Until six.']);
  const call = await emulator.call();
  const asked = await call.waitFor('conversation.item.create', 'out');
  expect(asked.item.content[0].text).toBe('How long are you open?');
  expect((await call.waitFor('response.done')).response.status).toBe('completed');
});

test('the page looks up what the model asks for', async ({ page, emulator }) => {
  await emulator.script({ replies: [{ call: { tool: 'get_price' } }, { say: 'It is ten.' }] });
  await startCall(page);
  await ask(page, 'What does it cost?');
  await expect(page.getByRole('listitem')).toHaveText(['It is ten.']);
  const sent = await (await emulator.call()).events('out');
  expect(sent.map((event) => event.item?.type ?? event.type)).toEqual([
    'message', 'response.create', 'function_call_output', 'response.create',
  ]);
});

test('the page says that an answer failed', async ({ page, emulator }) => {
  await emulator.script({ replies: [{ fail: { code: 'inference_rate_limit_exceeded' } }] });
  await startCall(page);
  await ask(page, 'Hello?');
  await expect(page.getByRole('status')).toHaveText('The answer failed. Ask again.');
});

test('the page says that all lines are busy', async ({ page, emulator }) => {
  await emulator.script({ faults: { client_secrets: [{ status: 429, retry_after: 5 }] } });
  await page.goto('/');
  await page.getByRole('button', { name: 'Call' }).click();
  await expect(page.getByRole('status')).toHaveText('All lines are busy. Try again later.');
  expect((await emulator.state()).started_calls).toBe(0);
});

test('the page notices that the service has hung up', async ({ page, emulator }) => {
  await emulator.script({ session_seconds: 2 });
  await startCall(page);
  await expect(page.getByRole('status')).toHaveText('The call is over.');
  expect((await (await emulator.call()).state()).ended).toBe('session expired');
});
